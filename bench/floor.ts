/** The machine's own limits: HTTP over loopback without anything behind it, and flushes of the disk. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Target } from "./http.ts";

const PAGE_BYTES = 4096;

/** Starts a server in its own process that reads a body and answers a kilobyte. */
export async function startFloor(): Promise<Target & { stop(): Promise<void> }> {
  const child = fork(fileURLToPath(import.meta.url), ["child"]);
  const [port] = (await once(child, "message")) as [number];
  return {
    url: `http://127.0.0.1:${port}`,
    apiKey: "none",
    stop: async () => {
      const exit = once(child, "exit");
      child.kill();
      await exit;
    },
  };
}

/** The ms of `count` appends of 4 KB, each followed by fdatasync, to a file in `folder`. */
export function flushes(folder: string, count: number): number[] {
  const file = openSync(join(folder, "flushed"), "w");
  const page = Buffer.alloc(PAGE_BYTES, 1);
  const times = Array.from({ length: count }, () => {
    const started = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    return performance.now() - started;
  });
  closeSync(file);
  return times;
}

if (process.argv[2] === "child" && process.send) {
  const answer = JSON.stringify({ status: "succeeded", text: "x".repeat(1000) });
  const server = createServer(async (incoming, outgoing) => {
    for await (const _ of incoming);
    outgoing.setHeader("content-type", "application/json").end(answer);
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
}
