/** The history as a tree to move about in. */
import { useMemo } from "react";
import Flow from "../parts/flow.tsx";
import { nameOf } from "./checkpoint_names.ts";
import type { Selection } from "./checkpoints.tsx";
import type { ListedCheckpoint } from "./thread_queries.ts";

export default function CheckpointMap({
  checkpoints,
  selected,
  compared,
  onSelect,
}: Selection & { checkpoints: ListedCheckpoint[] }) {
  const { nodes, edges } = useMemo(() => {
    const byId = new Map(checkpoints.map((each) => [each.checkpoint_id, each]));
    const oldestFirst = checkpoints.toReversed();
    return {
      nodes: oldestFirst.map((each) => {
        const name = nameOf(each, byId.get(each.parent_checkpoint_id ?? ""));
        const { checkpoint_id, step } = each;
        const tone =
          checkpoint_id === selected
            ? "selected"
            : checkpoint_id === compared
              ? "marked"
              : ("plain" as const);
        return { id: checkpoint_id, label: name, description: `Step ${step}: ${name}`, tone } as const;
      }),
      edges: oldestFirst.flatMap(({ checkpoint_id, parent_checkpoint_id }) =>
        parent_checkpoint_id !== null && byId.has(parent_checkpoint_id)
          ? [{ source: parent_checkpoint_id, target: checkpoint_id }]
          : [],
      ),
    };
  }, [checkpoints, selected, compared]);
  return <Flow label="Tree of checkpoints" nodes={nodes} edges={edges} onSelect={onSelect} />;
}
