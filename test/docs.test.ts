/** The documents say what the code says: routes, errors, settings, keys of crewship.toml, and links that lead somewhere. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Problem, problemCodes } from "../src/core/problem.ts";
import { routes } from "../src/http/routes.ts";
import { RunnerTable } from "../src/runner/settings.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

test("every link of a document leads to a file that exists, and to a heading that exists", () => {
  const broken = documents.flatMap((document) =>
    [...withoutCode(read(document)).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^[a-z]+:/.test(link!)) return [];
      const [path = "", heading] = link!.split("#");
      const target = path === "" ? document : join(dirname(document), path);
      if (!existsSync(join(root, target))) return [`${document}: ${link}`];
      return heading === undefined || headingsOf(target).includes(heading) ? [] : [`${document}: ${link}`];
    }),
  );
  assert.deepEqual(broken, []);
});

test("docs/api.md lists every route with the role it needs, and no other", () => {
  const documented = rows("docs/api.md", "Routes").map(
    ([route, role]) => `${route!.replaceAll("`", "")} ${role}`,
  );
  const served = routes.map(({ method, path, role }) => `${method} ${path} ${role ?? "none"}`);
  assert.deepEqual(documented.sort(), served.sort());
});

test("docs/api.md lists every error code a client can meet with its status, and no other", () => {
  const documented = rows("docs/api.md", "Errors").map(
    ([code, status]) => `${code!.replaceAll("`", "")} ${status}`,
  );
  // Everything invalid shares one public code, and so does everything that is not there.
  const shared: Record<number, string> = { 400: "bad_request", 404: "not_found" };
  const met = problemCodes.map((code) => {
    const { status } = new Problem(code);
    return `${shared[status] ?? code} ${status}`;
  });
  assert.deepEqual(documented.sort(), [...new Set(met)].sort());
});

test("docs/settings.md lists every setting of the server and every variable it reads, and no other", () => {
  const read_ = new Set(read("src/config.ts").match(/\b(CREWSHIP_[A-Z_]*[A-Z]|XDG_[A-Z_]+)\b/g));
  const documented = new Set(read("docs/settings.md").match(/\b(CREWSHIP_[A-Z_]*[A-Z]|XDG_[A-Z_]+)\b/g));
  assert.deepEqual([...documented].sort(), [...read_].sort());
  const flags = new Set(
    read("src/cli/serve.ts")
      .match(/ption\(\s*"(--[a-z-]+)/g)
      ?.map((option) => option.slice(option.indexOf("--"))),
  );
  const described = rows("docs/settings.md").flatMap(([flag]) => /^`(--[a-z-]+)`$/.exec(flag!)?.[1] ?? []);
  assert.deepEqual(described.sort(), [...flags].sort());
});

test("docs/settings.md names each setting in the file as the environment names it", () => {
  for (const [flag, environment, inFile] of rows("docs/settings.md")) {
    if (!flag!.startsWith("`--")) continue;
    assert.equal(inFile, environment!.replace("CREWSHIP_", "").toLowerCase(), flag);
  }
});

test("docs/agents.md lists every key of [runner], and no other", () => {
  const documented = rows("docs/agents.md", "crewship.toml")
    .map(([key]) => key!)
    .filter((key) => /^`\w+`$/.test(key))
    .map((key) => key.replaceAll("`", ""));
  assert.deepEqual(documented.sort(), Object.keys(RunnerTable.properties).sort());
});

test("no document names a path of somebody's machine or an issue of somebody's list", () => {
  for (const document of [...documents, "openapi.json"]) {
    assert.doesNotMatch(read(document), /\/(home|root|work|Users|tmp)\/|\bTODO\b|\bissue #?\d/i, document);
  }
});

/** The body rows of the tables in a section (or the whole document), as trimmed cells. */
function rows(document: string, section?: string): string[][] {
  const text = read(document);
  const body =
    section === undefined
      ? text
      : (text.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ??
        assert.fail(`no section ${section}`));
  return body
    .split("\n")
    .filter((line) => line.startsWith("|") && !/^\|[-| ]+\|$/.test(line))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((_, i, all) => i > 0 || all.length === 0);
}

function headingsOf(document: string): string[] {
  return [...withoutCode(read(document)).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, "");
}
