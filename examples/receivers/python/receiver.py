"""A receiver of webhooks in Python, on the library of Standard Webhooks: verify, take each delivery once, answer fast.

    pip install -r requirements.txt && WEBHOOK_SECRET=whsec_… python receiver.py
"""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from webhook_do import verify_webhook_do

secret = os.environ["WEBHOOK_SECRET"]
webhook = Webhook(secret)
# In production: a table with a unique key, written in the transaction that does the work.
seen = set()
# Requests come on several threads.
lock = threading.Lock()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        # The exact bytes: a body that was parsed and written again has another signature.
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            # A receiver does one of the two: by the headers, which is the standard, or by the signature in the body.
            if os.environ.get("FORMAT") == "webhook-do":
                verify_webhook_do(body, secret)
            else:
                webhook.verify(body, dict(self.headers.items()), json_parse=False)
        except (WebhookVerificationError, ValueError) as error:
            return self.answer(401, str(error).encode())
        # The same on every attempt: what has been taken is not taken again, and accepted all the same.
        webhook_id = self.headers["webhook-id"]
        with lock:
            is_new = webhook_id not in seen
            seen.add(webhook_id)
        # Answer first, within seconds; the work comes after that.
        self.answer(204)
        with lock:
            print(f"{'new' if is_new else 'again'} {webhook_id}", flush=True)

    def answer(self, status, body=b""):
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 0))), Receiver)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
