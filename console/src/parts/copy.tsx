/** Copies a text, and says so where it was asked. */
import { Check, Copy as CopyIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "./button.tsx";
import { classNames } from "./class_names.ts";

const SAID_MS = 1_500;

export function useCopy(): { copied: boolean; copy: (text: string) => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return { copied, copy: (text) => void navigator.clipboard.writeText(text).then(() => setCopied(true)) };
}

export function CopyButton({ text, label, className }: { text: string; label: string; className?: string }) {
  const { copied, copy } = useCopy();
  return (
    <IconButton
      icon={copied ? Check : CopyIcon}
      label={copied ? "Copied" : label}
      onClick={() => copy(text)}
      {...(className !== undefined && { className })}
    />
  );
}

/** An id, short enough to read; a click copies all of it. */
export function Id({ id, className }: { id: string; className?: string }) {
  const { copied, copy } = useCopy();
  return (
    <button
      type="button"
      title={`${id} (click to copy)`}
      onClick={() => copy(id)}
      className={classNames(
        "-mx-1 rounded px-1 font-mono whitespace-nowrap text-xs text-ink-soft hover:bg-hover hover:text-ink",
        className,
      )}
    >
      {copied ? "copied" : shortId(id)}
    </button>
  );
}

const HEAD = 8;
const TAIL = 4;

/** thr_9f3a…c01d: the kind, the beginning and the end. */
export function shortId(id: string): string {
  const [, prefix = "", rest = id] = /^([a-z]+_)?(.*)$/.exec(id) ?? [];
  return rest.length <= HEAD + TAIL + 1 ? id : `${prefix}${rest.slice(0, HEAD)}…${rest.slice(-TAIL)}`;
}
