/** A deployment: a named agent people call; its versions are snapshots of source and settings. */
import { type Static, Type } from "typebox";
import { Iso, JsonObjectSchema, Nullable } from "./schema.ts";

export const frameworks = ["crewai", "langgraph", "langgraph-js", "function"] as const;
export type Framework = (typeof frameworks)[number];

export const Version = Type.Object(
  {
    version_id: Type.String(),
    deployment_id: Type.String(),
    number: Type.Integer(),
    framework: Type.Enum([...frameworks]),
    entrypoint: Type.String(),
    status: Type.Enum(["ready", "failed"]),
    created_at: Iso,
  },
  { title: "Version" },
);
export type Version = Static<typeof Version>;

export const Deployment = Type.Object(
  {
    deployment_id: Type.String(),
    name: Type.String(),
    framework: Type.Enum([...frameworks]),
    environments: Type.Unsafe<Record<string, string>>({
      ...JsonObjectSchema,
      description: "The version each environment points at.",
    }),
    chat: Type.Object({ input_key: Nullable(Type.String()), output_key: Nullable(Type.String()) }),
    created_at: Iso,
  },
  { title: "Deployment" },
);
export type Deployment = Static<typeof Deployment>;
