"""The words for numbers, and the phrases that announce numbers: `data/numbers.yaml`, read once."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import Field

from direct311.redaction.datafile import Data, Problem, load, packaged
from direct311.redaction.words import COMMON


class _Joined(Data):
    tens: Mapping[str, int]
    units: Mapping[str, int]


class _Cards(Data):
    brand: str
    first: str = Field(alias="from", pattern=r"^\d{1,4}$")
    last: str = Field(alias="to", pattern=r"^\d{1,4}$")
    lengths: tuple[int, ...] = Field(min_length=1)


class _Positions(Data):
    latitude: tuple[int, int]
    longitude: tuple[int, int]


class Announced(Data):
    """The phrases before or after a number, by the kind of number they announce."""

    social_security: tuple[str, ...]
    card: tuple[str, ...]
    account: tuple[str, ...]
    routing: tuple[str, ...]
    telephone: tuple[str, ...]


class _File(Data):
    numbers: str
    version: str
    citation: str
    values: Mapping[str, Mapping[str, int]]
    joined: _Joined
    times: Mapping[str, int]
    repeats: Mapping[str, int]
    joins: tuple[str, ...] = Field(alias="and")
    separators: tuple[str, ...]
    doubtful: tuple[str, ...]
    apart: tuple[str, ...]
    looks_like: Mapping[str, str]
    alone: tuple[str, ...]
    announced: Announced
    cards: tuple[_Cards, ...]
    ibans: Mapping[str, int]
    positions: _Positions


class Lexicon(NamedTuple):
    """`values`: the digits of each number word. `telling`: number words that hardly ever mean
    anything else. `token`: what can be part of a number that is not in words; `spoken`: of one that
    is. `beside`: another digit or word after a word. `speaking`: words within a number in words.
    `keys`: words that every announcement contains at least one of. `glued`: several number words
    without a space, which begin with one of the `heads`. `looks`: letters read as digits, with the
    more likely and the less likely reading. `cards`: how many digits a card number has, by its
    first four digits.
    """

    values: Mapping[str, str]
    token: re.Pattern[str]
    spoken: re.Pattern[str]
    beside: re.Pattern[str]
    speaking: frozenset[str]
    telling: frozenset[str]
    glued: re.Pattern[str]
    word: re.Pattern[str]
    heads: frozenset[str]
    times: Mapping[str, int]
    repeats: Mapping[str, int]
    joins: frozenset[str]
    separators: frozenset[str]
    doubtful: frozenset[str]
    apart: frozenset[str]
    looks: tuple[Mapping[int, str], Mapping[int, str]]
    looking: frozenset[str]
    alone: frozenset[str]
    alone_in: re.Pattern[str]
    announced: Mapping[str, re.Pattern[str]]
    keys: Mapping[str, frozenset[str]]
    cards: Mapping[str, Sequence[int]]
    ibans: Mapping[str, int]
    latitudes: tuple[int, int]
    longitudes: tuple[int, int]


_LEAST_TELLING = 3
_GLUED_LETTERS = 2


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The packaged file, checked."""
    file = load(_File, packaged("numbers.yaml"), _problems)
    values = {word: str(value) for words in file.values.values() for word, value in words.items()}
    for ten, tens in file.joined.tens.items():
        for unit, units in file.joined.units.items():
            values.setdefault(ten + unit, str(tens + units))
    glueable = [word for word in values if len(word) >= _GLUED_LETTERS]
    words = _any_of(glueable)
    announced = {
        name: re.compile(_any_of(phrases).replace(" ", r"[ \t\n]{1,2}") + "(?![a-z])")
        for name, phrases in file.announced
    }
    looking, alone = "".join(file.looks_like), "".join(file.alone)
    common = _any_of(word for word in COMMON if word and set(word) <= set(file.alone))
    speaking = (*file.separators, *file.repeats, *file.times)
    each = rf"(?:\d+|{_any_of((*values, *speaking, *file.joins))}(?![a-z]))"
    return Lexicon(
        values=values,
        token=re.compile(
            rf"\d+|(?:(?<=\d)|(?<=\d[^\w\s]))[{looking}]+(?![^\W\d_])|(?<![^\W_])(?:[{looking}]+(?=\d)"
            rf"|(?:[{alone}]+|{_any_of(file.doubtful)})(?![^\W\d_]))"
        ),
        spoken=re.compile(
            rf"\d+|(?:(?<=\d)|(?<=\d[^\w\s]))[{looking}]+(?![^\W\d_])|(?<![^\W\d_])(?:{words}++(?![^\W\d_])"
            rf"|{_any_of((*values, *speaking, *file.joins))}(?![^\W\d_])"
            rf"|[{looking}]+(?=\d)|[{alone}]+(?![^\W\d_]))"
        ),
        beside=re.compile(rf"[^a-z\d\x01]{{0,8}}{each}"),
        keys={
            kind: frozenset(max(phrase.split(), key=len) for phrase in phrases)
            for kind, phrases in file.announced
        },
        speaking=frozenset(speaking),
        telling=frozenset(
            word
            for entries in file.values.values()
            for word in entries
            if len(word) > _LEAST_TELLING and word not in file.doubtful
        )
        | {"one", "two", "six", "uno", "dos", "twa", "kat", "sis", "uit", "nef"},
        glued=re.compile(rf"(?:{words}){{2,}}+"),
        word=re.compile(words),
        heads=frozenset(word[:3] for word in glueable if len(word) > 2)
        | {short + word[0] for short in glueable if len(short) == 2 for word in glueable},
        times=file.times,
        repeats=file.repeats,
        joins=frozenset(file.joins),
        separators=frozenset(file.separators),
        doubtful=frozenset(file.doubtful),
        apart=frozenset(file.apart),
        looks=(
            {ord(letter): digits[0] for letter, digits in file.looks_like.items()},
            {ord(letter): digits[-1] for letter, digits in file.looks_like.items()},
        ),
        looking=frozenset(file.looks_like),
        alone=frozenset(file.alone),
        alone_in=re.compile(rf"(?<![^\W_])(?!{common}(?![^\W_]))[{alone}]{{2,}}(?![^\W_])"),
        announced=announced,
        cards=_by_first_four(file.cards),
        ibans={country.lower(): length for country, length in file.ibans.items()},
        latitudes=file.positions.latitude,
        longitudes=file.positions.longitude,
    )


def _any_of(words: Iterable[str]) -> str:
    """A pattern for any of the words, longest first, that looks at each letter only once."""
    following: dict[str, set[str]] = {}
    ends = False
    for word in words:
        if word:
            following.setdefault(word[0], set()).add(word[1:])
        else:
            ends = True
    if not following:
        return ""
    branches = "|".join(
        re.escape(letter).replace(r"\ ", " ") + _any_of(rest)
        for letter, rest in sorted(following.items())
    )
    return f"(?:{branches})" + ("?" if ends else "")


def _by_first_four(cards: Iterable[_Cards]) -> dict[str, Sequence[int]]:
    lengths: dict[str, Sequence[int]] = {}
    for card in cards:
        low, high = int(card.first.ljust(4, "0")), int(card.last.ljust(4, "9"))
        for four in range(low, high + 1):
            lengths[f"{four:04}"] = sorted(card.lengths)
    return lengths


def _problems(file: _File) -> Iterable[Problem]:
    for card in file.cards:
        if len(card.first) != len(card.last) or card.first > card.last:
            yield card.brand, "from", "is not a range with `to`"
    for letter, digits in file.looks_like.items():
        if len(letter) != 1 or not digits.isdigit():
            yield letter, "looks_like", "must be one letter and digits"
