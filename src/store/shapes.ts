/**
 * JSON that is alike from row to row, stored as a shape and its leaves. The shape (the keys, and how they nest) is a row
 * of its own, shared by all; what is left for each row is a list of its text and numbers. What LangGraph says of a
 * checkpoint is mostly the names of its channels and nodes: 420 bytes of a one-node graph's become 150.
 */
import { hash } from "node:crypto";
import { isObject, type Json, setOwn } from "../core/json.ts";
import type { Queryable } from "./database.ts";
import { join, type Sql, sql } from "./sql.ts";

/** A longer shape is hardly a common one: its value is stored whole. */
const MAX_SHAPE_CHARACTERS = 2_000;
/** Shapes a process knows. */
const MAX_KNOWN = 10_000;
/** 66 bits of SHA-256 as base64url. */
const ID_CHARACTERS = 11;

/** A stored value: with a shape, `body` is the list of its leaves; without, it is the value itself. */
export type Shaped = { shape_id: string | null; body: string };

/** The shapes met last, by id. An id names its content, so they are those of any database. */
const known = new Map<string, Json>();

/** Values in the form in which they are stored, and the rows of the shapes that they have. */
export function takeApart(values: readonly Json[]): { stored: Shaped[]; shapes: Sql[] } {
  const shapes = new Map<string, string>();
  const stored = values.map((value): Shaped => {
    const leaves: (string | number)[] = [];
    const shape = shapeOf(value, leaves);
    const text = JSON.stringify(shape);
    const id = hash("sha256", text, "base64url").slice(0, ID_CHARACTERS);
    // One that is met for the first time may be the only one of its kind.
    const isNew = !known.has(id);
    if (text.length <= MAX_SHAPE_CHARACTERS) learn(id, shape);
    if (isNew || text.length > MAX_SHAPE_CHARACTERS) return { shape_id: null, body: JSON.stringify(value) };
    shapes.set(id, text);
    return { shape_id: id, body: JSON.stringify(leaves) };
  });
  return { stored, shapes: [...shapes].map(([id, text]) => sql`(${id}, ${text})`) };
}

/** The values again. */
export async function putTogether(q: Queryable, rows: readonly Shaped[]): Promise<Json[]> {
  const ids = rows.flatMap(({ shape_id }) => shape_id ?? []);
  const wanted = [...new Set(ids)].filter((id) => !known.has(id));
  const found = new Map<string, Json>();
  for (let i = 0; i < wanted.length; i += 500) {
    const some = await q.query<{ shape_id: string; body: string }>(
      sql`select shape_id, body from shapes where shape_id in (${join(wanted.slice(i, i + 500))})`,
    );
    for (const { shape_id, body } of some) found.set(shape_id, JSON.parse(body) as Json);
  }
  const values = rows.map(({ shape_id, body }) => {
    const parsed = JSON.parse(body) as Json;
    if (shape_id === null) return parsed;
    const shape = found.get(shape_id) ?? known.get(shape_id);
    if (shape === undefined) throw new Error(`the shape ${shape_id} is gone`);
    return filled(shape, (parsed as (string | number)[]).values());
  });
  for (const [id, shape] of found) learn(id, shape);
  return values;
}

function learn(id: string, shape: Json): void {
  known.delete(id);
  if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value!);
  known.set(id, shape);
}

/** The value with 0 in the place of each text and number. */
function shapeOf(value: Json, leaves: (string | number)[]): Json {
  if (typeof value === "string" || typeof value === "number") {
    leaves.push(value);
    return 0;
  }
  return mapChildren(value, (child) => shapeOf(child, leaves));
}

function filled(shape: Json, leaves: Iterator<string | number>): Json {
  return shape === 0 ? leaves.next().value : mapChildren(shape, (child) => filled(child, leaves));
}

function mapChildren(value: Json, change: (child: Json) => Json): Json {
  if (Array.isArray(value)) return value.map(change);
  if (!isObject(value)) return value;
  const object: { [key: string]: Json } = {};
  for (const [key, child] of Object.entries(value)) setOwn(object, key, change(child));
  return object;
}
