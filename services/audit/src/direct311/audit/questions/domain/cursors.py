"""Pages of an answer: where a page begins, and in which ranges its entries are searched."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from direct311.audit.entry import Filter


class CursorError(Exception):
    """The cursor is not one of this query's."""


def fingerprint(query: Filter, about: Sequence[str] = ()) -> str:
    """Distinguishes the cursors of two questions, also of questions about two people.

    A person is identified by their oldest record (`about`), which stays the oldest when the person
    gets a new one; ids sort by time.
    """
    oldest = min(about, default="")
    return sha256(f"{query.model_dump_json()}\n{oldest}".encode()).hexdigest()[:16]


def cursor_of(query: Filter, index: int, about: Sequence[str] = ()) -> str:
    """The cursor of the page after the one that ends with entry `index`."""
    return f"{index}.{fingerprint(query, about)}"


def index_of(cursor: str, query: Filter, about: Sequence[str] = ()) -> int:
    """:raises CursorError: it is malformed, or belongs to another question."""
    index, _, of = cursor.partition(".")
    if not (index.isascii() and index.isdecimal()) or len(index) > 18:
        raise CursorError
    if of != fingerprint(query, about):
        raise CursorError
    return int(index)


def windows(top: int, bottom: int, first: int = 500) -> Iterator[tuple[int, int]]:
    """Ranges [low, high) from `top` down to `bottom`, each eight times as wide as the one before.

    The newest range is searched first, so that a database that sorts all matches of a query never
    has many to sort.
    """
    width = first
    while top > bottom:
        low = max(bottom, top - width)
        yield low, top
        top, width = low, width * 8
