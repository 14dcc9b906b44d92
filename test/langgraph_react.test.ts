/** LangGraph's useStream in a page in a real browser, against a real server: tokens, questions, branches, and coming back. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { readConfig } from "../src/config.ts";
import { readManifest } from "../src/deploy/manifest.ts";
import { type RunningServer, startServer } from "../src/server.ts";
import { closeBrowser, newPage, noBrowser } from "./fixtures/browser.ts";
import { projectFiles } from "./fixtures/clients.ts";
import { freshDatabaseUrl } from "./fixtures/database.ts";
import { projectFolder } from "./fixtures/server.ts";

const skip = noBrowser;
after(closeBrowser);
const PATIENCE_MS = 30_000;

type Shown = {
  loading: boolean;
  messages: [type: string, content: string][];
  log: string[];
  interrupt: unknown;
  error: string | null;
  steps: number[];
  texts: string[];
  branches: number[];
};

type Visit = {
  page: Page;
  /** Waits until what the page shows is so. */
  until(what: string, is: (shown: Shown) => boolean): Promise<Shown>;
  submit(input: object | null, options?: object): Promise<void>;
  restart(): Promise<void>;
};

async function visit(t: TestContext): Promise<Visit> {
  const pages = await servePage(t);
  const folder = projectFolder(t, projectFiles("js"));
  const databaseUrl = await freshDatabaseUrl();
  const start = (port: string) => {
    const settings = { port, data: join(folder, ".crewship/data"), logLevel: "silent", drainTimeout: "0" };
    const environment = {
      ...process.env,
      XDG_CONFIG_HOME: join(folder, "config"),
      CREWSHIP_CORS_ORIGINS: pages,
      CREWSHIP_API_KEY: "of-the-test",
    };
    const config = readConfig(
      { ...settings, ...(databaseUrl !== undefined && { databaseUrl }) },
      environment,
    );
    return startServer(config, { dev: readManifest(folder) });
  };
  let server: RunningServer = await start("0");
  t.after(() => server.close());
  const page = await newPage(t);
  await page.addInitScript(
    `window.settings = ${JSON.stringify({ apiUrl: server.url, apiKey: "of-the-test" })}`,
  );
  await page.goto(pages);
  const read = async () => JSON.parse(await page.locator("#shown").innerText()) as Shown;
  return {
    page,
    async until(what, is) {
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        const shown = await read();
        if (is(shown)) return shown;
        assert.ok(performance.now() < deadline, `${what}: ${JSON.stringify(shown)}`);
        await page.evaluate("new Promise(requestAnimationFrame)");
      }
    },
    async submit(input, options = {}) {
      await page.evaluate(`void window.stream.submit(${JSON.stringify(input)}, ${JSON.stringify(options)})`);
    },
    async restart() {
      const { port } = new URL(server.url);
      await server.close();
      server = await start(port);
    },
  };
}

/** Serves the bundled page; returns its origin. */
async function servePage(t: TestContext): Promise<string> {
  const bundled = await build({
    entryPoints: [join(import.meta.dirname, "fixtures/react_page/page.tsx")],
    bundle: true,
    write: false,
    format: "esm",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const script = bundled.outputFiles[0]!.text;
  const server = createServer((request, response) => {
    if (request.url === "/page.js")
      response.writeHead(200, { "content-type": "text/javascript" }).end(script);
    else
      response
        .writeHead(200, { "content-type": "text/html" })
        .end('<!doctype html><div id="root"></div><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const said = (content: string) => ({ do: "chat", messages: [{ type: "human", content }] });

test("useStream shows an answer as it grows, and branches when a message is sent again", {
  skip,
}, async (t) => {
  const { until, submit, page } = await visit(t);
  await submit(said("one two three"));
  const first = await until("an answer", ({ loading, messages }) => !loading && messages.length === 2);
  assert.deepEqual(first.messages, [
    ["human", "one two three"],
    ["ai", "you said one two three"],
  ]);
  assert.ok(first.texts.includes("you said "), JSON.stringify(first.texts));
  await submit(said("more"));
  await until("a second answer", ({ loading, messages }) => !loading && messages.length === 4);
  await page.evaluate(`{
    const { stream } = window;
    const { firstSeenState } = stream.getMessagesMetadata(stream.messages[2]);
    void stream.submit(${JSON.stringify(said("instead"))}, { checkpoint: firstSeenState.parent_checkpoint });
  }`);
  const branched = await until(
    "a branch",
    ({ loading, messages, branches }) =>
      !loading && messages[3]?.[1] === "you said instead" && branches[2] === 2,
  );
  assert.equal(branched.messages.length, 4);
  assert.equal(branched.error, null);
});

test("useStream shows a question, and goes on with its answer", { skip }, async (t) => {
  const { until, submit } = await visit(t);
  await submit({ do: "ask" });
  await until("a question", ({ loading, interrupt }) => !loading && interrupt === "which one?");
  await submit(null, { command: { resume: "this one" } });
  const done = await until("an answer", ({ loading, log }) => !loading && log.length === 1);
  assert.deepEqual(done.log, ["answer: this one"]);
  assert.equal(done.interrupt, null);
});

test("useStream rejoins its run after a reload of the page, from its first event on", { skip }, async (t) => {
  const { until, submit, page } = await visit(t);
  await submit({ do: "steps", count: 400 }, { streamResumable: true, onDisconnect: "continue" });
  await until("some steps", ({ steps }) => steps.length >= 5);
  await page.reload();
  const done = await until("the end", ({ loading, log }) => !loading && log.includes("400 steps"));
  assert.equal(done.error, null);
  assert.deepEqual(
    done.steps,
    Array.from({ length: 400 }, (_, i) => i + 1),
  );
});

test("useStream rejoins its run after a restart of the server, and sees its end", { skip }, async (t) => {
  const { until, submit, restart } = await visit(t);
  await submit({ do: "steps", count: 400 }, { streamResumable: true, onDisconnect: "continue" });
  await until("some steps", ({ steps }) => steps.length >= 5);
  await restart();
  const done = await until("the end", ({ loading, log }) => !loading && log.includes("400 steps"));
  assert.equal(done.error, null);
  // The node that was cut off begins again, and its steps with it.
  assert.equal(done.steps.at(-1), 400);
});
