/** The variables of a deployment's environments: their names. Values go in and are never shown. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import type { Variable } from "../../../src/core/deployment.ts";
import { type Environment, environments } from "../../../src/core/run.ts";
import { client, keys } from "../api.ts";
import { Button, IconButton } from "../parts/button.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Input, Select } from "../parts/fields.tsx";
import { oneOf } from "../parts/one_of.ts";
import { SkeletonRows } from "../parts/skeleton.tsx";
import { Time } from "../parts/time.tsx";

export function VariablesPanel({ deployment_id }: { deployment_id: string }) {
  const cache = useQueryClient();
  const variables = useQuery({
    queryKey: keys.variables(deployment_id),
    queryFn: async ({ signal }) =>
      (await client.listVariables(deployment_id, undefined, { signal })).variables,
  });
  const [removing, setRemoving] = useState<Variable | null>(null);
  const readAgain = () => cache.invalidateQueries({ queryKey: keys.variables(deployment_id) });
  return (
    <div className="max-w-3xl px-4 py-4 sm:px-5">
      <p className="mb-4 text-ink-soft">
        The agent finds them in its environment from its next run on. The server keeps their values sealed and
        shows none.
      </p>
      <NewVariable deployment_id={deployment_id} onSet={readAgain} />
      {variables.isError && !variables.data ? (
        <ErrorNote error={variables.error} retry={() => void variables.refetch()} />
      ) : !variables.data ? (
        <SkeletonRows rows={3} />
      ) : variables.data.length === 0 ? (
        <p className="py-3 text-ink-soft">
          None yet. A key for a model is the usual first one: OPENAI_API_KEY.
        </p>
      ) : (
        <ul aria-label="Variables" className="border-t border-line">
          {variables.data.map((variable) => (
            <li
              key={`${variable.environment} ${variable.name}`}
              className="grid min-h-11 grid-cols-[minmax(0,1fr)_90px_88px_32px] items-center gap-3 border-b border-line"
            >
              <span className="truncate font-mono text-xs">{variable.name}</span>
              <span className="text-ink-soft">{variable.environment}</span>
              <span className="text-ink-soft">
                <Time at={variable.updated_at} />
              </span>
              <IconButton
                icon={Trash2}
                label={`Remove ${variable.name}`}
                onClick={() => setRemoving(variable)}
              />
            </li>
          ))}
        </ul>
      )}
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(null)}
          title={`Remove ${removing.name}?`}
          description={`The agent in ${removing.environment} runs without it from its next run on. Its value cannot be read back.`}
          action="Remove"
          perform={async () => {
            const environment = oneOf(environments, removing.environment);
            await client.patchVariables(deployment_id, {
              ...(environment && { environment }),
              variables: { [removing.name]: null },
            });
            await readAgain();
          }}
        />
      )}
    </div>
  );
}

function NewVariable({ deployment_id, onSet }: { deployment_id: string; onSet: () => Promise<void> }) {
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const [environment, setEnvironment] = useState<Environment>("production");
  const setting = useMutation({
    mutationFn: () =>
      client.patchVariables(deployment_id, { environment, variables: { [name.trim()]: value } }),
    onSuccess: async () => {
      setName("");
      setValue("");
      await onSet();
    },
  });
  return (
    <form
      className="mb-5 flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        setting.mutate();
      }}
    >
      <div className="grid items-end gap-2 sm:grid-cols-[1fr_1fr_auto_auto]">
        <Field label="Name">
          <Input
            value={name}
            onChange={({ target }) => setName(target.value)}
            placeholder="OPENAI_API_KEY"
            spellCheck={false}
            autoComplete="off"
            className="font-mono"
          />
        </Field>
        <Field label="Value">
          <Input
            type="password"
            value={value}
            onChange={({ target }) => setValue(target.value)}
            autoComplete="new-password"
            className="font-mono"
          />
        </Field>
        <Field label="Environment">
          <Select
            value={environment}
            onChange={({ target }) => setEnvironment(oneOf(environments, target.value) ?? "production")}
          >
            {environments.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </Select>
        </Field>
        <Button
          type="submit"
          weight="primary"
          disabled={name.trim() === "" || value === "" || setting.isPending}
        >
          Set
        </Button>
      </div>
      {setting.isError && <ErrorNote error={setting.error} />}
    </form>
  );
}
