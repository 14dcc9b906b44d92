/** The schedules: when they run next, how the last time went; paused, resumed, run now, deleted, made. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ellipsis, Plus } from "lucide-react";
import { useState } from "react";
import type { Schedule } from "../../../src/core/schedule.ts";
import { client, keys } from "../api.ts";
import { useDeployment, useDeployments } from "../deployments/deployment_queries.ts";
import { Button } from "../parts/button.tsx";
import { Confirm } from "../parts/confirm.tsx";
import { shortId } from "../parts/copy.tsx";
import { Dialog, DialogActions, DialogBody } from "../parts/dialog.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Input, Select } from "../parts/fields.tsx";
import { JsonEditor, parseJson } from "../parts/json_editor.tsx";
import { Menu, MenuItem } from "../parts/menu.tsx";
import { Time } from "../parts/time.tsx";
import { useMayRun } from "../session.tsx";
import { ListSection } from "./section.tsx";

const REFRESH_MS = 5_000;
const KEY = [...keys.operations, "schedules"];

export function Schedules() {
  const schedules = useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }) => (await client.listSchedules(undefined, { signal })).schedules,
    refetchInterval: REFRESH_MS,
  });
  const mayRun = useMayRun();
  const [making, setMaking] = useState(false);
  return (
    <ListSection
      title="Schedules"
      list={schedules}
      actions={
        mayRun && (
          <Button icon={Plus} onClick={() => setMaking(true)}>
            New schedule
          </Button>
        )
      }
      empty={
        <>
          None yet. A schedule starts runs by the clock: 0 9 * * 1-5 is nine in the morning on working days.
        </>
      }
      row={(schedule) => <Row key={schedule.schedule_id} schedule={schedule} />}
    >
      {making && <NewSchedule onClose={() => setMaking(false)} />}
    </ListSection>
  );
}

function Row({ schedule }: { schedule: Schedule }) {
  const { schedule_id, name, cron, timezone, enabled, next_due_at, last_run_id, last_error, thread_id } =
    schedule;
  const deployment = useDeployment(schedule.deployment_id);
  const cache = useQueryClient();
  const mayRun = useMayRun();
  const [deleting, setDeleting] = useState(false);
  const readAgain = () => cache.invalidateQueries({ queryKey: KEY });
  const changing = useMutation({ mutationFn: (act: () => Promise<unknown>) => act(), onSettled: readAgain });
  return (
    <li className="border-t border-line px-4 py-2 sm:px-5">
      <div className="flex min-h-7 items-center gap-4">
        <div className="min-w-0 flex-1">
          <p className="truncate">
            <span className="font-medium">{name ?? cron}</span>
            <span className="ml-2 font-mono text-xs text-ink-soft">{name !== null && cron}</span>
            <span className="ml-2 text-xs text-ink-soft">{timezone}</span>
          </p>
          <p className="truncate text-xs text-ink-soft">
            {deployment?.name}
            {thread_id !== null && (
              <>
                {" · in "}
                <Link
                  to="/threads/$thread_id"
                  params={{ thread_id }}
                  className="font-mono text-accent underline"
                >
                  {shortId(thread_id)}
                </Link>
              </>
            )}
            {last_run_id !== null && (
              <>
                {" · last "}
                <Link
                  to="/runs/$run_id"
                  params={{ run_id: last_run_id }}
                  className="font-mono text-accent underline"
                >
                  {shortId(last_run_id)}
                </Link>
              </>
            )}
          </p>
        </div>
        <span className="text-right text-ink-soft">
          {enabled && next_due_at !== null ? (
            <>
              next <Time at={next_due_at} />
            </>
          ) : (
            "paused"
          )}
        </span>
        {mayRun && (
          <Menu icon={Ellipsis} label={`What to do with ${name ?? cron}`}>
            <MenuItem onSelect={() => changing.mutate(() => client.runSchedule(schedule_id))}>
              Run now
            </MenuItem>
            <MenuItem
              onSelect={() => changing.mutate(() => client.patchSchedule(schedule_id, { enabled: !enabled }))}
            >
              {enabled ? "Pause" : "Resume"}
            </MenuItem>
            <MenuItem danger onSelect={() => setDeleting(true)}>
              Delete…
            </MenuItem>
          </Menu>
        )}
      </div>
      {last_error !== null && (
        <p className="mt-1 text-xs text-bad">The last time started no run: {last_error.message}</p>
      )}
      {changing.isError && <ErrorNote error={changing.error} />}
      <Confirm
        open={deleting}
        onOpenChange={setDeleting}
        title={`Delete ${name ?? "this schedule"}?`}
        description="It starts no more runs. Those it started stay, and go on."
        action="Delete"
        perform={async () => {
          await client.deleteSchedule(schedule_id);
          await readAgain();
        }}
      />
    </li>
  );
}

function NewSchedule({ onClose }: { onClose: () => void }) {
  const { data: deployments = [] } = useDeployments();
  const cache = useQueryClient();
  const [deployment_id, setDeployment] = useState<string>();
  const [name, setName] = useState("");
  const [cron, setCron] = useState("");
  const [timezone, setTimezone] = useState(Intl.DateTimeFormat().resolvedOptions().timeZone);
  const [thread_id, setThread] = useState("");
  const [input, setInput] = useState("");
  const making = useMutation({
    mutationFn: async () => {
      const parsed = parseJson(input);
      if ("mistake" in parsed) throw new Error(`Input: ${parsed.mistake}`);
      const chosen = deployment_id ?? deployments[0]?.deployment_id;
      await client.createSchedule(
        {
          ...(chosen !== undefined && { deployment_id: chosen }),
          ...(thread_id.trim() !== "" && { thread_id: thread_id.trim() }),
          ...(name.trim() !== "" && { name: name.trim() }),
          cron: cron.trim(),
          timezone: timezone.trim(),
          ...(parsed.value !== null && { input: parsed.value }),
        },
        { idempotencyKey: crypto.randomUUID() },
      );
      await cache.invalidateQueries({ queryKey: KEY });
      onClose();
    },
  });
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title="New schedule"
      description="It starts runs by the clock."
    >
      <form
        className="flex min-h-0 flex-col"
        onSubmit={(event) => {
          event.preventDefault();
          making.mutate();
        }}
      >
        <DialogBody>
          <div className="grid gap-3 pb-1 sm:grid-cols-2">
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
              <Input
                value={name}
                onChange={({ target }) => setName(target.value)}
                placeholder="Morning report"
              />
            </Field>
            <Field label="Cron line" hint="Minute, hour, day, month, weekday; or @daily and the like.">
              <Input
                value={cron}
                onChange={({ target }) => setCron(target.value)}
                placeholder="0 9 * * 1-5"
                className="font-mono"
                spellCheck={false}
              />
            </Field>
            <Field label="Time zone">
              <Input
                value={timezone}
                onChange={({ target }) => setTimezone(target.value)}
                spellCheck={false}
              />
            </Field>
            <div className="sm:col-span-2">
              <Field
                label="Thread"
                hint="Its id, for runs that remember each other. Without one each run stands alone."
              >
                <Input
                  value={thread_id}
                  onChange={({ target }) => setThread(target.value)}
                  placeholder="thr_…"
                  className="font-mono"
                />
              </Field>
            </div>
            <div className="sm:col-span-2">
              <p className="mb-1 font-medium">Input</p>
              <JsonEditor
                value={input}
                onChange={setInput}
                label="Input as JSON"
                placeholder='{"topic": "news"}'
              />
            </div>
            {making.isError && (
              <div className="sm:col-span-2">
                <ErrorNote error={making.error} />
              </div>
            )}
          </div>
        </DialogBody>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" weight="primary" disabled={cron.trim() === "" || making.isPending}>
            Create schedule
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
