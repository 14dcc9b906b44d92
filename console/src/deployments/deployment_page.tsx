/** One deployment: its graph as drawn by itself, its versions and their builds, its schemas and variables. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ArrowLeft, MessagesSquare } from "lucide-react";
import { ApiError } from "../../../src/client/errors.ts";
import type { Deployment } from "../../../src/core/deployment.ts";
import { client, keys } from "../api.ts";
import { Id } from "../parts/copy.tsx";
import { EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Select } from "../parts/fields.tsx";
import { Page } from "../parts/page.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { Tabs } from "../parts/tabs.tsx";
import { deploymentRoute, type deploymentTabs } from "../router.tsx";
import { useIsAdmin } from "../session.tsx";
import { Serving } from "./deployments_page.tsx";
import { GraphPanel } from "./graph_panel.tsx";
import { SchemasPanel } from "./schemas_panel.tsx";
import { useStructure } from "./structure.ts";
import { VariablesPanel } from "./variables_panel.tsx";
import { useVersions } from "./version_queries.ts";
import { VersionsPanel } from "./versions_panel.tsx";

type Tab = (typeof deploymentTabs)[number];

export function DeploymentPage() {
  const { deployment_id } = deploymentRoute.useParams();
  const deployment = useQuery({
    queryKey: keys.deployment(deployment_id),
    queryFn: ({ signal }) => client.getDeployment(deployment_id, { signal }),
    refetchInterval: 4_000,
  });
  if (deployment.isError && !deployment.data) {
    const isMissing = deployment.error instanceof ApiError && deployment.error.status === 404;
    return (
      <Page title="Deployment">
        {isMissing ? (
          <EmptyState title="There is no such deployment">
            <p>Check the id, or whether your key reaches it.</p>
            <Link to="/deployments" className="font-medium text-accent underline">
              To the deployments
            </Link>
          </EmptyState>
        ) : (
          <div className="p-5">
            <ErrorNote error={deployment.error} retry={() => void deployment.refetch()} />
          </div>
        )}
      </Page>
    );
  }
  return (
    <Page
      title={deployment.data?.name ?? "Deployment"}
      heading={<Heading deployment={deployment.data} />}
      actions={
        <Link
          to="/threads"
          search={{ deployment: deployment_id }}
          className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line-strong bg-panel px-2.5 font-medium hover:bg-hover max-sm:h-9"
        >
          <MessagesSquare size={15} strokeWidth={1.75} aria-hidden />
          Threads
        </Link>
      }
    >
      {deployment.data ? <Loaded deployment={deployment.data} /> : <SkeletonRows rows={6} />}
    </Page>
  );
}

function Heading({ deployment }: { deployment: Deployment | undefined }) {
  return (
    <div className="flex min-w-0 items-center gap-3">
      <Link to="/deployments" className="shrink-0 text-ink-soft hover:text-ink" aria-label="All deployments">
        <ArrowLeft size={16} strokeWidth={1.75} aria-hidden />
      </Link>
      <h1 className="truncate text-lg font-semibold">{deployment?.name}</h1>
      {deployment && (
        <span className="hidden items-center gap-3 text-ink-soft sm:flex">
          {deployment.framework}
          <Id id={deployment.deployment_id} />
          <Serving deployment={deployment} />
        </span>
      )}
    </div>
  );
}

function Loaded({ deployment }: { deployment: Deployment }) {
  const { deployment_id } = deployment;
  const { tab = "graph", version } = deploymentRoute.useSearch();
  const navigate = useNavigate({ from: "/deployments/$deployment_id" });
  const isAdmin = useIsAdmin();
  const { data: versions = [] } = useVersions(deployment_id);
  const served = deployment.environments.production ?? deployment.environments.staging;
  const chosen =
    versions.find(({ number }) => String(number) === version) ??
    versions.find(({ version_id }) => version_id === served) ??
    versions[0];
  const structure = useStructure(deployment_id, chosen?.version_id);
  const needsVersion = tab === "graph" || tab === "schemas";
  const tabs: { id: Tab; name: string; count?: number }[] = [
    { id: "graph", name: "Graph" },
    { id: "versions", name: "Versions", count: versions.length },
    { id: "schemas", name: "Schemas" },
    ...(isAdmin ? [{ id: "variables" as const, name: "Variables" }] : []),
  ];
  return (
    <div className="flex h-full flex-col">
      <Tabs
        label="Deployment"
        shown={tab}
        onShow={(next) => void navigate({ search: (old) => ({ ...old, tab: next }), replace: true })}
        tabs={tabs}
      >
        <div className="flex h-full flex-col">
          {needsVersion && versions.length > 1 && chosen && (
            <div className="flex shrink-0 items-center gap-2 border-b border-line px-4 py-2 text-ink-soft sm:px-5">
              Of version
              <Select
                aria-label="Of version"
                value={chosen.number}
                onChange={({ target }) =>
                  void navigate({ search: (old) => ({ ...old, version: target.value }), replace: true })
                }
              >
                {versions.map(({ number, status, environments }) => (
                  <option key={number} value={number}>
                    {number}
                    {environments.length > 0
                      ? ` (${environments.join(", ")})`
                      : status === "ready"
                        ? ""
                        : ` (${status})`}
                  </option>
                ))}
              </Select>
            </div>
          )}
          {structure.isError && needsVersion && (
            <div className="p-5">
              <ErrorNote error={structure.error} retry={() => void structure.refetch()} />
            </div>
          )}
          {tab === "graph" && <GraphPanel deployment={deployment} structure={structure.data} />}
          {tab === "versions" && <VersionsPanel deployment={deployment} />}
          {tab === "schemas" && <SchemasPanel structure={structure.data} />}
          {tab === "variables" && isAdmin && <VariablesPanel deployment_id={deployment_id} />}
        </div>
      </Tabs>
    </div>
  );
}
