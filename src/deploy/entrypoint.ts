/** The form of an entrypoint: `./src/graph.ts:graph` in Node, `pkg.module:attr` in Python. */
import { realpathSync, statSync } from "node:fs";
import { resolve, sep } from "node:path";
import type { Framework } from "../core/deployment.ts";

const NODE_ENTRY = /^(?<file>.+\.[cm]?[jt]sx?):(?<attribute>[\p{ID_Start}$_][\p{ID_Continue}$]*)$/u;
const PYTHON_NAME = "[\\p{ID_Start}_][\\p{ID_Continue}]*";
const PYTHON_ENTRY = new RegExp(`^${PYTHON_NAME}(\\.${PYTHON_NAME})*:${PYTHON_NAME}$`, "u");

/** True when the entrypoint names a file of JavaScript or TypeScript rather than a Python module. */
function isNodeEntry(entrypoint: string): boolean {
  return /[/\\]|\.[cm]?[jt]sx?(:|$)/.test(entrypoint);
}

/** True when the agent is executed by Python rather than by Node. */
export function runsInPython(framework: Framework, entrypoint: string): boolean {
  return framework === "function" ? !isNodeEntry(entrypoint) : framework !== "langgraph-js";
}

/**
 * What is wrong with the entrypoint and what to write, or null. `root`: the project's folder, absolute. `name`: what the key
 * is called that names it.
 */
export function entrypointComplaint(
  framework: Framework,
  entrypoint: string,
  root: string,
  name = "entrypoint",
): string | null {
  if (runsInPython(framework, entrypoint)) {
    if (PYTHON_ENTRY.test(entrypoint)) return null;
    const node = framework === "function" ? " (or ./agent.ts:agent in Node)" : "";
    return `${name} = "${entrypoint}" is not of the form pkg.module:attr${node}. Name the module and what it exports.`;
  }
  const file = NODE_ENTRY.exec(entrypoint)?.groups?.file;
  if (file === undefined) {
    return `${name} = "${entrypoint}" is not of the form ./src/graph.ts:graph. Name the file and what it exports.`;
  }
  const path = resolve(root, file);
  if (!isInside(path, root)) {
    return `The ${name}'s file ${file} lies outside the project. Move it into ${root}.`;
  }
  if (!file.startsWith("./")) return `${name} = "${entrypoint}" must begin with ./: write "./${entrypoint}".`;
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    return `The ${name}'s file ${file} does not exist. Create it or correct the path, which starts at ${root}.`;
  }
  // A version is a copy of the folder: what a link points to outside of it would be missing there.
  if (!isInside(realpathSync(path), realpathSync(root))) {
    return `The ${name}'s file ${file} is a link out of the project. Put the file itself into ${root}.`;
  }
  return null;
}

function isInside(path: string, root: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}
