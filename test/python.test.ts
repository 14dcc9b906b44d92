/** The tests written in Python, under every interpreter and with every framework they are about. */
import { join } from "node:path";
import { test } from "node:test";
import { interpreters, pythonWith } from "./fixtures/python.ts";
import { passPython } from "./fixtures/python_tests.ts";

const FOLDER = join(import.meta.dirname, "python");

const pass = (python: string, pattern: string) =>
  passPython(python, ["-m", "unittest", "discover", "-s", FOLDER, "-p", pattern]);

for (const [version, python] of interpreters()) {
  test(`the codec in Python ${version}`, () => pass(python, "test_codec*.py"));
}
test("the codec with LangGraph", async () => pass(await pythonWith("langgraph"), "test_codec*.py"));
test("the codec with LangGraph 0.2", async () => pass(await pythonWith("langgraph-0.2"), "test_codec*.py"));
test("crews and flows", async () => pass(await pythonWith("crewai"), "test_crewai.py"));
