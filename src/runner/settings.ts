/** `[runner]` in crewship.toml: how a version's agent processes are hosted and its runs executed. */
import { type Static, Type } from "typebox";

/** Runs that share one process. Agents mostly wait, so many share; a crew blocks its thread, so it is alone. */
export const DEFAULT_CONCURRENCY = 16;
export const DEFAULT_IDLE_TIMEOUT_S = 300;
export const DEFAULT_RUN_TIMEOUT_S = 3600;
export const DEFAULT_MEMORY_MB = 1024;

const strict = { additionalProperties: false };

/** What may stand in the file: every key is optional. */
export const RunnerTable = Type.Object(
  {
    concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    processes: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    isolation: Type.Optional(Type.Enum(["shared", "run"])),
    idle_timeout_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
    run_timeout_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 604_800 })),
    memory_mb: Type.Optional(Type.Integer({ minimum: 64, maximum: 1_048_576 })),
    retry: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
    stream_tokens: Type.Optional(Type.Boolean()),
  },
  strict,
);

/** The settings of a version, complete. `processes` null: as many as the node that runs it has cores. */
export type RunnerSettings = Required<Omit<Static<typeof RunnerTable>, "processes">> & {
  processes: number | null;
};

/** Fills in what the file leaves out. */
export function runnerSettings(framework: string, table: Static<typeof RunnerTable>): RunnerSettings {
  const crew = framework === "crewai";
  return {
    concurrency: table.concurrency ?? (crew ? 1 : DEFAULT_CONCURRENCY),
    processes: table.processes ?? null,
    isolation: table.isolation ?? (crew ? "run" : "shared"),
    idle_timeout_s: table.idle_timeout_s ?? DEFAULT_IDLE_TIMEOUT_S,
    run_timeout_s: table.run_timeout_s ?? DEFAULT_RUN_TIMEOUT_S,
    memory_mb: table.memory_mb ?? DEFAULT_MEMORY_MB,
    retry: table.retry ?? 0,
    stream_tokens: table.stream_tokens ?? true,
  };
}
