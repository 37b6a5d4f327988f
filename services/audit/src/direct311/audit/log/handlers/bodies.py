"""The JSON body of a signed event: what the log can keep and show again.

A schema ignores unknown members, but the signature covers them. A body that the offline verifier
could not read, or no answer could show, has no place in the log.
"""

import json
from math import isfinite
from typing import Any

from direct311.verifier.event import MalformedEventError, decode_json

DEEPEST = 32
"""The deepest nesting of objects and lists. Ours have three levels."""

LARGEST_NUMBER = 2**53 - 1
"""Not every JSON reader agrees on larger numbers (RFC 8259, section 6)."""


class BoundsError(Exception):
    """A number in the event is beyond what any service counts."""


class _NotPlainError(Exception):
    """The body needs the thorough check."""


def check_body(body: bytes) -> None:
    """Check a body without keeping what it says.

    Nearly all bodies are plain: ASCII without escapes, with few lists and objects, and short whole
    numbers only. Each append waits for this, so a plain body is read once and not walked through.
    Any other body, and any that is wrong, gets the thorough check, which says what is wrong.

    :raises MalformedEventError: see `decode_body`. :raises BoundsError: see `check_numbers`.
    """
    if not _is_plain(body):
        check_numbers(decode_body(body))


def _is_plain(body: bytes) -> bool:
    # A zero byte could mean UTF-16.
    if not body.isascii() or b"\\" in body or b"\0" in body:
        return False
    if body.count(b"{") + body.count(b"[") > DEEPEST:
        return False
    try:
        _PLAIN.decode(body.decode())
    except (ValueError, _NotPlainError):
        return False
    return True


def _members(pairs: list[tuple[str, None]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _NotPlainError


def _short(digits: str) -> None:
    if len(digits) > _SHORT:
        raise _NotPlainError


def _not_plain(_: str) -> None:
    raise _NotPlainError


_SHORT = len(str(LARGEST_NUMBER)) - 1
"""A whole number with so many characters is never too large."""

_PLAIN = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_short, parse_float=_not_plain, parse_constant=_not_plain
)


def decode_body(body: bytes) -> Any:
    """The body, which every reader reads in the same way.

    :raises MalformedEventError: not unambiguous JSON, or it contains something that cannot be
    written as JSON in UTF-8 again: a number that is not finite, half a character, deeply nested
    lists.
    """
    value = decode_json(body)
    if not _can_be_shown(value, DEEPEST):
        raise MalformedEventError("it cannot be shown")
    return value


def check_numbers(value: Any) -> None:
    """Check the numbers in a body that was decoded here. :raises BoundsError:"""
    if isinstance(value, int | float) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise BoundsError
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for part in parts:
            check_numbers(part)


def _can_be_shown(value: Any, deeper: int) -> bool:
    # Each append waits for this, so the most frequent cases come first and cost no further call.
    if isinstance(value, str):
        return value.isascii() or _is_text(value)
    if isinstance(value, dict):
        if deeper <= 0:
            return False
        for name, part in value.items():
            if not (name.isascii() or _is_text(name)) or not _can_be_shown(part, deeper - 1):
                return False
        return True
    if isinstance(value, list):
        return deeper > 0 and all(_can_be_shown(part, deeper - 1) for part in value)
    return not isinstance(value, float) or isfinite(value)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
