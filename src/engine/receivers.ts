/**
 * Which addresses may be told of runs. Whoever may start a run could otherwise have this server ask things of its own
 * network; so addresses that are not public are refused, when they are named and again at each connection.
 */
import { lookup as resolve } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { Problem } from "../core/problem.ts";
import { MAX_URL_LENGTH } from "../core/run.ts";

const notPublic = new BlockList();
// IANA's special-purpose address registries (RFC 6890 and its successors).
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  notPublic.addSubnet(network, prefix, "ipv4");
}
/** Only the global unicast range is public, and in it not the tunnels to IPv4 nor the documentation's. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");
for (const [network, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
] as const) {
  notPublic.addSubnet(network, prefix, "ipv6");
}

/** An address everyone could reach. IPv4 in IPv6's clothes counts as what it is. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !notPublic.check(address, "ipv4");
  const plain = address.split("%")[0]!;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  if (mapped !== undefined) return isPublicAddress(mapped);
  return family === 6 && globalUnicast.check(plain, "ipv6") && !notPublic.check(plain, "ipv6");
}

/** Throws a 400 unless the address is one this server may send to. */
export async function checkReceiver(url: string, allowPrivate: boolean): Promise<void> {
  const refuse = (why: string) => {
    throw new Problem("bad_request", { message: `The webhook's address ${why}` });
  };
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || url.length > MAX_URL_LENGTH) {
    return refuse("must be an http or https URL, such as https://example.com/hooks.");
  }
  if (parsed.username || parsed.password) return refuse("must not hold a name and password.");
  if (allowPrivate) return;
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  const addresses = isIP(host) ? [host] : await addressesOf(host);
  if (addresses.length === 0) return refuse(`names a host that does not resolve: ${host}.`);
  const hidden = addresses.find((address) => !isPublicAddress(address));
  if (hidden !== undefined) {
    refuse(
      `leads to ${hidden}, which is not public. The server's --webhook-allow-private allows such addresses.`,
    );
  }
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await resolve(host, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}
