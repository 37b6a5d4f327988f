"""Why something is done, in the person's own words: reasons, references and what gives authority.

Whoever opens by break-glass, gives a link, lifts a hold or ends a protection says why, for the log
and for those who review it. A text that shows nothing, or says nothing, is none. Every service and
command reads such texts with the types of this module; the access rules decide with its functions.

A file of rules may ask for more (a pattern, see `access.yaml`), never for less.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from direct311.runtime.text import cleaned, letters_without_blanks
from direct311.schemas.unicode import normalized

LEAST_OF_A_REASON = 10
"""Letters and digits. Long enough to be a reason, short enough to be typed in an emergency."""

LEAST_DIFFERENT = 5
"""Different letters and digits of a reason."""

LEAST_WORDS = 2
"""Different words of a reason."""

LONGEST_REASON = 500
LONGEST_REFERENCE = 200

A_REASON = (
    f"Give the reason in words: at least {LEAST_WORDS} different words, and {LEAST_OF_A_REASON} "
    "letters or digits. Where a script puts no blanks between words (Chinese, Japanese, Thai), the "
    "letters alone count, and a Chinese character is two."
)
A_REFERENCE = (
    "Give the number of a file, case, order or letter, such as WO-2117: letters of any language, "
    "digits (at least one that is not 0), blanks, quotes and any of - / . , ; : _ ( ) & + # "
    f"\u00a7 \u2116 \u00b0, at most {LONGEST_REFERENCE} in all. A letter, a digit, a quote, #, "
    "\u00a7 or \u2116 comes first."
)
AN_AUTHORITY = "Give the case, order or section of the law that says so, or say it in words."

_WORD = re.compile(r"[^\W_]+")
_QUOTES = "'\"\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
# The numero sign is "No" after NFKC.
_FIRST = frozenset(f"#\u00a7{_QUOTES}")
_SIGNS = _FIRST | frozenset(" -/.,;:_()&+\u00b0")
_JOINERS = "\u200c\u200d"

KINDS = frozenset({"reason", "reference", "authority", "name"})
"""Kinds of pydantic's errors whose message is for whoever sent the field. It echoes nothing."""


def is_reason(text: str | None) -> bool:
    """Whether the text says why, as far as a machine can tell.

    Letters and digits are counted after NFKC, each character that was typed once, and without what
    shows nothing; so are different ones and different words. A script that puts no blanks between
    words needs letters alone, and a Chinese character is two of them.
    """
    text = cleaned(text or "", lines=True)
    if len(text) > LONGEST_REASON:
        return False
    typed = [folded for char in text if (folded := _letters(char))]
    words = set(_words(text))
    unspaced = [letters_without_blanks(folded[0]) for folded in typed]
    in_words = len(words) >= LEAST_WORDS and any(
        len(word) > 1 and any(char.isalpha() for char in word) for word in words
    )
    return (
        sum(letters or 1 for letters in unspaced) >= LEAST_OF_A_REASON
        and len(set(typed)) >= LEAST_DIFFERENT
        and (in_words or sum(unspaced) >= LEAST_OF_A_REASON)
    )


def is_reference(text: str | None) -> bool:
    """Whether the text can be the reference of something that others keep.

    After NFKC: at most 200 letters and digits of all languages, blanks, quotes and signs of the
    usual kind, with one digit at least that is not 0. A letter, a digit, a quote, `#` or the sign
    of a section comes first.
    """
    text = as_reference(text or "")
    return (
        0 < len(text) <= LONGEST_REFERENCE
        and (text[0] in _FIRST or unicodedata.category(text[0])[0] in "LN")
        and all(char in _SIGNS or char in _JOINERS or _written(char) for char in text)
        and any(unicodedata.decimal(char, 0) for char in text)
    )


def same_reference(one: str, other: str) -> bool:
    """Whether both name the same file: capitals and small letters are one, and so are dashes."""
    return as_reference(one).casefold() == as_reference(other).casefold()


def is_authority(text: str | None) -> bool:
    """Whether the text says who or what orders it: a reference, or a reason in words."""
    return is_reference(text) or is_reason(text)


def as_reason(text: str) -> str:
    """The reason as it is kept: cleaned, its lines as they are."""
    return cleaned(text, lines=True)


def as_reference(text: str) -> str:
    """The reference as it is kept and compared: cleaned, in NFKC, on one line, each dash as `-`."""
    plain = cleaned(normalized("NFKC", cleaned(text)))
    return "".join("-" if unicodedata.category(char) == "Pd" else char for char in plain).replace(
        "\N{MINUS SIGN}", "-"
    )


def _written(char: str) -> bool:
    """A letter or a digit of any language, or a mark on one."""
    return unicodedata.category(char)[0] in "LMN"


def _letters(text: str) -> str:
    return "".join(_words(text))


def _words(text: str) -> list[str]:
    """Letters and digits in runs, without case, accents and marks."""
    plain = normalized("NFKD", normalized("NFKC", text).casefold())
    return _WORD.findall("".join(c for c in plain if unicodedata.category(c)[0] != "M"))


def _reason(text: str) -> str:
    if not is_reason(text):
        raise PydanticCustomError("reason", A_REASON)
    return as_reason(text)


def _reference(text: str) -> str:
    if not is_reference(text):
        raise PydanticCustomError("reference", A_REFERENCE)
    return as_reference(text)


def _authority(text: str) -> str:
    if not is_authority(text):
        raise PydanticCustomError("authority", AN_AUTHORITY)
    return as_reason(text)


LEAST_IN_DANGER = 6
"""Letters of a reason where there is danger: `Gas leak!`"""

LEAST_DIFFERENT_IN_DANGER = 4

NO_DANGER = frozenset(
    [
        "urgent",
        "urgently",
        "urgency",
        "emergency",
        "emergencies",
        "danger",
        "dangerous",
        "help",
        "please",
        "needed",
        "asap",
        "reason",
        "urgente",
        "urgencia",
        "emergencia",
        "peligro",
        "peligroso",
        "ayuda",
        "favor",
        "motivo",
        "ijans",
        "ijan",
        "danje",
        "danjere",
        "tanpri",
        "rezon",
    ]
)
"""Words that say that there is danger and not which."""

IN_DANGER = f"A word or two will do, of {LEAST_IN_DANGER} letters at least: `House fire`."


def is_emergency_reason(text: str | None) -> bool:
    """Whether the text says what the danger is: a reason, or one word or two of letters that are
    seen. Whoever types it has no time, and each such opening is reviewed."""
    if is_reason(text):
        return True
    text = cleaned(text or "", lines=True)
    if len(text) > LONGEST_REASON:
        return False
    typed = [folded for char in text if (folded := _letters(char)) and folded.isalpha()]
    words = [word for word in _words(text) if word.isalpha() and word not in NO_DANGER]
    letters = "".join(words)
    return (
        min(len(typed), len(letters)) >= LEAST_IN_DANGER
        and len(set(letters)) >= LEAST_DIFFERENT_IN_DANGER
        and any(len(word) > 1 for word in words)
    )


Reason = Annotated[
    str,
    StringConstraints(max_length=LONGEST_REASON),
    AfterValidator(_reason),
    Field(description=A_REASON, examples=["The case was dismissed."]),
]
"""A reason in words, cleaned. What is none is refused by name of the field, with what is one."""

Reference = Annotated[
    str,
    StringConstraints(max_length=LONGEST_REFERENCE),
    AfterValidator(_reference),
    Field(description=A_REFERENCE, examples=["WO-2117"]),
]
"""A reference, cleaned and in NFKC. What is none is refused as a reason is."""

Authority = Annotated[
    str,
    StringConstraints(max_length=LONGEST_REASON),
    AfterValidator(_authority),
    Field(description=AN_AUTHORITY, examples=["County Attorney, file 26-114"]),
]
"""What gives the authority: a reference or a reason."""
