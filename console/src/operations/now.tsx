/** The nodes with what each executes, the agent processes, and the runs at work and waiting. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { client, keys } from "../api.ts";
import { ErrorNote } from "../parts/error_note.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { Time } from "../parts/time.tsx";
import { useIsAdmin } from "../session.tsx";
import { Nodes } from "./nodes.tsx";
import { RunsOf } from "./runs_of.tsx";
import { Nothing } from "./section.tsx";

const REFRESH_MS = 3_000;

export function Now() {
  const isAdmin = useIsAdmin();
  return (
    <>
      {isAdmin && <Server />}
      <RunsOf status="running" title="Running" none="No run is at work." />
      <RunsOf status="pending" title="Waiting" none="No run waits for its turn." />
    </>
  );
}

function Server() {
  const operations = useQuery({
    queryKey: [...keys.operations, "now"],
    queryFn: ({ signal }) => client.getOperations({ signal }),
    refetchInterval: REFRESH_MS,
  });
  if (operations.isError && !operations.data)
    return (
      <Nothing>
        <ErrorNote error={operations.error} retry={() => void operations.refetch()} />
      </Nothing>
    );
  if (!operations.data) return <SkeletonRows rows={3} height={72} />;
  const { nodes, runs, leases, deliveries, keys: keyCount, sessions } = operations.data;
  return (
    <>
      <dl className="grid grid-cols-2 border-b border-line sm:grid-cols-3 lg:grid-cols-6">
        <Figure name="Running" value={runs.running} />
        <Figure
          name="Waiting"
          value={runs.pending}
          note={
            runs.oldest_due_at !== null && (
              <>
                since <Time at={runs.oldest_due_at} />
              </>
            )
          }
        />
        <Figure name="Nodes alive" value={nodes.filter(({ is_alive }) => is_alive).length} />
        <Figure
          name="Deliveries owed"
          value={deliveries.pending}
          note={deliveries.failed > 0 && <span className="text-bad">{deliveries.failed} given up today</span>}
        />
        <Figure name="Keys" value={keyCount} to="keys" />
        <Figure name="Signed in" value={sessions} />
      </dl>
      <Nodes nodes={nodes} leases={leases} />
    </>
  );
}

function Figure({
  name,
  value,
  note,
  to,
}: {
  name: string;
  value: number;
  note?: React.ReactNode;
  to?: "keys";
}) {
  return (
    <div className="border-line px-4 py-3 not-last:border-r sm:px-5">
      <dt className="text-xs text-ink-soft">
        {to ? (
          <Link to="/operations" search={{ tab: to }} className="hover:underline">
            {name}
          </Link>
        ) : (
          name
        )}
      </dt>
      <dd className="numeric text-lg font-semibold">
        {value}
        {note && <span className="ml-2 text-xs font-normal text-ink-soft">{note}</span>}
      </dd>
    </div>
  );
}
