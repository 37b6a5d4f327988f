"""The terminal, on which text from others is shown only as text."""

import json
import unicodedata
from collections.abc import Collection
from typing import Any

from rich.box import HEAVY_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_KEPT = "\n\t"


class Screen(Console):
    """A console without markup and emoji codes that lets no control character through.

    Reasons, references, addresses and names may come from people whom the reader is investigating.
    A bracket must not break or hide the line, and no escape sequence may reach the terminal.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def columns(*names: str, whole: Collection[str], box: Box = HEAVY_HEAD) -> Table:
    """A table with these columns. What stands in the columns `whole` is typed into the next
    command, so it is never cut nor broken: the other columns become narrow before it does, and
    break what does not fit."""
    made = Table(box=box)
    for name in names:
        made.add_column(name, no_wrap=name in whole, overflow="fold")
    return made


def escaped(document: str) -> str:
    """A JSON document with terminal control characters written as JSON escapes; its meaning is the
    same."""
    return "".join(
        char if char == "\n" or not _steers(char) else json.dumps(char)[1:-1] for char in document
    )


def printable(text: str) -> str:
    """The text with a mark in place of each character that could control the terminal (Unicode
    categories Cc, Cf, Cs, Co, Cn, Zl, Zp: C0 and C1 controls, direction overrides, lone
    surrogates)."""
    return "".join(char if char in _KEPT or not _steers(char) else _REPLACEMENT for char in text)


def _steers(char: str) -> bool:
    return unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"
