import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { compareVersions, findPython, pythonComplaint } from "../src/deploy/python_interpreter.ts";
import { LoadError } from "../src/runner/errors.ts";

const root = mkdtempSync(join(tmpdir(), "crewship-interpreter-"));
after(() => rmSync(root, { recursive: true, force: true }));
let machines = 0;

/** A machine with these programs; a version stands for a Python that says it is that one. */
function machine(programs: Record<string, string>) {
  const home = join(root, `machine-${++machines}`);
  for (const [path, does] of Object.entries(programs)) {
    const file = join(home, path);
    const answer = { version: does, executable: file, home: dirname(file), platform: "CPython-test" };
    const script = /^\d/.test(does) ? `echo '${JSON.stringify(answer)}'` : does;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }
  const environment = { HOME: home, PATH: `${home}/shims:${home}/bin:/nowhere:relative` };
  const find = async (wanted: string | null, timeoutMs = 30_000): Promise<string> => {
    const { path, version } = await findPython({
      wanted,
      environment,
      signal: AbortSignal.timeout(timeoutMs),
    });
    return `${version} ${path.slice(home.length + 1)}`;
  };
  const complaint = async (wanted: string | null) => {
    const error = await find(wanted).then(
      () => assert.fail("it was accepted"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof LoadError, String(error));
    return error.message.replaceAll(home, "~");
  };
  return { home, find, complaint };
}

test("without a setting python3 on PATH is taken when it is new enough", async () => {
  const { find } = machine({ "bin/python3": "3.10.4", "bin/python3.13": "3.13.1", "bin/python": "2.7.18" });
  assert.equal(await find(null), "3.10.4 bin/python3");
});

test("without a setting and with an old python3, the newest Python of the machine is taken", async () => {
  const { find } = machine({
    "bin/python3": "3.8.18",
    "bin/python3.11": "3.11.2",
    ".pyenv/versions/3.9.9/bin/python3": "3.9.9",
    ".pyenv/versions/3.11.9/bin/python3": "3.11.9",
    ".pyenv/versions/3.11.10/bin/python3": "3.11.10",
  });
  assert.equal(await find(null), "3.11.10 .pyenv/versions/3.11.10/bin/python3");
});

test("a version picks the interpreter of that version, also where a launcher on PATH has none to launch", async () => {
  const { find } = machine({
    "shims/python3.12": "echo 'pyenv: python3.12: command not found' >&2; exit 127",
    "bin/python3": "3.10.4",
    "bin/python3.11": "3.11.2",
    ".pyenv/versions/3.12.1/bin/python3": "3.12.1",
    ".pyenv/versions/3.1.2/bin/python3": "3.1.2",
  });
  assert.equal(await find("3.12"), "3.12.1 .pyenv/versions/3.12.1/bin/python3");
  assert.equal(await find("3.11"), "3.11.2 bin/python3.11");
  assert.equal(await find("3.11.2"), "3.11.2 bin/python3.11");
  assert.equal(await find("3"), "3.10.4 bin/python3");
});

test("uv is asked for the Pythons it keeps, and never installs one", async () => {
  const { find, home } = machine({
    "bin/python3": "3.10.4",
    "uv-kept/python": "3.14.0",
    "bin/uv": `[ "$UV_PYTHON_DOWNLOADS" = never ] && [ "$*" = "python find 3.14" ] && echo "$HOME/uv-kept/python"`,
  });
  assert.equal(await find("3.14"), "3.14.0 uv-kept/python");
  assert.equal(await find(join(home, "uv-kept/python")), "3.14.0 uv-kept/python");
});

test("a missing version is an error that says what was asked for, what was found where, and the way out", async () => {
  const { complaint } = machine({
    "shims/python3.14": "echo 'no such version' >&2; exit 127",
    "bin/python3": "3.11.2",
    "bin/python": "2.7.18",
  });
  assert.equal(
    await complaint("3.14"),
    "[deployment] python asks for 3.14, and this machine has none. Found: 3.11.2 at ~/bin/python3; 2.7.18 at ~/bin/python; ~/shims/python3.14, which does not run (no such version). Install it (`uv python install 3.14`, or pyenv, or the system's packages), or say which to use with [deployment] python in crewship.toml: a version, or the path of an interpreter.",
  );
  assert.match(
    await machine({}).complaint(null),
    /^Agents in Python need Python 3\.10 or newer, and this machine has none\. No Python was found on PATH/,
  );
});

test("a path is taken as it is, and refused with what is wrong with it", async () => {
  const { home, find, complaint } = machine({
    "opt/python": "3.13.0",
    "opt/old": "3.9.1",
    "opt/else": "echo hello",
    "opt/broken": "exit 3",
  });
  assert.equal(await find(join(home, "opt/python")), "3.13.0 opt/python");
  const of = (name: string) => complaint(join(home, "opt", name));
  assert.match(await of("old"), /names ~\/opt\/old, which is Python 3\.9\.1, and agents need 3\.10 or newer/);
  assert.match(await of("else"), /which does not answer as a Python does\. Correct the path/);
  assert.match(await of("broken"), /which does not run\. Correct/);
  assert.match(await of("gone"), /which is no file that can be executed/);
});

test("a search that nobody waits for any more ends", async () => {
  const { find } = machine({ "bin/python3": "exec /bin/sleep 30" });
  const startedAt = performance.now();
  await assert.rejects(find(null, 200), { name: "TimeoutError" });
  assert.ok(performance.now() - startedAt < 5_000);
});

test("a setting is a version from 3.10 on, or an absolute path", () => {
  for (const fine of ["3", "3.10", "3.11.7", "3.14", "/opt/python/bin/python3"])
    assert.equal(pythonComplaint(fine), null, fine);
  for (const old of ["2", "2.7", "3.9", "3.9.18", "3.1"]) assert.match(pythonComplaint(old)!, /too old/, old);
  for (const odd of [">=3.10", "python3.11", "3.11.*", "./venv/bin/python", "3.11.7.1", ""])
    assert.match(pythonComplaint(odd)!, /neither a version such as "3\.11" nor the absolute path/, odd);
});

test("versions are compared by their numbers", () => {
  assert.deepEqual(["3.10.1", "3.9.18", "3.10", "3.2"].sort(compareVersions), [
    "3.2",
    "3.9.18",
    "3.10",
    "3.10.1",
  ]);
});
