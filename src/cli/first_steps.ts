/** The commands a person pastes to try their agent: real address, real key, real deployment. Pure. */
import type { Deployment } from "../core/deployment.ts";
import type { Json } from "../core/json.ts";
import { chatInput } from "./chat_messages.ts";

export type Ready = { url: string; apiKey: string; deployment_id: string };

/** Three requests for a POSIX shell: open a thread, talk in it twice, and look back. Needs curl and sed only. */
export function firstSteps(
  { url, apiKey, deployment_id }: Ready,
  talks: Pick<Deployment, "framework" | "chat">,
): string {
  const say = (text: string) => post("/v1/threads/$THREAD/runs/wait", { input: chatInput(talks, text) });
  return [
    `KEY=${quoted(apiKey)}`,
    `THREAD=$(${post("/v1/threads", { deployment_id })} | sed 's/.*"thread_id":"\\([^"]*\\)".*/\\1/')`,
    say("Hello, my name is Ada."),
    say("What is my name?"),
    `curl -sw "\\n" "${url}/v1/threads/$THREAD/history" -H "Authorization: Bearer $KEY"`,
  ].join("\n");

  function post(path: string, body: Json): string {
    return `curl -sw "\\n" "${url}${path}" -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\\n  -d ${quoted(JSON.stringify(body))}`;
  }
}

/** A word of a POSIX shell: what would mean something in one stands between single quotes. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
