"""Time and identifiers, behind ports so that tests can set them."""

import time
from datetime import UTC, datetime
from typing import Protocol

import uuid_utils


class Clock(Protocol):
    """Aware UTC instants, whole milliseconds."""

    def now(self) -> datetime: ...


class Ids(Protocol):
    """New identifiers: UUIDv7 as text (RFC 9562, section 5.7), so that they sort by age."""

    def new(self) -> str: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)


class TimeOrderedIds:
    def new(self) -> str:
        return str(uuid_utils.uuid7())
