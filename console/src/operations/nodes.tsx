/** Each node: whether it is there, what it holds leases of, and its agent processes with their memory. */
import { Link } from "@tanstack/react-router";
import type { AgentProcessState, Operations } from "../../../src/core/operations.ts";
import { classNames } from "../parts/class_names.ts";
import { Id, shortId } from "../parts/copy.tsx";
import { ClockTime, Time } from "../parts/time.tsx";
import { Section } from "./section.tsx";

type Node = Operations["nodes"][number];
type Lease = Operations["leases"][number];

export function Nodes({ nodes, leases }: { nodes: Node[]; leases: Lease[] }) {
  return (
    <Section title="Nodes" count={nodes.length}>
      <ul aria-label="Nodes">
        {nodes.map((node) => (
          <OneNode
            key={node.node_id}
            node={node}
            leases={leases.filter(({ node_id }) => node_id === node.node_id)}
          />
        ))}
      </ul>
    </Section>
  );
}

function OneNode({ node, leases }: { node: Node; leases: Lease[] }) {
  const { node_id, machine, seen_at, started_at, is_alive, running, state } = node;
  return (
    <li className="border-t border-line px-4 py-3 sm:px-5">
      <p className="flex flex-wrap items-baseline gap-x-4 gap-y-1">
        <span className="inline-flex items-center gap-1.5 font-medium">
          <span
            aria-hidden
            className={classNames("size-2 rounded-full", is_alive ? "bg-good" : "bg-ink-faint")}
          />
          {machine}
        </span>
        <Id id={node_id} />
        <span className="text-ink-soft">
          {is_alive ? (
            <>
              up since <Time at={started_at} />
            </>
          ) : (
            <>
              last seen <Time at={seen_at} />
            </>
          )}
        </span>
        {state && (
          <span className="numeric text-ink-soft">
            {running} of {state.concurrency} places · {memoryText(state.memory_mb)} · {state.role} ·{" "}
            {state.version}
          </span>
        )}
      </p>
      {is_alive && state && <Processes processes={state.processes} />}
      {leases.length > 0 && (
        <ul aria-label={`Leases of ${machine}`} className="mt-2 flex flex-col gap-0.5">
          {leases.map(({ run_id, attempt, expires_at, started_at: since }) => (
            <li key={run_id} className="flex flex-wrap items-baseline gap-x-3 text-ink-soft">
              <Link
                to="/runs/$run_id"
                params={{ run_id }}
                className="font-mono text-xs text-accent underline"
              >
                {shortId(run_id)}
              </Link>
              {since !== null && (
                <span>
                  began <Time at={since} />
                </span>
              )}
              <span>
                lease until <ClockTime at={expires_at} />
              </span>
              {attempt > 1 && <span className="text-ask">attempt {attempt}</span>}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function Processes({ processes }: { processes: AgentProcessState[] }) {
  if (processes.length === 0)
    return <p className="mt-1 text-xs text-ink-soft">No agent process: the next run starts one.</p>;
  return (
    <div className="mt-2 overflow-x-auto">
      <table className="w-full max-w-3xl text-left">
        <caption className="sr-only">Agent processes</caption>
        <thead className="text-xs text-ink-faint">
          <tr>
            {["Process", "Version", "Environment", "State", "Runs", "Memory", "Since"].map((name) => (
              <th key={name} scope="col" className="pr-4 font-normal whitespace-nowrap">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="numeric">
          {processes.map(({ pid, version_id, environment, state, seats, memory_mb, started_at }, i) => (
            <tr key={pid ?? `starting ${i}`}>
              <td className="pr-4 leading-6">{pid ?? "starting"}</td>
              <td className="pr-4 font-mono text-xs">{shortId(version_id)}</td>
              <td className="pr-4">{environment}</td>
              <td className="pr-4">{state}</td>
              <td className="pr-4">{seats}</td>
              <td className="pr-4 whitespace-nowrap">{memory_mb > 0 ? memoryText(memory_mb) : "–"}</td>
              <td className="pr-4">
                <Time at={started_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function memoryText(megabytes: number): string {
  return megabytes < 1024 ? `${Math.round(megabytes)} MB` : `${(megabytes / 1024).toFixed(1)} GB`;
}
