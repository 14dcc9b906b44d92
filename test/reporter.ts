/**
 * Node's spec reporter, and before its summary the names of all skipped tests: a skip nobody sees is a hole nobody
 * sees. With CREWSHIP_TEST_ALL=1 a skip fails the run.
 */
import { Readable } from "node:stream";
import { spec } from "node:test/reporters";

type TestEvent = {
  type: string;
  data: { name?: string; file?: string; skip?: string | boolean; message?: string };
};

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield* Readable.from(withSkipped(source)).pipe(new spec());
}

async function* withSkipped(source: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  const skipped: string[] = [];
  let isTold = false;
  for await (const event of source) {
    const { skip, name, file, message } = event.data;
    // `skip` is the reason, which may be empty.
    if (event.type === "test:pass" && skip !== undefined && skip !== false) {
      skipped.push(`  ${name} (${file ?? "?"})${typeof skip === "string" && skip ? `: ${skip}` : ""}\n`);
    }
    // The summary begins with the number of tests.
    if (
      event.type === "test:diagnostic" &&
      /^tests \d+$/.test(message ?? "") &&
      skipped.length > 0 &&
      !isTold
    ) {
      isTold = true;
      yield {
        type: "test:stderr",
        data: { message: `\nSKIPPED, so not proven here:\n${skipped.join("")}\n` },
      };
      if (process.env.CREWSHIP_TEST_ALL === "1") {
        process.exitCode = 1;
        yield {
          type: "test:stderr",
          data: { message: "CREWSHIP_TEST_ALL=1 allows no skips: this run fails.\n\n" },
        };
      }
    }
    yield event;
  }
}
