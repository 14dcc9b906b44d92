/** /v1/changes: one stream of what has changed among the threads and runs a key reaches. */
import { Type } from "typebox";
import type { Change } from "../../core/change.ts";
import type { NumberedEvent } from "../../core/event.ts";
import type { Json } from "../../core/json.ts";
import type { App } from "../app.ts";
import { type Principal, reaches } from "../auth.ts";
import { endpoint } from "../endpoint.ts";
import { streamEvents } from "../sse.ts";

/** A stream ends then and its reader comes back, with a key that may not be one any more. */
const MAX_STREAM_MS = 10 * 60_000;

export const stream = endpoint(
  {
    summary: "Which threads and runs have changed, as it happens; hints for lists, none of which is kept",
    tag: "changes",
    answers: { 200: Type.String() },
    streams: true,
  },
  async ({ app, principal, request, reply }) => {
    await streamEvents(app, request, reply, {
      wanted: () => true,
      pages: (signal) =>
        changes(app, principal, AbortSignal.any([signal, AbortSignal.timeout(MAX_STREAM_MS)])),
      id: ({ seq }) => String(seq),
    });
    return undefined;
  },
);

async function* changes(
  { changes }: App,
  principal: Principal,
  signal: AbortSignal,
): AsyncGenerator<NumberedEvent[]> {
  const isReached = reaches(principal);
  let seq = 0;
  for await (const { threads, runs, is_complete } of changes.read(signal)) {
    const data: Change = {
      threads: threads.filter(({ deployment_id }) => isReached(deployment_id)),
      runs: runs.filter(({ deployment_id }) => isReached(deployment_id)),
      is_complete,
    };
    if (is_complete && data.threads.length === 0 && data.runs.length === 0) continue;
    yield [{ type: "changed", data: data as unknown as Json, run_number: 0, seq: ++seq }];
  }
}
