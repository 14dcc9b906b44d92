/** `crewship thread chat`: a prompt; each line is a run in the thread, and its answer grows token by token. */
import { answerIn, chatInput, contentText, resumeValue } from "../client/chat_messages.ts";
import type { CrewshipClient } from "../client/client.ts";
import { ApiError } from "../client/errors.ts";
import type { Deployment } from "../core/deployment.ts";
import { isObject, type JsonObject } from "../core/json.ts";
import type { RunRequest } from "../core/run.ts";
import type { Thread } from "../core/thread.ts";
import { UsageError } from "./failure.ts";
import { printHistory, readHistory } from "./history.ts";
import { clean, inline, note, paint, paintError, print, printJson, shorten } from "./output.ts";
import { Prompt } from "./prompt.ts";
import { chosenDeployment, type Session } from "./session.ts";
import { errorText } from "./tree.ts";

const HELP = "/history lists the checkpoints, /state shows the state, /exit leaves. Ctrl-C stops an answer.";
const MOST_TOOL_CHARACTERS = 90;

type Talk = {
  client: CrewshipClient;
  json: boolean;
  deployment: Deployment;
  thread_id: string;
  asked: boolean;
};

export async function chat({ client, json }: Session, id: string | undefined): Promise<void> {
  const { deployment, thread } = await place(client, id);
  const talk: Talk = {
    client,
    json,
    deployment,
    thread_id: thread.thread_id,
    asked: thread.status === "interrupted",
  };
  note(
    `${paintError("dim", `Thread ${thread.thread_id} of ${deployment.name}.`)} ${paintError("dim", HELP)}`,
  );
  for (const { value } of thread.interrupts ?? []) print(question(inline(value)));
  using prompt = new Prompt();
  for (;;) {
    const line = (await prompt.ask(paint("cyan", "> ")))?.trim();
    if (line === undefined || line === "/exit") return;
    if (line === "") continue;
    try {
      if (line.startsWith("/")) await obey(talk, line);
      else await answer(talk, line);
    } catch (error) {
      // A refusal (a busy thread, say) ends this line, not the conversation.
      if (!(error instanceof ApiError)) throw error;
      note(paintError("red", error.message));
    }
  }
}

/** The thread to talk in: the named one, or a new one of the named deployment, or of the only deployment. */
async function place(
  client: CrewshipClient,
  id: string | undefined,
): Promise<{ deployment: Deployment; thread: Thread }> {
  if (id !== undefined && !id.startsWith("dep_")) {
    const thread = await client.getThread(id);
    if (thread.deployment_id === null) {
      throw new UsageError(
        `Thread ${id} has no deployment yet. Its first run, through the LangGraph API, gives it one.`,
      );
    }
    return { thread, deployment: await client.getDeployment(thread.deployment_id) };
  }
  const deployment = await chosenDeployment(client, id);
  return { deployment, thread: await client.createThread({ deployment_id: deployment.deployment_id }) };
}

async function obey({ client, thread_id, json }: Talk, line: string): Promise<void> {
  if (line === "/history") {
    if (json) return printJson(await client.history(thread_id));
    return printHistory(await readHistory(client, thread_id, {}));
  }
  if (line === "/state") {
    const state = await client.getState(thread_id);
    return json ? printJson(state) : print(clean(JSON.stringify(state.values, null, 2)));
  }
  note(HELP);
}

/** One turn: a run with this line as its input, or as the answer to what the agent asked. Ctrl-C cancels the run. */
async function answer(talk: Talk, line: string): Promise<void> {
  const { client, deployment, thread_id } = talk;
  const request: RunRequest = talk.asked
    ? { command: { resume: resumeValue(line) } }
    : { input: chatInput(deployment, line) };
  const { run_id } = await client.createRun(thread_id, request, { idempotencyKey: crypto.randomUUID() });
  const cancel = () => {
    // The run's last event ends the reading; a run that was over by then refuses, which changes nothing.
    client.cancelRun(run_id).catch((error: unknown) => {
      if (!(error instanceof ApiError))
        note(paintError("red", `The run could not be canceled: ${String(error)}`));
    });
  };
  process.on("SIGINT", cancel);
  try {
    await showAnswer(talk, run_id);
  } finally {
    process.removeListener("SIGINT", cancel);
  }
}

async function showAnswer(talk: Talk, run_id: string): Promise<void> {
  let message: string | null = null;
  let column = 0;
  const write = (text: string) => {
    process.stdout.write(text);
    if (text !== "") column = text.length - text.lastIndexOf("\n") - 1;
  };
  const line = (text: string) => write(`${column > 0 ? "\n" : ""}${text}\n`);
  for await (const event of talk.client.runEvents(run_id)) {
    const data: JsonObject = isObject(event.data) ? event.data : {};
    if (talk.json) printJson(event);
    else if (event.type === "message.delta") {
      const id = inline(data.message_id);
      if (message !== null && message !== id && column > 0) write("\n");
      message = id;
      write(clean(contentText(data.content)));
    } else if (event.type === "tool.called") {
      line(paint("dim", shorten(`⚙ ${inline(data.tool)} ${inline(data.input)}`, MOST_TOOL_CHARACTERS)));
    } else if (event.type === "tool.result") {
      line(paint("dim", shorten(`  ↳ ${inline(data.output)}`, MOST_TOOL_CHARACTERS)));
    } else if (event.type === "run.completed") {
      // Tokens were shown as they came; an agent that streams none answers here.
      line(message === null ? clean(answerIn(talk.deployment, data.result ?? null)) : "");
    } else if (event.type === "run.failed") line(paint("red", `❌ ${clean(errorText(data.error))}`));
    else if (event.type === "run.canceled") line(paint("yellow", "⏹ Canceled."));
    else if (event.type === "run.interrupted") {
      const questions = Array.isArray(data.interrupts) ? data.interrupts : [];
      for (const one of questions) line(question(inline(isObject(one) ? one.value : one)));
    }
    if (event.type.startsWith("run.")) talk.asked = event.type === "run.interrupted";
  }
}

function question(text: string): string {
  return `${paint("yellow", "⏸ The agent asks:")} ${text}`;
}
