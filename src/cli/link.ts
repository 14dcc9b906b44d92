/** What a project's folder remembers of where it was deployed: `.crewship/project.json`, which git ignores. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isObject } from "../core/json.ts";

const FOLDER = ".crewship";
const FILE = "project.json";

/** Server → name in crewship.toml → deployment. */
type Links = Record<string, Record<string, string>>;

/** The deployment of this name on this server, if it was deployed from here. */
export function linkedDeployment(directory: string, url: string, name: string): string | undefined {
  return readLinks(directory)[url]?.[name];
}

/** The one deployment that this folder, or the nearest above that was deployed at all, has on the server. */
export function deploymentHere(url: string, from = "."): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, FOLDER, FILE))) {
      const ids = Object.values(readLinks(folder)[url] ?? {});
      return ids.length === 1 ? ids[0] : undefined;
    }
    if (dirname(folder) === folder) return undefined;
  }
}

export function link(directory: string, url: string, name: string, deployment_id: string): void {
  const links = readLinks(directory);
  links[url] = { ...links[url], [name]: deployment_id };
  ignoreFolder(directory);
  writeFileSync(join(directory, FOLDER, FILE), `${JSON.stringify({ servers: links }, null, 2)}\n`);
}

/** Makes the project's `.crewship`, unknown to git: what stands in it is this machine's own. */
export function ignoreFolder(directory: string): void {
  mkdirSync(join(directory, FOLDER), { recursive: true });
  const path = join(directory, FOLDER, ".gitignore");
  if (!existsSync(path)) writeFileSync(path, "*\n");
}

function readLinks(directory: string): Links {
  const path = join(directory, FOLDER, FILE);
  if (!existsSync(path)) return {};
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (isObject(value) && isObject(value.servers)) return value.servers as Links;
  } catch {
    // As if it was never deployed from here: the next deploy writes it anew.
  }
  return {};
}
