/** Copies what tsc does not emit into the published form: the SQL of the migrations, beside the code that reads it. */
import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";

const inRepository = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

cpSync(inRepository("src/store/migrations"), inRepository("dist/src/store/migrations"), { recursive: true });
