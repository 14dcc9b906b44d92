/**
 * The operating system's side of an agent process: a process that leads its own group, the pipe to its runner and its
 * output. Whoever speaks with it does not know whether it was spawned here or forked (fork_parent.ts).
 */
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import type { Readable } from "node:stream";

export type Exit = { code: number | null; signal: string | null };

export type Child = {
  readonly pid: number;
  readonly pipe: Socket;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** It has exited: from now on its number may be another's. */
  readonly exited: Promise<Exit>;
  /** It has exited, and nothing it wrote is left to read. */
  readonly closed: Promise<void>;
};

export type Command = {
  command: string;
  args: string[];
  directory: string;
  /** The whole environment of the child. */
  env: Record<string, string>;
};

/** Rejects with the system's error when it cannot be started. */
export function spawnChild({ command, args, directory, env }: Command): Promise<Child> {
  return new Promise((resolve, reject) => {
    // Its own process group, so that ending it ends what it started too, and Ctrl-C reaches only the server.
    const child = spawn(command, args, {
      cwd: directory,
      env,
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    child.on("error", reject);
    const { pid, stdout, stderr } = child;
    const pipe = child.stdio?.[3];
    // Absent when there is no such program or the system had no file descriptors left; the error event follows.
    if (pid === undefined || !(pipe instanceof Socket) || !stdout || !stderr) return;
    resolve({
      pid,
      pipe,
      stdout,
      stderr,
      exited: new Promise((exited) => child.once("exit", (code, signal) => exited({ code, signal }))),
      closed: new Promise((closed) => child.once("close", () => closed())),
    });
  });
}

/** Ends a group that a child of ours leads and whose exit is not known yet, with everything the child started. */
export function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    // The group is gone when the system knows no such group (or, on macOS, only zombies).
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ESRCH" && code !== "EPERM") throw error;
  }
}
