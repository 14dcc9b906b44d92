/** A field for JSON: an editor that is loaded when it is first shown, and what is wrong with what stands in it. */
import { lazy, Suspense } from "react";
import type { Json } from "../../../src/core/json.ts";
import { classNames } from "./class_names.ts";

const CodeMirror = lazy(() => import("./code_mirror.tsx"));

export type EditorProps = {
  value: string;
  onChange: (text: string) => void;
  label: string;
  placeholder?: string | undefined;
  /** ⌘Enter. */
  onSubmit?: (() => void) | undefined;
  invalid?: boolean;
};

export function JsonEditor({ className, ...props }: EditorProps & { className?: string }) {
  return (
    <div
      className={classNames(
        "min-h-24 overflow-hidden rounded-md border border-line-strong bg-panel focus-within:border-accent focus-within:outline-2 focus-within:outline-accent",
        className,
      )}
    >
      <Suspense fallback={<div className="skeleton m-3 h-3 w-1/3" />}>
        <CodeMirror {...props} />
      </Suspense>
    </div>
  );
}

export type Parsed = { value: Json } | { mistake: string };

/** Empty text is null. */
export function parseJson(text: string): Parsed {
  if (text.trim() === "") return { value: null };
  try {
    return { value: JSON.parse(text) as Json };
  } catch (error) {
    return { mistake: `This is not JSON yet: ${error instanceof Error ? error.message : String(error)}` };
  }
}

export function jsonText(value: Json | undefined): string {
  return JSON.stringify(value ?? null, null, 2);
}
