/** Code that computes for long without giving way is slow, not broken. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HUNG_AFTER_MS } from "../../src/runner/limits.ts";
import { testServer } from "../fixtures/server.ts";

const project = {
  "crewship.toml": `[deployment]\nname = "blocking"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
  "package.json": `{"type":"module"}`,
  "agent.ts": `
export function agent(input: { block_ms: number }) {
  const until = Date.now() + input.block_ms;
  while (Date.now() < until);
  return "done";
}
`,
};

test("a run that blocks its process from its first moment on is let finish", async (t) => {
  const { call, deployment_id } = await testServer(t, project);
  // The first run loads the agent, so that the second one meets an idle process; in a thread of its own it has nothing
  // to read before its code begins.
  for (const block_ms of [0, HUNG_AFTER_MS + 2_000]) {
    const { body: thread } = await call("POST", "/v1/threads", { deployment_id });
    const { body: run } = await call("POST", `/v1/threads/${thread.thread_id}/runs/wait`, {
      input: { block_ms },
    });
    assert.equal(run.status, "succeeded", JSON.stringify(run.error));
    assert.equal(run.attempt, 1);
  }
});
