/** LangGraph's own client for Python, and RemoteGraph in a process of its own, against a real server. */
import { join } from "node:path";
import { test } from "node:test";
import { clientServer, languages } from "./fixtures/clients.ts";
import { pythonWith } from "./fixtures/python.ts";
import { passPython } from "./fixtures/python_tests.ts";

for (const language of languages) {
  test(`the Python SDK and RemoteGraph drive a graph in ${language === "js" ? "TypeScript" : "Python"}`, async (t) => {
    const { server } = await clientServer(t, language);
    await passPython(
      await pythonWith("langgraph"),
      [join(import.meta.dirname, "python/test_langgraph_sdk.py")],
      { CREWSHIP_URL: server.url, CREWSHIP_API_KEY: server.apiKey!, LANGSMITH_TRACING: "false" },
    );
  });
}
