/** The server's side of state as a list in memory: what an agent process stores, folded the way the database does. */
import assert from "node:assert/strict";
import type { CheckpointBody, Page, ReadRequest, WritesBody } from "../../runners/node/store.ts";
import { itemRanges, show } from "../../src/core/encoding.ts";
import type { Json } from "../../src/core/json.ts";
import type { StoredCheckpoint } from "../../src/runner/protocol.ts";
import { expand } from "../suites/encoded_values.ts";

type Kept = CheckpointBody & { run_id: string; position: number };
type KeptWrite = StoredCheckpoint["writes"][number];

export class MemoryLog {
  readonly id: number;
  readonly items: Json[] = [];
  readonly checkpoints: Kept[] = [];
  readonly #writes = new Map<string, KeptWrite[]>();
  #position = 0;

  constructor(id: number) {
    this.id = id;
  }

  get head(): Kept | undefined {
    return this.checkpoints.findLast(({ namespace }) => namespace === "");
  }

  /** The characters of everything stored. */
  get size(): number {
    return JSON.stringify([this.items, this.checkpoints, [...this.#writes.values()]]).length;
  }

  addItems(items: CheckpointBody["items"]): void {
    if (!items) return;
    assert.equal(items.first, this.items.length, "items are numbered one after another");
    for (const body of items.bodies) {
      assert.equal(itemRanges([body]).length, 0, "an item holds no reference to items");
      this.items.push(body);
    }
  }

  addCheckpoint(run: string, body: CheckpointBody): void {
    this.addItems(body.items);
    for (const value of Object.values(body.channels)) this.#check(value);
    for (const value of Object.values(body.shown?.values ?? {})) this.#check(value);
    this.checkpoints.push({ ...body, run_id: run, position: ++this.#position });
  }

  addWrites(run: string, { namespace, checkpoint_id, task_id, task_path, writes, items }: WritesBody): void {
    this.addItems(items);
    this.#position++;
    const key = `${namespace}\n${checkpoint_id}`;
    const kept = this.#writes.get(key) ?? [];
    this.#writes.set(key, kept);
    for (const [idx, channel, value] of writes) {
      this.#check(value);
      const write = { task_id, task_path, idx, channel, value, run_id: run };
      const at = kept.findIndex((known) => known.task_id === task_id && known.idx === idx);
      if (at < 0) kept.push(write);
      else if (idx < 0) kept[at] = write;
    }
    kept.sort((a, b) => compare(a.task_path, b.task_path) || compare(a.task_id, b.task_id) || a.idx - b.idx);
  }

  read({ kind, namespace, checkpoint_id, before, limit }: ReadRequest): Page {
    let found = this.checkpoints.filter((kept) => namespace === undefined || kept.namespace === namespace);
    if (kind === "tuple") {
      const one = checkpoint_id
        ? found.findLast((kept) => kept.checkpoint_id === checkpoint_id)
        : found.at(-1);
      found = one ? [one] : [];
    } else {
      found = found.filter((kept) => before === undefined || kept.checkpoint_id < before);
      found = found.toSorted((a, b) => compare(b.checkpoint_id, a.checkpoint_id)).slice(0, limit);
    }
    const checkpoints = found.map((kept) => this.#stored(kept));
    const numbers = new Set<number>();
    for (const { channels, state, metadata, writes } of checkpoints) {
      for (const value of [
        ...Object.values(channels),
        state,
        metadata,
        ...writes.map((write) => write.value),
      ]) {
        for (const { first, count } of itemRanges([value])) {
          for (let i = 0; i < count; i++) numbers.add(first + i);
        }
      }
    }
    return { checkpoints, items: [...numbers].map((number) => [this.id, number, this.items[number]!]) };
  }

  /** A checkpoint's visible values as the API shows them. */
  values(checkpoint = this.head): Record<string, Json> {
    if (!checkpoint) return {};
    const channels = this.#channels(checkpoint);
    const visible = (checkpoint.shown?.keys ?? []).map((key) => [
      key,
      checkpoint.shown?.values?.[key] ?? channels[key],
    ]);
    return this.show(Object.fromEntries(visible)) as Record<string, Json>;
  }

  writesOf(checkpointId: string, namespace = ""): KeptWrite[] {
    return this.#writes.get(`${namespace}\n${checkpointId}`) ?? [];
  }

  /** What the head waits for, as the database finds it: questions of tasks that have written nothing else. */
  questions(): { id: string; value: Json; task: string | undefined }[] {
    const { head } = this;
    if (!head) return [];
    const writes = this.writesOf(head.checkpoint_id);
    const answered = new Set(writes.filter(({ idx }) => idx >= 0).map(({ task_id }) => task_id));
    const tasks = (head.shown?.tasks ?? []) as { id: string; name: string }[];
    return writes
      .filter(({ channel, task_id }) => channel === "__interrupt__" && !answered.has(task_id))
      .flatMap(({ task_id, value }) => {
        const asked = [this.show(value)].flat() as { id?: string; interrupt_id?: string; value: Json }[];
        const task = tasks.find(({ id }) => id === task_id)?.name;
        return asked.map((one) => ({ id: one.id ?? one.interrupt_id ?? task_id, value: one.value, task }));
      });
  }

  show(value: Json): Json {
    return show(value, (_log, number) => this.items[number]!);
  }

  expand(value: Json): Json {
    return expand(value, (_log, number) => this.items[number]!);
  }

  #check(value: Json): void {
    for (const { log, first, count } of itemRanges([value])) {
      assert.equal(log, this.id);
      assert.ok(first + count <= this.items.length, "an item is stored before anything refers to it");
    }
  }

  #stored(kept: Kept): StoredCheckpoint {
    const { namespace, checkpoint_id, parent_checkpoint_id, run_id, position, state, metadata, shown } = kept;
    return structuredClone({
      namespace,
      checkpoint_id,
      parent_checkpoint_id,
      run_id,
      position,
      channels: this.#channels(kept),
      state,
      metadata,
      next: shown?.next ?? null,
      writes: this.writesOf(checkpoint_id, namespace),
    });
  }

  #channels({ namespace, parent_checkpoint_id, channels, removed }: Kept): Record<string, Json> {
    const parent =
      parent_checkpoint_id === null
        ? undefined
        : this.checkpoints.findLast(
            (kept) => kept.namespace === namespace && kept.checkpoint_id === parent_checkpoint_id,
          );
    const folded = { ...(parent ? this.#channels(parent) : {}), ...channels };
    for (const name of removed) delete folded[name];
    return folded;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
