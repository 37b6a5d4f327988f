"""Where a page of a list ends, as callers get it and send it back."""

import base64
import binascii
import re
from datetime import UTC, datetime

from direct311.intake.work.domain.listing import INSTANT, Position
from direct311.runtime.errors import RefusedError
from direct311.runtime.parameters import FIRST, LAST

_POSITION = re.compile(r"([0-9]{1,15})\|([A-Za-z0-9_-]{0,64}|~)")


def cursor_of(position: Position) -> str:
    """The position as callers send it back."""
    milliseconds = (position.at - _EPOCH) // INSTANT
    text = f"{milliseconds - _FIRST_MS}|{position.record_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> Position:
    """:raises RefusedError: it is not one of our cursors."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = _POSITION.fullmatch(base64.b64decode(padded, b"-_", validate=True).decode("ascii"))
        if found is not None:
            at = _EPOCH + INSTANT * (int(found[1]) + _FIRST_MS)
            if FIRST <= at <= LAST:
                return Position(at, found[2])
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise RefusedError(
        "cursor", "Send back the `next` of the previous page, unchanged.", field="cursor"
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (FIRST - _EPOCH) // INSTANT
