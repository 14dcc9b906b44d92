/** The texts of a store item's value that a path names: `$` for the whole, `a.b`, `list[0].b`, `list[-1]`, `list[*].b`, `*`. */
import { isObject, type Json, type JsonObject } from "../../src/core/json.ts";

/** [path, text]: where a path names several, the path goes on with the number of each. */
export function textsAt(value: JsonObject, path: string): [string, string][] {
  if (path === "$") return [[path, sorted(value)]];
  const steps = path.split(/\.|(?=\[)/).filter((step) => step !== "");
  const found = steps.reduce<Json[]>((reached, step) => reached.flatMap((at) => follow(at, step)), [value]);
  const texts = found.flatMap((at) =>
    at === null ? [] : [typeof at === "object" ? sorted(at) : String(at)],
  );
  return texts.length === 1 ? [[path, texts[0]!]] : texts.map((text, i) => [`${path}.${i}`, text]);
}

function follow(at: Json, step: string): Json[] {
  if (step === "*" || step === "[*]") return typeof at === "object" && at !== null ? Object.values(at) : [];
  if (step.startsWith("[")) {
    const found = Array.isArray(at) ? at.at(Number(step.slice(1, -1))) : undefined;
    return found === undefined ? [] : [found];
  }
  return isObject(at) && Object.hasOwn(at, step) ? [at[step]!] : [];
}

/** JSON that is the same whatever order the keys came in. */
function sorted(value: Json): string {
  return JSON.stringify(value, (_key, at: Json) =>
    isObject(at) ? Object.fromEntries(Object.entries(at).sort(([a], [b]) => (a < b ? -1 : 1))) : at,
  );
}
