/** A list of the operations' page under its title. */
import type { ReactNode } from "react";

export function Section({
  title,
  count,
  actions,
  children,
}: {
  title: string;
  count?: number | undefined;
  actions?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="border-b border-line">
      <div className="flex h-11 items-center justify-between gap-3 px-4 sm:px-5">
        <h2 className="font-semibold">
          {title}
          {count !== undefined && <span className="numeric ml-2 font-normal text-ink-faint">{count}</span>}
        </h2>
        {actions}
      </div>
      {children}
    </section>
  );
}

export function Nothing({ children }: { children: ReactNode }) {
  return <div className="max-w-2xl px-4 pb-4 text-ink-soft sm:px-5">{children}</div>;
}
