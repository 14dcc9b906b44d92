/** The history as a list with its branches drawn beside it: any past state is a click, or j, k and Enter, away. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { GitCompareArrows, Map as MapIcon, Rows3 } from "lucide-react";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { IconButton } from "../parts/button.tsx";
import { classNames } from "../parts/class_names.ts";
import { EmptyState } from "../parts/empty_state.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { ClockTime } from "../parts/time.tsx";
import { useRowKeys } from "../shell/keyboard.ts";
import { nameOf, nodesText } from "./checkpoint_names.ts";
import { type LaneRow, lanesOf } from "./lanes.ts";
import type { useHistory } from "./thread_queries.ts";

const CheckpointMap = lazy(() => import("./checkpoint_map.tsx"));

const ROW_PX = 36;
const LANE_PX = 14;
const MOST_LANES = 8;
/** Ids begin with the time: their ends tell runs apart. */
const RUN_DIGITS = 6;

export type Selection = {
  /** The one whose state is shown. */
  selected: string | null;
  compared: string | null;
  onSelect: (checkpoint_id: string) => void;
  onCompare: (checkpoint_id: string) => void;
};

export function Checkpoints({
  history,
  ...selection
}: Selection & { history: ReturnType<typeof useHistory> }) {
  const [isMap, setMap] = useState(false);
  const { checkpoints } = history;
  if (history.isPending) return <SkeletonRows rows={8} height={ROW_PX} />;
  if (checkpoints.length === 0)
    return (
      <EmptyState title="No checkpoints yet">
        <p>Each step of a run leaves one: a snapshot of the state to look at, compare, and fork from.</p>
      </EmptyState>
    );
  return (
    <div className="flex h-full flex-col">
      <div className="flex h-10 shrink-0 items-center justify-between border-b border-line pr-2 pl-4">
        <span className="numeric text-xs text-ink-soft">
          {checkpoints.length}
          {history.hasNextPage && "+"} {checkpoints.length === 1 ? "checkpoint" : "checkpoints"}, newest first
        </span>
        <IconButton
          icon={isMap ? Rows3 : MapIcon}
          label={isMap ? "Show as a list" : "Show as a tree"}
          onClick={() => setMap(!isMap)}
        />
      </div>
      {isMap ? (
        <Suspense fallback={<div className="skeleton m-4 h-40" />}>
          <CheckpointMap checkpoints={checkpoints} {...selection} />
        </Suspense>
      ) : (
        <List history={history} {...selection} />
      )}
    </div>
  );
}

function List({
  history,
  selected,
  compared,
  onSelect,
  onCompare,
}: Selection & { history: ReturnType<typeof useHistory> }) {
  const { checkpoints, hasNextPage, isFetchingNextPage, fetchNextPage } = history;
  const scroller = useRef<HTMLDivElement>(null);
  useRowKeys(scroller);
  const lanes = useMemo(() => lanesOf(checkpoints), [checkpoints]);
  const byId = useMemo(() => new Map(checkpoints.map((each) => [each.checkpoint_id, each])), [checkpoints]);
  const width = Math.min(
    MOST_LANES,
    Math.max(...lanes.map(({ lane, through }) => Math.max(lane, ...through)), 0) + 1,
  );
  const rows = useVirtualizer({
    count: checkpoints.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 16,
  });
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= checkpoints.length - 1 && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [last, checkpoints.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-auto">
      <div role="list" aria-label="Checkpoints" className="relative" style={{ height: rows.getTotalSize() }}>
        {items.map(({ index, start }) => {
          const checkpoint = checkpoints[index]!;
          const { checkpoint_id, parent_checkpoint_id, run_id, next } = checkpoint;
          const parent = parent_checkpoint_id === null ? undefined : byId.get(parent_checkpoint_id);
          const isSelected = checkpoint_id === selected;
          const beginsRun = run_id !== checkpoints[index + 1]?.run_id;
          return (
            <div
              key={checkpoint_id}
              role="listitem"
              className={classNames(
                "group absolute inset-x-0 flex items-center",
                isSelected ? "bg-accent-soft" : compared === checkpoint_id ? "bg-ask-soft" : "hover:bg-hover",
                beginsRun && "border-b border-line",
              )}
              style={{ height: ROW_PX, transform: `translateY(${start}px)` }}
            >
              <button
                type="button"
                data-row
                aria-pressed={isSelected}
                onClick={() => onSelect(checkpoint_id)}
                className="flex h-full min-w-0 flex-1 items-center gap-2 pl-3 text-left -outline-offset-2"
              >
                <Drawing row={lanes[index]!} width={width} isHead={index === 0} isSelected={isSelected} />
                <span className="min-w-0 flex-1 truncate">
                  <span className="font-medium">{nameOf(checkpoint, parent)}</span>
                  {next.length > 0 && (
                    <span className="ml-2 text-xs text-ink-soft">next: {nodesText(next)}</span>
                  )}
                </span>
                <span
                  className="numeric hidden shrink-0 text-xs text-ink-faint sm:inline"
                  title={run_id ?? undefined}
                >
                  {beginsRun && run_id !== null ? `run …${run_id.slice(-RUN_DIGITS)}` : ""}
                </span>
                <span className="shrink-0 text-xs text-ink-soft">
                  <ClockTime at={checkpoint.created_at} />
                </span>
              </button>
              <IconButton
                icon={GitCompareArrows}
                label={compared === checkpoint_id ? "Stop comparing" : "Compare with the state shown"}
                disabled={isSelected}
                onClick={() => onCompare(checkpoint_id)}
                className={classNames(
                  "mr-1 size-7! focus-visible:opacity-100 group-hover:opacity-100",
                  compared === checkpoint_id ? "text-ask!" : "opacity-0",
                  isSelected && "invisible",
                )}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Drawing({
  row,
  width,
  isHead,
  isSelected,
}: {
  row: LaneRow;
  width: number;
  isHead: boolean;
  isSelected: boolean;
}) {
  const x = (lane: number) => Math.min(lane, MOST_LANES - 1) * LANE_PX + LANE_PX / 2;
  const middle = ROW_PX / 2;
  const at = x(row.lane);
  return (
    <svg width={width * LANE_PX} height={ROW_PX} aria-hidden="true" className="shrink-0 text-line-strong">
      <g fill="none" stroke="currentColor" strokeWidth="1.5">
        {row.through.map((lane) => (
          <path key={`through ${lane}`} d={`M${x(lane)} 0V${ROW_PX}`} />
        ))}
        {row.from.map((lane) => (
          <path
            key={`from ${lane}`}
            d={
              lane === row.lane
                ? `M${at} 0V${middle}`
                : `M${x(lane)} 0C${x(lane)} ${middle} ${x(lane)} ${middle} ${at} ${middle}`
            }
          />
        ))}
        {row.continues && <path d={`M${at} ${middle}V${ROW_PX}`} />}
      </g>
      <circle
        cx={at}
        cy={middle}
        r={isSelected ? 5 : 4}
        strokeWidth="1.5"
        className={
          isSelected
            ? "fill-accent stroke-accent"
            : isHead
              ? "fill-ink-soft stroke-ink-soft"
              : "fill-panel stroke-ink-faint"
        }
      />
    </svg>
  );
}
