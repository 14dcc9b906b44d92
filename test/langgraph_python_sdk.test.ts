/** LangGraph's own client for Python, and RemoteGraph in a process of its own, against a real server. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { clientServer, languages } from "./fixtures/clients.ts";
import { pythonWith } from "./fixtures/python.ts";

const LIMIT_MS = 150_000;

for (const language of languages) {
  test(`the Python SDK and RemoteGraph drive a graph in ${language === "js" ? "TypeScript" : "Python"}`, async (t) => {
    const { server } = await clientServer(t, language);
    const file = join(import.meta.dirname, "python/test_langgraph_sdk.py");
    const child = spawn(await pythonWith("langgraph"), [file], {
      env: {
        ...process.env,
        CREWSHIP_URL: server.url,
        CREWSHIP_API_KEY: server.apiKey!,
        LANGSMITH_TRACING: "false",
        PYTHONDONTWRITEBYTECODE: "1",
      },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    }
    const [code] = await once(child, "close");
    assert.equal(code, 0, said);
    assert.match(said, /Ran [1-9]\d* test/, "a file without tests tests nothing");
  });
}
