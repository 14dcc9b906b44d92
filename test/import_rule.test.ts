/** Who may import whom. The folders' roles are only as true as their imports; each violation is named with its line. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));

/** A folder of src/, or a file that stands alone in it, a runner or the console → what it may import besides itself, Node and packages. */
const mayImport: Record<string, string[]> = {
  core: [],
  store: ["core"],
  runner: ["core"],
  engine: ["core", "store", "runner"],
  deploy: ["core", "store", "runner"],
  http: ["core", "engine", "deploy", "store", "version"],
  client: ["core"],
  cli: ["client", "core", "config", "version"],
  config: ["store"],
  version: [],
  server: ["config", "core", "deploy", "engine", "http", "local_access", "runner", "store", "version"],
  local_access: ["config", "core", "http", "store"],
  "runners/node": ["core", "runner"],
  console: ["client", "core"],
};

/** What single files may import beyond their folder: the first two are the server in a terminal, the last works on a stopped one's data. */
const fileMayImport: Record<string, string[]> = {
  "src/cli/serve.ts": ["server", "deploy"],
  "src/cli/dev.ts": ["server", "deploy"],
  "src/cli/backup.ts": ["store"],
  "src/cli/deploy.ts": ["deploy"],
  "src/cli/init.ts": ["deploy"],
  "src/cli/manifest.ts": ["deploy"],
};

/** Of these targets only types may be taken: nothing of them is loaded. */
const typesOnly: { from: string; to: RegExp }[] = [
  { from: "runners/node", to: /^src\/runner\// },
  { from: "config", to: /^src\/store\// },
  { from: "cli", to: /^src\/deploy\// },
];
/** A project's folder is read by the commands that serve, describe or send it. */
const mayLoad = new Set([
  "src/cli/init.ts src/deploy/manifest.ts",
  "src/cli/init.ts src/deploy/propose.ts",
  "src/cli/init.ts src/deploy/source_rules.ts",
  "src/cli/deploy.ts src/deploy/archive.ts",
  "src/cli/manifest.ts src/deploy/manifest.ts",
  "src/cli/deploy.ts src/deploy/source_files.ts",
  "src/cli/deploy.ts src/deploy/source_rules.ts",
]);

type Import = { file: string; line: number; specifier: string; isType: boolean };

const files = ["src", "runners/node", "console/src"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name)),
);
const imports = files.flatMap(importsOf);

test("every folder imports only what its role allows", () => {
  report(
    imports.flatMap((found) => {
      const target = targetOf(found);
      if (target === undefined) return [];
      const [from, to] = [unitOf(found.file), unitOf(target)];
      const allowed = [from, ...(mayImport[from] ?? []), ...(fileMayImport[found.file] ?? [])];
      return allowed.includes(to) ? [] : [`${place(found)}: ${from} must not import ${to} (${target})`];
    }),
  );
});

test("what is only described elsewhere is imported as a type", () => {
  report(
    imports.flatMap((found) => {
      const target = targetOf(found);
      const rule = typesOnly.find(({ from, to }) => from === unitOf(found.file) && to.test(target ?? ""));
      if (!rule || found.isType || mayLoad.has(`${found.file} ${target}`)) return [];
      return [`${place(found)}: take only types of ${target}`];
    }),
  );
});

test("core does no input or output: it imports TypeBox and nothing else from outside", () => {
  report(
    imports
      .filter(({ file, specifier }) => unitOf(file) === "core" && !specifier.startsWith("."))
      .filter(({ specifier }) => specifier !== "typebox" && !specifier.startsWith("typebox/"))
      .map((found) => `${place(found)}: core must not import ${found.specifier}`),
  );
});

test("every folder of the source has its rule, and every relative import leads to a file with its ending", () => {
  report([
    ...files
      .filter((file) => !(unitOf(file) in mayImport))
      .map((file) => `${file}: no rule names ${unitOf(file)}`),
    ...imports
      .filter(({ specifier }) => specifier.startsWith("."))
      .filter((found) => !files.includes(targetOf(found) ?? "") && !/\.(json|css)$/.test(found.specifier))
      .map((found) => `${place(found)}: ${found.specifier} is no file of the source`),
  ]);
});

test("there are no barrels: nothing is called index.ts, and no file passes on another's exports", () => {
  report(
    files.filter((file) => /(^|\/)index\.ts$/.test(file)).map((file) => `${file}: name it after its noun`),
  );
  report(
    files.flatMap((file) =>
      linesOf(file).flatMap((text, i) =>
        /^\s*export\s+(type\s+)?(\*|\{[^}]*\})\s+from\s/.test(text)
          ? [`${file}:${i + 1}: ${text.trim()}`]
          : [],
      ),
    ),
  );
});

test("only src/config.ts reads the environment", () => {
  report(
    files
      .filter((file) => file.startsWith("src/") && file !== "src/config.ts")
      .flatMap((file) =>
        linesOf(file).flatMap((text, i) =>
          /process\s*\.\s*env\b|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/.test(text) && !isComment(text)
            ? [`${file}:${i + 1}: ${text.trim()}`]
            : [],
        ),
      ),
  );
});

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const found: Import[] = [];
  // Statements with `from`, imports for effect, and `import("…")` both as a call and in a type.
  const pattern =
    /^[ \t]*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;
  for (const match of text.matchAll(pattern)) {
    const specifier = match[2] ?? match[3]!;
    const statement = match[0];
    const before = text.slice(0, match.index);
    const inType =
      match[3] !== undefined &&
      /(typeof\s+|[:<|&=]\s*)$/.test(before.slice(-20)) &&
      !/await\s*$/.test(before);
    const names = /\{([^}]*)\}/.exec(statement)?.[1];
    const onlyTypes = names !== undefined && /^\s*import\s*\{/.test(statement) && everyIsType(names);
    found.push({
      file,
      line: before.split("\n").length,
      specifier,
      isType: match[1] !== undefined || inType || onlyTypes,
    });
  }
  return found;
}

function everyIsType(names: string): boolean {
  return names
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean)
    .every((name) => name.startsWith("type "));
}

/** The file a relative import leads to, from the repository's root; undefined for packages. */
function targetOf({ file, specifier }: Import): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return relative(root, join(root, dirname(file), specifier));
}

function unitOf(file: string): string {
  if (file.startsWith("console/")) return "console";
  if (file.startsWith("runners/")) return file.split("/").slice(0, 2).join("/");
  return file.split("/")[1]!.replace(/\.ts$/, "");
}

function linesOf(file: string): string[] {
  return readFileSync(join(root, file), "utf8").split("\n");
}

function isComment(text: string): boolean {
  return /^\s*(\/\/|\/?\*)/.test(text);
}

function place({ file, line }: Import): string {
  return `${file}:${line}`;
}

function report(violations: string[]): void {
  assert.equal(violations.length, 0, `\n${violations.join("\n")}`);
}
