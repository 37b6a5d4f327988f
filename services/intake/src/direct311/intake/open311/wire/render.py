"""Writes GeoReport v2 answers in JSON and XML from plain trees of dictionaries, lists and scalars.

A tree has the shape of the JSON. In XML, the keys of a dictionary are elements, the members of a
list are elements with its singular name, and `None` is an empty element.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal
from xml.sax.saxutils import escape

from direct311.intake.problems import Problem
from direct311.runtime.pacing import paced

Format = Literal["json", "xml"]
Tree = Mapping[str, object]

MEDIA_TYPES: Mapping[Format, str] = {
    "json": "application/json; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
}
_SINGULAR = {
    "service_requests": "request",
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "keys": "key",
    "endpoints": "endpoint",
    "formats": "format",
    "errors": "error",
    "notes": "note",
    "photos": "photo",
    "service_request_updates": "request_update",
}
# XML 1.0, section 2.2: characters that no document may contain, escaped or not.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Half a surrogate pair, which no encoding has, becomes a question mark.
_LONE_SURROGATES = "replace"
_PROLOGUE = b'<?xml version="1.0" encoding="utf-8"?>\n'


def instant(at: datetime | None) -> str | None:
    """`YYYY-MM-DDTHH:MM:SSZ`, without fractions."""
    # This takes half the time of strftime, and a list of a hundred rows has hundreds of times.
    return f"{at.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z" if at else None


def legal(text: str) -> str:
    """The text without the characters that no XML document may contain."""
    return _ILLEGAL.sub("", text)


def rows(root: str, found: Sequence[Tree], form: Format) -> bytes:
    """A list of trees: a bare array in JSON, elements under `root` in XML."""
    return _json(found) if form == "json" else _xml(root, found)


async def many_rows(root: str, found: Iterable[Tree], form: Format) -> bytes:
    """The same, but each tree is made only when its turn comes, so that other calls are served in
    between."""
    if form == "json":
        return b"[" + b",".join([_json(each) async for each in paced(found)]) + b"]"
    members = b"".join([_member(root, each) async for each in paced(found)])
    if not members:
        return _xml(root, ())
    return _PROLOGUE + f"<{root}>".encode() + members + f"</{root}>".encode()


def tree(root: str, found: Tree, form: Format) -> bytes:
    """One tree: bare in JSON, under `root` in XML."""
    return _json(found) if form == "json" else _xml(root, found)


def errors(problems: Iterable[Problem], form: Format) -> bytes:
    """Everything that is wrong."""
    return rows(
        "errors",
        [{"code": each.code, "description": each.description} for each in problems],
        form,
    )


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _json(value: object) -> bytes:
    return _JSON.encode(value).encode("utf-8", _LONE_SURROGATES)


def _xml(root: str, value: object) -> bytes:
    parts: list[str] = []
    _element(root, value, parts)
    return _PROLOGUE + "".join(parts).encode("utf-8", _LONE_SURROGATES)


def _member(root: str, value: object) -> bytes:
    parts: list[str] = []
    _element(_SINGULAR.get(root, "item"), value, parts)
    return "".join(parts).encode("utf-8", _LONE_SURROGATES)


def _element(name: str, value: object, parts: list[str]) -> None:
    if value is None or value == "" or value == [] or value == ():
        parts.append(f"<{name}/>")
        return
    parts.append(f"<{name}>")
    if isinstance(value, Mapping):
        for key, member in value.items():
            _element(str(key), member, parts)
    elif isinstance(value, list | tuple):
        for member in value:
            _element(_SINGULAR.get(name, "item"), member, parts)
    elif isinstance(value, bool):
        parts.append("true" if value else "false")
    elif isinstance(value, float):
        # Degrees, never with an exponent.
        parts.append(f"{value:.6f}")
    else:
        # A parser reads an unescaped carriage return as a line feed (XML 1.0, section 2.11).
        parts.append(escape(_ILLEGAL.sub("", str(value)), {"\r": "&#13;"}))
    parts.append(f"</{name}>")
