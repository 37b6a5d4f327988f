"""Texts of a submission as its readers take them: what a reader does not see is not in them.

They are cleaned before they are checked, sealed and compared, so that a repeat is one all the same.
A text with a control character, or far longer than any field may be, is left as it is: the rules
refuse it by the name of its field.
"""

from direct311.intake.fields import _CONTROL, _NOT_IN_A_LINE, LONGEST_DESCRIPTION
from direct311.runtime.text import cleaned

_LONGEST_SENT = 4 * LONGEST_DESCRIPTION
"""Characters of a text that is cleaned: what shows nothing may be a part of it."""


def of_lines(text: str) -> str:
    """A description or an answer."""
    if len(text) > _LONGEST_SENT or _CONTROL.search(text):
        return text
    return cleaned(text, lines=True)


def of_one_line(text: str) -> str:
    """An address. On several lines it is an address too."""
    return text if len(text) > _LONGEST_SENT or _CONTROL.search(text) else cleaned(text)


def of_contact(text: str) -> str:
    """A contact field."""
    return text if len(text) > _LONGEST_SENT or _NOT_IN_A_LINE.search(text) else cleaned(text)


def with_line_ends(text: str) -> str:
    """A description with one character for each line end, whoever sent it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
