/** The frame of a page: its title and what can be done on one line, its content below, scrolled by itself. */
import { type ReactNode, useEffect } from "react";

export function Page({
  title,
  heading,
  actions,
  children,
}: {
  /** For the tab of the browser. */
  title: string;
  heading?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Crewship`;
  }, [title]);
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="flex min-h-13 shrink-0 items-center gap-3 border-b border-line px-4 py-2 sm:px-5">
        <div className="min-w-0 flex-1">
          {heading ?? <h1 className="truncate text-lg font-semibold text-ink">{title}</h1>}
        </div>
        {actions && <div className="flex shrink-0 items-center gap-1.5">{actions}</div>}
      </header>
      <div className="min-h-0 flex-1">{children}</div>
    </div>
  );
}
