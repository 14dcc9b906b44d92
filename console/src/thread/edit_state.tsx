/** Changes a state by hand: a new checkpoint after the one shown, from which a run may go on. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { ThreadState } from "../../../src/core/checkpoint.ts";
import { isObject, type JsonObject } from "../../../src/core/json.ts";
import { Button } from "../parts/button.tsx";
import { Dialog, DialogActions, DialogBody } from "../parts/dialog.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Select } from "../parts/fields.tsx";
import { JsonEditor, jsonText, parseJson } from "../parts/json_editor.tsx";

type Props = {
  state: ThreadState;
  /** The nodes of the graph, as one of which the change may be made. */
  nodes: string[];
  onClose: () => void;
  onSave: (change: { values: JsonObject; as_node: string | undefined }, goOn: boolean) => Promise<void>;
};

export function EditState({ state, nodes, onClose, onSave }: Props) {
  const [text, setText] = useState(jsonText(state.values));
  const [asNode, setAsNode] = useState("");
  const saving = useMutation({
    mutationFn: async (goOn: boolean) => {
      await onSave({ values: changedKeys(state.values, text), as_node: asNode || undefined }, goOn);
      onClose();
    },
  });
  return (
    <Dialog
      open
      wide
      onOpenChange={(open) => !open && onClose()}
      title="Edit the state"
      description="The keys you change are written as a new checkpoint. What is there now stays in the history. In a graph its own reducers apply: a message with the id of another replaces it, one without is added."
    >
      <DialogBody>
        <div className="flex flex-col gap-3">
          <JsonEditor value={text} onChange={setText} label="The state as JSON" className="h-[38vh]" />
          {nodes.length > 0 && (
            <Field label="As node" hint="Whose step this stands for: it decides which node comes next.">
              <Select value={asNode} onChange={({ target }) => setAsNode(target.value)}>
                <option value="">the one that was last</option>
                {nodes.map((node) => (
                  <option key={node} value={node}>
                    {node}
                  </option>
                ))}
              </Select>
            </Field>
          )}
          {saving.isError && <ErrorNote error={saving.error} />}
        </div>
      </DialogBody>
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button disabled={saving.isPending} onClick={() => saving.mutate(false)}>
          Save
        </Button>
        <Button weight="primary" disabled={saving.isPending} onClick={() => saving.mutate(true)}>
          Save and continue
        </Button>
      </DialogActions>
    </Dialog>
  );
}

/** The keys that differ; one that was taken out is null. Throws with what is not right yet. */
function changedKeys(before: JsonObject, text: string): JsonObject {
  const parsed = parseJson(text);
  if ("mistake" in parsed) throw new Error(parsed.mistake);
  const after = parsed.value;
  if (!isObject(after)) throw new Error("A state is a JSON object.");
  const changed = Object.keys({ ...before, ...after }).filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  if (changed.length === 0) throw new Error("Nothing is changed yet.");
  return Object.fromEntries(changed.map((key) => [key, after[key] ?? null]));
}
