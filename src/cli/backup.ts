/** `crewship backup`, `restore` and `migrate`: the database itself, without a server in between. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { type Config, type Flags, readConfig } from "../config.ts";
import { Problem } from "../core/problem.ts";
import { Interrupted, UsageError } from "./failure.ts";
import { fileSize, note, paint, print, printFacts, printJson } from "./output.ts";
import type { GlobalOptions } from "./session.ts";

const DATA = "the folder with the database (default: .crewship/data)";

export function addBackup(program: Command): void {
  program
    .command("backup")
    .description("copy the embedded database to a file, while the server runs")
    .argument("<file>", "the new file")
    .option("--data <folder>", DATA)
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship backup monday.db\n  $ crewship backup --data /var/lib/crewship /backups/$(date +%F).db\n\nThe file holds all threads, files and settings as they were at one moment, and no key in the clear. PostgreSQL is\nbacked up with its own tools, such as pg_dump: see docs/operations.md.\n",
    )
    .action(async (file: string, flags: Flags, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const { data } = embedded(
        readConfig(flags),
        "PostgreSQL is backed up with its own tools: pg_dump --format=custom.",
      );
      const target = resolve(file);
      const { backupSqlite } = await import("../store/backup.ts");
      const line = progressLine();
      await local(async (signal) => {
        await backupSqlite(data, target, (part) => line.show(`${Math.floor(100 * part)} % copied`), signal);
      }).finally(line.end);
      const bytes = statSync(target).size;
      if (json) return printJson({ file: target, size: bytes });
      print(`${paint("green", "✓")} ${target} (${fileSize(bytes)})`);
    });

  program
    .command("restore")
    .description("put a backup in place, in a folder that has no database yet")
    .argument("<file>", "what `crewship backup` has written")
    .option("--data <folder>", "the folder for it (default: .crewship/data)")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship restore monday.db\n  $ crewship restore monday.db --data ./copy && crewship serve --data ./copy\n",
    )
    .action(async (file: string, flags: Flags, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const { data } = embedded(readConfig(flags), "PostgreSQL is restored with its own tools: pg_restore.");
      const { restoreSqlite } = await import("../store/backup.ts");
      await local(() => restoreSqlite(resolve(file), data));
      if (json) return printJson({ data });
      print(`${paint("green", "✓")} ${data} holds it now. Start the server: crewship serve --data ${data}`);
    });

  program
    .command("migrate")
    .description("move all data to another kind of database")
    .command("sqlite-to-postgres")
    .description("copy the embedded database into an empty PostgreSQL; the file stays as it is")
    .option("--data <folder>", DATA)
    .option("--database-url <address>", "the empty database: postgres://… (else CREWSHIP_DATABASE_URL)")
    .addHelpText(
      "after",
      "\nExample:\n  $ crewship migrate sqlite-to-postgres --database-url postgres://crewship:…@db/crewship\n\nStop the server first. All is copied or nothing: what fails can be begun again.\n",
    )
    .action(async (flags: Flags, command: Command) => {
      const { json = false } = command.optsWithGlobals<GlobalOptions>();
      const config = readConfig(flags);
      const line = progressLine();
      const moved = await local((signal) =>
        move(config, signal, (table, rows, total) => line.show(`${table}: ${rows} of ${total} rows`)),
      ).finally(line.end);
      if (json) return printJson(Object.fromEntries(moved));
      printFacts([...moved].map(([table, rows]) => [table, `${rows}`]));
      print(`${paint("green", "✓")} moved. Start the server: crewship serve --database-url postgres://…`);
    });
}

async function move(
  { data, databaseUrl, databasePool, databaseTimeoutMs }: Config,
  signal: AbortSignal,
  onMoved: (table: string, rows: number, total: number) => void,
): Promise<Map<string, number>> {
  if (databaseUrl === null)
    throw new UsageError("Say where to: --database-url postgres://user:password@host/database.");
  const { openToMove } = await import("../store/move.ts");
  const moving = await openToMove(data, {
    url: databaseUrl,
    listenUrl: null,
    pool: databasePool,
    statementTimeoutMs: databaseTimeoutMs,
    flushed: true,
    warn: (_, message) => note(message),
  });
  try {
    return await moving.move((table, rows, total) => {
      signal.throwIfAborted();
      onMoved(table, rows, total);
    });
  } finally {
    await moving.close();
  }
}

function embedded(config: Config, instead: string): Config {
  if (config.databaseUrl !== null) throw new UsageError(instead);
  return config;
}

/** Ctrl-C aborts the signal, so that nothing half is left; what the store refuses is wrong usage. */
async function local<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  process.once("SIGINT", leave).once("SIGTERM", leave);
  try {
    return await work(leaving.signal);
  } catch (error) {
    if (leaving.signal.aborted) throw new Interrupted("Broken off; nothing was changed.");
    if (error instanceof Problem || (error instanceof Error && error.name === "DataFolderLocked"))
      throw new UsageError(error.message);
    throw error;
  } finally {
    process.off("SIGINT", leave).off("SIGTERM", leave);
  }
}

/** One line that is written over, on a terminal; elsewhere nothing. */
function progressLine(): { show(text: string): void; end(): void } {
  const { stderr } = process;
  if (!stderr.isTTY) return { show() {}, end() {} };
  return {
    show: (text) => void stderr.write(`\r\x1b[K${text}`),
    end: () => void stderr.write("\r\x1b[K"),
  };
}
