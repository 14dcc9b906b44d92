/** All runs, newest first: of a deployment, of a thread, of a status. */
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Search } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { RunFilter } from "../../../src/client/client.ts";
import { runStatuses } from "../../../src/core/moves.ts";
import type { Run } from "../../../src/core/run.ts";
import { client, keys } from "../api.ts";
import { useDeployments } from "../deployments/deployment_queries.ts";
import { Button } from "../parts/button.tsx";
import { shortId } from "../parts/copy.tsx";
import { CommandLine, EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Input, Select } from "../parts/fields.tsx";
import { Page } from "../parts/page.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { durationText, Time } from "../parts/time.tsx";
import { runsRoute } from "../router.tsx";
import { useRowKeys } from "../shell/keyboard.ts";

const ROW_PX = 44;
const PAGE = 50;
/** The stream of changes says when to read; this is for what it does not tell. */
const REFRESH_MS = 30_000;

export function RunsPage() {
  const { deployment, thread, status } = runsRoute.useSearch();
  const navigate = useNavigate({ from: "/runs" });
  const { data: deployments = [] } = useDeployments();
  const filter: RunFilter = { deployment_id: deployment, thread_id: thread, status };
  const list = useRunList(filter);
  const isFiltered = deployment !== undefined || thread !== undefined || status !== undefined;
  return (
    <Page title="Runs">
      <div className="flex h-full flex-col">
        <div className="flex shrink-0 flex-wrap items-center gap-2 border-b border-line px-4 py-2 sm:px-5">
          <FindBox thread={thread} />
          {deployments.length > 1 && (
            <Select
              aria-label="Deployment"
              value={deployment ?? ""}
              onChange={({ target }) =>
                void navigate({ search: (old) => ({ ...old, deployment: target.value || undefined }) })
              }
            >
              <option value="">All deployments</option>
              {deployments.map(({ deployment_id, name }) => (
                <option key={deployment_id} value={deployment_id}>
                  {name}
                </option>
              ))}
            </Select>
          )}
          <fieldset className="-mx-1 flex max-w-full min-w-0 gap-0.5 overflow-x-auto px-1">
            <legend className="sr-only">Status</legend>
            {([undefined, ...runStatuses] as const).map((each) => (
              <button
                key={each ?? "all"}
                type="button"
                aria-pressed={status === each}
                onClick={() => void navigate({ search: (old) => ({ ...old, status: each }) })}
                className="h-8 shrink-0 rounded-md px-2.5 font-medium text-ink-soft hover:bg-hover aria-pressed:bg-hover aria-pressed:text-ink"
              >
                {each ?? "all"}
              </button>
            ))}
          </fieldset>
        </div>
        {list.isError && list.runs.length === 0 ? (
          <div className="p-5">
            <ErrorNote error={list.error} retry={() => void list.refetch()} />
          </div>
        ) : list.isPending ? (
          <SkeletonRows rows={12} height={ROW_PX} />
        ) : list.runs.length > 0 ? (
          <Rows list={list} />
        ) : isFiltered ? (
          <EmptyState title="No run matches">
            <Button onClick={() => void navigate({ search: {} })}>Show all runs</Button>
          </EmptyState>
        ) : (
          <EmptyState title="No runs yet">
            <p>
              A run is one execution of an agent: in a thread, or alone. Start one from a thread, or from the
              command line.
            </p>
            <CommandLine>{`crewship invoke -i '{"messages": [{"role": "user", "content": "Hi"}]}'`}</CommandLine>
          </EmptyState>
        )}
      </div>
    </Page>
  );
}

function useRunList(filter: RunFilter) {
  const pages = useInfiniteQuery({
    queryKey: [...keys.runs, "pages", filter],
    queryFn: ({ pageParam, signal }) =>
      client.listRuns({ ...filter, limit: PAGE, cursor: pageParam || undefined }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnMount: "always",
  });
  const newest = useQuery({
    queryKey: [...keys.runs, "newest", filter],
    queryFn: ({ signal }) => client.listRuns({ ...filter, limit: PAGE }, { signal }),
    enabled: pages.isSuccess,
    refetchInterval: REFRESH_MS,
  });
  const runs = useMemo(() => {
    const seen = new Map<string, Run>();
    for (const run of newest.data?.runs ?? []) seen.set(run.id, run);
    for (const page of pages.data?.pages ?? [])
      for (const run of page.runs) if (!seen.has(run.id)) seen.set(run.id, run);
    return [...seen.values()];
  }, [newest.data, pages.data]);
  return { ...pages, runs };
}

/** A run's id opens the run, a thread's narrows the list to it. */
function FindBox({ thread }: { thread: string | undefined }) {
  const navigate = useNavigate({ from: "/runs" });
  const [typed, setTyped] = useState(thread ?? "");
  const [given, setGiven] = useState(thread);
  if (given !== thread) {
    setGiven(thread);
    setTyped(thread ?? "");
  }
  return (
    <form
      className="relative min-w-56 flex-1 sm:max-w-sm"
      onSubmit={(event) => {
        event.preventDefault();
        const id = typed.trim();
        if (id.startsWith("run_")) void navigate({ to: "/runs/$run_id", params: { run_id: id } });
        else void navigate({ search: (old) => ({ ...old, thread: id || undefined }) });
      }}
    >
      <Search
        size={14}
        aria-hidden
        className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-ink-faint"
      />
      <Input
        type="search"
        data-search
        aria-label="Open a run by its id, or show the runs of a thread"
        placeholder="Id of a run or a thread, then Enter"
        value={typed}
        onChange={({ target }) => {
          setTyped(target.value);
          if (target.value === "" && thread !== undefined)
            void navigate({ search: (old) => ({ ...old, thread: undefined }) });
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
        className="pl-8"
      />
    </form>
  );
}

function Rows({ list }: { list: ReturnType<typeof useRunList> }) {
  const { runs, hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const scroller = useRef<HTMLDivElement>(null);
  useRowKeys(scroller);
  const rows = useVirtualizer({
    count: runs.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= runs.length - 1 && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [last, runs.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-auto">
      <div role="list" aria-label="Runs" className="relative" style={{ height: rows.getTotalSize() }}>
        {items.map(({ index, start }) => {
          const run = runs[index]!;
          return (
            <div
              key={run.id}
              role="listitem"
              className="absolute inset-x-0 border-b border-line hover:bg-hover"
              style={{ height: ROW_PX, transform: `translateY(${start}px)` }}
            >
              <Row run={run} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Row({ run }: { run: Run }) {
  const {
    id,
    thread_id,
    status,
    created_at,
    started_at,
    completed_at,
    deployment_id,
    version_number,
    error_message,
  } = run;
  const { data: deployments = [] } = useDeployments();
  const name = deployments.find((each) => each.deployment_id === deployment_id)?.name;
  const took =
    started_at && completed_at ? durationText(Date.parse(completed_at) - Date.parse(started_at)) : "";
  return (
    <Link
      to="/runs/$run_id"
      params={{ run_id: id }}
      data-row
      className="grid h-full grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 px-4 -outline-offset-2 sm:grid-cols-[100px_150px_minmax(0,1fr)_auto_80px_88px] sm:px-5"
    >
      <span className="max-sm:order-2">
        <StatusLabel status={status} />
      </span>
      <span className="truncate font-mono text-xs text-ink-soft" title={id}>
        {shortId(id)}
      </span>
      <span className="hidden min-w-0 truncate text-ink-soft sm:block">
        {error_message !== null ? (
          <span className="text-bad">{error_message.split("\n")[0]}</span>
        ) : thread_id === null ? (
          "without a thread"
        ) : (
          <span className="font-mono text-xs">{shortId(thread_id)}</span>
        )}
      </span>
      <span className="hidden max-w-52 truncate text-ink-soft lg:block">
        {name} <span className="text-ink-faint">v{version_number}</span>
      </span>
      <span className="numeric hidden text-right text-ink-soft sm:block">{took}</span>
      <span className="hidden text-right text-ink-soft sm:block">
        <Time at={created_at} />
      </span>
    </Link>
  );
}
