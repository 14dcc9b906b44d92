/**
 * The console's built files under /console/, for anybody: what they show comes from requests that need a key. Every path
 * that names no file is a page of the console, which index.html opens.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Problem } from "../../core/problem.ts";

/** Beside src, in a clone as in the package. */
const BUILT = fileURLToPath(new URL("../../../console/dist/", import.meta.url));
/** What a build names by its content. */
const HASHED = "assets/";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};
const COMPRESSED = new Set([".html", ".js", ".css", ".json", ".svg", ".webmanifest"]);

/**
 * Scripts and requests of this origin only. Styles are also set by script (editor, graph). Pictures from elsewhere are left
 * out: words of a model could send what it knows to any address in one.
 */
const HEADERS = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

type File = { type: string; body: Buffer; gzip: Buffer | undefined; etag: string };

export function serveConsole(http: FastifyInstance, folder = BUILT): void {
  const files = new Files(folder);
  const hide = { schema: { hide: true } };
  http.get("/", hide, (_request, reply) => reply.redirect("/console/"));
  http.get("/console", hide, (_request, reply) => reply.redirect("/console/"));
  http.get("/console/*", hide, (request, reply) => {
    const path = (request.params as Record<string, string>)["*"]!;
    const file = files.find(path);
    if (file) return send(request, reply, file, path.startsWith(HASHED));
    // Of a build that was replaced, or none at all: an answer in HTML would be taken for a script.
    if (extname(path) in types) throw new Problem("not_found", { what: "file", id: path.slice(0, 200) });
    const index = files.find("index.html");
    if (index) return send(request, reply, index, false);
    return reply.code(503).headers(HEADERS).type(types[".html"]!).send(NOT_BUILT);
  });
}

/** The files of one build, read when first asked for and kept in memory: a few megabytes. */
class Files {
  readonly #folder: string;
  #builtMs = 0;
  #names = new Set<string>();
  readonly #read = new Map<string, File>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined: there is no such file. Only names that the build holds are ever opened. */
  find(name: string): File | undefined {
    this.#look();
    if (!this.#names.has(name)) return undefined;
    const known = this.#read.get(name);
    if (known) return known;
    const body = readFileSync(join(this.#folder, name));
    const ending = extname(name);
    const file = {
      type: types[ending] ?? "application/octet-stream",
      body,
      gzip: COMPRESSED.has(ending) ? gzipSync(body) : undefined,
      etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
    };
    this.#read.set(name, file);
    return file;
  }

  /** A new build while the server runs is served at once. */
  #look(): void {
    const built = statSync(join(this.#folder, "index.html"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (built === this.#builtMs) return;
    this.#builtMs = built;
    this.#read.clear();
    this.#names = new Set(built === 0 ? [] : filesIn(this.#folder));
  }
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replace(/^\//, ""));
}

function send(request: FastifyRequest, reply: FastifyReply, file: File, isHashed: boolean): FastifyReply {
  const { type, body, gzip, etag } = file;
  reply.headers({
    ...HEADERS,
    etag,
    "cache-control": isHashed ? "public, max-age=31536000, immutable" : "no-cache",
    vary: "accept-encoding",
  });
  if (request.headers["if-none-match"]?.includes(etag)) return reply.code(304).send();
  reply.type(type);
  const zips = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  if (!gzip || !zips) return reply.send(body);
  return reply.header("content-encoding", "gzip").send(gzip);
}

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Crewship</title>
<body style="font: 16px/1.6 system-ui, sans-serif; max-width: 36rem; margin: 20vh auto; padding: 0 1rem">
<h1 style="font-size: 1.25rem">The console is not built yet</h1>
<p>This server runs from its source. Build the console once in the clone, then reload this page:</p>
<pre><code>npm run build:console</code></pre>
<p>The API works without it: <a href="/docs">its documentation</a>.</p>
`;
