/** The version of this program: that of its package. */
import { readFileSync } from "node:fs";

// The package's own file is one folder up from the sources, two from the published form (dist/src).
const places = [new URL("../package.json", import.meta.url), new URL("../../package.json", import.meta.url)];

function readVersion(): string {
  for (const place of places) {
    try {
      const { name, version } = JSON.parse(readFileSync(place, "utf8")) as { name?: string; version: string };
      if (name === "crewship") return version;
    } catch {
      // The other place has it.
    }
  }
  throw new Error("crewship's package.json is missing");
}

export const VERSION = readVersion();
