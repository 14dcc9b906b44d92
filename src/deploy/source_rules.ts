/** What the source of a version may be, said once for those who pack it and those who take it in. */

/** Of the archive as it is sent. */
export const MAX_ARCHIVE_BYTES = 100 * 1024 * 1024;
/** Of all files together, unpacked. */
export const MAX_SOURCE_BYTES = 256 * 1024 * 1024;
export const MAX_SOURCE_FILES = 20_000;
const MAX_PATH_BYTES = 1_024;
const MAX_NAME_BYTES = 255;

/** A source that cannot be deployed; the message says what to do. */
export class SourceError extends Error {
  override name = "SourceError";
}

export function tooLarge(): SourceError {
  return new SourceError(
    `The source is too large: over ${MAX_SOURCE_FILES} files or ${MAX_SOURCE_BYTES / 1024 / 1024} MB. Exclude what the agent does not need with [build] exclude or .gitignore.`,
  );
}

/** What is wrong with a file's path in an archive and what to do, or null. Paths are relative, with `/` between. */
export function pathComplaint(path: string): string | null {
  const shown = JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
  const names = path.split("/");
  if (path.startsWith("/") || names.some((name) => name === "" || name === "." || name === ".."))
    return `${shown} is no path inside the project. Paths are relative, without "." and "..".`;
  // A replacement character stands where a name was no text.
  if (/[\p{Cc}\p{Cs}\\\uFFFD]/u.test(path))
    return `The name ${shown} has a backslash, a control character or something that is no text. Rename the file.`;
  if (
    Buffer.byteLength(path) > MAX_PATH_BYTES ||
    names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES)
  )
    return `The path ${shown} is longer than ${MAX_PATH_BYTES} bytes, or a name in it than ${MAX_NAME_BYTES}. Shorten it.`;
  return null;
}
