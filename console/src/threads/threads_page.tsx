/** All threads: found by status, deployment, metadata or id; opened, made, pruned. */
import { Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Plus, Search, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { ThreadSearch } from "../../../src/client/client.ts";
import { type ThreadStatus, threadStatuses } from "../../../src/core/moves.ts";
import { useDeployments } from "../deployments/deployment_queries.ts";
import { Button, IconButton } from "../parts/button.tsx";
import { classNames } from "../parts/class_names.ts";
import { shortId } from "../parts/copy.tsx";
import { CommandLine, EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Input, Select } from "../parts/fields.tsx";
import { Metadata } from "../parts/metadata.tsx";
import { Page } from "../parts/page.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { threadsRoute } from "../router.tsx";
import { useMayRun } from "../session.tsx";
import { useRowKeys } from "../shell/keyboard.ts";
import { NewThread } from "./new_thread.tsx";
import { PruneBar } from "./prune_bar.tsx";
import { type ListedThread, useFreshThreads, useThreadCounts, useThreadList } from "./thread_list.ts";
import { parseThreadQuery } from "./thread_query.ts";

const ROW_PX = 44;
const TYPING_MS = 250;

export function ThreadsPage() {
  const { deployment, status, find } = threadsRoute.useSearch();
  const navigate = useNavigate({ from: "/threads" });
  const [making, setMaking] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const mayRun = useMayRun();
  const deployments = useDeployments();

  const query = useMemo(() => parseThreadQuery(find ?? ""), [find]);
  const mistake = "mistake" in query ? query.mistake : undefined;
  const search = useMemo((): ThreadSearch | null => {
    if ("mistake" in query) return null;
    return { ...query, ...(deployment && { deployment_id: deployment }), ...(status && { status }) };
  }, [query, deployment, status]);
  const list = useThreadList(search);
  const counts = useThreadCounts(search);
  const isFiltered = deployment !== undefined || status !== undefined || find !== undefined;

  return (
    <Page
      title="Threads"
      actions={
        mayRun && (
          <Button weight="primary" icon={Plus} onClick={() => setMaking(true)}>
            New thread
          </Button>
        )
      }
    >
      <div className="flex h-full flex-col">
        <div className="flex shrink-0 flex-wrap items-center gap-2 border-b border-line px-4 py-2 sm:px-5">
          <FindBox
            value={find ?? ""}
            onChange={(text) =>
              void navigate({ search: (old) => ({ ...old, find: text || undefined }), replace: true })
            }
          />
          {(deployments.data?.length ?? 0) > 1 && (
            <Select
              aria-label="Deployment"
              value={deployment ?? ""}
              onChange={({ target }) =>
                void navigate({ search: (old) => ({ ...old, deployment: target.value || undefined }) })
              }
            >
              <option value="">All deployments</option>
              {deployments.data?.map(({ deployment_id, name }) => (
                <option key={deployment_id} value={deployment_id}>
                  {name}
                </option>
              ))}
            </Select>
          )}
          <StatusFilter
            status={status}
            counts={counts}
            onChange={(next) => void navigate({ search: (old) => ({ ...old, status: next }) })}
          />
        </div>
        {mistake !== undefined ? (
          <EmptyState title="Not a search yet">
            <p>{mistake}</p>
          </EmptyState>
        ) : list.isError && list.threads.length === 0 ? (
          <div className="p-5">
            <ErrorNote error={list.error} retry={() => void list.refetch()} />
          </div>
        ) : list.isPending ? (
          <SkeletonRows rows={12} height={ROW_PX} />
        ) : list.threads.length === 0 ? (
          <Nothing isFiltered={isFiltered} onClear={() => void navigate({ search: {} })} />
        ) : (
          <Rows list={list} chosen={chosen} onChoose={mayRun ? setChosen : undefined} />
        )}
        {chosen.size > 0 && <PruneBar ids={[...chosen]} onDone={() => setChosen(new Set())} />}
      </div>
      {making && (
        <NewThread
          deployment_id={deployment}
          onClose={() => setMaking(false)}
          onMade={(thread_id) => void navigate({ to: "/threads/$thread_id", params: { thread_id } })}
        />
      )}
    </Page>
  );
}

function FindBox({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(value);
  const [given, setGiven] = useState(value);
  if (given !== value) {
    setGiven(value);
    setTyped(value);
  }
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (typed === value) return;
    timer.current = setTimeout(() => onChange(typed), TYPING_MS);
    return () => clearTimeout(timer.current);
  }, [typed, value, onChange]);
  /** Whoever leaves the field for a link must not be taken back by what was typed. */
  const leave = () => {
    clearTimeout(timer.current);
    if (typed !== value) onChange(typed);
  };
  return (
    <div className="relative min-w-56 flex-1 sm:max-w-sm">
      <Search
        size={14}
        aria-hidden
        className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-ink-faint"
      />
      <Input
        type="search"
        data-search
        aria-label="Find threads by id or metadata"
        placeholder="Id, or metadata such as user: ada"
        value={typed}
        onChange={({ target }) => setTyped(target.value)}
        onBlur={leave}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
        }}
        className="pr-8 pl-8"
      />
      {typed === "" ? (
        <kbd className="pointer-events-none absolute top-1/2 right-2.5 hidden -translate-y-1/2 rounded border border-line px-1 text-xs text-ink-faint sm:block">
          /
        </kbd>
      ) : (
        <IconButton
          icon={X}
          label="Clear the search"
          onClick={() => setTyped("")}
          className="absolute! top-1/2 right-1 size-6! -translate-y-1/2"
        />
      )}
    </div>
  );
}

function StatusFilter({
  status,
  counts,
  onChange,
}: {
  status: ThreadStatus | undefined;
  counts: Record<ThreadStatus | "all", number> | undefined;
  onChange: (status: ThreadStatus | undefined) => void;
}) {
  return (
    <fieldset className="-mx-1 flex max-w-full min-w-0 gap-0.5 overflow-x-auto px-1">
      <legend className="sr-only">Status</legend>
      {([undefined, ...threadStatuses] as const).map((each) => (
        <button
          key={each ?? "all"}
          type="button"
          aria-pressed={status === each}
          onClick={() => onChange(each)}
          className="flex h-8 shrink-0 items-center gap-1.5 rounded-md px-2.5 font-medium text-ink-soft hover:bg-hover aria-pressed:bg-hover aria-pressed:text-ink"
        >
          {each ?? "all"}
          <span className="numeric min-w-3 text-left text-xs text-ink-faint">
            {counts ? compact.format(counts[each ?? "all"]) : ""}
          </span>
        </button>
      ))}
    </fieldset>
  );
}

const compact = new Intl.NumberFormat("en", { notation: "compact" });

function Rows({
  list,
  chosen,
  onChoose,
}: {
  list: ReturnType<typeof useThreadList>;
  chosen: ReadonlySet<string>;
  onChoose: ((ids: ReadonlySet<string>) => void) | undefined;
}) {
  const { threads, hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const scroller = useRef<HTMLDivElement>(null);
  useRowKeys(scroller);
  const rows = useVirtualizer({
    count: threads.length + (hasNextPage ? 1 : 0),
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= threads.length - 1 && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [last, threads.length, hasNextPage, isFetchingNextPage, fetchNextPage]);

  const onScreen = items.flatMap(({ index }) => threads[index]?.thread_id ?? []);
  const fresh = useFreshThreads(onScreen);
  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    onChoose?.(next);
  };
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-auto">
      <div role="list" aria-label="Threads" className="relative" style={{ height: rows.getTotalSize() }}>
        {items.map(({ index, key, start }) => {
          const listed = threads[index];
          const thread = listed && (fresh.get(listed.thread_id) ?? listed);
          return (
            <div
              key={key}
              role="listitem"
              className="absolute inset-x-0 border-b border-line"
              style={{ height: ROW_PX, transform: `translateY(${start}px)` }}
            >
              {thread ? (
                <Row
                  thread={thread}
                  chosen={chosen.has(thread.thread_id)}
                  onChoose={onChoose && ((on) => choose(thread.thread_id, on))}
                />
              ) : (
                <div className="flex h-full items-center px-5">
                  <div className="skeleton h-3 w-1/2" />
                </div>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Row({
  thread,
  chosen,
  onChoose,
}: {
  thread: ListedThread;
  chosen: boolean;
  onChoose: ((on: boolean) => void) | undefined;
}) {
  const { thread_id, status, metadata, updated_at, deployment_id } = thread;
  const { data: deployments } = useDeployments();
  const name = deployments?.find((each) => each.deployment_id === deployment_id)?.name;
  return (
    <div className={classNames("flex h-full items-center hover:bg-hover", chosen && "bg-accent-soft")}>
      {onChoose && (
        <label className="flex h-full items-center pr-1 pl-4 sm:pl-5">
          <span className="sr-only">Choose {thread_id}</span>
          <input
            type="checkbox"
            checked={chosen}
            onChange={({ target }) => onChoose(target.checked)}
            className="size-3.5 accent-(--accent)"
          />
        </label>
      )}
      <Link
        to="/threads/$thread_id"
        params={{ thread_id }}
        data-row
        className="grid h-full min-w-0 flex-1 grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 px-3 -outline-offset-2 sm:grid-cols-[96px_152px_minmax(0,1fr)_auto_88px] sm:pr-5"
      >
        <span className="max-sm:order-2 max-sm:justify-self-end">
          <StatusLabel status={status} />
        </span>
        <span className="truncate font-mono text-xs text-ink-soft max-sm:order-1" title={thread_id}>
          {shortId(thread_id)}
        </span>
        <span className="hidden min-w-0 items-center gap-1 overflow-hidden sm:flex">
          <Metadata metadata={metadata} />
        </span>
        <span className="hidden max-w-40 truncate text-ink-soft lg:block">{name}</span>
        <span className="hidden text-right text-ink-soft sm:block">
          <Time at={updated_at} />
        </span>
      </Link>
    </div>
  );
}

function Nothing({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  if (isFiltered)
    return (
      <EmptyState title="No thread matches">
        <p>
          Metadata must match exactly: user: ada finds threads whose metadata has "user" with the value "ada".
        </p>
        <Button onClick={onClear}>Show all threads</Button>
      </EmptyState>
    );
  return (
    <EmptyState title="No threads yet">
      <p>
        A thread is a conversation with an agent: it keeps the state between runs. Start one here, from the
        command line, or from your own program.
      </p>
      <CommandLine>crewship thread chat</CommandLine>
    </EmptyState>
  );
}
