/** Any JSON as a tree that opens and closes; what changed is marked, and opened. */
import { ChevronRight } from "lucide-react";
import { memo, useState } from "react";
import { isObject, type Json } from "../../../src/core/json.ts";
import { classNames } from "./class_names.ts";

/** JSON pointers (RFC 6901) of what changed. */
export type Changes = ReadonlyMap<string, "added" | "changed">;

const none: Changes = new Map();
/** A list shows this many items at once, so that a long one stays quick. */
const SHOWN_AT_ONCE = 100;
const LONG_TEXT = 240;

export function JsonTree({
  value,
  changes = none,
  openDepth = 1,
  label,
}: {
  value: Json;
  changes?: Changes;
  /** So many levels are open at first. */
  openDepth?: number;
  label: string;
}) {
  return (
    <div className="font-mono text-xs leading-5" role="group" aria-label={label}>
      {isObject(value) || Array.isArray(value) ? (
        <Children value={value} path="" depth={0} openDepth={openDepth} changes={changes} />
      ) : (
        <Scalar value={value} />
      )}
    </div>
  );
}

export function pointerPart(key: string | number): string {
  return String(key).replaceAll("~", "~0").replaceAll("/", "~1");
}

type Container = Json[] | { [key: string]: Json };
type Place = { path: string; depth: number; openDepth: number; changes: Changes };

function Children({ value, path, depth, openDepth, changes }: Place & { value: Container }) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  const isList = Array.isArray(value);
  const entries: [string | number, Json][] = isList
    ? value.map((item, i) => [i, item])
    : Object.entries(value);
  // Of a long list the newest items are what one looks for.
  const hidden = Math.max(0, entries.length - shown);
  const visible = isList ? entries.slice(hidden) : entries.slice(0, shown);
  const more = hidden > 0 && (
    <button
      type="button"
      onClick={() => setShown(shown + SHOWN_AT_ONCE)}
      className="ml-4 text-ink-soft underline hover:text-ink"
    >
      {hidden} {isList ? "earlier items" : "more keys"}
    </button>
  );
  if (entries.length === 0)
    return <span className="ml-4 text-ink-faint">{isList ? "empty list" : "empty object"}</span>;
  return (
    <>
      {isList && more}
      {visible.map(([key, item]) => (
        <Entry
          key={key}
          name={key}
          value={item}
          path={`${path}/${pointerPart(key)}`}
          depth={depth}
          openDepth={openDepth}
          changes={changes}
        />
      ))}
      {!isList && more}
    </>
  );
}

const Entry = memo(function Entry({ name, value, ...place }: Place & { name: string | number; value: Json }) {
  const { path, depth, openDepth, changes } = place;
  const change = changes.get(path);
  const holdsChange = hasBelow(changes, path);
  const [chosen, setChosen] = useState<boolean | undefined>();
  const isContainer = isObject(value) || Array.isArray(value);
  const open = chosen ?? (depth < openDepth || holdsChange);
  const mark = change && (
    <span
      className={classNames("ml-2 font-sans text-[10.5px]", change === "added" ? "text-good" : "text-ask")}
    >
      {change}
    </span>
  );
  const rowClass = classNames("rounded-sm pr-1", change && "bg-mark");
  if (!isContainer)
    return (
      <div className={classNames("flex pl-4", rowClass)}>
        <Key name={name} />
        <span className="min-w-0 flex-1">
          <Scalar value={value} />
          {mark}
        </span>
      </div>
    );
  return (
    <div>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setChosen(!open)}
        className={classNames("flex w-full items-start text-left hover:bg-hover", rowClass)}
      >
        <ChevronRight
          size={12}
          aria-hidden
          className={classNames(
            "mt-1 mr-1 shrink-0 text-ink-faint transition-transform",
            open && "rotate-90",
          )}
        />
        <Key name={name} />
        <span className="min-w-0 truncate text-ink-faint">{open ? sizeOf(value) : preview(value)}</span>
        {mark}
        {!change && holdsChange && !open && (
          <span className="ml-2 font-sans text-[10.5px] text-ask">changed inside</span>
        )}
      </button>
      {open && (
        <div className="ml-1.5 border-l border-line pl-2">
          <Children value={value} path={path} depth={depth + 1} openDepth={openDepth} changes={changes} />
        </div>
      )}
    </div>
  );
});

function hasBelow(changes: Changes, path: string): boolean {
  if (changes.size === 0) return false;
  const prefix = `${path}/`;
  for (const changed of changes.keys()) if (changed.startsWith(prefix)) return true;
  return false;
}

function Key({ name }: { name: string | number }) {
  return (
    <span className={classNames("shrink-0", typeof name === "number" ? "text-ink-faint" : "text-accent")}>
      {name}
      <span className="mr-1.5 text-ink-faint">:</span>
    </span>
  );
}

function Scalar({ value }: { value: Json }) {
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return <span className="text-live">{JSON.stringify(value)}</span>;
  const isLong = value.length > LONG_TEXT;
  return (
    <span className="break-words whitespace-pre-wrap text-ink">
      {isLong && !whole ? (
        `${value.slice(0, LONG_TEXT)}…`
      ) : value === "" ? (
        <span className="text-ink-faint">""</span>
      ) : (
        value
      )}
      {isLong && (
        <button
          type="button"
          onClick={() => setWhole(!whole)}
          className="ml-1.5 font-sans text-ink-soft underline hover:text-ink"
        >
          {whole ? "less" : `all ${value.length.toLocaleString("en")} characters`}
        </button>
      )}
    </span>
  );
}

function sizeOf(value: Container): string {
  if (Array.isArray(value)) return value.length === 1 ? "1 item" : `${value.length} items`;
  const count = Object.keys(value).length;
  return count === 1 ? "1 key" : `${count} keys`;
}

/** A closed one says what is in it: of a message who says what. */
function preview(value: Container): string {
  if (Array.isArray(value)) return sizeOf(value);
  const who = value.role ?? value.type;
  if (typeof who === "string" && typeof value.content === "string")
    return `${who}: ${value.content.slice(0, 80)}`;
  return `{ ${Object.keys(value).slice(0, 6).join(", ")}${Object.keys(value).length > 6 ? ", …" : ""} }`;
}
