/**
 * The conversation: what the state holds, then what is streamed and not in it yet, then how the newest run ended. A
 * thread whose state has no messages is shown by its runs: what went in and what came out.
 */
import { Link } from "@tanstack/react-router";
import { ArrowDown } from "lucide-react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { answerIn, contentText } from "../../../src/client/chat_messages.ts";
import type { ThreadState } from "../../../src/core/checkpoint.ts";
import type { Deployment } from "../../../src/core/deployment.ts";
import { isObject, type Json } from "../../../src/core/json.ts";
import { isOver } from "../../../src/core/moves.ts";
import type { Run } from "../../../src/core/run.ts";
import { Button } from "../parts/button.tsx";
import { JsonTree } from "../parts/json_tree.tsx";
import { isSettled, type LiveRun } from "./live_run.ts";
import { Message } from "./message.tsx";
import { messagesIn, type ShownMessage, showMessages } from "./messages.ts";
import { ToolCall } from "./tool_call.tsx";

/** The newest messages are shown at once; earlier ones when asked for, so that a long thread opens quickly. */
const SHOWN_AT_ONCE = 60;

export type Sent = { text: string; run_id: string };

type Props = {
  state: ThreadState;
  runs: Run[];
  live: LiveRun | null;
  /** What was sent from this page; what of it is not in the state yet is shown. */
  sent: readonly Sent[];
  deployment: Deployment | undefined;
  /** A past state is looked at: nothing is going on in it. */
  isPast: boolean;
};

export function Conversation({ state, runs, live, sent, deployment, isPast }: Props) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  const messages = useMemo(() => {
    const inState = messagesIn(state.values);
    return inState && showMessages(inState);
  }, [state.values]);
  const going = isPast ? null : live;
  const known = new Set(messages?.map(({ id }) => id));
  const growing = (going?.messages ?? []).filter(({ id }) => !known.has(id));
  // A call that stands in a message of the state is shown there.
  const calledInState = new Set(
    messages?.flatMap(({ tools }) => tools.map((tool) => `${tool.name} ${JSON.stringify(tool.input)}`)),
  );
  const calls = (going?.tools ?? []).filter(
    ({ tool, input }) => !calledInState.has(`${tool} ${JSON.stringify(input)}`),
  );
  const newest = runs[0];
  const active = runs.findLast(({ status }) => !isOver(status));
  const isWaiting = !isPast && active !== undefined;
  const hidden = messages ? Math.max(0, messages.length - shown) : 0;
  const waiting = isPast ? [] : sent.filter((each) => isUnderWay(each, runs) && each.run_id !== state.run_id);
  const queued = waiting.filter(({ run_id }) => runs.find(({ id }) => id === run_id)?.status === "pending");
  const begun = waiting.filter((each) => !queued.includes(each));

  return (
    <Scrolled
      follows={`${messages?.length} ${growing.at(-1)?.text.length} ${calls.length} ${waiting.length} ${newest?.status}`}
    >
      {hidden > 0 && (
        <Button weight="quiet" className="self-center" onClick={() => setShown(shown + SHOWN_AT_ONCE)}>
          {hidden} earlier messages
        </Button>
      )}
      {messages ? (
        messages
          .slice(hidden)
          .map((message) => <Message key={message.key} message={message} running={isWaiting} />)
      ) : (
        <Turns runs={isPast ? runsUpTo(runs, state.run_id) : runs} deployment={deployment} />
      )}
      {messages && begun.map(({ run_id, text }) => <Message key={run_id} message={said(text)} />)}
      {calls.map((call) => (
        <ToolCall
          key={call.number}
          name={call.tool}
          input={call.input}
          output={call.error ?? call.output}
          failed={call.error !== undefined}
          running={!isSettled(call) && !going?.over}
        />
      ))}
      {growing.map((message, i) => (
        <Message
          key={message.id}
          message={{ ...said(message.text), who: "agent" }}
          streaming={!going?.over && i === growing.length - 1}
        />
      ))}
      {isWaiting && growing.length === 0 && (
        <p className="flex items-center gap-2 text-ink-soft" role="status">
          <span aria-hidden className="breathing size-2 rounded-full bg-live" />
          {active.status === "pending" ? "Waiting for its turn" : working(going)}
        </p>
      )}
      {queued.map(({ run_id, text }) => (
        <div key={run_id} className="flex flex-col items-end gap-1">
          {messages && <Message message={said(text)} />}
          <p className="text-xs text-ink-soft">waits its turn</p>
        </div>
      ))}
      {!isPast && newest && <Ending run={newest} />}
    </Scrolled>
  );
}

/** A run that is not listed yet has just been accepted. */
function isUnderWay({ run_id }: Sent, runs: Run[]): boolean {
  const run = runs.find(({ id }) => id === run_id);
  return run === undefined || !isOver(run.status);
}

function working(live: LiveRun | null): string {
  const tasks = [...new Set(live?.tasks)];
  return tasks.length > 0 ? `${tasks.join(", ")} …` : "Working …";
}

function said(text: string): ShownMessage {
  return { key: "said", id: null, who: "user", name: null, text, pictures: [], others: [], tools: [] };
}

/** Stays at the end while it grows, unless the reader has scrolled up. */
function Scrolled({ follows, children }: { follows: string; children: React.ReactNode }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const toEnd = () => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: what it follows is what makes it grow
  useLayoutEffect(() => {
    if (atEnd) toEnd();
  }, [follows, atEnd]);
  // Markdown and pictures grow after they were drawn.
  useEffect(() => {
    const content = scroller.current?.firstElementChild;
    if (!content || !atEnd) return;
    const observer = new ResizeObserver(toEnd);
    observer.observe(content);
    return () => observer.disconnect();
  });
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        tabIndex={0}
        role="log"
        aria-label="Conversation"
        className="h-full overflow-auto -outline-offset-2"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) =>
          setAtEnd(scrollHeight - scrollTop - clientHeight < 48)
        }
      >
        <div className="mx-auto flex max-w-3xl flex-col gap-5 px-4 py-6 sm:px-6">{children}</div>
      </div>
      {!atEnd && (
        <Button
          icon={ArrowDown}
          onClick={toEnd}
          className="rising absolute bottom-3 left-1/2 -translate-x-1/2 shadow-float"
        >
          To the newest
        </Button>
      )}
    </div>
  );
}

/** The run that made a state, and those before it. */
function runsUpTo(runs: Run[], run_id: string | null): Run[] {
  const at = runs.findIndex(({ id }) => id === run_id);
  return at === -1 ? [] : runs.slice(at);
}

function Turns({ runs, deployment }: { runs: Run[]; deployment: Deployment | undefined }) {
  return runs.toReversed().map((run) => (
    <div key={run.id} className="flex flex-col gap-3">
      {run.input !== null && <Message message={said(inputText(run.input, deployment))} />}
      {run.status === "succeeded" && run.output !== null && (
        <Output output={run.output} deployment={deployment} />
      )}
    </div>
  ));
}

function Output({ output, deployment }: { output: Json; deployment: Deployment | undefined }) {
  const chosen = deployment?.chat.output_key ?? undefined;
  if (
    typeof output === "string" ||
    (deployment && chosen !== undefined && isObject(output) && chosen in output)
  )
    return <Message message={{ ...said(answerIn(deployment!, output)), who: "agent" }} />;
  return (
    <div className="rounded-lg border border-line bg-panel px-3 py-2">
      <JsonTree value={output} openDepth={2} label="Output" />
    </div>
  );
}

/** The words of an input where it is some, else its JSON. */
function inputText(input: Json, deployment: Deployment | undefined): string {
  if (typeof input === "string") return input;
  if (isObject(input)) {
    const chosen = input[deployment?.chat.input_key ?? "message"];
    if (typeof chosen === "string") return chosen;
    const last = Array.isArray(input.messages) ? input.messages.at(-1) : undefined;
    if (isObject(last)) return contentText(last.content);
  }
  if (isObject(input) && Object.values(input).every((value) => typeof value !== "object" || value === null))
    return Object.entries(input)
      .map(([key, value]) => `${key}: ${value}`)
      .join("\n");
  return JSON.stringify(input, null, 2);
}

function Ending({ run }: { run: Run }) {
  if (run.status === "failed")
    return (
      <div role="alert" className="rounded-lg border border-bad/30 bg-bad-soft px-3 py-2.5">
        <p className="font-medium text-bad">The run failed</p>
        <p className="mt-0.5 break-words whitespace-pre-wrap">{run.error?.message ?? run.error_message}</p>
        <p className="mt-1.5 text-ink-soft">
          Send another message to go on from the last checkpoint, or see{" "}
          <Link to="/runs/$run_id" params={{ run_id: run.id }} className="text-accent underline">
            the traceback and the events of the run
          </Link>
          .
        </p>
      </div>
    );
  if (run.status === "canceled")
    return <p className="text-ink-soft">Stopped. What was committed before is kept.</p>;
  return null;
}
