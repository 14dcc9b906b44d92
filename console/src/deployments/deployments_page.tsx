/** The agents this server runs. */
import { Link } from "@tanstack/react-router";
import { useRef } from "react";
import type { Deployment } from "../../../src/core/deployment.ts";
import { environments } from "../../../src/core/run.ts";
import { Id } from "../parts/copy.tsx";
import { CommandLine, EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Page } from "../parts/page.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { Time } from "../parts/time.tsx";
import { useRowKeys } from "../shell/keyboard.ts";
import { useDeployments } from "./deployment_queries.ts";
import { useVersions } from "./version_queries.ts";

export function DeploymentsPage() {
  const deployments = useDeployments();
  const list = useRef<HTMLDivElement>(null);
  useRowKeys(list);
  return (
    <Page title="Deployments">
      <div ref={list} className="h-full overflow-auto">
        {deployments.isError && !deployments.data ? (
          <div className="p-5">
            <ErrorNote error={deployments.error} retry={() => void deployments.refetch()} />
          </div>
        ) : !deployments.data ? (
          <SkeletonRows rows={4} height={60} />
        ) : deployments.data.length === 0 ? (
          <EmptyState title="No deployments yet">
            <p>A deployment is an agent that people call. In the folder of yours, with its crewship.toml:</p>
            <CommandLine>crewship deploy</CommandLine>
          </EmptyState>
        ) : (
          <ul aria-label="Deployments">
            {deployments.data.map((deployment) => (
              <Row key={deployment.deployment_id} deployment={deployment} />
            ))}
          </ul>
        )}
      </div>
    </Page>
  );
}

function Row({ deployment }: { deployment: Deployment }) {
  const { deployment_id, name, framework, created_at } = deployment;
  return (
    <li className="relative grid min-h-15 grid-cols-[minmax(0,1fr)_auto] items-center gap-x-6 gap-y-1 border-b border-line px-4 py-2 hover:bg-hover sm:grid-cols-[minmax(0,1fr)_220px_auto_88px] sm:px-5">
      <div className="min-w-0">
        <Link
          to="/deployments/$deployment_id"
          params={{ deployment_id }}
          data-row
          className="block truncate font-medium after:absolute after:inset-0"
        >
          {name}
        </Link>
        <p className="truncate text-xs text-ink-soft">{framework}</p>
      </div>
      <Serving deployment={deployment} />
      <span className="relative hidden sm:block">
        <Id id={deployment_id} />
      </span>
      <span className="hidden text-right text-ink-soft sm:block">
        <Time at={created_at} />
      </span>
    </li>
  );
}

/** Which version each environment points at. */
export function Serving({ deployment }: { deployment: Deployment }) {
  const { data: versions } = useVersions(deployment.deployment_id);
  const served = environments.filter((environment) => deployment.environments[environment] !== undefined);
  if (served.length === 0) return <span className="text-ink-faint">nothing served yet</span>;
  return (
    <span className="flex flex-wrap gap-1.5">
      {served.map((environment) => {
        const version = versions?.find(
          ({ version_id }) => version_id === deployment.environments[environment],
        );
        return (
          <span key={environment} className="rounded border border-line bg-sunken px-1.5 text-xs leading-5">
            <span className="text-ink-faint">{environment}</span> {version ? `v${version.number}` : ""}
          </span>
        );
      })}
    </span>
  );
}
