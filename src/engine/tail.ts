/**
 * Reads a run's or a thread's events from the log, from any place on, until they end. Live tail, replay after a
 * reconnect, joining a finished run and reading from another node are this one loop.
 */
import type { NumberedEvent } from "../core/event.ts";
import { isLastEvent, isOver } from "../core/moves.ts";
import type { Database } from "../store/database.ts";
import { lastEventOf, readEvents } from "../store/events.ts";
import { findRun, progressOf, type RunRow } from "../store/runs.ts";
import type { Hints } from "./hints.ts";
import { logTopic } from "./node.ts";
import { outlast } from "./outage.ts";

/** Events read at once: what one slow reader holds in memory. */
const PAGE = 500;

type Source = { database: Database; hints: Hints };

/** The run's events after `seq`, up to and including its last. Ends early when the signal aborts. */
export async function* tailRun(
  { database, hints }: Source,
  run: Pick<RunRow, "log_id" | "run_id">,
  seq: number,
  signal: AbortSignal,
): AsyncGenerator<NumberedEvent[]> {
  let after = seq;
  while (!signal.aborted) {
    const wait = hints.wait(logTopic(run.log_id), signal);
    // The progress is read before the events: what is over then has all its events in the log.
    const progress = await outlast(signal, () => progressOf(database, run));
    // A run has its number once it has begun, or was canceled before that: also by the deletion of its thread.
    const run_number = progress?.run_number ?? null;
    const events =
      run_number === null
        ? []
        : await outlast(signal, () =>
            readEvents(database, run.log_id, { run_number, seq: after }, PAGE, "run"),
          );
    if (events.length > 0) {
      after = events.at(-1)!.seq;
      yield events;
      if (isLastEvent(events.at(-1)!.type)) return wait.end();
      wait.end();
      // A reader may name a place behind the last event; the sweep may have taken the run.
    } else if (!progress || isOver(progress.status)) return wait.end();
    else await wait.over;
  }
}

/**
 * The events of a thread's runs after a place, in the order the runs began; each run is read to its last event before
 * the next. Ends when the signal aborts or `gone` says the thread is deleted.
 */
export async function* tailThread(
  { database, hints }: Source,
  log_id: number,
  from: { run_number: number; seq: number },
  signal: AbortSignal,
  gone: () => Promise<boolean>,
): AsyncGenerator<NumberedEvent[]> {
  let place = from;
  let open = from.run_number > 0 && !(await isEnd(database, log_id, from));
  while (!signal.aborted) {
    const wait = hints.wait(logTopic(log_id), signal);
    const read = await outlast(signal, () => readEvents(database, log_id, place, PAGE, "thread"));
    const events: NumberedEvent[] = [];
    for (const event of read) {
      // A run canceled before it began has its number, and its end, while the one before it still runs.
      if (open && event.run_number !== place.run_number) break;
      place = { run_number: event.run_number, seq: event.seq };
      open = !isLastEvent(event.type);
      events.push(event);
    }
    if (events.length > 0) {
      wait.end();
      yield events;
    } else {
      if (await outlast(signal, gone)) return wait.end();
      await wait.over;
    }
  }
}

/** Resolves with the run once it is over, or as it is when the signal aborts. Undefined: it is gone. */
export async function untilOver(
  { database, hints }: Source,
  run: Pick<RunRow, "log_id" | "run_id">,
  signal: AbortSignal,
): Promise<RunRow | undefined> {
  for (;;) {
    const wait = hints.wait(logTopic(run.log_id), signal);
    // Every commit of the run hints; the whole row is read once, at the end.
    const progress = await outlast(signal, () => progressOf(database, run));
    if (!progress || isOver(progress.status) || signal.aborted) {
      wait.end();
      return findRun(database, run.run_id);
    }
    await wait.over;
  }
}

/** The place a reader names is the last event of its run, or lies behind it: the next run may follow. */
async function isEnd(
  database: Database,
  log_id: number,
  place: { run_number: number; seq: number },
): Promise<boolean> {
  const last = await lastEventOf(database, log_id, place.run_number);
  return last !== undefined && place.seq >= last.seq && isLastEvent(last.type);
}
