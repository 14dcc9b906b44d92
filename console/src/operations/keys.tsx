/** The API keys: who may use the server, and how far. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { ApiKey, NewApiKey } from "../../../src/client/client.ts";
import { client, keys } from "../api.ts";
import { useDeployments } from "../deployments/deployment_queries.ts";
import { Button, IconButton } from "../parts/button.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { Dialog, DialogActions, DialogBody } from "../parts/dialog.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Input, Select } from "../parts/fields.tsx";
import { oneOf } from "../parts/one_of.ts";
import { Secret } from "../parts/secret.tsx";
import { Time } from "../parts/time.tsx";
import { ListSection } from "./section.tsx";

const KEY = [...keys.operations, "keys"];
const roles = ["read", "run", "admin"] as const;
const roleMeanings: Record<ApiKey["role"], string> = {
  read: "read: look at everything",
  run: "run: also start, answer, cancel and delete",
  admin: "admin: also deploy, and make keys",
};

export function Keys() {
  const list = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => (await client.listKeys({ signal })).keys,
  });
  const { data: deployments = [] } = useDeployments();
  const cache = useQueryClient();
  const [making, setMaking] = useState(false);
  const [deleting, setDeleting] = useState<ApiKey | null>(null);
  const reach = ({ deployment_ids }: ApiKey) =>
    deployment_ids === null
      ? "all deployments"
      : deployment_ids
          .map((id) => deployments.find((each) => each.deployment_id === id)?.name ?? id)
          .join(", ");
  return (
    <ListSection
      title="Keys"
      list={list}
      actions={
        <Button icon={Plus} onClick={() => setMaking(true)}>
          New key
        </Button>
      }
      empty={
        <>None beside the server’s own. Give each program and person one, with the least role that does.</>
      }
      row={(key) => (
        <li
          key={key.key_id}
          className="grid min-h-11 grid-cols-[minmax(0,1fr)_60px_auto_32px] items-center gap-4 border-t border-line px-4 sm:grid-cols-[minmax(0,1fr)_60px_minmax(0,1fr)_88px_32px] sm:px-5"
        >
          <span className="truncate font-medium">{key.name}</span>
          <span>{key.role}</span>
          <span className="hidden truncate text-ink-soft sm:block">{reach(key)}</span>
          <span className="text-right text-ink-soft">
            <Time at={key.created_at} />
          </span>
          <IconButton icon={Trash2} label={`Delete the key ${key.name}`} onClick={() => setDeleting(key)} />
        </li>
      )}
    >
      {making && <NewKey onClose={() => setMaking(false)} />}
      {deleting && (
        <Confirm
          open
          onOpenChange={(open) => !open && setDeleting(null)}
          title={`Delete the key ${deleting.name}?`}
          description="Whoever uses it is refused from now on."
          action="Delete the key"
          perform={async () => {
            await client.deleteKey(deleting.key_id);
            await cache.invalidateQueries({ queryKey: KEY });
          }}
        />
      )}
    </ListSection>
  );
}

function NewKey({ onClose }: { onClose: () => void }) {
  const { data: deployments = [] } = useDeployments();
  const cache = useQueryClient();
  const [name, setName] = useState("");
  const [role, setRole] = useState<ApiKey["role"]>("run");
  const [deployment_id, setDeployment] = useState("");
  const [made, setMade] = useState<NewApiKey | null>(null);
  const making = useMutation({
    mutationFn: async () => {
      setMade(
        await client.createKey({
          name: name.trim(),
          role,
          deployment_ids: deployment_id === "" ? null : [deployment_id],
        }),
      );
      await cache.invalidateQueries({ queryKey: KEY });
    },
  });
  if (made)
    return (
      <Dialog
        open
        onOpenChange={(open) => !open && onClose()}
        title="Keep this key"
        description="It is shown this once: the server stores a hash of it."
      >
        <DialogBody>
          <Secret text={made.api_key} />
        </DialogBody>
        <DialogActions>
          <Button weight="primary" onClick={onClose}>
            I have kept it
          </Button>
        </DialogActions>
      </Dialog>
    );
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title="New key">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          making.mutate();
        }}
      >
        <DialogBody>
          <div className="flex flex-col gap-3 pb-1">
            <Field label="Name" hint="Who or what uses it.">
              <Input value={name} onChange={({ target }) => setName(target.value)} placeholder="website" />
            </Field>
            <Field label="Role">
              <Select
                value={role}
                onChange={({ target }) => setRole(oneOf(roles, target.value) ?? "run")}
                className="w-full"
              >
                {roles.map((each) => (
                  <option key={each} value={each}>
                    {roleMeanings[each]}
                  </option>
                ))}
              </Select>
            </Field>
            <Field label="Reaches">
              <Select
                value={deployment_id}
                onChange={({ target }) => setDeployment(target.value)}
                className="w-full"
              >
                <option value="">all deployments</option>
                {deployments.map((each) => (
                  <option key={each.deployment_id} value={each.deployment_id}>
                    only {each.name}
                  </option>
                ))}
              </Select>
            </Field>
            {making.isError && <ErrorNote error={making.error} />}
          </div>
        </DialogBody>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" weight="primary" disabled={name.trim() === "" || making.isPending}>
            Create key
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
