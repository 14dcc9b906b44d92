/**
 * Builds the console when there is none yet, or when its source is newer than what was built of it. Says nothing when all
 * is there. `console/dist` is what the server hands out.
 */
import { existsSync, globSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const built = join(root, "console/dist/index.html");

const sources = globSync(
  ["console/src/**/*", "console/public/**/*", "console/*.*", "src/{client,core}/**/*.ts"],
  { cwd: root },
);

function isCurrent() {
  if (!existsSync(built)) return false;
  const builtAt = statSync(built).mtimeMs;
  return sources.every((path) => statSync(join(root, path)).mtimeMs <= builtAt);
}

if (!isCurrent()) {
  process.stderr.write("Building the console…\n");
  const { build } = await import("vite");
  await build({
    root: join(root, "console"),
    configFile: join(root, "console/vite.config.ts"),
    logLevel: "warn",
  });
}
