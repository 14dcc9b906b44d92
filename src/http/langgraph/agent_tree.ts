/** What a run is made of while it runs: the graph and its subgraphs, each with its status. `agent.getTree` asks for it. */
import type { NumberedEvent } from "../../core/event.ts";
import { isObject, type JsonObject } from "../../core/json.ts";
import type { Queryable } from "../../store/database.ts";
import { readEvents } from "../../store/events.ts";
import type { RunRow } from "../../store/runs.ts";

type Status = "started" | "running" | "completed" | "failed" | "interrupted";
export type AgentNode = { namespace: string[]; status: Status; graph_name: string; children?: AgentNode[] };

const PAGE = 500;

const statuses: Record<RunRow["status"], Status> = {
  pending: "started",
  running: "running",
  succeeded: "completed",
  failed: "failed",
  interrupted: "interrupted",
  canceled: "interrupted",
};

/** The tree of a run as far as its events tell. */
export async function agentTree(q: Queryable, run: RunRow, graph_name: string): Promise<AgentNode> {
  const tree = new AgentTree({ namespace: [], status: statuses[run.status], graph_name });
  for (let seq = 0; run.run_number !== null; ) {
    const page = await readEvents(q, run.log_id, { run_number: run.run_number, seq }, PAGE, "run");
    for (const event of page) tree.take(event);
    const last = page.at(-1);
    if (!last) break;
    seq = last.seq;
  }
  return tree.root;
}

export class AgentTree {
  readonly root: AgentNode;
  /** Where the subgraph of each task stands, by the order in which tasks began: so later events name them. */
  readonly #tasks: string[][] = [];

  constructor(root: AgentNode) {
    this.root = root;
  }

  /** Takes an event in; answers with the subgraphs that began or ended with it. */
  take({ type, data, langgraph }: NumberedEvent): AgentNode[] {
    if (!isObject(data) || !isObject(langgraph ?? null)) return [];
    const namespace = typeof data.namespace === "string" ? data.namespace.split("|") : [];
    const { id, task, error, interrupts } = langgraph as JsonObject;
    if (type === "task.started") {
      this.#tasks.push([...namespace, `${data.task}:${id}`]);
      return this.#begin(namespace);
    }
    const own = typeof task === "number" ? this.#find(this.#tasks[task - 1]) : undefined;
    if (!own) return [];
    if (type === "task.completed") own.status = "completed";
    else if (error !== undefined) own.status = "failed";
    else if (interrupts !== undefined) own.status = "interrupted";
    else return [];
    return [own];
  }

  /** Makes the node of a namespace and those above it, where they are new: a subgraph has begun with its first task. */
  #begin(namespace: readonly string[]): AgentNode[] {
    const begun: AgentNode[] = [];
    let node = this.root;
    for (const [i, part] of namespace.entries()) {
      const path = namespace.slice(0, i + 1);
      let child = node.children?.find((one) => one.namespace[i] === part);
      if (!child) {
        child = { namespace: path, status: "running", graph_name: part.split(":")[0]! };
        node.children = [...(node.children ?? []), child];
        begun.push(child);
      }
      node = child;
    }
    return begun;
  }

  #find(namespace: readonly string[] = []): AgentNode | undefined {
    let node: AgentNode | undefined = namespace.length > 0 ? this.root : undefined;
    for (const [i, part] of namespace.entries())
      node = node?.children?.find((one) => one.namespace[i] === part);
    return node;
  }
}
