/** One stream across a thread's runs. It ends only with the thread; a reader that leaves goes on after any frame. */
import { Type } from "typebox";
import type { NumberedEvent } from "../../core/event.ts";
import { isObject } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import { tailThread } from "../../engine/tail.ts";
import { lastEventOf, readEvents } from "../../store/events.ts";
import { findRun, lastRunNumber, readRequest, runIdByNumber } from "../../store/runs.ts";
import { findThread, type ThreadRow } from "../../store/threads.ts";
import type { App } from "../app.ts";
import { endpoint } from "../endpoint.ts";
import { streamTexts } from "../sse.ts";
import { type Frame, Frames } from "./frames.ts";
import { aboutRun, HEARTBEAT_MS } from "./run_stream.ts";
import { ThreadPath, threadOf } from "./threads.ts";
import { runUuid } from "./words.ts";

const tag = "langgraph";
const kinds = ["run_modes", "lifecycle", "state_update"] as const;
type Kind = (typeof kinds)[number];
type Place = { run_number: number; seq: number; frame: number };

const lifecycle: Record<string, string> = {
  "run.started": "started",
  "run.completed": "completed",
  "run.failed": "failed",
  "run.interrupted": "interrupted",
  "run.canceled": "interrupted",
};

/** Events read at once to catch up with a run the reader comes into. */
const PAGE = 500;

/** The frames of a thread's runs, each as its own run's reader would see it. */
class ThreadFrames {
  readonly #app: App;
  readonly #log_id: number;
  readonly #kinds: ReadonlySet<Kind>;
  #run: { number: number; run_id: string; frames: Frames; states: Frames } | undefined;

  constructor(app: App, log_id: number, kinds: ReadonlySet<Kind>) {
    this.#app = app;
    this.#log_id = log_id;
    this.#kinds = kinds;
  }

  async of(event: NumberedEvent): Promise<Frame[]> {
    const run = await this.#runOf(event);
    if (!run) return [];
    const frames: Frame[] = [];
    const stage = lifecycle[event.type];
    if (this.#kinds.has("lifecycle") && stage !== undefined) {
      frames.push({ event: "lifecycle", data: { event: stage, run_id: runUuid(run.run_id) } });
    }
    if (this.#kinds.has("run_modes")) frames.push(...(await run.frames.of(event)));
    if (this.#kinds.has("state_update") && event.type === "state.updated") {
      for (const { data } of await run.states.of(event)) {
        const { checkpoint_id } = isObject(event.data) ? event.data : {};
        frames.push({ event: "state_update", data: { checkpoint_id: checkpoint_id ?? null, values: data } });
      }
    }
    return frames;
  }

  async #runOf({ run_number, seq }: NumberedEvent) {
    if (this.#run?.number === run_number) return this.#run;
    const { database } = this.#app.node;
    const run_id = await runIdByNumber(database, this.#log_id, run_number);
    const run = run_id === undefined ? undefined : await findRun(database, run_id);
    if (!run) return undefined;
    const { langgraph } = await readRequest(database, run.log_id, run.run_id);
    const about = await aboutRun(this.#app, run);
    const modes = new Set(langgraph?.stream_mode ?? ["values"]);
    const frames = new Frames(this.#app, run, {
      modes,
      subgraphs: langgraph?.stream_subgraphs ?? false,
      about,
    });
    const states = new Frames(this.#app, run, { modes: new Set(["values"]), subgraphs: false, about });
    for (let at = 0; at < seq - 1; ) {
      const earlier = await readEvents(database, this.#log_id, { run_number, seq: at }, PAGE, "run");
      for (const event of earlier) if (event.seq < seq) await frames.skip(event);
      if (earlier.length === 0) break;
      at = earlier.at(-1)!.seq;
    }
    this.#run = { number: run_number, run_id: run.run_id, frames, states };
    return this.#run;
  }
}

export const stream = endpoint(
  {
    summary: "One stream across a thread's runs, from now on or after Last-Event-ID",
    tag,
    params: ThreadPath,
    query: Type.Object({
      stream_modes: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
      stream_mode: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
    }),
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, params, query, principal, request, reply }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    const named = [query.stream_modes ?? query.stream_mode ?? []].flat().flatMap((names) => names.split(","));
    const wanted = named.filter(Boolean);
    const unknown = wanted.find((name) => !(kinds as readonly string[]).includes(name));
    if (unknown !== undefined) {
      throw new Problem("bad_request", { message: `stream_modes: there is no mode ${unknown}.` });
    }
    const after = await placeOf(app, thread, request.headers["last-event-id"]);
    const frames = new ThreadFrames(
      app,
      thread.log_id,
      new Set(wanted.length > 0 ? (wanted as Kind[]) : (["run_modes"] as Kind[])),
    );
    const gone = async () =>
      (await findThread(app.node.database, thread.thread_id))?.log_id !== thread.log_id;
    // The frame's own event comes again: those of its frames that the reader has are left out.
    const from = { run_number: after.run_number, seq: after.frame > 0 ? after.seq - 1 : after.seq };
    await streamTexts(app, request, reply, {
      heartbeatMs: HEARTBEAT_MS,
      async *texts(signal) {
        for await (const events of tailThread(app.node, thread.log_id, from, signal, gone)) {
          let text = "";
          for (const event of events) text += await textOf(frames, event, after);
          yield text;
        }
      },
    });
    return undefined;
  },
);

async function textOf(frames: ThreadFrames, event: NumberedEvent, after: Place): Promise<string> {
  const { run_number, seq } = event;
  const all = await frames.of(event);
  const skipped = run_number === after.run_number && seq === after.seq ? after.frame : 0;
  return all
    .map(({ event: name, data }, i) =>
      i < skipped
        ? ""
        : `id: ${run_number}-${seq}-${i + 1}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`,
    )
    .join("");
}

/** "-" and "-1" are the beginning; without an id the reader sees what comes from now on. */
async function placeOf(
  { node }: App,
  { log_id }: ThreadRow,
  id: string | string[] | undefined,
): Promise<Place> {
  if (id === "-" || id === "-1") return { run_number: 0, seq: 0, frame: 0 };
  if (id === undefined || id === "") {
    const run_number = await lastRunNumber(node.database, log_id);
    const last = await lastEventOf(node.database, log_id, run_number);
    return { run_number, seq: last?.seq ?? 0, frame: 0 };
  }
  const match = typeof id === "string" ? /^(\d{1,15})-(\d{1,15})-(\d{1,9})$/.exec(id) : null;
  if (!match)
    throw new Problem("bad_request", { message: "header.last-event-id is not an id of this stream." });
  const [, run_number, seq, frame] = match.map(Number);
  return { run_number: run_number!, seq: seq!, frame: frame! };
}
