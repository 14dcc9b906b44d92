/** LangGraph's protocol on one screen: method, path, the role a key needs, and the endpoint. */
import type { Route } from "../routes.ts";
import * as assistants from "./assistants.ts";
import * as crons from "./crons.ts";
import * as protocol from "./protocol.ts";
import * as runs from "./runs.ts";
import * as states from "./states.ts";
import * as store from "./store.ts";
import * as structures from "./structures.ts";
import * as system from "./system.ts";
import * as threadStream from "./thread_stream.ts";
import * as threads from "./threads.ts";

const row = (
  method: Route["method"],
  path: string,
  role: Route["role"],
  endpoint: Route["endpoint"],
): Route => ({
  method,
  path,
  role,
  endpoint,
});

// biome-ignore format: a table
export const langGraphRoutes: readonly Route[] = [
  row("GET",    "/ok",                                   null,   system.ok),
  row("GET",    "/info",                                 null,   system.info),
  row("PUT",    "/store/items",                          "run",  store.put),
  row("GET",    "/store/items",                          "read", store.get),
  row("DELETE", "/store/items",                          "run",  store.remove),
  row("POST",   "/store/items/search",                   "read", store.search),
  row("POST",   "/store/namespaces",                     "read", store.namespaces),
  row("POST",   "/assistants",                           "run",  assistants.create),
  row("POST",   "/assistants/search",                    "read", assistants.search),
  row("POST",   "/assistants/count",                     "read", assistants.count),
  row("GET",    "/assistants/{assistant_id}",            "read", assistants.get),
  row("PATCH",  "/assistants/{assistant_id}",            "run",  assistants.patch),
  row("DELETE", "/assistants/{assistant_id}",            "run",  assistants.remove),
  row("GET",    "/assistants/{assistant_id}/graph",      "read", structures.graph),
  row("GET",    "/assistants/{assistant_id}/schemas",    "read", structures.schemas),
  row("GET",    "/assistants/{assistant_id}/subgraphs",  "read", structures.subgraphs),
  row("GET",    "/assistants/{assistant_id}/subgraphs/{namespace}", "read", structures.subgraphs),
  row("POST",   "/assistants/{assistant_id}/versions",   "read", assistants.versions),
  row("POST",   "/assistants/{assistant_id}/latest",     "run",  assistants.latest),
  row("POST",   "/threads",                              "run",  threads.create),
  row("POST",   "/threads/search",                       "read", threads.search),
  row("POST",   "/threads/count",                        "read", threads.count),
  row("POST",   "/threads/prune",                        "run",  threads.prune),
  row("GET",    "/threads/{thread_id}",                  "read", threads.get),
  row("PATCH",  "/threads/{thread_id}",                  "run",  threads.patch),
  row("DELETE", "/threads/{thread_id}",                  "run",  threads.remove),
  row("POST",   "/threads/{thread_id}/copy",             "run",  threads.copy),
  row("GET",    "/threads/{thread_id}/state",            "read", states.get),
  row("POST",   "/threads/{thread_id}/state",            "run",  states.update),
  row("POST",   "/threads/{thread_id}/state/checkpoint", "read", states.postAt),
  row("GET",    "/threads/{thread_id}/state/{checkpoint_id}", "read", states.getAt),
  row("GET",    "/threads/{thread_id}/history",          "read", states.listHistory),
  row("POST",   "/threads/{thread_id}/history",          "read", states.searchHistory),
  row("GET",    "/threads/{thread_id}/stream",           "read", threadStream.stream),
  row("POST",   "/threads/{thread_id}/commands",         "run",  protocol.commands),
  row("POST",   "/threads/{thread_id}/stream/events",    "read", protocol.events),
  row("POST",   "/threads/{thread_id}/runs",             "run",  runs.create),
  row("POST",   "/threads/{thread_id}/runs/stream",      "run",  runs.stream),
  row("POST",   "/threads/{thread_id}/runs/wait",        "run",  runs.wait),
  row("GET",    "/threads/{thread_id}/runs",             "read", runs.list),
  row("GET",    "/threads/{thread_id}/runs/{run_id}",    "read", runs.get),
  row("DELETE", "/threads/{thread_id}/runs/{run_id}",    "run",  runs.remove),
  row("GET",    "/threads/{thread_id}/runs/{run_id}/join",    "read", runs.joinRun),
  row("GET",    "/threads/{thread_id}/runs/{run_id}/stream",  "read", runs.joinStream),
  row("POST",   "/threads/{thread_id}/runs/{run_id}/cancel",  "run",  runs.cancel),
  row("POST",   "/runs",                                 "run",  runs.createStateless),
  row("POST",   "/runs/stream",                          "run",  runs.streamStateless),
  row("POST",   "/runs/wait",                            "run",  runs.waitStateless),
  row("POST",   "/runs/batch",                           "run",  runs.batch),
  row("POST",   "/runs/cancel",                          "run",  runs.cancelMany),
  row("POST",   "/runs/crons",                           "run",  crons.create),
  row("POST",   "/threads/{thread_id}/runs/crons",       "run",  crons.createForThread),
  row("POST",   "/runs/crons/search",                    "read", crons.search),
  row("POST",   "/runs/crons/count",                     "read", crons.count),
  row("GET",    "/runs/crons/{cron_id}",                 "read", crons.get),
  row("PATCH",  "/runs/crons/{cron_id}",                 "run",  crons.patch),
  row("DELETE", "/runs/crons/{cron_id}",                 "run",  crons.remove),
  row("GET",    "/runs/{run_id}/stream",                 "read", runs.joinStreamStateless),
];
