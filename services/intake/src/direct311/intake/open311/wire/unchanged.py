"""Answers that are the same for everybody for a day: made once, with an entity tag."""

from collections.abc import Callable, Mapping
from datetime import date
from hashlib import sha256

MAX_AGE = 300
"""How many seconds a cache need not ask again."""


class DailyCache:
    """The bodies of one day, by name. There are few names: a resource, a language, a format."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._bodies: dict[tuple[str, ...], tuple[bytes, str]] = {}

    def body(
        self, on: date, name: tuple[str, ...], make: Callable[[], bytes]
    ) -> tuple[bytes, Mapping[str, str]]:
        """The body, and the headers that allow caches to keep it (RFC 9110, section 8.8.3; RFC
        9111)."""
        if on != self._day:
            self._day, self._bodies = on, {}
        kept = self._bodies.get(name)
        if kept is None:
            body = make()
            kept = self._bodies[name] = (body, f'"{sha256(body).hexdigest()[:32]}"')
        body, tag = kept
        return body, {"ETag": tag, "Cache-Control": f"public, max-age={MAX_AGE}"}
