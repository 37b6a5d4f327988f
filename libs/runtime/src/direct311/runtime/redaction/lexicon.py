"""The words of numbers, and what announces them: `data/numbers.yaml`, read once."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import Field

from direct311.runtime.datafile import Problem, load, packaged
from direct311.schemas import Model


class _Joined(Model):
    tens: Mapping[str, int]
    units: Mapping[str, int]


class _Cards(Model):
    brand: str
    first: str = Field(alias="from", pattern=r"^\d{1,4}$")
    last: str = Field(alias="to", pattern=r"^\d{1,4}$")
    lengths: tuple[int, ...] = Field(min_length=1)


class _Positions(Model):
    latitude: tuple[int, int]
    longitude: tuple[int, int]


class Announced(Model):
    """The phrases before a number, or behind it, by what they say of it."""

    social_security: tuple[str, ...]
    card: tuple[str, ...]
    account: tuple[str, ...]
    routing: tuple[str, ...]
    telephone: tuple[str, ...]


class _File(Model):
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
    looks_like: Mapping[str, str]
    alone: tuple[str, ...]
    announced: Announced
    cards: tuple[_Cards, ...]
    ibans: Mapping[str, int]
    positions: _Positions


class Lexicon(NamedTuple):
    """`values`: digits of a number's word. `telling`: those of them that hardly ever say anything
    else. `glued`: several of them without a space. `looks`: letters as digits, the likelier and the
    less likely reading. `cards`: by the first four digits, how many digits a card's number has.
    """

    values: Mapping[str, str]
    telling: frozenset[str]
    glued: re.Pattern[str]
    word: re.Pattern[str]
    times: Mapping[str, int]
    repeats: Mapping[str, int]
    joins: frozenset[str]
    separators: frozenset[str]
    doubtful: frozenset[str]
    looks: tuple[Mapping[int, str], Mapping[int, str]]
    looking: frozenset[str]
    alone: frozenset[str]
    announced: Mapping[str, re.Pattern[str]]
    announcing: frozenset[str]
    cards: Mapping[str, Sequence[int]]
    ibans: Mapping[str, int]
    latitudes: tuple[int, int]
    longitudes: tuple[int, int]


_LEAST_TELLING = 3
_GLUED_LETTERS = 2


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The packaged file, checked."""
    file = load(_File, packaged("direct311.runtime", "numbers.yaml"), _problems).content
    values = {word: str(value) for words in file.values.values() for word, value in words.items()}
    for ten, tens in file.joined.tens.items():
        for unit, units in file.joined.units.items():
            values.setdefault(ten + unit, str(tens + units))
    longest_first = sorted(
        (word for word in values if len(word) >= _GLUED_LETTERS), key=len, reverse=True
    )
    words = "|".join(longest_first)
    announced = {
        name: re.compile(rf"(?<![a-z0-9])(?:{_phrases(phrases)})(?![a-z])")
        for name, phrases in file.announced
    }
    return Lexicon(
        values=values,
        telling=frozenset(
            word
            for entries in file.values.values()
            for word in entries
            if len(word) > _LEAST_TELLING and word not in file.doubtful
        )
        | {"one", "two", "six", "dos", "twa", "kat", "sis", "uit", "nef"},
        glued=re.compile(rf"(?:{words}){{2,}}+"),
        word=re.compile(words),
        times=file.times,
        repeats=file.repeats,
        joins=frozenset(file.joins),
        separators=frozenset(file.separators),
        doubtful=frozenset(file.doubtful),
        looks=(
            {ord(letter): digits[0] for letter, digits in file.looks_like.items()},
            {ord(letter): digits[-1] for letter, digits in file.looks_like.items()},
        ),
        looking=frozenset(file.looks_like),
        alone=frozenset(file.alone),
        announced=announced,
        announcing=frozenset(
            phrase.split()[-1] for _, phrases in file.announced for phrase in phrases
        ),
        cards=_by_first_four(file.cards),
        ibans={country.lower(): length for country, length in file.ibans.items()},
        latitudes=file.positions.latitude,
        longitudes=file.positions.longitude,
    )


def _phrases(phrases: Iterable[str]) -> str:
    longest_first = sorted(phrases, key=len, reverse=True)
    return "|".join(re.escape(phrase).replace(r"\ ", r"[ \t\n]{1,2}") for phrase in longest_first)


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
            yield card.brand, "from", "is no range with `to`"
    for letter, digits in file.looks_like.items():
        if len(letter) != 1 or not digits.isdigit():
            yield letter, "looks_like", "is one letter, and digits"
