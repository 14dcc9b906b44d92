/** The thread's runs, newest first. */
import { Link } from "@tanstack/react-router";
import type { Run } from "../../../src/core/run.ts";
import { EmptyState } from "../parts/empty_state.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { durationText, Time } from "../parts/time.tsx";

export function ThreadRuns({ runs }: { runs: Run[] }) {
  if (runs.length === 0)
    return (
      <EmptyState title="No runs yet">
        <p>Each message is a run: one execution of the agent, which starts from the thread’s state.</p>
      </EmptyState>
    );
  return (
    <ul className="h-full overflow-auto" aria-label="Runs of this thread">
      {runs.map(({ id, status, created_at, started_at, completed_at, version_number }) => (
        <li key={id} className="border-b border-line">
          <Link
            to="/runs/$run_id"
            params={{ run_id: id }}
            className="grid h-11 grid-cols-[92px_1fr_auto_auto] items-center gap-3 px-4 -outline-offset-2 hover:bg-hover"
          >
            <StatusLabel status={status} />
            <span className="truncate text-xs text-ink-soft">version {version_number}</span>
            <span className="numeric text-xs text-ink-soft">
              {started_at && completed_at
                ? durationText(Date.parse(completed_at) - Date.parse(started_at))
                : ""}
            </span>
            <span className="w-20 text-right text-xs text-ink-soft">
              <Time at={created_at} />
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
