/** One run: how it went in time, what it said, what it left, and why it failed if it did. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, RotateCcw, Square } from "lucide-react";
import { type ReactNode, useMemo, useRef } from "react";
import { ApiError } from "../../../src/client/errors.ts";
import type { StreamEvent } from "../../../src/client/events.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { isOver } from "../../../src/core/moves.ts";
import { environments, type Run } from "../../../src/core/run.ts";
import { client, keys } from "../api.ts";
import { useDeployment } from "../deployments/deployment_queries.ts";
import { Button } from "../parts/button.tsx";
import { CopyButton, Id, shortId } from "../parts/copy.tsx";
import { EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { JsonTree } from "../parts/json_tree.tsx";
import { oneOf } from "../parts/one_of.ts";
import { Page } from "../parts/page.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { durationText, Time } from "../parts/time.tsx";
import { runRoute, type runTabs } from "../router.tsx";
import { useMayRun } from "../session.tsx";
import { useRowKeys } from "../shell/keyboard.ts";
import { Artifacts } from "./artifacts.tsx";
import { type Story, tell } from "./spans.ts";
import { MOST_EVENTS, useRunEvents } from "./use_run_events.ts";
import { Waterfall } from "./waterfall.tsx";

const REFRESH_MS = 2_000;

type Tab = (typeof runTabs)[number];
const tabNames: [Tab, string][] = [
  ["waterfall", "Waterfall"],
  ["input", "Input and output"],
  ["logs", "Logs"],
  ["files", "Files"],
  ["events", "Events"],
];

export function RunPage() {
  const { run_id } = runRoute.useParams();
  const run = useQuery({
    queryKey: keys.run(run_id),
    queryFn: ({ signal }) => client.getRun(run_id, { signal }),
    refetchInterval: ({ state }) => (state.data && isOver(state.data.status) ? false : REFRESH_MS),
  });
  if (run.isError && !run.data) {
    const isMissing = run.error instanceof ApiError && run.error.status === 404;
    return (
      <Page title="Run">
        {isMissing ? (
          <EmptyState title="There is no such run">
            <p>Its thread was deleted, or your key does not reach its deployment.</p>
            <Link to="/runs" className="font-medium text-accent underline">
              To the runs
            </Link>
          </EmptyState>
        ) : (
          <div className="p-5">
            <ErrorNote error={run.error} retry={() => void run.refetch()} />
          </div>
        )}
      </Page>
    );
  }
  return (
    <Page
      title={run_id}
      heading={<Heading run_id={run_id} run={run.data} />}
      actions={run.data && <Actions run={run.data} />}
    >
      {run.data ? <Loaded key={run_id} run={run.data} /> : <SkeletonRows rows={6} />}
    </Page>
  );
}

function Heading({ run_id, run }: { run_id: string; run: Run | undefined }) {
  return (
    <div className="flex min-w-0 items-center gap-3">
      <Link to="/runs" className="shrink-0 text-ink-soft hover:text-ink" aria-label="All runs">
        <ArrowLeft size={16} strokeWidth={1.75} aria-hidden />
      </Link>
      <h1 className="min-w-0">
        <span className="sr-only">Run </span>
        <Id id={run_id} className="text-sm! font-medium text-ink!" />
      </h1>
      {run && <StatusLabel status={run.status} />}
    </div>
  );
}

function Actions({ run }: { run: Run }) {
  const navigate = useNavigate();
  const cache = useQueryClient();
  const mayRun = useMayRun();
  const canceling = useMutation({
    mutationFn: () => client.cancelRun(run.id),
    onSettled: () => cache.invalidateQueries({ queryKey: keys.run(run.id) }),
  });
  const retrying = useMutation({
    mutationFn: () => retry(run),
    onSuccess: (run_id) => navigate({ to: "/runs/$run_id", params: { run_id } }),
  });
  if (!mayRun) return null;
  return (
    <>
      {retrying.isError && (
        <span className="max-w-80 truncate text-bad" title={retrying.error.message}>
          {retrying.error.message}
        </span>
      )}
      {isOver(run.status) ? (
        <Button
          icon={RotateCcw}
          disabled={retrying.isPending || run.status === "interrupted"}
          title={
            run.status === "interrupted"
              ? "It waits for an answer, in its thread"
              : "A new run with the same input"
          }
          onClick={() => retrying.mutate()}
        >
          Retry
        </Button>
      ) : (
        <Button icon={Square} disabled={canceling.isPending} onClick={() => canceling.mutate()}>
          Cancel
        </Button>
      )}
    </>
  );
}

/** A new run with the same input, in the thread's present state. */
async function retry(run: Run): Promise<string> {
  const environment = oneOf(environments, run.environment) ?? "production";
  const options = { idempotencyKey: crypto.randomUUID() };
  const { run_id } =
    run.thread_id === null
      ? await client.createStatelessRun(
          { deployment_id: run.deployment_id, input: run.input, environment },
          options,
        )
      : await client.createRun(run.thread_id, { input: run.input, environment }, options);
  return run_id;
}

function Loaded({ run }: { run: Run }) {
  const { tab = "waterfall" } = runRoute.useSearch();
  const navigate = useNavigate({ from: "/runs/$run_id" });
  const { events, complete } = useRunEvents(run.id);
  const story = useMemo(() => tell(events), [events]);
  const scroller = useRef<HTMLDivElement>(null);
  useRowKeys(scroller);
  return (
    <div className="flex h-full flex-col">
      <Facts run={run} story={story} />
      <div
        role="tablist"
        aria-label="Run"
        className="flex h-10 shrink-0 gap-1 overflow-x-auto border-b border-line px-3"
      >
        {tabNames.map(([each, name]) => (
          <button
            key={each}
            type="button"
            role="tab"
            aria-selected={tab === each}
            onClick={() => void navigate({ search: { tab: each }, replace: true })}
            className="-mb-px shrink-0 border-b-2 border-transparent px-1.5 font-medium text-ink-soft -outline-offset-2 hover:text-ink aria-selected:border-accent aria-selected:text-ink"
          >
            {name}
            {each === "logs" && story.logs.length > 0 && (
              <span className="numeric ml-1.5 text-xs text-ink-faint">{story.logs.length}</span>
            )}
          </button>
        ))}
      </div>
      <div ref={scroller} className="min-h-0 flex-1 overflow-auto" role="tabpanel" aria-label={tab}>
        {run.error && tab === "waterfall" && <Failure run={run} />}
        {tab === "waterfall" && <Times story={story} run={run} complete={complete} />}
        {tab === "input" && <InputOutput run={run} />}
        {tab === "logs" && <Logs story={story} />}
        {tab === "files" && <Artifacts run={run} />}
        {tab === "events" && <Events events={events} />}
      </div>
    </div>
  );
}

function Facts({ run, story }: { run: Run; story: Story }) {
  const deployment = useDeployment(run.deployment_id);
  const { thread_id, started_at, completed_at, created_at } = run;
  return (
    <dl className="flex shrink-0 flex-wrap gap-x-8 gap-y-1.5 border-b border-line px-4 py-3 sm:px-5">
      <Fact name="Thread">
        {thread_id === null ? (
          "none"
        ) : (
          <Link
            to="/threads/$thread_id"
            params={{ thread_id }}
            className="font-mono text-xs text-accent underline"
          >
            {shortId(thread_id)}
          </Link>
        )}
      </Fact>
      <Fact name="Deployment">
        {deployment?.name ?? shortId(run.deployment_id)}, version {run.version_number}, {run.environment}
      </Fact>
      <Fact name="Created">
        <Time at={created_at} />
      </Fact>
      {started_at && completed_at && (
        <Fact name="Took">
          <span className="numeric">{durationText(Date.parse(completed_at) - Date.parse(started_at))}</span>
        </Fact>
      )}
      {story.tokens > 0 && (
        <Fact name="Tokens streamed">
          <span className="numeric">{story.tokens.toLocaleString("en")}</span>
        </Fact>
      )}
      {run.attempt > 1 && <Fact name="Attempts">{run.attempt}: it went on after a crash</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-ink-faint">{name}</dt>
      <dd className="text-ink">{children}</dd>
    </div>
  );
}

function Times({ story, run, complete }: { story: Story; run: Run; complete: boolean }) {
  if (story.spans.length > 0)
    return (
      <>
        {story.gone > 0 && <Gone count={story.gone} />}
        <Waterfall story={story} />
        <p className="px-4 py-2.5 text-xs text-ink-soft sm:px-5">
          Times are those of the commits that stored the events; what was stored together shares its time.
        </p>
      </>
    );
  if (!complete && !isOver(run.status))
    return (
      <p className="px-5 py-4 text-ink-soft" role="status">
        {run.status === "pending" ? "It waits for its turn." : "It runs, and has said nothing yet."}
      </p>
    );
  if (!complete) return <SkeletonRows rows={4} height={32} />;
  if (story.gone > 0) return <Gone count={story.gone} />;
  if (run.error) return null;
  return (
    <EmptyState title="This run told of no steps">
      <p>
        Graphs, crews and flows tell of theirs by themselves. A plain function tells what it likes with
        context.emit.
      </p>
    </EmptyState>
  );
}

function Gone({ count }: { count: number }) {
  return (
    <p className="px-5 py-3 text-ink-soft">
      {count.toLocaleString("en")} earlier events are no longer kept: events go 30 days after their run,
      unless the server keeps them longer.
    </p>
  );
}

function Failure({ run }: { run: Run }) {
  const { error } = run;
  if (!error) return null;
  return (
    <section aria-label="Error" className="m-4 overflow-hidden rounded-lg border border-bad/30 sm:m-5">
      <div className="bg-bad-soft px-3.5 py-2.5">
        <p className="font-mono text-xs text-bad">{error.code}</p>
        <p className="mt-0.5 font-medium break-words whitespace-pre-wrap">{error.message}</p>
      </div>
      {error.traceback !== undefined && (
        <div className="relative">
          <CopyButton
            text={error.traceback}
            label="Copy the traceback"
            className="absolute! top-1.5 right-1.5"
          />
          <pre
            tabIndex={0}
            className="max-h-80 overflow-auto bg-sunken px-3.5 py-2.5 pr-12 text-xs leading-5"
          >
            {error.traceback}
          </pre>
        </div>
      )}
    </section>
  );
}

function InputOutput({ run }: { run: Run }) {
  return (
    <div className="grid gap-x-8 gap-y-5 px-4 py-4 sm:px-5 lg:grid-cols-2">
      <Part title="Input">
        <JsonTree value={run.input} openDepth={3} label="Input" />
      </Part>
      <Part title="Output">
        {run.output === null ? (
          <p className="text-ink-soft">{isOver(run.status) ? "none" : "It is not over yet."}</p>
        ) : (
          <JsonTree value={run.output} openDepth={3} label="Output" />
        )}
      </Part>
      {Object.keys(run.metadata).length > 0 && (
        <Part title="Metadata">
          <JsonTree value={run.metadata} openDepth={3} label="Metadata" />
        </Part>
      )}
    </div>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="min-w-0">
      <h2 className="mb-1 font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function Logs({ story }: { story: Story }) {
  if (story.logs.length === 0)
    return (
      <EmptyState title="Nothing was printed">
        <p>What the agent’s code prints while a run goes on, or logs, stands here.</p>
      </EmptyState>
    );
  return (
    <ol className="py-2 font-mono text-xs leading-5" aria-label="Logs">
      {story.logs.map(({ key, at_ms, level, message }) => (
        <li key={key} className="flex gap-3 px-4 hover:bg-hover sm:px-5">
          <span className="numeric w-16 shrink-0 text-right text-ink-faint">
            +{durationText(at_ms - story.start_ms)}
          </span>
          <span
            className={
              level === "error" ? "text-bad" : level.startsWith("warn") ? "text-ask" : "text-ink-soft"
            }
          >
            {level}
          </span>
          <span className="min-w-0 break-words whitespace-pre-wrap">{message}</span>
        </li>
      ))}
    </ol>
  );
}

const SHOWN_EVENTS = 2_000;

function Events({ events }: { events: readonly StreamEvent[] }) {
  return (
    <ol className="py-2 font-mono text-xs leading-5" aria-label="Events">
      {events.slice(0, SHOWN_EVENTS).map(({ id, type, data, at }) => (
        <li
          key={id}
          className="grid grid-cols-[40px_130px_1fr] items-start gap-3 px-4 hover:bg-hover sm:px-5"
          title={at}
        >
          <span className="numeric text-right text-ink-faint">{id}</span>
          <span className="text-accent">{type}</span>
          <JsonTree value={data as JsonObject} openDepth={0} label={type} />
        </li>
      ))}
      {events.length > SHOWN_EVENTS && (
        <li className="px-5 py-2 font-sans text-ink-soft">
          The first {SHOWN_EVENTS.toLocaleString("en")} of {events.length.toLocaleString("en")}
          {events.length >= MOST_EVENTS && " and more"}. The command line gives all: crewship runs events
        </li>
      )}
    </ol>
  );
}
