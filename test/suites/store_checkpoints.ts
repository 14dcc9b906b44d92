/** Checkpoints and pending writes: found by id, by namespace and by run, in the order the framework counts on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { escapeTags } from "../../src/core/encoding.ts";
import type { Json, JsonObject } from "../../src/core/json.ts";
import { copyThread } from "../../src/engine/copy_thread.ts";
import { appendEntries } from "../../src/store/append.ts";
import {
  channelValues,
  findCheckpoint,
  lastPositionsByRun,
  listCheckpointsById,
  readHead,
  selectCheckpoints,
} from "../../src/store/checkpoints.ts";
import { RunInput } from "../../src/store/inputs.ts";
import { dropPositions, openView } from "../../src/store/logs.ts";
import { openQuestions } from "../../src/store/questions.ts";
import { advance } from "../../src/store/runs.ts";
import { sql } from "../../src/store/sql.ts";
import { showCheckpoints, showState } from "../../src/store/states.ts";
import { findThread } from "../../src/store/threads.ts";
import { pendingWrites } from "../../src/store/writes.ts";
import { anyObject } from "./json_values.ts";
import { type Open, plain, type Store, withStore } from "./store_fixture.ts";

const visible = (values: JsonObject) => ({ keys: Object.keys(values), next: [], tasks: [] });

function write(
  store: Store,
  log_id: number,
  checkpoint_id: string,
  task_id: string,
  writes: [number, string, Json][],
  options: { task_path?: string; run_id?: string; namespace?: string } = {},
): Promise<void> {
  const { run_id = null, ...rest } = options;
  const about = { namespace: "", task_path: "", ...rest, checkpoint_id, task_id, writes };
  return store.database.transaction(async (tx) =>
    appendEntries(tx, await openView(tx, log_id), [{ type: "writes", ...about }], {
      run_number: await store.numberOf(tx, log_id, run_id),
    }),
  );
}

async function valuesOf(store: Store, log_id: number, checkpoint_id: string, namespace = "") {
  const view = await openView(store.database, log_id);
  const row = (await findCheckpoint(store.database, view, namespace, checkpoint_id))!;
  return (await showCheckpoints(store.database, view, "thr", [row]))[0]!.values;
}

export function checkpointsSuite(name: string, open: Open): void {
  test(`${name}: a checkpoint shows exactly the values it was given, whatever their names and contents`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      await fc.assert(
        fc.asyncProperty(anyObject, async (values) => {
          const id = await store.put(log_id, values, { shown: visible(values) });
          assert.equal(JSON.stringify(await valuesOf(store, log_id, id)), JSON.stringify(values));
        }),
        { numRuns: 60 },
      );
    }));

  test(`${name}: a key of a tag's name or with half a surrogate pair is a key like any other`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const values = JSON.parse(
        '{"$crewship":["set",[1]],"\\ud800":"high","\\udfff":"low","\\u0000":"nul","__proto__":{"a":1},"":"none"}',
      ) as JsonObject;
      const id = await store.put(log_id, values, { shown: visible(values) });
      assert.equal(JSON.stringify(await valuesOf(store, log_id, id)), JSON.stringify(values));
      assert.deepEqual(
        await valuesOf(store, log_id, await store.put(log_id, {}, { shown: visible({ constructor: 1 }) })),
        {},
        "a key without a value is not taken from an object's prototype",
      );
    }));

  test(`${name}: a checkpoint's metadata comes back exactly as it was given, also where the row says the same`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const view = await openView(store.database, log_id);
      const all: Json[] = [
        { step: 3, source: "loop", parents: { "": "x" } },
        { source: "loop", step: 4 },
        { step: 3, source: null },
        { step: { a: 1 }, source: "loop" },
        escapeTags({ step: { $crewship: [] }, source: { $crewship: [] } }),
        {},
        null,
      ];
      for (const metadata of all) {
        // Only where a shape is known is it shared: twice.
        for (let i = 0; i < 2; i++) {
          const id = await store.put(log_id, {}, { metadata, step: 3, source: "loop" });
          const row = await findCheckpoint(store.database, view, "", id);
          assert.deepEqual(row!.metadata, metadata);
        }
      }
    }));

  test(`${name}: what a run was given is stored once, and read where its checkpoint and writes repeat it, also in a copy`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread();
      const text = "a question of some length, which nobody wants to have stored three times ".repeat(4);
      const like = { $crewship: ["input", 1, "messages"] };
      const input = { messages: [{ type: "human", content: text }], like, note: "short" };
      const run = await store.running(thread, { input: escapeTags(input) });
      const given = new RunInput(run.run_number, escapeTags(input));
      const { log_id } = thread;
      const made = { ...plain, checkpoint_id: "first" };
      const channels = { __start__: escapeTags(input), like: escapeTags(like), note: "short" };
      const writes: [number, string, Json][] = [
        [0, "messages", input.messages],
        [1, "like", escapeTags(like)],
        [2, "note", "short"],
      ];
      const about = {
        namespace: "",
        checkpoint_id: "first",
        task_id: "t",
        task_path: "",
      };
      await store.database.transaction(async (tx) =>
        appendEntries(
          tx,
          await openView(tx, log_id),
          [
            { type: "checkpoint", ...made, channels },
            { type: "writes", ...about, writes },
          ],
          { run_number: run.run_number, input: given },
        ),
      );
      const stored = await store.database.query<{ text: string }>(sql`
        select value as text from channel_values union all select writes as text from pending_writes`);
      assert.equal(stored.filter(({ text: row }) => row.includes("a question")).length, 0);
      const copy = await copyThread(store.node, thread, {}, undefined);
      const { log_id: copied } = (await findThread(store.database, copy.thread_id))!;
      await store.database.transaction((tx) =>
        advance(tx, "succeed", run, { lease: run.lease, ending: { data: () => ({}) } }),
      );
      for (const one of [log_id, copied]) {
        const view = await openView(store.database, one);
        const row = (await findCheckpoint(store.database, view, "", "first"))!;
        const valueAt = await channelValues(store.database, view, [row]);
        for (const [channel, value] of Object.entries(channels))
          assert.deepEqual(valueAt(row.channels[channel]!, channel), value);
        const read = await pendingWrites(store.database, view, "", "first");
        assert.deepEqual(
          read.map(({ idx, channel, value }) => [idx, channel, value]),
          writes,
        );
      }
    }));

  test(`${name}: a checkpoint keeps the channels its parent had, without the removed ones, also in a fork`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const one = await store.put(log_id, { a: 1, b: [1], c: "gone" });
      const two = await store.put(
        log_id,
        { b: [2] },
        { parent_checkpoint_id: one, removed: ["c", "unknown"] },
      );
      const fork = await store.put(log_id, { a: 9 }, { parent_checkpoint_id: one });
      assert.deepEqual(await valuesOf(store, log_id, two), { a: 1, b: [2] });
      assert.deepEqual(await valuesOf(store, log_id, fork), { a: 9, b: [1], c: "gone" });
      assert.deepEqual(await valuesOf(store, log_id, one), { a: 1, b: [1], c: "gone" });
      const { head } = await readHead(store.database, log_id);
      assert.equal(head?.checkpoint_id, fork);
    }));

  test(`${name}: the head is the root checkpoint committed last, never the greatest id, nor one of a subgraph`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      await store.put(log_id, {}, { checkpoint_id: "zzz" });
      await store.put(log_id, {}, { checkpoint_id: "aaa" });
      await store.put(log_id, {}, { checkpoint_id: "mmm", namespace: "child:1" });
      const { view, head } = await readHead(store.database, log_id);
      assert.equal(head?.checkpoint_id, "aaa");
      const newest = async (namespace: string) =>
        (await findCheckpoint(store.database, view, namespace))?.checkpoint_id;
      assert.equal(await newest(""), "aaa");
      assert.equal(await newest("child:1"), "mmm");
      assert.equal(await newest("child:2"), undefined);
    }));

  test(`${name}: checkpoints are found by id in their namespace, and listed by id across namespaces`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const ids: string[] = [];
      for (const [i, namespace] of ["", "sub:1", "", "sub:2", "sub:1", ""].entries()) {
        ids.push(await store.put(log_id, { i }, { namespace, checkpoint_id: `id_${[3, 1, 5, 2, 4, 0][i]}` }));
      }
      const view = await openView(store.database, log_id);
      const found = await findCheckpoint(store.database, view, "sub:1", "id_1");
      assert.equal(found?.namespace, "sub:1");
      assert.equal(await findCheckpoint(store.database, view, "", "id_1"), undefined);
      const list = async (options: Parameters<typeof listCheckpointsById>[2]) =>
        (await listCheckpointsById(store.database, view, options)).map((row) => row.checkpoint_id);
      assert.deepEqual(await list({}), ["id_5", "id_4", "id_3", "id_2", "id_1", "id_0"]);
      assert.deepEqual(await list({ before: "id_4", limit: 2 }), ["id_3", "id_2"]);
      assert.deepEqual(await list({ namespace: "sub:1" }), ["id_4", "id_1"]);
      assert.deepEqual(await list({ namespace: "", before: "id_5", limit: 1 }), ["id_3"]);
      assert.deepEqual(await list({ checkpoint_id: "id_2" }), ["id_2"]);
      assert.deepEqual(await list({ limit: 0 }), []);
      const committed = await selectCheckpoints(store.database, view, { limit: 100 });
      assert.deepEqual(
        committed.map((row) => row.checkpoint_id),
        ids.toReversed(),
        "a history is in the order of the commits",
      );
      const page = await selectCheckpoints(store.database, view, {
        namespace: "",
        below: committed[0]!.position,
        limit: 1,
      });
      assert.deepEqual(
        page.map((row) => row.checkpoint_id),
        ["id_5"],
      );
    }));

  test(`${name}: the same id committed again, as a repeated attempt does, counts as its newest`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      await store.put(log_id, { n: 1 }, { checkpoint_id: "same" });
      await store.put(log_id, { n: 2 }, { checkpoint_id: "same" });
      assert.deepEqual(await valuesOf(store, log_id, "same"), { n: 2 });
      const view = await openView(store.database, log_id);
      assert.equal((await listCheckpointsById(store.database, view, {})).length, 1);
    }));

  test(`${name}: a history by run is each run's last checkpoint, and its pages join without a seam`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const last: string[] = [];
      for (let run = 1; run <= 7; run++) {
        const run_id = run % 4 === 0 ? null : `run_${run}`;
        for (let step = 1; step <= 3; step++) {
          const id = await store.put(log_id, { run, step }, { run_id });
          await store.put(log_id, {}, { run_id, namespace: "sub:1" });
          // Every update by hand stands for itself.
          if (step === 3 || run_id === null) last.unshift(id);
        }
      }
      const view = await openView(store.database, log_id);
      const rows = await selectCheckpoints(store.database, view, { limit: 1000 });
      const idAt = new Map(rows.map((row) => [row.position, row.checkpoint_id]));
      for (const limit of [1, 2, 3, 100]) {
        const read: string[] = [];
        let below = Number.MAX_SAFE_INTEGER;
        for (;;) {
          const page = await lastPositionsByRun(store.database, view, { below, limit });
          if (page.length === 0) break;
          read.push(...page.map((position) => idAt.get(position)!));
          below = page.at(-1)!;
        }
        assert.deepEqual(read, last, `pages of ${limit}`);
      }
      const [only] = await lastPositionsByRun(store.database, view, {
        below: Number.MAX_SAFE_INTEGER,
        limit: 5,
        run_id: "run_3",
      });
      assert.equal(idAt.get(only!), last.at(-3));
    }));

  test(`${name}: pending writes come back by task path, task and index; the first counts, of special ones the newest`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const id = await store.put(log_id, {});
      const other = await store.put(log_id, {});
      await write(store, log_id, id, "b", [[1, "y", 1]], { task_path: "~2" });
      await write(
        store,
        log_id,
        id,
        "b",
        [
          [0, "x", 2],
          [1, "y", "ignored"],
        ],
        { task_path: "~2" },
      );
      await write(store, log_id, id, "a", [[0, "x", 3]], { task_path: "~2" });
      await write(store, log_id, id, "z", [[0, "x", 4]], { task_path: "~10", run_id: "run_1" });
      await write(store, log_id, id, "a", [[-1, "__error__", "old"]], { task_path: "~2" });
      await write(store, log_id, id, "a", [[-1, "__error__", "new"]], { task_path: "~2" });
      await write(store, log_id, other, "a", [[0, "x", "of another"]]);
      await write(store, log_id, id, "a", [[0, "x", "of a subgraph"]], { namespace: "sub:1" });
      const view = await openView(store.database, log_id);
      const read = await pendingWrites(store.database, view, "", id);
      assert.deepEqual(
        read.map(({ task_id, idx, value, run_id }) => [task_id, idx, value, run_id]),
        [
          ["z", 0, 4, "run_1"],
          ["a", -1, "new", null],
          ["a", 0, 3, null],
          ["b", 0, 2, null],
          ["b", 1, 1, null],
        ],
      );
    }));

  test(`${name}: paths of tasks are in the order of their code points, as Python compares them`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const id = await store.put(log_id, {});
      // In UTF-16 the astral character would come before the one at U+FFxx.
      const paths = ["a", "\uff5e", "😀", "B", "aa"];
      for (const task_path of paths)
        await write(store, log_id, id, `task ${task_path}`, [[0, "x", 1]], { task_path });
      const view = await openView(store.database, log_id);
      const read = await pendingWrites(store.database, view, "", id);
      assert.deepEqual(
        read.map(({ task_path }) => task_path),
        ["B", "a", "aa", "\uff5e", "😀"],
      );
    }));

  test(`${name}: writes may come before their checkpoint, and a drop hides both`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      await write(store, log_id, "early", "t", [[0, "x", 1]]);
      await store.put(log_id, {}, { checkpoint_id: "early" });
      const read = async () =>
        pendingWrites(store.database, await openView(store.database, log_id), "", "early");
      assert.equal((await read()).length, 1);
      await store.database.transaction((tx) => dropPositions(tx, log_id, [{ from: 1, to: 2 }]));
      assert.equal((await read()).length, 0);
      assert.equal((await readHead(store.database, log_id)).head, undefined);
    }));

  test(`${name}: a question is open until its task has written something else, and a state shows it at its task`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const tasks = [
        { id: "t1", name: "review" },
        { id: "t2", name: "publish" },
      ];
      const shown = { keys: [], next: ["review", "publish"], tasks };
      const id = await store.put(log_id, {}, { shown });
      await write(store, log_id, id, "t1", [[-3, "__interrupt__", [{ id: "q1", value: "sure?" }]]]);
      await write(store, log_id, id, "t2", [[-3, "__interrupt__", [{ value: { deep: [1] } }]]]);
      await write(store, log_id, id, "t2", [[-1, "__error__", { $crewship: ["error", "Error", "boom"] }]]);
      assert.deepEqual(await openQuestions(store.database, log_id), [
        { id: "q1", value: "sure?", task: "review" },
        { id: "t2", value: { deep: [1] }, task: "publish" },
      ]);
      const { view, head } = await readHead(store.database, log_id);
      const state = await showState(store.database, view, "thr_1", head!);
      assert.deepEqual(state.tasks, [
        { id: "t1", name: "review", interrupts: [{ id: "q1", value: "sure?", task: "review" }] },
        {
          id: "t2",
          name: "publish",
          interrupts: [{ id: "t2", value: { deep: [1] }, task: "publish" }],
          error: { name: "Error", message: "boom" },
        },
      ]);
      await write(store, log_id, id, "t1", [[0, "messages", "answered"]]);
      assert.deepEqual(
        (await openQuestions(store.database, log_id)).map((question) => question.id),
        ["t2"],
      );
      assert.equal(state.thread_id, "thr_1");
    }));
}
