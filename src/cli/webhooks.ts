/** `crewship webhooks …`: addresses that start runs, addresses that are told how runs ended, and what they were sent. */
import { type Command, Option } from "commander";
import type { NewWebhook } from "../client/client.ts";
import { type Environment, environments, type MultitaskStrategy, multitaskStrategies } from "../core/run.ts";
import { type Delivery, type Webhook, type WebhookEvent, webhookEvents } from "../core/webhook.ts";
import { UsageError } from "./failure.ts";
import { dateTime, note, paint, print, printJson, printTable, statusFormat } from "./output.ts";
import { chosenDeployment, list, openSession, type Session, wholeNumber } from "./session.ts";

type IncomingOptions = {
  thread?: string;
  environment?: Environment;
  strategy?: MultitaskStrategy;
  name?: string;
};
type OutgoingOptions = { deployment?: string; events?: string[]; name?: string };
type DeliveriesOptions = { limit: number; cursor?: string };

export function addWebhooks(program: Command): void {
  const webhooks = program
    .command("webhooks")
    .description("start runs by a web address, and tell others how runs end");

  webhooks
    .command("incoming")
    .description("make an address that starts a run with whatever is posted to it; it is shown this once")
    .argument("[deployment]", "the deployment, dep_…; needed only when the server has several")
    .option("--thread <id>", "run in this thread; without it each run stands alone")
    .addOption(
      new Option("--environment <name>", "the environment whose version runs").choices([...environments]),
    )
    .addOption(
      new Option("--strategy <name>", "what to do when the thread is busy (else enqueue)").choices([
        ...multitaskStrategies,
      ]),
    )
    .option("--name <name>", "who or what uses it")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship webhooks incoming --name crm\n  $ crewship webhooks incoming --thread thr_… --strategy interrupt\n",
    )
    .action(async (deployment: string | undefined, options: IncomingOptions, command: Command) => {
      const session = openSession(command);
      const { thread, environment, strategy, name } = options;
      if (strategy !== undefined && thread === undefined) {
        throw new UsageError("--strategy is about a busy thread. Name one with --thread.");
      }
      const deployment_id =
        deployment ?? (thread && (await session.client.getThread(thread)).deployment_id) ?? undefined;
      await create(session, deployment_id, {
        direction: "incoming",
        ...(thread !== undefined && { thread_id: thread }),
        ...(environment !== undefined && { environment }),
        ...(strategy !== undefined && { multitask_strategy: strategy }),
        ...(name !== undefined && { name }),
      });
    });

  webhooks
    .command("outgoing")
    .description("tell an address how runs end")
    .argument("<url>", "http or https")
    .option("--deployment <id>", "the deployment, dep_…; needed only when the server has several")
    .option("--events <events>", `only these, with commas between: ${webhookEvents.join(", ")}`, list)
    .option("--name <name>", "who or what is told")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship webhooks outgoing https://example.com/hooks\n  $ crewship webhooks outgoing https://example.com/hooks --events run.failed,run.interrupted\n",
    )
    .action(async (url: string, { deployment, events, name }: OutgoingOptions, command: Command) => {
      const unknown = events?.find((event) => !webhookEvents.includes(event as WebhookEvent));
      if (unknown !== undefined) {
        throw new UsageError(`--events takes ${webhookEvents.join(", ")}, not "${unknown}".`);
      }
      await create(openSession(command), deployment, {
        direction: "outgoing",
        url,
        ...(events && { events: events as WebhookEvent[] }),
        ...(name !== undefined && { name }),
      });
    });

  webhooks
    .command("list")
    .description("the webhooks, without their secret parts")
    .option("--deployment <id>", "only those of this deployment")
    .addHelpText("after", "\nExample:\n  $ crewship webhooks list\n")
    .action(async ({ deployment }: { deployment?: string }, command: Command) => {
      const { client, json } = openSession(command);
      const answer = await client.listWebhooks(deployment);
      if (json) return printJson(answer);
      printTable<Webhook>(
        [
          { title: "webhook", cell: ({ webhook_id }) => webhook_id },
          { title: "direction", cell: ({ direction }) => direction },
          { title: "created", cell: ({ created_at }) => dateTime(created_at) },
          { title: "name", cell: ({ name }) => name ?? "–" },
          { title: "what for", cell: purpose },
        ],
        answer.webhooks,
        "No webhooks yet. `crewship webhooks incoming` and `crewship webhooks outgoing <url>` make one.",
      );
    });

  webhooks
    .command("delete")
    .description("delete a webhook; what it is owed is still delivered")
    .argument("<webhook>", "whk_…")
    .addHelpText("after", "\nExample:\n  $ crewship webhooks delete whk_…\n")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { client, json } = openSession(command);
      await client.deleteWebhook(id);
      if (json) return printJson({ deleted: id });
      print(`${paint("green", "✓")} ${id} is deleted.`);
    });

  webhooks
    .command("deliveries")
    .description("what a webhook was sent, or what was sent of a run, newest first")
    .argument("<webhook or run>", "whk_… or run_…")
    .option("--limit <n>", "how many", wholeNumber(1, 100), 20)
    .option("--cursor <cursor>", "go on where the page before ended")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship webhooks deliveries whk_…\n  $ crewship webhooks deliveries run_…\n",
    )
    .action(async (id: string, options: DeliveriesOptions, command: Command) => {
      const { client, json } = openSession(command);
      const page = await (id.startsWith("run_")
        ? client.listRunDeliveries(id, options)
        : client.listDeliveries(id, options));
      if (json) return printJson(page);
      printTable<Delivery>(
        [
          { title: "delivery", cell: ({ delivery_id }) => delivery_id },
          { title: "status", cell: ({ status }) => status, format: ({ status }) => statusFormat(status) },
          { title: "event", cell: ({ event }) => event },
          { title: "run", cell: ({ run_id }) => run_id },
          { title: "attempts", cell: ({ attempts }) => String(attempts) },
          { title: "next", cell: ({ next_attempt_at }) => dateTime(next_attempt_at) },
          {
            title: "last answer",
            cell: ({ last_status, last_error }) => last_error ?? String(last_status ?? "–"),
          },
        ],
        page.deliveries,
        "Nothing was sent yet.",
      );
      if (page.next_cursor) note(`More: --cursor ${page.next_cursor}`);
    });

  webhooks
    .command("secret")
    .description("what a deployment's deliveries are signed with")
    .argument("[deployment]", "the deployment, dep_…; needed only when the server has several")
    .option("--rotate", "make a new one first: from now on nothing is signed with the old one")
    .addHelpText(
      "after",
      "\nExamples:\n  $ crewship webhooks secret\n  $ crewship webhooks secret --rotate\n",
    )
    .action(async (id: string | undefined, { rotate }: { rotate?: boolean }, command: Command) => {
      const { client, json } = openSession(command);
      const { deployment_id } = await chosenDeployment(client, id);
      const answer = await (rotate
        ? client.rotateWebhookSecret(deployment_id)
        : client.webhookSecret(deployment_id));
      if (json) return printJson(answer);
      print(answer.secret);
    });
}

async function create(
  { client, json }: Session,
  deployment: string | undefined,
  order: Omit<NewWebhook, "deployment_id">,
): Promise<void> {
  const { deployment_id } = await chosenDeployment(client, deployment);
  const made = await client.createWebhook({ deployment_id, ...order });
  if (json) return printJson(made);
  if (made.path !== undefined) {
    print(client.url + made.path);
    note(
      `${made.webhook_id}: what is posted there starts a run. Keep the address: it cannot be shown again.`,
    );
  } else {
    print(made.webhook_id);
    note(
      `${made.url} is told of ${made.events?.join(", ")}. \`crewship webhooks secret\` shows what signs it.`,
    );
  }
}

function purpose({ direction, thread_id, url, events, environment }: Webhook): string {
  if (direction === "outgoing") return `${url} (${events?.join(", ")})`;
  return thread_id ? `runs in ${thread_id}` : `runs of ${environment}`;
}
