/** Every way to ask and to answer, with a real graph in both languages behind a real server: one table of cases. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { CrewshipClient } from "../src/client/client.ts";
import type { ApiError } from "../src/client/errors.ts";
import type { Event } from "../src/core/event.ts";
import type { Run, RunRequest } from "../src/core/run.ts";
import type { Interrupt } from "../src/core/thread.ts";
import { ServerProcess } from "./faults/server.ts";

/** The first run of an agent in Python may have to wait for its packages. */
const WAIT_S = 600;

type Step = Run & { events: Event[] };

/** A thread, and what the cases look at. */
class Conversation {
  readonly client: CrewshipClient;
  readonly id: string;

  constructor(client: CrewshipClient, id: string) {
    this.client = client;
    this.id = id;
  }

  /** Runs to the end, which is the status that was expected. */
  async run(request: RunRequest, status: Run["status"] = "succeeded"): Promise<Step> {
    const run = await this.client.waitForRun(this.id, request, { wait_s: WAIT_S });
    assert.equal(run.status, status, JSON.stringify(run.error));
    const events: Event[] = [];
    for await (const { type, data } of this.client.runEvents(run.id)) events.push({ type, data });
    const thread = await this.client.getThread(this.id);
    assert.equal(thread.status, status === "interrupted" ? "interrupted" : "idle");
    if (status === "interrupted") {
      assert.deepEqual(events.at(-1), { type: "run.interrupted", data: { interrupts: thread.interrupts } });
    }
    return { ...run, events };
  }

  start(way: string, more: RunRequest = {}): Promise<Step> {
    return this.run({ input: { way }, ...more }, "interrupted");
  }

  async open(): Promise<Interrupt[]> {
    return (await this.client.getThread(this.id)).interrupts ?? [];
  }

  /** The id of the question with this text. */
  async question(value: string): Promise<string> {
    const found = (await this.open()).find((question) => question.value === value);
    assert.ok(found, `${value} is not asked`);
    return found.id;
  }

  async asked(): Promise<string[]> {
    return (await this.open()).map(({ value }) => String(value)).sort();
  }

  async log(): Promise<string[]> {
    return ((await this.client.getThread(this.id)).values?.log ?? []) as string[];
  }

  async head(): Promise<string> {
    return (await this.client.getState(this.id)).checkpoint_id!;
  }

  async refused(request: RunRequest, status: number): Promise<ApiError> {
    const before = await this.client.getThread(this.id);
    const error = await this.client.createRun(this.id, request).then(
      () => assert.fail("it was accepted"),
      (error: ApiError) => error,
    );
    assert.equal(error.status, status, error.message);
    assert.deepEqual(await this.client.getThread(this.id), before);
    return error;
  }
}

/** The nodes that were called, as they said by printing. */
function called({ events }: Step): string[] {
  const lines = events
    .filter(({ type }) => type === "log")
    .map(({ data }) => String((data as { message: string }).message));
  return lines.map((line) => line.replace(" called", "")).sort();
}

const cases: [name: string, (thread: Conversation) => Promise<void>][] = [
  [
    "two questions at once are answered by id, both in one run",
    async (thread) => {
      await thread.start("pair");
      assert.deepEqual(await thread.asked(), ["left?", "right?"]);
      const resume = { [await thread.question("left?")]: "L", [await thread.question("right?")]: "R" };
      const run = await thread.run({ command: { resume } });
      assert.deepEqual((await thread.log()).sort(), ["fine", "left L", "right R"]);
      assert.deepEqual(called(run), ["left", "right"], "what was finished is not done again");
    },
  ],
  [
    "of two questions one is answered: the other is asked again, and what was answered is not done again",
    async (thread) => {
      await thread.start("pair");
      const several = await thread.refused({ command: { resume: "which?" } }, 409);
      assert.match(several.message, /waits for 2 answers/);
      const left = await thread.question("left?");
      await thread.run({ command: { resume: { [left]: "L" } } }, "interrupted");
      assert.deepEqual(await thread.asked(), ["right?"]);
      const answered = await thread.refused({ command: { resume: { [left]: "again" } } }, 409);
      assert.deepEqual(answered.details?.interrupts, await thread.open());
      const run = await thread.run({ command: { resume: "R" } });
      assert.deepEqual((await thread.log()).sort(), ["fine", "left L", "right R"]);
      assert.deepEqual(called(run), ["right"]);
    },
  ],
  [
    "a question inside a subgraph is the run's, and its answer goes on inside",
    async (thread) => {
      await thread.start("outer");
      assert.deepEqual(await thread.asked(), ["inside?"]);
      const run = await thread.run({ command: { resume: "I" } });
      assert.deepEqual(await thread.log(), ["told I"]);
      assert.deepEqual(called(run), ["inside"], "the subgraph's finished node is not called again");
    },
  ],
  [
    "two questions of one node are asked one after the other, and each gets its own answer",
    async (thread) => {
      await thread.start("twice");
      assert.deepEqual(await thread.asked(), ["first?"]);
      await thread.run({ command: { resume: "1" } }, "interrupted");
      assert.deepEqual(await thread.asked(), ["second?"]);
      await thread.run({ command: { resume: { [await thread.question("second?")]: "2" } } });
      assert.deepEqual(await thread.log(), ["twice 1 2"]);
    },
  ],
  [
    "an update changes the state, and a goto goes to its node",
    async (thread) => {
      await thread.run({ input: { way: "a" } });
      await thread.run({ command: { update: { log: ["updated"] } } });
      assert.deepEqual(await thread.log(), ["a", "b", "c", "updated"]);
      await thread.run({ command: { goto: "c" } });
      assert.deepEqual(await thread.log(), ["a", "b", "c", "updated", "c"]);
      await thread.run({ command: { update: { log: ["and"] }, goto: [{ node: "b", input: {} }] } });
      assert.deepEqual(await thread.log(), ["a", "b", "c", "updated", "c", "and", "b", "c"]);
    },
  ],
  [
    "an answer and an update in one command both count",
    async (thread) => {
      await thread.start("outer");
      await thread.run({ command: { resume: "I", update: { log: ["noted"] } } });
      assert.deepEqual(await thread.log(), ["noted", "told I"]);
    },
  ],
  [
    "breakpoints before and after nodes stop the run, and a run without input goes on",
    async (thread) => {
      for (const [where, stops] of [
        [{ interrupt_before: ["b"] }, [["a"]]],
        [{ interrupt_after: ["b"] }, [["a", "b"]]],
        [{ interrupt_before: "*" }, [[], ["a"], ["a", "b"]]],
        [{ interrupt_after: "*" }, [["a"], ["a", "b"]]],
      ] as const) {
        const kept = await thread.log();
        const more = where as RunRequest;
        for (const [i, stop] of stops.entries()) {
          await thread.run({ input: i === 0 ? { way: "a" } : null, ...more }, "interrupted");
          assert.deepEqual(await thread.log(), [...kept, ...stop], JSON.stringify([where, i]));
          assert.deepEqual(await thread.open(), [], "a breakpoint asks nothing");
          const refused = await thread.refused({ command: { resume: "yes" } }, 409);
          assert.match(refused.message, /waits for no answer/);
        }
        await thread.run({ input: null });
        assert.deepEqual(await thread.log(), [...kept, "a", "b", "c"]);
      }
    },
  ],
  [
    "what cannot be answered or gone to is refused, and nothing changes",
    async (thread) => {
      const unasked = await thread.refused({ command: { resume: "yes" } }, 409);
      assert.equal(unasked.code, "interrupt_not_waiting");
      assert.deepEqual(unasked.details?.interrupts, []);
      assert.match(
        (await thread.refused({ command: { goto: "nowhere" } }, 400)).message,
        /no node "nowhere"/,
      );
      await thread.start("twice");
      const unknown = await thread.refused({ command: { resume: { ["0".repeat(32)]: "yes" } } }, 409);
      assert.deepEqual(unknown.details?.interrupts, await thread.open());
      assert.match(
        (await thread.refused({ command: { goto: "nowhere" } }, 400)).message,
        /no node "nowhere"/,
      );
      await thread.refused({ input: {}, command: { resume: "yes" } }, 400);
    },
  ],
  [
    "a new input leaves the question behind",
    async (thread) => {
      await thread.start("twice");
      await thread.run({ input: { way: "a" } });
      assert.deepEqual(await thread.log(), ["a", "b", "c"]);
      await thread.refused({ command: { resume: "late" } }, 409);
    },
  ],
  [
    "an earlier question is answered otherwise: the new answer counts, and the old branch stays",
    async (thread) => {
      await thread.start("outer");
      const asked = await thread.head();
      await thread.run({ command: { resume: "old" } });
      const old = await thread.head();
      await thread.run({ checkpoint_id: asked, command: { resume: "new" } });
      assert.deepEqual(await thread.log(), ["told new"]);
      await thread.run({ checkpoint_id: asked, command: { resume: "newer" } });
      assert.deepEqual(await thread.log(), ["told newer"]);
      const { values } = await thread.client.getState(thread.id, { checkpoint_id: old });
      assert.deepEqual(values?.log, ["told old"]);
    },
  ],
  [
    "of two earlier questions of one node the last is answered otherwise, and may lead to another",
    async (thread) => {
      await thread.start("twice");
      const asked = await thread.head();
      await thread.run({ command: { resume: "1" } }, "interrupted");
      await thread.run({ command: { resume: "2" } });
      await thread.run({ checkpoint_id: asked, command: { resume: "more" } }, "interrupted");
      assert.deepEqual(await thread.asked(), ["third?"]);
      await thread.run({ command: { resume: "3" } });
      assert.deepEqual(await thread.log(), ["twice 1 more 3"]);
      await thread.run({ checkpoint_id: asked, command: { resume: "4" } });
      assert.deepEqual(await thread.log(), ["twice 1 more 4"]);
    },
  ],
  [
    "of two earlier questions at once both, or one after the other, are answered otherwise",
    async (thread) => {
      await thread.start("pair");
      const asked = await thread.head();
      const [left, right] = [await thread.question("left?"), await thread.question("right?")];
      await thread.run({ command: { resume: { [left]: "1" } } }, "interrupted");
      await thread.run({ checkpoint_id: asked, command: { resume: "2" } });
      assert.deepEqual((await thread.log()).sort(), ["fine", "left 1", "right 2"]);
      await thread.run({ checkpoint_id: asked, command: { resume: { [left]: "3", [right]: "4" } } });
      assert.deepEqual((await thread.log()).sort(), ["fine", "left 3", "right 4"]);
      await thread.run({ checkpoint_id: asked, command: { resume: { [left]: "5" } } }, "interrupted");
      assert.deepEqual(await thread.asked(), ["right?"]);
      await thread.run({ command: { resume: "6" } });
      assert.deepEqual((await thread.log()).sort(), ["fine", "left 5", "right 6"]);
    },
  ],
];

const killed: [
  name: string,
  (thread: Conversation, kill: (request: RunRequest) => Promise<Run>) => Promise<void>,
][] = [
  [
    "the other answer to an earlier question counts, once, also after a crash in the middle of it",
    async (thread, kill) => {
      await thread.start("outer");
      const inside = await thread.head();
      await thread.run({ command: { resume: "old" } });
      const again = { checkpoint_id: inside, command: { resume: { say: "new", hold_once: "inside" } } };
      assert.equal((await kill(again)).status, "succeeded");
      assert.deepEqual(await thread.log(), ["told new"]);

      await thread.start("twice");
      const second = await thread.head();
      await thread.run({ command: { resume: "1" } }, "interrupted");
      await thread.run({ command: { resume: "2" } });
      const more = { checkpoint_id: second, command: { resume: { say: "more", hold_once: "twice" } } };
      assert.equal((await kill(more)).status, "interrupted");
      assert.deepEqual(await thread.asked(), ["third?"]);
      await thread.run({ command: { resume: "3" } });
      assert.deepEqual(await thread.log(), ["told new", "twice 1 more 3"]);
    },
  ],
  [
    "an answer and an update in one command both count once, also after a crash in the middle of it",
    async (thread, kill) => {
      await thread.start("outer");
      const resume = { say: "late", hold_once: "update" };
      assert.equal((await kill({ command: { resume, update: { log: ["noted"] } } })).status, "succeeded");
      assert.deepEqual(await thread.log(), ["noted", "told late"]);
    },
  ],
];

for (const [language, project, name] of [
  ["LangGraph.js", "questions-js", "graph"],
  ["LangGraph in Python", "questions-python", "graph"],
  ["LangGraph.js and a channel of deltas", "questions-js", "folded"],
  ["LangGraph in Python and a channel of deltas", "questions-python", "folded"],
] as const) {
  describe(`with ${language}`, () => {
    let server: ServerProcess;
    before(async () => {
      server = await ServerProcess.start({ project: `test/projects/${project}`, name });
    });
    after(() => server.remove());
    for (const [title, check] of cases) {
      it(title, async () => {
        const client = server.client();
        const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
        await check(new Conversation(client, thread_id));
      });
    }
    for (const [title, check] of killed) {
      it(title, async () => {
        const client = server.client();
        const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
        await check(new Conversation(client, thread_id), async (request) => {
          const { resume } = request.command as { resume: { say: string; hold_once: string } };
          const hold_once = join(server.folder, resume.hold_once);
          const command = { ...request.command, resume: { ...resume, hold_once } };
          const { run_id } = await client.createRun(thread_id, { ...request, command });
          for await (const { type, data } of client.runEvents(run_id)) {
            if (type === "log" && (data as { message: string }).message === "holding") break;
          }
          await server.kill();
          await server.start();
          for await (const _ of client.runEvents(run_id));
          const run = await client.getRun(run_id);
          assert.equal(run.attempt, 2, JSON.stringify(run.error));
          return run;
        });
      });
    }
  });
}
