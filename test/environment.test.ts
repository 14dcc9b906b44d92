import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEnv } from "node:util";
import { agentEnvironment } from "../src/runner/environment.ts";

const caller = {
  PATH: "/bin",
  HOME: "/home/a",
  TMPDIR: "/tmp",
  LANG: "C",
  LC_TIME: "de_DE",
  TZ: "UTC",
  HTTPS_PROXY: "http://proxy",
  no_proxy: "localhost",
  NODE_EXTRA_CA_CERTS: "/ca.pem",
  SSL_CERT_FILE: "/cert.pem",
  AWS_SECRET_ACCESS_KEY: "secret",
  CREWSHIP_API_KEY: "key",
  CREWSHIP_DATABASE_URL: "postgres://secret",
  GONE: undefined,
};

test("dev passes the caller's environment and never a CREWSHIP_ variable, whether from the caller or from .env", () => {
  const own = parseEnv('OPENAI_API_KEY="sk-1"\nCREWSHIP_URL=https://x\nTZ=Europe/Berlin\n') as Record<
    string,
    string
  >;
  const env = agentEnvironment("dev", caller, own);
  assert.equal(env.AWS_SECRET_ACCESS_KEY, "secret");
  assert.equal(env.OPENAI_API_KEY, "sk-1");
  assert.equal(env.TZ, "Europe/Berlin", "the project's own value wins");
  assert.deepEqual(
    Object.keys(env).filter((name) => name.startsWith("CREWSHIP_")),
    [],
  );
  assert.ok(!("GONE" in env));
});

test("serve passes only what any program needs, and the deployment's own variables", () => {
  const env = agentEnvironment("serve", caller, { OPENAI_API_KEY: "sk-1", CREWSHIP_URL: "https://other" });
  assert.deepEqual(env, {
    PATH: "/bin",
    HOME: "/home/a",
    TMPDIR: "/tmp",
    LANG: "C",
    LC_TIME: "de_DE",
    TZ: "UTC",
    HTTPS_PROXY: "http://proxy",
    no_proxy: "localhost",
    NODE_EXTRA_CA_CERTS: "/ca.pem",
    SSL_CERT_FILE: "/cert.pem",
    OPENAI_API_KEY: "sk-1",
    CREWSHIP_URL: "https://other",
  });
});
