/** A status as a dot and its word. Colour never says it alone. */
import type { VersionStatus } from "../../../src/core/deployment.ts";
import type { RunStatus, ThreadStatus } from "../../../src/core/moves.ts";
import { classNames } from "./class_names.ts";

type Status = ThreadStatus | RunStatus | VersionStatus | "delivered";

const tones: Record<Status, "calm" | "good" | "live" | "ask" | "bad"> = {
  idle: "calm",
  busy: "live",
  interrupted: "ask",
  error: "bad",
  pending: "calm",
  running: "live",
  succeeded: "good",
  failed: "bad",
  canceled: "calm",
  building: "live",
  ready: "good",
  retired: "calm",
  delivered: "good",
};

const dots = {
  calm: "bg-ink-faint",
  good: "bg-good",
  live: "bg-live breathing",
  ask: "bg-ask",
  bad: "bg-bad",
};
const words = {
  calm: "text-ink-soft",
  good: "text-good",
  live: "text-live",
  ask: "text-ask",
  bad: "text-bad",
};

export function StatusDot({ status }: { status: Status }) {
  return (
    <span
      aria-hidden
      className={classNames("inline-block size-2 shrink-0 rounded-full", dots[tones[status]])}
    />
  );
}

export function StatusLabel({ status }: { status: Status }) {
  return (
    <span className={classNames("inline-flex items-center gap-1.5 text-sm", words[tones[status]])}>
      <StatusDot status={status} />
      {status}
    </span>
  );
}
