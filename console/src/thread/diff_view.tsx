/** What differs between two states: each place with what stood there and what stands there now. */
import type { PatchOperation } from "../../../src/client/client.ts";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import { classNames } from "../parts/class_names.ts";
import { JsonTree } from "../parts/json_tree.tsx";

const words: Record<string, string> = {
  add: "added",
  remove: "removed",
  replace: "changed",
  move: "moved",
  copy: "copied",
};

export function DiffView({ patch, before }: { patch: PatchOperation[]; before: JsonObject }) {
  if (patch.length === 0) return <p className="px-4 py-3 text-ink-soft">The two states are the same.</p>;
  return (
    <ol className="flex flex-col gap-3 px-4 py-3" aria-label="Differences">
      {patch.map((operation, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: operations have no other identity
        <li key={i} className="overflow-hidden rounded-lg border border-line">
          <p className="flex items-center justify-between gap-3 border-b border-line bg-sunken px-3 py-1.5">
            <span className="truncate font-mono text-xs" title={operation.path}>
              {pathText(operation.path)}
            </span>
            <span
              className={classNames(
                "shrink-0 text-xs font-medium",
                operation.op === "add" ? "text-good" : operation.op === "remove" ? "text-bad" : "text-ask",
              )}
            >
              {words[operation.op] ?? operation.op}
            </span>
          </p>
          {operation.op !== "add" && (
            <Side sign="−" value={valueAt(before, operation.from ?? operation.path)} />
          )}
          {operation.value !== undefined && <Side sign="+" value={operation.value} />}
        </li>
      ))}
    </ol>
  );
}

function Side({ sign, value }: { sign: "−" | "+"; value: Json | undefined }) {
  const isNew = sign === "+";
  return (
    <div className={classNames("flex gap-2 px-3 py-1.5", isNew ? "bg-good-soft" : "bg-bad-soft")}>
      <span
        aria-hidden
        className={classNames("font-mono text-xs leading-5", isNew ? "text-good" : "text-bad")}
      >
        {sign}
      </span>
      <div className="min-w-0 flex-1">
        <JsonTree value={value ?? null} openDepth={2} label={isNew ? "After" : "Before"} />
      </div>
    </div>
  );
}

function parts(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** messages › 2 › content */
function pathText(path: string): string {
  return parts(path).join(" › ") || "everything";
}

function valueAt(root: Json, path: string): Json | undefined {
  return parts(path).reduce<Json | undefined>((value, part) => {
    if (Array.isArray(value)) return value[Number(part)];
    return isObject(value) ? value[part] : undefined;
  }, root);
}
