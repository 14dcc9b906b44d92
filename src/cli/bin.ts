#!/usr/bin/env node
/** `crewship` as it is installed: Node keeps what it has compiled, so that the next start need not. */
import { enableCompileCache } from "node:module";

enableCompileCache();
await import("./main.ts");
