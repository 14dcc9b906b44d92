/** Sweeping: what nothing needs goes, and whatever can still be read stays exactly as it was. */
import { test } from "node:test";
import fc from "fast-check";
import { type Open, withStore } from "./store_fixture.ts";
import { commands, Model } from "./store_model.ts";

export function sweepSuite(name: string, open: Open): void {
  test(`${name}: whatever is put, forked, copied, dropped, pruned, deleted and swept, every state that can be read is what was put`, () =>
    fc.assert(
      fc.asyncProperty(commands, (program) =>
        withStore(open, async (store) => {
          const model = new Model(store);
          await model.play(program);
          await model.leaveNothing();
        }),
      ),
      { numRuns: 15 },
    ));
}
