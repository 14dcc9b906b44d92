/** JSON as fast-check makes it, with everything that has ever broken a store. */
import fc from "fast-check";
import type { Json, JsonObject } from "../../src/core/json.ts";

/** Text with NUL, lone surrogates, astral characters and what looks like SQL, JSON or a prototype. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "",
      "\u0000",
      "a\u0000b",
      "\ud800",
      "\udfff",
      "\udc00 \ud83d a lone surrogate on either side",
      "😀",
      "__proto__",
      "constructor",
      "toString",
      "$crewship",
      "items",
      "'; drop table threads; --",
      "a text long enough to be stored as an item of its own",
    ),
  },
);

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
);
const leaf: fc.Arbitrary<Json> = fc.oneof(text, number, fc.boolean(), fc.constant(null));

/** The forms a tag has, made up by a client. */
const forgedTag = (json: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc
    .tuple(
      fc.constantFrom("items", "object", "message", "set", "map", "date", "opaque", "send", "nonsense"),
      fc.array(fc.oneof(json, fc.nat(3)), { maxLength: 3 }),
    )
    .map(([name, payload]) => ({ $crewship: [name, ...payload] }));

const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true, maxDepth: 6 },
    leaf,
    fc.array(tie("value"), { maxLength: 5 }),
    object(tie("value")),
    forgedTag(tie("value")),
  ),
}));

/** An object made as a parser makes it: `__proto__` is a key like any other. */
function object(child: fc.Arbitrary<Json>): fc.Arbitrary<JsonObject> {
  return fc
    .array(fc.tuple(text, child), { maxLength: 5 })
    .map((entries) => Object.fromEntries(entries) as JsonObject);
}

export const anyJson: fc.Arbitrary<Json> = value;
export const anyObject: fc.Arbitrary<JsonObject> = object(value);
/** A few values big enough to be items, so that equal ones meet. */
export const longJson: fc.Arbitrary<Json> = fc
  .nat(6)
  .map((n) => ({ content: `message ${n}: a text long enough to be an item` }));
