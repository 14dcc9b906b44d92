/** `crewship`: carries out the command, and turns what goes wrong into a sentence and an exit code. */
import { EXIT_INTERRUPTED, failureOf } from "./failure.ts";
import { note, paintError } from "./output.ts";
import { makeProgram } from "./program.ts";
import type { GlobalOptions } from "./session.ts";

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const program = makeProgram();
try {
  await program.parseAsync();
} catch (error) {
  const { exit_code, code, message, details } = failureOf(error);
  if (message !== "") {
    const { json = false } = program.opts<GlobalOptions>();
    const mark = exit_code === EXIT_INTERRUPTED ? "" : `${paintError("red", "error:")} `;
    note(json ? JSON.stringify({ error: { code, message, details } }) : mark + message);
  }
  process.exitCode = exit_code;
}
