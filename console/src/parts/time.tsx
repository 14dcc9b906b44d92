/** Times for people: how long ago, with the exact instant in the title; durations. One clock moves all of them. */
import { useSyncExternalStore } from "react";

const TICK_MS = 10_000;
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The clocks of server and browser differ a little, and ours moves in ticks. */
const CLOCK_ERROR_MS = 20_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const WEEK_DAYS = 7;

function relative(ms: number, at: Date): string {
  const past = ms >= -CLOCK_ERROR_MS;
  const size = Math.abs(ms);
  const say = (text: string) => (past ? `${text} ago` : `in ${text}`);
  if (size < MINUTE_MS) return past ? "just now" : "in a moment";
  if (size < HOUR_MS) return say(`${Math.floor(size / MINUTE_MS)} min`);
  if (size < DAY_MS) return say(`${Math.floor(size / HOUR_MS)} h`);
  if (size < WEEK_DAYS * DAY_MS) return say(`${Math.floor(size / DAY_MS)} d`);
  return (at.getFullYear() === new Date().getFullYear() ? day : dayOfYear).format(at);
}

export function Time({ at }: { at: string }) {
  const current = useSyncExternalStore(subscribe, () => now);
  const date = new Date(at);
  return (
    <time dateTime={at} title={exact.format(date)} className="numeric whitespace-nowrap">
      {relative(current - date.getTime(), date)}
    </time>
  );
}

export function ClockTime({ at }: { at: string }) {
  const date = new Date(at);
  return (
    <time dateTime={at} title={exact.format(date)} className="numeric whitespace-nowrap">
      {clock.format(date)}
    </time>
  );
}

/** 340 ms, 4.2 s, 3 min 20 s, 2 h 5 min. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < MINUTE_MS) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min ${Math.floor((ms % MINUTE_MS) / 1000)} s`;
  return `${Math.floor(ms / HOUR_MS)} h ${Math.floor((ms % HOUR_MS) / MINUTE_MS)} min`;
}
