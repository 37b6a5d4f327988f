"""The words of the letter that goes with a package, and what it says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from string import Template
from typing import Final, Literal

from direct311.retention.cases.domain import CaseKind
from direct311.retention.packages.domain.files import FileOutcome
from direct311.schemas import Model

LANGUAGES: Final = ("en", "es", "ht")
PLACES: Final = frozenset(
    {"case", "received", "records", "withheld", "files", "not_kept", "not_in_scope"}
)
"""What a text may name."""


class LetterWords(Model, extra="forbid"):
    """The letter in one language. `partial`, `withheld` and those about files stand in it where
    they apply: `files` if the package has files, `not_kept` if a record had files that there are
    no more, `not_in_scope` if nobody asked for some."""

    title: str
    paragraphs: tuple[str, ...]
    partial: str
    withheld: str
    nothing_withheld: str
    files: str = ""
    not_kept: str = ""
    not_in_scope: str = ""

    @property
    def about_files(self) -> Mapping[str, str]:
        """The paragraphs about files, by what they are about."""
        said = {"files": self.files, "not_kept": self.not_kept, "not_in_scope": self.not_in_scope}
        return {name: text for name, text in said.items() if text}


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
    """What one letter says. `citations`: how many items are withheld by each. `files`: how many
    files have each outcome."""

    case_id: str
    received_on: date
    records: int
    partial: bool
    citations: Mapping[str, int]
    kind: CaseKind = "public_records"
    files: Mapping[FileOutcome, int] = field(default_factory=dict)

    @property
    def file_counts(self) -> Mapping[str, int]:
        """How many files each paragraph about files is about."""
        out = self.files.get("original", 0) + self.files.get("redacted", 0)
        return {
            "files": out,
            "not_kept": self.files.get("not_kept", 0),
            "not_in_scope": self.files.get("not_in_scope", 0),
        }

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
        counts = facts.file_counts
        paragraphs += [text for name, text in words.about_files.items() if counts[name]]
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
            **{name: str(count) for name, count in counts.items()},
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
        texts = (
            *words.paragraphs,
            words.partial,
            words.withheld,
            words.nothing_withheld,
            *words.about_files.values(),
        )
        for text in texts:
            template = Template(text)
            if not template.is_valid() or not {*template.get_identifiers()} <= PLACES:
                yield language, "paragraphs", f"may have no places but {', '.join(sorted(PLACES))}"
