/** A TCP proxy of ours between a node and its database, which cuts connections in the middle of whatever they carry. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Tunnel {
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
        one.pipe(other);
      }
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
