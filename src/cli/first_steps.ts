/** The commands a person pastes to try their agent: real address, real key, real deployment. Pure. */

import { chatInput } from "../client/chat_messages.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Json } from "../core/json.ts";

export type Ready = { url: string; apiKey: string; deployment_id: string };

/** Requests for a POSIX shell: open a thread, talk in it twice, look back, copy it, delete the copy. Needs curl and sed. */
export function firstSteps(
  { url, apiKey, deployment_id }: Ready,
  talks: Pick<Deployment, "framework" | "chat">,
): string {
  const say = (text: string) => post("/v1/threads/$THREAD/runs/wait", { input: chatInput(talks, text) });
  const threadId = `sed 's/.*"thread_id":"\\([^"]*\\)".*/\\1/'`;
  const key = `-H "Authorization: Bearer $KEY"`;
  return [
    `KEY=${quoted(apiKey)}`,
    `THREAD=$(${post("/v1/threads", { deployment_id })} | ${threadId})`,
    say("Hello, my name is Ada."),
    say("What is my name?"),
    `curl -sw "\\n" "${url}/v1/threads/$THREAD/history" ${key}`,
    `COPY=$(curl -s -X POST "${url}/v1/threads/$THREAD/copy" ${key} | ${threadId})`,
    `curl -sw "%{http_code}\\n" -X DELETE "${url}/v1/threads/$COPY" ${key}`,
  ].join("\n");

  function post(path: string, body: Json): string {
    return `curl -sw "\\n" "${url}${path}" -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n  -d ${quoted(JSON.stringify(body))}`;
  }
}

/** A word of a POSIX shell: what would mean something in one stands between single quotes. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
