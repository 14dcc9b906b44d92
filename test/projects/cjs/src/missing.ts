import { nothing } from "a-package-nobody-installed";

export const graph = nothing;
