/** Every runner a contract test must hold for: Node's, and Python's under each interpreter of this machine. */
import { interpreters } from "../fixtures/python.ts";
import { Agent, type LoadOptions, project } from "./harness.ts";

export type Runner = {
  name: string;
  /** The interpreter of a Python agent. */
  python: string | undefined;
  directory: string;
  /** The entrypoint of a function in test/projects/function. */
  entrypoint(name: string): string;
  load(name: string, options?: LoadOptions): Promise<Agent>;
};

export function runners(): Runner[] {
  const directory = project("function");
  const runner = (name: string, python: string | undefined): Runner => {
    const entrypoint = (name: string) => (python ? `agents:${name}` : `./src/agents.ts:${name}`);
    return {
      name,
      python,
      directory,
      entrypoint,
      load: (name, options) =>
        Agent.load(directory, entrypoint(name), { framework: "function", python, ...options }),
    };
  };
  return [
    runner("Node", undefined),
    ...interpreters().map(([version, path]) => runner(`Python ${version}`, path)),
  ];
}
