/** A crew's agents and its tasks in their order. */
import type { ReactNode } from "react";
import type { CrewStructure } from "../../../src/core/structure.ts";

export function CrewPanel({ crew: { process, agents, tasks } }: { crew: CrewStructure }) {
  return (
    <div className="grid gap-x-8 gap-y-6 border-t border-line px-4 py-5 sm:px-5 lg:grid-cols-2">
      <section>
        <h2 className="mb-2 font-semibold">
          Tasks <span className="font-normal text-ink-soft">{process}</span>
        </h2>
        <ol className="flex flex-col gap-2">
          {tasks.map(({ name, description, expected_output, agent, context, tools, is_async }) => (
            <Card key={name} title={name} note={[agent, is_async && "async"].filter(Boolean).join(" · ")}>
              <p className="line-clamp-4 whitespace-pre-wrap">{description}</p>
              <Line name="Expected">{expected_output}</Line>
              {context.length > 0 && <Line name="Given">{context.join(", ")}</Line>}
              {tools.length > 0 && <Line name="Tools">{tools.join(", ")}</Line>}
            </Card>
          ))}
        </ol>
      </section>
      <section>
        <h2 className="mb-2 font-semibold">Agents</h2>
        <ul className="flex flex-col gap-2">
          {agents.map(({ role, goal, backstory, llm, tools }) => (
            <Card key={role} title={role} note={llm ?? ""}>
              <p>{goal}</p>
              <Line name="Backstory">{backstory}</Line>
              {tools.length > 0 && <Line name="Tools">{tools.join(", ")}</Line>}
            </Card>
          ))}
        </ul>
      </section>
    </div>
  );
}

function Card({ title, note, children }: { title: string; note: string; children: ReactNode }) {
  return (
    <li className="flex flex-col gap-1 rounded-lg border border-line bg-panel px-3.5 py-2.5">
      <p className="flex items-baseline justify-between gap-3">
        <span className="font-medium">{title}</span>
        <span className="truncate text-xs text-ink-soft">{note}</span>
      </p>
      {children}
    </li>
  );
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <p className="text-xs text-ink-soft">
      <span className="text-ink-faint">{name}: </span>
      {children}
    </p>
  );
}
