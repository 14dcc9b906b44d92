/** Which environment variables an agent process gets. Pure: the caller's environment comes in as an argument. */

/** What a program needs to run at all, reach the network and check a certificate. Nothing that may be a secret. */
const SERVE_PASSES = new Set([
  "PATH",
  "HOME",
  "TMPDIR",
  "LANG",
  "TZ",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "no_proxy",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "REQUESTS_CA_BUNDLE",
]);

/**
 * `dev` passes the caller's environment and the project's .env (`own`), both without CREWSHIP_* variables: they hold
 * the CLI's key and the server's database address. `serve` passes only what any program needs, and all of the
 * deployment's own variables, which an admin set for this agent. Where both have a name, `own` wins.
 */
export function agentEnvironment(
  mode: "dev" | "serve",
  caller: Record<string, string | undefined>,
  own: Record<string, string>,
): Record<string, string> {
  const isOurs = (name: string) => name.startsWith("CREWSHIP_");
  const passes =
    mode === "dev"
      ? (name: string) => !isOurs(name)
      : (name: string) => SERVE_PASSES.has(name) || name.startsWith("LC_");
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(caller)) {
    if (value !== undefined && passes(name)) result[name] = value;
  }
  for (const [name, value] of Object.entries(own)) {
    if (mode === "serve" || !isOurs(name)) result[name] = value;
  }
  return result;
}
