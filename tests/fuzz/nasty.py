"""What people type, and machines send, from the nasty ends: times, numbers and texts."""

from collections.abc import Iterator, Mapping
from typing import Any

TIMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2016-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-03-02T12:00:00",
    "9999-12-31",
    "0001-01-01",
    "P999999999D",
    "-P999999999D",
)
NUMBERS = (
    -1,
    2**31,
    2**63,
    2**130,
    -(2**130),
    1e308,
    -1e308,
    5e-324,
    -0.0,
    "NaN",
    "Infinity",
    "9" * 5_000,
    "\u0661\u0662",
    True,
)
TEXTS = (
    "",
    " \t\r\n",
    "\u200b\u3164\u2800",
    "\u202egnp.exe\u202c",
    "\x00",
    "\x1b[2J\x1b]0;x\x07",
    '\u200b=HYPERLINK("http://127.0.0.1")',
    "'; DROP TABLE requests; --",
    '{"$gt": ""}',
    "$where",
    "../../../../etc/passwd",
    "%00%2e%2e%2f",
    "a" + "\u0301" * 300,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 40,
    "\ufdfa" * 200,
    "\ue000\uffff",
    "&#x34;&#49;" * 100,
    "0" * 3_000,
    "one two three four five " * 100,
    "<script>alert(1)</script>",
    "]]><!DOCTYPE x [<!ENTITY a 'b'>]>",
)
OTHERS: tuple[Any, ...] = (None, [], {}, [[[[[]]]]], {"$ne": None})
"""Values of another type than any place asks for."""


def nasty(schema: Mapping[str, Any]) -> tuple[Any, ...]:
    """What is sent in place of a value of this schema."""
    told = str(schema)
    if "date" in told or "duration" in told:
        return (*TIMES, *TEXTS[:6])
    if "'integer'" in told or "'number'" in told:
        return (*NUMBERS, *TIMES[:2])
    return TEXTS


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the parts of a JSON body are, itself among them."""
    yield at
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*at, name))
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from places(part, (*at, index))


def replaced(value: Any, at: tuple[str | int, ...], by: Any) -> Any:
    """The body with one part replaced."""
    if not at:
        return by
    first, rest = at[0], at[1:]
    if isinstance(value, dict):
        return {
            name: replaced(part, rest, by) if name == first else part
            for name, part in value.items()
        }
    return [
        replaced(part, rest, by) if index == first else part for index, part in enumerate(value)
    ]
