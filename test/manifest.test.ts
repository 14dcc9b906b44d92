import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { ManifestError, readManifest } from "../src/deploy/manifest.ts";
import { lineOf } from "../src/deploy/toml_lines.ts";

const root = mkdtempSync(join(tmpdir(), "crewship-manifest-"));
after(() => rmSync(root, { recursive: true, force: true }));
let projects = 0;

/** A project with this crewship.toml and a file src/graph.ts. */
function project(toml: string): string {
  const directory = join(root, `project-${++projects}`);
  mkdirSync(join(directory, "src"), { recursive: true });
  writeFileSync(join(directory, "src", "graph.ts"), "export const graph = 1;\n");
  writeFileSync(join(directory, "crewship.toml"), toml);
  return directory;
}

function complaint(toml: string, name?: string): string {
  try {
    readManifest(project(toml), name);
  } catch (error) {
    assert.ok(error instanceof ManifestError, String(error));
    return error.message;
  }
  throw new assert.AssertionError({ message: "the manifest was accepted" });
}

const graph = '[deployment]\nframework = "langgraph-js"\nentrypoint = "./src/graph.ts:graph"\n';

test("the smallest manifest is complete with its defaults and the folder's name", () => {
  const directory = project(graph);
  assert.deepEqual(readManifest(directory), {
    name: basename(directory),
    framework: "langgraph-js",
    entrypoint: "./src/graph.ts:graph",
    directory,
    chat: { input_key: null, output_key: null },
    runner: {
      concurrency: 16,
      processes: null,
      isolation: "shared",
      idle_timeout_s: 300,
      run_timeout_s: 3600,
      memory_mb: 1024,
      retry: 0,
      stream_tokens: true,
    },
    store: { index: null, default_ttl: null, refresh_on_read: true },
    build: { exclude: [] },
    profile: null,
    python: null,
    warnings: [],
  });
});

test("every documented key is read", () => {
  const manifest = readManifest(
    project(
      `[deployment]\nname = "support"\nframework = "function"\nentrypoint = "./src/graph.ts:graph"\nprofile = "slim"\npython = "3.12"\n[build]\nexclude = ["data/"]\n[chat]\ninput_key = "q"\noutput_key = "a"\n[runner]\nconcurrency = 4\nprocesses = 2\nisolation = "run"\nidle_timeout_s = 10\nrun_timeout_s = 20\nmemory_mb = 256\nretry = 1\nstream_tokens = false\n[store]\nindex = { embed = "./src/graph.ts:graph", dims = 3, fields = ["text"] }\ndefault_ttl = 5\nrefresh_on_read = false\n`,
    ),
    "support",
  );
  assert.equal(manifest.name, "support");
  assert.deepEqual(manifest.build, { exclude: ["data/"] });
  assert.deepEqual(manifest.chat, { input_key: "q", output_key: "a" });
  assert.deepEqual(manifest.store, {
    index: { embed: "./src/graph.ts:graph", dims: 3, fields: ["text"] },
    default_ttl: 5,
    refresh_on_read: false,
  });
  assert.deepEqual([manifest.profile, manifest.python], ["slim", "3.12"]);
  assert.deepEqual(manifest.runner, {
    concurrency: 4,
    processes: 2,
    isolation: "run",
    idle_timeout_s: 10,
    run_timeout_s: 20,
    memory_mb: 256,
    retry: 1,
    stream_tokens: false,
  });
});

test("the hosted product's sections are ignored with a line that names them", () => {
  const { warnings } = readManifest(project(`${graph}[apis]\nopenai = true\n\n[crewship]\nregion = "eu"\n`));
  assert.deepEqual(warnings, [
    "crewship.toml:4: [apis] has no effect here and is ignored.",
    "crewship.toml:7: [crewship] has no effect here and is ignored.",
  ]);
});

test("an unknown key is an error with its line and the nearest known key", () => {
  assert.equal(
    complaint(`${graph}\n# settings\n[runner]\nconcurency = 3\n`),
    "crewship.toml:7: Unknown key runner.concurency. Did you mean concurrency?",
  );
  assert.match(complaint(`${graph}[chatt]\ninput_key = "x"\n`), /:4: Unknown key chatt. Did you mean chat\?/);
  assert.match(
    complaint('[deploymnet]\nframework = "x"\n'),
    /:1: Unknown key deploymnet. Did you mean deployment\?/,
  );
  assert.match(
    complaint(`${graph}[store]\nindex = { embed = "./src/graph.ts:graph", dim = 3 }\n`),
    /:5: Unknown key store.index.dim. Did you mean dims\?/,
  );
  assert.match(
    complaint(`${graph}[store]\nindex = { embed = "./src/embed.ts:embed", dims = 3 }\n`),
    /:5: The embed's file .\/src\/embed.ts does not exist/,
  );
  assert.match(
    complaint(`${graph}nonsense = 1\n`),
    /:4: Unknown key deployment.nonsense. Known here: name, framework/,
  );
});

test("a value that does not fit is an error with its line and what fits", () => {
  assert.match(
    complaint(graph.replace("langgraph-js", "langraph-js")),
    /:2: .*one of crewai, .*mean langgraph-js\?/,
  );
  assert.match(complaint(`${graph}[runner]\nmemory_mb = "1G"\n`), /:5: runner.memory_mb must be integer/);
  assert.match(complaint(`${graph}[runner]\nconcurrency = 0\n`), /:5: runner.concurrency must be at least 1/);
  assert.match(complaint('[deployment]\nname = "x"\n'), /:1: \[deployment\] needs framework and entrypoint/);
  assert.match(complaint("[build]\nexclude = []\n"), /There is no \[deployment\] section/);
});

test("text that is not TOML is an error with its line", () => {
  assert.match(
    complaint('[deployment]\nframework = "x\n'),
    /^crewship.toml:2: This is not TOML: .*column \d+/,
  );
  assert.match(complaint("__proto__ = 1\n"), /^crewship.toml:1: /);
});

test("a folder without the file is an error that says how to get one", () => {
  assert.throws(
    () => readManifest(join(root, "nowhere")),
    /There is no .*crewship.toml. It needs \[deployment\]/,
  );
});

const monorepo =
  '[deployments.one]\nframework = "langgraph-js"\nentrypoint = "./src/graph.ts:graph"\n[deployments.one.runner]\nconcurrency = 2\n\n[deployments.two]\nframework = "crewai"\nentrypoint = "crew.main:Crew"\n[deployments.two.chat]\ninput_key = "topic"\n';

test("a monorepo's file holds several deployments, chosen by name", () => {
  const directory = project(monorepo);
  assert.equal(readManifest(directory, "one").runner.concurrency, 2);
  const two = readManifest(directory, "two");
  assert.deepEqual(
    [two.name, two.chat.input_key, two.runner.isolation, two.runner.concurrency],
    ["two", "topic", "run", 1],
  );
  assert.throws(() => readManifest(directory), /name one of one, two/);
  assert.throws(() => readManifest(directory, "three"), /There is no deployment three. Name one of one, two/);
  assert.match(
    complaint(`${monorepo}[deployments.two.runer]\nretry = 1\n`, "one"),
    /:12: .*Did you mean runner\?/,
  );
});

test("both forms in one file is an error that names the two lines", () => {
  assert.match(complaint(`${graph}\n${monorepo}`), /\[deployment\] on line 1 and \[deployments\] on line 5/);
});

test("a Node entrypoint names an existing file inside the project", () => {
  const entry = (value: string) => graph.replace("./src/graph.ts:graph", value);
  assert.match(complaint(entry("./src/gone.ts:graph")), /:3: .*does not exist/);
  assert.match(complaint(entry("./../other/graph.ts:graph")), /:3: .*outside the project/);
  assert.match(complaint(entry("/etc/graph.ts:graph")), /outside the project/);
  assert.match(complaint(entry("src/graph.ts:graph")), /write "\.\/src\/graph.ts:graph"/);
  assert.match(complaint(entry("./src/graph.ts")), /not of the form/);
  assert.match(complaint(entry("pkg.graph:graph")), /not of the form \.\/src\/graph\.ts:graph/);
  const directory = project(entry("./src/link.ts:graph"));
  writeFileSync(join(root, "elsewhere.ts"), "");
  symlinkSync(join(root, "elsewhere.ts"), join(directory, "src", "link.ts"));
  assert.throws(() => readManifest(directory), /is a link out of the project/);
});

test("an agent in Python names a module and what it exports, and may say which Python it wants", () => {
  const python = (framework: string, entrypoint: string, more = "") =>
    `[deployment]\nframework = "${framework}"\nentrypoint = "${entrypoint}"\n${more}`;
  for (const framework of ["langgraph", "crewai", "function"]) {
    assert.equal(readManifest(project(python(framework, "pkg.agent:agent"))).python, null);
  }
  assert.equal(readManifest(project(python("langgraph", "a:graph", 'python = "3.11.7"\n'))).python, "3.11.7");
  assert.match(complaint(python("crewai", "pkg.main")), /:3: .*pkg\.module:attr/);
  assert.match(complaint(python("crewai", "./src/main.py:crew")), /:3: .*pkg\.module:attr/);
  assert.match(complaint(python("function", "a:b", 'python = "3.9"\n')), /:4: .*too old.*3\.10 or newer/);
  assert.match(
    complaint(python("function", "a:b", 'python = ">=3.10"\n')),
    /:4: .*a version such as "3\.11"/,
  );
  assert.match(
    complaint(python("function", "a:b", "python = 3.11\n")),
    /:4: deployment\.python must be string: put it between quotes\./,
  );
});

test("the line of a key is found behind comments, arrays over several lines and dotted spellings", () => {
  const text = 'a.b = 1\n\n# c = 2\nlist = [\n  "[x]",\n\n  "y = 1",\n]\ntext = """\nx = 1\n"""\n  x = 2\n';
  assert.equal(lineOf(text, ["a", "b"]), 1);
  assert.equal(lineOf(text, ["list"]), 4);
  assert.equal(lineOf(text, ["text"]), 9);
  assert.equal(lineOf(text, ["x"]), 12);
  assert.equal(lineOf(text, ["c"]), null);
});
