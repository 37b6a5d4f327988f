"""The words of the notices after a breach of security: `data/breach_letter.yaml`.

Intake sends them as e-mail, retention prints them. They name a request by its number and say which
kinds of information were reached. They have no place for anything that a resident gave.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from string import Template
from typing import Final, Literal

from direct311.runtime.datafile import Problem, load, packaged
from direct311.runtime.errors import RefusedError
from direct311.schemas import Model

LetterLanguage = Literal["en", "es", "ht"]
Authority = Literal["legal_affairs", "credit_bureaus"]
LETTER_LANGUAGES: Final[tuple[LetterLanguage, ...]] = ("en", "es", "ht")
AUTHORITIES: Final[tuple[Authority, ...]] = ("legal_affairs", "credit_bureaus")
TO_PEOPLE: Final = frozenset({"record", "began", "ended", "kinds", "contact"})
"""The places of a letter to a person."""
TO_AUTHORITIES: Final = frozenset(
    {
        "began",
        "ended",
        "persons",
        "persons_at_most",
        "records",
        "synopsis",
        "contact",
        "told_by",
    }
)
"""The places of a letter to an authority."""


class LetterWords(Model, extra="forbid"):
    title: str
    paragraphs: tuple[str, ...]


class KindOfData(Model, extra="forbid"):
    """Words for some of the sealed fields."""

    fields: tuple[str, ...]
    texts: Mapping[LetterLanguage, str]


class BreachLetters(Model, extra="forbid"):
    """The whole file."""

    breach_letter: str
    version: str
    citation: str
    confirmed: bool = True
    organization: str
    contact: str
    kinds: tuple[KindOfData, ...]
    other: Mapping[LetterLanguage, str]
    individuals: Mapping[LetterLanguage, LetterWords]
    authorities: Mapping[Authority, LetterWords]

    def check_usable(self, *, local: bool) -> None:
        """:param local: whether this is a local stack.

        :raises RefusedError: counsel has not confirmed the words.
        """
        if not (self.confirmed or local):
            raise RefusedError(
                "unconfirmed_letter", "Counsel has not confirmed the words of the notice."
            )


@dataclass(frozen=True, slots=True)
class BreachDays:
    """The first and the last day on which information was, or may have been, reached."""

    began_on: date
    ended_on: date


@dataclass(frozen=True, slots=True)
class BreachNumbers:
    """What an authority is told: how many people and records, what happened, and until when the
    individuals are told."""

    persons: int
    persons_at_most: int
    records: int
    synopsis: str
    told_by: date


Letter = tuple[str, Sequence[str]]
"""A title and paragraphs."""


def to_person(
    words: BreachLetters,
    days: BreachDays,
    record_id: str,
    fields: Collection[str],
    language: LetterLanguage,
) -> Letter:
    """The letter about one request. `fields`: the sealed fields that were reached."""
    named = [each for each in words.kinds if {*each.fields} & {*fields}]
    known = {field for each in words.kinds for field in each.fields}
    kinds = [each.texts[language] for each in named]
    if not kinds or {*fields} - known:
        kinds.append(words.other[language])
    places = _days(days) | {
        "record": record_id,
        "kinds": "; ".join(kinds),
        "contact": words.contact,
    }
    return _filled(words.individuals[language], places)


def to_authority(
    words: BreachLetters, days: BreachDays, to: Authority, numbers: BreachNumbers
) -> Letter:
    """The letter to an authority."""
    places = _days(days) | {
        "persons": f"{numbers.persons:,}",
        "persons_at_most": f"{numbers.persons_at_most:,}",
        "records": f"{numbers.records:,}",
        "synopsis": numbers.synopsis,
        "told_by": numbers.told_by.isoformat(),
        "contact": words.contact,
    }
    return _filled(words.authorities[to], places)


def _days(days: BreachDays) -> dict[str, str]:
    return {"began": days.began_on.isoformat(), "ended": days.ended_on.isoformat()}


def _filled(words: LetterWords, places: Mapping[str, str]) -> Letter:
    return words.title, [
        Template(" ".join(each.split())).substitute(places) for each in words.paragraphs
    ]


def problems(words: BreachLetters) -> Iterator[Problem]:
    """What is wrong with the file: entry, field and reason."""
    for language in LETTER_LANGUAGES:
        if language not in words.individuals:
            yield language, "individuals", "is missing"
        if language not in words.other or any(language not in each.texts for each in words.kinds):
            yield language, "kinds", "has no words in this language"
    for to in AUTHORITIES:
        if to not in words.authorities:
            yield to, "authorities", "is missing"
    letters: list[tuple[str, LetterWords, frozenset[str]]] = [
        *((name, each, TO_PEOPLE) for name, each in words.individuals.items()),
        *((name, each, TO_AUTHORITIES) for name, each in words.authorities.items()),
    ]
    for name, letter, places in letters:
        if "\n" in letter.title or not letter.title.strip():
            yield name, "title", "must be one line"
        for text in letter.paragraphs:
            template = Template(text)
            if not template.is_valid() or not {*template.get_identifiers()} <= places:
                yield name, "paragraphs", f"may have no places but {', '.join(sorted(places))}"
    for language, letter in words.individuals.items():
        said = {name for text in letter.paragraphs for name in Template(text).get_identifiers()}
        if missing := TO_PEOPLE - said:
            # Section 501.171(4)(e), F.S., wants the days, the kinds and the contact.
            yield language, "paragraphs", f"does not say {', '.join(sorted(missing))}"


def load_breach_letters(path: Path | None = None) -> BreachLetters:
    """The county's own file at `path`, or the packaged one.

    :raises DataFileError: the file is invalid.
    """
    source = path or packaged("direct311.runtime", "breach_letter.yaml")
    return load(BreachLetters, source, problems).content
