/** Where the next run's input is given: as a message, as a form of the agent's own schema, or as JSON. */
import { ArrowUp, Square } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { chatInput } from "../../../src/client/chat_messages.ts";
import type { Deployment } from "../../../src/core/deployment.ts";
import type { Json, JsonObject } from "../../../src/core/json.ts";
import { type Environment, environments } from "../../../src/core/run.ts";
import { Button } from "../parts/button.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Select } from "../parts/fields.tsx";
import { JsonEditor, jsonText, parseJson } from "../parts/json_editor.tsx";
import { oneOf } from "../parts/one_of.ts";
import { type Form, fieldsOf, formsFor } from "./compose.ts";
import { type Filled, filledIn, SchemaForm } from "./schema_form.tsx";

const formNames: Record<Form, string> = { message: "Message", form: "Form", json: "JSON" };

type Props = {
  deployment: Deployment | undefined;
  inputSchema: JsonObject | null;
  /** The run that is under way: it can be stopped. */
  running: boolean;
  onStop: () => void;
  /** What is sent while a run is under way waits its turn. Rejects with why the server refused; what was typed stays then. */
  onSend: (input: Json, text: string, environment: Environment) => Promise<void>;
  /** Where the run starts, when not at the newest state. */
  note?: ReactNode;
};

export function Composer({ deployment, inputSchema, running, onStop, onSend, note }: Props) {
  const forms = formsFor(deployment, inputSchema);
  const fields = useMemo(() => fieldsOf(inputSchema), [inputSchema]);
  const [picked, setPicked] = useState<Form>();
  const [text, setText] = useState("");
  const [json, setJson] = useState<string>();
  const [filled, setFilled] = useState<Filled>({});
  const [refusal, setRefusal] = useState<unknown>(null);
  const [sending, setSending] = useState(false);
  const [environment, setEnvironment] = useState<Environment>("production");
  const { production, staging } = deployment?.environments ?? {};
  const hasChoice = staging !== undefined && staging !== production;
  const form = picked && forms.includes(picked) ? picked : forms[0]!;
  const draft =
    json ??
    jsonText(
      fields.length > 0 ? Object.fromEntries(fields.map(({ key, initial }) => [key, initial ?? null])) : {},
    );

  const input = (): { input: Json; text: string } => {
    if (form === "message") return { input: chatInput(deployment!, text.trim()), text: text.trim() };
    if (form === "form") {
      const values = filledIn(fields, filled);
      return { input: values, text: jsonText(values) };
    }
    const parsed = parseJson(draft);
    if ("mistake" in parsed) throw new Error(parsed.mistake);
    return { input: parsed.value, text: draft };
  };
  const send = async () => {
    if (sending || (form === "message" && text.trim() === "")) return;
    setRefusal(null);
    setSending(true);
    try {
      const made = input();
      await onSend(made.input, made.text, environment);
      setText("");
    } catch (error) {
      setRefusal(error);
    } finally {
      setSending(false);
    }
  };

  return (
    <div className="shrink-0 border-t border-line bg-canvas">
      <form
        aria-label="New run"
        className="mx-auto flex max-w-3xl flex-col gap-2 px-4 py-3 sm:px-6"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        {note}
        {refusal !== null && <ErrorNote error={refusal} />}
        <div className="rounded-xl border border-line-strong bg-panel focus-within:border-accent focus-within:outline-1 focus-within:outline-accent">
          {form === "message" && (
            <textarea
              aria-label="Message"
              rows={1}
              value={text}
              placeholder={running ? "The next message waits until the agent is done" : "Message the agent"}
              onChange={({ target }) => setText(target.value)}
              onKeyDown={(event) => {
                if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
                event.preventDefault();
                void send();
              }}
              className="field-sizing-content block max-h-60 w-full resize-none bg-transparent px-3.5 pt-3 pb-1 text-base outline-none placeholder:text-ink-faint"
            />
          )}
          {form === "form" && (
            <div className="max-h-[45vh] overflow-auto p-3.5">
              <SchemaForm fields={fields} filled={filled} onChange={setFilled} />
            </div>
          )}
          {form === "json" && (
            <JsonEditor
              value={draft}
              onChange={setJson}
              label="Input as JSON"
              onSubmit={() => void send()}
              className="max-h-[45vh] border-none! outline-none!"
            />
          )}
          <div className="flex items-center justify-between gap-2 px-2 pb-2">
            <fieldset className="flex gap-0.5">
              <legend className="sr-only">Form of the input</legend>
              {forms.length > 1 &&
                forms.map((each) => (
                  <button
                    key={each}
                    type="button"
                    aria-pressed={form === each}
                    onClick={() => setPicked(each)}
                    className="h-7 rounded-md px-2 text-xs font-medium text-ink-soft hover:bg-hover aria-pressed:bg-hover aria-pressed:text-ink"
                  >
                    {formNames[each]}
                  </button>
                ))}
            </fieldset>
            <span className="flex gap-2">
              {hasChoice && (
                <Select
                  aria-label="Environment"
                  value={environment}
                  onChange={({ target }) => setEnvironment(oneOf(environments, target.value) ?? "production")}
                >
                  {environments.map((each) => (
                    <option key={each}>{each}</option>
                  ))}
                </Select>
              )}
              {running && (
                <Button icon={Square} onClick={onStop}>
                  Stop
                </Button>
              )}
              {(!running || form !== "message" || text.trim() !== "") && (
                <Button
                  type="submit"
                  weight="primary"
                  icon={ArrowUp}
                  disabled={sending || deployment === undefined || (form === "message" && text.trim() === "")}
                >
                  {running ? "Queue" : form === "message" ? "Send" : "Run"}
                </Button>
              )}
            </span>
          </div>
        </div>
      </form>
    </div>
  );
}
