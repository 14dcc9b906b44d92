/** Runs in the store: the table of moves on a real database, leases that fence, and event numbers without gaps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Event } from "../../src/core/event.ts";
import { LEASE_S } from "../../src/core/lease.ts";
import {
  isOver,
  type MoveName,
  moveNames,
  moves,
  type RunStatus,
  runStatuses,
} from "../../src/core/moves.ts";
import { giveBack } from "../../src/engine/give_back.ts";
import type { Queryable } from "../../src/store/database.ts";
import { appendEvents, LeaseLost, readEvents } from "../../src/store/events.ts";
import { expiredLeases, renewLeases, revokeLease } from "../../src/store/leases.ts";
import { claimableRuns, claimRun, liveRun } from "../../src/store/queue.ts";
import { advance, findRun, listRuns, showRuns } from "../../src/store/runs.ts";
import { sql } from "../../src/store/sql.ts";
import { deleteThreadRow } from "../../src/store/threads.ts";
import { type HeldRun, type Open, type Store, withStore } from "./store_fixture.ts";

const events = (count: number, from = 1): Event[] =>
  Array.from({ length: count }, (_, i) => ({ type: "custom", data: { n: from + i } }));

/** Makes the move as the engine would, with its lease and its ending. */
function make(tx: Queryable, name: MoveName, run: HeldRun, output = "the output") {
  return advance(tx, name, run, {
    ...(moves[name].by === "holder" ? { lease: run.lease } : {}),
    ...(moves[name].last_event === null
      ? {}
      : { ending: { output, data: ({ completed_at }) => ({ completed_at }) } }),
  });
}

/** A run of a new thread, led to the status by legal moves; `lease` is the last it had. */
async function runAt(store: Store, status: RunStatus): Promise<HeldRun & { thread_id: string }> {
  const thread = await store.thread();
  const made = await store.pending(thread);
  const { thread_id } = thread;
  const never = { ...made, node_id: "node_1", attempt: 1 };
  if (status === "pending")
    return { ...made, thread_id, lease: never, run_number: 0, batch: 0, run: {} as HeldRun["run"] };
  const held = { ...(await store.claim(made)), thread_id };
  if (status === "running") return held;
  const name = moveNames.find((name) => moves[name].to === status && isOver(status))!;
  assert.ok(await store.database.transaction((tx) => make(tx, name, held)));
  return held;
}

async function eventsOf(store: Store, run: HeldRun, seq = 0) {
  return readEvents(store.database, run.log_id, { run_number: run.run_number, seq }, 10_000, "run");
}

export function runsSuite(name: string, open: Open): void {
  for (const status of runStatuses) {
    test(`${name}: from ${status} the legal moves move a run and all others change nothing`, () =>
      withStore(open, async (store) => {
        for (const move of moveNames) {
          const run = await runAt(store, status);
          const before = await store.everything();
          const moved = await store.database.transaction((tx) => make(tx, move, run));
          const row = await findRun(store.database, run.run_id);
          if (!(moves[move].from as readonly RunStatus[]).includes(status)) {
            assert.equal(moved, undefined, `${status} → ${move}`);
            assert.equal(await store.everything(), before, `${status} → ${move} changed something`);
            continue;
          }
          assert.equal(row?.status, moves[move].to, `${status} → ${move}`);
          const [thread] = await store.database.query<{ status: string }>(
            sql`select status from threads where log_id = ${run.log_id}`,
          );
          assert.equal(thread?.status, moves[move].thread);
        }
      }));
  }

  for (const move of moveNames.filter((name) => moves[name].last_event !== null)) {
    test(`${name}: ${move} writes the run, the thread's status, the last event and the end of the lease together`, () =>
      withStore(open, async (store) => {
        const thread = await store.thread();
        const run = await store.running(thread);
        await store.database.transaction((tx) => appendEvents(tx, run, events(3)));
        const before = await store.everything();
        const failed = store.database.transaction(async (tx) => {
          assert.ok(await make(tx, move, run));
          throw new Error("the commit did not happen");
        });
        await assert.rejects(failed);
        assert.equal(await store.everything(), before, "nothing of a move is there without all of it");
        await store.database.transaction((tx) => make(tx, move, run));
        const row = (await findRun(store.database, run.run_id))!;
        assert.equal(row.status, moves[move].to);
        assert.equal(row.output, '"the output"');
        assert.ok(row.completed_at && row.started_at && row.completed_at >= row.started_at);
        assert.equal(await store.threadStatus(thread), moves[move].thread);
        assert.equal((await store.rows()).leases, 0);
        const all = await eventsOf(store, run);
        assert.deepEqual(
          all.map(({ seq, type }) => [seq, type]),
          [
            [1, "custom"],
            [2, "custom"],
            [3, "custom"],
            [4, moves[move].last_event],
          ],
        );
        assert.deepEqual(all.at(-1)?.data, { completed_at: row.completed_at });
      }));
  }

  test(`${name}: a holder that lost its lease can write nothing, and what it wrote beside is rolled back`, () =>
    withStore(open, async (store) => {
      const ways: Record<string, (run: HeldRun) => Promise<unknown>> = {
        "another node took over": async (run) => {
          await store.database.transaction(async (tx) => {
            await advance(tx, "requeue", run);
            await revokeLease(tx, run.log_id, run.run_id);
          });
          await store.claim(run, "node_2");
        },
        "the same node began a new attempt": async (run) => {
          await store.database.transaction((tx) => advance(tx, "requeue", run));
          await store.claim(run);
        },
        "it waits to be claimed": (run) =>
          store.database.transaction((tx) => giveBack(tx, run.lease, "gone", "drain")),
        "it was canceled": (run) => store.database.transaction((tx) => make(tx, "cancel", run)),
        "it has succeeded": (run) => store.database.transaction((tx) => make(tx, "succeed", run)),
      };
      for (const [way, lose] of Object.entries(ways)) {
        const thread = await store.thread();
        const run = await store.running(thread);
        await lose(run);
        const before = await store.everything();
        const stale = store.database.transaction(async (tx) => {
          await store.put(run.log_id, { messages: [`${way}: late words`] }, { tx, run_id: run.run_id });
          await appendEvents(tx, run, events(1));
        });
        await assert.rejects(stale, LeaseLost, way);
        const empty = store.database.transaction((tx) => appendEvents(tx, run, []));
        await assert.rejects(empty, LeaseLost, "a batch without events is refused as well");
        for (const move of ["succeed", "fail", "interrupt"] as const) {
          const moved = await store.database.transaction((tx) => make(tx, move, run, "late"));
          assert.equal(moved, undefined, `${way}: ${move}`);
        }
        const requeued = await store.database.transaction((tx) =>
          advance(tx, "requeue", run, { lease: run.lease }),
        );
        assert.equal(requeued, undefined, `${way}: requeue under the lost lease`);
        await store.database.transaction((tx) => giveBack(tx, run.lease, "late", "node"));
        assert.equal(await store.everything(), before, way);
      }
    }));

  test(`${name}: the numbers of events are gapless over batches and attempts, and every place reads on`, () =>
    withStore(open, async (store) => {
      const batches = fc.array(fc.array(fc.nat(7), { minLength: 1, maxLength: 6 }), {
        minLength: 1,
        maxLength: 4,
      });
      await fc.assert(
        fc.asyncProperty(batches, fc.constantFrom(1, 2, 7, 1000), async (attempts, limit) => {
          const thread = await store.thread();
          let run = await store.running(thread);
          let written = 0;
          for (const [i, sizes] of attempts.entries()) {
            if (i > 0) {
              await store.database.transaction((tx) => advance(tx, "requeue", run));
              run = await store.claim(run, `node_${i + 1}`);
            }
            for (const size of sizes) {
              await store.database.transaction((tx) => appendEvents(tx, run, events(size, written + 1)));
              written += size;
            }
          }
          await store.database.transaction((tx) => make(tx, "succeed", run));
          const read: number[] = [];
          for (let seq = 0; ; ) {
            const place = { run_number: run.run_number, seq };
            const page = await readEvents(store.database, run.log_id, place, limit, "run");
            if (page.length === 0) break;
            for (const event of page) read.push(event.seq);
            for (const { seq, data } of page.filter(({ type }) => type === "custom")) {
              assert.deepEqual(data, { n: seq }, "an event kept its number");
            }
            seq = page.at(-1)!.seq;
          }
          assert.deepEqual(
            read,
            Array.from({ length: written + 1 }, (_, i) => i + 1),
          );
          for (let seq = 0; seq <= written + 1; seq++) {
            assert.equal((await eventsOf(store, run, seq)).length, written + 1 - seq);
          }
        }),
        { numRuns: 12 },
      );
    }));

  test(`${name}: a reader holds no more of a large commit than a page`, () =>
    withStore(open, async (store) => {
      const run = await store.running(await store.thread());
      const texts = Array.from({ length: 1_000 }, (_, n) => `${n} ${"x".repeat(2_000)}`);
      const large = texts.map((data) => ({ type: "custom", data }));
      await store.database.transaction((tx) => appendEvents(tx, run, large));
      const read: unknown[] = [];
      for (let seq = 0; ; ) {
        const place = { run_number: run.run_number, seq };
        const page = await readEvents(store.database, run.log_id, place, 1_000, "run");
        if (page.length === 0) break;
        // A page and the row it ends with: 128 KB and 64 KB, and an event over each.
        assert.ok(JSON.stringify(page).length < 256 * 1024, `a page of ${page.length} events`);
        read.push(...page.map(({ data }) => data));
        seq = page.at(-1)!.seq;
      }
      assert.deepEqual(read, texts);
    }));

  test(`${name}: a thread's events are read over its runs in the order they began, from any place`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread();
      const places: [number, number][] = [];
      for (let n = 1; n <= 3; n++) {
        const run = await store.running(thread);
        assert.equal(run.run_number, n);
        for (let i = 0; i < 60; i++) {
          await store.database.transaction((tx) => appendEvents(tx, { ...run, run_number: n }, events(1, i)));
        }
        await store.database.transaction((tx) => make(tx, "succeed", run));
        for (let seq = 1; seq <= 61; seq++) places.push([n, seq]);
      }
      for (const from of [0, 1, 60, 61, 100, 122, 182]) {
        const [run_number, seq] = places[from - 1] ?? [0, 0];
        const read: [number, number][] = [];
        for (let after = { run_number, seq }; ; ) {
          const page = await readEvents(store.database, thread.log_id, after, 40, "thread");
          if (page.length === 0) break;
          read.push(...page.map((event): [number, number] => [event.run_number, event.seq]));
          after = page.at(-1)!;
        }
        assert.deepEqual(read, places.slice(from));
      }
    }));

  test(`${name}: the schema itself lets only one run of a thread be running`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread();
      const first = await store.running(thread);
      const second = await store.pending(thread);
      assert.equal(
        await store.database.transaction((tx) => claimRun(tx, second, "node_2", async () => [])),
        undefined,
      );
      await assert.rejects(
        store.database.transaction((tx) =>
          tx.query(sql`update runs set status = 'running' where run_id = ${second.run_id}`),
        ),
      );
      await assert.rejects(
        store.database.transaction((tx) => tx.query(sql`update runs set status = 'lost'`)),
        "a status the table does not know is refused",
      );
      assert.equal((await findRun(store.database, second.run_id))?.status, "pending");
      assert.deepEqual(
        { ...(await liveRun(store.database, thread.log_id)) },
        {
          run_id: first.run_id,
          status: "running",
        },
      );
      await store.database.transaction((tx) => make(tx, "succeed", first));
      assert.equal(await store.threadStatus(thread), "busy", "a thread with a pending run is busy");
      await store.claim(second, "node_2");
    }));

  test(`${name}: of many that claim a run at once exactly one gets it`, () =>
    withStore(open, async (store) => {
      const run = await store.pending(await store.thread());
      const claims = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          store.database.transaction((tx) => claimRun(tx, run, `node_${i}`, async () => [])),
        ),
      );
      assert.equal(claims.filter((claim) => claim !== undefined).length, 1);
      assert.equal((await findRun(store.database, run.run_id))?.attempt, 1);
    }));

  test(`${name}: a run canceled before it began has its number, one event, and is no longer to be claimed`, () =>
    withStore(open, async (store) => {
      const thread = await store.thread();
      const run = await store.pending(thread);
      const moved = await store.database.transaction((tx) =>
        advance(tx, "cancel", run, { ending: { data: () => ({}) } }),
      );
      assert.equal(moved?.run_number, 1);
      const read = await readEvents(store.database, run.log_id, { run_number: 1, seq: 0 }, 10, "run");
      assert.deepEqual(
        read.map(({ seq, type }) => [seq, type]),
        [[1, "run.canceled"]],
      );
      assert.deepEqual(await claimableRuns(store.database, "here", 10), []);
      assert.equal((await findRun(store.database, run.run_id))?.started_at, null);
    }));

  test(`${name}: a lease runs out on the database's clock, and only its own node renews it`, () =>
    withStore(open, async (store) => {
      const [mine, lost] = [
        await store.running(await store.thread()),
        await store.running(await store.thread()),
      ];
      const other = await store.claim(await store.pending(await store.thread()), "node_2");
      const waiting = await store.pending(await store.thread());
      assert.deepEqual(await expiredLeases(store.database, false), []);
      const held = await expiredLeases(store.database, true);
      assert.deepEqual(
        held.map(({ run_id }) => run_id).sort(),
        [mine.run_id, lost.run_id, other.run_id].sort(),
        "a run that waits is held by nobody",
      );
      assert.ok(!held.some(({ run_id }) => run_id === waiting.run_id));
      const past = store.database.dialect.nowPlus(-1);
      await store.database.transaction((tx) =>
        tx.query(sql`update leases set expires_at = ${past} where node_id is not null`),
      );
      const kept = await store.database.transaction((tx) =>
        renewLeases(tx, "node_1", [mine.lease, other.lease, { ...mine.lease, run_id: "run_x" }]),
      );
      assert.deepEqual([...kept], [`${mine.run_id} 1`]);
      const expired = (await expiredLeases(store.database, false)).map(({ run_id }) => run_id);
      assert.deepEqual(expired.sort(), [lost.run_id, other.run_id].sort());
      const [row] = await store.database.query<{ expires_at: string }>(
        sql`select expires_at from leases where run_id = ${mine.run_id}`,
      );
      assert.ok(Math.abs(Date.parse(row!.expires_at) - Date.now() - LEASE_S * 1000) < 3_000);
    }));

  test(`${name}: runs wait in the order they came, each thread's next only when none of it is running`, () =>
    withStore(open, async (store) => {
      const [a, b] = [await store.thread(), await store.thread()];
      const first = await store.pending(a);
      const behind = await store.pending(a);
      const second = await store.pending(b);
      const claimable = async (machine = "here") =>
        (await claimableRuns(store.database, machine, 10)).map(({ run_id }) => run_id);
      assert.deepEqual(await claimable("elsewhere"), [], "a dev version runs on its own machine");
      assert.equal((await claimable())[0], first.run_id);
      const held = await store.claim(first);
      assert.deepEqual(await claimable(), [second.run_id]);
      await store.database.transaction((tx) => make(tx, "fail", held));
      assert.deepEqual((await claimable()).sort(), [behind.run_id, second.run_id].sort());
    }));

  test(`${name}: runs are listed newest first by thread, deployment and status, and those of a deleted thread are gone`, () =>
    withStore(open, async (store) => {
      const [a, b] = [await store.thread(), await store.thread({ deployment_id: "dep_2" })];
      const one = await store.running(a, { input: { $crewship: ["date", "no"] }, metadata: { n: 1 } });
      await store.database.transaction((tx) => make(tx, "succeed", one));
      const two = await store.pending(a);
      const three = await store.pending(b);
      const alone = await store.pending(null);
      const list = async (filter: Omit<Parameters<typeof listRuns>[1], "limit">) =>
        (await listRuns(store.database, { limit: 10, ...filter })).map(({ run_id }) => run_id);
      const newest = [one, two, three, alone]
        .map(({ run_id }) => run_id)
        .sort()
        .reverse();
      assert.deepEqual(await list({}), newest);
      assert.deepEqual(await list({ log_id: a.log_id, status: "succeeded" }), [one.run_id]);
      assert.deepEqual(await list({ deployment_ids: ["dep_2"] }), [three.run_id]);
      assert.deepEqual(await list({ deployment_ids: [] }), []);
      assert.deepEqual(await list({ before: newest[1]! }), newest.slice(2));
      const [shown] = await showRuns(store.database, [(await findRun(store.database, one.run_id))!]);
      assert.equal(shown?.output, "the output");
      assert.deepEqual(shown?.metadata, { n: 1 });
      await store.database.transaction((tx) => deleteThreadRow(tx, a.thread_id));
      assert.equal(await findRun(store.database, one.run_id), undefined);
      assert.deepEqual((await list({})).sort(), [three.run_id, alone.run_id].sort());
    }));
}
