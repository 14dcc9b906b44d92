/** The environment variables of a deployment: set by an admin, handed only to its agent processes. */
import { Problem } from "../core/problem.ts";
import type { Queryable, Transaction } from "../store/database.ts";
import { deleteVariable, listVariables, putVariable, sealedVariables } from "../store/variables.ts";
import type { Secrets } from "./secrets.ts";

export const VARIABLE_NAME_PATTERN = "^[A-Za-z_][A-Za-z0-9_]{0,99}$";
export const MAX_VARIABLES = 200;
export const MAX_VALUE_CHARACTERS = 64 * 1024;

type Place = { deployment_id: string; environment: string };

const contextOf = ({ deployment_id, environment }: Place, name: string) =>
  `${deployment_id}\n${environment}\n${name}`;

/** Sets those with a value and removes those with null, all or none. The caller holds the deployment. */
export async function changeVariables(
  tx: Transaction,
  secrets: Secrets,
  place: Place,
  changes: Record<string, string | null>,
): Promise<void> {
  for (const [name, value] of Object.entries(changes)) {
    if (!new RegExp(VARIABLE_NAME_PATTERN).test(name))
      throw new Problem("bad_request", {
        message: `${JSON.stringify(name.slice(0, 120))} is no variable's name: letters, digits and _, at most 100, no digit first.`,
      });
    if (name.startsWith("CREWSHIP_"))
      throw new Problem("bad_request", { message: `${name}: names with CREWSHIP_ are the server's own.` });
    if (value?.includes("\0"))
      throw new Problem("bad_request", {
        message: `${name} has a NUL character, which no variable can hold.`,
      });
    if (value === null) await deleteVariable(tx, place, name);
    else await putVariable(tx, place, { name, ...secrets.seal(value, contextOf(place, name)) });
  }
  if ((await listVariables(tx, place.deployment_id, place.environment)).length > MAX_VARIABLES)
    throw new Problem("bad_request", { message: `An environment has at most ${MAX_VARIABLES} variables.` });
}

/** Names and values. Throws an Error that says what to do when this node cannot open them. */
export async function openVariables(
  q: Queryable,
  secrets: Secrets,
  place: Place,
): Promise<Record<string, string>> {
  const rows = await sealedVariables(q, place.deployment_id, place.environment);
  return Object.fromEntries(rows.map((row) => [row.name, secrets.open(row, contextOf(place, row.name))]));
}
