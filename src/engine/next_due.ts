/** When a cron line is due next. Croner knows the lines and the clock changes; the time to start from is the database's. */
import { Cron } from "croner";
import { Problem } from "../core/problem.ts";

export type Times = { cron: string; timezone: string };

/** The first due time after `now`; null when there is none. Throws a 400 for a line or a zone that is none. */
export function nextDue({ cron, timezone }: Times, now: string): string | null {
  checkZone(timezone);
  return parseCron(cron, timezone).nextRun(new Date(now))?.toISOString() ?? null;
}

/** The same for times a client has just named: a line that never comes is a mistake. */
export function firstDue(times: Times, now: string): string {
  const due = nextDue(times, now);
  if (due !== null) return due;
  throw refused("cron", `"${times.cron}" never comes; ${examples.cron}`);
}

const examples = {
  cron: 'a line that works is "0 9 * * 1-5": at 9:00 from Monday to Friday.',
  timezone: 'names that work are "Europe/Berlin" and "UTC".',
};

function refused(field: keyof typeof examples, message: string): Problem {
  return new Problem("bad_request", { message: `body.${field}: ${message}` });
}

function parseCron(line: string, timezone: string): Cron {
  const fields = line.trim().split(/\s+/).length;
  // A single word may be a date to Croner, which is a time and no schedule.
  if (!line.trim().startsWith("@") && fields !== 5 && fields !== 6) {
    throw refused("cron", `a line has five fields, or six with the seconds first; ${examples.cron}`);
  }
  try {
    return new Cron(line, { timezone, mode: "5-or-6-parts" });
  } catch (error) {
    const reason = (error as Error).message.replace(/^\w+: /, "").replace(/\.$/, "");
    throw refused("cron", `${reason}; ${examples.cron}`);
  }
}

/** An offset such as +02:00 is no zone: it knows no summer time. */
function checkZone(timezone: string): void {
  try {
    if (!/^[a-z]/i.test(timezone)) throw new RangeError();
    new Intl.DateTimeFormat("en", { timeZone: timezone });
  } catch {
    throw refused("timezone", `there is no time zone ${JSON.stringify(timezone)}; ${examples.timezone}`);
  }
}
