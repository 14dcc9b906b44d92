/** What an agent process may take, and how long it may take it. */

export const MAX_LINE_BYTES = 64 * 1024 * 1024;
/** What may wait to be read by a process before it counts as broken: it should read all the time. */
export const MAX_UNSENT_BYTES = 256 * 1024 * 1024;
export const MAX_UNACKNOWLEDGED_BYTES = 8 * 1024 * 1024;
/** The part of a process's memory in which the runner keeps the state of recent threads. */
export const WARM_SHARE = 1 / 8;
export const MB = 1024 * 1024;

export const LOAD_TIMEOUT_MS = 60_000;
/** How long a fork parent may take to fork once it is ready; a machine without a free core is slow. */
export const FORK_TIMEOUT_MS = 10_000;
/** How long an agent may take to say what it is made of, and how much it may say. Nothing else depends on it. */
export const DESCRIBE_TIMEOUT_MS = 10_000;
export const MAX_STRUCTURE_BYTES = 8 * MB;
export const STOP_GRACE_MS = 2_000;
/** A cancel ends within two seconds in all; the kill of what has not answered and its end come after this. */
export const CANCEL_GRACE_MS = 1_500;
/** A process whose loop turns speaks every second. */
export const SEAT_SILENCE_MS = 2_500;
/** Short enough that a run seated in a process which will never speak again is executed elsewhere within seconds. */
export const HUNG_AFTER_MS = 5_000;
export const SILENCE_CHECK_PARTS = 4;
/** After an exit: how long what it left in its pipes may take to read. A grandchild may hold them open. */
export const DRAIN_MS = 500;
/** After SIGKILL: how long until a process that the kernel does not end (a dead disk) counts as ended. */
export const KILL_CONFIRM_MS = 5_000;

/** The waits of one process, which a test may shorten. */
export type ProcessLimits = {
  loadTimeoutMs: number;
  describeTimeoutMs: number;
  stopGraceMs: number;
  cancelGraceMs: number;
  /** Silence after which the process takes no new runs. */
  seatSilenceMs: number;
  /**
   * Silence after which the process is killed if no run is under way in it. Otherwise it is reported and lives on: a
   * node that computes blocks its loop rightly.
   */
  hungAfterMs: number;
};

export const PROCESS_LIMITS: ProcessLimits = {
  loadTimeoutMs: LOAD_TIMEOUT_MS,
  describeTimeoutMs: DESCRIBE_TIMEOUT_MS,
  stopGraceMs: STOP_GRACE_MS,
  cancelGraceMs: CANCEL_GRACE_MS,
  seatSilenceMs: SEAT_SILENCE_MS,
  hungAfterMs: HUNG_AFTER_MS,
};

/** What a process may have in resident memory. memory_mb bounds V8's heap; buffers, code and the runner come on top. */
export function memoryCeilingMb(memoryMb: number): number {
  return Math.floor(memoryMb * 1.5 + 256);
}
