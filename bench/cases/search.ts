/** Finding threads among a million: by status, by metadata that one, few or most of them have; and what the server holds in memory. */
import { DatabaseSync } from "node:sqlite";
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import type { ServerProcess } from "../../test/faults/server.ts";
import { get, newThread, post, turn } from "../http.ts";
import { type Case, spread, timed } from "../measure.ts";
import { startAgent } from "../server.ts";

const THREADS = 1_000_000;
/** Written at once; Ctrl-C is heard in between. */
const PART = 50_000;
/** A user has so many threads. */
const OF_A_USER = 100;
const WARM_UP = 50;
const SAMPLES = 200;

export const searchCase: Case<"search"> = {
  name: "search",
  about: `lists and searches among ${THREADS} threads, and what the server then holds in memory`,
  async run({ say }) {
    const server = await startAgent("echo");
    await turn(server, await newThread(server), "warm");
    const ask = questions(server);
    for (const { once } of ask) for (let i = 0; i < WARM_UP; i++) await once(i);
    const empty = server.residentMb();
    await server.stop();
    await plant(server, say);
    await server.start();
    await turn(server, await newThread(server), "warm");
    const times: number[][] = ask.map(() => []);
    for (let i = 0; i < WARM_UP + SAMPLES; i++)
      for (const [q, { once }] of ask.entries()) {
        const took = await timed(() => once(i));
        if (i >= WARM_UP) times[q]!.push(took);
      }
    const rows = ask.map(({ name }, q) => [name, ...spread(times[q]!)]);
    const [slowest] = rows.toSorted((a, b) => Number(b[1]) - Number(a[1]));
    const grown = server.residentMb() - empty;
    return {
      tables: [
        {
          title: `search: among ${THREADS} threads of a deployment, 20 a page (ms)`,
          columns: ["", "p50", "p99", "samples"],
          rows,
          notes: [`the server holds ${Math.round(grown)} MB more than with none`],
        },
      ],
      figures: {
        slowest: { value: Number(slowest![1]), beside: String(slowest![0]) },
        memory: { value: grown, limit: "" },
      },
    };
  },
};

function questions(server: ServerProcess): { name: string; once: (i: number) => Promise<unknown> }[] {
  const list = (query: string) => get(server, `/v1/threads?deployment_id=${server.deployment_id}${query}`);
  const search = (body: object) =>
    post(server, "/v1/threads/search", { deployment_id: server.deployment_id, limit: 20, ...body });
  const user = (i: number) => `user ${(i * 37) % (THREADS / OF_A_USER)}`;
  return [
    { name: "list, no filter", once: () => list("") },
    { name: "list by status, 1 in 100", once: () => list("&status=error") },
    { name: "search: metadata of one thread", once: (i) => search({ metadata: { n: i * 1_013 } }) },
    {
      name: `search: metadata of ${OF_A_USER} threads`,
      once: (i) => search({ metadata: { user: user(i) } }),
    },
    { name: "search: metadata of half of them", once: () => search({ metadata: { kind: "chat" } }) },
    {
      name: "search: a user's with a status",
      once: (i) => search({ metadata: { user: user(i) }, status: "idle" }),
    },
    {
      name: "search: a common key and a rare status",
      once: () => search({ metadata: { kind: "chat" }, status: "error" }),
    },
  ];
}

/** Straight into the file of a server that is stopped: a million requests would take an hour. */
async function plant(server: ServerProcess, say: (text: string) => void): Promise<void> {
  const database = new DatabaseSync(server.database);
  database.exec("pragma synchronous = off; pragma cache_size = -400000");
  const at = "strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i, 'unixepoch')";
  const user = `'user ' || (i % ${THREADS / OF_A_USER})`;
  const kind = "case when i % 2 = 0 then 'chat' else 'job' end";
  const tags = { user, kind, n: "i" };
  for (let first = 0; first < THREADS; first += PART) {
    const numbers = `with recursive n(i) as (select ${first} union all select i + 1 from n where i + 1 < ${first + PART})`;
    database.exec(`begin;
      ${numbers} insert into logs (log_id, branch_position, next_position, next_item, merged_item, next_run)
        select 1000000 + i, 0, 1, 0, 0, 1 from n;
      ${numbers} insert into threads (thread_id, log_id, deployment_id, status, metadata, created_at, updated_at)
        select printf('thr_bench%07d', i), 1000000 + i, '${server.deployment_id}',
          case when i % 100 = 0 then 'error' else 'idle' end,
          json_object('user', ${user}, 'kind', ${kind}, 'n', i), ${at}, ${at} from n;`);
    for (const [key, value] of Object.entries(tags))
      database.exec(`${numbers} insert into thread_tags (deployment_id, key, value, created_at, thread_id)
        select '${server.deployment_id}', '"${key}"', json_quote(${value}), ${at}, printf('thr_bench%07d', i) from n`);
    database.exec("commit");
    say(`writes thread ${first + PART} of ${THREADS}`);
    await turnOfTheLoop();
  }
  // What is left to flush would be flushed while the server is measured.
  database.exec("pragma synchronous = full; pragma wal_checkpoint(truncate)");
  database.close();
}
