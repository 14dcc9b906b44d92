/** Webhooks: addresses that start runs and addresses that are told of their ends, with what was delivered. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { CreatedWebhook } from "../../../src/client/client.ts";
import type { Webhook } from "../../../src/core/webhook.ts";
import { client, keys } from "../api.ts";
import { useDeployment, useDeployments } from "../deployments/deployment_queries.ts";
import { Button, IconButton } from "../parts/button.tsx";
import { classNames } from "../parts/class_names.ts";
import { Confirm } from "../parts/confirm.tsx";
import { shortId } from "../parts/copy.tsx";
import { Dialog, DialogActions, DialogBody } from "../parts/dialog.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Input, Select } from "../parts/fields.tsx";
import { oneOf } from "../parts/one_of.ts";
import { Secret } from "../parts/secret.tsx";
import { StatusLabel } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";
import { ListSection } from "./section.tsx";

const REFRESH_MS = 5_000;
const KEY = [...keys.operations, "webhooks"];
const DELIVERIES_SHOWN = 30;

export function Webhooks() {
  const webhooks = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => (await client.listWebhooks(undefined, { signal })).webhooks,
  });
  const [making, setMaking] = useState(false);
  return (
    <ListSection
      title="Webhooks"
      list={webhooks}
      actions={
        <Button icon={Plus} onClick={() => setMaking(true)}>
          New webhook
        </Button>
      }
      empty={
        <>
          None yet. An incoming webhook is an address that starts a run with what is posted to it; an outgoing
          one tells your program how runs ended.
        </>
      }
      row={(webhook) => <Row key={webhook.webhook_id} webhook={webhook} />}
    >
      {making && <NewWebhook onClose={() => setMaking(false)} />}
    </ListSection>
  );
}

function Row({ webhook }: { webhook: Webhook }) {
  const { webhook_id, direction, name, url, created_at } = webhook;
  const [open, setOpen] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const cache = useQueryClient();
  const deployment = useDeployment(webhook.deployment_id);
  const isOutgoing = direction === "outgoing";
  return (
    <li className="border-t border-line">
      <div className="flex h-11 items-center gap-2 pr-3 hover:bg-hover sm:pr-4">
        <button
          type="button"
          data-row
          aria-expanded={open}
          disabled={!isOutgoing}
          onClick={() => setOpen(!open)}
          className="grid h-full min-w-0 flex-1 grid-cols-[16px_76px_minmax(0,1fr)_auto] items-center gap-3 pl-4 text-left -outline-offset-2 sm:pl-5"
        >
          <ChevronRight
            size={13}
            aria-hidden
            className={classNames(
              "text-ink-faint transition-transform",
              open && "rotate-90",
              !isOutgoing && "invisible",
            )}
          />
          <span className="text-ink-soft">{direction}</span>
          <span className="truncate">
            <span className="font-medium">{name ?? deployment?.name}</span>
            {url !== undefined && <span className="ml-2 font-mono text-xs text-ink-soft">{url}</span>}
          </span>
          <span className="text-ink-soft">
            <Time at={created_at} />
          </span>
        </button>
        <IconButton
          icon={Trash2}
          label={`Delete the webhook ${name ?? webhook_id}`}
          onClick={() => setDeleting(true)}
        />
      </div>
      {open && <Deliveries webhook_id={webhook_id} />}
      <Confirm
        open={deleting}
        onOpenChange={setDeleting}
        title="Delete this webhook?"
        description={
          isOutgoing
            ? "Its address is told of no more runs."
            : "Its address starts no more runs, and cannot be made again."
        }
        action="Delete"
        perform={async () => {
          await client.deleteWebhook(webhook_id);
          await cache.invalidateQueries({ queryKey: KEY });
        }}
      />
    </li>
  );
}

function Deliveries({ webhook_id }: { webhook_id: string }) {
  const deliveries = useQuery({
    queryKey: [...KEY, webhook_id, "deliveries"],
    queryFn: async ({ signal }) =>
      (await client.listDeliveries(webhook_id, { limit: DELIVERIES_SHOWN }, { signal })).deliveries,
    refetchInterval: REFRESH_MS,
  });
  return (
    <div className="border-t border-line bg-sunken px-4 py-2 sm:px-5">
      {deliveries.isError && !deliveries.data ? (
        <ErrorNote error={deliveries.error} />
      ) : !deliveries.data ? (
        <div className="skeleton h-5 w-1/2" />
      ) : deliveries.data.length === 0 ? (
        <p className="text-ink-soft">Nothing was delivered yet. The end of the next run will be.</p>
      ) : (
        <ul aria-label="Deliveries">
          {deliveries.data.map(
            ({
              delivery_id,
              status,
              event,
              run_id,
              attempts,
              last_status,
              last_error,
              created_at,
              next_attempt_at,
            }) => (
              <li
                key={delivery_id}
                className="grid min-h-8 grid-cols-[92px_minmax(0,1fr)_auto] items-center gap-3"
              >
                <StatusLabel status={status} />
                <span className="truncate text-ink-soft">
                  {event}
                  {" of "}
                  <Link
                    to="/runs/$run_id"
                    params={{ run_id }}
                    className="font-mono text-xs text-accent underline"
                  >
                    {shortId(run_id)}
                  </Link>
                  {attempts > 1 && `, ${attempts} attempts`}
                  {last_status !== null && `, answered ${last_status}`}
                  {last_error !== null && <span className="text-bad">, {last_error}</span>}
                  {status === "pending" && next_attempt_at !== null && (
                    <>
                      , again <Time at={next_attempt_at} />
                    </>
                  )}
                </span>
                <span className="text-ink-soft">
                  <Time at={created_at} />
                </span>
              </li>
            ),
          )}
        </ul>
      )}
    </div>
  );
}

const directions = ["incoming", "outgoing"] as const;

function NewWebhook({ onClose }: { onClose: () => void }) {
  const { data: deployments = [] } = useDeployments();
  const cache = useQueryClient();
  const [direction, setDirection] = useState<(typeof directions)[number]>("outgoing");
  const [deployment_id, setDeployment] = useState<string>();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [made, setMade] = useState<CreatedWebhook | null>(null);
  const making = useMutation({
    mutationFn: async () => {
      const webhook = await client.createWebhook({
        direction,
        deployment_id: deployment_id ?? deployments[0]!.deployment_id,
        ...(name.trim() !== "" && { name: name.trim() }),
        ...(direction === "outgoing" && { url: url.trim() }),
      });
      await cache.invalidateQueries({ queryKey: KEY });
      if (webhook.path === undefined) onClose();
      else setMade(webhook);
    },
  });
  if (made?.path !== undefined) {
    const address = location.origin + made.path;
    return (
      <Dialog
        open
        onOpenChange={(open) => !open && onClose()}
        title="Keep this address"
        description="Whoever has it can start runs. It is shown this once."
      >
        <DialogBody>
          <Secret text={address} />
        </DialogBody>
        <DialogActions>
          <Button weight="primary" onClick={onClose}>
            I have kept it
          </Button>
        </DialogActions>
      </Dialog>
    );
  }
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="New webhook">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          making.mutate();
        }}
      >
        <DialogBody>
          <div className="flex flex-col gap-3 pb-1">
            <Field label="Direction">
              <Select
                value={direction}
                onChange={({ target }) => setDirection(oneOf(directions, target.value) ?? "outgoing")}
                className="w-full"
              >
                <option value="outgoing">outgoing: tell an address how runs ended</option>
                <option value="incoming">incoming: an address that starts runs</option>
              </Select>
            </Field>
            <Field label="Deployment">
              <Select
                value={deployment_id}
                onChange={({ target }) => setDeployment(target.value)}
                className="w-full"
              >
                {deployments.map((each) => (
                  <option key={each.deployment_id} value={each.deployment_id}>
                    {each.name}
                  </option>
                ))}
              </Select>
            </Field>
            <Field label="Name">
              <Input value={name} onChange={({ target }) => setName(target.value)} />
            </Field>
            {direction === "outgoing" && (
              <Field label="Address">
                <Input
                  type="url"
                  value={url}
                  onChange={({ target }) => setUrl(target.value)}
                  placeholder="https://example.com/runs"
                  className="font-mono"
                />
              </Field>
            )}
            {making.isError && <ErrorNote error={making.error} />}
          </div>
        </DialogBody>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            weight="primary"
            disabled={
              deployments.length === 0 || making.isPending || (direction === "outgoing" && url.trim() === "")
            }
          >
            Create webhook
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
