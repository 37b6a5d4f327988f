"""Looks for withheld values in text, by their fingerprints alone.

The rolling fingerprint slides over the normal form of the text; where it is one of those that are
looked for, a keyed hash of as many characters as the value has confirms it. NumPy does the sliding:
it is the only step that touches every character (decision 95).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from direct311.redaction.fold import plain_and_shadow
from direct311.redaction.leaks import LEAST_PIECE, Fingerprint, Keyed

_BLOCK = 1 << 16
"""How many characters slide at once: their fingerprints stay in the processor's cache."""
_SIEVE_BITS = 20
_ASCII = 128
_COUNTRY_CODES = ("1", "01", "001")
"""What may stand before a national telephone number without a gap."""

_Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class LeakHit:
    """Where a withheld value is: `start` and `end` count the characters of the text's folded form.
    The hit does not have the value."""

    record_id: str
    kind: str
    start: int
    end: int


def scan(
    key: bytes, fingerprints: Iterable[Fingerprint], text: str, record_id: str | None = None
) -> Sequence[LeakHit]:
    """The withheld values in one text; see `LeakScanner`."""
    return LeakScanner(key, fingerprints).scan(text, record_id)


class LeakScanner:
    """Looks for the same fingerprints in many texts. `key`: the one that they were made with."""

    def __init__(self, key: bytes, fingerprints: Iterable[Fingerprint]) -> None:
        self._keyed = Keyed(key)
        self._values = np.array([self._keyed.value(code) for code in range(_ASCII)], np.uint64)
        everywhere: list[Fingerprint] = []
        long: list[Fingerprint] = []
        own: dict[str, list[Fingerprint]] = defaultdict(list)
        for each in fingerprints:
            if each.own:
                own[each.record_id].append(each)
                if each.length >= LEAST_PIECE:
                    long.append(each)
            else:
                everywhere.append(each)
        self._everywhere = _by_window(everywhere)
        self._long = _by_window(long)
        self._own = {record_id: _by_window(found) for record_id, found in own.items()}

    def scan(self, text: str, record_id: str | None = None) -> Sequence[LeakHit]:
        """The withheld values in a text, in the order of their places. `record_id`: whose own text
        this is; then its shorter values are looked for too. `None`: no record's own; then the long
        ones of every record are."""
        plain, shadow = plain_and_shadow(text)
        codes = _codes(shadow)
        kept = np.flatnonzero(_is_counted(codes))
        normal = codes[kept]
        values = self._valued(normal)
        own = self._long if record_id is None else self._own.get(record_id, ())
        sought = [*self._everywhere, *own]
        hits: set[LeakHit] = set()
        for window, wanted in sought:
            for at, rolling in self._places(values, kept, codes, window, wanted):
                for length, by_mac in wanted.by_rolling[rolling].items():
                    each = self._confirmed(by_mac, at, length, normal, kept, shadow)
                    if each is None:
                        continue
                    start, end = int(kept[at]), int(kept[at + length - 1]) + 1
                    single = each.own and each.kind == "name"
                    if not (single and _is_everyday_word(plain, shadow, start)):
                        hits.add(LeakHit(each.record_id, each.kind, start, end))
        return sorted(hits, key=lambda hit: (hit.start, hit.end, hit.kind, hit.record_id))

    def _places(
        self,
        values: _Words,
        kept: NDArray[np.intp],
        codes: NDArray[Any],
        window: int,
        wanted: "_Sought",
    ) -> Iterator[tuple[int, int]]:
        """Where a window has one of the fingerprints that are looked for, and which one. Places
        inside a word are left out; those inside a number are not, for the country code's sake."""
        for start in range(0, len(values) - window + 1, _BLOCK):
            slid = self._slid(values[start : start + _BLOCK + window - 1], window)
            places = wanted.places(slid)
            found = kept[start + places]
            before = codes[np.maximum(found - 1, 0)]
            begins = (
                (found == 0) | ~_is_counted(before) | _is_digit(before) | _is_digit(codes[found])
            )
            for at in places[begins]:
                yield start + int(at), int(slid[at])

    def _slid(self, values: _Words, window: int) -> _Words:
        """The fingerprint of every window, all arithmetic modulo 2^64. It is made of the window's
        thirds, and a third, whose length is a power of two, of its halves."""
        third, half = window // 3, 1
        while half < third:
            values = values[:-half] * self._power(half) + values[half:]
            half *= 2
        end = len(values) - 2 * third
        slid = values[:end] * self._power(2 * third)
        slid += values[third : end + third] * self._power(third)
        slid += values[2 * third :]
        return slid

    def _power(self, exponent: int) -> np.uint64:
        return np.uint64(pow(self._keyed.base, exponent, 1 << 64))

    def _valued(self, normal: NDArray[np.uint32]) -> _Words:
        """The keyed value of every character."""
        found = self._values.take(normal, mode="clip")
        other = np.flatnonzero(normal >= _ASCII)
        if len(other):
            unique, places = np.unique(normal[other], return_inverse=True)
            values = [self._keyed.value(int(code)) for code in unique]
            found[other] = np.array(values, np.uint64)[places]
        return found

    def _confirmed(
        self,
        by_mac: Mapping[bytes, Fingerprint],
        at: int,
        length: int,
        normal: NDArray[np.uint32],
        kept: NDArray[np.intp],
        shadow: str,
    ) -> Fingerprint | None:
        """The value of this length that is at this place: all of it, and not only as a part of a
        longer word or number."""
        end = at + length
        if end > len(normal):
            return None
        last = int(kept[end - 1])
        if _goes_on(shadow, last, last + 1):
            return None
        found = by_mac.get(self._keyed.mac(_text(normal[at:end])))
        if found is None:
            return None
        first = int(kept[at])
        if _goes_on(shadow, first - 1, first) and not (
            found.kind == "telephone" and _is_country_code(shadow, first)
        ):
            return None
        return found


class _Sought:
    """Fingerprints by what the window has, by length and by keyed hash.

    `places` compares many windows at once: a table of bits leaves out nearly all, and a search in
    the sorted ones the rest.
    """

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self.by_rolling: dict[int, dict[int, dict[bytes, Fingerprint]]] = {}
        for each in fingerprints:
            # Of the same value in several records, the first one is named.
            by_length = self.by_rolling.setdefault(each.rolling, {})
            by_length.setdefault(each.length, {}).setdefault(each.mac, each)
        self._sorted = np.array(sorted(self.by_rolling), np.uint64)
        self._sieve = np.zeros(1 << _SIEVE_BITS, np.bool_)
        self._sieve[self._sifted(self._sorted)] = True

    def places(self, slid: _Words) -> NDArray[np.intp]:
        left = np.flatnonzero(self._sieve.take(self._sifted(slid)))
        found = slid[left]
        near = np.searchsorted(self._sorted, found)
        near[near == len(self._sorted)] = 0
        places: NDArray[np.intp] = left[self._sorted[near] == found]
        return places

    def _sifted(self, slid: _Words) -> NDArray[np.intp]:
        return (slid >> np.uint64(64 - _SIEVE_BITS)).astype(np.intp)


def _by_window(fingerprints: Sequence[Fingerprint]) -> Sequence[tuple[int, _Sought]]:
    """The fingerprints that are looked for with each window, where there are any."""
    windows = sorted({each.window for each in fingerprints})
    return [
        (window, _Sought([each for each in fingerprints if each.window == window]))
        for window in windows
    ]


def _codes(shadow: str) -> NDArray[Any]:
    if shadow.isascii():
        return np.frombuffer(shadow.encode("ascii"), np.uint8)
    return np.frombuffer(shadow.encode("utf-32-le", "surrogatepass"), np.uint32)


_COUNTED_ASCII = np.array([chr(code).isalnum() for code in range(_ASCII)], np.bool_)


def _is_counted(codes: NDArray[Any]) -> NDArray[np.bool_]:
    """Which characters are letters or digits."""
    found = _COUNTED_ASCII.take(codes, mode="clip")
    other = np.flatnonzero(codes >= _ASCII)
    if len(other):
        unique, places = np.unique(codes[other], return_inverse=True)
        counted = [chr(int(code)).isalnum() for code in unique]
        found[other] = np.array(counted, np.bool_)[places]
    return found


def _is_digit(codes: NDArray[Any]) -> NDArray[np.bool_]:
    """A shadow has no other digits than these."""
    return (codes >= ord("0")) & (codes <= ord("9"))


def _text(codes: NDArray[Any]) -> str:
    return "".join(map(chr, codes.tolist()))


def _goes_on(shadow: str, before: int, after: int) -> bool:
    """Whether two neighboring characters belong to one word or one number."""
    if before < 0 or after >= len(shadow):
        return False
    other = shadow[after]
    if not other.isalnum():
        return False
    one = shadow[before]
    return one.isalnum() and one.isdecimal() == other.isdecimal()


def _is_everyday_word(plain: str, shadow: str, at: int) -> bool:
    """Whether a single name is an ordinary word here (long, street): it has no capital, in a text
    that has both capitals and lowercase letters."""
    if len(plain) != len(shadow) or plain.islower() or plain.isupper():
        return False
    return plain[at].islower()


def _is_country_code(shadow: str, at: int) -> bool:
    """Whether the digits just before this place are the country code of the United States."""
    start = at
    while start and at - start <= len(_COUNTRY_CODES[-1]) and shadow[start - 1].isdecimal():
        start -= 1
    return shadow[at].isdecimal() and shadow[start:at] in _COUNTRY_CODES
