/** Dialogs: a question in the middle of the page, with its title, what it means, and its answers below. */
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { classNames } from "./class_names.ts";

type Props = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  wide?: boolean;
  children: ReactNode;
};

export function Dialog({ open, onOpenChange, title, description, wide, children }: Props) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/35" />
        <Radix.Content
          {...(description === undefined && { "aria-describedby": undefined })}
          className={classNames(
            "rising fixed top-[12vh] left-1/2 z-50 flex max-h-[80vh] w-[calc(100vw-24px)] -translate-x-1/2 flex-col overflow-hidden rounded-xl border border-line bg-panel shadow-float outline-none",
            wide ? "max-w-2xl" : "max-w-md",
          )}
        >
          <div className="px-5 pt-4 pb-3">
            <Radix.Title className="text-lg font-semibold text-ink">{title}</Radix.Title>
            {description !== undefined && (
              <Radix.Description asChild>
                <div className="mt-1 text-ink-soft">{description}</div>
              </Radix.Description>
            )}
          </div>
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

export function DialogBody({ children }: { children: ReactNode }) {
  return <div className="min-h-0 flex-1 overflow-auto px-5 py-1">{children}</div>;
}

export function DialogActions({ children }: { children: ReactNode }) {
  return (
    <div className="mt-3 flex flex-wrap justify-end gap-2 border-t border-line bg-canvas px-5 py-3">
      {children}
    </div>
  );
}
