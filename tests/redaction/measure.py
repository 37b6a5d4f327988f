"""Precision and recall by kind on the labelled set.

A labelled span is met when no letter or digit of it is left, whatever kind it was taken for. A find
is right when it covers a part of a labelled span.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from direct311.redaction import Kind, redact

SENTENCES = Path(__file__).parent / "data" / "labelled.txt"
UNSEEN = SENTENCES.with_name("unseen.txt")
"""Sentences in forms that the rules were not made for, never used to change them."""
_LABEL = re.compile(r"\{(\w+):([^}]*)\}")

Span = tuple[int, int, Kind]
Finder = Callable[[str], Sequence[Span]]
"""What finds personal information in a text."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text in a language, and where something personal stands in it."""

    language: str
    text: str
    labels: Sequence[Span]


@dataclass(slots=True)
class Score:
    """`labels`: spans there are; `met`: those that were taken out whole; `finds`: spans taken out;
    `right`: those of them that hold something personal. Each by kind."""

    labels: Counter[Kind] = field(default_factory=Counter)
    met: Counter[Kind] = field(default_factory=Counter)
    finds: Counter[Kind] = field(default_factory=Counter)
    right: Counter[Kind] = field(default_factory=Counter)
    seconds: float = 0.0
    sentences: int = 0

    def recall(self, kind: Kind) -> float:
        return self.met[kind] / self.labels[kind]

    def precision(self, kind: Kind) -> float:
        return self.right[kind] / self.finds[kind] if self.finds[kind] else 1.0


def read(path: Path = SENTENCES) -> Sequence[Sentence]:
    """The labelled sentences."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        language, _, marked = line.partition("|")
        text, labels, done = "", [], 0
        for label in _LABEL.finditer(marked):
            text += marked[done : label.start()]
            kind: Kind = label[1]  # type: ignore[assignment]
            labels.append((len(text), len(text) + len(label[2]), kind))
            text += label[2]
            done = label.end()
        found.append(Sentence(language, text + marked[done:], labels))
    return found


def by_rules(text: str) -> Sequence[Span]:
    """What the project's own redaction finds."""
    return redact(text).spans


def score(
    sentences: Sequence[Sentence], find: Finder = by_rules, kinds: frozenset[str] | None = None
) -> Score:
    """How well `find` does; only these `kinds` of labels and finds count, where some are named."""
    result = Score(sentences=len(sentences))
    for sentence in sentences:
        started = time.process_time()
        found = find(sentence.text)
        result.seconds += time.process_time() - started
        gone = {at for start, end, _ in found for at in range(start, end)}
        personal = {at for start, end, _ in sentence.labels for at in range(start, end)}
        for start, end, kind in sentence.labels:
            if kinds is None or kind in kinds:
                result.labels[kind] += 1
                result.met[kind] += all(
                    at in gone for at in range(start, end) if sentence.text[at].isalnum()
                )
        for start, end, kind in found:
            if kinds is None or kind in kinds:
                result.finds[kind] += 1
                result.right[kind] += not personal.isdisjoint(range(start, end))
    return result


def table(results: Mapping[str, Score]) -> str:
    """The figures by kind, as Markdown."""
    lines = [
        "| set | kind | spans | recall | finds | precision |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in results.items():
        lines += [
            f"| {name} | {kind} | {each.labels[kind]} | {each.recall(kind):.1%} "
            f"| {each.finds[kind]} | {each.precision(kind):.1%} |"
            for kind in each.labels
        ]
    return "\n".join(lines)
