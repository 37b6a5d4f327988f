"""Why something is done, in the person's own words: reasons, references and authority.

A person who opens data by break-glass, gives out a link, lifts a hold or ends a protection says
why, for the log and its reviewers. An invisible or meaningless text does not count. Every service
and command reads such texts with this module's types; the access rules decide with its functions. A
file of rules may require more (a pattern, see `access.yaml`), never less.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from direct311.runtime.text import cleaned, letters_without_blanks
from direct311.schemas.unicode import normalized

LEAST_OF_A_REASON = 10
"""The fewest letters and digits: enough for a reason, few enough to type in an emergency."""

LEAST_DIFFERENT = 5
"""The fewest different letters and digits in a reason."""

LEAST_WORDS = 2
"""The fewest different words in a reason."""

LONGEST_REASON = 500
LONGEST_REFERENCE = 200

A_REASON = (
    f"Give the reason in words: at least {LEAST_WORDS} different words, and {LEAST_OF_A_REASON} "
    "letters or digits. In a script without spaces between words (Chinese, Japanese, Thai), only "
    "the letters count, and a Chinese character counts as two."
)
A_REFERENCE = (
    "Give the number of a file, case, order or letter, such as WO-2117: letters of any language, "
    "digits (at least one that is not 0), spaces, quotes and any of - / . , ; : _ ( ) & + # "
    f"\u00a7 \u2116 \u00b0, at most {LONGEST_REFERENCE} in all. It starts with a letter, a digit, "
    "a quote, #, "
    "\u00a7 or \u2116 or \u2116."
)
AN_AUTHORITY = "Give the case, order or section of the law that says so, or say it in words."

_WORD = re.compile(r"[^\W_]+")
_QUOTES = "'\"\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
# The numero sign is "No" after NFKC.
_FIRST = frozenset(f"#\u00a7{_QUOTES}")
_SIGNS = _FIRST | frozenset(" -/.,;:_()&+\u00b0")
_JOINERS = "\u200c\u200d"

KINDS = frozenset({"reason", "reference", "authority", "name"})
"""The kinds of pydantic errors whose message the sender of the field may see. It echoes no
input."""


def is_reason(text: str | None) -> bool:
    """Whether the text gives a reason, as far as a machine can tell.

    Letters, digits, different ones and different words are counted after NFKC, without invisible
    characters; each typed character counts once. A script without spaces between words needs only
    letters, and a Chinese character counts as two.
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
    """Whether the text can be a reference to something in another party's files.

    After NFKC: at most 200 letters and digits of any language, spaces, quotes and the usual signs,
    with at least one digit that is not 0. It starts with a letter, a digit, a quote, `#` or a
    section sign.
    """
    text = as_reference(text or "")
    return (
        0 < len(text) <= LONGEST_REFERENCE
        and (text[0] in _FIRST or unicodedata.category(text[0])[0] in "LN")
        and all(char in _SIGNS or char in _JOINERS or _written(char) for char in text)
        and any(unicodedata.decimal(char, 0) for char in text)
    )


def same_reference(one: str, other: str) -> bool:
    """Whether both name the same file, ignoring case and the kind of dash."""
    return as_reference(one).casefold() == as_reference(other).casefold()


def is_authority(text: str | None) -> bool:
    """Whether the text names the authority: a reference, or a reason in words."""
    return is_reference(text) or is_reason(text)


def as_reason(text: str) -> str:
    """The reason as stored: cleaned, with its line breaks."""
    return cleaned(text, lines=True)


def as_reference(text: str) -> str:
    """The reference as stored and compared: cleaned, in NFKC, on one line, with each dash as
    `-`."""
    plain = cleaned(normalized("NFKC", cleaned(text)))
    return "".join("-" if unicodedata.category(char) == "Pd" else char for char in plain).replace(
        "\N{MINUS SIGN}", "-"
    )


def _written(char: str) -> bool:
    """Whether it is a letter or digit of any language, or a mark on one."""
    return unicodedata.category(char)[0] in "LMN"


def _letters(text: str) -> str:
    return "".join(_words(text))


def _words(text: str) -> list[str]:
    """Runs of letters and digits, without case, accents and marks."""
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
"""The fewest letters in a reason if there is danger: `Gas leak!`"""

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
"""Words that say there is danger but not which."""

IN_DANGER = f"A word or two is enough, with at least {LEAST_IN_DANGER} letters: `House fire`."


def is_emergency_reason(text: str | None) -> bool:
    """Whether the text says what the danger is: a reason, or a word or two of visible letters. The
    person typing it has no time, and each such opening is reviewed."""
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
"""A reason in words, cleaned. Anything else is refused with the field's name and what a reason
needs."""

Reference = Annotated[
    str,
    StringConstraints(max_length=LONGEST_REFERENCE),
    AfterValidator(_reference),
    Field(description=A_REFERENCE, examples=["WO-2117"]),
]
"""A reference, cleaned and in NFKC. Anything else is refused in the same way as a bad reason."""

Authority = Annotated[
    str,
    StringConstraints(max_length=LONGEST_REASON),
    AfterValidator(_authority),
    Field(description=AN_AUTHORITY, examples=["County Attorney, file 26-114"]),
]
"""The authority: a reference or a reason."""
