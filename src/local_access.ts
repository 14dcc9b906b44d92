/** What the server leaves for whoever sits at its machine: a full key, and its address for the command line. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, type LocalServer, localConfigFolder } from "./config.ts";
import { prefixedId } from "./core/ids.ts";
import { hashKey } from "./http/auth.ts";
import { newKey } from "./http/v1/keys.ts";
import type { Database } from "./store/database.ts";
import { createKey, findKey } from "./store/keys.ts";
import { createSignInCode } from "./store/sessions.ts";

/** The full key of this data folder, made at the first start and kept in a file only its owner can read. */
export async function adminKey(database: Database, config: Config): Promise<string> {
  const path = join(config.data, "admin.key");
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  if (existsSync(path)) {
    const key = readFileSync(path, "utf8").trim();
    if (key && (await findKey(database, hashKey(key)))) return key;
  }
  const key = newKey();
  await database.transaction((tx) =>
    createKey(tx, {
      key_id: prefixedId("key", randomBytes(12)),
      name: "admin.key",
      key_hash: hashKey(key),
      role: "admin",
      deployment_ids: null,
    }),
  );
  writePrivate(path, `${key}\n`);
  return key;
}

/** The console's address with a code that signs one browser in as the key: it stands behind #, so no log ever has it. */
export async function consoleAddress(database: Database, url: string, apiKey: string): Promise<string> {
  const code = randomBytes(24).toString("base64url");
  await database.transaction((tx) => createSignInCode(tx, hashKey(code), hashKey(apiKey)));
  return `${url}/console/#code=${code}`;
}

/** Tells the command line on this machine where the server is, and its key. */
export function writeLocalServer(config: Config, server: LocalServer): void {
  const folder = localConfigFolder(config.environment);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writePrivate(join(folder, "server.json"), `${JSON.stringify(server)}\n`);
}

function writePrivate(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}
