"""What was found in a shadow, taken out of it and out of the text behind it."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from direct311.redaction.fold import CUT, Folded, fold
from direct311.redaction.sequences import Sequenced, sequences, without

Span = tuple[int, int]
"""Start and end of something found, as positions in a shadow."""

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
"""What stands in a redacted text in place of what was found."""

_JOINED = re.compile(rf"{CUT}[^\s.,;:!?\"'){CUT}]|[^\s.,;:!?\"'({CUT}]{CUT}|{CUT} {CUT}")
_MOST_PASSES = 6
_RUN = re.compile(r"\d(?:[ \t\n\-./_,()+:~*]{0,4}\d){6,}")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


class Rule(NamedTuple):
    """What finds one kind. `sequenced`: only among the sequences of a text."""

    kind: Kind
    find: Callable[["Reading"], Iterator[Span]]
    sequenced: bool = False


Rules = Sequence[Rule]
"""In the order in which they search."""


@dataclass(slots=True)
class Reading:
    """One text while kind after kind is taken out of it.

    After each kind the shadow closes over what was found, so that the next kind, and the same
    rules on the result another day, see the same gaps. Marks of an earlier redaction are gaps too.

    `words`: those of the shadow. `runs`: where seven digits or more stand
    together, apart from what usually separates digits. Rules ask both before they search.
    `mixed_case`: the text has capital and small letters, so that a capital means something.
    `public`: telephone numbers that are nobody's own, in ten digits. They stay.
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
        """The numbers of the shadow in all that people write them in, as far as nothing is cut."""
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
        """Whether a capital stands here, in a text that has small letters too."""
        return self.mixed_case and self.folded.char(position).isupper()

    def cut_all(self, rules: Rules) -> None:
        """Take out what the rules find, and then what only the cuts have laid open.

        A cut can take the label off a number that is left, or part two things that were joined.
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
            # Where there were none, a cut makes none.
            self._sequences = without(self._sequences, self.shadow, spans)

    def _is_public(self, span: Span) -> bool:
        """Whether a public number stands here, and nothing but it."""
        digits = "".join(char for char in self.shadow[slice(*span)] if char.isdigit())
        return digits.removeprefix("1") in self.public

    def text(self) -> str:
        """The text with a mark in place of each find."""
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
    """The text without the marks of a redaction."""
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
