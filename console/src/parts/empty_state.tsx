/** What stands where nothing is yet: what would be here, and how to get the first one. */
import type { ReactNode } from "react";

export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="mx-auto flex max-w-md flex-col gap-2 px-6 py-14 text-center">
      <h2 className="text-base font-semibold text-ink">{title}</h2>
      <div className="flex flex-col items-center gap-3 text-ink-soft">{children}</div>
    </div>
  );
}

/** A command to type, as it is. */
export function CommandLine({ children }: { children: string }) {
  return (
    <code className="block max-w-full overflow-x-auto rounded-md border border-line bg-sunken px-3 py-2 text-left text-xs whitespace-pre text-ink">
      {children}
    </code>
  );
}
