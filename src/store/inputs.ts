/**
 * What a run was given is stored once, with its request. A graph's first checkpoint and its first writes repeat it: where
 * they are the input, or the value of one of its keys, they are stored as a reference, [run's number in its log, key?].
 * Nobody outside the store meets one.
 */
import { escapedFields, tagged, tagOf } from "../core/encoding.ts";
import { isObject, type Json } from "../core/json.ts";
import type { Queryable } from "./database.ts";
import { join, sql } from "./sql.ts";

/** A shorter text is no longer than its reference. */
const MIN_CHARACTERS = 64;

/** The input of one run, encoded, and what stands in the place of it and its parts. */
export class RunInput {
  /** JSON text → that of its reference. */
  readonly #references = new Map<string, string>();

  constructor(run_number: number, input: Json) {
    this.#add(input, run_number);
    if (!isObject(input)) return;
    for (const [key, value] of Object.entries(escapedFields(input))) this.#add(value, run_number, key);
  }

  #add(value: Json, ...place: (number | string)[]): void {
    const text = JSON.stringify(value);
    if (text.length >= MIN_CHARACTERS) this.#references.set(text, JSON.stringify(tagged("input", ...place)));
  }

  /** The text under which a value is stored. */
  textOf(value: Json): string {
    const text = JSON.stringify(value);
    return this.#references.get(text) ?? text;
  }
}

/** Stored values of one log, those that are references replaced by what they stand for. */
export async function withInputs(q: Queryable, log_id: number, values: Json[]): Promise<Json[]> {
  const places = values.map(placeOf);
  const named = new Set(places.flatMap((place) => place?.run_number ?? []));
  if (named.size === 0) return values;
  const rows = await q.query<{ run_number: number; input: string }>(sql`
    select runs.run_number, run_requests.input from runs
    join run_requests on run_requests.log_id = runs.log_id and run_requests.run_id = runs.run_id
    where runs.log_id = ${log_id} and runs.run_number in (${join([...named])})`);
  const inputs = new Map(rows.map(({ run_number, input }) => [run_number, JSON.parse(input) as Json]));
  return values.map((value, i) => {
    const place = places[i];
    if (!place) return value;
    const input = inputs.get(place.run_number);
    const part = place.key === undefined || !isObject(input) ? input : escapedFields(input)[place.key];
    if (part === undefined) throw new Error(`the input of run ${place.run_number} of log ${log_id} is gone`);
    return part;
  });
}

/** A client's own object of this form is an escaped one: its tag is another. */
function placeOf(value: Json): { run_number: number; key: string | undefined } | undefined {
  const tag = tagOf(value);
  if (tag?.[0] !== "input") return undefined;
  return { run_number: Number(tag[1]), key: tag[2] === undefined ? undefined : String(tag[2]) };
}
