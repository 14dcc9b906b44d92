/** A version as the supervisor takes it. */
import type { AgentVersion } from "../runner/pool.ts";
import type { RunnerSettings } from "../runner/settings.ts";
import type { VersionRow } from "../store/deployments.ts";

export function agentVersion(version: VersionRow): AgentVersion {
  return {
    version_id: version.version_id,
    framework: version.framework as AgentVersion["framework"],
    entrypoint: version.entrypoint,
    directory: version.directory,
    runner: JSON.parse(version.runner) as RunnerSettings,
  };
}
