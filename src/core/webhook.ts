/** Webhooks: an address that starts runs, and addresses that are told how runs ended. */
import { type Static, Type } from "typebox";
import type { LastEventType } from "./moves.ts";
import { EnvironmentSchema, MAX_URL_LENGTH, multitaskStrategies } from "./run.ts";
import { Iso, Name, Nullable } from "./schema.ts";

/** What is told of a run's end; of a canceled one nothing is. */
export const webhookEvents = ["run.succeeded", "run.failed", "run.interrupted"] as const;
export type WebhookEvent = (typeof webhookEvents)[number];
const WebhookEventSchema = Type.Enum([...webhookEvents]);

export const eventOfEnd: Record<LastEventType, WebhookEvent | null> = {
  "run.completed": "run.succeeded",
  "run.failed": "run.failed",
  "run.interrupted": "run.interrupted",
  "run.canceled": null,
};

export const WebhookUrl = Type.String({
  maxLength: MAX_URL_LENGTH,
  description: "http or https, without a name and password in it.",
});

export const Webhook = Type.Object(
  {
    webhook_id: Type.String(),
    direction: Type.Enum(["incoming", "outgoing"]),
    deployment_id: Type.String(),
    name: Nullable(Type.String()),
    environment: Type.Optional(EnvironmentSchema),
    thread_id: Type.Optional(Nullable(Type.String(), { description: "null: each run stands alone." })),
    multitask_strategy: Type.Optional(Type.Enum([...multitaskStrategies])),
    url: Type.Optional(Type.String({ description: "Of an outgoing one." })),
    events: Type.Optional(Type.Array(WebhookEventSchema)),
    created_at: Iso,
  },
  { title: "Webhook" },
);
export type Webhook = Static<typeof Webhook>;

/** What a caller says of a new one; `direction` decides which keys it takes. */
export const NewWebhook = Type.Object(
  {
    direction: Type.Enum(["incoming", "outgoing"]),
    deployment_id: Type.String(),
    name: Type.Optional(Name),
    environment: Type.Optional(EnvironmentSchema),
    thread_id: Type.Optional(Type.String()),
    multitask_strategy: Type.Optional(Type.Enum([...multitaskStrategies], { default: "enqueue" })),
    url: Type.Optional(WebhookUrl),
    events: Type.Optional(Type.Array(WebhookEventSchema, { minItems: 1, maxItems: webhookEvents.length })),
  },
  { additionalProperties: false, title: "NewWebhook" },
);
export type NewWebhook = Static<typeof NewWebhook>;

export const Delivery = Type.Object(
  {
    delivery_id: Type.String(),
    webhook_id: Nullable(Type.String(), { description: "null: the run's own request named the address." }),
    run_id: Type.String(),
    event: WebhookEventSchema,
    url: Type.String(),
    status: Type.Enum(["pending", "delivered", "failed"]),
    attempts: Type.Integer(),
    last_status: Nullable(Type.Integer(), { description: "The HTTP status of the last answer." }),
    last_error: Nullable(Type.String()),
    next_attempt_at: Nullable(Iso),
    created_at: Iso,
    completed_at: Nullable(Iso),
  },
  { title: "Delivery" },
);
export type Delivery = Static<typeof Delivery>;
