/**
 * Sees to it that there is a Chromium for the tests of the console: the system's, or on Debian and Ubuntu, for root, the
 * distribution's package. Where that is not possible the tests are skipped, and say so.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chromiumPath, noBrowser } from "./fixtures/browser.ts";

const INSTALL_MS = 10 * 60_000;

if (chromiumPath !== undefined) console.log(chromiumPath);
else if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
  const options = {
    stdio: "inherit",
    timeout: INSTALL_MS,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  } as const;
  spawnSync("apt-get", ["update", "-q"], options);
  const { status } = spawnSync(
    "apt-get",
    ["install", "-y", "-q", "--no-install-recommends", "chromium"],
    options,
  );
  if (status !== 0) console.error("Chromium could not be installed: the tests of the console are skipped.");
} else console.error(`${noBrowser}. The tests of the console are skipped.`);
