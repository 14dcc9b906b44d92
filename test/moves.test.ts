import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isLastEvent,
  isOver,
  lastEventTypes,
  moveNames,
  moves,
  type RunStatus,
  runStatuses,
  type ThreadStatus,
  threadStatuses,
} from "../src/core/moves.ts";
import { Problem, problemCodes } from "../src/core/problem.ts";

const startsFrom = (status: RunStatus) =>
  moveNames.filter((name) => (moves[name].from as readonly RunStatus[]).includes(status));

test("every status of a run has a way out or is over, and can be reached", () => {
  for (const status of runStatuses) {
    assert.equal(startsFrom(status).length === 0, isOver(status), status);
    const reached = status === "pending" || moveNames.some((name) => moves[name].to === status);
    assert.ok(reached, `no move leads to ${status}`);
  }
  assert.deepEqual(runStatuses.filter(isOver), ["succeeded", "failed", "canceled", "interrupted"]);
});

test("from every status that is not over, the run can end", () => {
  for (const status of runStatuses.filter((one) => !isOver(one))) {
    assert.ok(startsFrom(status).includes("cancel"), `a ${status} run can be canceled`);
  }
});

test("a move has a last event exactly when it ends the run, and no two endings share one", () => {
  for (const name of moveNames) {
    const { to, last_event } = moves[name];
    assert.equal(last_event !== null, isOver(to), name);
  }
  const endings = moveNames.map((name) => moves[name].last_event).filter((event) => event !== null);
  assert.deepEqual([...endings].sort(), [...lastEventTypes].sort());
  assert.equal(new Set(moveNames.map((name) => moves[name].to)).size, moveNames.length);
});

test("a thread is busy after a move exactly when the run goes on", () => {
  for (const name of moveNames) {
    assert.equal(moves[name].thread === "busy", !isOver(moves[name].to), name);
  }
  const left = new Set<ThreadStatus>(moveNames.map((name) => moves[name].thread));
  assert.deepEqual([...left].sort(), [...threadStatuses].sort(), "every thread status comes from some move");
});

test("only the lease's holder says how its own work ended; a claim, a requeue and a cancel are anyone's", () => {
  for (const name of moveNames) {
    assert.equal(moves[name].by, ["succeed", "fail", "interrupt"].includes(name) ? "holder" : "anyone", name);
  }
});

test("events of an agent's own are not last events, whatever they look like", () => {
  for (const type of lastEventTypes) assert.ok(isLastEvent(type));
  for (const type of ["run.started", "run.restarted", "custom", "run.completed ", "toString", "__proto__"]) {
    assert.ok(!isLastEvent(type), type);
  }
});

test("every problem has an HTTP status of its family and a sentence that says something without details", () => {
  for (const code of problemCodes) {
    for (const problem of [new Problem(code), new Problem(code, {})]) {
      assert.ok([400, 401, 403, 404, 409, 413, 429, 500, 503].includes(problem.status), code);
      assert.match(problem.message, /^[A-Z`v].{9,}/, `${code}: ${problem.message}`);
      assert.equal(problem.code, code);
      assert.equal(problem.name, "Problem");
    }
  }
  assert.equal(new Problem("thread_busy").status, 409);
});

test("a problem's sentence names what it is about, and its cause stays inside", () => {
  const cause = new Error("a secret from the database");
  const busy = new Problem("thread_busy", { thread_id: "thr_1", run_id: "run_1" }, { cause });
  assert.match(busy.message, /thr_1.*run_1/);
  assert.deepEqual(busy.details, { thread_id: "thr_1", run_id: "run_1" });
  assert.doesNotMatch(busy.message, /secret/);
  assert.equal(busy.cause, cause);
  assert.equal(
    new Problem("no_version", { environment: "production" }).message,
    "No running version found for production environment",
  );
});
