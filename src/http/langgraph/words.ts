/** The words of LangGraph's protocol and ours: ids, statuses, strategies, errors. The one place where both are spoken. */
import { v5 as uuidv5, v7 as uuidv7 } from "uuid";
import type { RunStatus } from "../../core/moves.ts";
import { Problem } from "../../core/problem.ts";
import type { RunError } from "../../core/run.ts";

/** The namespace in which LangGraph derives the id of a graph's own assistant from its name. */
const GRAPH_NAMESPACE = "6ba7b821-9dad-11d1-80b4-00c04fd430c8";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const isUuid = (text: string): boolean => UUID.test(text);
export const newUuid = (): string => uuidv7();
export const systemAssistantId = (graph_id: string): string => uuidv5(graph_id, GRAPH_NAMESPACE);

/** `run_` and 32 hex digits as a UUID. */
export function runUuid(run_id: string): string {
  const hex = run_id.slice("run_".length);
  return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join("-");
}

/** A run's id from either form. Throws the 422 of a text that is none. */
export function runIdOf(text: string): string {
  if (isUuid(text)) return `run_${text.replaceAll("-", "").toLowerCase()}`;
  if (/^run_[0-9a-f]{32}$/.test(text)) return text;
  throw new Problem("bad_request", { message: `Invalid run ID: ${text} is not a UUID.` });
}

export const runStatuses = ["pending", "running", "success", "error", "timeout", "interrupted"] as const;

const statuses: Record<RunStatus, (typeof runStatuses)[number]> = {
  pending: "pending",
  running: "running",
  succeeded: "success",
  failed: "error",
  canceled: "interrupted",
  interrupted: "success",
};

/** What LangGraph says of a run: one that stopped at a question has done what it could, one that was canceled is interrupted. */
export function runStatus(status: RunStatus, error: RunError | null): (typeof runStatuses)[number] {
  return error?.code === "run_timeout" ? "timeout" : statuses[status];
}

/** LangGraph names an error by its class, which stands before its message or in its traceback; our code names any other. */
export function errorOf({ code, message, traceback }: RunError): { error: string; message: string } {
  if (code !== "agent_error") return { error: code, message };
  const named = /^([A-Z]\w*): ([\s\S]*)$/.exec(message);
  if (named && NAME_OF_ERROR.test(named[1]!)) return { error: named[1]!, message: named[2]! };
  const traced = /^([A-Z]\w*): /.exec(traceback ?? "")?.[1];
  return { error: traced ?? "Error", message };
}

const NAME_OF_ERROR = /(Error|Exception|Interrupt|Exit|Warning)$/;

/** LangGraph answers 422 to what its schemas refuse. */
export function statusOf({ code, status }: Problem): number {
  return code === "node_unknown" || status !== 400 ? status : 422;
}
