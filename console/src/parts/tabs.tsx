/** Tabs over a page's parts; which one is open stands in the address, so it is the caller's. */
import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";

type Props<T extends string> = {
  label: string;
  shown: T;
  onShow: (tab: T) => void;
  tabs: readonly { id: T; name: string; count?: number | undefined }[];
  children: ReactNode;
};

export function Tabs<T extends string>({ label, shown, onShow, tabs, children }: Props<T>) {
  return (
    <Radix.Root
      value={shown}
      onValueChange={(tab) => onShow(tab as T)}
      className="flex min-h-0 flex-1 flex-col"
    >
      <Radix.List
        aria-label={label}
        className="flex h-10 shrink-0 gap-2 overflow-x-auto border-b border-line px-3 sm:px-4"
      >
        {tabs.map(({ id, name, count }) => (
          <Radix.Trigger
            key={id}
            value={id}
            className="-mb-px shrink-0 border-b-2 border-transparent px-1 font-medium text-ink-soft -outline-offset-2 hover:text-ink aria-selected:border-accent aria-selected:text-ink"
          >
            {name}
            {count !== undefined && <span className="numeric ml-1.5 text-xs text-ink-faint">{count}</span>}
          </Radix.Trigger>
        ))}
      </Radix.List>
      <Radix.Content value={shown} className="min-h-0 flex-1 overflow-auto -outline-offset-2">
        {children}
      </Radix.Content>
    </Radix.Root>
  );
}
