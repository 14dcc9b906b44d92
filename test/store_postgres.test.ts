import { after, before } from "node:test";
import { openPostgres } from "./fixtures/fresh_postgres.ts";
import { sharedCluster } from "./fixtures/postgres.ts";
import { type Open, storeSuite } from "./suites/store.suite.ts";

let cluster: Awaited<ReturnType<typeof sharedCluster>>;
before(async () => {
  cluster = await sharedCluster();
});
after(() => cluster.remove());

const open: Open = async () => {
  const url = await cluster.createDatabase();
  let database = await openPostgres(url);
  return {
    database,
    async reopen() {
      await database.close();
      database = await openPostgres(url);
      return database;
    },
    close: () => database.close(),
  };
};

storeSuite("PostgreSQL", open);
