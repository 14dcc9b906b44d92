/** A lean HTTP client, one keep-alive connection per caller at a time, so that little of what is measured is ours. */
import { Agent, type IncomingMessage, request } from "node:http";

const agent = new Agent({ keepAlive: true, maxSockets: 2_048 });

export type Target = { url: string; apiKey: string };
export type Response = { status: number; text: string };

function open(target: Target, method: string, path: string, body?: object): Promise<IncomingMessage> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { authorization: `Bearer ${target.apiKey}` };
    if (text !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = Buffer.byteLength(text);
    }
    request(target.url + path, { method, agent, headers }, resolve)
      .on("error", reject)
      .end(text);
  });
}

async function send(target: Target, method: string, path: string, body?: object): Promise<Response> {
  const response = await open(target, method, path, body);
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  if ((response.statusCode ?? 500) >= 300)
    throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
  return { status: response.statusCode ?? 0, text };
}

export const get = (target: Target, path: string) => send(target, "GET", path);
export const post = (target: Target, path: string, body: object) => send(target, "POST", path, body);

/** Calls `seen` with each frame of the event stream a POST answers with, as text. Resolves at its end. */
export async function stream(
  target: Target,
  path: string,
  body: object,
  seen: (frame: string) => void,
): Promise<void> {
  await frames(await open(target, "POST", path, body), seen);
}

/** The same of the event stream at an address; `opened` is called when it is answered. */
export async function watch(
  target: Target,
  path: string,
  seen: (frame: string) => void,
  opened: () => void,
): Promise<void> {
  const response = await open(target, "GET", path);
  opened();
  await frames(response, seen);
}

async function frames(response: IncomingMessage, seen: (frame: string) => void): Promise<void> {
  if (response.statusCode !== 200) throw new Error(`a stream was answered with ${response.statusCode}`);
  let rest = "";
  for await (const chunk of response.setEncoding("utf8")) {
    const frames = (rest + chunk).split("\n\n");
    rest = frames.pop() ?? "";
    for (const frame of frames) seen(frame);
  }
}

/** Looks at the numbers of the events of one stream, which go up by one, before `seen` gets their frames. */
export function numbered(seen: (frame: string) => void) {
  let seq = 0;
  const reader = {
    outOfOrder: 0,
    frame: (frame: string) => {
      const id = /^id: (\d+)/.exec(frame)?.[1];
      if (id === undefined) return;
      if (Number(id) !== ++seq) reader.outOfOrder++;
      seq = Number(id);
      seen(frame);
    },
  };
  return reader;
}

export async function newThread(target: Target & { deployment_id: string }): Promise<string> {
  const { text } = await post(target, "/v1/threads", { deployment_id: target.deployment_id });
  return (JSON.parse(text) as { thread_id: string }).thread_id;
}

/** One run with one message, awaited. Throws when it did not succeed. */
export async function turn(target: Target, thread_id: string, content: string): Promise<void> {
  const input = { messages: [{ type: "human", content }] };
  const { text } = await post(target, `/v1/threads/${thread_id}/runs/wait`, { input });
  const { status, error } = JSON.parse(text) as { status: string; error: unknown };
  if (status !== "succeeded") throw new Error(`a run ${status}: ${JSON.stringify(error)}`);
}
