/** Whether the server answers, and whether it knows who is asking: what every page must show when it changes. */
import { useSyncExternalStore } from "react";

export type Connection = "answering" | "silent";

let connection: Connection = "answering";
const listeners = new Set<() => void>();

export function noteConnection(next: Connection): void {
  if (connection === next) return;
  connection = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useConnection(): Connection {
  return useSyncExternalStore(subscribe, () => connection);
}
