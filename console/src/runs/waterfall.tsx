/** A run's spans under each other, each where its time stands. A click shows what went in and came out. */
import { Bot, Box, type LucideIcon, MessageSquareText, Wrench } from "lucide-react";
import { useEffect, useState } from "react";
import type { Json } from "../../../src/core/json.ts";
import { classNames } from "../parts/class_names.ts";
import { JsonTree } from "../parts/json_tree.tsx";
import { durationText } from "../parts/time.tsx";
import type { Span, SpanKind, Story } from "./spans.ts";

const icons: Record<SpanKind, LucideIcon> = {
  task: Box,
  agent: Bot,
  tool: Wrench,
  message: MessageSquareText,
};
const kindNames: Record<SpanKind, string> = {
  task: "node or task",
  agent: "agent",
  tool: "tool",
  message: "message",
};
const bars: Record<SpanKind, string> = {
  task: "bg-accent",
  agent: "bg-ink-faint",
  tool: "bg-ask",
  message: "bg-live",
};
/** Parts of the whole time that are marked. */
const TICKS = [0, 0.25, 0.5, 0.75];
const TICK_MS = 200;

export function Waterfall({ story }: { story: Story }) {
  const [open, setOpen] = useState<string | null>(null);
  const now = useNow(!story.over);
  const end = story.over ? story.newest_ms : Math.max(now, story.newest_ms);
  const total = Math.max(end - story.start_ms, 1);
  const place = (ms: number) => `${((ms - story.start_ms) / total) * 100}%`;
  return (
    <div role="table" aria-label="Waterfall" className="min-w-0">
      <div
        role="row"
        className="sticky top-0 z-10 grid h-8 grid-cols-[minmax(120px,240px)_1fr_64px] items-center gap-3 border-b border-line bg-canvas px-4 text-xs text-ink-soft sm:px-5"
      >
        <span role="columnheader">What</span>
        <span role="columnheader" className="relative h-full" aria-label="When">
          {TICKS.map((part) => (
            <span
              key={part}
              className="numeric absolute top-1/2 -translate-y-1/2"
              style={{ left: `${part * 100}%` }}
            >
              {durationText(total * part)}
            </span>
          ))}
        </span>
        <span role="columnheader" className="text-right">
          Took
        </span>
      </div>
      {story.spans.map((span) => (
        <div key={span.key} role="rowgroup">
          <SpanRow
            span={span}
            end={end}
            place={place}
            isOpen={open === span.key}
            onToggle={() => setOpen(open === span.key ? null : span.key)}
          />
          {open === span.key && <Details span={span} />}
        </div>
      ))}
    </div>
  );
}

function SpanRow({
  span,
  end,
  place,
  isOpen,
  onToggle,
}: {
  span: Span;
  end: number;
  place: (ms: number) => string;
  isOpen: boolean;
  onToggle: () => void;
}) {
  const { kind, name, depth, start_ms, end_ms, failed, tokens } = span;
  const Icon = icons[kind];
  const until = end_ms ?? end;
  return (
    <div
      role="row"
      className={classNames("relative border-b border-line hover:bg-hover", isOpen && "bg-hover")}
    >
      <div className="grid h-8 grid-cols-[minmax(120px,240px)_1fr_64px] items-center gap-3 px-4 sm:px-5">
        <span role="cell" className="min-w-0" style={{ paddingLeft: depth * 14 }}>
          <button
            type="button"
            data-row
            aria-expanded={isOpen}
            onClick={onToggle}
            className="flex w-full items-center gap-2 text-left after:absolute after:inset-0"
          >
            <Icon size={13} strokeWidth={1.75} aria-hidden className="shrink-0 text-ink-faint" />
            <span className="sr-only">{kindNames[kind]} </span>
            <span className="truncate">{name}</span>
            {failed && <span className="text-xs text-bad">failed</span>}
          </button>
        </span>
        <span role="cell" className="relative h-full">
          <span
            aria-hidden
            className={classNames(
              "absolute top-1/2 h-3 min-w-0.75 -translate-y-1/2 rounded-sm",
              failed ? "bg-bad" : bars[kind],
              end_ms === null && "breathing",
            )}
            style={{ left: place(start_ms), right: `calc(100% - ${place(until)})` }}
          />
        </span>
        <span role="cell" className="numeric text-right text-xs text-ink-soft">
          {kind === "message"
            ? `${tokens} ${tokens === 1 ? "token" : "tokens"}`
            : durationText(until - start_ms)}
        </span>
      </div>
    </div>
  );
}

function Details({ span: { input, output, failed, kind, start_ms, end_ms } }: { span: Span }) {
  return (
    <div role="row" className="border-b border-line bg-sunken">
      <div role="cell" className="grid gap-3 px-5 py-3">
        {kind === "message" && end_ms !== null && (
          <p className="text-xs text-ink-soft">Streamed in {durationText(end_ms - start_ms)}.</p>
        )}
        {input !== undefined && <Part title="Input" value={input} />}
        {output !== undefined && <Part title={failed ? "Error" : "Output"} value={output} />}
        {input === undefined && output === undefined && (
          <p className="text-ink-soft">
            Events tell when it began and ended. What it changed stands in the checkpoint it left.
          </p>
        )}
      </div>
    </div>
  );
}

function Part({ title, value }: { title: string; value: Json }) {
  return (
    <div className="min-w-0">
      <p className="mb-0.5 text-xs text-ink-faint">{title}</p>
      <JsonTree value={value} openDepth={2} label={title} />
    </div>
  );
}

/** The time of this moment, while it is needed. */
function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking) return;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
