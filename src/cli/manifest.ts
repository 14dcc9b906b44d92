/** The crewship.toml of the folder a command was given. */
import { type Manifest, ManifestError, readManifest } from "../deploy/manifest.ts";
import { UsageError } from "./failure.ts";

/** `name`: which deployment, where the file holds several. What is wrong with it is a UsageError. */
export function manifestOf(dir: string, name: string | undefined): Manifest {
  try {
    return readManifest(dir, name);
  } catch (error) {
    if (error instanceof ManifestError) throw new UsageError(error.message);
    throw error;
  }
}
