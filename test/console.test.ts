/** The console in a real Chromium, against a real server with the example's agent and agents of the tests. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Locator, Page } from "playwright-core";
import type { CrewshipClient } from "../src/client/client.ts";
import { ServerProcess } from "./faults/server.ts";
import { buildConsole, closeBrowser, newPage, noBrowser, signIn } from "./fixtures/browser.ts";

const repository = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const axeSource = readFileSync(repository("node_modules/axe-core/axe.min.js"), "utf8");
const MOST_INITIAL_BYTES = 250 * 1024;

it("loads at most 250 KB of JavaScript before its first page", () => {
  buildConsole();
  const page = readFileSync(repository("console/dist/index.html"), "utf8");
  const scripts = [...page.matchAll(/(?:src|href)="\/console\/([^"]+\.js)"/g)].map(([, path]) => path!);
  assert.ok(scripts.length >= 1);
  const bytes = scripts.map((path) => gzipSync(readFileSync(repository(`console/dist/${path}`))).length);
  const sum = bytes.reduce((all, one) => all + one, 0);
  assert.ok(sum <= MOST_INITIAL_BYTES, `${scripts.join(", ")}: ${sum} bytes`);
});

describe("the console", { skip: noBrowser, timeout: 600_000 }, () => {
  let server: ServerProcess;
  let client: CrewshipClient;
  before(async () => {
    buildConsole();
    server = await ServerProcess.start({ project: "examples/langgraph-js-chat" });
    client = server.client();
  });
  after(async () => {
    await closeBrowser();
    await server?.remove();
  });

  const { thread, say } = conversations(() => ({ server, client }));

  it("lets in whoever has a key, says what to do with a wrong one, and shows nothing after signing out", async (t) => {
    const page = await newPage(t);
    await page.goto(server.url);
    assert.equal(new URL(page.url()).pathname, "/console/");
    await page.getByLabel("API key").fill("csk_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").getByText("does not know that key").waitFor();
    await page.getByLabel("API key").fill(server.apiKey);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Threads", exact: true }).waitFor();
    const [session] = await page.context().cookies();
    assert.equal(session!.httpOnly, true);
    assert.equal(session!.sameSite, "Strict");
    await page.reload();
    await page.getByRole("heading", { name: "Threads", exact: true }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    await page.goto(`${server.url}/console/runs`);
    await page.getByLabel("API key").waitFor();
  });

  it("shows the deployment with its graph, schemas and version", async (t) => {
    const page = await newPage(t);
    await signIn(page, server, "deployments");
    await page.getByRole("link", { name: "langgraph-js-chat" }).click();
    const graph = page.getByRole("group", { name: "Graph of langgraph-js-chat" });
    for (const node of ["start", "agent", "tools", "end"])
      await graph.getByText(node, { exact: true }).waitFor();
    await page.getByRole("tab", { name: "Schemas" }).click();
    await page.getByRole("heading", { name: "Input" }).waitFor();
    await page.getByRole("tab", { name: /Versions/ }).click();
    await page.getByText("the folder under crewship dev").waitFor();
  });

  it("streams an answer as it is made, folds the tool's call, and marks what the last step changed", async (t) => {
    const page = await newPage(t);
    await signIn(page, server);
    await page.getByRole("button", { name: "New thread" }).click();
    await page.getByLabel("Metadata", { exact: true }).fill("user: ada");
    await page.getByRole("button", { name: "Create thread" }).click();
    await send(page, "Tell me slowly who I am");
    const log = page.getByRole("log", { name: "Conversation" });
    // Word by word, half a second each: the first are there long before the last.
    await log.getByText(/^You said/).waitFor();
    assert.equal(await log.getByText("first message of our conversation").count(), 0);
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await log.getByText("first message of our conversation").waitFor();
    await send(page, "What is the weather in Paris?");
    await log.getByText("In Paris it is 18 °C, a few clouds.").waitFor();
    const tool = log.getByRole("button", { name: /current_weather/ });
    await tool.getByText("done").waitFor();
    assert.equal(await log.getByText("Output").count(), 0);
    await tool.click();
    await log.getByText("Output").waitFor();
    const state = page.getByRole("group", { name: "State", exact: true });
    const marked = state.getByRole("button", { name: /In Paris it is 18/ });
    await marked.getByText("added").waitFor();
    assert.equal(await state.getByText("added").count(), 1);
  });

  it("stops a run when asked to, and says so", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await signIn(page, server, `threads/${thread_id}`);
    await send(page, "Answer slowly please");
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText(/^You said/).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await log.getByText("Stopped.").waitFor();
    assert.equal((await client.listThreadRuns(thread_id)).runs[0]!.status, "canceled");
    await page.getByRole("button", { name: "Send" }).waitFor();
  });

  it("lets a message that is sent while the agent works wait its turn", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await signIn(page, server, `threads/${thread_id}`);
    await send(page, "Say this slowly");
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText(/^You said/).waitFor();
    await send(page, "My name is Ada");
    await log.getByText("waits its turn").waitFor();
    await log.getByText("Nice to meet you, Ada!").waitFor();
    await log.getByText("waits its turn").waitFor({ state: "detached" });
    await countIs(log.getByRole("article"), 4);
  });

  it("goes on with an open stream when the server is killed and started again, and loses nothing", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await signIn(page, server, `threads/${thread_id}`);
    await send(page, "Say this slowly, through a crash");
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText(/^You said/).waitFor();
    await server.kill();
    await page.getByText("The server does not answer.").waitFor();
    await server.start();
    await log
      .getByText(
        'You said: "Say this slowly, through a crash". This is the first message of our conversation.',
      )
      .waitFor();
    await page.getByText("The server does not answer.").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Send" }).waitFor();
    await send(page, "My name is Ada");
    await log.getByText("Nice to meet you, Ada!").waitFor();
    await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
    await countIs(log.getByRole("article"), 4);
    const { values } = await client.getThread(thread_id);
    assert.equal((values!.messages as unknown[]).length, 4);
  });

  it("looks at a past state, compares it, branches off from it, and shows both branches", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await say(thread_id, "My name is Ada");
    await say(thread_id, "Who am I?");
    await signIn(page, server, `threads/${thread_id}?panel=checkpoints`);
    const list = page.getByRole("list", { name: "Checkpoints" });
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText("Your name is Ada.").waitFor();
    const before = await list.getByRole("listitem").count();
    // Newest first: the second run's three steps, then the first run's last.
    await list
      .getByRole("button", { name: /^agent/ })
      .nth(1)
      .click();
    await log.getByText("Your name is Ada.").waitFor({ state: "detached" });
    await page.getByText("starts a branch from there").waitFor();
    assert.match(page.url(), /checkpoint=/);

    await list.getByRole("button", { name: "Compare with the state shown" }).first().focus();
    await list.getByRole("button", { name: "Compare with the state shown" }).first().click();
    const differences = page.getByRole("list", { name: "Differences" });
    await countIs(differences.getByText("removed"), 2);
    await page.getByRole("button", { name: "Stop comparing" }).click();

    await send(page, "What is the weather in Oslo?");
    await log.getByText("In Oslo it is 9 °C, sunny.").waitFor();
    assert.equal(await log.getByText("Your name is Ada.").count(), 0);
    await page.getByRole("button", { name: "Checkpoints" }).click();
    await list
      .getByRole("listitem")
      .nth(before + 3)
      .waitFor();
    await page.getByRole("button", { name: "Show as a tree" }).click();
    await page.getByRole("group", { name: "Tree of checkpoints" }).getByText("tools").waitFor();
    const { checkpoints } = await client.history(thread_id, { granularity: "step" });
    const parents = checkpoints.map((each) => each.parent_checkpoint_id);
    assert.equal(parents.length - new Set(parents).size, 1, "one checkpoint has two children");
  });

  it("opens a link to a past state at that state, also after signing in", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await say(thread_id, "My name is Ada");
    await signIn(page, server, `threads/${thread_id}`);
    await page.getByRole("button", { name: "Copy a link to this state" }).click();
    const link = await page.evaluate<string>("navigator.clipboard.readText()");
    await say(thread_id, "And what is the weather in Cairo?");
    const other = await newPage(t);
    await signIn(other, server, link.slice(`${server.url}/console/`.length));
    const log = other.getByRole("log", { name: "Conversation" });
    await log.getByText("Nice to meet you, Ada!").waitFor();
    assert.equal(await log.getByText("Cairo").count(), 0);
    await other.getByRole("button", { name: "Newest state" }).click();
    await log.getByText("In Cairo it is 33 °C, clear sky.").waitFor();
  });

  it("changes a state by hand, and the agent goes on from what it says then", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await say(thread_id, "My name is Ada");
    await signIn(page, server, `threads/${thread_id}`);
    await page.getByRole("button", { name: "Edit the state" }).click();
    const dialog = page.getByRole("dialog");
    const editor = dialog.getByRole("textbox", { name: "The state as JSON" });
    await editor.waitFor();
    const { values } = await client.getState(thread_id);
    const text = JSON.stringify(values).replace("My name is Ada", "My name is Grace");
    await editor.fill(text);
    await dialog.getByRole("button", { name: "Save", exact: true }).click();
    await dialog.waitFor({ state: "detached" });
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText("My name is Grace").waitFor();
    await send(page, "Who am I?");
    await log.getByText("Your name is Grace.").waitFor();
  });

  it("gives input as JSON too, and says what is wrong with it", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await signIn(page, server, `threads/${thread_id}`);
    await page.getByRole("button", { name: "JSON", exact: true }).click();
    const editor = page.getByRole("textbox", { name: "Input as JSON" });
    await editor.fill('{"messages": ');
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("alert").getByText("This is not JSON yet").waitFor();
    await editor.fill('{"messages": [{"role": "user", "content": "My name is Ada"}]}');
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("log", { name: "Conversation" }).getByText("Nice to meet you, Ada!").waitFor();
  });

  it("copies a thread into one that goes its own way, and deletes one only when told twice", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    await say(thread_id, "My name is Ada");
    await signIn(page, server, `threads/${thread_id}`);
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText("Nice to meet you, Ada!").waitFor();
    await page.getByRole("button", { name: "Copy the thread" }).click();
    await page.waitForURL((url) => !url.pathname.endsWith(thread_id));
    await log.getByText("Nice to meet you, Ada!").waitFor();
    const copy = new URL(page.url()).pathname.split("/").at(-1)!;
    await page.getByRole("button", { name: "Delete the thread" }).click();
    await page.getByRole("button", { name: "Keep" }).click();
    assert.equal((await client.getThread(copy)).copied_from, thread_id);
    await page.getByRole("button", { name: "Delete the thread" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete the thread" }).click();
    await page.getByRole("heading", { name: "Threads", exact: true }).waitFor();
    await assert.rejects(client.getThread(copy), { status: 404 });
    await client.getThread(thread_id);
  });

  it("finds threads by metadata, status and id, shows new ones by itself, and deletes many at once", async (t) => {
    const page = await newPage(t);
    const topic = `topic-${Date.now()}`;
    const ids = await Promise.all([1, 2, 3].map(() => thread({ topic })));
    await signIn(page, server, "threads");
    const list = page.getByRole("list", { name: "Threads", exact: true });
    await page.keyboard.press("/");
    await page.keyboard.type(`topic: ${topic}`);
    await countIs(list.getByRole("listitem"), 3);
    const fourth = await thread({ topic });
    await countIs(list.getByRole("listitem"), 4);
    await page.getByRole("button", { name: /^idle/ }).click();
    await countIs(list.getByRole("listitem"), 4);
    await page.getByRole("button", { name: /^error/ }).click();
    await page.getByText("No thread matches").waitFor();
    await page.getByRole("button", { name: /^all/ }).click();
    for (const id of ids) await page.getByLabel(`Choose ${id}`).check();
    await page.getByText("3 threads chosen").waitFor();
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Delete 3 threads" }).click();
    await countIs(list.getByRole("listitem"), 1);
    await page.getByRole("searchbox").fill(fourth);
    await countIs(list.getByRole("listitem"), 1);
    await list.getByRole("link").click();
    await page.waitForURL(`**/threads/${fourth}`);
  });

  it("shows a run as a waterfall of nodes, tools and tokens, with its events", async (t) => {
    const page = await newPage(t);
    const thread_id = await thread();
    const run_id = await say(thread_id, "What is the weather in Tokyo?");
    await signIn(page, server, `runs/${run_id}`);
    const waterfall = page.getByRole("table", { name: "Waterfall" });
    await waterfall
      .getByRole("button", { name: /node or task agent/ })
      .first()
      .waitFor();
    await waterfall.getByText(/\d+ tokens/).waitFor();
    await waterfall.getByRole("button", { name: /tool current_weather/ }).click();
    await waterfall.getByText("Tokyo").first().waitFor();
    await page.getByRole("tab", { name: "Events" }).click();
    await page.getByRole("list", { name: "Events" }).getByText("run.completed").waitFor();
    await page.getByRole("button", { name: "Retry" }).click();
    await page.waitForURL((url) => url.pathname.includes("/runs/run_") && !url.pathname.endsWith(run_id));
    await page.getByText("succeeded").waitFor();
  });

  it("has no serious finding of axe on any page, light or dark", async (t) => {
    const thread_id = await thread({ user: "ada" });
    const run_id = await say(thread_id, "What is the weather in Paris?");
    const { checkpoints } = await client.history(thread_id, { granularity: "step" });
    const paths = [
      "threads",
      `threads/${thread_id}`,
      `threads/${thread_id}?panel=checkpoints&checkpoint=${checkpoints[1]!.checkpoint_id}`,
      `threads/${thread_id}?compare=${checkpoints[2]!.checkpoint_id}`,
      "runs",
      `runs/${run_id}`,
      `runs/${run_id}?tab=input`,
      "deployments",
      `deployments/${server.deployment_id}`,
      `deployments/${server.deployment_id}?tab=versions`,
      `deployments/${server.deployment_id}?tab=variables`,
      "operations",
      "operations?tab=webhooks",
      "operations?tab=keys",
    ];
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await newPage(t, { colorScheme, reducedMotion: "reduce" });
      await page.goto(`${server.url}/console/`);
      await page.getByLabel("API key").waitFor();
      await findNothingSerious(page, "sign in");
      await signIn(page, server);
      for (const path of paths) {
        await page.goto(`${server.url}/console/${path}`);
        await settled(page);
        await findNothingSerious(page, `${path} (${colorScheme})`);
      }
      await page.keyboard.press("ControlOrMeta+k");
      await page.getByRole("combobox", { name: "Go to" }).waitFor();
      await findNothingSerious(page, `palette (${colorScheme})`);
    }
  });

  it("can be used with the keyboard alone: sign in, find, walk, open, write, and travel in time", async (t) => {
    const page = await newPage(t);
    const topic = `keys-${Date.now()}`;
    const thread_id = await thread({ topic });
    await thread({ topic });
    await page.goto(`${server.url}/console/`);
    await page.getByLabel("API key").waitFor();
    const { keyboard } = page;
    await keyboard.type(server.apiKey);
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "Threads", exact: true }).waitFor();
    await keyboard.press("/");
    await keyboard.type(`topic: ${topic}`);
    await countIs(page.getByRole("list", { name: "Threads", exact: true }).getByRole("listitem"), 2);
    await keyboard.press("Escape");
    // The newest first, so the second is the one made first.
    for (const key of ["j", "j", "j", "k", "j"]) await keyboard.press(key);
    await keyboard.press("Enter");
    await page.waitForURL(`**/threads/${thread_id}`);
    await tabTo(page, "Message");
    await keyboard.type("My name is Ada");
    await keyboard.press("Enter");
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText("Nice to meet you, Ada!").waitFor();
    await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
    await tabTo(page, "Checkpoints");
    await keyboard.press("Enter");
    await page.getByRole("list", { name: "Checkpoints" }).waitFor();
    for (const key of ["j", "j", "j", "Enter"]) await keyboard.press(key);
    await page.getByText("starts a branch from there").waitFor();
    await keyboard.press("ControlOrMeta+k");
    await page.getByRole("combobox", { name: "Go to" }).waitFor();
    await keyboard.type("operations");
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "Operations" }).waitFor();
    await page.waitForURL("**/operations");
  });

  it("fits a phone of 390 pixels: nothing is wider than the screen, and each part of a thread is a tab", async (t) => {
    const page = await newPage(t, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    const thread_id = await thread({ user: "ada", topic: "the weather in many places of the world" });
    const run_id = await say(thread_id, "What is the weather in Paris?");
    await signIn(page, server);
    for (const path of [
      "threads",
      "runs",
      `runs/${run_id}`,
      "deployments",
      `deployments/${server.deployment_id}?tab=versions`,
      "operations?tab=keys",
      `threads/${thread_id}`,
    ]) {
      await page.goto(`${server.url}/console/${path}`);
      await settled(page);
      const wide = await page.evaluate<number>("document.documentElement.scrollWidth");
      assert.ok(wide <= 390, `${path} is ${wide} pixels wide`);
    }
    await page.getByRole("textbox", { name: "Message" }).fill("And in Oslo?");
    await page.getByRole("button", { name: "Send" }).tap();
    const log = page.getByRole("log", { name: "Conversation" });
    await log.getByText("In Oslo it is 9 °C, sunny.").waitFor();
    await page.getByRole("button", { name: "State", exact: true }).tap();
    await page.getByRole("group", { name: "State", exact: true }).getByText("added").waitFor();
    await page.getByRole("button", { name: "Checkpoints" }).tap();
    await page.getByRole("list", { name: "Checkpoints" }).waitFor();
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Runs" }).tap();
    await page.getByRole("heading", { name: "Runs" }).waitFor();
  });

  it("is dark where the system is, and as it was chosen, from the first paint on", async (t) => {
    const page = await newPage(t, { colorScheme: "dark" });
    await signIn(page, server);
    await page.getByRole("heading", { name: "Threads", exact: true }).waitFor();
    assert.ok((await brightness(page)) < 60);
    await page.getByRole("button", { name: "Light", exact: true }).click();
    assert.ok((await brightness(page)) > 200);
    await page.reload({ waitUntil: "commit" });
    await page.locator("html[data-theme=light]").waitFor();
    assert.ok((await brightness(page)) > 200);
    await page.getByRole("button", { name: "Theme of the system" }).click();
    assert.ok((await brightness(page)) < 60);
  });
});

/** Threads and turns made beside the browser. */
function conversations(at: () => { server: ServerProcess; client: CrewshipClient }) {
  return {
    async thread(metadata = {}): Promise<string> {
      const { server, client } = at();
      return (await client.createThread({ deployment_id: server.deployment_id, metadata })).thread_id;
    },
    async say(thread_id: string, content: string): Promise<string> {
      const input = { messages: [{ role: "user", content }] };
      const { id, status, error } = await at().client.waitForRun(thread_id, { input });
      assert.equal(status, "succeeded", JSON.stringify(error));
      return id;
    },
  };
}

async function send(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.keyboard.press("Enter");
}

/** Waits until so many are there. */
async function countIs(all: Locator, count: number): Promise<void> {
  if (count > 0) await all.nth(count - 1).waitFor();
  await all.nth(count).waitFor({ state: "detached" });
}

/** Waits until nothing is on its way: no skeleton, no request. */
async function settled(page: Page): Promise<void> {
  await page.locator("main").waitFor();
  await page.locator("[aria-busy=true], .skeleton").first().waitFor({ state: "detached" });
}

type Finding = { id: string; impact: string | null; nodes: { html: string; failureSummary?: string }[] };

async function findNothingSerious(page: Page, where: string): Promise<void> {
  const isLoaded = await page.evaluate<boolean>("'axe' in window");
  if (!isLoaded) await page.evaluate(axeSource);
  const { violations } = await page.evaluate<{ violations: Finding[] }>("axe.run()");
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html}\n  ${failureSummary}`).join("\n")}`,
  );
  assert.equal(serious.length, 0, `${where}\n${told.join("\n")}`);
}

const MOST_TABS = 60;

/** Tab by tab until the element of this name has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let i = 0; i < MOST_TABS; i++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate<string>(
      "document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? ''",
    );
    if (focused === name) return;
  }
  assert.fail(`${MOST_TABS} times Tab do not lead to ${name}`);
}

/** Of the page's ground, from 0 to 255. */
async function brightness(page: Page): Promise<number> {
  const colour = await page.evaluate<string>("getComputedStyle(document.documentElement).backgroundColor");
  return Number(/(\d+)/.exec(colour)![1]);
}
