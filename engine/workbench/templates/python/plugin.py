"""Keeps orders from a total on, and marks them as large."""

from weft_plugin import Context, Drop, Event, Patch, Reject


def filter(event: Event, context: Context) -> bool | Drop:
    total = event.json.get("total")
    if not isinstance(total, int | float):
        raise Reject("the order has no total")
    least = context.config.get("min_total", 0)
    return total >= least or Drop(f"a total of {total} is below {least}")


def transform(event: Event, context: Context) -> Patch:
    return Patch(json={**event.json, "large": True}, attributes={"size": "large"})
