/** The console's files: served without a key, cached as a build allows, and nothing else of the machine. */
import assert from "node:assert/strict";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fastify } from "fastify";
import { serveConsole } from "../src/http/console/files.ts";
import { newProject } from "./fixtures/deployer.ts";

const page = "<!doctype html><title>Console</title>";
const build = {
  "dist/index.html": page,
  "dist/theme.js": "1",
  "dist/assets/index-abc.js": `export default "${"x".repeat(2000)}"`,
  "dist/assets/font-abc.woff2": "font",
  "secret.js": "no file of the build",
};

async function served(t: TestContext, files: Record<string, string>) {
  const folder = newProject(t, files);
  const http = fastify({ exposeHeadRoutes: false });
  serveConsole(http, `${join(folder, "dist")}/`);
  t.after(() => http.close());
  const get = (url: string, headers: Record<string, string> = {}) => http.inject({ url, headers });
  return { get, folder };
}

test("the root leads to the console, and every page of it is its index", async (t) => {
  const { get } = await served(t, build);
  for (const path of ["/", "/console"]) {
    const answer = await get(path);
    assert.deepEqual([answer.statusCode, answer.headers.location], [302, "/console/"]);
  }
  for (const path of [
    "/console/",
    "/console/index.html",
    "/console/threads/thr_1",
    "/console/runs/a.b?c=1",
  ]) {
    const { statusCode, body, headers } = await get(path);
    assert.deepEqual([statusCode, body], [200, page], path);
    assert.equal(headers["cache-control"], "no-cache");
    assert.match(String(headers["content-security-policy"]), /default-src 'none'.*frame-ancestors 'none'/);
    assert.equal(headers["x-content-type-options"], "nosniff");
  }
});

test("what a build names by its content is kept for ever; the rest is asked for anew and found unchanged", async (t) => {
  const { get } = await served(t, build);
  const asset = await get("/console/assets/index-abc.js", { "accept-encoding": "gzip, br" });
  assert.deepEqual(
    [asset.headers["cache-control"], asset.headers["content-type"], asset.headers["content-encoding"]],
    ["public, max-age=31536000, immutable", "text/javascript; charset=utf-8", "gzip"],
  );
  assert.ok(asset.rawPayload.length < 200);
  const font = await get("/console/assets/font-abc.woff2", { "accept-encoding": "gzip" });
  assert.deepEqual([font.headers["content-type"], font.body], ["font/woff2", "font"]);
  const theme = await get("/console/theme.js");
  assert.equal(theme.headers["cache-control"], "no-cache");
  const again = await get("/console/theme.js", { "if-none-match": String(theme.headers.etag) });
  assert.deepEqual([again.statusCode, again.body], [304, ""]);
});

test("no path leads out of the build, and an asset that is gone is no page", async (t) => {
  const { get } = await served(t, build);
  for (const path of ["../secret.js", "..%2fsecret.js", "assets/..%2f..%2fsecret.js", "%2e%2e/secret.js"]) {
    assert.ok(!(await get(`/console/${path}`)).body.includes("no file of the build"), path);
  }
  assert.equal((await get("/console/assets/index-old.js")).statusCode, 404);
});

test("a new build is served at once", async (t) => {
  const { get, folder } = await served(t, build);
  assert.equal((await get("/console/")).body, page);
  mkdirSync(join(folder, "dist/assets"), { recursive: true });
  writeFileSync(join(folder, "dist/assets/index-new.js"), "2");
  writeFileSync(join(folder, "dist/index.html"), "new");
  utimesSync(join(folder, "dist/index.html"), new Date(), new Date(Date.now() + 5000));
  assert.equal((await get("/console/")).body, "new");
  assert.equal((await get("/console/assets/index-new.js")).body, "2");
});

test("without a build the page says how to make one", async (t) => {
  const { get } = await served(t, { "other.txt": "" });
  const { statusCode, body } = await get("/console/threads");
  assert.equal(statusCode, 503);
  assert.match(body, /npm run build:console/);
});
