/** The versions of a deployment: what each environment points at, how each was built, and going back. */
import { useQueryClient } from "@tanstack/react-query";
import { ChevronRight, Ellipsis } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../../../src/client/errors.ts";
import type { Deployment, Version } from "../../../src/core/deployment.ts";
import { isObject } from "../../../src/core/json.ts";
import { type Environment, environments } from "../../../src/core/run.ts";
import { client, keys } from "../api.ts";
import { classNames } from "../parts/class_names.ts";
import { Confirm } from "../parts/confirm.tsx";
import { Id } from "../parts/copy.tsx";
import { CommandLine, EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Menu, MenuItem } from "../parts/menu.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { useIsAdmin } from "../session.tsx";
import { useVersions } from "./version_queries.ts";

type Asked =
  | { kind: "activate"; version: Version; environment: Environment }
  | { kind: "retire"; version: Version };

export function VersionsPanel({ deployment }: { deployment: Deployment }) {
  const { deployment_id } = deployment;
  const versions = useVersions(deployment_id);
  const cache = useQueryClient();
  const [asked, setAsked] = useState<Asked | null>(null);
  if (versions.isError && !versions.data)
    return (
      <div className="p-5">
        <ErrorNote error={versions.error} retry={() => void versions.refetch()} />
      </div>
    );
  if (!versions.data) return <SkeletonRows rows={4} />;
  if (versions.data.length === 0)
    return (
      <EmptyState title="No versions yet">
        <p>Each deploy makes one: a snapshot of the source that can be served, and gone back to.</p>
        <CommandLine>{`crewship deploy --name ${deployment.name}`}</CommandLine>
      </EmptyState>
    );
  const perform = async (what: Asked) => {
    const { version_id } = what.version;
    if (what.kind === "retire") await client.retireVersion(deployment_id, version_id);
    else await client.activateVersion(deployment_id, version_id, what.environment);
    await cache.invalidateQueries({ queryKey: keys.deployments });
  };
  return (
    <>
      <ul aria-label="Versions">
        {versions.data.map((version) => (
          <Row key={version.version_id} version={version} onAsk={setAsked} />
        ))}
      </ul>
      {asked && (
        <Confirm
          open
          onOpenChange={(open) => !open && setAsked(null)}
          title={
            asked.kind === "retire"
              ? `Retire version ${asked.version.number}?`
              : `Serve ${asked.environment} with version ${asked.version.number}?`
          }
          description={
            asked.kind === "retire"
              ? "Nothing can point at it any more. Its runs and threads stay."
              : "New runs take it from now on. Runs under way finish on the version they began with."
          }
          action={asked.kind === "retire" ? "Retire" : "Serve"}
          perform={() => perform(asked)}
        />
      )}
    </>
  );
}

function Row({ version, onAsk }: { version: Version; onAsk: (asked: Asked) => void }) {
  const [open, setOpen] = useState(version.status === "building" || version.status === "failed");
  const isAdmin = useIsAdmin();
  const { number, status, environments: served, digest, created_at, version_id, error } = version;
  const canServe = environments.filter((environment) => status === "ready" && !served.includes(environment));
  return (
    <li className="border-b border-line">
      <div className="flex h-11 items-center gap-2 pr-3 hover:bg-hover sm:pr-4">
        <button
          type="button"
          data-row
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="grid h-full min-w-0 flex-1 grid-cols-[16px_32px_84px_minmax(0,1fr)_auto] items-center gap-3 pl-4 text-left -outline-offset-2 sm:pl-5"
        >
          <ChevronRight
            size={13}
            aria-hidden
            className={classNames("text-ink-faint transition-transform", open && "rotate-90")}
          />
          <span className="numeric font-medium">v{number}</span>
          <StatusLabel status={status} />
          <span className="flex min-w-0 items-center gap-1.5 overflow-hidden">
            {served.map((environment) => (
              <span
                key={environment}
                className="shrink-0 rounded bg-good-soft px-1.5 text-xs leading-5 whitespace-nowrap text-good"
              >
                {environment}
              </span>
            ))}
            {digest === null && (
              <span className="truncate text-xs text-ink-soft max-sm:hidden">
                the folder under crewship dev
              </span>
            )}
          </span>
          <span className="text-xs text-ink-soft max-sm:hidden">
            <Time at={created_at} />
          </span>
        </button>
        {isAdmin && (
          <Menu icon={Ellipsis} label={`What to do with version ${number}`}>
            {canServe.map((environment) => (
              <MenuItem key={environment} onSelect={() => onAsk({ kind: "activate", version, environment })}>
                Serve {environment}…
              </MenuItem>
            ))}
            <MenuItem
              danger
              disabled={served.length > 0 || status === "retired" || digest === null}
              onSelect={() => onAsk({ kind: "retire", version })}
            >
              Retire…
            </MenuItem>
          </Menu>
        )}
      </div>
      {open && (
        <div className="border-t border-line bg-sunken px-4 py-3 sm:px-5">
          <dl className="mb-2 flex flex-wrap gap-x-6 gap-y-1 text-xs text-ink-soft">
            <div>
              <dt className="inline">id </dt>
              <dd className="inline">
                <Id id={version_id} />
              </dd>
            </div>
            {digest !== null && (
              <div>
                <dt className="inline">source </dt>
                <dd className="inline">
                  <Id id={digest} />
                </dd>
              </div>
            )}
            <div>
              <dt className="inline">entrypoint </dt>
              <dd className="inline font-mono text-ink">{version.entrypoint}</dd>
            </div>
          </dl>
          {error !== null && (
            <pre
              role="alert"
              className="mb-2 rounded-md bg-bad-soft px-3 py-2 text-xs whitespace-pre-wrap text-ink"
            >
              {error}
            </pre>
          )}
          {digest !== null && <BuildLog version={version} />}
        </div>
      )}
    </li>
  );
}

/** The lines of the build, live while it goes on. */
function BuildLog({ version: { deployment_id, version_id } }: { version: Version }) {
  const [lines, setLines] = useState<string[]>([]);
  const [isOver, setOver] = useState(false);
  const cache = useQueryClient();
  const end = useRef<HTMLPreElement>(null);
  const [refusal, setRefusal] = useState<ApiError | null>(null);
  useEffect(() => {
    const leaving = new AbortController();
    const read: string[] = [];
    const follow = async () => {
      const options = { signal: leaving.signal, reconnectForMs: Number.POSITIVE_INFINITY };
      for await (const { type, data } of client.buildEvents(deployment_id, version_id, options)) {
        if (type === "build.output" && isObject(data)) {
          read.push(String(data.text));
          setLines([...read]);
        } else setOver(true);
      }
      setOver(true);
      await cache.invalidateQueries({ queryKey: keys.deployments });
    };
    follow().catch((error: unknown) => {
      if (!leaving.signal.aborted && error instanceof ApiError) setRefusal(error);
    });
    return () => leaving.abort();
  }, [deployment_id, version_id, cache]);
  useEffect(() => {
    if (lines.length > 0 && !isOver) end.current?.scrollTo({ top: end.current.scrollHeight });
  }, [lines, isOver]);
  if (refusal !== null) return <ErrorNote error={refusal} />;
  return (
    <pre
      ref={end}
      tabIndex={0}
      role="log"
      aria-label="Build log"
      className="max-h-80 overflow-auto rounded-md border border-line bg-panel px-3 py-2 text-xs leading-5 whitespace-pre-wrap"
    >
      {lines.length > 0 ? lines.join("\n") : isOver ? "The build said nothing." : "Waiting for the build…"}
    </pre>
  );
}
