/** A tool's call on one line, with what went in and came out below when it is opened. */
import { ChevronRight, Wrench } from "lucide-react";
import { useState } from "react";
import type { Json } from "../../../src/core/json.ts";
import { classNames } from "../parts/class_names.ts";
import { JsonTree } from "../parts/json_tree.tsx";

type Props = { name: string; input: Json; output: Json | undefined; failed: boolean; running: boolean };

export function ToolCall({ name, input, output, failed, running }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-panel">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex h-8 w-full items-center gap-2 px-2.5 text-left hover:bg-hover"
      >
        <Wrench size={13} strokeWidth={1.75} aria-hidden className="shrink-0 text-ink-faint" />
        <span className="shrink-0 font-mono text-xs font-medium">{name}</span>
        <span className="min-w-0 flex-1 truncate font-mono text-xs text-ink-soft">{oneLine(input)}</span>
        <span
          className={classNames(
            "shrink-0 text-xs",
            failed ? "text-bad" : running ? "text-live" : "text-ink-faint",
          )}
        >
          {failed ? "failed" : running ? "running" : output === undefined ? "no answer" : "done"}
        </span>
        <ChevronRight
          size={13}
          aria-hidden
          className={classNames("shrink-0 text-ink-faint transition-transform", open && "rotate-90")}
        />
      </button>
      {open && (
        <div className="grid gap-3 border-t border-line bg-sunken px-3 py-2.5">
          <Part title="Input" value={input} />
          {output !== undefined && <Part title={failed ? "Error" : "Output"} value={output} />}
        </div>
      )}
    </div>
  );
}

function Part({ title, value }: { title: string; value: Json }) {
  return (
    <div className="min-w-0">
      <p className="mb-0.5 text-xs text-ink-faint">{title}</p>
      <JsonTree value={parsedText(value)} openDepth={2} label={title} />
    </div>
  );
}

/** Tools often answer with JSON as text. */
function parsedText(value: Json): Json {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}

function oneLine(value: Json): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  return Object.entries(value)
    .map(([key, each]) => `${key}: ${typeof each === "string" ? each : JSON.stringify(each)}`)
    .join(", ");
}
