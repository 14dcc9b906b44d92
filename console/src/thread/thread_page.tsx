/** One thread: the conversation and, beside it, the state, how it came about, and the runs. */
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, Copy, Trash2 } from "lucide-react";
import { useState } from "react";
import { ApiError } from "../../../src/client/errors.ts";
import type { ThreadState } from "../../../src/core/checkpoint.ts";
import type { Json } from "../../../src/core/json.ts";
import { isOver } from "../../../src/core/moves.ts";
import type { Run, RunRequest } from "../../../src/core/run.ts";
import type { Thread } from "../../../src/core/thread.ts";
import { client, keys } from "../api.ts";
import { useDeployment } from "../deployments/deployment_queries.ts";
import { useStructure } from "../deployments/structure.ts";
import { Button, IconButton } from "../parts/button.tsx";
import { classNames } from "../parts/class_names.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Id } from "../parts/copy.tsx";
import { EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Metadata } from "../parts/metadata.tsx";
import { Page } from "../parts/page.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { type Panel, threadRoute } from "../router.tsx";
import { useMayRun } from "../session.tsx";
import { Checkpoints } from "./checkpoints.tsx";
import { Composer } from "./composer.tsx";
import { Conversation, type Sent } from "./conversation.tsx";
import { EditState } from "./edit_state.tsx";
import { Questions } from "./questions.tsx";
import { StatePanel } from "./state_panel.tsx";
import {
  type ListedCheckpoint,
  useAsked,
  useHistory,
  useThread,
  useThreadRuns,
  useThreadState,
} from "./thread_queries.ts";
import { ThreadRuns } from "./thread_runs.tsx";
import { useThreadStream } from "./use_thread_stream.ts";

export function ThreadPage() {
  const { thread_id } = threadRoute.useParams();
  const thread = useThread(thread_id);
  if (thread.isError && !thread.data)
    return <Unreadable error={thread.error} retry={() => void thread.refetch()} />;
  return (
    <Page
      title={thread_id}
      heading={<Heading thread_id={thread_id} thread={thread.data} />}
      actions={<Actions thread_id={thread_id} />}
    >
      {thread.data ? <Loaded key={thread_id} thread={thread.data} /> : <Skeleton />}
    </Page>
  );
}

function Loaded({ thread }: { thread: Thread }) {
  const { thread_id } = thread;
  const { checkpoint = null, compare = null, panel } = threadRoute.useSearch();
  const navigate = useNavigate({ from: "/threads/$thread_id" });
  const cache = useQueryClient();
  const mayRun = useMayRun();
  const deployment = useDeployment(thread.deployment_id);
  const { data: structure } = useStructure(deployment?.deployment_id, deployment?.environments.production);
  const live = useThreadStream(thread_id);
  const state = useThreadState(thread_id, checkpoint);
  const runsQuery = useThreadRuns(thread_id);
  const history = useHistory(thread_id);
  const [sent, setSent] = useState<readonly Sent[]>([]);
  const [editing, setEditing] = useState(false);
  const [instead, setInstead] = useState(false);

  const runs = runsQuery.data ?? [];
  // The one at work; those behind it wait their turn.
  const active = runs.findLast(({ status }) => !isOver(status));
  const running = active !== undefined || thread.status === "busy";
  const selected = checkpoint ?? state.data?.checkpoint_id ?? null;
  const isPast = checkpoint !== null && checkpoint !== history.checkpoints[0]?.checkpoint_id;

  const asked = useAsked(isPast && state.data ? askedBy(state.data, runs, history.checkpoints) : null);
  const questions = asked.data ?? state.data?.interrupts ?? [];

  const look = (to: { checkpoint?: string | undefined; compare?: string | undefined }) =>
    void navigate({ search: (old) => ({ ...old, ...to }), replace: true });
  const readAgain = () =>
    Promise.all([
      cache.invalidateQueries({ queryKey: keys.thread(thread_id), exact: true }),
      cache.invalidateQueries({ queryKey: keys.threadRuns(thread_id) }),
      cache.invalidateQueries({ queryKey: keys.history(thread_id) }),
      cache.invalidateQueries({ queryKey: keys.state(thread_id, null) }),
    ]);
  /** A run from the state shown; from a past one it opens a branch. */
  const start = async (request: RunRequest, text: string) => {
    const at = checkpoint === null ? {} : { checkpoint_id: checkpoint };
    const turn = running ? { multitask_strategy: "enqueue" as const } : {};
    const { run_id } = await client.createRun(
      thread_id,
      { ...request, ...at, ...turn },
      { idempotencyKey: crypto.randomUUID() },
    );
    setInstead(false);
    setSent((earlier) => [...earlier, { text, run_id }]);
    if (checkpoint !== null) look({ checkpoint: undefined, compare: undefined });
    await readAgain();
  };
  const stop = async () => {
    if (!active) return;
    // A run that was over by then refuses, which changes nothing.
    await client.cancelRun(active.id).catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
    });
    await readAgain();
  };
  const save = async (
    change: Pick<Parameters<typeof client.updateState>[1], "values"> & { as_node: string | undefined },
    goOn: boolean,
  ) => {
    await client.updateState(thread_id, {
      values: change.values,
      ...(change.as_node !== undefined && { as_node: change.as_node }),
      ...(checkpoint !== null && { checkpoint_id: checkpoint }),
    });
    if (goOn) await client.createRun(thread_id, { input: null }, { idempotencyKey: crypto.randomUUID() });
    look({ checkpoint: undefined, compare: undefined });
    await readAgain();
  };
  const copy = async (checkpoint_id: string | null) => {
    const made = await client.copyThread(thread_id, checkpoint_id === null ? {} : { checkpoint_id }, {
      idempotencyKey: crypto.randomUUID(),
    });
    await navigate({ to: "/threads/$thread_id", params: { thread_id: made.thread_id }, search: {} });
  };

  const shownPanel: Panel = panel ?? "conversation";
  const sidePanel = shownPanel === "conversation" ? "state" : shownPanel;
  return (
    <div className="flex h-full flex-col lg:flex-row">
      <Tabs
        shown={shownPanel}
        onShow={(next) => void navigate({ search: (old) => ({ ...old, panel: next }), replace: true })}
        names={allPanels}
        className="lg:hidden"
      />
      <div
        className={classNames(
          "min-h-0 min-w-0 flex-1 flex-col lg:flex",
          shownPanel === "conversation" ? "flex" : "hidden",
        )}
      >
        {state.isError && !state.data ? (
          <div className="p-5">
            <ErrorNote error={state.error} retry={() => void state.refetch()} />
            {checkpoint !== null && (
              <Button className="mt-3" onClick={() => look({ checkpoint: undefined, compare: undefined })}>
                Back to the newest state
              </Button>
            )}
          </div>
        ) : state.data ? (
          <>
            <Conversation
              state={state.data}
              runs={runs}
              live={live}
              sent={sent}
              deployment={deployment}
              isPast={isPast}
            />
            {mayRun && !running && questions.length > 0 && (
              <Questions
                key={state.data.checkpoint_id}
                interrupts={questions}
                wasAnswered={asked.data !== undefined}
                onAnswer={(resume: Json) =>
                  start({ command: { resume } }, typeof resume === "string" ? resume : JSON.stringify(resume))
                }
              />
            )}
            {mayRun && !running && questions.length === 0 && (
              <GoOn state={state.data} onGoOn={() => start({ input: null }, "")} />
            )}
            {mayRun && !running && questions.length > 0 && !instead ? (
              <div className="shrink-0 border-t border-line px-4 py-2 text-center">
                <Button weight="quiet" onClick={() => setInstead(true)}>
                  Send something else instead
                </Button>
              </div>
            ) : mayRun ? (
              <Composer
                deployment={deployment}
                inputSchema={structure?.input ?? null}
                running={running}
                onStop={() => void stop()}
                onSend={(input, text, environment) => start({ input, environment }, text)}
                note={
                  isPast && (
                    <p className="flex items-center justify-between gap-3 text-ink-soft">
                      <span>
                        You look at step {state.data.step}. What you send starts a branch from there.
                      </span>
                      <Button
                        weight="quiet"
                        icon={ArrowLeft}
                        onClick={() => look({ checkpoint: undefined, compare: undefined })}
                      >
                        Newest state
                      </Button>
                    </p>
                  )
                }
              />
            ) : (
              <p className="border-t border-line px-5 py-3 text-ink-soft">
                Your key may look, not run. Sign in with one whose role is run to send messages.
              </p>
            )}
          </>
        ) : (
          <Skeleton />
        )}
      </div>
      <aside
        aria-label="State and history"
        className={classNames(
          "min-h-0 min-w-0 flex-1 flex-col border-line bg-panel lg:flex lg:w-105 lg:flex-none lg:border-l xl:w-120",
          shownPanel === "conversation" ? "hidden" : "flex",
        )}
      >
        <Tabs
          shown={sidePanel}
          onShow={(next) => void navigate({ search: (old) => ({ ...old, panel: next }), replace: true })}
          names={sidePanels}
          className="hidden lg:flex"
        />
        <div className="min-h-0 flex-1">
          {sidePanel === "state" &&
            (state.data ? (
              <StatePanel
                state={state.data}
                compared={compare}
                onStopComparing={() => look({ compare: undefined })}
                onCompare={(id) => look({ compare: id })}
                onEdit={() => setEditing(true)}
                onFork={() => void copy(state.data.checkpoint_id)}
              />
            ) : (
              <div className="skeleton m-4 h-24" />
            ))}
          {sidePanel === "checkpoints" && (
            <Checkpoints
              history={history}
              selected={selected}
              compared={compare}
              onSelect={(id) =>
                look({
                  checkpoint: id === history.checkpoints[0]?.checkpoint_id ? undefined : id,
                  compare: undefined,
                })
              }
              onCompare={(id) =>
                void navigate({
                  search: (old) => ({
                    ...old,
                    compare: id === compare ? undefined : id,
                    panel: id === compare ? old.panel : "state",
                  }),
                })
              }
            />
          )}
          {sidePanel === "runs" && <ThreadRuns runs={runs} />}
        </div>
      </aside>
      {editing && state.data && (
        <EditState
          state={state.data}
          nodes={structure?.drawings[0]?.nodes.map(({ id }) => id).filter((id) => !/^__.*__$/.test(id)) ?? []}
          onClose={() => setEditing(false)}
          onSave={save}
        />
      )}
    </div>
  );
}

/** The run that stopped at this past state to ask something that has been answered since; null: none did. */
function askedBy(state: ThreadState, runs: Run[], checkpoints: ListedCheckpoint[]): string | null {
  const { run_id, checkpoint_id, next, interrupts } = state;
  if (run_id === null || next.length === 0 || interrupts.length > 0) return null;
  const stopped = runs.find(({ id, status }) => id === run_id && status === "interrupted");
  const last = checkpoints.find((each) => each.run_id === run_id);
  return stopped && last?.checkpoint_id === checkpoint_id ? run_id : null;
}

const allPanels: readonly [Panel, string][] = [
  ["conversation", "Conversation"],
  ["state", "State"],
  ["checkpoints", "Checkpoints"],
  ["runs", "Runs"],
];
const sidePanels = allPanels.slice(1);

function Tabs({
  shown,
  names,
  onShow,
  className,
}: {
  shown: Panel;
  names: readonly (readonly [Panel, string])[];
  onShow: (panel: Panel) => void;
  className: string;
}) {
  return (
    <div
      role="toolbar"
      aria-label="Panels"
      className={classNames("flex h-10 shrink-0 gap-1 overflow-x-auto border-b border-line px-3", className)}
    >
      {names.map(([panel, name]) => (
        <button
          key={panel}
          type="button"
          aria-pressed={panel === shown}
          onClick={() => onShow(panel)}
          className="-mb-px border-b-2 border-transparent px-1.5 font-medium text-ink-soft -outline-offset-2 hover:text-ink aria-pressed:border-accent aria-pressed:text-ink"
        >
          {name}
        </button>
      ))}
    </div>
  );
}

/** A thread that stands before a node without a question: it was stopped there, or its state was edited. */
function GoOn({ state, onGoOn }: { state: ThreadState; onGoOn: () => Promise<void> }) {
  const [refusal, setRefusal] = useState<unknown>(null);
  if (state.next.length === 0 || state.interrupts.length > 0) return null;
  return (
    <div className="shrink-0 border-t border-line bg-panel">
      <div className="mx-auto flex max-w-3xl flex-col gap-2 px-4 py-2.5 sm:px-6">
        <div className="flex items-center justify-between gap-3">
          <p className="min-w-0 truncate text-ink-soft">
            Stands before <span className="font-medium text-ink">{state.next.join(", ")}</span>.
          </p>
          <Button onClick={() => onGoOn().catch(setRefusal)}>Continue</Button>
        </div>
        {refusal !== null && <ErrorNote error={refusal} />}
      </div>
    </div>
  );
}

function Heading({ thread_id, thread }: { thread_id: string; thread: Thread | undefined }) {
  const deployment = useDeployment(thread?.deployment_id);
  return (
    <div className="flex min-w-0 items-center gap-3">
      <Link to="/threads" className="shrink-0 text-ink-soft hover:text-ink" aria-label="All threads">
        <ArrowLeft size={16} strokeWidth={1.75} aria-hidden />
      </Link>
      <h1 className="min-w-0 shrink-0">
        <span className="sr-only">Thread </span>
        <Id id={thread_id} className="text-sm! font-medium text-ink!" />
      </h1>
      {thread && (
        <>
          <StatusLabel status={thread.status} />
          <span className="hidden min-w-0 items-center gap-2 overflow-hidden sm:flex">
            {deployment && <span className="shrink-0 text-ink-soft">{deployment.name}</span>}
            <Metadata metadata={thread.metadata} />
          </span>
        </>
      )}
    </div>
  );
}

function Actions({ thread_id }: { thread_id: string }) {
  const navigate = useNavigate();
  const cache = useQueryClient();
  const [deleting, setDeleting] = useState(false);
  if (!useMayRun()) return null;
  const copy = async () => {
    const made = await client.copyThread(thread_id, {}, { idempotencyKey: crypto.randomUUID() });
    await navigate({ to: "/threads/$thread_id", params: { thread_id: made.thread_id } });
  };
  return (
    <>
      <IconButton icon={Copy} label="Copy the thread" onClick={() => void copy()} />
      <IconButton icon={Trash2} label="Delete the thread" onClick={() => setDeleting(true)} />
      <Confirm
        open={deleting}
        onOpenChange={setDeleting}
        title="Delete this thread?"
        description="Its states, runs and files are gone for good. A run under way is canceled first. Copies stay."
        action="Delete the thread"
        perform={async () => {
          await client.deleteThread(thread_id);
          await navigate({ to: "/threads" });
          cache.removeQueries({ queryKey: keys.thread(thread_id) });
          await cache.invalidateQueries({ queryKey: keys.threads });
        }}
      />
    </>
  );
}

function Unreadable({ error, retry }: { error: unknown; retry: () => void }) {
  const isMissing = error instanceof ApiError && error.status === 404;
  return (
    <Page title="Thread">
      {isMissing ? (
        <EmptyState title="There is no such thread">
          <p>It was deleted, its time to live has passed, or your key does not reach its deployment.</p>
          <Link to="/threads" className="font-medium text-accent underline">
            To the threads
          </Link>
        </EmptyState>
      ) : (
        <div className="p-5">
          <ErrorNote error={error} retry={retry} />
        </div>
      )}
    </Page>
  );
}

function Skeleton() {
  return (
    <div
      className="mx-auto flex w-full max-w-3xl flex-col gap-5 px-4 py-6 sm:px-6"
      aria-busy="true"
      role="status"
      aria-label="Loading"
    >
      <div className="skeleton h-9 w-1/3 self-end" />
      <div className="skeleton h-4 w-2/3" />
      <div className="skeleton h-4 w-1/2" />
    </div>
  );
}
