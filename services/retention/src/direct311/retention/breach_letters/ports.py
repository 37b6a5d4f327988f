"""What the letters need from outside."""

from collections.abc import Sequence
from typing import Protocol

Page = tuple[str, Sequence[str]]
"""A title and paragraphs; it begins a new page."""


class Printer(Protocol):
    """Prints letters as PDF: the same bytes for the same letters."""

    def printed(self, title: str, organization: str, pages: Sequence[Page]) -> bytes:
        """:param title: of the document, which names nobody."""
        ...
