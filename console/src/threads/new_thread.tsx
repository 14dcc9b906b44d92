/** Makes a thread: of which deployment, with which metadata. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { isObject, type JsonObject } from "../../../src/core/json.ts";
import { client } from "../api.ts";
import { useDeployments } from "../deployments/deployment_queries.ts";
import { Button } from "../parts/button.tsx";
import { Dialog, DialogActions, DialogBody } from "../parts/dialog.tsx";
import { CommandLine } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Input, Select } from "../parts/fields.tsx";
import { parseThreadQuery } from "./thread_query.ts";

type Props = {
  deployment_id: string | undefined;
  onClose: () => void;
  onMade: (thread_id: string) => void;
};

export function NewThread({ deployment_id, onClose, onMade }: Props) {
  const { data: deployments = [] } = useDeployments();
  const [picked, setPicked] = useState(deployment_id);
  const [typed, setTyped] = useState("");
  const chosen = picked ?? deployments[0]?.deployment_id;
  const making = useMutation({
    mutationFn: async () => {
      const thread = await client.createThread(
        { deployment_id: chosen!, metadata: parseMetadata(typed) },
        { idempotencyKey: crypto.randomUUID() },
      );
      onMade(thread.thread_id);
    },
  });
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="New thread"
      description="It keeps the agent’s state from run to run."
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          making.mutate();
        }}
      >
        <DialogBody>
          {deployments.length === 0 ? (
            <div className="flex flex-col gap-2">
              <p className="text-ink-soft">
                A thread needs a deployment, and there is none yet. In your project’s folder:
              </p>
              <CommandLine>crewship deploy</CommandLine>
            </div>
          ) : (
            <div className="flex flex-col gap-4 py-1">
              <Field label="Deployment">
                <Select value={chosen} onChange={({ target }) => setPicked(target.value)} className="w-full">
                  {deployments.map(({ deployment_id, name }) => (
                    <option key={deployment_id} value={deployment_id}>
                      {name}
                    </option>
                  ))}
                </Select>
              </Field>
              <Field label="Metadata" hint="To find it by, later. Optional.">
                <Input
                  value={typed}
                  onChange={({ target }) => setTyped(target.value)}
                  placeholder="user: ada, topic: weather"
                  spellCheck={false}
                />
              </Field>
              {making.isError && <ErrorNote error={making.error} />}
            </div>
          )}
        </DialogBody>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" weight="primary" disabled={chosen === undefined || making.isPending}>
            Create thread
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

/** Throws with what to write instead. */
function parseMetadata(typed: string): JsonObject {
  const query = parseThreadQuery(typed);
  if ("metadata" in query && isObject(query.metadata)) return query.metadata;
  if (typed.trim() === "") return {};
  throw new Error(
    "mistake" in query ? String(query.mistake) : "Write metadata as key: value, such as user: ada.",
  );
}
