"""Texts of a submission without the characters that no reader sees.

Texts are cleaned before they are checked, sealed and compared, so that a repeat is recognized even
if invisible characters differ. A text with a control character, or one far longer than any field
allows, is left unchanged: the rules then refuse it and name its field.
"""

from direct311.intake.fields import CONTROL, LONGEST_DESCRIPTION, NOT_IN_A_LINE
from direct311.runtime.text import cleaned

_LONGEST_SENT = 4 * LONGEST_DESCRIPTION
"""The longest text that is cleaned, in characters. It leaves room for invisible ones."""


def of_lines(text: str) -> str:
    """A description or an answer."""
    if len(text) > _LONGEST_SENT or CONTROL.search(text):
        return text
    return cleaned(text, lines=True)


def of_one_line(text: str) -> str:
    """An address. It may have several lines."""
    return text if len(text) > _LONGEST_SENT or CONTROL.search(text) else cleaned(text)


def of_contact(text: str) -> str:
    """A contact field."""
    return text if len(text) > _LONGEST_SENT or NOT_IN_A_LINE.search(text) else cleaned(text)


def with_line_ends(text: str) -> str:
    """A description with one character for each line end, whatever the sender used."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
