/**
 * Random programs of operations on threads against a small model of what should be. CREWSHIP_PROGRAMS=2000 makes it the
 * long campaign, CREWSHIP_PROGRAMS_SEED repeats the draws of an earlier one.
 */
import { test } from "node:test";
import fc from "fast-check";
import { withEngine } from "./suites/engine_fixture.ts";
import { commands } from "./suites/program_commands.ts";
import { Player } from "./suites/program_player.ts";

const numRuns = Number(process.env.CREWSHIP_PROGRAMS ?? 100);
const seed = Number(process.env.CREWSHIP_PROGRAMS_SEED ?? 20261123);

test("whatever is done to threads, in whatever order, they are what the model says", (t) =>
  withEngine({ framework: "langgraph-js" }, async (engine) => {
    t.diagnostic(`${numRuns} programs, CREWSHIP_PROGRAMS_SEED=${seed}`);
    let on = engine.first;
    await fc.assert(
      fc.asyncProperty(commands, async (program) => {
        const player = new Player(engine, on);
        try {
          await player.play(program);
        } finally {
          on = player.on;
        }
      }),
      { numRuns, seed },
    );
  }));
