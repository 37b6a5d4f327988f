"""Sequences: numbers as people write them, whatever is between or in place of their digits.

A sequence consists of parts: groups of digits, letters that look like digits, number words. Between
two parts there may be up to four signs of any sort, with space around them, or a spoken separator
('dash', 'guion'). Other modules decide what a sequence means, if anything.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise

from direct311.redaction.fold import CUT
from direct311.redaction.lexicon import Lexicon, lexicon
from direct311.redaction.words import COMMON

LEAST = 7
"""The digits of the shortest number searched for."""

_MOST_SIGNS = 4
_MOST_SPACE = 8
_MOST_SPOKEN = 2
_LONGEST_LETTERS = 16

_SIGNS = re.compile(r"\S")
_BARS = re.compile(rf"[^\W\d_]|{CUT}")
_BESIDE = re.compile(r"[0-9](?:(?<=[^\W\d_][0-9])|(?!(?:st|nd|rd|th)(?![a-z]))[^\W\d_])")
_RUN = re.compile(rf"[0-9](?:[^\W\d_]?[^a-z\d{CUT}]{{0,12}}\d){{6}}")
_AFTER_DIGIT = re.compile(r"\d[^a-z\d]{0,2}\Z")
_DIGIT = re.compile(r"\d")
_REGION = re.compile(rf"[0-9](?:[^\d{CUT}]{{0,40}}\d)*")
_ROOM = 24
_SOME = 4
"""How many digits must be near before letters are read as digits."""
_BEHIND_DIGIT = re.compile(r"\d[^\w\s]")
_LEAST_GLUED = 6
_LEAST_WORDS = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Digits that belong together, with their position in the shadow.

    `other`: another reading of letters that can be two digits. `sort`: how they are written.
    `open`: a following word below this value adds to the part, as `five` adds to `fifty`.
    """

    start: int
    end: int
    digits: str
    other: str
    sort: str
    open: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Parts with nothing between them: the first and last part, and their digits."""

    first: int
    last: int
    size: int


@dataclass(slots=True)
class Sequenced:
    """A sequence in a shadow. `bounds`: how many digits come before each part, and the total."""

    shadow: str
    parts: Sequence[Part]
    digits: str
    other: str
    bounds: Sequence[int]
    _at: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, shadow: str, parts: Sequence[Part]) -> "Sequenced":
        digits = "".join(part.digits for part in parts)
        other = "".join(part.other for part in parts)
        bounds = [0, *accumulate(len(part.digits) for part in parts)]
        return cls(shadow, parts, digits, other, bounds, {b: at for at, b in enumerate(bounds)})

    @property
    def start(self) -> int:
        return self.parts[0].start

    @property
    def end(self) -> int:
        return self.parts[-1].end

    def part_at(self, digit: int) -> int | None:
        """The part that begins with this digit; `None` if none does."""
        return self._at.get(digit)

    def readings(self) -> Sequence[str]:
        """Its digits, in each possible reading."""
        return (self.digits,) if self.other == self.digits else (self.digits, self.other)

    def gap(self, part: int) -> str:
        """What comes before a part within the sequence."""
        return self.shadow[self.parts[part - 1].end : self.parts[part].start]

    def plain(self, first: int, last: int) -> bool:
        """Whether the parts from `first` to `last` are only digits."""
        return all(part.sort == "digits" for part in self.parts[first : last + 1])

    def groups(self, first: int, last: int) -> Sequence[Group]:
        """The parts from `first` to `last`, with adjacent ones grouped."""
        made: list[Group] = []
        begin = first
        for part in range(first, last + 1):
            if part == last or self.parts[part].end != self.parts[part + 1].start:
                made.append(Group(begin, part, self.bounds[part + 1] - self.bounds[begin]))
                begin = part + 1
        return made


def sequences(shadow: str, words: frozenset[str]) -> Sequence[Sequenced]:
    """The sequences of seven digits or more, in order."""
    known = lexicon()
    digits = sum(map(shadow.count, "0123456789"))
    many = digits >= LEAST
    spoken = _is_spelled(known, shadow, words) or (many and not words.isdisjoint(known.speaking))
    if spoken:
        return list(_sequences(known, shadow, known.spoken.finditer(shadow)))
    beside = digits and _BESIDE.search(shadow) is not None
    if not (
        beside
        or (many and _RUN.search(shadow))
        or (digits >= _SOME and known.alone_in.search(shadow))
    ):
        return ()
    return list(_sequences(known, shadow, _near_digits(known, shadow, 1 if beside else _SOME)))


def _near_digits(known: Lexicon, shadow: str, least: int) -> Iterator[re.Match[str]]:
    """Tokens that can be part of a number, near places with at least this many digits."""
    done = 0
    for region in _REGION.finditer(shadow):
        if len(_DIGIT.findall(region.group())) < least:
            continue
        begin, stop = max(done, region.start() - _ROOM), region.end() + _ROOM
        while shadow[stop : stop + 1].isalnum():
            stop += 1
        yield from known.token.finditer(shadow, begin, stop)
        done = stop


def may_be_spelled(words: Sequence[str]) -> bool:
    """Whether these include enough number words to spell a number; a repeated word counts again.
    One unambiguous word is enough if many ambiguous ones follow."""
    known = lexicon()
    telling = sum(word in known.telling for word in words)
    if telling > 1 or (telling and sum(word in known.values for word in words) >= _LEAST_WORDS):
        return True
    return _has_glued(known, frozenset(words))


def _is_spelled(known: Lexicon, shadow: str, words: frozenset[str]) -> bool:
    """Whether a number word has another number word or a digit next to it."""
    for word in words & known.telling:
        at = shadow.find(word)
        while at >= 0:
            end = at + len(word)
            if known.beside.match(shadow, end) or _AFTER_DIGIT.search(shadow, max(0, at - 3), at):
                return True
            at = shadow.find(word, end)
    return _has_glued(known, words)


def _has_glued(known: Lexicon, words: frozenset[str]) -> bool:
    heads = known.heads
    return any(
        known.glued.fullmatch(word)
        for word in [word for word in words if len(word) >= _LEAST_GLUED and word[:3] in heads]
    )


def without(
    found: Sequence[Sequenced], shadow: str, cuts: Sequence[tuple[int, int]]
) -> Sequence[Sequenced]:
    """What remains of the sequences after these spans (sorted, not overlapping) are cut from the
    shadow."""
    left: list[Sequenced] = []
    at = 0
    for sequence in found:
        while at < len(cuts) and cuts[at][1] <= sequence.start:
            at += 1
        if at == len(cuts) or cuts[at][0] >= sequence.end:
            left.append(replace(sequence, shadow=shadow))
            continue
        parts: list[Part] = []
        for part in sequence.parts:
            if CUT in shadow[parts[-1].end if parts else part.start : part.end]:
                left += _long_enough(shadow, parts)
                parts = []
            if CUT not in shadow[part.start : part.end]:
                parts.append(part)
        left += _long_enough(shadow, parts)
    return left


def _sequences(known: Lexicon, shadow: str, tokens: Iterator[re.Match[str]]) -> Iterator[Sequenced]:
    parts: list[Part] = []
    spoken = repeat = end = begin = 0
    for token in tokens:
        start, stop = token.span()
        if parts and not _near(shadow, end, start):
            yield from _long_enough(shadow, parts)
            parts, spoken, repeat = [], 0, 0
        word = token.group()
        part = _part(known, shadow, word, start, stop)
        if part is not None:
            if repeat and len(part.digits) == 1:
                part = replace(
                    part, start=begin, digits=part.digits * repeat, other=part.other * repeat
                )
            _add(shadow, parts, part)
            spoken = repeat = 0
        elif word in known.repeats:
            repeat, begin = known.repeats[word], start
        elif parts and word in known.times and parts[-1].sort == "words":
            zeros = known.times[word]
            tens = parts[-1].digits + "0" * zeros
            parts[-1] = replace(parts[-1], end=stop, digits=tens, other=tens, open=10**zeros)
        elif parts and word in known.joins and parts[-1].open:
            pass
        elif parts and word in known.separators and spoken < _MOST_SPOKEN:
            spoken += 1
        else:
            repeat = 0
            if parts:
                yield from _long_enough(shadow, parts)
                parts, spoken = [], 0
        end = stop
    yield from _long_enough(shadow, parts)


def _part(known: Lexicon, shadow: str, word: str, start: int, stop: int) -> Part | None:
    """A token as part of a number; `None` if it is not one."""
    if word.isdigit():
        return Part(start, stop, word, word, "digits")
    if (value := known.values.get(word)) is not None:
        zeros = len(value) - len(value.rstrip("0")) if value != "10" else 0
        return Part(
            start, stop, value, value, "words", 10**zeros if len(value) > 1 and zeros else 0
        )
    if word[0] in known.looking and len(word) <= _LONGEST_LETTERS:
        beside = (
            shadow[start - 1 : start].isdigit()
            or shadow[stop : stop + 1].isdigit()
            or _BEHIND_DIGIT.match(shadow, max(0, start - 2), start) is not None
        )
        letters = known.looking if beside else known.alone
        if letters.issuperset(word) and (beside or word not in COMMON):
            likely, other = (word.translate(looks) for looks in known.looks)
            return Part(start, stop, likely, other, "letters")
    if word[:3] in known.heads and known.glued.fullmatch(word):
        digits = "".join(known.values[each] for each in known.word.findall(word))
        return Part(start, stop, digits, digits, "words")
    return None


def _add(shadow: str, parts: list[Part], part: Part) -> None:
    """Adds another part, or extends the last one, as `five` extends `fifty`."""
    last = parts[-1] if parts else None
    if (
        last is not None
        and last.open
        and part.sort == "words"
        and 0 < int(part.digits) < last.open
        and shadow[part.start : part.end] not in lexicon().apart
        and not _SIGNS.search(shadow[last.end : part.start].replace("-", " ").replace("y", " "))
    ):
        digits = str(int(last.digits) + int(part.digits)).zfill(len(last.digits))
        parts[-1] = replace(last, end=part.end, digits=digits, other=digits, open=part.open)
    else:
        parts.append(part)


def _near(shadow: str, end: int, start: int) -> bool:
    """Whether two tokens are close enough to belong to one number."""
    if start - end < 2:
        return start == end or not _BARS.match(shadow, end)
    if start - end > _MOST_SIGNS + _MOST_SPACE:
        return False
    between = shadow[end:start]
    return not _BARS.search(between) and len(_SIGNS.findall(between)) <= _MOST_SIGNS


def _long_enough(shadow: str, parts: Sequence[Part]) -> Iterator[Sequenced]:
    if sum(len(part.digits) for part in parts) >= LEAST:
        yield Sequenced.of(shadow, parts)


def alike(gaps: Sequence[str]) -> bool:
    """Whether the same separator is between all of them."""
    return all(one == other for one, other in pairwise(gaps))
