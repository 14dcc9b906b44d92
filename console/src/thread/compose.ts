/** In which forms a run's input can be given for a deployment, and how each becomes JSON. Pure. */
import type { Deployment } from "../../../src/core/deployment.ts";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";

export const forms = ["message", "form", "json"] as const;
export type Form = (typeof forms)[number];

/** The most fitting form comes first. */
export function formsFor(deployment: Deployment | undefined, input: JsonObject | null): Form[] {
  const fields = fieldsOf(input);
  const hasMessages = fields.some(({ key }) => key === "messages");
  const talks =
    deployment?.chat.input_key != null ||
    hasMessages ||
    (input === null && deployment !== undefined && deployment.framework !== "function");
  const canFill = fields.length > 0 && !(fields.length === 1 && hasMessages);
  return [...(talks ? (["message"] as const) : []), ...(canFill ? (["form"] as const) : []), "json"];
}

export type FormField = {
  key: string;
  title: string;
  description: string | undefined;
  kind: "text" | "number" | "integer" | "boolean" | "choice" | "json";
  choices: Json[];
  required: boolean;
  initial: Json | undefined;
};

/** The fields of a JSON Schema's top level. What is no text, number, truth or choice is given as JSON. */
export function fieldsOf(schema: JsonObject | null): FormField[] {
  if (!schema || !isObject(schema.properties)) return [];
  const required = Array.isArray(schema.required) ? schema.required : [];
  return Object.entries(schema.properties).map(([key, declared]) => {
    const property = resolve(declared, schema);
    const choices = Array.isArray(property.enum) ? property.enum : [];
    return {
      key,
      title: typeof property.title === "string" ? property.title : key,
      description: typeof property.description === "string" ? property.description : undefined,
      kind: choices.length > 0 ? "choice" : kindOf(property.type),
      choices,
      required: required.includes(key),
      initial: property.default,
    };
  });
}

function kindOf(type: Json | undefined): FormField["kind"] {
  if (type === "string") return "text";
  if (type === "number" || type === "integer" || type === "boolean") return type;
  return "json";
}

/** Follows a reference into the schema's definitions, and takes the other half of what may also be null. */
function resolve(property: Json, schema: JsonObject): JsonObject {
  if (!isObject(property)) return {};
  const name =
    typeof property.$ref === "string"
      ? /^#\/(?:\$defs|definitions)\/(.+)$/.exec(property.$ref)?.[1]
      : undefined;
  const definitions = isObject(schema.$defs)
    ? schema.$defs
    : isObject(schema.definitions)
      ? schema.definitions
      : {};
  const target = name === undefined ? undefined : definitions[name];
  if (isObject(target)) return { ...target, ...property };
  const others = Array.isArray(property.anyOf)
    ? property.anyOf.filter((each) => isObject(each) && each.type !== "null")
    : [];
  const [only] = others;
  return others.length === 1 && isObject(only) ? { ...property, ...resolve(only, schema) } : property;
}
