/**
 * Everything under /v1, typed: one method per route, and the event streams. Holds no state but the address and the
 * key; runs in Node and in browsers.
 */
import type { Artifact } from "../core/artifact.ts";
import type { Checkpoint, ThreadState } from "../core/checkpoint.ts";
import type { Deployment, Framework, Variable, Version } from "../core/deployment.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { isLastEvent, type RunStatus, type ThreadStatus } from "../core/moves.ts";
import type { Operations } from "../core/operations.ts";
import type { AcceptedRun, Environment, Run, RunRequest } from "../core/run.ts";
import type { NewSchedule, Schedule, SchedulePatch } from "../core/schedule.ts";
import type { VersionStructure } from "../core/structure.ts";
import type { Thread, Ttl } from "../core/thread.ts";
import type { Delivery, NewWebhook, Webhook } from "../core/webhook.ts";
import { ApiError } from "./errors.ts";
import { type ReadOptions, readEvents, type StreamEvent } from "./events.ts";
import { type CallOptions, type ClientOptions, Requests } from "./requests.ts";

export type NewThread = {
  deployment_id: string;
  thread_id?: string;
  if_exists?: "raise" | "do_nothing";
  metadata?: JsonObject;
  values?: JsonObject;
  ttl?: Ttl;
};
export type ThreadFilter = {
  deployment_id: string;
  status?: ThreadStatus | undefined;
  metadata?: JsonObject | undefined;
  limit?: number | undefined;
  offset?: number | undefined;
  cursor?: string | undefined;
};
export type ThreadSearch = {
  deployment_id?: string;
  status?: ThreadStatus;
  metadata?: JsonObject;
  values?: JsonObject;
  ids?: string[];
  limit?: number;
  cursor?: string;
  /** Only these fields. */
  select?: string[];
};
export type Prune = {
  ids: string[];
  strategy: "delete" | "keep_latest";
  keep_last?: number | undefined;
  older_than_s?: number | undefined;
};
export type HistoryFilter = {
  limit?: number | undefined;
  before?: string | undefined;
  run_id?: string | undefined;
  granularity?: "run" | "step" | undefined;
  /** Only these fields, with commas between. */
  select?: string | undefined;
};
export type StateFilter = { checkpoint_id?: string | undefined; subgraphs?: boolean | undefined };
export type StateUpdate = { values: JsonObject | null; as_node?: string; checkpoint_id?: string };
export type StatelessRun = Pick<
  RunRequest,
  "input" | "environment" | "config" | "metadata" | "timeout_s" | "webhook"
> & { deployment_id: string };
export type RunFilter = {
  deployment_id?: string | undefined;
  thread_id?: string | undefined;
  status?: RunStatus | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
};
/** An operation of RFC 6902. */
export type PatchOperation = { op: string; path: string; from?: string; value?: Json };
export type Page<Key extends string, T> = Record<Key, T[]> & { next_cursor?: string | null };

export type ApiKey = {
  key_id: string;
  name: string;
  role: "read" | "run" | "admin";
  /** null: all deployments. */
  deployment_ids: string[] | null;
  created_at: string;
};
/** `api_key` is shown once, in the answer that makes it. */
export type NewApiKey = ApiKey & { api_key: string };

export type { NewWebhook };
/** `path` is there in the answer that makes an incoming one, and never again. */
export type CreatedWebhook = Webhook & { path?: string };
export type PageFilter = { limit?: number | undefined; cursor?: string | undefined };

const isLastOfBuild = (type: string) => type === "build.ready" || type === "build.failed";

export class CrewshipClient {
  readonly url: string;
  readonly #http: Requests;

  constructor(options: ClientOptions) {
    this.#http = new Requests(options);
    this.url = this.#http.url;
  }

  // Threads

  createThread(thread: NewThread, options?: CallOptions): Promise<Thread> {
    return this.#http.json("POST", "/v1/threads", { ...options, body: thread });
  }
  listThreads(filter: ThreadFilter, options?: CallOptions): Promise<Page<"threads", Thread>> {
    return this.#http.json("GET", "/v1/threads", { ...options, query: filter });
  }
  searchThreads(search: ThreadSearch, options?: CallOptions): Promise<Page<"threads", Thread>> {
    return this.#http.json("POST", "/v1/threads/search", { ...options, body: search });
  }
  countThreads(search: ThreadSearch, options?: CallOptions): Promise<{ count: number }> {
    return this.#http.json("POST", "/v1/threads/count", { ...options, body: search });
  }
  pruneThreads(prune: Prune, options?: CallOptions): Promise<{ pruned: number }> {
    return this.#http.json("POST", "/v1/threads/prune", { ...options, body: prune });
  }
  getThread(id: string, options?: CallOptions): Promise<Thread> {
    return this.#http.json("GET", threadPath(id), options);
  }
  /** Metadata is merged; null removes a key. */
  patchThread(
    id: string,
    patch: { metadata?: JsonObject; ttl?: Ttl | null },
    options?: CallOptions,
  ): Promise<Thread> {
    return this.#http.json("PATCH", threadPath(id), { ...options, body: patch });
  }
  /** A run that is under way is canceled first. */
  async deleteThread(id: string, options?: CallOptions): Promise<void> {
    await this.#http.send("DELETE", threadPath(id), options);
  }
  copyThread(
    id: string,
    from: { checkpoint_id?: string; metadata?: JsonObject } = {},
    options?: CallOptions,
  ): Promise<Thread> {
    return this.#http.json("POST", threadPath(id, "copy"), { ...options, body: from });
  }
  history(
    id: string,
    filter: HistoryFilter = {},
    options?: CallOptions,
  ): Promise<{ checkpoints: Checkpoint[] }> {
    return this.#http.json("GET", threadPath(id, "history"), { ...options, query: filter });
  }
  /** `subgraphs`: each task that runs a subgraph has its state. */
  getState(
    id: string,
    { checkpoint_id, subgraphs, ...options }: CallOptions & StateFilter = {},
  ): Promise<ThreadState> {
    const query = { checkpoint_id, subgraphs: subgraphs ? "true" : undefined };
    return this.#http.json("GET", threadPath(id, "state"), { ...options, query });
  }
  updateState(id: string, update: StateUpdate, options?: CallOptions): Promise<Checkpoint> {
    return this.#http.json("POST", threadPath(id, "state"), { ...options, body: update });
  }
  diff(
    id: string,
    between: { from: string; to?: string },
    options?: CallOptions,
  ): Promise<{ patch: PatchOperation[] }> {
    return this.#http.json("GET", threadPath(id, "diff"), { ...options, query: between });
  }
  /** One stream across the thread's runs, from the first or the newest, without an end of its own: leave it, or abort. */
  threadEvents(
    id: string,
    { from, ...options }: ReadOptions & { from?: "newest_run" | undefined } = {},
  ): AsyncGenerator<StreamEvent, void, undefined> {
    return this.#http.events(threadPath(id, "events"), options, () => false, { from });
  }

  // Runs

  createRun(thread_id: string, request: RunRequest, options?: CallOptions): Promise<AcceptedRun> {
    return this.#http.json("POST", threadPath(thread_id, "runs"), { ...options, body: request });
  }
  createStatelessRun(request: StatelessRun, options?: CallOptions): Promise<AcceptedRun> {
    return this.#http.json("POST", "/v1/runs", { ...options, body: request });
  }
  /** Answers when the run is over, or with the unfinished run once the server has held the request long enough. */
  waitForRun(
    thread_id: string,
    request: RunRequest,
    { wait_s, ...options }: CallOptions & { wait_s?: number | undefined } = {},
  ): Promise<Run> {
    return this.#http.json("POST", threadPath(thread_id, "runs", "wait"), {
      ...options,
      query: { wait_s },
      body: request,
    });
  }
  /**
   * Starts a run and reads its events to the last. Only the first request starts anything: once the server has named
   * the run, a broken connection is taken up again by reading that run's events.
   */
  streamRun(
    thread_id: string,
    request: RunRequest,
    options: CallOptions & ReadOptions = {},
  ): AsyncGenerator<StreamEvent, void, undefined> {
    const path = threadPath(thread_id, "runs", "stream");
    let run: string | undefined;
    const connect = async (after: string | undefined, signal: AbortSignal) => {
      const { idempotencyKey, types } = options;
      if (run !== undefined) return this.#http.connect(runPath(run, "events"), types, after, signal);
      const headers = { Accept: "text/event-stream" };
      const response = await this.#http.request("POST", path, {
        query: { types: types?.join(",") },
        body: request,
        headers,
        idempotencyKey,
        signal,
      });
      if (!response.ok) return response;
      run = runNamedBy(response);
      if (run !== undefined) return response;
      await response.body?.cancel();
      throw new ApiError(
        response.status,
        "internal",
        "The server did not name the run it started: no Location.",
      );
    };
    return readEvents(this.url + path, connect, { ...options, isLast: isLastEvent });
  }
  listRuns(filter: RunFilter = {}, options?: CallOptions): Promise<Page<"runs", Run>> {
    return this.#http.json("GET", "/v1/runs", { ...options, query: filter });
  }
  listThreadRuns(
    thread_id: string,
    filter: Omit<RunFilter, "thread_id" | "deployment_id"> = {},
    options?: CallOptions,
  ): Promise<Page<"runs", Run>> {
    return this.#http.json("GET", threadPath(thread_id, "runs"), { ...options, query: filter });
  }
  getRun(id: string, options?: CallOptions): Promise<Run> {
    return this.#http.json("GET", runPath(id), options);
  }
  /** `rollback` also drops the checkpoints the run made. */
  cancelRun(
    id: string,
    action: "cancel" | "rollback" = "cancel",
    options?: CallOptions,
  ): Promise<{ success: boolean; status: string }> {
    return this.#http.json("POST", runPath(id, "cancel"), { ...options, body: { action } });
  }
  /** The run's events, from the first one or after `options.after`, to its last event. `times`: each with its `at`. */
  runEvents(
    id: string,
    { times, ...options }: ReadOptions & { times?: boolean | undefined } = {},
  ): AsyncGenerator<StreamEvent, void, undefined> {
    return this.#http.events(runPath(id, "events"), options, isLastEvent, {
      times: times ? "true" : undefined,
    });
  }

  /** The files the run left; none while it is under way. */
  listArtifacts(id: string, options?: CallOptions): Promise<{ artifacts: Artifact[] }> {
    return this.#http.json("GET", runPath(id, "artifacts"), options);
  }
  /** The response whose body is the file. */
  downloadArtifact(id: string, name: string, options?: CallOptions): Promise<Response> {
    return this.#http.send(
      "GET",
      runPath(id, "artifacts", ...name.split("/").map(encodeURIComponent)),
      options,
    );
  }

  // Schedules

  createSchedule(schedule: NewSchedule, options?: CallOptions): Promise<Schedule> {
    return this.#http.json("POST", "/v1/schedules", { ...options, body: schedule });
  }
  /** Those of one deployment, or of all that the key reaches. */
  listSchedules(deployment_id?: string, options?: CallOptions): Promise<{ schedules: Schedule[] }> {
    return this.#http.json("GET", "/v1/schedules", { ...options, query: { deployment_id } });
  }
  getSchedule(id: string, options?: CallOptions): Promise<Schedule> {
    return this.#http.json("GET", schedulePath(id), options);
  }
  /** `enabled` pauses and resumes. Metadata is merged; null removes a key. */
  patchSchedule(id: string, patch: SchedulePatch, options?: CallOptions): Promise<Schedule> {
    return this.#http.json("PATCH", schedulePath(id), { ...options, body: patch });
  }
  /** The runs it started go on. */
  async deleteSchedule(id: string, options?: CallOptions): Promise<void> {
    await this.#http.send("DELETE", schedulePath(id), options);
  }
  /** Starts a run now; when it is due next stays as it was. */
  runSchedule(id: string, options?: CallOptions): Promise<AcceptedRun> {
    return this.#http.json("POST", schedulePath(id, "run"), options);
  }

  // Deployments and keys

  listDeployments(options?: CallOptions): Promise<{ deployments: Deployment[] }> {
    return this.#http.json("GET", "/v1/deployments", options);
  }
  getDeployment(id: string, options?: CallOptions): Promise<Deployment> {
    return this.#http.json("GET", deploymentPath(id), options);
  }
  createDeployment(
    deployment: { name: string; framework: Framework },
    options?: CallOptions,
  ): Promise<Deployment> {
    return this.#http.json("POST", "/v1/deployments", { ...options, body: deployment });
  }
  /** Sends the source of a version, a gzipped tar. It is built, and then the environment points at it. */
  createVersion(
    deployment_id: string,
    archive: ReadableStream<Uint8Array>,
    { environment, name }: { environment?: Environment | undefined; name?: string | undefined } = {},
    options?: CallOptions,
  ): Promise<Version> {
    return this.#http.json("POST", deploymentPath(deployment_id, "versions"), {
      ...options,
      query: { environment, name },
      upload: { type: "application/gzip", stream: archive },
    });
  }
  /** Newest first. */
  listVersions(
    deployment_id: string,
    { limit, cursor }: PageFilter = {},
    options?: CallOptions,
  ): Promise<Page<"versions", Version>> {
    return this.#http.json("GET", deploymentPath(deployment_id, "versions"), {
      ...options,
      query: { limit, cursor },
    });
  }
  getVersion(deployment_id: string, version_id: string, options?: CallOptions): Promise<Version> {
    return this.#http.json("GET", deploymentPath(deployment_id, "versions", version_id), options);
  }

  /** What the version's agent is made of: its graph drawn, its schemas, its subgraphs, its crew. */
  getStructure(deployment_id: string, version_id: string, options?: CallOptions): Promise<VersionStructure> {
    return this.#http.json(
      "GET",
      deploymentPath(deployment_id, "versions", version_id, "structure"),
      options,
    );
  }
  /** The lines of a build as `build.output`, to its end: `build.ready` or `build.failed`. */
  buildEvents(
    deployment_id: string,
    version_id: string,
    options: ReadOptions = {},
  ): AsyncGenerator<StreamEvent, void, undefined> {
    return this.#http.events(
      deploymentPath(deployment_id, "versions", version_id, "build"),
      options,
      isLastOfBuild,
    );
  }
  activateVersion(
    deployment_id: string,
    version_id: string,
    environment: Environment,
    options?: CallOptions,
  ): Promise<Version> {
    const path = deploymentPath(deployment_id, "versions", version_id, "activate");
    return this.#http.json("POST", path, { ...options, body: { environment } });
  }
  /** To the version before, among those that have served the environment. */
  rollBack(deployment_id: string, environment: Environment, options?: CallOptions): Promise<Version> {
    return this.#http.json("POST", deploymentPath(deployment_id, "rollback"), {
      ...options,
      body: { environment },
    });
  }
  retireVersion(deployment_id: string, version_id: string, options?: CallOptions): Promise<Version> {
    return this.#http.json("POST", deploymentPath(deployment_id, "versions", version_id, "retire"), options);
  }
  /** Without their values, which are never shown. */
  listVariables(
    deployment_id: string,
    environment?: Environment,
    options?: CallOptions,
  ): Promise<{ variables: Variable[] }> {
    return this.#http.json("GET", deploymentPath(deployment_id, "variables"), {
      ...options,
      query: { environment },
    });
  }
  /** Sets those with a value and removes those with null, all or none. */
  patchVariables(
    deployment_id: string,
    patch: { environment?: Environment; variables: Record<string, string | null> },
    options?: CallOptions,
  ): Promise<{ variables: Variable[] }> {
    return this.#http.json("PATCH", deploymentPath(deployment_id, "variables"), { ...options, body: patch });
  }
  listKeys(options?: CallOptions): Promise<{ keys: ApiKey[] }> {
    return this.#http.json("GET", "/v1/keys", options);
  }
  createKey(
    key: { name: string; role: ApiKey["role"]; deployment_ids?: string[] | null },
    options?: CallOptions,
  ): Promise<NewApiKey> {
    return this.#http.json("POST", "/v1/keys", { ...options, body: key });
  }
  /**
   * Tells which threads and runs have changed, until its signal aborts: `changed` events, whose data is a Change. A new
   * connection begins with one that is not complete.
   */
  watchChanges(options: ReadOptions = {}): AsyncGenerator<StreamEvent, void, undefined> {
    return this.#http.events("/v1/changes", options, () => false);
  }

  /** What the server is doing right now, on all its nodes. */
  getOperations(options?: CallOptions): Promise<Operations> {
    return this.#http.json("GET", "/v1/operations", options);
  }

  async deleteKey(key_id: string, options?: CallOptions): Promise<void> {
    await this.#http.send("DELETE", `/v1/keys/${encodeURIComponent(key_id)}`, options);
  }

  // Webhooks

  createWebhook(webhook: NewWebhook, options?: CallOptions): Promise<CreatedWebhook> {
    return this.#http.json("POST", "/v1/webhooks", { ...options, body: webhook });
  }
  listWebhooks(deployment_id?: string, options?: CallOptions): Promise<{ webhooks: Webhook[] }> {
    return this.#http.json("GET", "/v1/webhooks", { ...options, query: { deployment_id } });
  }
  async deleteWebhook(webhook_id: string, options?: CallOptions): Promise<void> {
    await this.#http.send("DELETE", `/v1/webhooks/${encodeURIComponent(webhook_id)}`, options);
  }
  listDeliveries(
    webhook_id: string,
    { limit, cursor }: PageFilter = {},
    options?: CallOptions,
  ): Promise<Page<"deliveries", Delivery>> {
    const path = `/v1/webhooks/${encodeURIComponent(webhook_id)}/deliveries`;
    return this.#http.json("GET", path, { ...options, query: { limit, cursor } });
  }
  listRunDeliveries(
    run_id: string,
    { limit, cursor }: PageFilter = {},
    options?: CallOptions,
  ): Promise<Page<"deliveries", Delivery>> {
    return this.#http.json("GET", runPath(run_id, "deliveries"), { ...options, query: { limit, cursor } });
  }
  webhookSecret(deployment_id: string, options?: CallOptions): Promise<{ secret: string }> {
    return this.#http.json("GET", secretPath(deployment_id), options);
  }
  /** From now on deliveries are signed with the new one alone. */
  rotateWebhookSecret(deployment_id: string, options?: CallOptions): Promise<{ secret: string }> {
    return this.#http.json("POST", secretPath(deployment_id), options);
  }
}

function threadPath(id: string, ...rest: string[]): string {
  return ["/v1/threads", encodeURIComponent(id), ...rest].join("/");
}

function deploymentPath(...ids: string[]): string {
  return ["/v1/deployments", ...ids.map(encodeURIComponent)].join("/");
}

function schedulePath(id: string, ...rest: string[]): string {
  return ["/v1/schedules", encodeURIComponent(id), ...rest].join("/");
}

function runPath(id: string, ...rest: string[]): string {
  return ["/v1/runs", encodeURIComponent(id), ...rest].join("/");
}

function secretPath(deployment_id: string): string {
  return deploymentPath(deployment_id, "webhook-secret");
}

/** The run a stream belongs to: `/v1/runs/{id}` in Location or Content-Location. */
function runNamedBy(response: Response): string | undefined {
  const location = response.headers.get("Location") ?? response.headers.get("Content-Location");
  const id = location?.match(/\/v1\/runs\/([^/?#]+)/)?.[1];
  return id === undefined ? undefined : decodeURIComponent(id);
}
