/** The pages and what stands in their addresses: everything worth sharing is in the address. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Navigate,
} from "@tanstack/react-router";
import { runStatuses, threadStatuses } from "../../src/core/moves.ts";
import { oneOf } from "./parts/one_of.ts";
import { Broken } from "./shell/broken.tsx";
import { Missing } from "./shell/missing.tsx";
import { Shell } from "./shell/shell.tsx";
import { ThreadsPage } from "./threads/threads_page.tsx";

type Search = Record<string, unknown>;
const text = (value: unknown): string | undefined =>
  (typeof value === "string" || typeof value === "number") && value !== "" ? String(value) : undefined;

/** Only what is set stands in an address. */
function set<T extends Record<string, unknown>>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const root = createRootRoute({ component: Shell, notFoundComponent: Missing });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: () => <Navigate to="/threads" replace />,
});

export const threadsRoute = createRoute({
  getParentRoute: () => root,
  path: "/threads",
  validateSearch: (search: Search) =>
    set({
      deployment: text(search.deployment),
      status: oneOf(threadStatuses, search.status),
      find: text(search.find),
    }),
  component: ThreadsPage,
});

export const panels = ["conversation", "state", "checkpoints", "runs"] as const;
export type Panel = (typeof panels)[number];

export const threadRoute = createRoute({
  getParentRoute: () => root,
  path: "/threads/$thread_id",
  validateSearch: (search: Search) =>
    set({
      /** The past state that is looked at. */
      checkpoint: text(search.checkpoint),
      /** The one it is compared with. */
      compare: text(search.compare),
      panel: oneOf(panels, search.panel),
    }),
  component: lazyRouteComponent(() => import("./thread/thread_page.tsx"), "ThreadPage"),
});

export const runsRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: (search: Search) =>
    set({
      deployment: text(search.deployment),
      thread: text(search.thread),
      status: oneOf(runStatuses, search.status),
    }),
  component: lazyRouteComponent(() => import("./runs/runs_page.tsx"), "RunsPage"),
});

export const runTabs = ["waterfall", "input", "logs", "files", "events"] as const;

export const runRoute = createRoute({
  getParentRoute: () => root,
  path: "/runs/$run_id",
  validateSearch: (search: Search) => set({ tab: oneOf(runTabs, search.tab) }),
  component: lazyRouteComponent(() => import("./runs/run_page.tsx"), "RunPage"),
});

export const deploymentsRoute = createRoute({
  getParentRoute: () => root,
  path: "/deployments",
  component: lazyRouteComponent(() => import("./deployments/deployments_page.tsx"), "DeploymentsPage"),
});

export const deploymentTabs = ["graph", "versions", "schemas", "variables"] as const;

export const deploymentRoute = createRoute({
  getParentRoute: () => root,
  path: "/deployments/$deployment_id",
  validateSearch: (search: Search) =>
    set({ tab: oneOf(deploymentTabs, search.tab), version: text(search.version) }),
  component: lazyRouteComponent(() => import("./deployments/deployment_page.tsx"), "DeploymentPage"),
});

export const operationsTabs = ["now", "schedules", "webhooks", "keys"] as const;

export const operationsRoute = createRoute({
  getParentRoute: () => root,
  path: "/operations",
  validateSearch: (search: Search) => set({ tab: oneOf(operationsTabs, search.tab) }),
  component: lazyRouteComponent(() => import("./operations/operations_page.tsx"), "OperationsPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    threadsRoute,
    threadRoute,
    runsRoute,
    runRoute,
    deploymentsRoute,
    deploymentRoute,
    operationsRoute,
  ]),
  basepath: "/console",
  defaultPreload: "intent",
  defaultErrorComponent: Broken,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
