/** Metadata as short pairs. */
import type { JsonObject } from "../../../src/core/json.ts";

export function Metadata({ metadata }: { metadata: JsonObject }) {
  return Object.entries(metadata).map(([key, value]) => (
    <span
      key={key}
      className="inline-flex max-w-60 min-w-0 shrink-0 items-baseline gap-1 rounded border border-line bg-sunken px-1.5 text-xs leading-5"
    >
      <span className="text-ink-faint">{key}</span>
      <span className="truncate text-ink">{typeof value === "string" ? value : JSON.stringify(value)}</span>
    </span>
  ));
}
