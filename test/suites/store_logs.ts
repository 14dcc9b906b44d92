/** Logs: a copy is a second name for a position, a drop hides, and neither disturbs anyone else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copyThread } from "../../src/engine/copy_thread.ts";
import { deleteThread } from "../../src/engine/delete_thread.ts";
import { keepLatest } from "../../src/engine/prune.ts";
import { keepHouse } from "../../src/engine/sweep.ts";
import { appendEntries } from "../../src/store/append.ts";
import { readHead, selectCheckpoints } from "../../src/store/checkpoints.ts";
import { mergeItems } from "../../src/store/items.ts";
import { abandonLog, dropPositions, openView, readLog } from "../../src/store/logs.ts";
import { positionsOfRun } from "../../src/store/ranges.ts";
import { advance } from "../../src/store/runs.ts";
import { sql } from "../../src/store/sql.ts";
import { showCheckpoints } from "../../src/store/states.ts";
import { sweepAbandonedLog, sweepDrop, sweepItems } from "../../src/store/sweep.ts";
import { deleteThreadRow, findThread, showThread, type ThreadRow } from "../../src/store/threads.ts";
import { pendingWrites } from "../../src/store/writes.ts";
import { countedDatabase, type Open, type Store, withStore } from "./store_fixture.ts";

async function copy(store: Store, thread: ThreadRow, checkpoint_id?: string): Promise<ThreadRow> {
  const order = checkpoint_id === undefined ? {} : { checkpoint_id };
  const { thread_id } = await copyThread(store.node, thread, order, undefined);
  return (await findThread(store.database, thread_id))!;
}

async function history(store: Store, { log_id }: ThreadRow, namespace?: string): Promise<string[]> {
  const view = await openView(store.database, log_id);
  const rows = await selectCheckpoints(store.database, view, { namespace, limit: 10_000 });
  return rows.map((row) => row.checkpoint_id).reverse();
}

async function values(store: Store, thread: ThreadRow) {
  return (await showThread(store.database, thread)).values;
}

async function parentOf(store: Store, { log_id }: ThreadRow): Promise<number | null> {
  const [row] = await store.database.query<{ parent_log_id: number | null }>(
    sql`select parent_log_id from logs where log_id = ${log_id}`,
  );
  return row!.parent_log_id;
}

function write(store: Store, thread: ThreadRow, checkpoint_id: string, run_id: string | null): Promise<void> {
  const writes: [number, string, string][] = [[0, "messages", "pending"]];
  return store.database.transaction(async (tx) =>
    appendEntries(
      tx,
      await openView(tx, thread.log_id),
      [
        {
          type: "writes",
          namespace: "",
          checkpoint_id,
          task_id: `by ${run_id}`,
          task_path: "",
          writes,
        },
      ],
      { run_number: await store.numberOf(tx, thread.log_id, run_id) },
    ),
  );
}

const remove = (store: Store, thread: ThreadRow) => deleteThread(store.node, thread);
const sweepAll = (store: Store) => keepHouse(store.node, -1);

export function logsSuite(name: string, open: Open): void {
  test(`${name}: a copy costs the same for three checkpoints as for three hundred, in questions, rows and disk`, () =>
    withStore(open, async (store) => {
      const costs: unknown[] = [];
      for (const length of [3, 300]) {
        const thread = await store.thread();
        const messages: string[] = [];
        for (let n = 0; n < length; n++) {
          messages.push(`message ${n} is long enough to be stored as an item`);
          await store.put(
            thread.log_id,
            { messages, last: "the same" },
            { shown: { keys: ["last"], next: [], tasks: [] } },
          );
        }
        const before = await store.rows();
        const { database, queries, rows } = countedDatabase(store.database);
        await copyThread({ ...store.node, database }, thread, {}, undefined);
        const after = await store.rows();
        const grown = Object.entries(after).map(([table, count]) => [table, count - before[table]!]);
        costs.push({ queries: queries(), rows: rows(), grown: grown.filter(([, count]) => count !== 0) });
      }
      assert.deepEqual(costs[1], costs[0]);
      assert.deepEqual((costs[0] as { grown: unknown }).grown, [
        ["logs", 1],
        ["threads", 1],
      ]);
    }));

  test(`${name}: a copy sees what stood at its branch and nothing after, and neither side sees the other's turns`, () =>
    withStore(open, async (store) => {
      const source = await store.thread({ metadata: { owner: "ann" }, values: { greeting: "hello" } });
      const empty = await copy(store, source);
      assert.deepEqual(await values(store, empty), { greeting: "hello" });
      const one = await store.put(source.log_id, { messages: ["one message that is long enough"] });
      const copied = await copy(store, source);
      const two = await store.put(source.log_id, { messages: ["two"] }, { parent_checkpoint_id: one });
      const mine = await store.put(
        copied.log_id,
        { messages: ["mine"], more: 1 },
        { parent_checkpoint_id: one },
      );
      assert.deepEqual(await history(store, source), [one, two]);
      assert.deepEqual(await history(store, copied), [one, mine]);
      assert.deepEqual(await history(store, empty), []);
      assert.deepEqual(await values(store, source), { messages: ["two"] });
      assert.deepEqual(await values(store, copied), { messages: ["mine"], more: 1 });
      assert.deepEqual(await values(store, empty), { greeting: "hello" });
      const shown = await showThread(store.database, copied);
      assert.equal(shown.copied_from, source.thread_id);
      assert.deepEqual(shown.metadata, { owner: "ann" });
      const view = await openView(store.database, copied.log_id);
      const rows = await selectCheckpoints(store.database, view, { limit: 10 });
      for (const { thread_id } of await showCheckpoints(store.database, view, copied.thread_id, rows)) {
        assert.equal(thread_id, copied.thread_id, "a checkpoint carries the id of the thread it is read in");
      }
    }));

  test(`${name}: a copy of a copy that wrote nothing names its grandparent, however long the chain`, () =>
    withStore(open, async (store) => {
      const source = await store.thread();
      await store.put(source.log_id, { a: 1 });
      let last = source;
      for (let i = 0; i < 20; i++) last = await copy(store, last);
      assert.equal(await parentOf(store, last), source.log_id);
      const two = await store.put(last.log_id, { a: 2 });
      const child = await copy(store, last);
      assert.equal(await parentOf(store, child), last.log_id);
      const older = await copy(store, child, (await history(store, child))[0]!);
      assert.equal(await parentOf(store, older), source.log_id);
      assert.deepEqual(await values(store, older), { a: 1 });
      assert.deepEqual((await history(store, child)).at(-1), two);
    }));

  for (const first of ["the source", "the copy"] as const) {
    test(`${name}: deleting ${first} first leaves the other whole, and after both nothing is left`, () =>
      withStore(open, async (store) => {
        const source = await store.thread();
        const one = await store.put(source.log_id, { messages: ["a message of the source, to be kept"] });
        await store.put(source.log_id, { messages: ["and what came after it, for itself"] });
        const copied = await copy(store, source, one);
        const grandchild = await copy(store, copied);
        await store.put(
          copied.log_id,
          { messages: ["the copy's own words, long enough"] },
          { parent_checkpoint_id: one },
        );
        const kept = first === "the source" ? copied : source;
        const before = [await values(store, kept), await history(store, kept)];
        await remove(store, first === "the source" ? source : copied);
        await sweepAll(store);
        assert.deepEqual([await values(store, kept), await history(store, kept)], before);
        assert.deepEqual(await values(store, grandchild), {
          messages: ["a message of the source, to be kept"],
        });
        await remove(store, kept);
        await sweepAll(store);
        assert.deepEqual(await history(store, grandchild), [one]);
        await remove(store, grandchild);
        await sweepAll(store);
        const rows = await store.rows();
        assert.deepEqual(
          Object.entries(rows).filter(([, count]) => count > 0),
          [],
        );
      }));
  }

  test(`${name}: a drop hides what it names from later readers, not from a copy that branched inside, also after a sweep`, () =>
    withStore(open, async (store) => {
      const source = await store.thread();
      const run_id = "run_1";
      const before = await store.put(source.log_id, { n: [0, "before the run, and long enough"] });
      const inside = await store.put(
        source.log_id,
        { n: [1, "inside the run, and long enough"] },
        { run_id },
      );
      const copied = await copy(store, source);
      const last = await store.put(source.log_id, { n: [2, "the run's last, and long enough"] }, { run_id });
      await store.database.transaction(async (tx) =>
        dropPositions(tx, source.log_id, [(await positionsOfRun(tx, source.log_id, run_id))!]),
      );
      const later = await copy(store, source);
      for (const swept of [false, true]) {
        if (swept) await sweepAll(store);
        assert.deepEqual(await history(store, source), [before]);
        assert.deepEqual(await values(store, source), { n: [0, "before the run, and long enough"] });
        assert.deepEqual(await history(store, copied), [before, inside]);
        assert.deepEqual(await values(store, copied), { n: [1, "inside the run, and long enough"] });
        assert.deepEqual(await values(store, later), { n: [0, "before the run, and long enough"] });
      }
      assert.ok(!(await history(store, copied)).includes(last));
      const after = await store.put(source.log_id, { n: [3] }, { parent_checkpoint_id: before });
      assert.deepEqual(await history(store, source), [before, after]);
    }));

  test(`${name}: after a rollback the head is the newest root checkpoint still shown, or none`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const rollBack = (run_id: string) =>
        store.database.transaction(async (tx) =>
          dropPositions(tx, log_id, [(await positionsOfRun(tx, log_id, run_id))!]),
        );
      const head = async () => (await readHead(store.database, log_id)).head?.checkpoint_id;
      const one = await store.put(log_id, {}, { run_id: "run_1" });
      await store.put(log_id, {}, { run_id: "run_1", namespace: "sub:1" });
      await store.put(log_id, {}, { run_id: "run_2" });
      await store.put(log_id, {}, { run_id: "run_2" });
      await rollBack("run_2");
      assert.equal(await head(), one);
      await rollBack("run_1");
      assert.equal(await head(), undefined);
      assert.equal(await positionsOfRun(store.database, log_id, "run_9"), undefined);
      const three = await store.put(log_id, {}, { run_id: "run_3" });
      assert.equal(await head(), three);
    }));

  test(`${name}: a copy of one checkpoint has the writes its own run left on it, its subgraphs' states, and no later one`, () =>
    withStore(open, async (store) => {
      const source = await store.thread();
      const run_id = "run_1";
      const chosen = await store.put(source.log_id, { n: 1 }, { run_id });
      const child = await store.put(source.log_id, { deep: 1 }, { run_id, namespace: "child:1" });
      await store.put(source.log_id, { n: 2 }, { run_id, parent_checkpoint_id: chosen });
      await write(store, source, chosen, run_id);
      await write(store, source, chosen, "run_2");
      await store.put(source.log_id, { n: 3 }, { run_id: "run_2", parent_checkpoint_id: chosen });
      const copied = await copy(store, source, chosen);
      assert.deepEqual(await history(store, copied, ""), [chosen]);
      assert.deepEqual(
        await history(store, copied, "child:1"),
        [child],
        "a question in a subgraph can be answered",
      );
      assert.deepEqual(await values(store, copied), { n: 1 });
      const view = await openView(store.database, copied.log_id);
      const writes = await pendingWrites(store.database, view, "", chosen);
      assert.deepEqual(
        writes.map((one) => one.run_id),
        [run_id],
      );
    }));

  test(`${name}: keeping only the newest state leaves it, the writes on it, and every copy as they were`, () =>
    withStore(open, async (store) => {
      const source = await store.thread();
      let parent: string | null = null;
      for (let n = 1; n <= 5; n++) {
        const channels: Record<string, string[]> = { list: [`state ${n}, in words that make an item`] };
        if (n === 2) channels.old = ["written once, and still part of the newest state"];
        parent = await store.put(source.log_id, channels, { parent_checkpoint_id: parent });
        await write(store, source, parent, null);
      }
      const copied = await copy(store, source, (await history(store, source))[2]!);
      const before = [await history(store, copied), await values(store, copied)];
      const newest = await values(store, source);
      assert.equal(await keepLatest(store.node, source), true);
      for (const swept of [false, true]) {
        if (swept) await sweepAll(store);
        assert.deepEqual(await history(store, source), [parent]);
        assert.deepEqual(await values(store, source), newest);
        assert.deepEqual([await history(store, copied), await values(store, copied)], before);
      }
      const view = await openView(store.database, source.log_id);
      assert.equal((await pendingWrites(store.database, view, "", parent!)).length, 1);
      await remove(store, copied);
      await sweepAll(store);
      assert.deepEqual(await values(store, source), newest);
    }));

  test(`${name}: a sweep takes the values and items only hidden states needed`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread();
      const { log_id, thread_id } = thread;
      const early = { early: ["written once, at the start, and part of every state since"] };
      let parent = await store.put(log_id, early);
      for (let n = 0; n < 30; n++) {
        const channels = { list: [`state ${n}, in words that make an item of it`] };
        parent = await store.put(log_id, channels, { parent_checkpoint_id: parent });
      }
      const newest = { ...early, list: ["state 29, in words that make an item of it"] };
      await keepLatest(store.node, thread);
      await sweepAll(store);
      const { checkpoints, channel_values, items } = await store.rows();
      assert.deepEqual([checkpoints, channel_values, items], [1, 2, 2]);
      assert.deepEqual(await values(store, (await findThread(store.database, thread_id))!), newest);
    }));

  test(`${name}: items are swept only while no run of the log or of a copy is under way, and their numbers move on`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread();
      for (let n = 0; n < 5; n++) {
        await store.put(thread.log_id, { list: [`state ${n}, in words that make an item of it`] });
      }
      const copied = await copy(store, thread);
      await keepLatest(store.node, thread);
      await store.database.transaction(sweepDrop);
      const itemsAndNext = async () => [
        (await store.rows()).items,
        (await readLog(store.database, thread.log_id)).next_item,
        (await readLog(store.database, copied.log_id)).next_item,
      ];
      await remove(store, copied);
      assert.deepEqual(await itemsAndNext(), [5, 6, 1]);
      const run = await store.running(thread);
      assert.equal(await store.database.transaction(sweepItems), false);
      await store.database.transaction((tx) => advance(tx, "cancel", run, { ending: { data: () => ({}) } }));
      assert.equal(await store.database.transaction(sweepItems), true);
      assert.equal(await store.database.transaction(sweepItems), false);
      // The copy branched before the drop: what it could see stays until its own log is swept.
      assert.deepEqual(await itemsAndNext(), [5, 7, 2]);
    }));

  test(`${name}: a log is swept only when it has no name, no child and no live run, and in small steps`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread();
      const run = await store.pending(thread);
      for (let n = 0; n < 5; n++) await store.put(thread.log_id, { n });
      const abandon = () =>
        store.database.transaction(async (tx) => {
          await deleteThreadRow(tx, thread.thread_id);
          await abandonLog(tx, thread.log_id);
        });
      const sweep = (abandoned_s: number) =>
        store.database.transaction((tx) => sweepAbandonedLog(tx, abandoned_s));
      assert.equal(await sweep(-1), false, "it has a name");
      await abandon();
      assert.equal(await sweep(60), false, "its readers still get the last event");
      assert.equal(await sweep(-1), false, "its run is not over");
      await store.database.transaction((tx) =>
        tx.query(sql`update runs set status = 'canceled' where run_id = ${run.run_id}`),
      );
      assert.equal(await sweep(-1), true);
      assert.equal(await sweep(-1), false);
      assert.equal((await store.rows()).logs, 0);
    }));

  test(`${name}: items of a long conversation are merged into blocks and read back one by one, from any range`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const message = (n: number) => ({ content: `message ${n} of a long conversation`, list: [n] });
      const messages = Array.from({ length: 500 }, (_, i) => message(i));
      for (let n = 0; n < 500; n += 7) {
        await store.put(log_id, { window: messages.slice(Math.max(0, n - 90), n + 7) });
      }
      const all = await store.put(log_id, { all: messages, twice: [...messages.slice(60, 70), ...messages] });
      const before = await store.rows();
      const shown = async () => {
        const view = await openView(store.database, log_id);
        const rows = await selectCheckpoints(store.database, view, { limit: 1000 });
        // One by one, so that each reads its own range: it may begin and end inside a block.
        const states = [];
        for (const row of rows) states.push(...(await showCheckpoints(store.database, view, "thr", [row])));
        return JSON.stringify(states);
      };
      const unmerged = await shown();
      while (await store.database.transaction(mergeItems));
      assert.ok((await store.rows()).items! < before.items!, "there are fewer rows");
      assert.equal(await shown(), unmerged);
      assert.ok(unmerged.includes(all));
    }));

  test(`${name}: items follow one another without a gap, or the transaction that brings them is refused`, () =>
    withStore(open, async (store) => {
      const { log_id } = await store.thread();
      const view = await openView(store.database, log_id);
      const add = (first: number, count: number) => {
        const items = { first, bodies: Array(count).fill({ a: 1 }) };
        return store.database.transaction((tx) =>
          appendEntries(tx, view, [{ type: "items", items }], { run_number: null }),
        );
      };
      await add(1, 150);
      for (const wrong of [0, 1, 150, 152, 1000])
        await assert.rejects(add(wrong, 3), /do not follow item 150/);
      await add(151, 1);
      assert.equal((await readLog(store.database, log_id)).next_item, 152);
    }));
}
