/** A form from a JSON Schema: a field for each of its top-level keys. */

import type { Json, JsonObject } from "../../../src/core/json.ts";
import { Field, Input, Select, Textarea } from "../parts/fields.tsx";
import { parseJson } from "../parts/json_editor.tsx";
import type { FormField } from "./compose.ts";

/** What stands in the fields, as text. */
export type Filled = Readonly<Record<string, string>>;

export function SchemaForm({
  fields,
  filled,
  onChange,
}: {
  fields: FormField[];
  filled: Filled;
  onChange: (filled: Filled) => void;
}) {
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      {fields.map((field) => {
        const value = filled[field.key] ?? initialText(field);
        const change = (text: string) => onChange({ ...filled, [field.key]: text });
        return (
          <div
            key={field.key}
            className={field.kind === "json" || field.kind === "text" ? "sm:col-span-2" : ""}
          >
            <Field
              label={
                <>
                  {field.title}
                  {!field.required && <span className="ml-1.5 font-normal text-ink-faint">optional</span>}
                </>
              }
              {...(field.description !== undefined && { hint: field.description })}
            >
              <Control field={field} value={value} onChange={change} />
            </Field>
          </div>
        );
      })}
    </div>
  );
}

function Control({
  field,
  value,
  onChange,
}: {
  field: FormField;
  value: string;
  onChange: (text: string) => void;
}) {
  switch (field.kind) {
    case "boolean":
      return (
        <Select value={value} onChange={({ target }) => onChange(target.value)} className="w-full">
          <option value="">—</option>
          <option value="true">yes</option>
          <option value="false">no</option>
        </Select>
      );
    case "choice":
      return (
        <Select value={value} onChange={({ target }) => onChange(target.value)} className="w-full">
          <option value="">—</option>
          {field.choices.map((choice) => (
            <option key={JSON.stringify(choice)} value={JSON.stringify(choice)}>
              {typeof choice === "string" ? choice : JSON.stringify(choice)}
            </option>
          ))}
        </Select>
      );
    case "number":
    case "integer":
      return (
        <Input
          inputMode="decimal"
          value={value}
          onChange={({ target }) => onChange(target.value)}
          className="numeric"
        />
      );
    case "json":
      return (
        <Textarea
          rows={1}
          spellCheck={false}
          placeholder="JSON"
          value={value}
          onChange={({ target }) => onChange(target.value)}
          className="field-sizing-content max-h-60 min-h-8 font-mono text-xs!"
        />
      );
    default:
      return (
        <Textarea
          rows={1}
          value={value}
          onChange={({ target }) => onChange(target.value)}
          className="field-sizing-content max-h-40"
        />
      );
  }
}

function initialText({ kind, initial }: FormField): string {
  if (initial === undefined || initial === null) return "";
  return kind === "text" && typeof initial === "string" ? initial : JSON.stringify(initial);
}

/** The input the form says. Throws with the field that is not right yet. */
export function filledIn(fields: FormField[], filled: Filled): JsonObject {
  const input: JsonObject = {};
  for (const field of fields) {
    const text = filled[field.key] ?? initialText(field);
    if (text === "") {
      if (field.required) throw new Error(`${field.title} is required.`);
      continue;
    }
    input[field.key] = fieldValue(field, text);
  }
  return input;
}

function fieldValue({ kind, title }: FormField, text: string): Json {
  if (kind === "text") return text;
  const parsed = parseJson(text);
  if ("mistake" in parsed)
    throw new Error(`${title}: ${kind === "json" ? parsed.mistake : "write a number."}`);
  const isNumber = typeof parsed.value === "number";
  if ((kind === "number" || kind === "integer") && !isNumber) throw new Error(`${title}: write a number.`);
  if (kind === "integer" && !Number.isInteger(parsed.value))
    throw new Error(`${title}: write a whole number.`);
  return parsed.value;
}
