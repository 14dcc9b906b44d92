/** The server, as every page asks it: one client on the session's cookie, one cache, and the keys things are cached under. */
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { CrewshipClient } from "../../src/client/client.ts";
import { ApiError, ConnectionError } from "../../src/client/errors.ts";
import type { Session } from "../../src/core/session.ts";
import { noteConnection } from "./connection.ts";

/** A page of another origin cannot send this header, without which the server lets the session's cookie change nothing. */
const SESSION_HEADERS = { "X-Crewship-Console": "1" };

async function sessionFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  try {
    const response = await fetch(input, { ...init, headers: { ...init.headers, ...SESSION_HEADERS } });
    noteConnection("answering");
    return response;
  } catch (error) {
    if (!init.signal?.aborted) noteConnection("silent");
    throw error;
  }
}

export const client = new CrewshipClient({ url: location.origin, fetch: sessionFetch as typeof fetch });

const SESSION_URL = "/console/session";

/** null: nobody is signed in. The address that `crewship dev` prints holds a code behind `#` that signs in once. */
export async function readSession(): Promise<Session | null> {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code !== null) {
    const response = await postSession({ code });
    history.replaceState(history.state, "", location.pathname + location.search);
    if (response.ok) return (await response.json()) as Session;
  }
  const response = await sessionFetch(SESSION_URL).catch((cause: unknown) => {
    throw new ConnectionError(location.origin, "Nobody answers.", { cause });
  });
  if (response.status === 401) return null;
  if (!response.ok)
    throw new ApiError(response.status, `http_${response.status}`, "The session could not be read.");
  return (await response.json()) as Session;
}

/** Throws an ApiError when the key is not accepted. */
export async function signIn(api_key: string): Promise<Session> {
  const response = await postSession({ api_key });
  if (response.status === 401)
    throw new ApiError(
      401,
      "unauthorized",
      "This server does not know that key. Copy it whole, from `csk_` on.",
    );
  if (!response.ok)
    throw new ApiError(
      response.status,
      `http_${response.status}`,
      "The server could not sign you in. Try again.",
    );
  return (await response.json()) as Session;
}

function postSession(credentials: { api_key: string } | { code: string }): Promise<Response> {
  return sessionFetch(SESSION_URL, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(credentials),
  });
}

export async function signOut(): Promise<void> {
  await sessionFetch(SESSION_URL, { method: "DELETE" });
  queries.clear();
}

export const keys = {
  session: ["session"] as const,
  deployments: ["deployments"] as const,
  deployment: (id: string) => ["deployments", id] as const,
  versions: (deployment_id: string) => ["deployments", deployment_id, "versions"] as const,
  version: (id: string) => ["version", id] as const,
  variables: (deployment_id: string) => ["deployments", deployment_id, "variables"] as const,
  threads: ["threads"] as const,
  thread: (id: string) => ["thread", id] as const,
  state: (thread_id: string, checkpoint_id: string | null) =>
    ["thread", thread_id, "state", checkpoint_id] as const,
  diff: (thread_id: string, from: string, to: string) => ["thread", thread_id, "diff", from, to] as const,
  history: (thread_id: string) => ["thread", thread_id, "history"] as const,
  threadRuns: (thread_id: string) => ["thread", thread_id, "runs"] as const,
  runs: ["runs"] as const,
  run: (id: string) => ["run", id] as const,
  artifacts: (run_id: string) => ["run", run_id, "artifacts"] as const,
  operations: ["operations"] as const,
};

const MOST_RETRIES = 2;
const MOST_RETRY_DELAY_MS = 5_000;

function noteRefusal(error: unknown): void {
  // The session has run out or was ended elsewhere: the page asks for a key, and stays where it is.
  if (error instanceof ApiError && error.status === 401) queries.setQueryData(keys.session, null);
}

export const queries = new QueryClient({
  queryCache: new QueryCache({ onError: noteRefusal }),
  mutationCache: new MutationCache({ onError: noteRefusal }),
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // A server that restarts is waited for; what it refuses is not asked again.
      retry: (failures, error) =>
        error instanceof ConnectionError ||
        (error instanceof ApiError && error.status >= 500 && failures < MOST_RETRIES),
      retryDelay: (attempt) => Math.min(250 * 2 ** attempt, MOST_RETRY_DELAY_MS),
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
