/** One POST to a stranger's server: signed, bounded in time and in what is read of the answer, never redirected. */
import { createHmac } from "node:crypto";
import { lookup as resolve } from "node:dns";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { isPublicAddress } from "./receivers.ts";

const ATTEMPT_MS = 10_000;
/** Of an answer that is no success, so much is kept to show. */
const MAX_ANSWER_BYTES = 1_024;

export type Parcel = { url: string; event: string; delivery_id: string; body: string; secret: string };
/** `status` null: there was no answer. */
export type Receipt = { status: number | null; error: string | null };

/** `sha256=<hex>` of HMAC-SHA256 over `timestamp.body`, keyed with the secret's text. */
export function signature(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`;
}

/** Resolves however it goes. */
export function post(parcel: Parcel, allowPrivate: boolean, stop: AbortSignal): Promise<Receipt> {
  const { url, event, delivery_id, body, secret } = parcel;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, "");
  if (!allowPrivate && isIP(host) && !isPublicAddress(host)) {
    return Promise.resolve({ status: null, error: `${host} is not a public address.` });
  }
  return new Promise((settle) => {
    const fail = (error: Error) => settle({ status: null, error: error.message });
    const send = target.protocol === "https:" ? requestHttps : requestHttp;
    const request = send(
      target,
      {
        method: "POST",
        agent: false,
        signal: AbortSignal.any([AbortSignal.timeout(ATTEMPT_MS), stop]),
        ...(allowPrivate ? {} : { lookup: publicOnly }),
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "user-agent": "crewship",
          "x-crewship-event": event,
          "x-crewship-delivery": delivery_id,
          "x-crewship-timestamp": timestamp,
          "x-crewship-signature": signature(secret, timestamp, body),
        },
      },
      (response) => {
        const status = response.statusCode ?? 0;
        const ok = status >= 200 && status < 300;
        let text = "";
        const finish = () => {
          response.destroy();
          settle({ status, error: ok ? null : `It answered ${status}${text ? `: ${text}` : "."}` });
        };
        if (ok) return finish();
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          text = (text + piece).slice(0, MAX_ANSWER_BYTES);
          if (text.length >= MAX_ANSWER_BYTES) finish();
        });
        response.on("end", finish);
        response.on("error", finish);
      },
    );
    request.on("error", fail);
    request.end(body);
  });
}

/** Names are looked up again at each connection: what was public when it was named may lead elsewhere now. */
const publicOnly: LookupFunction = (host, options, done) => {
  resolve(host, { ...options, all: true }, (error, found) => {
    if (error) return done(error, "", 0);
    const hidden = found.find(({ address }) => !isPublicAddress(address));
    if (hidden) return done(new Error(`${host} leads to ${hidden.address}, which is not public.`), "", 0);
    if (options.all) done(null, found);
    else done(null, found[0]!.address, found[0]!.family);
  });
};
