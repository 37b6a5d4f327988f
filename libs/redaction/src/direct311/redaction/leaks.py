"""Fingerprints of what was withheld, to look for it in a finished package without having it.

The owner of the withheld values makes the fingerprints under a key that somebody made for one
build. Whoever has the package, the key and the fingerprints finds the places where a withheld value
is (`leak_scan`). Both drop the key and the fingerprints afterwards: a short value could be guessed
with them.

Values and texts are compared in a normal form: decoded and folded as in `fold`, and without
everything that is neither letter nor digit. So it does not matter how a number is grouped, where a
line breaks, or which letters are capitals.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from hmac import digest
from itertools import product
from typing import Annotated

from pydantic import Field

from direct311.redaction.datafile import Data, Problem, load, packaged
from direct311.redaction.fold import shadow_of

LONG = 6
"""The window that slides over a whole package, in characters of the normal form."""
SHORT = 3
"""The window that slides over a record's own text, for its shorter values."""
LEAST_PIECE = 24
"""What is at least so long has a window of this length. It is also looked for in texts that are no
record's own, such as a letter, even if it is not looked for in other records."""
WINDOWS = (LEAST_PIECE, LONG, SHORT)
"""Longest first. The third of each is a power of two, so that it slides fast."""
KEY_BYTES = 32

_WORD = re.compile(r"[^\W_]+")
_COUNTRY_CODE = "1"
_NATIONAL = 10
"""The digits of a telephone number without the country code of the United States."""
_MOST_WORDS = 8
"""How many words of an address may be written in another way."""
_MASK = (1 << 64) - 1
_MAC_BYTES = 16


class LeakKind(Data):
    """How values of one kind are looked for; `data/leaks.yaml` says what each member means."""

    kind: str
    least: Annotated[int, Field(ge=LONG)]
    own: Annotated[int, Field(ge=SHORT)]
    words: Annotated[int, Field(ge=1)] = 1
    digits: bool = False
    reordered: bool = False
    street: bool = False
    pieces: Annotated[int, Field(ge=LEAST_PIECE)] | None = None


class LeakRules(Data):
    """The whole file."""

    leaks: str
    version: str
    kinds: tuple[LeakKind, ...]
    street: dict[str, str]
    nobody: tuple[str, ...] = ()


def _problems(rules: LeakRules) -> Iterator[Problem]:
    names = [each.kind for each in rules.kinds]
    for each in rules.kinds:
        if names.count(each.kind) > 1:
            yield each.kind, "kind", "named more than once"
        if each.own > each.least:
            yield each.kind, "own", "must not be more than least"


@cache
def leak_rules() -> LeakRules:
    """The packaged rules. Raises `DataFileError`."""
    return load(LeakRules, packaged("leaks.yaml"), _problems)


def leak_kinds() -> Sequence[str]:
    """The kinds of values that there are rules for."""
    return tuple(each.kind for each in leak_rules().kinds)


@dataclass(frozen=True, slots=True)
class WithheldValue:
    """A value that must not be in a package, with the record from which it was withheld. `kind`:
    one of `leak_kinds`. `in_pieces`: it is also cut into pieces, if values of its kind are."""

    record_id: str
    kind: str
    text: str = field(repr=False)
    in_pieces: bool = True


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is looked for in place of a value.

    `length`: of its normal form. `window`: how many of its first characters `rolling` is a keyed
    fingerprint of. `mac`: a keyed hash of all of it. `own`: it is not looked for in other records.
    """

    record_id: str
    kind: str
    length: int
    window: int
    rolling: int
    mac: bytes
    own: bool


class Keyed:
    """Fingerprints and keyed hashes under the key of one build (`KEY_BYTES` bytes).

    The rolling fingerprint of a window is the polynomial of its characters' values modulo 2^64;
    base and values come from the key.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        made = digest(key, b"direct311 leak fingerprint", sha256)
        self.base = int.from_bytes(made[:8], "big") | 1
        self.seed = int.from_bytes(made[8:16], "big")
        self._confirming = digest(key, b"direct311 leak confirmation", sha256)

    def rolling(self, normal: str) -> int:
        """The fingerprint of one window."""
        found = 0
        for char in normal:
            found = (found * self.base + self.value(ord(char))) & _MASK
        return found

    def value(self, code: int) -> int:
        """The keyed value of a character (SplitMix64)."""
        mixed = (self.seed + (code + 1) * 0x9E3779B97F4A7C15) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def mac(self, normal: str) -> bytes:
        """The keyed hash that confirms a value in its normal form."""
        return digest(self._confirming, normal.encode(), sha256)[:_MAC_BYTES]

    def file_mac(self, sha256_of_file: bytes) -> bytes:
        """The keyed hash of a whole file or picture, from its SHA-256."""
        return digest(self._confirming, b"file:" + sha256_of_file, sha256)[:_MAC_BYTES]


def normal_form(text: str) -> str:
    """A text as values and texts are compared: its letters and digits, decoded and folded."""
    return "".join(_WORD.findall(shadow_of(text)))


def is_nobody(name: str) -> bool:
    """Whether programs write this as a name where nobody gave one."""
    return normal_form(name) in _nobody()


@cache
def _nobody() -> frozenset[str]:
    return frozenset(map(normal_form, leak_rules().nobody))


def fingerprints(key: bytes, values: Iterable[WithheldValue]) -> tuple[Fingerprint, ...]:
    """What to look for, so that these values are found. A value that is too short to be looked for
    has none.

    :raises KeyError: there are no rules for a value's kind.
    """
    keyed = Keyed(key)
    kinds = {each.kind: each for each in leak_rules().kinds}
    found: dict[tuple[str, str, bool], Fingerprint] = {}
    for value in values:
        rule = kinds[value.kind]
        for words, whole in _forms(value.text, rule, in_pieces=value.in_pieces):
            normal = "".join(words)
            own = not whole or len(normal) < rule.least or len(words) < rule.words
            if len(normal) < rule.own:
                continue
            window = next(each for each in WINDOWS if len(normal) >= each)
            # A value that is withheld from several records is looked for once everywhere.
            name = value.record_id if own else "", normal, own
            found[name] = found.get(name) or Fingerprint(
                record_id=value.record_id,
                kind=value.kind,
                length=len(normal),
                window=window,
                rolling=keyed.rolling(normal[:window]),
                mac=keyed.mac(normal),
                own=own,
            )
    return tuple(found.values())


def _forms(text: str, rule: LeakKind, *, in_pieces: bool) -> Iterator[tuple[Sequence[str], bool]]:
    """The words of what is looked for, in all ways in which the value may be written, and whether
    that is the whole value."""
    words = _WORD.findall(shadow_of(text))
    if rule.digits:
        yield from ((number, True) for number in _numbers(text, words))
        return
    yield words, True
    if in_pieces and rule.pieces is not None and sum(map(len, words)) >= 2 * rule.pieces:
        yield from ((piece, False) for piece in _pieces(words, rule.pieces))
    if rule.reordered and len(words) > 1:
        yield [words[-1], *words[:-1]], True
        yield [*words[1:], words[0]], True
    if rule.street:
        written = [_street_words().get(word, (word,)) for word in words[:_MOST_WORDS]]
        yield from (([*some, *words[_MOST_WORDS:]], True) for some in product(*written))


@cache
def _street_words() -> dict[str, tuple[str, ...]]:
    """Each word of streets with the other way to write it."""
    return {word: pair for pair in leak_rules().street.items() for word in pair}


def _numbers(text: str, words: Sequence[str]) -> Iterator[Sequence[str]]:
    """A telephone number's digits: without the country code, and without its extension."""
    digits = "".join(char for word in words for char in word if char.isdecimal())
    if len(digits) > _NATIONAL and digits.startswith(_COUNTRY_CODE):
        digits = digits.removeprefix(_COUNTRY_CODE)
    if len(digits) > _NATIONAL and not text.lstrip().startswith("+"):
        yield [digits[:_NATIONAL]]
    yield [digits]


def _pieces(words: Sequence[str], length: int) -> Iterator[Sequence[str]]:
    """Runs of words of about this length, a new one begun at each half of it."""
    ends: list[int] = []
    for word in words:
        ends.append((ends[-1] if ends else 0) + len(word))
    begun = -length
    for first, word in enumerate(words):
        start = ends[first] - len(word)
        if start - begun < length // 2:
            continue
        begun = start
        last = next((at for at in range(first, len(words)) if ends[at] - start >= length), None)
        if last is None:
            break
        yield words[first : last + 1]
    tail = next(at for at in range(len(words)) if ends[-1] - (ends[at] - len(words[at])) <= length)
    yield words[max(0, tail - 1) :]
