/** A version as the supervisor takes it. */
import type { StoreSettings } from "../core/store_settings.ts";
import type { AgentVersion } from "../runner/pool.ts";
import type { ChatKeys } from "../runner/protocol.ts";
import type { RunnerSettings } from "../runner/settings.ts";
import type { VersionRow } from "../store/versions.ts";

/** Without what has to be prepared on the node first. */
export function agentVersion(version: VersionRow): Omit<AgentVersion, "python" | "directory"> {
  return {
    version_id: version.version_id,
    framework: version.framework,
    entrypoint: version.entrypoint,
    chat: JSON.parse(version.chat) as ChatKeys,
    store: JSON.parse(version.store) as StoreSettings,
    runner: JSON.parse(version.runner) as RunnerSettings,
  };
}
