/** A thread's states: history, one checkpoint, changes by hand, and the difference between two. */
import jsonPatch from "fast-json-patch";
import { Type } from "typebox";
import { Checkpoint, ThreadState } from "../../core/checkpoint.ts";
import { Problem } from "../../core/problem.ts";
import { JsonObjectSchema, JsonValue, Nullable } from "../../core/schema.ts";
import { findCheckpointOf } from "../../engine/find_checkpoint.ts";
import { updateState } from "../../engine/update_state.ts";
import { checkpointAt, lastPositionsByRun, readHead, selectCheckpoints } from "../../store/checkpoints.ts";
import { openView } from "../../store/logs.ts";
import { MAX_SUBGRAPH_DEPTH, showCheckpoints, showState } from "../../store/states.ts";
import { showThread } from "../../store/threads.ts";
import { endpoint } from "../endpoint.ts";
import { DEFAULT_LIMIT, Limit, SelectQuery, selected, selectList } from "../page.ts";
import { ThreadPath, threadOf } from "./threads.ts";

const tag = "state";

export const history = endpoint(
  {
    summary: "A thread's checkpoints, newest first",
    tag,
    params: ThreadPath,
    query: Type.Object(
      {
        limit: Limit,
        before: Type.Optional(
          Type.String({ description: "A checkpoint id: only what was committed before it." }),
        ),
        run_id: Type.Optional(Type.String()),
        granularity: Type.Optional(
          Type.Enum(["run", "step"], {
            default: "run",
            description: "run: the last checkpoint of each run.",
          }),
        ),
        select: SelectQuery,
      },
      { additionalProperties: false },
    ),
    answers: { 200: Type.Object({ checkpoints: Type.Array(Checkpoint) }) },
  },
  async ({ app, params, query, principal }) => {
    const { database } = app.node;
    const thread = await threadOf(app, principal, params.thread_id);
    const view = await openView(database, thread.log_id);
    const below =
      query.before === undefined
        ? Number.MAX_SAFE_INTEGER
        : (await findCheckpointOf(database, thread.log_id, query.before)).row.position;
    const limit = query.limit ?? DEFAULT_LIMIT;
    const rows =
      query.granularity === "step"
        ? await selectCheckpoints(database, view, { namespace: "", run_id: query.run_id, below, limit })
        : await Promise.all(
            (await lastPositionsByRun(database, view, { below, limit, run_id: query.run_id })).map(
              async (position) => (await checkpointAt(database, view, position))!,
            ),
          );
    const checkpoints = await showCheckpoints(database, view, thread.thread_id, rows);
    const fields = Object.keys(Checkpoint.properties);
    return { status: 200, body: { checkpoints: selected(checkpoints, selectList(query.select), fields) } };
  },
);

export const get = endpoint(
  {
    summary: "A thread's state: its newest checkpoint, or the named one, with the open questions",
    tag,
    params: ThreadPath,
    query: Type.Object(
      {
        checkpoint_id: Type.Optional(Type.String()),
        subgraphs: Type.Optional(
          Type.Boolean({ default: false, description: "Each task that runs a subgraph has its state." }),
        ),
      },
      { additionalProperties: false },
    ),
    answers: { 200: ThreadState },
  },
  async ({ app, params, query, principal }) => {
    const { database } = app.node;
    const thread = await threadOf(app, principal, params.thread_id);
    const { view, row } =
      query.checkpoint_id === undefined
        ? await readHead(database, thread.log_id).then(({ view, head }) => ({ view, row: head }))
        : await findCheckpointOf(database, thread.log_id, query.checkpoint_id);
    const depth = query.subgraphs ? MAX_SUBGRAPH_DEPTH : 0;
    if (row) return { status: 200, body: await showState(database, view, thread.thread_id, row, depth) };
    const { values } = await showThread(database, thread);
    const empty: ThreadState = {
      checkpoint_id: null,
      thread_id: thread.thread_id,
      parent_checkpoint_id: null,
      run_id: null,
      step: -1,
      source: "input",
      values: values ?? {},
      next: [],
      tasks: [],
      metadata: {},
      created_at: null,
      interrupts: [],
    };
    return { status: 200, body: empty };
  },
);

export const update = endpoint(
  {
    summary: "Change a thread's values by hand",
    tag,
    params: ThreadPath,
    body: Type.Object(
      {
        values: Nullable(JsonObjectSchema),
        as_node: Type.Optional(Type.String()),
        checkpoint_id: Type.Optional(Type.String({ description: "Start from this checkpoint: a fork." })),
      },
      { additionalProperties: false },
    ),
    answers: { 201: Checkpoint },
  },
  async ({ app, params, body, principal, attempt }) => {
    const thread = await threadOf(app, principal, params.thread_id);
    return { status: 201, body: await updateState(app.node, thread, body, attempt) };
  },
);

export const diff = endpoint(
  {
    summary: "The difference between two checkpoints' values as a JSON Patch",
    tag,
    params: ThreadPath,
    query: Type.Object(
      {
        from: Type.String(),
        to: Type.Optional(Type.String({ description: "Default: the newest checkpoint." })),
      },
      { additionalProperties: false },
    ),
    answers: { 200: Type.Object({ patch: Type.Array(JsonValue) }) },
  },
  async ({ app, params, query, principal }) => {
    const { database } = app.node;
    const thread = await threadOf(app, principal, params.thread_id);
    const from = await findCheckpointOf(database, thread.log_id, query.from);
    const to =
      query.to === undefined
        ? (await readHead(database, thread.log_id)).head
        : (await findCheckpointOf(database, thread.log_id, query.to)).row;
    if (!to) throw new Problem("not_found", { what: "checkpoint" });
    const [before, after] = await showCheckpoints(database, from.view, thread.thread_id, [from.row, to]);
    return { status: 200, body: { patch: jsonPatch.compare(before!.values, after!.values) } };
  },
);
