/** An agent process ends with its server, whatever its code is doing. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const MAIN = join(import.meta.dirname, "../../runners/node/main.ts");
const DEADLINE_MS = 15_000;

/** A server for this one purpose: it starts an agent process, gives it a run that never returns, and says so. */
const server = `
import { spawn } from "node:child_process";
const [main, directory] = process.argv.slice(1);
const agent = spawn(process.execPath, [main], { cwd: directory, stdio: ["ignore", "ignore", "ignore", "pipe"], detached: true });
const send = (message) => agent.stdio[3].write(JSON.stringify(message) + "\\n");
send({ type: "load", framework: "function", entrypoint: "./agent.ts:agent", directory, max_unacknowledged_bytes: 1e6, max_warm_bytes: 1e6 });
agent.stdio[3].on("data", (data) => {
  if (String(data).includes('"loaded"')) {
    send({ type: "run", run_id: "run_1", thread_id: null, log_id: 1, next_item: 1, head: null, checkpoint_id: null, attempt: 1,
      initial_values: null, input: {}, command: null, config: null, metadata: {}, interrupt_before: null,
      interrupt_after: null, stream_tokens: true, stream_events: false, deployment_id: "dep_1", version_id: "ver_1" });
  }
});
console.log(agent.pid);
`;

/** Gone, or a zombie that nobody has reaped yet. */
function hasEnded(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch {
    return true;
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const onLinux = process.platform === "linux";
test("a process whose loop is blocked for ever ends when its server is killed", {
  skip: !onLinux,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "crewship-orphan-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const spinning = join(folder, "spinning");
  writeFileSync(join(folder, "package.json"), `{"type":"module"}`);
  writeFileSync(
    join(folder, "agent.ts"),
    `import { writeFileSync } from "node:fs";
     export function agent() { writeFileSync(${JSON.stringify(spinning)}, ""); for (;;); }`,
  );
  const parent = spawn(process.execPath, ["--input-type=module", "-e", server, MAIN, folder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = Number(await new Promise<Buffer>((resolve) => parent.stdout.once("data", resolve)));
  t.after(() => hasEnded(pid) || process.kill(-pid, "SIGKILL"));
  await until(() => {
    try {
      readFileSync(spinning);
      return true;
    } catch {
      return false;
    }
  }, "the run's beginning");
  assert.equal(hasEnded(pid), false);
  parent.kill("SIGKILL");
  await until(() => hasEnded(pid), "the end of the agent process");
});
