/** Delivers what is owed: tells the receivers of webhooks how runs ended, again and again for a day until they have taken it. */
import { randomBytes } from "node:crypto";
import type { Json } from "../core/json.ts";
import type { Delivery } from "../core/webhook.ts";
import { claimDeliveries, nextDeliveryMs, retryDelivery, settleDelivery } from "../store/deliveries.ts";
import { lastEventOf, readEvents } from "../store/events.ts";
import { findRun, showRuns } from "../store/runs.ts";
import { signingSecret } from "../store/webhooks.ts";
import { SLOW_TIMER_MS } from "./hints.ts";
import { DELIVERIES_TOPIC, type Node } from "./node.ts";
import { logFailure } from "./outage.ts";
import { post, type Receipt } from "./post.ts";

const AT_ONCE = 8;
const LIMIT_S = 86_400;
/** Before the second attempt, the third, …; the last is for all that follow. */
const RETRY_S = [5, 30, 120, 600, 1_800, 3_600];
/** So that the retries of many deliveries do not come in one instant. */
const JITTER = 0.1;

export type DeliverOptions = { retry_s?: readonly number[] };

/** A new signing secret. */
export const newSecret = (): string => `whsec_${randomBytes(32).toString("base64url")}`;

/** Delivers until the signal aborts; what is under way then is tried again later. */
export async function deliver(
  node: Node,
  signal: AbortSignal,
  { retry_s = RETRY_S }: DeliverOptions = {},
): Promise<void> {
  const { database, hints, logger } = node;
  const underWay = new Set<Promise<void>>();
  while (!signal.aborted) {
    const wait = hints.wait(DELIVERIES_TOPIC, signal);
    let due: number | undefined;
    try {
      const free = AT_ONCE - underWay.size;
      due = free > 0 ? await nextDeliveryMs(database) : undefined;
      if (due !== undefined && due <= 0) {
        for (const delivery of await database.transaction((tx) => claimDeliveries(tx, free))) begin(delivery);
      }
    } catch (error) {
      logFailure(logger, error, "could not look for deliveries");
    }
    const timer =
      due === undefined ? undefined : setTimeout(wait.end, Math.max(0, Math.min(due, SLOW_TIMER_MS)));
    await Promise.race([wait.over, ...underWay]);
    clearTimeout(timer);
    wait.end();
  }
  await Promise.all(underWay);

  function begin(delivery: Delivery): void {
    const { delivery_id } = delivery;
    const attempt = attemptOnce(node, delivery, signal, retry_s)
      .catch((error: unknown) => logger.error({ delivery_id, error: String(error) }, "could not deliver"))
      .finally(() => underWay.delete(attempt));
    underWay.add(attempt);
  }
}

async function attemptOnce(
  node: Node,
  delivery: Delivery,
  signal: AbortSignal,
  retry_s: readonly number[],
): Promise<void> {
  const { database } = node;
  const parcel = await pack(node, delivery);
  if (!parcel) {
    const outcome = { last_status: null, last_error: "The run was deleted." };
    return database.transaction((tx) => settleDelivery(tx, delivery.delivery_id, "failed", outcome));
  }
  const receipt = await post(parcel, node.webhookAllowPrivate, signal);
  if (signal.aborted && receipt.status === null) return;
  await database.transaction((tx) => settle(tx, delivery, receipt, retry_s));
}

function settle(
  tx: Parameters<typeof settleDelivery>[0],
  { delivery_id, attempts }: Delivery,
  { status, error }: Receipt,
  retry_s: readonly number[],
): Promise<void> {
  const outcome = { last_status: status, last_error: error };
  if (error === null) return settleDelivery(tx, delivery_id, "delivered", outcome);
  const delay_s = retry_s[Math.min(attempts, retry_s.length) - 1]! * (1 + JITTER * Math.random());
  return retryDelivery(tx, delivery_id, { delay_s, limit_s: LIMIT_S }, outcome);
}

/** The same bytes at each attempt: a run that is over does not change. */
async function pack(node: Node, { delivery_id, run_id, event, url, created_at }: Delivery) {
  const { database } = node;
  const row = await findRun(database, run_id);
  if (!row) return undefined;
  const [run] = await showRuns(database, [row]);
  const last = await lastEventOf(database, row.log_id, row.run_number ?? 0);
  const place = { run_number: row.run_number ?? 0, seq: (last?.seq ?? 1) - 1 };
  const [told] = event === "run.interrupted" ? await readEvents(database, row.log_id, place, 1, "run") : [];
  const { interrupts } = (told?.data ?? {}) as { interrupts?: Json };
  const body = JSON.stringify({ event, delivery_id, created_at, run, ...(interrupts && { interrupts }) });
  const secret = await database.transaction((tx) => signingSecret(tx, row.deployment_id, newSecret()));
  return { url, event, delivery_id, body, secret };
}
