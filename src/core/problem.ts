/**
 * The catalogue of errors. Every error a person can meet has one code here; the code fixes the HTTP status and the
 * sentence. Only http/ turns a Problem into a response, only cli/ into an exit code.
 */
type Details = Record<string, unknown>;

const catalogue = {
  bad_request: [400, (d: Details) => String(d.message ?? "The request is not valid.")],
  too_deep: [400, (d: Details) => `The body nests deeper than ${d.limit} levels. Send a flatter document.`],
  node_unknown: [400, (d: Details) => `${d.message ?? "The graph has no such node."}`],
  search_too_wide: [
    400,
    (d: Details) =>
      `More than ${d.limit} threads match the indexed part of this search. Add a scalar metadata filter to narrow it.`,
  ],
  store_search_too_wide: [
    400,
    (d: Details) =>
      `This search would look at more than ${d.limit} ${d.what ?? "items"}. Give a longer namespace prefix.`,
  ],
  unauthorized: [
    401,
    () => "Send a valid API key as `Authorization: Bearer <key>`. `crewship keys create` makes one.",
  ],
  forbidden: [
    403,
    (d: Details) => String(d.message ?? "This key may not do that. Use a key with the needed role."),
  ],
  cookie_refused: [
    403,
    () =>
      "The console's cookie counts for requests of the console's own pages only. Send a key as `Authorization: Bearer <key>`.",
  ],
  not_found: [
    404,
    (d: Details) => `There is no ${d.what ?? "such resource"}${d.id ? ` ${d.id}` : ""}. Check the id.`,
  ],
  method_not_allowed: [
    404,
    (d: Details) => `There is no route ${d.method} ${d.path}. /docs lists the routes.`,
  ],
  thread_busy: [
    409,
    (d: Details) => `Thread ${d.thread_id} is busy with run ${d.run_id}. Wait for it to end, or cancel it.`,
  ],
  thread_exists: [
    409,
    (d: Details) => `Thread ${d.thread_id} exists already. Send if_exists: "do_nothing" to get it.`,
  ],
  run_over: [409, (d: Details) => `Run ${d.run_id} cannot be canceled: it is over (${d.status}).`],
  copy_source_gone: [409, (d: Details) => `There is no thread ${d.thread_id} to copy. Check the id.`],
  assistant_exists: [
    409,
    (d: Details) => `Assistant ${d.assistant_id} exists already. Send if_exists: "do_nothing" to get it.`,
  ],
  thread_changed: [
    409,
    (d: Details) =>
      `Thread ${d.thread_id} has moved on since this update was computed. Read its state and try again.`,
  ],
  interrupt_not_waiting: [
    409,
    (d: Details) => `Thread ${d.thread_id} ${d.message ?? "waits for no such answer."}`,
  ],
  no_version: [409, (d: Details) => `No running version found for ${d.environment} environment`],
  wrong_deployment: [409, (d: Details) => `Thread ${d.thread_id} belongs to another deployment.`],
  deployment_exists: [
    409,
    (d: Details) =>
      `There is a deployment called ${d.name ?? "that"}. Choose another name, or deploy into that one.`,
  ],
  folder_deployment: [
    409,
    (d: Details) =>
      `Deployment ${d.deployment_id ?? ""} is a folder under \`crewship dev\`, which serves what is in it. Deploy into another one.`,
  ],
  version_not_ready: [
    409,
    (d: Details) =>
      `Version ${d.version_id ?? ""} is ${d.status ?? "not ready"}, so nothing can point at it.`,
  ],
  version_active: [
    409,
    (d: Details) =>
      `${d.environments ?? "An environment"} points at version ${d.version_id ?? ""}. Activate another one there first.`,
  ],
  no_version_before: [
    409,
    (d: Details) =>
      `No earlier version has served ${d.environment ?? "this environment"}, so there is nothing to roll back to.`,
  ],
  no_secret_key: [
    409,
    () =>
      "Several nodes may share this database, so all of them need the same key for its secrets: set CREWSHIP_SECRET_KEY (`openssl rand -base64 32` makes one) and start them again.",
  ],
  idempotency_mismatch: [
    409,
    () => "This Idempotency-Key was used with another body. Use a new key for a new request.",
  ],
  too_large: [
    413,
    (d: Details) => `The body is larger than ${d.limit_mb ?? 10} MB. Send less, or a reference to it.`,
  ],
  unsupported_media_type: [400, () => "Send JSON with `Content-Type: application/json`."],
  internal: [500, () => "Something went wrong inside the server. Its log has the details."],
  embed_failed: [
    503,
    (d: Details) => `The agent could not embed the text: ${d.message ?? "see the server's log"}`,
  ],
  agent_unavailable: [
    503,
    (d: Details) => `The agent could not be loaded: ${d.message ?? "see the server's log"}`,
  ],
  unavailable: [
    503,
    (d: Details) => String(d.message ?? "The server cannot do this right now. Try again shortly."),
  ],
} as const satisfies Record<string, readonly [number, (details: Details) => string]>;

export type ProblemCode = keyof typeof catalogue;

/** An error with a code from the catalogue. `details` go to the client as they are: never put a secret in them. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly details: Details | undefined;

  constructor(code: ProblemCode, details?: Details, options?: ErrorOptions) {
    super(catalogue[code][1](details ?? {}), options);
    this.name = "Problem";
    this.code = code;
    this.details = details;
  }

  /** The HTTP status of this code. */
  get status(): number {
    return catalogue[this.code][0];
  }
}

export const problemCodes = Object.keys(catalogue) as ProblemCode[];
