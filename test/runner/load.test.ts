import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Agent, contents, human, project, VERSIONS } from "./harness.ts";

for (const kind of ["esm", "cjs"]) {
  describe(`a ${kind} project`, { concurrency: 1 }, () => {
    for (const version of VERSIONS) {
      for (const attribute of ["graph", "make", "builder"]) {
        test(`its ${attribute} loads with enums, decorators, path aliases and .js imports (LangGraph ${version})`, async () => {
          const agent = await Agent.load(project(kind, version), `./src/agent.ts:${attribute}`, {
            max_warm_bytes: 0,
          });
          await agent.run({ input: { messages: [human("hi")] } });
          const { done, output } = await agent.run({ input: { messages: [human("again")] } });
          assert.equal(done.outcome, "succeeded", JSON.stringify(done.error));
          const said = contents((output as { messages: [] }).messages);
          assert.deepEqual(
            said,
            ["again", "I AM FINE sibling true"],
            "messages come back as the project's own class",
          );
          assert.ok(agent.reads > 0);
          await agent.stop();
        });
      }
    }

    const failures: [string, RegExp, RegExp | undefined][] = [
      [
        "./src/missing.ts:graph",
        /The package a-package-nobody-installed is not installed: run "npm install" in \//,
        /missing/,
      ],
      ["./src/broken.ts:graph", /broken while loading/, /broken\.ts:3/],
      ["./src/agent.ts:nothing", /does not export "nothing".*graph/, undefined],
      ["./src/agent.ts:number", /not a LangGraph graph/, undefined],
      ["./src/nowhere.ts:graph", /does not exist/, undefined],
      ["./src/agent.ts", /must look like/, undefined],
    ];
    for (const [entrypoint, message, traceback] of failures) {
      test(`a load of ${entrypoint} that fails says what to do`, async () => {
        const directory = project(kind);
        const agent = Agent.start(directory);
        const reply = await agent.loadReply(directory, entrypoint);
        assert.equal(reply.type, "load_failed");
        const { error } = reply as Extract<typeof reply, { type: "load_failed" }>;
        assert.equal(error.code, "load_failed");
        assert.match(error.message, message);
        if (traceback) assert.match(error.traceback ?? "", traceback);
        await agent.stop();
      });
    }
  });
}

test("a process whose pipe breaks ends at once", async () => {
  const directory = project("chat");
  const agent = await Agent.load(directory, "./src/echo.ts:graph");
  await agent.stop();
  assert.equal(agent.child.exitCode, 0);
});
