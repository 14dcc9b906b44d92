/** The store that graphs and functions are given, in both languages, behind a real server: durable, and their deployment's own. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ServerProcess } from "./faults/server.ts";

const WAIT_S = 600;
// biome-ignore lint/suspicious/noExplicitAny: a test looks into answers whose shape it is checking
type Result = any;
type Operation = [name: string, ...args: unknown[]];

const languages = [{ name: "LangGraph.js", project: "store-js" }];

for (const { name, project } of languages) {
  describe(`the store in ${name}`, () => {
    let server: ServerProcess;
    before(async () => {
      server = await ServerProcess.start({ project: `test/projects/${project}` });
    });
    after(() => server.remove());

    const act = async (...operations: Operation[]): Promise<Result[]> => {
      const client = server.client();
      const { thread_id } = await client.createThread({ deployment_id: server.deployment_id });
      const run = await client.waitRun(thread_id, { input: { operations } as never }, { wait_s: WAIT_S });
      assert.equal(run.status, "succeeded", JSON.stringify(run.error));
      return (run.output as { results: Result[] }).results;
    };

    it("keeps what a node puts for every other thread, and after a restart", async () => {
      await act(["put", ["users", "ada"], "likes", { tea: true, deep: { list: [1, null, "ü"] } }]);
      const [item, none] = await act(
        ["get", ["users", "ada"], "likes"],
        ["get", ["users", "ada"], "nothing"],
      );
      assert.deepEqual(item.value, { tea: true, deep: { list: [1, null, "ü"] } });
      assert.deepEqual(item.namespace, ["users", "ada"]);
      assert.equal(none, null);
      await server.stop();
      await server.start();
      const [again] = await act(["get", ["users", "ada"], "likes"]);
      assert.deepEqual(again, item);
      await act(["delete", ["users", "ada"], "likes"]);
      assert.deepEqual(await act(["get", ["users", "ada"], "likes"]), [null]);
    });
  });
}
