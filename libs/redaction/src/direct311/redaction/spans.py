"""Removes what was found from a shadow and from the text behind it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from direct311.redaction.fold import CUT, Folded, fold
from direct311.redaction.sequences import Sequenced, sequences, without

Span = tuple[int, int]
"""The start and end of something found, as positions in a shadow."""

Kind = Literal["card", "bank", "social_security", "email", "telephone", "home_address", "name"]

MARKS: dict[Kind, str] = {
    "card": "[card number]",
    "bank": "[bank number]",
    "social_security": "[social security number]",
    "email": "[e-mail]",
    "telephone": "[telephone]",
    "home_address": "[home address]",
    "name": "[name]",
}
"""The marks that replace what was found in a redacted text."""

_JOINED = re.compile(rf"{CUT}[^\s.,;:!?\"'){CUT}]|[^\s.,;:!?\"'({CUT}]{CUT}|{CUT} {CUT}")
_MOST_PASSES = 6
_RUN = re.compile(r"\d(?:[ \t\n\-./_,()+:~*]{0,4}\d){6,}")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


class Rule(NamedTuple):
    """A rule that finds one kind. `sequenced`: it searches only the sequences of a text."""

    kind: Kind
    find: Callable[["Reading"], Iterator[Span]]
    sequenced: bool = False


Rules = Sequence[Rule]
"""In the order in which the rules search."""


@dataclass(slots=True)
class Reading:
    """One text while one kind after another is removed from it.

    After each kind the shadow closes over what was found, so that the next kind, and a later run of
    the same rules on the result, see the same gaps. Marks of an earlier redaction are gaps too.

    `words`: the words of the shadow. `runs`: where seven digits or more are together, not counting
    the usual separators. Rules check both before they search. `mixed_case`: the text has both
    capital and lowercase letters, so a capital means something. `public`: telephone numbers that
    belong to no person, in ten digits. They stay.
    """

    folded: Folded
    shadow: str
    words: frozenset[str]
    runs: Sequence[Span]
    mixed_case: bool
    public: frozenset[str] = frozenset()
    found: list[tuple[int, int, Kind]] = field(default_factory=list)
    _sequences: Sequence[Sequenced] | None = None

    @property
    def sequences(self) -> Sequence[Sequenced]:
        """The numbers in the shadow, in every form that people write them in, as long as nothing
        has been cut."""
        if self._sequences is None:
            self._sequences = sequences(self.shadow, self.words)
        return self._sequences

    @classmethod
    def of(cls, text: str, public: frozenset[str] = frozenset()) -> "Reading":
        folded = fold(text)
        shadow = folded.shadow
        if "[" in shadow:
            for mark in MARKS.values():
                shadow = shadow.replace(mark, CUT * len(mark))
        plain = without_marks(folded.plain)
        mixed_case = not (plain.islower() or plain.isupper())
        return cls(folded, shadow, _words_of(shadow), _runs_of(shadow), mixed_case, public)

    def has_capital(self, position: int) -> bool:
        """Whether there is a capital here, in a text that also has lowercase letters."""
        return self.mixed_case and self.folded.char(position).isupper()

    def cut_all(self, rules: Rules) -> None:
        """Remove what the rules find, and then what only the cuts have exposed.

        A cut can remove the label of a number that stays, or separate two things that were joined.
        """
        for _ in range(_MOST_PASSES):
            before = len(self.found)
            for kind, find, sequenced in rules:
                if self.sequences or not sequenced:
                    self._cut(kind, find)
            if len(self.found) == before:
                return
            self.runs = _runs_of(self.shadow)
            if not self.runs and not self.sequences and not _JOINED.search(self.shadow):
                return
            self.words = _words_of(self.shadow)

    def _cut(self, kind: Kind, find: Callable[["Reading"], Iterator[Span]]) -> None:
        spans = _merged(sorted(find(self)))
        if kind == "telephone" and self.public:
            spans = [span for span in spans if not self._is_public(span)]
        if not spans:
            return
        pieces: list[str] = []
        done = 0
        for start, end in spans:
            self.found.append((start, end, kind))
            pieces += (self.shadow[done:start], CUT * (end - start))
            done = end
        pieces.append(self.shadow[done:])
        self.shadow = "".join(pieces)
        if self._sequences:
            # If there were none, a cut makes none.
            self._sequences = without(self._sequences, self.shadow, spans)

    def _is_public(self, span: Span) -> bool:
        """Whether this is exactly a public number."""
        digits = "".join(char for char in self.shadow[slice(*span)] if char.isdigit())
        return digits.removeprefix("1") in self.public

    def text(self) -> str:
        """The text with a mark in place of everything found."""
        if not self.found:
            return self.folded.text
        pieces: list[str] = []
        done = 0
        for start, end, kind in sorted(self.found):
            pieces += (self.folded.text[done : self.folded.start(start)], MARKS[kind])
            done = self.folded.start(end)
        pieces.append(self.folded.text[done:])
        return "".join(pieces)

    def spans(self) -> Sequence[tuple[int, int, Kind]]:
        """What was found, as positions in the text."""
        return [
            (self.folded.start(start), self.folded.start(end), kind)
            for start, end, kind in sorted(self.found)
        ]

    def kinds(self) -> dict[Kind, int]:
        """How many of each kind were found."""
        counts: dict[Kind, int] = {}
        for _, _, kind in self.found:
            counts[kind] = counts.get(kind, 0) + 1
        return counts


def _words_of(shadow: str) -> frozenset[str]:
    return frozenset(_WORD.findall(shadow))


def _runs_of(shadow: str) -> list[Span]:
    return [run.span() for run in _RUN.finditer(shadow)]


def without_marks(text: str) -> str:
    """The text without redaction marks."""
    if "[" in text:
        for mark in MARKS.values():
            text = text.replace(mark, "")
    return text


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
