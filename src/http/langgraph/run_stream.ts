/** A run's stream in LangGraph's frames. A frame's id is its event's number and its place among the frames of that event. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { NumberedEvent } from "../../core/event.ts";
import { isOver } from "../../core/moves.ts";
import { Problem } from "../../core/problem.ts";
import { cancel } from "../../engine/cancel.ts";
import { tailRun } from "../../engine/tail.ts";
import { findRun, type RunRow, readRequest } from "../../store/runs.ts";
import type { App } from "../app.ts";
import type { Answer } from "../endpoint.ts";
import { closeSignal, streamTexts } from "../sse.ts";
import { systemAssistants } from "./assistants.ts";
import { type Frame, Frames, streamModes } from "./frames.ts";
import { runUuid } from "./words.ts";

/** Clients take a stream for dead that is silent for some multiple of this. */
export const HEARTBEAT_MS = 5_000;

type Place = { seq: number; frame: number };

export async function streamRun(
  app: App,
  run: RunRow,
  request: FastifyRequest,
  reply: FastifyReply,
  options: { modes: readonly string[]; subgraphs: boolean; cancelOnDisconnect: boolean },
): Promise<Answer> {
  const modes = new Set(options.modes);
  const unknown = [...modes].find((mode) => !(streamModes as readonly string[]).includes(mode));
  if (unknown !== undefined)
    throw new Problem("bad_request", { message: `stream_mode: there is no mode ${unknown}.` });
  const after = placeOf(request);
  const about = await aboutRun(app, run);
  const frames = new Frames(app, run, { modes, subgraphs: options.subgraphs, about });
  const gone = closeSignal(reply);
  await streamTexts(app, request, reply, {
    heartbeatMs: HEARTBEAT_MS,
    async *texts(signal) {
      for await (const events of tailRun(app.node, run, 0, signal)) yield await textOf(frames, events, after);
    },
  });
  if (options.cancelOnDisconnect && gone.aborted && !app.closing.aborted) await stop(app, run);
  return undefined;
}

/** The reader left, and nobody else is to have the run. */
async function stop(app: App, run: RunRow): Promise<void> {
  const now = await findRun(app.node.database, run.run_id);
  if (!now || isOver(now.status)) return;
  try {
    await cancel(app.node, run, "cancel");
  } catch (error) {
    // It ended by itself meanwhile.
    if (!(error instanceof Problem)) throw error;
  }
}

async function textOf(frames: Frames, events: NumberedEvent[], after: Place): Promise<string> {
  let text = "";
  for (const event of events) {
    if (event.seq < after.seq) {
      await frames.skip(event);
      continue;
    }
    const all = await frames.of(event);
    const skipped = event.seq === after.seq ? after.frame : 0;
    for (let i = skipped; i < all.length; i++) text += frameText(all[i]!, event.seq, i + 1);
  }
  return text;
}

export function frameText({ event, data }: Frame, seq: number, frame: number): string {
  return `id: ${seq}-${frame}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Where the reader goes on; "-1", "-" and nothing are the beginning. */
function placeOf({ headers }: FastifyRequest): Place {
  const id = headers["last-event-id"];
  if (id === undefined || id === "" || id === "-1" || id === "-") return { seq: 0, frame: 0 };
  const match = typeof id === "string" ? /^(\d{1,15})-(\d{1,9})$/.exec(id) : null;
  if (!match)
    throw new Problem("bad_request", { message: "header.last-event-id is not an id of this stream." });
  return { seq: Number(match[1]), frame: Number(match[2]) };
}

/** What the metadata of each message says of its run. */
export async function aboutRun(app: App, run: RunRow) {
  const { langgraph } = await readRequest(app.node.database, run.log_id, run.run_id);
  const own = (await systemAssistants(app)).get(run.deployment_id);
  return {
    run_id: runUuid(run.run_id),
    thread_id: run.thread_id,
    graph_id: own?.graph_id ?? null,
    assistant_id: langgraph?.assistant_id ?? own?.assistant_id ?? null,
    run_attempt: run.attempt,
  };
}
