/** Plays random programs of operations on threads, on a real engine and on the model, and compares what can be seen. */
import assert from "node:assert/strict";
import type { Json } from "../../src/core/json.ts";
import { isLastEvent } from "../../src/core/moves.ts";
import { Problem } from "../../src/core/problem.ts";
import { cancel } from "../../src/engine/cancel.ts";
import { copyThread } from "../../src/engine/copy_thread.ts";
import { deleteThread } from "../../src/engine/delete_thread.ts";
import { keepLatest } from "../../src/engine/prune.ts";
import { keepHouse, recoverRuns } from "../../src/engine/sweep.ts";
import { updateState } from "../../src/engine/update_state.ts";
import { selectCheckpoints } from "../../src/store/checkpoints.ts";
import { openView } from "../../src/store/logs.ts";
import { findRun, listRuns } from "../../src/store/runs.ts";
import { showCheckpoints } from "../../src/store/states.ts";
import { findThread, showThread } from "../../src/store/threads.ts";
import { DRAIN_MS, type Engine, type Executing } from "./engine_fixture.ts";
import type { Command } from "./program_commands.ts";
import { type ModelRun, ModelThread, type Order, type Point } from "./program_model.ts";

/** A run that is to begin later does not begin while a program is played. */
const OPEN_LATER_S = 3_600;

type Played = { model: ModelThread; thread_id: string; log_id: number };
type Run = { model: ModelRun; run_id: string; log_id: number; open: () => void };

export class Player {
  readonly #engine: Engine;
  #on: Executing;
  readonly #threads: Played[] = [];
  readonly #runs = new Map<ModelRun, Run>();
  /** Label → checkpoint id, once it is seen. */
  readonly #ids = new Map<string, string>();
  #labels = 0;

  constructor(engine: Engine, on: Executing) {
    this.#engine = engine;
    this.#on = on;
  }

  /** The node that executes now. */
  get on(): Executing {
    return this.#on;
  }

  async play(program: Command[]): Promise<void> {
    await this.#create();
    for (const command of program) {
      await this.#step(command);
      await this.#settle();
      await this.#compare();
    }
    await this.#finishAll();
    await this.#settle();
    await this.#compare();
    for (const run of this.#runs.values()) await this.#checkEvents(run);
    for (const played of [...this.#threads]) await this.#delete(played);
  }

  async #create(): Promise<void> {
    const { thread_id } = await this.#engine.thread();
    const { log_id } = (await findThread(this.#engine.database, thread_id))!;
    this.#threads.push({ model: new ModelThread(), thread_id, log_id });
  }

  async #step(command: Command): Promise<void> {
    if (command.do === "crash") return this.#crash();
    if (command.do === "sweep") return keepHouse(this.#on.node, -1);
    const played = this.#threads[command.thread % this.#threads.length];
    if (!played) return this.#create();
    const { model } = played;
    if (command.do === "run") {
      const { way, strategy, resumes, later } = command;
      const from = pick(model.points, command.from);
      return this.#run(played, { label: `r${++this.#labels}`, way, strategy, from, resumes, later });
    }
    if (command.do === "finish") {
      const run = model.running;
      if (!run) return;
      model.finish(run);
      this.#runs.get(run)!.open();
      return this.#over(run);
    }
    if (command.do === "cancel") return this.#cancel(played, command.which, command.rollback);
    if (command.do === "update") return this.#update(played, pick(model.points, command.from));
    if (command.do === "copy") return this.#copy(played, pick(model.points, command.from));
    if (command.do === "delete") return this.#delete(played);
    if (command.do === "prune") {
      const { last } = command;
      assert.equal(await keepLatest(this.#on.node, played, { last }), model.prune(last));
    }
  }

  async #run(played: Played, order: Order): Promise<void> {
    const before = played.model.live;
    const expected = played.model.order(order);
    const gate = this.#engine.gate();
    const input = { attempts: scripts(order, gate.path) };
    const request = {
      multitask_strategy: order.strategy,
      ...(order.from && { checkpoint_id: this.#ids.get(order.from.label)! }),
      ...(order.later && { after_seconds: OPEN_LATER_S }),
      // The scripted agent takes its script from wherever it finds it.
      ...(order.resumes && { command: { resume: input } }),
    };
    const { thread_id } = played;
    const answer = await refusal(
      this.#engine.accept({ thread_id }, order.resumes ? null : input, request, { on: this.#on }),
    );
    if (typeof expected === "string" || typeof answer === "string") {
      assert.equal(answer, expected, `what ${order.label} is answered`);
      return;
    }
    const run = { model: expected, run_id: answer.run_id, log_id: played.log_id, open: gate.open };
    this.#runs.set(expected, run);
    for (const earlier of before) if (earlier.status === "canceled") await this.#over(earlier);
  }

  async #cancel({ model }: Played, which: number, rollback: boolean): Promise<void> {
    const run = pick(model.live, which);
    if (!run) return;
    model.cancel(run, rollback);
    model.next();
    const { log_id, run_id } = this.#runs.get(run)!;
    await cancel(this.#on.node, { log_id, run_id }, rollback ? "rollback" : "cancel");
  }

  async #update(played: Played, from: Point | null): Promise<void> {
    const label = `u${++this.#labels}`;
    const expected = played.model.update(label, from);
    const row = (await findThread(this.#engine.database, played.thread_id))!;
    const values = { at: label };
    const answer = await refusal(
      updateState(
        this.#on.node,
        row,
        { values, ...(from && { checkpoint_id: this.#ids.get(from.label)! }) },
        undefined,
      ),
    );
    assert.equal(typeof answer === "string" ? answer : undefined, expected, `what ${label} is answered`);
  }

  async #copy(played: Played, upTo: Point | null): Promise<void> {
    const source = (await findThread(this.#engine.database, played.thread_id))!;
    const order = upTo === null ? {} : { checkpoint_id: this.#ids.get(upTo.label)! };
    const { thread_id } = await copyThread(this.#on.node, source, order, undefined);
    const { log_id } = (await findThread(this.#engine.database, thread_id))!;
    this.#threads.push({ model: played.model.copy(upTo), thread_id, log_id });
  }

  async #delete(played: Played): Promise<void> {
    const row = (await findThread(this.#engine.database, played.thread_id))!;
    await deleteThread(this.#on.node, row);
    this.#threads.splice(this.#threads.indexOf(played), 1);
    for (const model of played.model.runs) {
      const run = this.#runs.get(model)!;
      this.#runs.delete(model);
      run.open();
      assert.equal(await findRun(this.#engine.database, run.run_id), undefined, `${model.label} is gone`);
    }
    assert.equal(await findThread(this.#engine.database, played.thread_id), undefined);
  }

  /** Another node takes over; what the old one still says is refused. */
  async #crash(): Promise<void> {
    const old = this.#on;
    this.#on = this.#engine.startNode();
    await recoverRuns(this.#on.node, true);
    for (const { model } of this.#threads) model.lose();
    await old.supervisor.close();
    await old.worker.close(DRAIN_MS);
  }

  async #finishAll(): Promise<void> {
    for (const { model } of this.#threads) {
      for (let run = model.running; run; run = model.running) {
        await this.#settle();
        model.finish(run);
        this.#runs.get(run)!.open();
        await this.#over(run);
      }
    }
  }

  /** Waits until every run that has its turn is where it waits, with what it did before committed. */
  async #settle(): Promise<void> {
    for (const { model } of this.#threads) {
      const run = model.running;
      if (!run) continue;
      let held = 0;
      await this.#engine.event(this.#runs.get(run)!, ({ data }) => data === "held" && ++held === run.attempt);
    }
    for (const run of this.#runs.keys()) {
      if (run.status === "failed") await this.#over(run);
    }
  }

  async #over(run: ModelRun): Promise<void> {
    await this.#engine.events(this.#runs.get(run)!);
  }

  async #compare(): Promise<void> {
    for (const { model, thread_id, log_id } of this.#threads) {
      const { database } = this.#engine;
      const row = (await findThread(database, thread_id))!;
      const thread = await showThread(database, row);
      const asked = model.head?.asks;
      assert.deepEqual(
        { status: thread.status, values: thread.values, interrupts: thread.interrupts },
        {
          status: model.status,
          values: model.head && { at: model.head.label },
          interrupts: model.status === "interrupted" ? [{ id: "q1", value: asked, task: "ask" }] : undefined,
        },
      );
      const view = await openView(database, log_id);
      const rows = await selectCheckpoints(database, view, { namespace: "", limit: 1_000 });
      const checkpoints = await showCheckpoints(database, view, thread_id, rows);
      for (const { checkpoint_id, values } of checkpoints) this.#ids.set(String(values.at), checkpoint_id);
      const labelOf = (id: string | null) => [...this.#ids].find(([, known]) => known === id)?.[0] ?? null;
      assert.deepEqual(
        checkpoints.map(({ values, parent_checkpoint_id }) => [values.at, labelOf(parent_checkpoint_id)]),
        model.points.toReversed().map(({ label, parent }) => [label, parent]),
        "the history",
      );
      const runs = await listRuns(database, { log_id, limit: 1_000 });
      const statuses = new Map(runs.map(({ run_id, status }) => [run_id, status]));
      assert.deepEqual(
        model.runs.map((run) => [run.label, statuses.get(this.#runs.get(run)!.run_id)]),
        model.runs.map(({ label, status }) => [label, status]),
        "the runs",
      );
    }
  }

  async #checkEvents(run: Run): Promise<void> {
    if (run.model.status === "pending") return;
    const events = await this.#engine.events(run);
    assert.deepEqual(
      events.map(({ seq }) => seq),
      events.map((_, i) => i + 1),
      `${run.model.label}: its events have no gap`,
    );
    assert.deepEqual(
      events.flatMap(({ type }, i) => (isLastEvent(type) ? [i] : [])),
      [events.length - 1],
      `${run.model.label}: it ends once, and nothing follows`,
    );
  }
}

/** What the run's process does: the first attempt leaves a state, then each waits at the gate and goes its way. */
function scripts({ label, way }: Order, gate: string): Json[][] {
  const ends: Record<Order["way"], Json[]> = {
    answer: [{ checkpoint: { values: { at: `${label}.2` } } }, { done: label }],
    ask: [{ checkpoint: { values: { at: `${label}.2` }, next: ["ask"] } }, { interrupt: label }],
    fail: [{ fail: label }],
  };
  const rest = [{ event: "held" }, { hold: gate }, ...ends[way]];
  return [[{ checkpoint: { values: { at: `${label}.1` } } }, ...rest], rest];
}

async function refusal<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

function pick<T>(list: readonly T[], at: number | null): T | null {
  return at === null || list.length === 0 ? null : list[at % list.length]!;
}
