/** Which version an environment points at: changed by a person, and back again. Runs under way go on as they are. */
import { Problem } from "../core/problem.ts";
import type { Database, Transaction } from "../store/database.ts";
import { activate, environmentsOf, lockDeployment, versionBefore } from "../store/deployments.ts";
import {
  activeVersion,
  getVersion,
  numberedVersion,
  retireVersion,
  type VersionRow,
} from "../store/versions.ts";

type Place = { deployment_id: string; environment: string };

/** The version of this id or number, if it is this deployment's. Throws not_found. */
export async function versionOf(
  q: Transaction | Database,
  deployment_id: string,
  version_id: string,
): Promise<VersionRow> {
  const version = /^\d{1,9}$/.test(version_id)
    ? await numberedVersion(q, deployment_id, Number(version_id))
    : await getVersion(q, version_id);
  if (version?.deployment_id !== deployment_id)
    throw new Problem("not_found", { what: "version", id: version_id });
  return version;
}

/** Points the environment at a version that is ready. */
export function activateVersion(database: Database, place: Place, version_id: string): Promise<VersionRow> {
  return database.transaction(async (tx) => {
    await lockDeployment(tx, place.deployment_id);
    const version = await versionOf(tx, place.deployment_id, version_id);
    if (version.status !== "ready")
      throw new Problem("version_not_ready", { version_id, status: version.status });
    await activate(tx, version, place.environment);
    return version;
  });
}

/** Points it back at the version before the present one, among those that have served it. */
export function rollBack(database: Database, place: Place): Promise<VersionRow> {
  const { deployment_id, environment } = place;
  return database.transaction(async (tx) => {
    await lockDeployment(tx, deployment_id);
    const present = await activeVersion(tx, deployment_id, environment);
    const earlier = present && (await versionBefore(tx, present, environment));
    if (earlier === undefined) throw new Problem("no_version_before", { environment });
    const version = (await getVersion(tx, earlier))!;
    await activate(tx, version, environment);
    return version;
  });
}

/** Nothing may point at it any more; threads keep what its runs made. */
export function retire(database: Database, deployment_id: string, version_id: string): Promise<VersionRow> {
  return database.transaction(async (tx) => {
    await lockDeployment(tx, deployment_id);
    const version = await versionOf(tx, deployment_id, version_id);
    if (version.status === "building")
      throw new Problem("version_not_ready", { version_id, status: version.status });
    const environments = await environmentsOf(tx, version.version_id);
    if (environments.length > 0)
      throw new Problem("version_active", { version_id, environments: environments.join(" and ") });
    await retireVersion(tx, version.version_id);
    return (await getVersion(tx, version.version_id))!;
  });
}
