import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { watchFolder } from "../src/cli/watch.ts";

/** A project's folder that is watched; `change` does something to it and resolves with what was told. */
function project(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "crewship-watch-"));
  const write = (path: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), String(Math.random()));
  };
  for (const path of [
    "src/graph.ts",
    "tests/graph.test.ts",
    "node_modules/x/index.js",
    ".git/index",
    "env/pyvenv.cfg",
    "env/lib/x.py",
  ])
    write(path);
  const told = new EventEmitter<{ change: [string[]] }>();
  const trouble: string[] = [];
  const stop = watchFolder(root, {
    exclude: ["tests", "*.md"],
    onChange: (paths) => told.emit("change", paths),
    onTrouble: (text) => trouble.push(text),
  });
  t.after(() => {
    stop();
    rmSync(root, { recursive: true, force: true });
  });
  const change = async (work: () => void): Promise<string[]> => {
    const next = once(told, "change", { signal: AbortSignal.timeout(10_000) });
    work();
    const [paths] = await next;
    assert.deepEqual(trouble, []);
    return paths as string[];
  };
  return { root, write, change };
}

test("changes of one moment are told once, and only those of source files", async (t) => {
  const { write, change } = project(t);
  const paths = await change(() => {
    for (const path of [
      "tests/graph.test.ts",
      "README.md",
      "node_modules/x/index.js",
      ".git/index",
      ".secret",
      "src/__pycache__/graph.pyc",
      "src/pkg.egg-info/PKG-INFO",
      ".venv/lib/x.py",
      "venv/lib/x.py",
      "env/lib/x.py",
    ])
      write(path);
    for (const path of ["src/graph.ts", ".env", "crewship.toml", "src/graph.ts"]) write(path);
  });
  assert.deepEqual(paths, [".env", "crewship.toml", "src/graph.ts"]);
});

test("a folder that appears is watched with what is in it", async (t) => {
  const { write, change } = project(t);
  assert.ok(
    (await change(() => write("src/deep/er/tool.ts"))).includes(join("src", "deep", "er", "tool.ts")),
  );
  assert.deepEqual(await change(() => write("src/deep/er/tool.ts")), [join("src", "deep", "er", "tool.ts")]);
});

test("a folder that goes is told, and one of the same name is watched again", async (t) => {
  const { root, write, change } = project(t);
  assert.ok((await change(() => rmSync(join(root, "src"), { recursive: true }))).length > 0);
  assert.ok((await change(() => write("src/graph.ts"))).includes(join("src", "graph.ts")));
  assert.deepEqual(await change(() => write("src/graph.ts")), [join("src", "graph.ts")]);
});
