/** A TCP proxy of ours between a node and its database, which cuts connections in the middle of whatever they carry. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Transform } from "node:stream";

/** What a commit looks like on its way: https://www.postgresql.org/docs/current/protocol-message-formats.html, Query. */
const COMMIT = Buffer.from("Q\0\0\0\x0bcommit\0");

/** Lost, it is as if the connection had broken just before; not answered, just after it was made. */
export type CommitFate = "passes" | "is lost" | "is not answered";

export class Tunnel {
  /** Asked at each commit a client sends. */
  atCommit: () => CommitFate = () => "passes";
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #refuses = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<Tunnel> {
    const server = createServer();
    const tunnel = new Tunnel(server);
    server.on("connection", (client) => {
      if (tunnel.#refuses) return void client.destroy();
      const upstream = connect(port, "127.0.0.1");
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        tunnel.#open.add(one);
        one
          .on("error", () => undefined)
          .on("close", () => {
            tunnel.#open.delete(one);
            other.destroy();
          });
      }
      upstream.pipe(client);
      const commits = new Transform({
        transform(bytes: Buffer, _, done) {
          const fate = bytes.includes(COMMIT) ? tunnel.atCommit() : "passes";
          if (fate === "is lost") client.destroy();
          else if (fate === "is not answered") {
            upstream.unpipe(client);
            upstream.once("data", () => client.destroy()).resume();
          }
          if (fate !== "is lost") this.push(bytes);
          done();
        },
      });
      client.pipe(commits).pipe(upstream);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return tunnel;
  }

  /** The address with this proxy's in place of the database's own. */
  through(url: string): string {
    const address = new URL(url);
    address.port = String((this.#server.address() as AddressInfo).port);
    return address.href;
  }

  /** Cuts every connection there is. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** The database is out of reach until `mend`. */
  refuse(): void {
    this.#refuses = true;
    this.cut();
  }

  mend(): void {
    this.#refuses = false;
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
