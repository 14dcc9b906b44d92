/** The runs of a status, as many as there is room for. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { RunStatus } from "../../../src/core/moves.ts";
import type { Run } from "../../../src/core/run.ts";
import { client, keys } from "../api.ts";
import { useDeployment } from "../deployments/deployment_queries.ts";
import { shortId } from "../parts/copy.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { durationText, Time } from "../parts/time.tsx";
import { Nothing, Section } from "./section.tsx";

const REFRESH_MS = 10_000;
const SHOWN = 50;

export function RunsOf({ status, title, none }: { status: RunStatus; title: string; none: string }) {
  const runs = useQuery({
    queryKey: [...keys.operations, "runs", status],
    queryFn: async ({ signal }) => client.listRuns({ status, limit: SHOWN }, { signal }),
    refetchInterval: REFRESH_MS,
  });
  return (
    <Section title={title} count={runs.data?.runs.length}>
      {runs.isError && !runs.data ? (
        <Nothing>
          <ErrorNote error={runs.error} retry={() => void runs.refetch()} />
        </Nothing>
      ) : !runs.data ? (
        <SkeletonRows rows={2} />
      ) : runs.data.runs.length === 0 ? (
        <Nothing>{none}</Nothing>
      ) : (
        <ul aria-label={title}>
          {runs.data.runs.map((run) => (
            <Row key={run.id} run={run} />
          ))}
          {runs.data.next_cursor && (
            <li className="px-5 py-2">
              <Link to="/runs" search={{ status }} className="text-accent underline">
                More
              </Link>
            </li>
          )}
        </ul>
      )}
    </Section>
  );
}

function Row({
  run: { id, status, deployment_id, version_number, created_at, started_at, attempt },
}: {
  run: Run;
}) {
  const deployment = useDeployment(deployment_id);
  return (
    <li className="border-t border-line">
      <Link
        to="/runs/$run_id"
        params={{ run_id: id }}
        data-row
        className="grid h-11 grid-cols-[96px_minmax(0,1fr)_auto] items-center gap-4 px-4 -outline-offset-2 hover:bg-hover sm:grid-cols-[96px_150px_minmax(0,1fr)_auto_auto] sm:px-5"
      >
        <StatusLabel status={status} />
        <span className="truncate font-mono text-xs text-ink-soft">{shortId(id)}</span>
        <span className="hidden truncate text-ink-soft sm:block">
          {deployment?.name} v{version_number}
        </span>
        <span className="hidden text-xs text-ink-soft sm:block">{attempt > 1 && `attempt ${attempt}`}</span>
        <span className="numeric text-right text-ink-soft">
          {started_at ? durationText(Date.now() - Date.parse(started_at)) : <Time at={created_at} />}
        </span>
      </Link>
    </li>
  );
}
