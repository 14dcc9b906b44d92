/**
 * Writes openapi.json from the route schemas; with --check it only says whether the file is up to date (exit code 1
 * when it is not). Starts no server and opens no database.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type App, makeHttp } from "./app.ts";

const path = fileURLToPath(new URL("../../openapi.json", import.meta.url));

// The endpoints would need a node; none is called here, the document is made of their schemas alone.
const http = await makeHttp({} as App);
await http.ready();
const text = `${JSON.stringify(http.swagger(), null, 2)}\n`;
await http.close();

if (!process.argv.includes("--check")) writeFileSync(path, text);
else if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
  console.error("openapi.json is not what the route schemas say. Run `npm run generate` and commit it.");
  process.exitCode = 1;
}
