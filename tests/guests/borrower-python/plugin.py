"""Uses everything that a step may grant; what came of it are attributes."""

from weft_plugin import Patch


def transform(event, context):
    key, number = event.json["id"], event.json["number"]
    if key == "full":
        context.kv.set("another", 1)
    if key == "reveal":
        context.secrets.reveal("pepper")
    if key == "unknown":
        context.secrets.hmac_sha256("other", "salt")
    seen = context.kv.get(key)
    context.kv.set(key, f"größe {number}", ttl_seconds=60)
    context.kv.delete("nothing there")
    context.metrics.count("orders")
    return Patch(
        attributes={
            "seen": seen or "",
            "now": context.clock.now(),
            "unix_ms": str(context.clock.unix_ms()),
            "random": str(len(context.random.bytes(4))),
            "mac": context.secrets.hmac_sha256("pepper", "salt").hex(),
        }
    )
