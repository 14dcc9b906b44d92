/**
 * Takes the pictures of the console that the documents show: `npm run screenshots`. A real server with the example's agent,
 * and agents of the tests for a question and a failure.
 */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import type { CrewshipClient } from "../src/client/client.ts";
import { ServerProcess } from "./faults/server.ts";
import { buildConsole, closeBrowser, newPage, noBrowser, signIn } from "./fixtures/browser.ts";

const folder = fileURLToPath(new URL("../docs/images/", import.meta.url));
const WIDE = { width: 1360, height: 850 };
const PHONE = { width: 390, height: 844 };

if (noBrowser !== false) throw new Error(noBrowser);
mkdirSync(folder, { recursive: true });
buildConsole();

const ends: (() => unknown)[] = [];
const scope = { after: (end: () => unknown) => void ends.push(end) };
try {
  await withServer({ project: "examples/langgraph-js-chat" }, chat);
  await withServer({ project: "test/projects/approval-js", name: "graph" }, approval);
} finally {
  for (const end of ends.reverse()) await end();
  await closeBrowser();
}

async function withServer(
  options: { project: string; name?: string },
  shoot: (server: ServerProcess, client: CrewshipClient) => Promise<void>,
): Promise<void> {
  const server = await ServerProcess.start(options);
  scope.after(() => server.remove());
  await shoot(server, server.client());
}

async function chat(server: ServerProcess, client: CrewshipClient): Promise<void> {
  const { deployment_id } = server;
  const say = async (thread_id: string, content: string) =>
    (await client.waitForRun(thread_id, { input: { messages: [{ role: "user", content }] } })).id;
  const people = [
    "grace",
    "linus",
    "barbara",
    "edsger",
    "tony",
    "margaret",
    "alan",
    "katherine",
    "donald",
    "frances",
  ];
  for (const [i, user] of people.entries()) {
    const metadata = { user, plan: i % 3 === 0 ? "team" : "free", ...(i % 4 === 0 && { topic: "billing" }) };
    const { thread_id } = await client.createThread({ deployment_id, metadata });
    if (i % 5 !== 4) await say(thread_id, "What is the weather in London?");
  }
  const { thread_id } = await client.createThread({ deployment_id, metadata: { user: "ada", plan: "team" } });
  await say(thread_id, "My name is Ada.");
  await say(thread_id, "What is the weather in Paris?");
  const { checkpoints } = await client.history(thread_id, { granularity: "run" });
  const fork = { checkpoint_id: checkpoints[1]!.checkpoint_id };
  const input = { messages: [{ role: "user", content: "And what is the weather in Oslo?" }] };
  await client.waitForRun(thread_id, { input, ...fork });
  const run_id = await say(thread_id, "Who am I?");
  const busy = await client.createThread({ deployment_id, metadata: { user: "ken", plan: "free" } });
  await client.createRun(busy.thread_id, {
    input: {
      messages: [
        { role: "user", content: "Tell me slowly, and then a bit more slowly still, what you know" },
      ],
    },
  });

  const page = await newPage(scope, { viewport: WIDE });
  await signIn(page, server);
  await page.getByText("busy").first().waitFor();
  await shot(page, "threads");
  await page.goto(`${server.url}/console/threads/${thread_id}?panel=checkpoints`);
  await page.getByRole("log").getByText("Your name is Ada.").waitFor();
  await page.getByRole("list", { name: "Checkpoints" }).waitFor();
  await shot(page, "thread");
  await page.goto(`${server.url}/console/threads/${thread_id}?compare=${checkpoints[1]!.checkpoint_id}`);
  await page.getByRole("list", { name: "Differences" }).waitFor();
  await shot(page, "diff");
  const weather = (await client.listRuns({ status: "succeeded" })).runs.find(
    ({ thread_id: id, id: run }) => id === thread_id && run !== run_id,
  )!;
  await page.goto(`${server.url}/console/runs/${weather.id}`);
  await page.getByRole("button", { name: /tool current_weather/ }).click();
  await shot(page, "run");
  await page.goto(`${server.url}/console/deployments/${deployment_id}`);
  await page.getByText("A dashed edge").waitFor();
  await shot(page, "graph");
  await page.goto(`${server.url}/console/operations`);
  await page.getByText("Nodes alive").waitFor();
  await shot(page, "operations");

  const dark = await newPage(scope, { viewport: WIDE, colorScheme: "dark" });
  await signIn(dark, server, `threads/${thread_id}`);
  await dark.getByRole("log").getByText("Your name is Ada.").waitFor();
  await shot(dark, "dark");
  const phone = await newPage(scope, { viewport: PHONE, deviceScaleFactor: 2, isMobile: true });
  await signIn(phone, server, `threads/${thread_id}`);
  await phone.getByRole("log").getByText("Your name is Ada.").waitFor();
  await shot(phone, "phone");
}

async function approval(server: ServerProcess, client: CrewshipClient): Promise<void> {
  const { thread_id } = await client.createThread({
    deployment_id: server.deployment_id,
    metadata: { invoice: "2026-118" },
  });
  await client.waitForRun(thread_id, { input: { amount: 50 } });
  const page = await newPage(scope, { viewport: WIDE });
  await signIn(page, server, `threads/${thread_id}`);
  await page.getByText("Pay 50?").first().waitFor();
  await shot(page, "question");
}

/** Once everything that was on its way is there, and nothing moves. */
async function shot(page: Page, name: string): Promise<void> {
  await page.locator("[aria-busy=true], .skeleton").first().waitFor({ state: "detached" });
  await page.mouse.move(0, 0);
  await page.evaluate("document.fonts.ready");
  await page.evaluate(
    "Promise.all(document.getAnimations().filter((each) => each.effect.getTiming().iterations === 1).map((each) => each.finished))",
  );
  await page.screenshot({ path: `${folder}console-${name}.png` });
  console.log(`docs/images/console-${name}.png`);
}
