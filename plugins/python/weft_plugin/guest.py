"""What stands between the host and a plugin's functions: it makes events of records, and answers of what a function returns.

`weft plugin build` makes the component's module from it; no plugin imports it.
"""

import json
import traceback
from typing import Any, NoReturn

from componentize_py_types import Err
from wit_world.imports import config as host_config
from wit_world.imports import log as host_log
from wit_world.imports import types as wit

from weft_plugin import (
    Clock,
    Context,
    Destination,
    Drop,
    Event,
    Kv,
    Log,
    Metrics,
    Patch,
    Random,
    Reject,
    Retry,
    Secrets,
    Target,
)

try:
    from wit_world.imports import kv as host_kv
except ImportError:
    host_kv = None
try:
    from wit_world.imports import clock as host_clock
except ImportError:
    host_clock = None
try:
    from wit_world.imports import random as host_random
except ImportError:
    host_random = None
try:
    from wit_world.imports import metrics as host_metrics
except ImportError:
    host_metrics = None
try:
    from wit_world.imports import secrets as host_secrets
except ImportError:
    host_secrets = None

_LEVELS = {level.name.lower(): level for level in host_log.Level}
_context: Context | None = None


def context() -> Context:
    """The configuration is read at the first call: while the component is built there is none."""
    global _context
    if _context is None:
        write = lambda level, message: host_log.log(_LEVELS[level], str(message))
        _context = Context(config=json.loads(host_config.get() or "{}"), log=Log(write), **_granted())
    return _context


def _granted() -> dict[str, Any]:
    """What plugin.json wants; what it does not want says what to do about it when it is used."""
    granted: dict[str, Any] = {}
    if host_kv is not None:
        granted["kv"] = _HostKv()
    if host_clock is not None:
        granted["clock"] = Clock(now=host_clock.now, unix_ms=lambda: int(host_clock.unix_ms()))
    if host_random is not None:
        granted["random"] = Random(bytes=lambda count: bytes(host_random.bytes(count)))
    if host_metrics is not None:
        granted["metrics"] = Metrics(count=lambda name, delta=1: host_metrics.count(name, delta))
    if host_secrets is not None:
        granted["secrets"] = _HostSecrets()
    return granted


class _HostKv(Kv):
    def get(self, key: str) -> Any:
        value = host_kv.get(key)
        return None if value is None else json.loads(bytes(value))

    def set(self, key: str, value: Any, ttl_seconds: int | None = None) -> None:
        try:
            host_kv.set(key, json.dumps(value).encode(), ttl_seconds)
        except Err as refused:
            why = _word(refused)
            if why == "full":
                raise Retry("the plugin keeps as much as it may (kv_entries_max, kv_bytes_max)") from None
            raise ValueError(f"the {why} is too long to be kept") from None

    def delete(self, key: str) -> None:
        host_kv.delete(key)


class _HostSecrets(Secrets):
    def hmac_sha256(self, name: str, data: str | bytes) -> bytes:
        try:
            return bytes(host_secrets.hmac_sha256(name, data.encode() if isinstance(data, str) else data))
        except Err as refused:
            raise _unusable(name, refused) from None

    def reveal(self, name: str) -> str:
        try:
            return host_secrets.reveal(name)
        except Err as refused:
            raise _unusable(name, refused) from None


def _unusable(name: str, refused: Err) -> Reject:
    if _word(refused) == "hidden":
        return Reject(f"the step does not let the secret {name} be read: reveal = true would")
    return Reject(f"the step names no secret {name}")


def _word(refused: Err) -> str:
    return refused.value.name.lower()


def event_of(record: wit.Event) -> Event:
    return Event(
        id=record.id,
        output=record.output,
        type=record.event_type,
        source=record.source,
        content_type=record.content_type,
        received_at=record.received_at,
        ordering_key=record.ordering_key,
        headers=_members(record.headers),
        attributes=_members(record.attributes),
        data=record.data.value,
    )


def filter(role: Any, record: wit.Event) -> Any:
    try:
        answer = role(event_of(record), context())
        if isinstance(answer, Drop):
            return wit.Verdict_Drop(answer.reason)
        if answer is True:
            return wit.Verdict_Keep()
        if answer is False:
            return wit.Verdict_Drop("the filter answered False")
        raise TypeError(f"filter returned {type(answer).__name__}; it answers True, False or Drop")
    except Exception as raised:
        _fail(raised)


def transform(role: Any, record: wit.Event) -> Any:
    try:
        answer = role(event_of(record), context())
        if isinstance(answer, Drop):
            return wit.Outputs_Drop(answer.reason)
        if answer is None:
            answer = Patch()
        return wit.Outputs_Events([_patch(it) for it in (answer if isinstance(answer, list) else [answer])])
    except Exception as raised:
        _fail(raised)


def route(role: Any, record: wit.Event, destinations: list[wit.Destination]) -> Any:
    try:
        seen = [Destination(it.name, it.kind, _members(it.labels)) for it in destinations]
        answer = role(event_of(record), context(), seen)
        if isinstance(answer, Drop):
            return wit.Targets_Drop(answer.reason)
        return wit.Targets_Send([_target(it) for it in (answer if isinstance(answer, list) else [answer])])
    except Exception as raised:
        _fail(raised)


def _members(pairs: list[wit.Header]) -> dict[str, str]:
    return {pair.name: pair.value for pair in pairs}


def _pairs(members: Any) -> list[wit.Header]:
    return [wit.Header(name, str(value)) for name, value in members.items()]


def _patch(change: Any) -> wit.Patch:
    if not isinstance(change, Patch):
        raise TypeError(f"{type(change).__name__} is no Patch")
    body = change.body
    data = None
    if isinstance(body, str):
        data = wit.Payload_Text(body)
    elif body is not None:
        data = wit.Payload_Binary(bytes(body))
    return wit.Patch(
        change.type,
        change.content_type,
        change.ordering_key,
        data,
        _pairs({name: value for name, value in change.headers.items() if value is not None}),
        [name for name, value in change.headers.items() if value is None],
        _pairs(change.attributes),
    )


def _target(answer: Any) -> wit.Target:
    if isinstance(answer, str):
        answer = Target() if answer == "subscribed" else Target(named=answer)
    if not isinstance(answer, Target):
        raise TypeError(f'{type(answer).__name__} is no target; route answers "subscribed", a name, Target or Drop')
    to: Any = wit.Recipients_Subscribed()
    if answer.named is not None:
        to = wit.Recipients_Named(answer.named)
    elif answer.labelled is not None:
        to = wit.Recipients_Labelled(_pairs(answer.labelled))
    request = wit.Overrides(answer.method, answer.path, answer.query, answer.delay_ms)
    return wit.Target(to, _patch(answer.change), request)


def _fail(raised: Exception) -> NoReturn:
    """What was raised, as the contract's failure. What nobody meant to raise is a rejection that says where."""
    if isinstance(raised, Retry):
        raise Err(wit.Failure_Retry(wit.Later(str(raised), raised.after_ms)))
    if isinstance(raised, Reject):
        raise Err(wit.Failure_Reject(str(raised)))
    places = traceback.extract_tb(raised.__traceback__)
    place = next((it for it in reversed(places) if not it.filename.endswith("guest.py")), None)
    where = "" if place is None else f" ({place.name} in {place.filename.rsplit('/', 1)[-1]}, line {place.lineno})"
    raise Err(wit.Failure_Reject(f"{type(raised).__name__}: {raised}{where}"))
