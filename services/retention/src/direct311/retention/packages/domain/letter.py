"""The words of the letter that goes with a package, and what it says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from string import Template
from typing import Final, Literal

from direct311.retention.cases.domain import CaseKind
from direct311.schemas import Model

LANGUAGES: Final = ("en", "es", "ht")
PLACES: Final = frozenset({"case", "received", "records", "withheld"})
"""What a text may name."""


class LetterWords(Model, extra="forbid"):
    """The letter in one language. `partial` and `withheld` stand in it where they apply."""

    title: str
    paragraphs: tuple[str, ...]
    partial: str
    withheld: str
    nothing_withheld: str


class ReleaseLetter(Model, extra="forbid"):
    """All texts; see `data/release_letter.yaml`. They have no place for personal data.
    `organization`: who releases. `law_enforcement`: the letter to an agency, in English."""

    letter: str
    version: str
    citation: str
    organization: str
    texts: Mapping[Literal["en", "es", "ht"], LetterWords]
    law_enforcement: LetterWords | None = None


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """What one letter says. `citations`: how many items are withheld by each."""

    case_id: str
    received_on: date
    records: int
    partial: bool
    citations: Mapping[str, int]
    kind: CaseKind = "public_records"

    @property
    def withheld(self) -> int:
        """How many items are withheld."""
        return sum(self.citations.values())


def letter_of(letter: ReleaseLetter, facts: LetterFacts) -> Sequence[tuple[str, Sequence[str]]]:
    """The letter in each language: its title and its paragraphs."""
    said = []
    chosen = [letter.texts["en"], letter.texts["es"], letter.texts["ht"]]
    if facts.kind == "law_enforcement" and letter.law_enforcement is not None:
        chosen = [letter.law_enforcement]
    for words in chosen:
        paragraphs = [*words.paragraphs]
        if facts.partial:
            paragraphs.append(words.partial)
        if facts.citations:
            paragraphs.append(words.withheld)
            paragraphs += [f"{name}: {facts.citations[name]}" for name in sorted(facts.citations)]
        else:
            paragraphs.append(words.nothing_withheld)
        places = {
            "case": facts.case_id,
            "received": facts.received_on.isoformat(),
            "records": str(facts.records),
            "withheld": str(facts.withheld),
        }
        filled = [Template(" ".join(each.split())).substitute(places) for each in paragraphs]
        said.append((words.title, filled))
    return said


def letter_problems(letter: ReleaseLetter) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the texts, as language, field and reason."""
    if "\n" in letter.organization or not letter.organization.strip():
        yield letter.letter, "organization", "must be one line"
    said: dict[str, LetterWords] = dict(letter.texts.items())
    for language in LANGUAGES:
        if language not in said:
            yield language, "texts", "is missing"
    if letter.law_enforcement is not None:
        said["law_enforcement"] = letter.law_enforcement
    for language, words in said.items():
        texts = (*words.paragraphs, words.partial, words.withheld, words.nothing_withheld)
        for text in texts:
            template = Template(text)
            if not template.is_valid() or not {*template.get_identifiers()} <= PLACES:
                yield language, "paragraphs", f"may have no places but {', '.join(sorted(PLACES))}"
