/** What can be done with the threads that are chosen in the list. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { client, keys } from "../api.ts";
import { Button } from "../parts/button.tsx";
import { Confirm } from "../parts/confirm.tsx";

const strategies = {
  keep_latest: {
    action: "Prune history",
    title: (count: string) => `Prune the history of ${count}?`,
    description:
      "Each keeps its newest checkpoint. Earlier states, and forks from them, are gone. Busy threads are skipped.",
  },
  delete: {
    action: "Delete",
    title: (count: string) => `Delete ${count}?`,
    description: "Their states, runs and files are gone for good. Runs under way are canceled first.",
  },
} as const;

export function PruneBar({ ids, onDone }: { ids: string[]; onDone: () => void }) {
  const [asking, setAsking] = useState<keyof typeof strategies | null>(null);
  const cache = useQueryClient();
  const count = ids.length === 1 ? "1 thread" : `${ids.length} threads`;
  return (
    <div className="rising flex shrink-0 flex-wrap items-center gap-2 border-t border-line bg-panel px-5 py-2 shadow-float">
      <span className="numeric flex-1 font-medium">{count} chosen</span>
      <Button weight="quiet" onClick={onDone}>
        Clear
      </Button>
      <Button onClick={() => setAsking("keep_latest")}>Prune history…</Button>
      <Button weight="danger" onClick={() => setAsking("delete")}>
        Delete…
      </Button>
      {asking && (
        <Confirm
          open
          onOpenChange={(open) => !open && setAsking(null)}
          title={strategies[asking].title(count)}
          description={strategies[asking].description}
          action={`${strategies[asking].action} ${asking === "delete" ? count : `of ${count}`}`}
          perform={async () => {
            await client.pruneThreads({ ids, strategy: asking });
            await cache.invalidateQueries({ queryKey: keys.threads });
            onDone();
          }}
        />
      )}
    </div>
  );
}
