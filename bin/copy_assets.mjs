/**
 * Copies what tsc does not emit into the published form, beside the code that reads it: the SQL of the migrations,
 * the Python runner, and the built console.
 */
import { cpSync, globSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

// One by one: a folder that Python has run in holds what it compiled.
for (const path of globSync(["src/store/migrations/*.sql", "runners/python/**/*.py", "console/dist/**/*.*"], {
  cwd: root,
})) {
  cpSync(join(root, path), join(root, "dist", path));
}
