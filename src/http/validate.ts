/** Validates requests with TypeBox. Bodies are taken as they are; queries and paths, which are text, are converted. */
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";
import { DEPLOYMENT_NAME_PATTERN } from "../core/deployment.ts";
import { NAME_PATTERN } from "../core/schema.ts";

const names: Record<string, string> = {
  body: "body",
  querystring: "query",
  params: "path",
  headers: "header",
};

type Validated = { value: unknown } | { error: Error };

export function compileValidator(schema: unknown, part: string): (data: unknown) => Validated {
  const validator = Compile(schema as TSchema);
  const isText = part !== "body";
  return (data) => {
    const value = isText ? Value.Convert(schema as TSchema, data) : data;
    if (validator.Check(value)) return { value };
    const problems = [...validator.Errors(value)].slice(0, 3).map((error) => {
      const field = error.instancePath.split("/").slice(1).join(".");
      return `${names[part] ?? part}${field ? `.${field}` : ""} ${describe(error)}`;
    });
    return { error: new Error([...new Set(problems)].join("; ")) };
  };
}

function describe(error: { keyword: string; message: string; params: object }): string {
  const params = error.params as Record<string, unknown>;
  if (error.keyword === "additionalProperties") {
    return `has an unknown key ${JSON.stringify((params.additionalProperties as string[] | undefined)?.[0] ?? "")}`;
  }
  if (error.keyword === "required") {
    return `needs ${JSON.stringify((params.requiredProperties as string[] | undefined)?.[0] ?? "")}`;
  }
  if (error.keyword === "pattern" && params.pattern === NAME_PATTERN)
    return "must not hold control characters or halves of characters";
  if (error.keyword === "pattern" && params.pattern === DEPLOYMENT_NAME_PATTERN)
    return 'holds letters, digits, ".", "_", "-" and spaces, and begins with a letter or a digit';
  if (error.keyword === "enum") return `must be one of ${(params.allowedValues as string[]).join(", ")}`;
  return error.message;
}
