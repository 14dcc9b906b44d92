/** The whole API on one screen: method, path, the role a key needs (null: no key), and the endpoint. */
import type { KeyRole } from "../core/session.ts";
import * as session from "./console/session.ts";
import type { Endpoint } from "./endpoint.ts";
import * as artifacts from "./v1/artifacts.ts";
import * as changes from "./v1/changes.ts";
import * as deployments from "./v1/deployments.ts";
import * as health from "./v1/health.ts";
import * as keys from "./v1/keys.ts";
import * as metrics from "./v1/metrics.ts";
import * as operations from "./v1/operations.ts";
import * as runs from "./v1/runs.ts";
import * as schedules from "./v1/schedules.ts";
import * as states from "./v1/states.ts";
import * as threadRuns from "./v1/thread_runs.ts";
import * as threads from "./v1/threads.ts";
import * as variables from "./v1/variables.ts";
import * as versions from "./v1/versions.ts";
import * as webhooks from "./v1/webhooks.ts";

export type Route = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  role: KeyRole | null;
  endpoint: Endpoint;
};

const row = (method: Route["method"], path: string, role: Route["role"], endpoint: Endpoint): Route => ({
  method,
  path,
  role,
  endpoint,
});

// biome-ignore format: a table
export const routes: readonly Route[] = [
  row("POST",   "/v1/threads",                         "run",   threads.create),
  row("GET",    "/v1/threads",                         "read",  threads.list),
  row("POST",   "/v1/threads/search",                  "read",  threads.search),
  row("POST",   "/v1/threads/count",                   "read",  threads.count),
  row("POST",   "/v1/threads/prune",                   "run",   threads.prune),
  row("GET",    "/v1/threads/{thread_id}",             "read",  threads.get),
  row("PATCH",  "/v1/threads/{thread_id}",             "run",   threads.patch),
  row("DELETE", "/v1/threads/{thread_id}",             "run",   threads.remove),
  row("POST",   "/v1/threads/{thread_id}/copy",        "run",   threads.copy),
  row("GET",    "/v1/threads/{thread_id}/history",     "read",  states.history),
  row("GET",    "/v1/threads/{thread_id}/state",       "read",  states.get),
  row("POST",   "/v1/threads/{thread_id}/state",       "run",   states.update),
  row("GET",    "/v1/threads/{thread_id}/diff",        "read",  states.diff),
  row("POST",   "/v1/threads/{thread_id}/runs",        "run",   threadRuns.create),
  row("POST",   "/v1/threads/{thread_id}/runs/wait",   "run",   threadRuns.wait),
  row("POST",   "/v1/threads/{thread_id}/runs/stream", "run",   threadRuns.stream),
  row("GET",    "/v1/threads/{thread_id}/runs",        "read",  threadRuns.list),
  row("GET",    "/v1/threads/{thread_id}/events",      "read",  threadRuns.events),
  row("POST",   "/v1/runs",                            "run",   runs.create),
  row("GET",    "/v1/runs",                            "read",  runs.list),
  row("GET",    "/v1/runs/{run_id}",                   "read",  runs.get),
  row("POST",   "/v1/runs/{run_id}/cancel",            "run",   runs.cancel),
  row("GET",    "/v1/runs/{run_id}/events",            "read",  runs.events),
  row("GET",    "/v1/deployments",                     "read",  deployments.list),
  row("GET",    "/v1/deployments/{deployment_id}",     "read",  deployments.get),
  row("POST",   "/v1/deployments",                     "admin", deployments.create),
  row("GET",    "/v1/deployments/{deployment_id}/versions", "read",  versions.list),
  row("POST",   "/v1/deployments/{deployment_id}/versions", "admin", versions.create),
  row("GET",    "/v1/deployments/{deployment_id}/versions/{version_id}",          "read",  versions.get),
  row("GET",    "/v1/deployments/{deployment_id}/versions/{version_id}/structure", "read", versions.structure),
  row("GET",    "/v1/deployments/{deployment_id}/versions/{version_id}/build",    "read",  versions.build),
  row("POST",   "/v1/deployments/{deployment_id}/versions/{version_id}/activate", "admin", versions.activate),
  row("POST",   "/v1/deployments/{deployment_id}/versions/{version_id}/retire",   "admin", versions.retire),
  row("POST",   "/v1/deployments/{deployment_id}/rollback",  "admin", versions.rollback),
  row("GET",    "/v1/deployments/{deployment_id}/variables", "admin", variables.list),
  row("PATCH",  "/v1/deployments/{deployment_id}/variables", "admin", variables.patch),
  row("POST",   "/v1/keys",                            "admin", keys.create),
  row("GET",    "/v1/keys",                            "admin", keys.list),
  row("DELETE", "/v1/keys/{key_id}",                   "admin", keys.remove),
  row("GET",    "/v1/runs/{run_id}/artifacts",          "read",  artifacts.list),
  row("GET",    "/v1/runs/{run_id}/artifacts/{path}",   "read",  artifacts.download),
  row("GET",    "/v1/runs/{run_id}/deliveries",         "read",  webhooks.ofRun),
  row("POST",   "/v1/webhooks",                         "admin", webhooks.create),
  row("GET",    "/v1/webhooks",                         "admin", webhooks.list),
  row("DELETE", "/v1/webhooks/{webhook_id}",            "admin", webhooks.remove),
  row("GET",    "/v1/webhooks/{webhook_id}/deliveries", "admin", webhooks.deliveries),
  row("GET",    "/v1/deployments/{deployment_id}/webhook-secret", "admin", webhooks.secret),
  row("POST",   "/v1/deployments/{deployment_id}/webhook-secret", "admin", webhooks.rotateSecret),
  row("POST",   "/webhooks/runs/{token}",               null,    webhooks.receive),
  row("POST",   "/v1/schedules",                        "run",   schedules.create),
  row("GET",    "/v1/schedules",                        "read",  schedules.list),
  row("GET",    "/v1/schedules/{schedule_id}",          "read",  schedules.get),
  row("PATCH",  "/v1/schedules/{schedule_id}",          "run",   schedules.patch),
  row("DELETE", "/v1/schedules/{schedule_id}",          "run",   schedules.remove),
  row("POST",   "/v1/schedules/{schedule_id}/run",      "run",   schedules.run),
  row("GET",    "/v1/changes",                          "read",  changes.stream),
  row("GET",    "/v1/operations",                       "admin", operations.get),
  row("POST",   "/console/session",                    null,    session.signIn),
  row("GET",    "/console/session",                    null,    session.get),
  row("DELETE", "/console/session",                    null,    session.signOut),
  row("GET",    "/healthz",                            null,    health.live),
  row("GET",    "/readyz",                             null,    health.ready),
  row("GET",    "/metrics",                            "read",  metrics.metrics),
];
