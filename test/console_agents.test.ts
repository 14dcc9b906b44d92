/** The console with agents that ask, fail, print, leave files and are deployed. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ServerProcess } from "./faults/server.ts";
import { buildConsole, closeBrowser, newPage, noBrowser, signIn } from "./fixtures/browser.ts";
import { newProject, startDeployer, write } from "./fixtures/deployer.ts";
import { functionProject, testServer } from "./fixtures/server.ts";

/** Asks for three actions as LangChain's review does, and answers with a picture. */
const reviewProject = {
  "crewship.toml": `[deployment]\nname = "review"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
  "package.json": `{"type":"module"}`,
  "agent.ts": `
const actions = ["mail", "pay", "shout"].map((name) => ({ name, args: { amount: 1 }, description: "may I " + name }));
const dot = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
export async function agent(_input: unknown, context: any) {
  context.state.answer = context.interrupt({
    action_requests: actions,
    review_configs: actions.map(({ name }) => ({ action_name: name, allowed_decisions: ["approve", "edit", "reject"] })),
  });
  context.state.messages = [
    { role: "assistant", content: [{ type: "text", text: "done" }, { type: "image_url", image_url: { url: dot } }] },
  ];
}
`,
};

describe("the console", { skip: noBrowser, timeout: 600_000 }, () => {
  before(buildConsole);
  after(closeBrowser);

  it("opens signed in at the address that dev prints, once, and keeps nothing of it in the address", async (t) => {
    const { server } = await testServer(t, functionProject);
    const address = await server.consoleAddress();
    const page = await newPage(t);
    await page.goto(address);
    await page.getByRole("heading", { name: "Threads", exact: true }).waitFor();
    assert.equal(new URL(page.url()).hash, "");
    const other = await newPage(t);
    await other.goto(address);
    await other.getByLabel("API key").waitFor();
  });

  it("asks for what the input's schema says, shows the agent's question, and sends the answer", async (t) => {
    const server = await ServerProcess.start({ project: "test/projects/approval-js", name: "graph" });
    t.after(() => server.remove());
    const client = server.client();
    const { deployment_id } = server;
    const { thread_id } = await client.createThread({ deployment_id });
    const page = await newPage(t);
    await signIn(page, server, `threads/${thread_id}`);
    const form = page.getByRole("form", { name: "New run" });
    await form.getByRole("textbox", { name: /^amount/ }).fill("50");
    await form.getByRole("button", { name: "Run", exact: true }).click();
    const questions = page.getByRole("region", { name: "Questions of the agent" });
    await questions.getByText("Pay 50?").waitFor();
    await page.getByText("interrupted").first().waitFor();

    // The question outlasts the page and the server.
    await server.kill();
    await server.start();
    await page.reload();
    await questions.getByText("Pay 50?").waitFor();
    await questions.getByRole("textbox", { name: "Answer" }).fill("yes");
    await questions.getByRole("button", { name: "Answer" }).click();
    await questions.waitFor({ state: "detached" });
    await page.getByRole("group", { name: "State", exact: true }).getByText("paid").waitFor();
    assert.deepEqual((await client.getThread(thread_id)).values, {
      amount: 50,
      payments: [50],
      outcome: "paid",
    });

    // Asked again from where it asked, and answered otherwise.
    await page.getByRole("button", { name: "Checkpoints" }).click();
    await page.getByRole("list", { name: "Checkpoints" }).getByText("next: pay").click();
    await questions.getByText("Pay 50?").waitFor();
    await questions.getByText("another answer opens a branch").waitFor();
    await questions.getByRole("button", { name: "Reject" }).click();
    await page.getByRole("button", { name: "State", exact: true }).last().click();
    await page.getByRole("group", { name: "State", exact: true }).getByText("refused").waitFor();
    await page.goto(`${server.url}/console/threads?status=interrupted`);
    await page.getByText("No thread matches").waitFor();
  });

  it("lets actions be approved, edited or rejected one by one, shows pictures, and prunes the history when told twice", async (t) => {
    const { server, deployment_id, call } = await testServer(t, reviewProject);
    const made = await call("POST", "/v1/threads", { deployment_id });
    const { thread_id } = made.body as { thread_id: string };
    const page = await newPage(t);
    await signIn(page, { url: server.url, apiKey: server.apiKey! }, `threads/${thread_id}`);
    await call("POST", `/v1/threads/${thread_id}/runs/wait`, { input: {} });
    const questions = page.getByRole("region", { name: "Questions of the agent" });
    await questions.getByRole("button", { name: "Approve" }).first().click();
    await questions.getByRole("button", { name: "Edit" }).first().click();
    const input = questions.getByRole("textbox", { name: "Input of pay" });
    await input.fill('{"amount": 5}');
    await questions.getByRole("button", { name: "Send edited" }).click();
    await questions.getByRole("button", { name: "Reject" }).click();
    await questions.getByRole("textbox", { name: /Why not/ }).fill("not today");
    await questions.getByRole("button", { name: "Reject" }).click();
    await page.locator('img[src^="data:image/gif"]').waitFor();
    const state = async () =>
      (await call("GET", `/v1/threads/${thread_id}`)).body as { values: Record<string, unknown> };
    assert.deepEqual((await state()).values.answer, {
      decisions: [
        { type: "approve" },
        { type: "edit", edited_action: { name: "pay", args: { amount: 5 } } },
        { type: "reject", message: "not today" },
      ],
    });

    const history = async () =>
      ((await call("GET", `/v1/threads/${thread_id}/history`)).body as { checkpoints: object[] }).checkpoints
        .length;
    assert.ok((await history()) > 1);
    await page.goto(`${server.url}/console/threads`);
    await page.getByLabel(`Choose ${thread_id}`).check();
    await page.getByRole("button", { name: "Prune history…" }).click();
    await page.getByRole("button", { name: "Prune history of 1 thread" }).click();
    await page.getByText("1 thread chosen").waitFor({ state: "detached" });
    assert.equal(await history(), 1);
  });

  it("shows what a run printed, the files it left, its error with the traceback, and cancels one", async (t) => {
    const server = await ServerProcess.start({ project: "test/projects/everything-node", name: "function" });
    t.after(() => server.remove());
    const client = server.client();
    const { deployment_id } = server;
    const all = await client.createStatelessRun({ deployment_id, input: { act: "all" } });
    const fail = await client.createStatelessRun({ deployment_id, input: { act: "fail" } });
    const page = await newPage(t);
    await signIn(page, server, `runs/${all.run_id}`);
    const waterfall = page.getByRole("table", { name: "Waterfall" });
    await waterfall.getByRole("button", { name: "tool broken failed" }).click();
    await waterfall.getByText("it broke").waitFor();
    await page.getByRole("tab", { name: /Logs/ }).click();
    await page.getByRole("list", { name: "Logs" }).getByText("a line").waitFor();
    await page.getByRole("tab", { name: "Files" }).click();
    await page.getByRole("button", { name: "a.md" }).click();
    await page.getByText("abc", { exact: true }).waitFor();
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download a.md" }).click();
    assert.equal((await downloading).suggestedFilename(), "a.md");

    await page.goto(`${server.url}/console/runs?status=failed`);
    await page.getByRole("list", { name: "Runs" }).getByText("no such luck").click();
    await page.waitForURL(`**/runs/${fail.run_id}`);
    const error = page.getByRole("region", { name: "Error" });
    await error.getByText("agent_error").waitFor();
    await error.getByText(/at .*agent\.ts/).waitFor();

    const held = await client.createStatelessRun({
      deployment_id,
      input: { act: "heed", file: `${server.folder}/heeded` },
    });
    await page.goto(`${server.url}/console/operations`);
    await page.getByRole("list", { name: "Running" }).getByRole("link").click();
    await page.waitForURL(`**/runs/${held.run_id}`);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("canceled").first().waitFor();
    assert.equal((await client.getRun(held.run_id)).status, "canceled");
  });

  it("shows the versions of a deployment with their builds, and serves the one it is told to", async (t) => {
    const deployer = await startDeployer(t);
    const says = (text: string) => `export const agent = () => ${JSON.stringify(text)};\n`;
    const folder = newProject(t, {
      "crewship.toml": `[deployment]\nname = "greeter"\nframework = "function"\nentrypoint = "./agent.ts:agent"\n`,
      "package.json": `{"type":"module"}`,
      "agent.ts": says("one"),
    });
    for (const text of ["one", "two"]) {
      write(folder, { "agent.ts": says(text) });
      const { code, stderr } = await deployer.cli(folder, ["deploy"]);
      assert.equal(code, 0, stderr);
    }
    const page = await newPage(t);
    await signIn(page, deployer.server, "deployments");
    await page.getByRole("link", { name: "greeter" }).click();
    await page.getByRole("tab", { name: /Versions/ }).click();
    const list = page.getByRole("list", { name: "Versions" });
    await list.getByRole("button", { name: /^v2/ }).click();
    await page.getByRole("log", { name: "Build log" }).getByText(/\w/).waitFor();
    await page.getByRole("button", { name: "What to do with version 1" }).click();
    await page.getByRole("menuitem", { name: "Serve production…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Serve" }).click();
    await list.getByRole("listitem").filter({ hasText: "v1" }).getByText("production").waitFor();
    const { deployments } = await deployer.client.listDeployments();
    const { versions } = await deployer.client.listVersions(deployments[0]!.deployment_id);
    assert.deepEqual(versions.find(({ number }) => number === 1)!.environments, ["production"]);

    await page.getByRole("tab", { name: "Variables" }).click();
    await page.getByLabel("Name", { exact: true }).fill("GREETING");
    await page.getByLabel("Value", { exact: true }).fill("secret words");
    await page.getByRole("button", { name: "Set", exact: true }).click();
    await page.getByRole("list", { name: "Variables" }).getByText("GREETING").waitFor();
    assert.equal(await page.getByText("secret words").count(), 0);
  });

  it("makes keys, webhooks and schedules, and shows what is secret of them once", async (t) => {
    const server = await ServerProcess.start({ project: "test/projects/everything-node", name: "function" });
    t.after(() => server.remove());
    const page = await newPage(t);
    await signIn(page, server, "operations?tab=keys");
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Name", { exact: true }).fill("reader");
    await page.getByRole("combobox", { name: "Role" }).selectOption("read");
    await page.getByRole("button", { name: "Create key" }).click();
    const key = await page.getByText(/^csk_/).textContent();
    await page.getByRole("button", { name: "I have kept it" }).click();
    await page.getByRole("list", { name: "Keys" }).getByText("reader").waitFor();

    await page.getByRole("tab", { name: "Schedules" }).click();
    await page.getByRole("button", { name: "New schedule" }).click();
    await page.getByLabel("Name", { exact: true }).fill("nightly");
    await page.getByLabel("Cron line", { exact: true }).fill("every night");
    await page.getByRole("button", { name: "Create schedule" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Cron line", { exact: true }).fill("0 3 * * *");
    await page.getByRole("button", { name: "Create schedule" }).click();
    await page.getByRole("list", { name: "Schedules" }).getByText("nightly").waitFor();

    await page.getByRole("tab", { name: "Webhooks" }).click();
    await page.getByRole("button", { name: "New webhook" }).click();
    await page.getByRole("combobox", { name: "Direction" }).selectOption("incoming");
    await page.getByRole("button", { name: "Create webhook" }).click();
    const address = await page.getByText(/\/webhooks\/runs\//).textContent();
    await page.getByRole("button", { name: "I have kept it" }).click();
    const answer = await fetch(address!, {
      method: "POST",
      body: '{"act": "all"}',
      headers: { "content-type": "application/json" },
    });
    assert.equal(answer.status, 202);

    // Whoever may only look is offered nothing else.
    const reader = await newPage(t);
    await signIn(reader, { url: server.url, apiKey: key! }, "runs");
    await reader.getByRole("list", { name: "Runs" }).getByRole("link").first().click();
    await reader.getByRole("table", { name: "Waterfall" }).waitFor();
    assert.equal(await reader.getByRole("button", { name: "Retry" }).count(), 0);
    await reader.goto(`${server.url}/console/operations`);
    await reader.getByRole("tab", { name: "Now" }).waitFor();
    assert.equal(await reader.getByRole("tab", { name: "Keys" }).count(), 0);
  });
});
