/** A file a run left. */
import { type Static, Type } from "typebox";
import { Iso } from "./schema.ts";

export const Artifact = Type.Object(
  {
    name: Type.String({
      description: "Its path below the run's folder, with / between.",
      examples: ["charts/a.png"],
    }),
    size: Type.Integer({ description: "Bytes" }),
    content_type: Type.String(),
    sha256: Type.String(),
    created_at: Iso,
  },
  { title: "Artifact" },
);
export type Artifact = Static<typeof Artifact>;

const MAX_NAME_LENGTH = 500;

/** A relative path that leads downwards, of characters that can be shown. */
export function isArtifactName(name: string): boolean {
  return (
    name.length <= MAX_NAME_LENGTH &&
    !/[\p{Cc}\p{Cs}\\\uFFFD]/u.test(name) &&
    name.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}
