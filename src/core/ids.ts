/** How ids are made. Pure: time and randomness come in as arguments. */

const LOG_RANDOM_BITS = 12n;
const EPOCH_MS = Date.UTC(2026, 0, 1);

/**
 * A thread log's id: an integer below 2^53, so it is exact in JavaScript and eight bytes in a database.
 * Milliseconds since 2026 (41 bits, until 2095), then 12 random bits.
 */
export function logId(nowMs: number, random: Uint8Array): number {
  const milliseconds = BigInt(Math.max(0, nowMs - EPOCH_MS));
  const noise = BigInt(((random[0] ?? 0) << 8) | (random[1] ?? 0)) & ((1n << LOG_RANDOM_BITS) - 1n);
  return Number((milliseconds << LOG_RANDOM_BITS) | noise);
}

/**
 * A run's id: `run_` and the 32 hex digits of a UUIDv8 (RFC 9562): 48 bits of Unix milliseconds, 12 routing bits
 * from the thread log's id (so the id alone names a shard), 62 random bits. Needs 8 random bytes.
 */
export function runId(nowMs: number, log: number, random: Uint8Array): string {
  const time = nowMs.toString(16).padStart(12, "0");
  const routing = routingBits(log).toString(16).padStart(3, "0");
  const rest = Buffer.from(random.subarray(0, 8));
  rest[0] = ((rest[0] ?? 0) & 0x3f) | 0x80;
  return `run_${time}8${routing}${rest.toString("hex")}`;
}

/** The 12 bits of a log id by which the schema may be sharded: its random low bits, which spread evenly. */
export function routingBits(log: number): number {
  return Number(BigInt(log) & ((1n << LOG_RANDOM_BITS) - 1n));
}

/** Any other id: a prefix (`thr`, `dep`, `ver`, `key`, `node`) and 24 hex digits. Needs 12 random bytes. */
export function prefixedId(prefix: string, random: Uint8Array): string {
  return `${prefix}_${Buffer.from(random.subarray(0, 12)).toString("hex")}`;
}

/** What a client may choose as a thread's id: 1 to 128 letters, digits and `_ . : @ -`. */
export const CLIENT_ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$";
