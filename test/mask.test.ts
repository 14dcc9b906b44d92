/** Secrets are hidden in what an agent says to people, and nothing else is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { maskOf } from "../src/runner/mask.ts";

test("every place of a secret is hidden in texts, and the longer one where one begins with another", () => {
  const mask = maskOf(["a+b(c", "token", "token-of-another"])!;
  assert.equal(mask.text("a+b(c, token and token-of-another"), "***, *** and ***");
  assert.equal(mask.text("aab(c"), "aab(c");
});

test("events and errors are without secrets, in keys and deep inside too; a checkpoint stays as it is", () => {
  const mask = maskOf(["secret"])!;
  const data = { said: "my secret", secret: [1, null, true, { deep: "secret" }] };
  assert.deepEqual(mask.message({ type: "event", run_id: "run_1", events: [{ type: "custom", data }] }), {
    type: "event",
    run_id: "run_1",
    events: [{ type: "custom", data: { said: "my ***", "***": [1, null, true, { deep: "***" }] } }],
  });
  const whole = [{ $crewship: ["items", 1, 2, 1] }];
  const told = (content: string) => ({
    type: "message.delta",
    data: { message_id: "m", content },
    langgraph: { task: 1, whole, namespace: "secret" },
  });
  assert.deepEqual(
    mask.message({ type: "event", run_id: "run_1", events: [told("none"), told("the secret")] }),
    {
      type: "event",
      run_id: "run_1",
      events: [
        {
          type: "message.delta",
          data: { message_id: "m", content: "none" },
          langgraph: { task: 1, whole, namespace: "***" },
        },
        {
          type: "message.delta",
          data: { message_id: "m", content: "the ***" },
          langgraph: { task: 1, namespace: "***" },
        },
      ],
    },
    "a message with a secret does not refer to the state, where it is not hidden",
  );
  const error = { message: "no secret", traceback: "at secret.ts" };
  assert.deepEqual(mask.message({ type: "done", run_id: "run_1", outcome: "failed", error }), {
    type: "done",
    run_id: "run_1",
    outcome: "failed",
    error: { message: "no ***", traceback: "at ***.ts" },
  });
  const done = { type: "done", run_id: "run_1", outcome: "succeeded", output: "secret" } as const;
  assert.equal(mask.message(done), done);
});

test("the lines of a key in PEM are hidden one by one; what is short or stands everywhere is not", () => {
  const mask = maskOf(["-----BEGIN-----\nMIIEvQIBADAN\nab\n", "1", "eu"])!;
  assert.equal(mask.text("MIIEvQIBADAN ab 1 eu"), "*** ab 1 eu");
  assert.equal(maskOf(["", "1", "eu"]), undefined);
});
