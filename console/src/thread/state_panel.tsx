/** The state at a checkpoint as a tree, with what its step changed marked; or what differs from another one. */
import { GitFork, Link2, Pencil, X } from "lucide-react";
import type { ReactNode } from "react";
import type { ThreadState } from "../../../src/core/checkpoint.ts";
import { Button, IconButton } from "../parts/button.tsx";
import { CopyButton, useCopy } from "../parts/copy.tsx";
import { EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { jsonText } from "../parts/json_editor.tsx";
import { JsonTree } from "../parts/json_tree.tsx";
import { Time } from "../parts/time.tsx";
import { useMayRun } from "../session.tsx";
import { nodesText } from "./checkpoint_names.ts";
import { DiffView } from "./diff_view.tsx";
import { changesOf, useDiff, useThreadState } from "./thread_queries.ts";

type Props = {
  state: ThreadState;
  /** The state shown is compared with this one. */
  compared: string | null;
  onStopComparing: () => void;
  onCompare: (checkpoint_id: string) => void;
  onEdit: () => void;
  onFork: () => void;
};

export function StatePanel({ state, compared, onStopComparing, onCompare, onEdit, onFork }: Props) {
  const { thread_id, checkpoint_id, parent_checkpoint_id, values } = state;
  const mayRun = useMayRun();
  const { data: lastStep } = useDiff(thread_id, parent_checkpoint_id, checkpoint_id);
  if (checkpoint_id === null && Object.keys(values).length === 0)
    return (
      <EmptyState title="No state yet">
        <p>The first run writes it. Then every key is here, with what each step changed marked.</p>
      </EmptyState>
    );
  if (compared !== null && checkpoint_id !== null)
    return <Comparison thread_id={thread_id} from={compared} to={checkpoint_id} onStop={onStopComparing} />;
  return (
    <div className="flex h-full flex-col">
      <Bar>
        <p className="min-w-0 flex-1 truncate text-xs text-ink-soft">
          {checkpoint_id === null ? (
            "Initial values"
          ) : (
            <>
              Step {state.step}
              {state.created_at !== null && (
                <>
                  {" · "}
                  <Time at={state.created_at} />
                </>
              )}
              {state.next.length > 0 && ` · next: ${nodesText(state.next)}`}
            </>
          )}
        </p>
        {checkpoint_id !== null && <ShareLink checkpoint_id={checkpoint_id} />}
        <CopyButton text={jsonText(values)} label="Copy the state as JSON" />
        {mayRun && checkpoint_id !== null && (
          <>
            <IconButton icon={GitFork} label="Copy into a new thread from here" onClick={onFork} />
            <IconButton icon={Pencil} label="Edit the state" onClick={onEdit} />
          </>
        )}
      </Bar>
      <div
        className="min-h-0 flex-1 overflow-auto px-4 py-3 -outline-offset-2"
        tabIndex={0}
        role="group"
        aria-label="State"
      >
        <JsonTree key={checkpoint_id} value={values} changes={changesOf(lastStep)} label="State" />
        {parent_checkpoint_id !== null && (
          <Button weight="quiet" className="mt-3 -ml-2.5" onClick={() => onCompare(parent_checkpoint_id)}>
            Compare with the step before
          </Button>
        )}
      </div>
    </div>
  );
}

function Bar({ children }: { children: ReactNode }) {
  return (
    <div className="flex h-10 shrink-0 items-center gap-0.5 border-b border-line pr-2 pl-4">{children}</div>
  );
}

/** The address of this page at this very state. */
function ShareLink({ checkpoint_id }: { checkpoint_id: string }) {
  const { copied, copy } = useCopy();
  const link = () => {
    const address = new URL(location.href);
    address.searchParams.set("checkpoint", checkpoint_id);
    return address.href;
  };
  return (
    <IconButton
      icon={Link2}
      label={copied ? "Link copied" : "Copy a link to this state"}
      onClick={() => copy(link())}
      className={copied ? "text-good!" : ""}
    />
  );
}

function Comparison({
  thread_id,
  from,
  to,
  onStop,
}: {
  thread_id: string;
  from: string;
  to: string;
  onStop: () => void;
}) {
  const before = useThreadState(thread_id, from);
  const diff = useDiff(thread_id, from, to);
  const failed = before.error ?? diff.error;
  return (
    <div className="flex h-full flex-col">
      <Bar>
        <p className="min-w-0 flex-1 truncate text-xs text-ink-soft">
          {before.data ? `From step ${before.data.step} to the state shown` : "Comparing"}
        </p>
        <IconButton icon={X} label="Stop comparing" onClick={onStop} />
      </Bar>
      <div className="min-h-0 flex-1 overflow-auto" tabIndex={0} role="group" aria-label="Comparison">
        {failed ? (
          <div className="p-4">
            <ErrorNote error={failed} />
          </div>
        ) : before.data && diff.data ? (
          <DiffView patch={diff.data} before={before.data.values} />
        ) : (
          <div className="skeleton m-4 h-24" />
        )}
      </div>
    </div>
  );
}
