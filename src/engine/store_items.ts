/** Store items as clients read and change them: as the deployment's production version says, whose agent embeds texts. */
import type { JsonObject } from "../core/json.ts";
import { Problem } from "../core/problem.ts";
import type { StoreOperation } from "../core/store_item.ts";
import { storeSettings } from "../core/store_settings.ts";
import { AgentLost, EmbedError } from "../runner/errors.ts";
import type { EmbedRequest } from "../runner/protocol.ts";
import { activeVersion, type VersionRow } from "../store/versions.ts";
import { takeSlot } from "./compute_update.ts";
import type { Node } from "./node.ts";
import { StoreAccess } from "./store_access.ts";

/** How long an agent may take to embed, its start included. */
const EMBED_TIMEOUT_MS = 60_000;
/** Whatever thread an agent process holds, it embeds as well as any other. */
const NO_LOG = 0;

type Of<Op extends StoreOperation["op"]> = Omit<Extract<StoreOperation, { op: Op }>, "op">;
export type ItemPut = Omit<Of<"put">, "vectors"> & { index?: false | string[] | null | undefined };
export type ItemQuery = Omit<Of<"search">, "vector"> & { query?: string | null | undefined };

/** Answers when what it puts is committed, and the times that a read begins anew are. */
export async function askStore<T>(node: Node, deployment_id: string, operation: StoreOperation): Promise<T> {
  const { access } = await open(node, deployment_id);
  return ask<T>(node, access, operation);
}

export async function putStoreItem(
  node: Node,
  deployment_id: string,
  { index, ...put }: ItemPut,
): Promise<void> {
  const { access, version } = await open(node, deployment_id);
  const operation: StoreOperation = { op: "put", ...put };
  const { value } = put;
  // What is refused is not embedded.
  await access.read(node.database, [operation]);
  if (version && value !== null && index !== false && access.settings.index)
    operation.vectors = await embed(node, version, { value: value as JsonObject, fields: index ?? null });
  await ask(node, access, operation);
}

export async function searchStoreItems<T>(
  node: Node,
  deployment_id: string,
  { query, ...search }: ItemQuery,
): Promise<T> {
  const { access, version } = await open(node, deployment_id);
  const operation: StoreOperation = { op: "search", ...search };
  if (version && query && access.settings.index)
    operation.vector = (await embed(node, version, { query }))[0]![1];
  return ask<T>(node, access, operation);
}

async function open(
  { database }: Node,
  deployment_id: string,
): Promise<{ access: StoreAccess; version: VersionRow | undefined }> {
  const version = await activeVersion(database, deployment_id, "production");
  const store = version?.store ?? JSON.stringify(storeSettings({}));
  return { access: new StoreAccess({ deployment_id, store }), version };
}

async function ask<T>({ database }: Node, access: StoreAccess, operation: StoreOperation): Promise<T> {
  const { results, writes } = await access.read(database, [operation]);
  if (writes) await database.transaction(writes);
  return results[0] as T;
}

async function embed(node: Node, version: VersionRow, request: EmbedRequest): Promise<[string, string][]> {
  const signal = AbortSignal.timeout(EMBED_TIMEOUT_MS);
  const slot = await takeSlot(node, NO_LOG, version, signal);
  try {
    return await slot.embed(request, signal);
  } catch (error) {
    if (error instanceof EmbedError) throw new Problem("embed_failed", { message: error.message });
    if (!(error instanceof AgentLost) && !signal.aborted) throw error;
    throw new Problem(
      "unavailable",
      { message: "The agent did not embed the text. Try again." },
      { cause: error },
    );
  } finally {
    slot.release();
  }
}
