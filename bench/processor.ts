/** Processor time of processes and all below them, from Linux's /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** A clock tick of /proc/<pid>/stat: USER_HZ, 100 a second on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

type Process = { parent: number; ticks: number };

/** Seconds of processor time that each of `roots` has used so far: itself, its children and theirs, those that ended too. */
export function processorSeconds(roots: readonly number[]): number {
  const all = new Map<number, Process>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = readProcess(Number(name));
    if (read) all.set(Number(name), read);
  }
  const belongs = (pid: number | undefined): boolean =>
    pid !== undefined && (roots.includes(pid) || belongs(all.get(pid)?.parent));
  let ticks = 0;
  for (const [pid, process] of all) if (belongs(pid)) ticks += process.ticks;
  return ticks / TICKS_A_SECOND;
}

function readProcess(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name in parentheses, which may hold spaces: state is field 3, ppid 4, utime 14, stime 15, cutime 16, cstime 17.
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    return { parent: fields[1]!, ticks: fields[11]! + fields[12]! + fields[13]! + fields[14]! };
  } catch {
    // It ended between the look and the read.
    return undefined;
  }
}
