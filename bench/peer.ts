/**
 * LangGraph.js's own server (`langgraphjs dev`) with the same graphs, installed into .cache/peer only when it is asked for.
 * It contacts nothing but us: no telemetry, no tracing, no Studio.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { lasting } from "./ends.ts";
import { get, post, type Target } from "./http.ts";

export const PEER = "langgraph-js";
/** npm's 2.0.0 of it is an older, accidental publish. */
const CLI = "@langchain/langgraph-cli@~1.5.0";
const INSTALL_MS = 10 * 60_000;
const READY_MS = 60_000;
const LOOK_MS = 250;
/** It writes its files when nothing has changed for 3 s. */
const WRITTEN_MS = 5_000;

const here = fileURLToPath(new URL(".", import.meta.url));
const cache = join(here, "../.cache/peer");
const modules = join(cache, "node_modules");

export type Peer = Target & { folder: string };

/** Installs it, unless it is there. LangGraph itself comes in the version that ours runs with. */
export async function preparePeer(say: (text: string) => void): Promise<void> {
  const packages = [CLI, ...["core", "langgraph"].map((name) => `@langchain/${name}@${versionOf(name)}`)];
  const list = join(cache, "installed.json");
  if (existsSync(list) && readFileSync(list, "utf8") === JSON.stringify(packages)) return;
  say(`installs ${packages.join(", ")} into .cache/peer`);
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  await promisify(execFile)("npm", ["install", ...flags, ...packages], { cwd: cache, timeout: INSTALL_MS });
  writeFileSync(list, JSON.stringify(packages));
}

function versionOf(name: string): string {
  const manifest = join(here, `../node_modules/@langchain/${name}/package.json`);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

/** Starts it by its own command, in a folder of its own. Resolves when it answers. */
export async function startPeer(): Promise<Peer> {
  const folder = await lasting(mkdtempSync(join(cache, "run-")), (folder) =>
    rmSync(folder, { recursive: true, maxRetries: 5 }),
  );
  cpSync(join(here, "agent/src"), join(folder, "src"), { recursive: true });
  symlinkSync(modules, join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  writeFileSync(
    join(folder, "langgraph.json"),
    JSON.stringify({
      node_version: "24",
      dependencies: ["."],
      graphs: { echo: "./src/echo.ts:graph" },
      env: {},
    }),
  );
  const port = await freePort();
  const program = join(modules, "@langchain/langgraph-cli/dist/cli/cli.mjs");
  const address = ["--port", String(port), "--host", "127.0.0.1"];
  const child = await lasting(
    spawn(
      process.execPath,
      [program, "dev", "--no-browser", ...address, "--studio-url", "http://127.0.0.1"],
      {
        cwd: folder,
        env: {
          PATH: process.env.PATH,
          HOME: folder,
          BROWSER: "none",
          LOG_LEVEL: "warn",
          LANGGRAPH_CLI_NO_ANALYTICS: "1",
          LANGSMITH_TRACING: "false",
          LANGCHAIN_TRACING_V2: "false",
        },
        stdio: "ignore",
        // It starts others: all of them end as one group.
        detached: true,
      },
    ),
    endGroup,
  );
  const peer = { url: `http://127.0.0.1:${port}`, apiKey: "none", folder };
  for (const deadline = Date.now() + READY_MS; ; await pause(LOOK_MS)) {
    if (child.exitCode !== null) throw new Error("the peer ended before it was ready");
    const ready = await get(peer, "/ok").catch(() => null);
    if (ready) return peer;
    if (Date.now() > deadline) throw new Error(`the peer was not ready within ${READY_MS / 1000} s`);
  }
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  process.kill(-child.pid!, "SIGKILL");
  await exit;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

export async function newPeerThread(peer: Peer): Promise<string> {
  const { text } = await post(peer, "/threads", {});
  return (JSON.parse(text) as { thread_id: string }).thread_id;
}

/** One run with one message, awaited. Throws when it did not succeed. */
export async function peerTurn(peer: Peer, thread_id: string, content: string): Promise<void> {
  const body = { assistant_id: "echo", input: { messages: [{ type: "human", content }] } };
  const { text } = await post(peer, `/threads/${thread_id}/runs/wait`, body);
  const { messages } = JSON.parse(text) as { messages?: unknown[] };
  if (messages === undefined) throw new Error(`the peer answered ${text.slice(0, 200)}`);
}

/** Size of its files once it has written what it holds. */
export async function peerDiskBytes({ folder }: Peer): Promise<number> {
  const state = join(folder, ".langgraph_api");
  const sizes = () => readdirSync(state).map((name) => statSync(join(state, name)));
  for (let seen = ""; ; ) {
    const now = sizes()
      .map(({ size, mtimeMs }) => `${size} ${mtimeMs}`)
      .join();
    if (now === seen) return sizes().reduce((sum, { size }) => sum + size, 0);
    seen = now;
    await pause(WRITTEN_MS);
  }
}
