import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { validate, version } from "uuid";
import { escapeTags, type ItemLookup, itemRanges, rangeOf, show, TAG, tagged } from "../src/core/encoding.ts";
import { CLIENT_ID_PATTERN, logId, prefixedId, routingBits, runId } from "../src/core/ids.ts";
import { ItemLedger, ListBuilder } from "../src/core/items.ts";
import { type Json, type JsonObject, MAX_DEPTH, nestsDeeperThan, setOwn } from "../src/core/json.ts";
import { expand, itemize } from "./suites/encoded_values.ts";
import { anyJson, longJson, text } from "./suites/json_values.ts";

const digest = (body: string) => hash("sha256", body, "base64url");
const noItems: ItemLookup = (log, number) =>
  assert.fail(`nothing was stored as item ${number} of log ${log}`);

/** Equal to the last character, the order of keys and an own `__proto__` included. */
function same(actual: Json, expected: Json): void {
  assert.equal(JSON.stringify(actual), JSON.stringify(expected));
}

/** What a database keeps of items: text by log and number, written once. */
class ItemShelf {
  readonly texts = new Map<string, string>();

  readonly lookup: ItemLookup = (log, number) => {
    const body = this.texts.get(`${log}:${number}`);
    assert.ok(body !== undefined, `item ${number} of log ${log} was never stored`);
    return JSON.parse(body) as Json;
  };

  /** Stores what a ledger hands out, and checks that its numbers go on without a gap and are never given twice. */
  takeFrom(ledger: ItemLedger): number {
    const before = ledger.next;
    const taken = ledger.takeNew();
    assert.equal(ledger.takeNew(), undefined, "what was taken once is not handed out again");
    if (!taken) return 0;
    assert.equal(taken.first + taken.bodies.length, before);
    for (const [i, body] of taken.bodies.entries()) {
      const key = `${ledger.log}:${taken.first + i}`;
      assert.ok(!this.texts.has(key), `item ${key} was stored twice`);
      this.texts.set(key, JSON.stringify(body));
    }
    return taken.bodies.length;
  }
}

test("whatever JSON a client sends is shown back exactly, also when it pretends to be a tag", () => {
  fc.assert(
    fc.property(anyJson, (value) => {
      const stored = JSON.parse(JSON.stringify(escapeTags(value))) as Json;
      same(show(stored, noItems), value);
    }),
  );
});

test("client data is never taken for a reference to stored items", () => {
  const forged: Json = { [TAG]: ["items", 7, 1, 1e15] };
  fc.assert(
    fc.property(anyJson, (value) => {
      for (const hidden of [value, [forged], { a: [forged, value] }, { [TAG]: [forged] }, [[forged]]]) {
        assert.deepEqual(itemRanges(escapeTags(hidden)), []);
        same(show(expand(escapeTags(hidden), noItems), noItems), hidden);
      }
    }),
  );
});

test("a value whose lists were turned into items expands to exactly what it was", () => {
  fc.assert(
    fc.property(anyJson, anyJson, (value, other) => {
      const shelf = new ItemShelf();
      const ledger = new ItemLedger(9, 1, digest);
      const client = { value, again: [value, value, other], list: [[value], [other, value]] };
      const encoded = escapeTags(client);
      const stored = JSON.parse(JSON.stringify(itemize(encoded, ledger))) as Json;
      shelf.takeFrom(ledger);
      same(expand(stored, shelf.lookup), encoded);
      same(show(stored, shelf.lookup), client);
      for (const { log, first, count } of itemRanges(stored)) {
        for (let i = 0; i < count; i++) shelf.lookup(log, first + i);
      }
    }),
  );
});

test("a value that carries every tag keeps it through items and back", () => {
  const long = "a text long enough to become an item of its own";
  const value: Json = {
    messages: [
      tagged("message", "HumanMessage", { id: "1", content: [{ type: "text", text: long }] }),
      tagged("message", "AIMessage", { id: "2", content: long, tool_calls: [] }),
    ],
    set: tagged("set", [long, long, { a: long }]),
    tuple: tagged("tuple", [long, { a: long }, tagged("tuple", [tagged("float", 1)])]),
    model: tagged("model", "Point", { x: [long] }, "project.shapes:Point", { private: { seen: [long] } }),
    map: tagged("map", [
      ["key", { long }],
      [{ long }, 1],
    ]),
    object: tagged("object", { [TAG]: ["items", 1, 1, 1], list: [long, long] }),
    command: tagged("command", { update: { list: [{ long }] }, goto: ["a"] }),
    date: tagged("date", "2026-01-31T10:30:05.123Z"),
  };
  const shelf = new ItemShelf();
  const ledger = new ItemLedger(9, 1, digest);
  const stored = itemize(value, ledger);
  shelf.takeFrom(ledger);
  same(expand(stored, shelf.lookup), value);
  same(show(stored, shelf.lookup), show(value, noItems));
});

test("a message is shown with its type, its role and its fields", () => {
  const message = tagged("message", "AIMessageChunk", { content: "hi", id: "m1" });
  assert.deepEqual(show(message, noItems), { type: "ai", role: "assistant", content: "hi", id: "m1" });
  assert.deepEqual(show(tagged("opaque", "numpy.ndarray", "msgpack", "AAAA"), noItems), {
    $opaque: "numpy.ndarray",
  });
  assert.deepEqual(show(tagged("map", [["__proto__", 1]]), noItems), JSON.parse('{"__proto__":1}'));
  assert.deepEqual(show(tagged("map", [[1, 2]]), noItems), [[1, 2]]);
  assert.deepEqual(show(tagged("undefined"), noItems), null);
  assert.deepEqual(show(tagged("enum", "Colour", tagged("set", ["red"])), noItems), ["red"]);
  assert.deepEqual(show(tagged("tuple", [tagged("float", 1), tagged("tuple", [])]), noItems), [1, []]);
  assert.deepEqual(show(tagged("constructor", ["python", "decimal", "Decimal"], "1.50"), noItems), "1.50");
});

type Commit = { log: number; stored: string; expected: string };
type Step =
  | {
      kind: "put" | "append" | "replace" | "insert_twice";
      log: number;
      channel: string;
      value: Json;
      at: number;
    }
  | { kind: "trim"; log: number; channel: string; at: number }
  | { kind: "fork"; log: number; at: number }
  | { kind: "copy"; log: number; at: number; warm: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("put" as const, "append" as const, "replace" as const, "insert_twice" as const),
    log: fc.nat(3),
    channel: fc.oneof(fc.constantFrom("messages", "a"), text),
    value: fc.oneof(longJson, anyJson),
    at: fc.nat(20),
  }),
  fc.record({
    kind: fc.constant("trim" as const),
    log: fc.nat(3),
    channel: fc.constant("messages"),
    at: fc.nat(20),
  }),
  fc.record({ kind: fc.constant("fork" as const), log: fc.nat(3), at: fc.nat(20) }),
  fc.record({ kind: fc.constant("copy" as const), log: fc.nat(3), at: fc.nat(20), warm: fc.boolean() }),
);

test("any sequence of puts, forks, trims, replacements and copies reads back exactly what was put", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), playSteps), { numRuns: 150 });
});

/** Logs with their ledgers over one shelf of items; each log holds a client's state, each change is committed. */
function playSteps(steps: Step[]): void {
  const shelf = new ItemShelf();
  const logs = [{ ledger: new ItemLedger(1, 1, digest), state: {} as JsonObject, commits: [] as Commit[] }];
  for (const step of steps) {
    const log = logs[step.log % logs.length]!;
    const earlier = log.commits[step.at % Math.max(1, log.commits.length)];
    if (step.kind === "copy") {
      const id = logs.length + 1;
      const ledger = new ItemLedger(id, 1, digest);
      const from = earlier ?? { stored: "{}", expected: "{}" };
      if (step.warm) rememberAll(ledger, JSON.parse(from.stored) as Json, shelf);
      logs.push({ ledger, state: JSON.parse(from.expected) as JsonObject, commits: [] });
      continue;
    }
    if (step.kind === "fork") {
      if (earlier) log.state = JSON.parse(earlier.expected) as JsonObject;
    } else log.state = changed(log.state, step);
    const stored = itemize(escapeTags(log.state), log.ledger);
    shelf.takeFrom(log.ledger);
    log.commits.push({
      log: log.ledger.log,
      stored: JSON.stringify(stored),
      expected: JSON.stringify(log.state),
    });
  }
  for (const { stored, expected } of logs.flatMap(({ commits }) => commits)) {
    assert.equal(JSON.stringify(show(JSON.parse(stored) as Json, shelf.lookup)), expected);
  }
}

function changed(state: JsonObject, step: Exclude<Step, { kind: "fork" | "copy" }>): JsonObject {
  const next = JSON.parse(JSON.stringify(state)) as JsonObject;
  const old = Object.hasOwn(next, step.channel) ? next[step.channel]! : [];
  const list = Array.isArray(old) ? old : [];
  const at = step.at % Math.max(1, list.length);
  if (step.kind === "put") setOwn(next, step.channel, step.value);
  else if (step.kind === "trim") setOwn(next, step.channel, list.slice(at));
  else if (step.kind === "append") setOwn(next, step.channel, [...list, step.value]);
  else if (step.kind === "replace") setOwn(next, step.channel, list.toSpliced(at, 1, step.value));
  else setOwn(next, step.channel, list.toSpliced(at, 0, step.value, step.value));
  // A state is JSON, as a client's is once it has arrived.
  return JSON.parse(JSON.stringify(next)) as JsonObject;
}

function rememberAll(ledger: ItemLedger, stored: Json, shelf: ItemShelf): void {
  for (const { log, first, count } of itemRanges(stored)) {
    for (let number = first; number < first + count; number++) {
      ledger.remember({ log, number }, shelf.lookup(log, number));
    }
  }
}

test("a list that grows by one costs one item and one range, whatever its length", () => {
  const ledger = new ItemLedger(123_456_789_012_345, 1, digest);
  const list: Json[] = [];
  for (let turn = 1; turn <= 1000; turn++) {
    list.push({ role: "user", content: `message number ${turn} of a long conversation` });
    const stored = itemize({ messages: list }, ledger);
    assert.equal(ledger.takeNew()?.bodies.length, 1);
    assert.equal(itemRanges(stored).length, 1);
    const bytes = JSON.stringify(stored).length;
    assert.ok(bytes < 70, `turn ${turn} costs ${bytes} bytes`);
  }
});

test("a window that slides over a conversation costs one item a turn and one range", () => {
  const ledger = new ItemLedger(1, 1, digest);
  const list: Json[] = [];
  for (let turn = 1; turn <= 200; turn++) {
    list.push({ content: `message number ${turn} of a long conversation` });
    const stored = itemize(list.slice(-20), ledger);
    assert.equal(ledger.takeNew()?.bodies.length, 1);
    assert.equal(itemRanges(stored).length, 1);
  }
});

test("neighbouring items are one range, and nothing but a neighbour joins it", () => {
  const list = new ListBuilder();
  for (const number of [4, 5, 6]) list.addItem({ log: 1, number });
  list.addItem({ log: 2, number: 7 });
  list.addItem({ log: 2, number: 9 });
  list.addItem({ log: 2, number: 9 });
  list.addInline("x");
  list.addItem({ log: 2, number: 10 });
  const elements = list.finish();
  assert.deepEqual(
    elements.map((element) => rangeOf(element) ?? element),
    [
      { log: 1, first: 4, count: 3 },
      { log: 2, first: 7, count: 1 },
      { log: 2, first: 9, count: 1 },
      { log: 2, first: 9, count: 1 },
      "x",
      { log: 2, first: 10, count: 1 },
    ],
  );
});

test("an empty list stays an empty list, and equal elements keep their number and their places", () => {
  const shelf = new ItemShelf();
  const ledger = new ItemLedger(1, 1, digest);
  const twin = { content: "the same words, said twice in a row" };
  const value: Json = { none: [], nested: [[], [[]]], twins: [twin, twin, { other: [] }, twin] };
  const stored = itemize(value, ledger);
  shelf.takeFrom(ledger);
  assert.equal([...shelf.texts.values()].filter((body) => body === JSON.stringify(twin)).length, 1);
  same(expand(stored, shelf.lookup), value);
});

test("a value nests deeper than a limit exactly when it has more levels", () => {
  const nested = (levels: number): Json => {
    let value: Json = "leaf";
    for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value, b: 1 };
    return value;
  };
  for (const levels of [0, 1, 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1]) {
    assert.equal(nestsDeeperThan(nested(levels), MAX_DEPTH), levels > MAX_DEPTH, `${levels} levels`);
  }
  assert.equal(nestsDeeperThan(JSON.parse('{"__proto__":[[[1]]]}'), 3), true);
  assert.equal(nestsDeeperThan(nested(200_000), MAX_DEPTH), true, "no depth overflows the stack");
});

test("a state of the greatest allowed depth is escaped, stored and shown", () => {
  let value: Json = { [TAG]: ["set", []] };
  for (let i = 1; i < MAX_DEPTH - 2; i++) value = i % 2 === 0 ? [value] : { deeper: value };
  const shelf = new ItemShelf();
  const ledger = new ItemLedger(1, 1, digest);
  const stored = itemize(escapeTags(value), ledger);
  shelf.takeFrom(ledger);
  same(show(stored, shelf.lookup), value);
});

test("a log's id is an exact integer that grows with time, and a run's id is a UUIDv8 that carries its shard", () => {
  const moment = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2095, 0, 1) });
  const random = fc.uint8Array({ minLength: 8, maxLength: 16 });
  fc.assert(
    fc.property(moment, moment, random, random, (ms, laterMs, noise, runNoise) => {
      const log = logId(ms, noise);
      assert.ok(Number.isSafeInteger(log) && log >= 0);
      if (laterMs > ms) assert.ok(logId(laterMs, runNoise) > log);
      const id = runId(laterMs, log, runNoise);
      const uuid = id.replace(/^run_(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
      assert.ok(validate(uuid) && version(uuid) === 8, id);
      assert.equal(Number.parseInt(id.slice(4, 16), 16), laterMs);
      assert.equal(Number.parseInt(id.slice(17, 20), 16), routingBits(log));
      assert.equal(routingBits(log), log % 4096);
    }),
  );
});

test("any other id has its prefix and 24 hex digits, and may be chosen by a client too", () => {
  const id = prefixedId("thr", new Uint8Array(12).fill(171));
  assert.equal(id, `thr_${"ab".repeat(12)}`);
  const allowed = new RegExp(CLIENT_ID_PATTERN);
  assert.ok(allowed.test(id) && allowed.test("0190c6a0-7a3c-7cc0-a1c3-5b6a3f0c9c11"));
  for (const refused of ["", "../x", "a b", "a\n", "-a", "a".repeat(129)]) assert.ok(!allowed.test(refused));
});
