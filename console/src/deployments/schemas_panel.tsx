/** The agent's JSON Schemas. */
import { CopyButton } from "../parts/copy.tsx";
import { EmptyState } from "../parts/empty_state.tsx";
import { jsonText } from "../parts/json_editor.tsx";
import { JsonTree } from "../parts/json_tree.tsx";
import type { Structure } from "./structure.ts";

export function SchemasPanel({ structure }: { structure: Structure | undefined }) {
  if (!structure) return <div className="skeleton m-5 h-40" />;
  const schemas = Object.entries(structure.schemas);
  if (schemas.length === 0)
    return (
      <EmptyState title="No schemas">
        <p>The framework tells none of this agent, so a run’s input is a message or JSON.</p>
      </EmptyState>
    );
  return (
    <div className="grid gap-x-8 gap-y-6 px-4 py-4 sm:px-5 lg:grid-cols-2">
      {schemas.map(([name, schema]) => (
        <section key={name} className="min-w-0">
          <div className="flex items-center justify-between border-b border-line pb-1">
            <h2 className="font-semibold">{name}</h2>
            <CopyButton text={jsonText(schema)} label={`Copy the schema of ${name}`} className="size-7!" />
          </div>
          <div className="pt-2">
            <JsonTree value={schema} openDepth={2} label={`Schema of ${name}`} />
          </div>
        </section>
      ))}
    </div>
  );
}
