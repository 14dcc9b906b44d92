/** The machine's own limits: HTTP over loopback without anything behind it, and flushes of the disk. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lasting } from "./ends.ts";
import { post, type Target } from "./http.ts";
import { median, timed } from "./measure.ts";

const PAGE_BYTES = 4096;
const FLUSHES = 200;
const REQUESTS = 500;

/** Starts a server in its own process that reads a body and answers a kilobyte. */
export async function startFloor(): Promise<Target> {
  const child = await lasting(fork(fileURLToPath(import.meta.url), ["child"]), (child) => child.kill());
  const [port] = (await once(child, "message")) as [number];
  return { url: `http://127.0.0.1:${port}`, apiKey: "none" };
}

/** Both in a line, for whoever reads the figures of a case. */
export async function measureFloor(): Promise<string> {
  const floor = await startFloor();
  const times: number[] = [];
  for (let i = 0; i < 2 * REQUESTS; i++) times.push(await timed(() => post(floor, "/", {})));
  const loopback = median(times.slice(REQUESTS));
  const folder = await lasting(mkdtempSync(join(tmpdir(), "crewship-floor-")), (folder) =>
    rmSync(folder, { recursive: true }),
  );
  const flushed = 1000 / median(flushes(folder, FLUSHES));
  return `HTTP over loopback ${loopback.toFixed(2)} ms, ${Math.round(flushed)} flushes/s`;
}

/** The ms of `count` appends of 4 KB, each followed by fdatasync, to a file in `folder`. */
export function flushes(folder: string, count = FLUSHES): number[] {
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
  process.on("disconnect", () => process.exit());
  const answer = JSON.stringify({ status: "succeeded", text: "x".repeat(1000) });
  const server = createServer(async (incoming, outgoing) => {
    for await (const _ of incoming);
    outgoing.setHeader("content-type", "application/json").end(answer);
  });
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
}
