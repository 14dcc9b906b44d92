/** A list of the operations' page under its title. */
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ErrorNote } from "../parts/error_note.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";

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

/** A list with what it shows while it is read, when it cannot be, and when it is empty; `children` stand below it. */
export function ListSection<T>({
  title,
  list,
  actions,
  empty,
  row,
  children,
}: {
  title: string;
  list: UseQueryResult<T[]>;
  actions?: ReactNode;
  empty: ReactNode;
  row: (one: T) => ReactNode;
  children?: ReactNode;
}) {
  return (
    <Section title={title} count={list.data?.length} actions={actions}>
      {list.isError && !list.data ? (
        <Nothing>
          <ErrorNote error={list.error} retry={() => void list.refetch()} />
        </Nothing>
      ) : !list.data ? (
        <SkeletonRows rows={3} />
      ) : list.data.length === 0 ? (
        <Nothing>{empty}</Nothing>
      ) : (
        <ul aria-label={title}>{list.data.map(row)}</ul>
      )}
      {children}
    </Section>
  );
}
