/**
 * A version's source as one archive: a gzipped tar of its files, the same bytes for the same files. Reading one checks
 * everything about it before anything is written: what it holds may come from anybody.
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { PassThrough, type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import * as tar from "tar-stream";
import { Problem } from "../core/problem.ts";
import type { SourceFile } from "./source_files.ts";
import { MAX_SOURCE_BYTES, MAX_SOURCE_FILES, pathComplaint, SourceError, tooLarge } from "./source_rules.ts";

/** The tar's own blocks around the files. */
const MAX_TAR_BYTES = MAX_SOURCE_BYTES + MAX_SOURCE_FILES * 4_096;
const EPOCH = new Date(0);

/** The archive's bytes. Errors, such as a file that changed meanwhile, are the stream's. */
export function packArchive(directory: string, files: readonly SourceFile[]): Readable {
  const pack = tar.pack();
  const fill = async () => {
    for (const { path, size, executable, link } of files) {
      const common = { name: path, mtime: EPOCH, uid: 0, gid: 0, mode: executable ? 0o755 : 0o644 };
      if (link !== null) {
        pack.entry({ ...common, type: "symlink", linkname: link });
        continue;
      }
      const entry = pack.entry({ ...common, size });
      await pipeline(createReadStream(join(directory, path)), entry);
    }
    pack.finalize();
  };
  fill().catch((error: Error) => pack.destroy(error));
  const packed = new PassThrough();
  pipeline(pack, createGzip(), packed).catch((error: Error) => packed.destroy(error));
  return packed;
}

type Entry = SourceFile & { body: AsyncIterable<Buffer> };

/** The files of an archive, each checked before it is given; its body must be read before the next. Throws a SourceError. */
async function* entriesOf(archive: Readable): AsyncGenerator<Entry> {
  const extract = tar.extract();
  let unpacked = 0;
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      unpacked += chunk.length;
      done(unpacked > MAX_TAR_BYTES ? tooLarge() : null, chunk);
    },
  });
  const gunzip = createGunzip();
  let failure: unknown;
  const feeding = pipeline(archive, gunzip, limit, extract).catch((error: unknown) => {
    failure = error;
    extract.destroy(error as Error);
  });
  const files = new Set<string>();
  const folders = new Set<string>();
  let bytes = 0;
  try {
    for await (const entry of extract) {
      const { name, type, size = 0, mode = 0o644, linkname } = entry.header;
      if (type === "directory") {
        entry.resume();
        continue;
      }
      const complaint = pathComplaint(name);
      if (complaint !== null) throw new SourceError(complaint);
      if (type !== "file" && type !== "symlink")
        throw new SourceError(`${name} is a ${type}. An archive holds files and symbolic links.`);
      if (type === "symlink" && !leadsInside(name, linkname ?? ""))
        throw new SourceError(`${name} is a link to ${linkname}, which lies outside the project.`);
      for (let folder = dirname(name); folder !== "."; folder = dirname(folder)) {
        if (files.has(folder)) throw new SourceError(`${folder} is a file and a folder in this archive.`);
        folders.add(folder);
      }
      if (files.has(name) || folders.has(name))
        throw new SourceError(`${name} is in this archive more than once.`);
      files.add(name);
      bytes += size;
      if (files.size > MAX_SOURCE_FILES || bytes > MAX_SOURCE_BYTES) throw tooLarge();
      yield {
        path: name,
        size,
        executable: (mode & 0o100) !== 0,
        link: type === "symlink" ? linkname! : null,
        body: entry,
      };
      entry.resume();
    }
    await feeding;
    if (failure) throw failure;
  } catch (error) {
    const cause = failure ?? error;
    if (cause instanceof SourceError) throw cause;
    if (error instanceof SourceError) throw error;
    // A disk or a database that failed says nothing about the archive.
    if (cause instanceof Problem || (cause as NodeJS.ErrnoException).syscall !== undefined) throw cause;
    throw new SourceError(
      `The archive cannot be read (${(cause as Error).message}). It is a gzipped tar file.`,
    );
  } finally {
    extract.destroy();
    archive.destroy();
  }
}

/** A `..` behind a name would be that of wherever another link leads. */
function leadsInside(path: string, link: string): boolean {
  if (link === "" || link.startsWith("/") || link.includes("\\") || link !== posix.normalize(link))
    return false;
  const target = posix.normalize(posix.join(posix.dirname(path), link));
  return target !== ".." && !target.startsWith("../");
}

/**
 * Writes the files of an archive into a folder that is there and empty. Resolves with the digest, which is the same for the
 * same files whatever else the archive says of them. Throws a SourceError.
 */
export async function unpackArchive(archive: Readable, folder: string): Promise<string> {
  const lines: string[] = [];
  const links: { path: string; link: string }[] = [];
  for await (const { path, executable, link, body } of entriesOf(archive)) {
    const to = join(folder, path);
    await mkdir(dirname(to), { recursive: true });
    if (link !== null) {
      links.push({ path: to, link });
      lines.push(`${path}\0link ${link}`);
      continue;
    }
    const hash = createHash("sha256");
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(to, { mode: executable ? 0o755 : 0o644 }),
    );
    if (executable) await chmod(to, 0o755);
    lines.push(`${path}\0${executable ? "executable" : "file"} ${hash.digest("hex")}`);
  }
  // Last, so that nothing is ever written through one.
  for (const { path, link } of links) await symlink(link, path);
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex");
}
