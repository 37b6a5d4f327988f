"""The JSON body of a signed event: what of it can be kept, and shown again.

A schema ignores members that it does not know, and a signature covers them all the same. What the
offline verifier would not read, or no answer could show, has no place in the log.
"""

from math import isfinite
from typing import Any

from direct311.verifier.event import MalformedEventError, decode_json

DEEPEST = 32
"""Objects and lists within each other. Ours have three."""

LARGEST_NUMBER = 2**53 - 1
"""Greater numbers are not the same to every reader of JSON (RFC 8259, section 6)."""


class BoundsError(Exception):
    """A number in the event is beyond what any service counts."""


def decode_body(body: bytes) -> Any:
    """The body, of which every reader makes the same.

    :raises MalformedEventError: not JSON with one meaning, or it holds what cannot be written as
        JSON in UTF-8 again: a number that is not finite, half a character, lists within lists.
    """
    value = decode_json(body)
    if not _can_be_shown(value, DEEPEST):
        raise MalformedEventError("it cannot be shown")
    return value


def check_numbers(value: Any) -> None:
    """Look at the numbers in a body that was decoded here. :raises BoundsError:"""
    if isinstance(value, int | float) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        raise BoundsError
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for part in parts:
            check_numbers(part)


def _can_be_shown(value: Any, deeper: int) -> bool:
    if isinstance(value, str):
        return _is_text(value)
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, dict):
        return deeper > 0 and all(
            _is_text(name) and _can_be_shown(part, deeper - 1) for name, part in value.items()
        )
    if isinstance(value, list):
        return deeper > 0 and all(_can_be_shown(part, deeper - 1) for part in value)
    return True


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
