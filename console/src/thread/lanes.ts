/** Where each checkpoint stands in the drawing of the history: a lane for each branch. Pure. */

type Place = { checkpoint_id: string; parent_checkpoint_id: string | null };

/**
 * One row. `lane`: where its dot stands. `through`: lanes that pass it by. `from`: lanes above whose line ends in this
 * dot (itself, and branches that fork from here). `continues`: whether a line leads down to its parent.
 */
export type LaneRow = { lane: number; through: number[]; from: number[]; continues: boolean };

/** For checkpoints newest first, so that every child stands above its parent. */
export function lanesOf(checkpoints: readonly Place[]): LaneRow[] {
  /** For each lane the checkpoint its line leads down to; null: it is free. */
  const open: (string | null)[] = [];
  return checkpoints.map(({ checkpoint_id, parent_checkpoint_id }) => {
    const from = open.flatMap((target, lane) => (target === checkpoint_id ? [lane] : []));
    const free = open.indexOf(null);
    const lane = from[0] ?? (free === -1 ? open.length : free);
    for (const each of from) open[each] = null;
    const through = open.flatMap((target, each) => (target === null ? [] : [each]));
    // A parent on a page that is not read yet still has its line, to the foot of the list.
    const continues = parent_checkpoint_id !== null;
    open[lane] = continues ? parent_checkpoint_id : null;
    while (open.at(-1) === null) open.pop();
    return { lane, through, from, continues };
  });
}
