/** Who is signed in, for the parts of a page that need a role. */
import { createContext, useContext } from "react";
import type { Session } from "../../src/core/session.ts";

const SessionContext = createContext<Session>({ role: "read", deployment_ids: null, expires_at: "" });
export const SessionProvider = SessionContext.Provider;

export function useSession(): Session {
  return useContext(SessionContext);
}

/** Whether the session's key may start, change and delete things. */
export function useMayRun(): boolean {
  return useSession().role !== "read";
}

export function useIsAdmin(): boolean {
  return useSession().role === "admin";
}
