/**
 * Where one forked process connects: a Unix socket in a folder of its own, which only this user may enter, open until
 * the process has presented its token once for each of its three channels. Afterwards nothing is left on the disk.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CannotFork } from "./errors.ts";

const TOKEN_BYTES = 16;
/** What the system takes as a socket's path, on the system that takes least. */
const MAX_PATH_BYTES = 103;

/** The channels by the descriptor each has in a fresh process. */
const CHANNELS = { 1: "stdout", 2: "stderr", 3: "pipe" } as const;
type Channel = (typeof CHANNELS)[keyof typeof CHANNELS];
export type Channels = Record<Channel, Socket>;

export class ForkSocket {
  readonly path: string;
  readonly token: string = randomBytes(TOKEN_BYTES).toString("hex");
  /** Resolves when all three channels are there. */
  readonly connected: Promise<Channels>;
  readonly #folder: string;
  readonly #server: Server;
  readonly #connecting = Promise.withResolvers<Channels>();
  readonly #channels: Partial<Channels> = {};
  /** Connections that have not said who they are. */
  readonly #strangers = new Set<Socket>();

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, "s");
    this.connected = this.#connecting.promise;
    this.#server = createServer((socket) => this.#greet(socket));
  }

  static async open(): Promise<ForkSocket> {
    const one = new ForkSocket(await mkdtemp(join(tmpdir(), "crewship-")));
    try {
      await one.#listen();
    } catch (error) {
      await one.close();
      throw error;
    }
    return one;
  }

  /** Nobody connects any more. The channels live on if all are there, else they are closed. */
  async close(): Promise<void> {
    this.#server.close();
    for (const stranger of this.#strangers) stranger.destroy();
    if (!isComplete(this.#channels)) for (const channel of Object.values(this.#channels)) channel.destroy();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #listen(): Promise<void> {
    if (Buffer.byteLength(this.path) > MAX_PATH_BYTES) {
      throw new CannotFork(`the path of its socket, ${this.path}, is too long: set TMPDIR to a shorter one`);
    }
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.path, resolve);
    });
  }

  #greet(socket: Socket): void {
    this.#strangers.add(socket);
    socket.on("close", () => this.#strangers.delete(socket));
    // A connection that breaks is reported by its end, or by the exit of the process.
    socket.on("error", () => {});
    // Read by size and not as a flow of data: what follows the greeting is another's to read.
    const read = () => {
      const greeting = socket.read(TOKEN_BYTES * 2 + 1) as Buffer | null;
      if (greeting === null) return;
      socket.off("readable", read);
      this.#strangers.delete(socket);
      const channel = this.#channelOf(greeting.toString("latin1"));
      if (!channel || this.#channels[channel]) {
        socket.destroy();
        return;
      }
      this.#channels[channel] = socket;
      if (isComplete(this.#channels)) this.#connecting.resolve(this.#channels);
    };
    socket.on("readable", read);
  }

  #channelOf(greeting: string): Channel | undefined {
    const [token, digit] = [greeting.slice(0, -1), greeting.slice(-1)];
    if (!timingSafeEqual(Buffer.from(token, "latin1"), Buffer.from(this.token, "latin1"))) return undefined;
    return CHANNELS[Number(digit) as keyof typeof CHANNELS];
  }
}

function isComplete(channels: Partial<Channels>): channels is Channels {
  return Object.keys(channels).length === Object.keys(CHANNELS).length;
}
