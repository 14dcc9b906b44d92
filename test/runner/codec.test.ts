import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Decoder, unescapeTags } from "../../runners/node/decode.ts";
import { EncodingError, encode } from "../../runners/node/encode.ts";
import type { Classes, MessageClass } from "../../runners/node/framework.ts";
import { importFile, resolvePackage } from "../../runners/node/load.ts";
import { ThreadMemory } from "../../runners/node/memory.ts";
import { escapeTags, itemRanges, show, TAG } from "../../src/core/encoding.ts";
import type { Json } from "../../src/core/json.ts";
import { nodeModules, VERSIONS } from "./harness.ts";

/** Through JSON text and a second process's memory, as everything stored goes. */
async function roundTrip(value: unknown, classes: Classes = { messages: {} }): Promise<unknown> {
  const memory = new ThreadMemory(1, 0);
  const text = JSON.stringify([
    encode(value, "the value", memory, "store"),
    memory.ledger.takeNew()?.bodies ?? [],
  ]);
  const [encoded, bodies] = JSON.parse(text) as [Json, Json[]];
  const decoder = new Decoder(
    classes,
    new ThreadMemory(1, bodies.length),
    bodies.map((body, number) => [1, number, body]),
  );
  return decoder.decode(encoded);
}

const key = fc.oneof(fc.string(), fc.constantFrom("__proto__", TAG, "constructor", "toString", "lc", "id"));
const leaf = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array(),
  fc.float64Array(),
  fc.webUrl().map((url) => new URL(url)),
  fc.constantFrom(/a+b/giu, new Error("plain"), new RangeError("named")),
);
const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie("value")),
    fc.array(tie("value")).map((list) => new Set(list)),
    fc.array(fc.tuple(tie("value"), tie("value"))).map((entries) => new Map(entries)),
    fc.array(fc.tuple(key, tie("value"))).map((entries) => {
      const object = {};
      for (const [name, value] of entries) {
        Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
      }
      return object;
    }),
  ),
}));

describe("values", () => {
  test("whatever JavaScript data a state holds comes back equal", async () => {
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const back = await roundTrip(value);
        if (value instanceof RangeError) assert.equal((back as Error).name, "RangeError");
        else if (!JSON.stringify(encode(value, "x")).includes("RangeError"))
          assert.deepStrictEqual(back, value);
        assert.equal(({} as { polluted?: unknown }).polluted, undefined);
      }),
      { numRuns: 300 },
    );
  });

  test("what a client sent comes back as the data it was, tags included", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const sent = JSON.parse(JSON.stringify(value)) as Json;
        assert.deepStrictEqual(unescapeTags(escapeTags(sent)), sent);
      }),
    );
    const forged = { [TAG]: ["date", "2020-01-01T00:00:00.000Z"] };
    assert.deepStrictEqual(unescapeTags(forged), forged, "a tag that slipped through is not revived");
  });

  test("a key named __proto__ is data and pollutes nothing", async () => {
    const value = JSON.parse(
      `{"__proto__": {"polluted": 1}, "${TAG}": ["items", 1, 0, 5], "constructor": {"a": 1}}`,
    );
    const back = (await roundTrip({ list: [value] })) as { list: [object] };
    assert.deepStrictEqual(back, { list: [value] });
    assert.deepEqual(Object.keys(back.list[0]), ["__proto__", TAG, "constructor"]);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  test("what has no JSON form is refused with the place where it stands", () => {
    const cycle: Record<string, unknown> = { a: [] };
    (cycle.a as unknown[]).push(cycle);
    let deep: unknown = 1;
    for (let i = 0; i < 5000; i++) deep = [deep];
    for (const [value, message] of [
      [{ a: [1, { run: () => 1 }] }, /the channel "x".* its \.a\[1\]\.run is a function/],
      [Symbol("s"), /it is a symbol/],
      [cycle, /its \.a\[0\] contains itself/],
      [[Promise.resolve()], /\[0\] is a Promise/],
      [deep, /nested more than 200 levels/],
    ] as const) {
      assert.throws(
        () => encode(value, 'the channel "x"', new ThreadMemory(1, 0), "store"),
        (error: Error) => error instanceof EncodingError && message.test(error.message),
      );
    }
  });

  test("an instance of an unknown class comes back as its data, as with LangGraph's own serializer", async () => {
    class Point {
      x = 1;
      when = new Date(0);
      method = () => 1;
    }
    assert.deepStrictEqual(await roundTrip({ p: new Point() }), { p: { x: 1, when: new Date(0) } });
  });

  test("a list of two thousand known elements is one range and takes no time", async () => {
    const memory = new ThreadMemory(1, 0);
    const list = Array.from({ length: 2000 }, (_, i) => ({ i, text: "x".repeat(400) }));
    encode(list, "x", memory, "store");
    const before = performance.now();
    const encoded = encode(list, "x", memory, "store");
    assert.deepEqual(encoded, [{ [TAG]: ["items", 1, 0, 2000] }]);
    assert.ok(performance.now() - before < 20);
  });

  test("an element that a node returned is encoded again, whatever was known of it", () => {
    const memory = new ThreadMemory(1, 0);
    const element = { text: "before" };
    encode([element], "x", memory, "store");
    element.text = "after";
    encode([element], "x", memory, "write");
    assert.deepEqual(encode([element], "x", memory, "store"), [{ [TAG]: ["items", 1, 1, 1] }]);
    assert.deepEqual(memory.ledger.takeNew()!.bodies, [{ text: "before" }, { text: "after" }]);
  });

  test("what a Python agent stored is read as plain data, and nobody is asked to rebuild it", async () => {
    const load = () => assert.fail("LangChain's loader knows nothing of Python's classes");
    const decoder = new Decoder({ messages: {}, load }, new ThreadMemory(1, 1), [[1, 0, { a: 1 }]]);
    const stored: [Json, unknown][] = [
      [{ [TAG]: ["tuple", [{ [TAG]: ["items", 1, 0, 1] }, { [TAG]: ["float", 2] }]] }, [{ a: 1 }, 2]],
      [{ [TAG]: ["constructor", ["python", "decimal", "Decimal"], "1.50"] }, "1.50"],
      [{ [TAG]: ["model", "Point", { x: 1 }, "shapes:Point", { set: ["x"] }] }, { x: 1 }],
      [{ [TAG]: ["enum", "Colour", "red", "shapes:Colour", "RED"] }, "red"],
      [{ [TAG]: ["date", "10:30:00", "time"] }, "10:30:00"],
      [{ [TAG]: ["date", "2026-01-31", "date"] }, new Date("2026-01-31")],
      [{ [TAG]: ["bytes", "YQ==", "bytearray"] }, new Uint8Array([97])],
      [{ [TAG]: ["set", [1], "frozenset"] }, new Set([1])],
    ];
    for (const [encoded, expected] of stored) assert.deepStrictEqual(await decoder.decode(encoded), expected);
  });

  test("an item never refers to items", () => {
    fc.assert(
      fc.property(anything, (value) => {
        const memory = new ThreadMemory(1, 0);
        encode([[value], value], "x", memory, "store");
        assert.equal(itemRanges(memory.ledger.takeNew()?.bodies ?? []).length, 0);
      }),
    );
  });
});

for (const version of VERSIONS) {
  const from = join(nodeModules(version), "somewhere.ts");
  const open = (name: string) => importFile(resolvePackage(name, from, "import")!, "import");
  const messages = (await open("@langchain/core/messages")) as Record<string, MessageClass>;
  const { load } = (await open("@langchain/core/load")) as { load: (text: string) => Promise<unknown> };
  const { Send, Command } = (await open("@langchain/langgraph")) as unknown as Required<Classes>;
  const { PromptTemplate } = (await open("@langchain/core/prompts")) as unknown as {
    PromptTemplate: new (fields: object) => { format(values: object): Promise<string> };
  };
  const classes: Classes = { messages, load, Send, Command };

  describe(`messages of LangGraph ${version}`, () => {
    const samples: [string, Record<string, unknown>][] = [
      ["HumanMessage", { content: "hi", id: "1" }],
      [
        "HumanMessage",
        {
          content: [
            { type: "text", text: "hi" },
            { type: "image_url", image_url: "data:" },
          ],
          name: "bob",
        },
      ],
      ["SystemMessage", { content: "be good", additional_kwargs: { a: { b: [1] } } }],
      [
        "AIMessage",
        {
          content: "",
          tool_calls: [{ id: "c", name: "f", args: { x: 1 }, type: "tool_call" }],
          invalid_tool_calls: [],
        },
      ],
      [
        "AIMessage",
        {
          content: "x",
          id: "2",
          usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
          response_metadata: { model: "m" },
        },
      ],
      [
        "AIMessageChunk",
        {
          content: "x",
          tool_call_chunks: [{ index: 0, id: "c", name: "f", args: '{"x":1}', type: "tool_call_chunk" }],
        },
      ],
      [
        "ToolMessage",
        { content: "42", tool_call_id: "c", status: "error", artifact: { big: [1] }, name: "f" },
      ],
      ["ChatMessage", { content: "x", role: "critic" }],
      ["RemoveMessage", { id: "1" }],
    ];
    for (const [name, fields] of samples) {
      test(`a ${name} comes back as one, equal: ${JSON.stringify(fields).slice(0, 60)}`, async () => {
        const Class = messages[name]!;
        const message = new Class(structuredClone(fields));
        const [back] = (await roundTrip([message], classes)) as [InstanceType<MessageClass>];
        assert.ok(back instanceof Class);
        assert.equal(Object.getPrototypeOf(back), Class.prototype);
        const json = (value: object) =>
          JSON.parse(JSON.stringify(value)) as { kwargs: Record<string, unknown> };
        const plain = (value: object) => {
          const { lc_kwargs: _kwargs, ...own } = value as Record<string, unknown>;
          return { ...own };
        };
        assert.deepStrictEqual(plain(back), plain(message));
        for (const [field, value] of Object.entries(fields)) {
          assert.deepStrictEqual((back as unknown as Record<string, unknown>)[field], value);
        }
        assert.deepEqual(json(back).kwargs.content, json(message).kwargs.content);
        const memory = new ThreadMemory(1, 0);
        assert.deepEqual(
          encode(back, "x", memory),
          encode(message, "x", memory),
          "and encodes to the same bytes",
        );
      });
    }

    test("what removes messages takes no number between theirs, so a window of a conversation is one range", () => {
      const { HumanMessage, RemoveMessage } = messages;
      const memory = new ThreadMemory(1, 0);
      const list = [0, 1, 2].map((i) => new HumanMessage!({ content: "hi ".repeat(20), id: String(i) }));
      encode(list.slice(0, 2), "x", memory, "store");
      encode([new RemoveMessage!({ id: "0" })], "x", memory, "write");
      assert.deepEqual(encode(list.slice(1), "x", memory, "store"), [{ [TAG]: ["items", 1, 1, 2] }]);
    });

    test("LangChain's other serializable objects, Send and Command come back as they were", async () => {
      const prompt = new PromptTemplate({ template: "say {word}", inputVariables: ["word"] });
      const back = (await roundTrip({ prompt, list: [prompt] }, classes)) as {
        prompt: typeof prompt;
        list: unknown[];
      };
      assert.ok(back.prompt instanceof PromptTemplate);
      assert.ok(back.list[0] instanceof PromptTemplate);
      assert.equal(await back.prompt.format({ word: "hi" }), "say hi");
      const send = new Send("node", { messages: [new messages.HumanMessage!({ content: "x", id: "1" })] });
      const sent = (await roundTrip([send], classes)) as [{ node: string; args: { messages: unknown[] } }];
      assert.ok(sent[0] instanceof Send);
      assert.ok(sent[0].args.messages[0] instanceof messages.HumanMessage!);
      const [command] = (await roundTrip([new Command({ resume: 1, goto: ["a"] })], classes)) as [
        { goto: unknown },
      ];
      assert.ok(command instanceof Command);
      assert.deepEqual(command.goto, ["a"]);
    });

    test("the server shows a message without knowing LangChain", () => {
      const message = new messages.AIMessage!({ content: "hi", id: "1" });
      const shown = show(encode([message], "x"), () => null);
      assert.deepEqual(shown, [{ type: "ai", role: "assistant", content: "hi", id: "1" }]);
    });
  });
}
