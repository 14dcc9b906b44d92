/**
 * A naive model of threads: every checkpoint is kept whole, every copy is a copy. Random programs are played on the
 * store and on the model, and whatever can be read must be equal.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { escapeTags, show } from "../../src/core/encoding.ts";
import { type Json, type JsonObject, setOwn } from "../../src/core/json.ts";
import { copyThread } from "../../src/engine/copy_thread.ts";
import { keepLatest } from "../../src/engine/prune.ts";
import { appendEntries } from "../../src/store/append.ts";
import {
  channelValues,
  findCheckpoint,
  listCheckpointsById,
  readHead,
  selectCheckpoints,
} from "../../src/store/checkpoints.ts";
import type { Transaction } from "../../src/store/database.ts";
import { appendEvents } from "../../src/store/events.ts";
import { itemLookup, mergeItems } from "../../src/store/items.ts";
import { abandonLog, dropPositions, openView } from "../../src/store/logs.ts";
import { positionsOfRun } from "../../src/store/ranges.ts";
import { advance } from "../../src/store/runs.ts";
import { showCheckpoints } from "../../src/store/states.ts";
import { sweepAbandonedLog, sweepDrop, sweepItems } from "../../src/store/sweep.ts";
import { deleteThreadRow, findThread, type ThreadRow } from "../../src/store/threads.ts";
import { pendingWrites } from "../../src/store/writes.ts";
import { itemize } from "./encoded_values.ts";
import { anyJson, longJson, text } from "./json_values.ts";
import { coldLedger, type HeldRun, type Store } from "./store_fixture.ts";

type Checkpoint = {
  kind: "checkpoint";
  namespace: string;
  checkpoint_id: string;
  parent: string | null;
  run_id: string;
  values: JsonObject;
};
type Writes = {
  kind: "writes";
  namespace: string;
  checkpoint_id: string;
  run_id: string;
  task: string;
  value: Json;
};
type Entry = Checkpoint | Writes;
type Thread = { row: ThreadRow; entries: Entry[] };

type Change = { how: "append" | "trim" | "set" | "remove"; channel: string; value: Json; at: number };
type Say = { what: "checkpoint" | "subgraph" | "writes"; changes: Change[] };
export type Command =
  | { do: "turn"; thread: number; from: number | null; say: Say[]; end: "succeed" | "cancel" | "rollback" }
  | { do: "copy"; thread: number; from: number | null }
  | { do: "keep_latest"; thread: number; last: number }
  | { do: "delete"; thread: number }
  | { do: "sweep" };

const change: fc.Arbitrary<Change> = fc.record({
  how: fc.constantFrom("append", "append", "append", "trim", "set", "remove"),
  channel: fc.oneof({ weight: 3, arbitrary: fc.constant("messages") }, { weight: 1, arbitrary: text }),
  value: fc.oneof({ weight: 3, arbitrary: longJson }, { weight: 1, arbitrary: anyJson }),
  at: fc.nat(5),
});
const say: fc.Arbitrary<Say> = fc.record({
  what: fc.constantFrom("checkpoint", "checkpoint", "subgraph", "writes"),
  changes: fc.array(change, { minLength: 1, maxLength: 3 }),
});
const from = fc.option(fc.nat(20), { freq: 2 });
const thread = fc.nat(5);

export const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("turn" as const),
        thread,
        from: fc.option(fc.nat(20), { freq: 5 }),
        say: fc.array(say, { minLength: 1, maxLength: 4 }),
        end: fc.constantFrom("succeed" as const, "succeed" as const, "cancel" as const, "rollback" as const),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("copy" as const), thread, from }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("keep_latest" as const), thread, last: fc.nat(3) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), thread }) },
    { weight: 2, arbitrary: fc.constant({ do: "sweep" as const }) },
  ),
  { minLength: 3, maxLength: 22 },
);

const placeOf = ({ namespace, checkpoint_id }: Entry) => `${namespace} ${checkpoint_id}`;
const roots = ({ entries }: Thread) => checkpoints(entries).filter(({ namespace }) => namespace === "");
const checkpoints = (entries: Entry[]) => entries.filter((entry) => entry.kind === "checkpoint");

export class Model {
  readonly #store: Store;
  readonly #threads: Thread[] = [];
  #tasks = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async play(program: Command[]): Promise<void> {
    this.#threads.push({ row: await this.#store.thread(), entries: [] });
    for (const command of program) {
      await this.#step(command);
      if (command.do !== "turn") await this.check();
    }
    await this.check();
    await this.sweep();
    await this.check();
  }

  /** Deletes every thread and sweeps: nothing may be left of them. */
  async leaveNothing(): Promise<void> {
    while (this.#threads.length > 0) await this.#delete(this.#threads[0]!);
    await this.sweep();
    const rows = Object.entries(await this.#store.rows()).filter(([, count]) => count > 0);
    assert.deepEqual(rows, [], "rows of deleted threads are left");
  }

  async sweep(): Promise<void> {
    const { database } = this.#store;
    for (const step of [sweepDrop, sweepItems, mergeItems, (tx: Transaction) => sweepAbandonedLog(tx, -1)]) {
      while (await database.transaction(step));
    }
  }

  async #step(command: Command): Promise<void> {
    if (command.do === "sweep") return this.sweep();
    const thread = this.#threads[command.thread % this.#threads.length];
    if (!thread) {
      this.#threads.push({ row: await this.#store.thread(), entries: [] });
      return;
    }
    if (command.do === "turn") return this.#turn(thread, command);
    if (command.do === "copy") return this.#copy(thread, command.from);
    if (command.do === "delete") return this.#delete(thread);
    const { last } = command;
    assert.equal(await keepLatest(this.#store.node, thread.row, { last }), true);
    const runs = [...new Set(roots(thread).map(({ run_id }) => run_id))].slice(last === 0 ? Infinity : -last);
    const begin = thread.entries.findIndex(
      (entry) => entry.kind === "checkpoint" && entry.namespace === "" && runs.includes(entry.run_id),
    );
    const cut = begin < 0 ? thread.entries.length : begin;
    const old = checkpoints(thread.entries.slice(0, cut));
    const newest = new Map(old.map((entry) => [entry.namespace, entry]));
    if (cut < thread.entries.length) newest.delete("");
    const kept = new Set<Entry>([...checkpoints(thread.entries.slice(cut)), ...newest.values()]);
    const ids = new Set([...kept].map(placeOf));
    thread.entries = thread.entries.filter((entry) => ids.has(placeOf(entry)));
  }

  async #delete(thread: Thread): Promise<void> {
    await this.#store.database.transaction(async (tx) => {
      await deleteThreadRow(tx, thread.row.thread_id);
      await abandonLog(tx, thread.row.log_id);
    });
    this.#threads.splice(this.#threads.indexOf(thread), 1);
  }

  async #copy(thread: Thread, from: number | null): Promise<void> {
    const all = roots(thread);
    const chosen = from === null ? undefined : all[from % Math.max(1, all.length)];
    const copy = await copyThread(
      this.#store.node,
      thread.row,
      chosen ? { checkpoint_id: chosen.checkpoint_id } : {},
      undefined,
    );
    let entries = thread.entries;
    if (chosen) {
      const at = entries.indexOf(chosen);
      const last = entries.findLastIndex(
        (entry) =>
          entry.kind === "writes" &&
          entry.checkpoint_id === chosen.checkpoint_id &&
          entry.namespace === "" &&
          entry.run_id === chosen.run_id,
      );
      entries = entries
        .slice(0, Math.max(at, last) + 1)
        .filter((entry, i) => i <= at || entry.kind === "writes" || entry.namespace !== "");
    }
    const row = (await findThread(this.#store.database, copy.thread_id))!;
    this.#threads.push({ row, entries: [...entries] });
  }

  async #turn(thread: Thread, command: Command & { do: "turn" }): Promise<void> {
    const { database } = this.#store;
    const run = await this.#store.running(thread.row);
    const all = roots(thread);
    let parent = command.from === null ? all.at(-1) : all[command.from % Math.max(1, all.length)];
    const before = [...thread.entries];
    for (const { what, changes } of command.say) {
      if (what === "writes") {
        if (parent) await this.#write(thread, run, parent, changes[0]!.value);
        continue;
      }
      const namespace = what === "subgraph" ? "child:1" : "";
      const base =
        namespace === ""
          ? parent
          : checkpoints(thread.entries).findLast((one) => one.namespace === namespace);
      const made = await this.#put(thread, run, namespace, base, changes);
      if (namespace === "") parent = made;
    }
    await database.transaction(async (tx) => {
      const move = command.end === "succeed" ? "succeed" : "cancel";
      const moved = await advance(tx, move, run, {
        ...(move === "succeed" ? { lease: run.lease } : {}),
        ending: { data: () => ({}) },
      });
      assert.ok(moved);
      if (command.end !== "rollback") return;
      const range = await positionsOfRun(tx, run.log_id, run.run_id);
      if (range) await dropPositions(tx, run.log_id, [range]);
      thread.entries = before;
    });
  }

  async #write(thread: Thread, run: HeldRun, at: Checkpoint, value: Json): Promise<void> {
    const { run_id, log_id } = run;
    const task = `task ${++this.#tasks}`;
    await this.#store.database.transaction(async (tx) => {
      await appendEvents(tx, run, []);
      const ledger = await coldLedger(tx, log_id, []);
      const encoded = itemize(escapeTags(value), ledger);
      const { checkpoint_id, namespace } = at;
      const writes: [number, string, Json][] = [[0, "messages", encoded]];
      const about = { namespace, checkpoint_id, task_id: task, task_path: "", writes };
      const view = await openView(tx, log_id);
      await appendEntries(tx, view, [{ type: "writes", items: ledger.takeNew(), ...about }], run);
    });
    thread.entries.push({
      kind: "writes",
      namespace: at.namespace,
      checkpoint_id: at.checkpoint_id,
      run_id,
      task,
      value,
    });
  }

  async #put(
    thread: Thread,
    run: HeldRun,
    namespace: string,
    base: Checkpoint | undefined,
    changes: Change[],
  ): Promise<Checkpoint> {
    const values = JSON.parse(JSON.stringify(base?.values ?? {})) as JsonObject;
    const touched = new Set<string>();
    for (const { how, channel, value, at } of changes) {
      const old = Object.hasOwn(values, channel) ? values[channel]! : [];
      const list = Array.isArray(old) ? old : [];
      touched.add(channel);
      if (how === "remove") delete values[channel];
      else if (how === "set") setOwn(values, channel, value);
      else setOwn(values, channel, how === "append" ? [...list, value] : list.slice(at));
    }
    const state = JSON.parse(JSON.stringify(values)) as JsonObject;
    const checkpoint_id = this.#store.newId();
    const parent = base?.checkpoint_id ?? null;
    await this.#store.database.transaction(async (tx) => {
      await appendEvents(tx, run, [{ type: "custom", data: {} }]);
      const view = await openView(tx, run.log_id);
      const row = parent === null ? undefined : await findCheckpoint(tx, view, namespace, parent);
      assert.ok(parent === null || row, "the parent is there");
      // As an agent process that has loaded the state it starts from.
      const readValue = await channelValues(tx, view, row ? [row] : []);
      const loaded = Object.entries(row?.channels ?? {}).map(([name, position]) => readValue(position, name));
      const ledger = await coldLedger(tx, run.log_id, loaded);
      const channels: Record<string, Json> = {};
      const removed = [...touched].filter((name) => !Object.hasOwn(state, name));
      for (const name of touched) {
        if (Object.hasOwn(state, name)) setOwn(channels, name, itemize(escapeTags(state[name]!), ledger));
      }
      const made = {
        items: ledger.takeNew(),
        namespace,
        checkpoint_id,
        parent_checkpoint_id: parent,
        step: 0,
        source: "loop",
        channels,
        removed,
        state: {},
        metadata: {},
        shown: { keys: Object.keys(state), next: [], tasks: [] },
      };
      await appendEntries(tx, view, [{ type: "checkpoint", ...made }], run);
    });
    const made: Checkpoint = {
      kind: "checkpoint",
      namespace,
      checkpoint_id,
      parent,
      run_id: run.run_id,
      values: state,
    };
    thread.entries.push(made);
    return made;
  }

  /** Whatever can be read of every thread equals the model. */
  async check(): Promise<void> {
    for (const thread of this.#threads) await this.#checkThread(thread);
  }

  async #checkThread({ row, entries }: Thread): Promise<void> {
    const { database } = this.#store;
    const { view, head } = await readHead(database, row.log_id);
    const expected = checkpoints(entries);
    const newest = expected.findLast(({ namespace }) => namespace === "");
    assert.equal(head?.checkpoint_id, newest?.checkpoint_id, `the head of ${row.thread_id}`);
    const found = await selectCheckpoints(database, view, { limit: 1000 });
    assert.deepEqual(
      found.map(({ checkpoint_id, parent_checkpoint_id, namespace }) => [
        namespace,
        checkpoint_id,
        parent_checkpoint_id,
      ]),
      expected.map(({ namespace, checkpoint_id, parent }) => [namespace, checkpoint_id, parent]).reverse(),
    );
    const listed = await listCheckpointsById(database, view, {});
    assert.equal(listed.length, expected.length);
    const shown = await showCheckpoints(database, view, row.thread_id, found);
    for (const [i, checkpoint] of expected.toReversed().entries()) {
      assert.equal(stable(shown[i]!.values), stable(checkpoint.values), checkpoint.checkpoint_id);
      const writes = await pendingWrites(database, view, checkpoint.namespace, checkpoint.checkpoint_id);
      const lookup = await itemLookup(
        database,
        writes.map(({ value }) => value),
      );
      const wanted = entries.filter(
        (entry) =>
          entry.kind === "writes" &&
          entry.checkpoint_id === checkpoint.checkpoint_id &&
          entry.namespace === checkpoint.namespace,
      );
      assert.deepEqual(
        writes.map(({ task_id, value }) => [task_id, JSON.stringify(show(value, lookup))]).sort(),
        wanted.map((entry) => [(entry as Writes).task, JSON.stringify((entry as Writes).value)]).sort(),
      );
    }
  }
}

/** The values by key: the order of channels is the framework's, not the state's. */
function stable(values: JsonObject): string {
  return JSON.stringify(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}
