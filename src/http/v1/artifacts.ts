/** /v1/runs/{run_id}/artifacts: the files a run left. */
import { Readable } from "node:stream";
import { Type } from "typebox";
import { Artifact, isArtifactName } from "../../core/artifact.ts";
import { Problem } from "../../core/problem.ts";
import { findArtifact, listArtifacts } from "../../store/artifacts.ts";
import { readBlob } from "../../store/blobs.ts";
import { endpoint } from "../endpoint.ts";
import { runOf } from "./runs.ts";

const tag = "runs";

export const list = endpoint(
  {
    summary: "The files a run left, by name; there once it is over",
    tag,
    params: Type.Object({ run_id: Type.String() }),
    answers: { 200: Type.Object({ artifacts: Type.Array(Artifact) }) },
  },
  async ({ app, params, principal }) => {
    const run = await runOf(app, principal, params.run_id);
    return { status: 200, body: { artifacts: await listArtifacts(app.node.database, run) } };
  },
);

export const download = endpoint(
  {
    summary: "A file a run left",
    tag,
    params: Type.Object({ run_id: Type.String(), path: Type.String() }),
    answers: { 200: null, 304: null },
    file: true,
  },
  async ({ app, params, principal, request, reply }) => {
    const run = await runOf(app, principal, params.run_id);
    const { path: name } = params;
    if (!isArtifactName(name)) {
      const message =
        'path is no artifact\'s name: it is relative, without "." and "..", as in charts/a.png.';
      throw new Problem("bad_request", { message });
    }
    const file = await findArtifact(app.node.database, run, name);
    if (!file) throw new Problem("not_found", { what: "artifact", id: name });
    const etag = `"${file.sha256}"`;
    reply.headers({
      etag,
      "cache-control": "private, no-cache",
      // What an agent wrote is never a page of this server's own.
      "content-disposition": `attachment; filename*=UTF-8''${encodeRfc5987(name.split("/").at(-1)!)}`,
      "content-security-policy": "sandbox; default-src 'none'",
      "x-content-type-options": "nosniff",
    });
    if (matches(request.headers["if-none-match"], etag)) return { status: 304 };
    const type = file.content_type.startsWith("text/")
      ? `${file.content_type}; charset=utf-8`
      : file.content_type;
    reply.headers({ "content-type": type, "content-length": file.size });
    await reply.send(Readable.from(readBlob(app.node.database, file.sha256), { objectMode: false }));
    return undefined;
  },
);

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(",").some((one) => one.trim() === "*" || one.trim().replace(/^W\//, "") === etag);
}

function encodeRfc5987(name: string): string {
  return encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
