/** Takes in the source of a new version: checks all of it, stores it, and leaves the building to whichever node comes first. */
import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { prefixedId } from "../core/ids.ts";
import { Problem } from "../core/problem.ts";
import { storeBlob } from "../store/blobs.ts";
import type { Database } from "../store/database.ts";
import { activate, lockDeployment } from "../store/deployments.ts";
import {
  createVersion,
  findSameSource,
  getVersion,
  listVersions,
  type VersionRow,
} from "../store/versions.ts";
import { unpackArchive } from "./archive.ts";
import { BUILDS_TOPIC } from "./builds.ts";
import { ManifestError, readManifest } from "./manifest.ts";
import { MAX_ARCHIVE_BYTES, SourceError } from "./source_rules.ts";

export type Upload = {
  deployment_id: string;
  archive: Readable;
  /** Which of the deployments in crewship.toml, where it holds several. */
  name: string | undefined;
  /** What is to point at the version once it is ready. */
  environment: string;
};

/**
 * A version that is being built, or that is there already because its source is the same: when it is ready, the environment
 * points at it at once; one that is still being built is left to the environment it was made for. `folder`: where what is not checked yet stays meanwhile.
 */
export async function receiveVersion(
  database: Database,
  folder: string,
  { deployment_id, archive, name, environment }: Upload,
): Promise<{ version: VersionRow; isNew: boolean }> {
  const [newest] = await listVersions(database, deployment_id, { limit: 1 });
  if (newest && newest.archive === null) throw new Problem("folder_deployment", { deployment_id });
  const own = join(folder, randomBytes(8).toString("hex"));
  const [file, source] = [join(own, "archive"), join(own, "source")];
  try {
    await mkdir(source, { recursive: true, mode: 0o700 });
    await pipeline(archive, atMost(MAX_ARCHIVE_BYTES), createWriteStream(file));
    const content = await unpackArchive(createReadStream(file), source);
    const manifest = readManifest(source, name);
    const digest = `${content}${name === undefined ? "" : `-${Buffer.from(name).toString("hex")}`}`;
    await using handle = await open(file);
    const stored = await storeBlob(database, handle, MAX_ARCHIVE_BYTES);
    if (!stored) throw new Error("the uploaded file changed while it was stored");
    return await database.transaction(async (tx) => {
      await lockDeployment(tx, deployment_id);
      const same = await findSameSource(tx, deployment_id, digest);
      if (same) {
        if (same.status === "ready") await activate(tx, same, environment);
        return { version: same, isNew: false };
      }
      const version_id = prefixedId("ver", randomBytes(12));
      await createVersion(tx, {
        version_id,
        deployment_id,
        framework: manifest.framework,
        entrypoint: manifest.entrypoint,
        python: manifest.python,
        runner: manifest.runner,
        chat: manifest.chat,
        store: manifest.store,
        archive: stored.sha256,
        digest,
        environment,
      });
      tx.hint(BUILDS_TOPIC);
      return { version: (await getVersion(tx, version_id))!, isNew: true };
    });
  } catch (error) {
    if (error instanceof SourceError || error instanceof ManifestError) {
      // Where it lies here is nobody's business.
      const message = error.message.replaceAll(`${source}/`, "").replaceAll(source, "the project");
      throw new Problem("bad_request", { message }, { cause: error });
    }
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new Problem(
        "unavailable",
        { message: "The server's disk is full. Try again shortly." },
        { cause: error },
      );
    if (code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE")
      throw new Problem(
        "bad_request",
        { message: "The archive broke off. Send it again." },
        { cause: error },
      );
    throw error;
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

function atMost(bytes: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      done(seen > bytes ? new Problem("too_large", { limit_mb: bytes / 1024 / 1024 }) : null, chunk);
    },
  });
}
