/** Finding threads among a million: by status, by metadata that one, few or most of them have; and what the server holds in memory. */
import { DatabaseSync } from "node:sqlite";
import { get, newThread, post, turn } from "../http.ts";
import { type Case, spread, timed } from "../measure.ts";
import { startEcho } from "../server.ts";

const THREADS = 1_000_000;
/** A user has so many threads. */
const OF_A_USER = 100;
const WARM_UP = 50;
const SAMPLES = 200;

type Server = Awaited<ReturnType<typeof startEcho>>;

export const searchCase: Case = {
  name: "search",
  async run() {
    const server = await startEcho();
    try {
      await turn(server, await newThread(server), "warm");
      const ask = questions(server);
      for (const { once } of ask) for (let i = 0; i < WARM_UP; i++) await once(i);
      const empty = server.residentMb();
      await server.stop();
      plant(server);
      await server.start();
      await turn(server, await newThread(server), "warm");
      const rows: (string | number)[][] = [];
      for (const { name, once } of ask) {
        for (let i = 0; i < WARM_UP; i++) await once(i);
        const times: number[] = [];
        for (let i = 0; i < SAMPLES; i++) times.push(await timed(() => once(i)));
        rows.push([name, ...spread(times)]);
      }
      return [
        {
          title: `search: among ${THREADS} threads of a deployment, 20 a page (ms)`,
          columns: ["", "p50", "p99", "samples"],
          rows,
          notes: [
            "target: p50 at most 5",
            `the server holds ${Math.round(server.residentMb() - empty)} MB more than with none (target: at most 50)`,
          ],
        },
      ];
    } finally {
      await server.remove();
    }
  },
};

function questions(server: Server): { name: string; once: (i: number) => Promise<unknown> }[] {
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
function plant(server: Server): void {
  const database = new DatabaseSync(server.database);
  database.exec("pragma synchronous = off; pragma cache_size = -400000; begin");
  const numbers = `with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${THREADS})`;
  const at = "strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i, 'unixepoch')";
  const user = `'user ' || (i % ${THREADS / OF_A_USER})`;
  const kind = "case when i % 2 = 0 then 'chat' else 'job' end";
  database.exec(`${numbers} insert into logs (log_id, branch_position, next_position, next_item, merged_item, next_run)
    select 1000000 + i, 0, 1, 0, 0, 1 from n`);
  database.exec(`${numbers} insert into threads (thread_id, log_id, deployment_id, status, metadata, created_at, updated_at)
    select printf('thr_bench%07d', i), 1000000 + i, '${server.deployment_id}',
      case when i % 100 = 0 then 'error' else 'idle' end,
      json_object('user', ${user}, 'kind', ${kind}, 'n', i), ${at}, ${at} from n`);
  for (const [key, value] of [
    ["user", user],
    ["kind", kind],
    ["n", "i"],
  ])
    database.exec(`${numbers} insert into thread_tags (deployment_id, key, value, created_at, thread_id)
      select '${server.deployment_id}', '"${key}"', json_quote(${value}), ${at}, printf('thr_bench%07d', i) from n`);
  database.exec("commit; pragma wal_checkpoint(truncate)");
  database.close();
}
