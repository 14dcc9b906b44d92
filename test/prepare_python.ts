/** Makes the tools and environments the tests of Python need, so that no test waits for them. Prints where the tools are. */
import { interpreters, pythonWith, type Requirements, tools } from "./fixtures/python.ts";

const found = interpreters();
if (found.length === 0) {
  console.error(
    "No Python from 3.10 on was found. Install one with its venv module (Debian: python3 and python3-venv).",
  );
  process.exit(1);
}
console.error(`Python ${found.map(([version]) => version).join(", ")}`);
const all: Requirements[] = ["langgraph", "langgraph-0.2", "crewai"];
const folder = tools();
for (const requirements of all) await pythonWith(requirements);
console.log(folder);
