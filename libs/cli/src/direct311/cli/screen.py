"""The terminal, on which what others wrote is text and nothing else."""

import unicodedata
from typing import Any

from rich.console import Console
from rich.text import Text

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_KEPT = "\n\t"


class Screen(Console):
    """A console without markup and emoji codes, that passes no control character on.

    Reasons, references, addresses and names come from people whom the reader may be looking at: a
    bracket must neither break nor hide the line, nor an escape sequence reach the terminal.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def printable(text: str) -> str:
    """The text with a mark for each character that would steer the terminal (Unicode categories
    Cc, Cf, Cs, Co, Cn, Zl, Zp: C0 and C1 controls, overrides of direction, lone surrogates)."""
    return "".join(
        char
        if char in _KEPT or (unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029")
        else _REPLACEMENT
        for char in text
    )
