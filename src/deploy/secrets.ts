/** Seals the values of variables with AES-256-GCM, so that the database alone does not hold them. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { Problem } from "../core/problem.ts";

export const SECRET_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

type Key = { id: string; bytes: Uint8Array };
export type Sealed = { key_id: string; sealed: Uint8Array };

export class Secrets {
  readonly #given: Uint8Array | null;
  readonly #path: string | null;
  #key: Key | undefined;

  /** `given`: CREWSHIP_SECRET_KEY. `path`: the file that holds a key of our own making; null: other nodes could not read it. */
  constructor({ given, path }: { given: Uint8Array | null; path: string | null }) {
    this.#given = given;
    this.#path = path;
  }

  /** `context` is part of the seal: a value opens only where it was meant for. */
  seal(text: string, context: string): Sealed {
    const key = this.#ours(true);
    if (!key) throw new Problem("no_secret_key");
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key.bytes, nonce).setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return { key_id: key.id, sealed: Buffer.concat([nonce, cipher.getAuthTag(), body]) };
  }

  /** Throws an Error that says what to do when this node has another key. */
  open({ key_id, sealed }: Sealed, context: string): string {
    const key = this.#ours(false);
    if (key?.id !== key_id)
      throw new Error(
        "This node has not the key that the deployment's variables were sealed with. Set the same CREWSHIP_SECRET_KEY on every node, or set the variables again.",
      );
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    const cipher = createDecipheriv(CIPHER, key.bytes, nonce).setAAD(Buffer.from(context)).setAuthTag(tag);
    return Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), cipher.final()]).toString(
      "utf8",
    );
  }

  #ours(mayMake: boolean): Key | undefined {
    if (this.#key) return this.#key;
    const bytes = this.#given ?? this.#fromFile(mayMake);
    if (!bytes) return undefined;
    const id = createHash("sha256").update("crewship key").update(bytes).digest("hex").slice(0, 16);
    this.#key = { id, bytes };
    return this.#key;
  }

  #fromFile(mayMake: boolean): Uint8Array | undefined {
    const path = this.#path;
    if (path === null) return undefined;
    if (!existsSync(path)) {
      if (!mayMake) return undefined;
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(path, `${randomBytes(SECRET_KEY_BYTES).toString("base64")}\n`, {
        mode: 0o600,
        flag: "wx",
      });
      chmodSync(path, 0o600);
    }
    const bytes = Buffer.from(readFileSync(path, "utf8").trim(), "base64");
    if (bytes.length !== SECRET_KEY_BYTES)
      throw new Error(
        `${path} does not hold ${SECRET_KEY_BYTES} bytes in base64. Put it back from your backup.`,
      );
    return bytes;
  }
}
