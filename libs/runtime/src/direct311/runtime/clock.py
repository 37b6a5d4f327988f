"""Time and identifiers, behind ports so that tests can set them."""

from datetime import UTC, datetime
from typing import Protocol

from uuid_utils import compat


class Clock(Protocol):
    """Aware UTC instants, whole milliseconds."""

    def now(self) -> datetime: ...


class Ids(Protocol):
    """New identifiers: UUIDv7 as text (RFC 9562, section 5.7), so that they sort by age."""

    def new(self) -> str: ...


class SystemClock:
    def now(self) -> datetime:
        at = datetime.now(UTC)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)


class TimeOrderedIds:
    def new(self) -> str:
        return str(compat.uuid7())
