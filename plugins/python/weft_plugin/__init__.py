"""Weft plugins in Python: what a role is given, and what it may answer.

A plugin is a module `plugin` with one or more of the functions

    def filter(event: Event, context: Context) -> bool | Drop
    def transform(event: Event, context: Context) -> Patch | list[Patch] | Drop | None
    def route(event: Event, context: Context, destinations: list[Destination]) -> str | Target | list[str | Target] | Drop

They are ordinary functions of ordinary types: `Event.sample` makes events for native tests.
"""

import json as _json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Drop:
    """The event or output ends here, for this reason. Nothing is wrong."""

    reason: str


class Reject(Exception):
    """The event is a dead letter at once, and can be replayed. What else is raised is taken for it, with its place."""


class Retry(Exception):
    """The pass is to be run again, not before `after_ms` milliseconds if that is given."""

    def __init__(self, reason: str, after_ms: int | None = None):
        super().__init__(reason)
        self.after_ms = after_ms


class Event:
    """An event on its way through the steps."""

    def __init__(
        self,
        *,
        id: str,
        output: int,
        type: str,
        source: str,
        content_type: str,
        received_at: str,
        ordering_key: str | None,
        headers: Mapping[str, str],
        attributes: Mapping[str, str],
        data: str | bytes,
    ):
        self.id = id
        """`evt_…`: the same for all passes, outputs and replays of the event."""
        self.output = output
        """0, or from 1 on the place of this output after an earlier step has split the event."""
        self.type = type
        """What happened, like `order.created`."""
        self.source = source
        self.content_type = content_type
        self.received_at = received_at
        """When Weft accepted it: RFC 3339 in UTC."""
        self.ordering_key = ordering_key
        self.headers = headers
        """Inbound headers in lower case, only those that the step names."""
        self.attributes = attributes
        """What earlier steps set."""
        self.data = data
        """The body: text where its content type promises text and its bytes are UTF-8, else bytes."""

    @classmethod
    def sample(cls, data: str | bytes | Any = "", **members: Any) -> "Event":
        """An event for native tests; `data` that is neither text nor bytes is written as JSON."""
        whole: dict[str, Any] = {
            "id": "evt_00000000000000000000000001",
            "output": 0,
            "type": "order.created",
            "source": "api",
            "content_type": "application/json",
            "received_at": "2026-01-31T12:00:00.000Z",
            "ordering_key": None,
            "headers": {},
            "attributes": {},
            "data": data if isinstance(data, str | bytes) else _json.dumps(data),
        }
        return cls(**{**whole, **members})

    @cached_property
    def json(self) -> Any:
        """The body as JSON, parsed once; an event whose body is none is rejected."""
        try:
            return _json.loads(self.data)
        except ValueError as error:
            raise Reject(f"the body is not JSON: {error}") from error


@dataclass(frozen=True)
class Log:
    """Writes lines into the trace of the event. They are stored: write no body and no secret."""

    write: Callable[[str, str], None] = lambda level, message: print(f"{level}: {message}")

    def debug(self, message: str) -> None:
        self.write("debug", message)

    def info(self, message: str) -> None:
        self.write("info", message)

    def warn(self, message: str) -> None:
        self.write("warn", message)

    def error(self, message: str) -> None:
        self.write("error", message)


class Kv:
    """Values that the plugin keeps from event to event, for this tenant alone; in native tests, in memory.

    A pass reads its own writes. They are stored when the event ends routed or dropped, and not at all if the pass runs again or ends
    dead.
    """

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        """The JSON value under `key`, None if there is none that has not expired."""
        value = self._values.get(key)
        return None if value is None else _json.loads(value)

    def set(self, key: str, value: Any, ttl_seconds: int | None = None) -> None:
        """Keeps a JSON value of up to 64 KiB under a key of up to 256 bytes, for ever or so many seconds. Asks for a retry where there is
        no room."""
        self._values[key] = _json.dumps(value)

    def delete(self, key: str) -> None:
        self._values.pop(key, None)


@dataclass(frozen=True)
class Clock:
    """The time; without it, a plugin has the event's `received_at`."""

    now: Callable[[], str]
    """RFC 3339 in UTC with milliseconds."""
    unix_ms: Callable[[], int]
    """Milliseconds since 1970."""


@dataclass(frozen=True)
class Random:
    """Dice that nobody can foresee."""

    bytes: Callable[[int], bytes]
    """At most 4096 at once."""


@dataclass(frozen=True)
class Metrics:
    """Counters in the engine's metrics."""

    count: Callable[..., None]
    """`count(name, delta=1)`; names are 1 to 64 of a-z, 0-9 and _."""


class Secrets:
    """The secrets that the step names; one that it does not name is a rejection. In native tests, those that are given."""

    def __init__(self, **texts: str) -> None:
        self._texts = texts

    def hmac_sha256(self, name: str, data: str | bytes) -> bytes:
        """HMAC with SHA-256; the secret stays with the host."""
        # Not where the component is built: there the host does it.
        import hmac

        key = self.reveal(name).encode()
        return hmac.digest(key, data.encode() if isinstance(data, str) else data, "sha256")

    def reveal(self, name: str) -> str:
        """The secret's text, if the step lets it be read."""
        if name not in self._texts:
            raise Reject(f"the step names no secret {name}")
        return self._texts[name]


class _NotWanted:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, _: str) -> Any:
        raise RuntimeError(
            f'the plugin does not want {self._name}: add "{self._name}" to "wants" in plugin.json and build it again'
        )


@dataclass(frozen=True)
class Context:
    """What surrounds a call. What comes after the log must be among `wants` in plugin.json, and the step must grant it."""

    config: dict[str, Any] = field(default_factory=dict)
    """The step's configuration."""
    log: Log = field(default_factory=Log)
    kv: Kv = field(default_factory=lambda: _NotWanted("kv"))  # type: ignore[assignment]
    clock: Clock = field(default_factory=lambda: _NotWanted("clock"))  # type: ignore[assignment]
    random: Random = field(default_factory=lambda: _NotWanted("random"))  # type: ignore[assignment]
    metrics: Metrics = field(default_factory=lambda: _NotWanted("metrics"))  # type: ignore[assignment]
    secrets: Secrets = field(default_factory=lambda: _NotWanted("secrets"))  # type: ignore[assignment]


_UNCHANGED = object()


@dataclass(frozen=True, kw_only=True)
class Patch:
    """What changes; whatever is absent stays as it is."""

    type: str | None = None
    content_type: str | None = None
    ordering_key: str | None = None
    json: Any = _UNCHANGED
    """Another body, written as JSON; instead of `data`."""
    data: str | bytes | None = None
    """Another body, as it is."""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Headers of the outgoing request; None takes one back that an earlier step set."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """For later steps and the trace."""

    def __post_init__(self) -> None:
        if self.json is not _UNCHANGED and self.data is not None:
            raise TypeError("a patch has one body: json or data")

    @property
    def body(self) -> str | bytes | None:
        """The other body, if there is one."""
        if self.json is _UNCHANGED:
            return self.data
        return _json.dumps(self.json, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Destination:
    """A destination as a route may see it."""

    name: str
    kind: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One choice of a route: whom, with which changes for them alone."""

    named: str | None = None
    """The destination of this name, subscribed or not."""
    labelled: Mapping[str, str] | None = None
    """The subscribed destinations that carry all of these labels. With neither of the two: all that subscribe."""
    change: Patch = field(default_factory=Patch)
    method: str | None = None
    path: str | None = None
    query: str | None = None
    delay_ms: int | None = None

    def __post_init__(self) -> None:
        if self.named is not None and self.labelled is not None:
            raise TypeError("a target has named or labelled, not both")
