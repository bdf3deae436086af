"""Verifies a body of the format webhook-do by the signature that stands last in it."""

import base64
import hashlib
import hmac
import json

MARK = b',"signature":"sha256='


def verify_webhook_do(body, secret):
    """Answers the payload's envelope; raises ValueError if `body`, bytes, was not made with `secret` (whsec_…)."""
    signed, mark, rest = body.rpartition(MARK)
    if not mark or not rest.endswith(b'"}'):
        raise ValueError("no signature at the end of the body")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = hmac.new(key, signed + b"}", hashlib.sha256).hexdigest()
    if not hmac.compare_digest(rest[:-2], wanted.encode()):
        raise ValueError("the signature is wrong")
    return json.loads(body)
