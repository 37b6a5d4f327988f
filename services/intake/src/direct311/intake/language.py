"""The languages of answers to residents, and choosing the one a caller asks for."""

import re
from collections.abc import Iterable
from typing import Literal, get_args

Language = Literal["en", "es", "ht"]
"""English, Spanish, Haitian Creole."""

LANGUAGES: tuple[Language, ...] = get_args(Language)
"""The first is the default."""

LONGEST_HEADER = 1000
_RANGE = re.compile(
    r"[ \t]*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)"
    r"(?:[ \t]*;[ \t]*[Qq]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)


def preferred(accept_language: str | None) -> Language:
    """The language that an `Accept-Language` header prefers (RFC 9110, section 12.5.4).

    A range stands for the language that it begins with (`es-MX`: Spanish), `*` for all that no
    other range names. Of equally preferred ones the first named wins. English if none is accepted,
    or if the header is missing or malformed.
    """
    # The header that most clients send needs no parsing.
    if not accept_language or len(accept_language) > LONGEST_HEADER:
        return LANGUAGES[0]
    weights: dict[str, float] = {}
    for part in accept_language.split(","):
        # RFC 9110, section 5.6.1.2: empty elements of a list must be ignored.
        if not part.strip(" \t"):
            continue
        match = _RANGE.fullmatch(part)
        if match is None:
            return LANGUAGES[0]
        tag = match[1].lower().partition("-")[0]
        weight = float(match[2]) if match[2] else 1.0
        # In `es-MX, es;q=0.5` the higher weight counts: both get the same Spanish.
        weights[tag] = max(weight, weights.get(tag, 0.0))
    return _best(weights, [each for each in weights if each in LANGUAGES or each == "*"])


def _best(weights: dict[str, float], named: Iterable[str]) -> Language:
    liked = LANGUAGES[0]
    best = 0.0
    for tag in named:
        if weights[tag] <= best:
            continue
        # English before the others, unless a range names it explicitly.
        meant = (each for each in LANGUAGES if each == tag or (tag == "*" and each not in weights))
        if (found := next(meant, None)) is not None:
            liked, best = found, weights[tag]
    return liked


def spoken(given: str) -> Language:
    """A language by its code; English if it is not one of ours."""
    return next((each for each in LANGUAGES if each == given), LANGUAGES[0])
