/** ⌘K: every page, deployment, thread and run by a few letters of its name or by its id. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Boxes, type LucideIcon, MessagesSquare, Moon, Play, Plus, Search, Server, Sun } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { client } from "../api.ts";
import { useDeployments } from "../deployments/deployment_queries.ts";
import { shortId } from "../parts/copy.tsx";
import { StatusDot } from "../parts/status.tsx";
import { chooseTheme } from "../theme.ts";

const NEWEST = 8;

export default function Palette({ onClose }: { onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const navigate = useNavigate();
  const { data: deployments = [] } = useDeployments();
  const { data: threads = [] } = useQuery({
    queryKey: ["palette", "threads"],
    queryFn: async ({ signal }) =>
      (await client.searchThreads({ limit: NEWEST, select: ["thread_id", "status"] }, { signal })).threads,
  });
  const open = (to: () => unknown) => () => {
    onClose();
    void to();
  };
  const id = typed.trim();
  return (
    <Dialog.Root open onOpenChange={(isOpen) => !isOpen && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/35" />
        <Dialog.Content
          aria-describedby={undefined}
          className="rising fixed top-[12vh] left-1/2 z-50 w-[calc(100vw-24px)] max-w-xl -translate-x-1/2 overflow-hidden rounded-xl border border-line bg-panel shadow-float"
        >
          <Dialog.Title className="sr-only">Go to</Dialog.Title>
          <Command label="Go to" loop>
            <div className="flex items-center gap-2.5 border-b border-line px-4">
              <Search size={16} aria-hidden className="text-ink-faint" />
              <Command.Input
                value={typed}
                onValueChange={setTyped}
                placeholder="A page, a deployment, an id…"
                className="h-12 flex-1 bg-transparent text-base outline-none placeholder:text-ink-faint"
              />
              <kbd className="rounded border border-line px-1 text-xs text-ink-faint">esc</kbd>
            </div>
            <Command.List className="max-h-[52vh] overflow-auto p-2">
              <Command.Empty className="px-3 py-6 text-center text-ink-soft">
                Nothing is called that. An id can be pasted whole.
              </Command.Empty>
              {/^run_/.test(id) && (
                <Item
                  icon={Play}
                  onSelect={open(() => navigate({ to: "/runs/$run_id", params: { run_id: id } }))}
                >
                  Open run {shortId(id)}
                </Item>
              )}
              {looksLikeThread(id) && (
                <Item
                  value={`open thread ${id}`}
                  icon={MessagesSquare}
                  onSelect={open(() => navigate({ to: "/threads/$thread_id", params: { thread_id: id } }))}
                >
                  Open thread {shortId(id)}
                </Item>
              )}
              <Group heading="Pages">
                <Item icon={MessagesSquare} onSelect={open(() => navigate({ to: "/threads" }))}>
                  Threads
                </Item>
                <Item
                  icon={MessagesSquare}
                  onSelect={open(() => navigate({ to: "/threads", search: { status: "interrupted" } }))}
                >
                  Threads that wait for an answer
                </Item>
                <Item icon={Play} onSelect={open(() => navigate({ to: "/runs" }))}>
                  Runs
                </Item>
                <Item
                  icon={Play}
                  onSelect={open(() => navigate({ to: "/runs", search: { status: "failed" } }))}
                >
                  Runs that failed
                </Item>
                <Item icon={Boxes} onSelect={open(() => navigate({ to: "/deployments" }))}>
                  Deployments
                </Item>
                <Item icon={Server} onSelect={open(() => navigate({ to: "/operations" }))}>
                  Operations
                </Item>
              </Group>
              {deployments.length > 0 && (
                <Group heading="Deployments">
                  {deployments.map(({ deployment_id, name }) => (
                    <Item
                      key={deployment_id}
                      value={`${name} ${deployment_id}`}
                      icon={Boxes}
                      onSelect={open(() =>
                        navigate({ to: "/deployments/$deployment_id", params: { deployment_id } }),
                      )}
                    >
                      {name}
                    </Item>
                  ))}
                </Group>
              )}
              {deployments.length > 0 && (
                <Group heading="New thread of">
                  {deployments.map(({ deployment_id, name }) => (
                    <Item
                      key={deployment_id}
                      value={`new thread ${name} ${deployment_id}`}
                      icon={Plus}
                      onSelect={open(async () => {
                        const { thread_id } = await client.createThread(
                          { deployment_id },
                          { idempotencyKey: crypto.randomUUID() },
                        );
                        await navigate({ to: "/threads/$thread_id", params: { thread_id } });
                      })}
                    >
                      {name}
                    </Item>
                  ))}
                </Group>
              )}
              {threads.length > 0 && (
                <Group heading="Newest threads">
                  {threads.map(({ thread_id, status }) => (
                    <Item
                      key={thread_id}
                      value={thread_id}
                      onSelect={open(() => navigate({ to: "/threads/$thread_id", params: { thread_id } }))}
                    >
                      <span className="flex w-4 justify-center">
                        <StatusDot status={status} />
                      </span>
                      <span className="font-mono text-xs">{shortId(thread_id)}</span>
                      <span className="text-ink-soft">{status}</span>
                    </Item>
                  ))}
                </Group>
              )}
              <Group heading="Theme">
                <Item icon={Sun} onSelect={open(() => chooseTheme("light"))}>
                  Light theme
                </Item>
                <Item icon={Moon} onSelect={open(() => chooseTheme("dark"))}>
                  Dark theme
                </Item>
              </Group>
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** A thread may have any id a client chose; words of a person rarely hold a digit. */
function looksLikeThread(text: string): boolean {
  return /^[\w.:@-]{4,}$/.test(text) && (/^thr_/.test(text) || /\d/.test(text)) && !/^(run|dep)_/.test(text);
}

function Group({ heading, children }: { heading: string; children: React.ReactNode }) {
  return (
    <Command.Group
      heading={heading}
      className="[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-ink-faint"
    >
      {children}
    </Command.Group>
  );
}

function Item({
  icon: Icon,
  children,
  ...rest
}: {
  icon?: LucideIcon;
  value?: string;
  onSelect: () => void;
  children: React.ReactNode;
}) {
  return (
    <Command.Item
      {...rest}
      className="flex h-9 cursor-pointer items-center gap-2.5 rounded-md px-3 text-ink data-[selected=true]:bg-hover"
    >
      {Icon && <Icon size={16} strokeWidth={1.75} aria-hidden className="text-ink-soft" />}
      {children}
    </Command.Item>
  );
}
