"""Which values of a withheld text are looked for, each as one of its kind."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from direct311.redaction import Kind, redact
from direct311.redaction.leaks import WithheldValue

_KIND_OF_SPAN: Mapping[Kind, str] = MappingProxyType(
    {
        "card": "number",
        "bank": "number",
        "social_security": "number",
        "email": "email",
        "telephone": "telephone",
        "home_address": "address",
        "name": "name",
    }
)
_FEW_WORDS = 4
"""A span of no more words, without a digit, is looked for like a name."""


def values_in(record_id: str, text: str, *, whole: bool) -> Iterator[WithheldValue]:
    """The text itself, and what the rules find in it.

    :param whole: it is all of a field or of a file's page, and not a part that somebody marked.
    """
    found = redact(text).spans
    alone = len(found) == 1 and found[0][1] - found[0][0] == len(text.strip())
    if not alone:
        yield WithheldValue(record_id, _kind_of(text, whole=whole), text)
    for start, end, span in found:
        yield WithheldValue(record_id, _KIND_OF_SPAN[span], text[start:end])


def values_found(record_id: str, text: str) -> Iterator[WithheldValue]:
    """Only what the rules find in a text."""
    for start, end, span in redact(text).spans:
        yield WithheldValue(record_id, _KIND_OF_SPAN[span], text[start:end])


def _kind_of(text: str, *, whole: bool) -> str:
    """How a text is looked for that is not what a rule finds."""
    words = text.split()
    if whole or len(words) > 3 * _FEW_WORDS:
        return "text"
    if not any(char.isdecimal() for char in text):
        return "name" if len(words) <= _FEW_WORDS else "text"
    if any(char.isalpha() for char in text):
        return "address" if len(words) > 1 else "identifier"
    return "number"
