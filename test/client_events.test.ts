import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { CrewshipClient } from "../src/client/client.ts";
import { ApiError, ConnectionError } from "../src/client/errors.ts";
import type { StreamEvent } from "../src/client/events.ts";

type Seen = { method: string; path: string; after: string | undefined };
/** Answers the n-th request, counted from 1. */
type Script = (n: number, response: ServerResponse, seen: Seen) => void;

/** A real HTTP server that plays a script, and a client for it. */
async function play(t: TestContext, script: Script) {
  const requests: Seen[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const seen = {
      method: request.method ?? "",
      path: request.url ?? "",
      after: request.headers["last-event-id"]?.toString(),
    };
    requests.push(seen);
    request.resume().on("end", () => script(requests.length, response, seen));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: new CrewshipClient({ url, apiKey: "crewship_test" }), requests, server };
}

function stream(response: ServerResponse, headers: Record<string, string> = {}) {
  response.writeHead(200, { "Content-Type": "text/event-stream", ...headers });
  response.flushHeaders();
}

function frame(id: string | number, type: string, data: unknown = {}): string {
  return `id: ${id}\ndata: ${JSON.stringify({ type, data })}\n\n`;
}

/** Sends everything, and only then breaks the connection in the middle of whatever came last. */
function sendAndBreak(response: ServerResponse, text: string) {
  response.write(text, () => response.destroy());
}

async function collect(events: AsyncIterable<StreamEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const event of events) found.push(`${event.id} ${event.type}`);
  return found;
}

function problem(response: ServerResponse, status: number, code: string, details?: object) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ error: { code, message: `said ${code}`, details } }));
}

test("a run's stream that breaks after every frame yields each event exactly once and in order", async (t) => {
  const all = [1, 2, 3, 4, 5, 6].map((seq) => frame(seq, seq === 6 ? "run.completed" : "log"));
  const { client, requests } = await play(t, (_, response, { after }) => {
    stream(response);
    const next = Number(after ?? 0);
    // Half of the frame after is sent too: what was not complete must be read again, not guessed.
    sendAndBreak(response, `: hello\n\n${all[next]}${all[next + 1]?.slice(0, 12) ?? ""}`);
  });
  const events = await collect(client.runEvents("run_1"));
  assert.deepEqual(events, ["1 log", "2 log", "3 log", "4 log", "5 log", "6 run.completed"]);
  assert.deepEqual(
    requests.map(({ after }) => after),
    [undefined, "1", "2", "3", "4", "5"],
  );
});

test("a frame cut anywhere, in the middle of a character too, arrives whole", async (t) => {
  const bytes = Buffer.from(
    frame(1, "message.delta", { content: "grün 🌱" }) + frame(2, "run.completed", { result: null }),
  );
  const { client } = await play(t, (_, response) => {
    stream(response);
    const send = (at: number): void => {
      if (at === bytes.length) response.end();
      else response.write(bytes.subarray(at, at + 1), () => setImmediate(send, at + 1));
    };
    send(0);
  });
  const events: StreamEvent[] = [];
  for await (const event of client.runEvents("run_1")) events.push(event);
  assert.deepEqual(events[0], { id: "1", type: "message.delta", data: { content: "grün 🌱" } });
  assert.equal(events.length, 2);
});

test("a stream that its server ends too early is continued, and a 204 ends it", async (t) => {
  const { client, requests } = await play(t, (n, response) => {
    if (n === 2) return void response.writeHead(204).end();
    stream(response);
    response.end(frame("3-1", "run.started") + frame("3-2", "run.completed"));
  });
  assert.deepEqual(await collect(client.threadEvents("thr_1", { after: "2-9" })), [
    "3-1 run.started",
    "3-2 run.completed",
  ]);
  assert.deepEqual(
    requests.map(({ path, after }) => `${path} ${after}`),
    ["/v1/threads/thr_1/events 2-9", "/v1/threads/thr_1/events 3-2"],
  );
});

test("a run's stream ends at the last event without another request", async (t) => {
  const { client, requests } = await play(t, (_, response) => {
    stream(response);
    response.write(frame(1, "run.started") + frame(2, "run.interrupted") + frame(3, "log"));
  });
  assert.deepEqual(await collect(client.runEvents("run_1")), ["1 run.started", "2 run.interrupted"]);
  assert.equal(requests.length, 1);
});

test("streamRun starts its run once and takes a broken stream up at the run's own address", async (t) => {
  const { client, requests } = await play(t, (n, response) => {
    stream(response, { Location: "/v1/runs/run_7" });
    if (n === 1) sendAndBreak(response, frame(1, "run.started"));
    else response.end(frame(2, "run.completed"));
  });
  assert.deepEqual(await collect(client.streamRun("thr_1", { input: { a: 1 } })), [
    "1 run.started",
    "2 run.completed",
  ]);
  assert.deepEqual(requests, [
    { method: "POST", path: "/v1/threads/thr_1/runs/stream", after: undefined },
    { method: "GET", path: "/v1/runs/run_7/events", after: "1" },
  ]);
});

test("a restarting server's 503 is waited out, and a refusal after it is reported", async (t) => {
  const { client, requests } = await play(t, (n, response) => {
    if (n === 1) {
      stream(response);
      sendAndBreak(response, frame(1, "run.started"));
    } else if (n === 2) problem(response, 503, "unavailable");
    else problem(response, 404, "not_found", { id: "run_1" });
  });
  const failure = await collect(client.runEvents("run_1")).catch((error: unknown) => error);
  assert.ok(failure instanceof ApiError);
  assert.deepEqual(
    [failure.status, failure.code, failure.message, failure.details],
    [404, "not_found", "said not_found", { id: "run_1" }],
  );
  assert.equal(requests.length, 3);
});

test("a refusal of the first request is an ApiError and is not tried again", async (t) => {
  const { client, requests } = await play(t, (_, response) => problem(response, 503, "unavailable"));
  await assert.rejects(collect(client.runEvents("run_1")), { name: "ApiError", code: "unavailable" });
  assert.equal(requests.length, 1);
});

test("an error that is not ours keeps its status and gets a code of its own", async (t) => {
  const { client } = await play(t, (_, response) => void response.writeHead(502).end("<h1>Bad gateway</h1>"));
  await assert.rejects(client.getRun("run_1"), {
    status: 502,
    code: "http_502",
    message: "The server answered 502 Bad Gateway",
  });
});

test("a server that answers but never says anything is given up on in bounded time", async (t) => {
  const { client } = await play(t, (_, response) => {
    stream(response);
    response.end();
  });
  const failure = await collect(client.runEvents("run_1", { reconnectForMs: 400 })).catch((error) => error);
  assert.ok(failure instanceof ConnectionError);
  assert.match(failure.message, /broke and did not come back/);
});

test("a server that is not there is a ConnectionError that names it, at once", async (t) => {
  const { client, server } = await play(t, () => undefined);
  await new Promise((resolve) => server.close(resolve));
  const failure = await collect(client.runEvents("run_1")).catch((error) => error);
  assert.ok(failure instanceof ConnectionError);
  assert.equal(failure.url, client.url);
});

test("an aborted signal ends the reading with its reason, while waiting for bytes and while waiting to reconnect", async (t) => {
  const { client, server } = await play(t, (n, response) => {
    stream(response);
    if (n === 1) response.write(frame(1, "run.started"));
    else sendAndBreak(response, frame(2, "log"));
  });
  const reading = new AbortController();
  const reason = new Error("enough");
  await assert.rejects(async () => {
    for await (const _ of client.runEvents("run_1", { signal: reading.signal })) reading.abort(reason);
  }, reason);

  const reconnecting = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of client.runEvents("run_1", { signal: reconnecting.signal })) {
      server.close();
      server.closeAllConnections();
      setImmediate(() => reconnecting.abort(reason));
    }
  }, reason);
});

test("leaving the loop closes the connection", async (t) => {
  let closed: () => void = () => undefined;
  const over = new Promise<void>((resolve) => {
    closed = resolve;
  });
  const { client } = await play(t, (_, response) => {
    response.on("close", closed);
    stream(response);
    response.write(frame(1, "run.started"));
  });
  for await (const _ of client.runEvents("run_1")) break;
  await over;
});

test("a frame that is no event is an error instead of a silent gap", async (t) => {
  const { client } = await play(t, (_, response) => {
    stream(response);
    response.write("id: 1\ndata: hello\n\n");
  });
  await assert.rejects(collect(client.runEvents("run_1")), /holds a frame that is no event/);
});
