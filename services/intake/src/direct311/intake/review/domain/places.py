"""Where a text stands in a record, and which part of it an item names.

A place is a field's name, or the field and one entry of it. Fields with several texts are JSON:

- `updates/<id>`: the text of a comment; `updates/<id>/media_url/<n>`: a link in it
- `work_notes/<key>`: a department's note
- `comments/<n>`: what the reporter added later
- `attributes/<code>/<n>`: one answer; `media_url/<n>`: one link
- `update_contacts/<id>/<field>`: one value of a sender

`<n>` counts from 0. A key of another system is written as in a URL, so that it has neither `/` nor
`:`. An item is a place, which means all of its text, or a place and a span: `updates/<id>:4-16`.
Positions count characters (Unicode code points) from 0; the end is not included.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

JSON_FIELDS = ("attributes", "comments", "media_url", "updates", "update_contacts", "work_notes")
"""The sealed fields that hold several texts."""
LONGEST_ITEM = 500

_ITEM = re.compile(r"(?P<place>[^:\s]+)(?::(?P<start>\d{1,9})-(?P<end>\d{1,9}))?")
_TEXT_OF = {"updates": "description", "comments": "text", "work_notes": "note"}
"""The member of an entry that the entry's own place stands for."""
_LABELS = {"comments": ("at",), "work_notes": ("department", "update_id")}
"""The members of an entry that are no text: they say when and for whom it was written."""

Step = str | int


@dataclass(frozen=True, slots=True)
class Item:
    """All text of a place, or the characters from `start` up to `end`."""

    place: str
    start: int | None = None
    end: int | None = None

    @property
    def field(self) -> str:
        """The sealed field that it is in."""
        return field_of(self.place)

    @property
    def is_whole(self) -> bool:
        return self.start is None

    @property
    def order(self) -> tuple[str, int, int]:
        """By which items are sorted: all of a place stands before its spans."""
        return self.place, -1 if self.start is None else self.start, self.end or 0

    def covers(self, other: "Item") -> bool:
        """Whether withholding this withholds the other too. A field covers all that is in it; an
        entry covers its own text."""
        if self.is_whole:
            return self.place in (other.place, other.field)
        if self.place != other.place or other.start is None or other.end is None:
            return False
        return (self.start or 0) <= other.start and other.end <= (self.end or 0)

    def __str__(self) -> str:
        return self.place if self.is_whole else f"{self.place}:{self.start}-{self.end}"


def field_of(item: str) -> str:
    """The sealed field in which an item or a place is."""
    return item.partition("/")[0].partition(":")[0]


def item_of(text: str) -> Item | None:
    """The item that a text names; `None` if it names none."""
    found = _ITEM.fullmatch(text) if len(text) <= LONGEST_ITEM else None
    if found is None:
        return None
    if found["start"] is None:
        return Item(found["place"])
    start, end = int(found["start"]), int(found["end"])
    # One way to write it only: two items that differ in writing alone would be decided twice.
    item = Item(found["place"], start, end)
    return item if start < end and str(item) == text else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One text of a field, and the way to it in the field's JSON."""

    place: str
    text: str
    path: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldTexts:
    """A sealed field, as its texts. `tree` is its JSON; `None` for a field that is one text."""

    field: str
    entries: tuple[Entry, ...]
    tree: Any = None

    @classmethod
    def of(cls, field: str, text: str) -> "FieldTexts":
        """The texts of a field. JSON of an unknown form counts as one text, so nothing of it is
        left out of a review."""
        if field in JSON_FIELDS:
            try:
                tree = json.loads(text)
            except ValueError:
                tree = None
            if isinstance(tree, dict | list):
                return cls(field, tuple(_entries(field, tree)), tree)
        return cls(field, (Entry(field, text),))

    def only(self, places: Collection[str]) -> "FieldTexts":
        """A copy with the texts of these places."""
        return replace(self, entries=tuple(each for each in self.entries if each.place in places))

    def rebuilt(self, texts: Mapping[str, str], plain: Callable[[str], str]) -> str:
        """The field built anew from these texts by place. `plain` is applied to everything else
        that somebody may have written: keys and labels."""
        if self.tree is None:
            return texts[self.field]
        places = {entry.path: entry for entry in self.entries}

        def build(node: Any, path: tuple[Step, ...]) -> Any:
            if isinstance(node, dict):
                made: dict[str, Any] = {}
                for key in node:
                    name = plain(str(key))
                    while name in made:
                        # Two keys that differ only in what `plain` takes away are still two.
                        name += "_"
                    made[name] = build(node[key], (*path, str(key)))
                return made
            if isinstance(node, list):
                return [build(each, (*path, number)) for number, each in enumerate(node)]
            if (entry := places.get(path)) is not None:
                rendered = texts[entry.place]
                # A number stays one.
                return node if rendered == str(node) else rendered
            return plain(node) if isinstance(node, str) else node

        return json.dumps(build(self.tree, ()), ensure_ascii=False)


def _entries(field: str, tree: Any) -> list[Entry]:
    found: list[Entry] = []

    def walk(node: Any, path: tuple[Step, ...]) -> None:
        if isinstance(node, str):
            if not _is_label(field, path):
                found.append(Entry(_place(field, path), node, path))
        elif isinstance(node, dict):
            for key, value in node.items():
                walk(value, (*path, str(key)))
        elif isinstance(node, list):
            for number, value in enumerate(node):
                walk(value, (*path, number))
        elif node is not None and not isinstance(node, bool):
            # A number can be a telephone number.
            found.append(Entry(_place(field, path), str(node), path))

    walk(tree, ())
    return found


def _is_label(field: str, path: tuple[Step, ...]) -> bool:
    return len(path) == 2 and path[1] in _LABELS.get(field, ())


def _place(field: str, path: tuple[Step, ...]) -> str:
    if len(path) == 2 and path[1] == _TEXT_OF.get(field):
        path = path[:1]
    return "/".join((field, *(quote(str(step), safe="") for step in path)))
