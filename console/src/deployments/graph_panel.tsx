/** The agent's graph, as it draws itself. */
import { lazy, Suspense, useState } from "react";
import type { Deployment } from "../../../src/core/deployment.ts";
import { EmptyState } from "../parts/empty_state.tsx";
import { Select } from "../parts/fields.tsx";
import { CrewPanel } from "./crew_panel.tsx";
import type { Structure } from "./structure.ts";

const Flow = lazy(() => import("../parts/flow.tsx"));

export function GraphPanel({
  deployment,
  structure,
}: {
  deployment: Deployment;
  structure: Structure | undefined;
}) {
  const [level, setLevel] = useState(0);
  if (!structure) return <div className="skeleton m-5 h-64" />;
  const { drawings } = structure;
  const graph = drawings[Math.min(level, drawings.length - 1)];
  if (!graph)
    return (
      <EmptyState title="No drawing">
        <p>
          {deployment.framework === "function"
            ? "A plain function has no graph. What it does in a run is in the run’s events."
            : "The agent draws itself when its version is built, or under crewship dev when it is loaded."}
        </p>
      </EmptyState>
    );
  return (
    <div className="flex min-h-80 flex-1 flex-col">
      {drawings.length > 1 && (
        <div className="flex shrink-0 items-center gap-2 px-4 py-2 text-ink-soft sm:px-5">
          Subgraphs
          <Select
            aria-label="Subgraphs"
            value={level}
            onChange={({ target }) => setLevel(Number(target.value))}
          >
            {drawings.map((_, depth) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the depth is the identity
              <option key={depth} value={depth}>
                {depth === 0 ? "closed" : depth === 1 ? "drawn open" : `drawn open, ${depth} deep`}
              </option>
            ))}
          </Select>
        </div>
      )}
      <Suspense fallback={<div className="skeleton m-5 h-64" />}>
        <Flow
          label={`Graph of ${deployment.name}`}
          nodes={graph.nodes.map(({ id, name }) => ({
            id,
            label: name,
            description: `Node ${name}`,
            tone: id.endsWith("__start__") || id.endsWith("__end__") ? "end" : "plain",
          }))}
          edges={graph.edges.map(({ source, target, conditional, label }) => ({
            source,
            target,
            dashed: conditional,
            label: label ?? undefined,
          }))}
          widthPx={150}
        />
      </Suspense>
      <p className="shrink-0 border-t border-line px-4 py-2 text-xs text-ink-soft sm:px-5">
        {graph.nodes.length} nodes. A dashed edge is taken on a condition.
      </p>
      {structure.crew && <CrewPanel crew={structure.crew} />}
    </div>
  );
}
