/** An error where it happened: what the server said, which tells what to do, and a way to try again. */
import { CircleAlert } from "lucide-react";
import { ApiError, ConnectionError } from "../../../src/client/errors.ts";
import { Button } from "./button.tsx";

export function messageOf(error: unknown): string {
  if (error instanceof ConnectionError)
    return "The server does not answer. It is tried again until it does; nothing is lost meanwhile.";
  return error instanceof Error ? error.message : String(error);
}

export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <div
      role="alert"
      className="flex items-start gap-2.5 rounded-lg border border-bad/30 bg-bad-soft px-3 py-2.5"
    >
      <CircleAlert size={16} strokeWidth={1.75} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      <div className="min-w-0 flex-1">
        <p className="break-words text-ink">{messageOf(error)}</p>
        {error instanceof ApiError && <p className="font-mono text-xs text-ink-soft">{error.code}</p>}
      </div>
      {retry && <Button onClick={retry}>Try again</Button>}
    </div>
  );
}
