/** A deployment: a named agent people call; its versions are snapshots of source and settings. */
import { type Static, Type } from "typebox";
import { Iso, JsonObjectSchema, Nullable } from "./schema.ts";

export const frameworks = ["crewai", "langgraph", "langgraph-js", "function"] as const;
export type Framework = (typeof frameworks)[number];

/** Letters, digits, and `.`, `_`, `-` and spaces between them. */
export const DEPLOYMENT_NAME_PATTERN = "^[\\p{L}\\p{N}]([\\p{L}\\p{N} ._-]*[\\p{L}\\p{N}._-])?$";
export const DeploymentName = Type.String({ minLength: 1, maxLength: 100, pattern: DEPLOYMENT_NAME_PATTERN });

export const versionStatuses = ["building", "ready", "failed", "retired"] as const;
export type VersionStatus = (typeof versionStatuses)[number];

export const Version = Type.Object(
  {
    version_id: Type.String(),
    deployment_id: Type.String(),
    number: Type.Integer({ description: "1, 2, 3… within its deployment" }),
    status: Type.Enum([...versionStatuses], {
      description: "building, then ready or failed; retired: no environment may point at it any more",
    }),
    framework: Type.Enum([...frameworks]),
    entrypoint: Type.String(),
    digest: Nullable(Type.String(), {
      description: "Tells one source from another; null for a folder under `crewship dev`, which changes",
    }),
    environment: Nullable(Type.String(), { description: "What points at it once it is ready" }),
    environments: Type.Array(Type.String(), { description: "What points at it now" }),
    error: Nullable(Type.String(), { description: "Why it could not be built" }),
    created_at: Iso,
    built_at: Nullable(Iso),
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

/** A variable of an environment. Its value is never shown. */
export const Variable = Type.Object(
  { name: Type.String(), environment: Type.String(), updated_at: Iso },
  { title: "Variable" },
);
export type Variable = Static<typeof Variable>;
