/** What made a checkpoint, in a word or two. Pure. */
import type { ListedCheckpoint } from "./thread_queries.ts";

/** The nodes that had been next before it, or what else brought it about. */
export function nameOf(checkpoint: ListedCheckpoint, parent: ListedCheckpoint | undefined): string {
  switch (checkpoint.source) {
    case "input":
      return "input";
    case "update":
      return "edited by hand";
    case "fork":
      return "fork";
    case "run":
      return "run";
    default:
      return parent && parent.next.length > 0 ? nodesText(parent.next) : `step ${checkpoint.step}`;
  }
}

/** Nodes by their names; the framework's own first step is the input taken in. */
export function nodesText(nodes: string[]): string {
  return nodes.map((node) => (node === "__start__" ? "start" : node)).join(", ");
}
