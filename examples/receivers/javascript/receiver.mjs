// A receiver of webhooks in Node.js, on the library of Standard Webhooks: verify, take each delivery once, answer fast.
//
//     npm install && WEBHOOK_SECRET=whsec_… node receiver.mjs

import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";
import { verifyWebhookDo } from "./webhook-do.mjs";

const secret = process.env.WEBHOOK_SECRET;
const webhook = new Webhook(secret);
// In production: a table with a unique key, written in the transaction that does the work.
const seen = new Set();

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  // The exact bytes: a body that was parsed and written again has another signature.
  const body = Buffer.concat(chunks).toString("utf8");
  try {
    // A receiver does one of the two: by the headers, which is the standard, or by the signature in the body.
    if (process.env.FORMAT === "webhook-do") verifyWebhookDo(body, secret);
    else webhook.verify(body, request.headers);
  } catch (error) {
    response.writeHead(401).end(String(error.message));
    return;
  }
  // The same on every attempt: what has been taken is not taken again, and accepted all the same.
  const id = request.headers["webhook-id"];
  const isNew = !seen.has(id);
  seen.add(id);
  // Answer first, within seconds; the work comes after that.
  response.writeHead(204).end();
  console.log(`${isNew ? "new" : "again"} ${id}`);
});

server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
