// Verifies a body of the format webhook-do by the signature that stands last in it.

import { createHmac, timingSafeEqual } from "node:crypto";

const MARK = ',"signature":"sha256=';

/** Answers the payload's envelope; throws if `body`, a string, was not made with `secret` (whsec_…). */
export function verifyWebhookDo(body, secret) {
  const at = body.lastIndexOf(MARK);
  if (at < 0 || !body.endsWith('"}')) throw new Error("no signature at the end of the body");
  const signed = `${body.slice(0, at)}}`;
  const given = Buffer.from(body.slice(at + MARK.length, -2), "hex");
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const wanted = createHmac("sha256", key).update(signed, "utf8").digest();
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new Error("the signature is wrong");
  return JSON.parse(body);
}
