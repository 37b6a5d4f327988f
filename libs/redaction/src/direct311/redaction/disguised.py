"""Disguised numbers: card, bank, social-security and telephone numbers among a text's sequences.

A sequence counts as one of them if a check digit confirms it (a card by Luhn's check, its issuer
and its length; a bank's routing number; an IBAN), if words announce it, or if only such a number
has its groups. Dates, positions, prices, folios, ZIP codes and lists of house numbers stay.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product

from direct311.redaction.fold import CUT
from direct311.redaction.lexicon import lexicon
from direct311.redaction.numbers import is_routing, labelled, luhn, luhn_sums
from direct311.redaction.sequences import Sequenced, alike
from direct311.redaction.spans import Reading, Span
from direct311.redaction.words import UTILITY_LABEL

_AHEAD = 36
_BEHIND = 24
_LONGEST_PHRASE = 32
_STOP = re.compile(rf"[\d{CUT}]")
_ENDS = re.compile(rf"[\d.;!?{CUT}]")
_LISTING = ("", ",", ";", "&", "+")
"""The signs that separate the items of a list."""

_SENTENCE = (*_LISTING, ".", ":", "/")
"""These too and, next to a space, the signs that end something."""

_SPARE = 2
"""Words next to a number that need not belong to it."""
_WHOLE_ACCOUNT = 8
"""This many digits in a row are an account number even without what follows them."""
_LEADING = 3
"""How many parts before an announced number may belong to the announcement."""

_BEFORE_IBAN = 40
_MOST_BETWEEN = 7
_SHORTEST_IBAN = 9
"""The digits of an IBAN whose country, check digits and bank are separated."""
_S = r"(?:[^\w\x01]|_){0,6}"
_COUNTRY = re.compile(rf"(?<![a-z])([a-z]){_S}([a-z]){_S}\Z")
_COUNTRY_AND_BANK = re.compile(
    rf"(?<![a-z])([a-z]){_S}([a-z]){_S}([\dol]){_S}([\dol]){_S}([a-z]){_S}([a-z]){_S}([a-z]){_S}([a-z]){_S}\Z"
)
_DIGITS_ALIKE = str.maketrans("ol", "01")

_SIXTEEN = re.compile(r"[a-f]")
_YEAR = r"(?:19|20)\d\d"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NEVER = re.compile(
    # Dates, prices, and pairs of decimal fractions; `_is_position` checks whether a pair is a
    # position.
    rf"(?<!\d){_DAY}[/.\-]{_DAY}[/.\-]{_YEAR}(?!\d)|(?<!\d){_YEAR}[/.\-]{_DAY}[/.\-]{_DAY}(?!\d)"
    r"|(?<!\d)\$ ?\d{1,3}(?:(?:,\d{3})+(?:\.\d\d)?|\.\d\d)(?!\d)"
    r"|(?<![\d.])(?P<latitude>\d\d)\.\d{3,}[ ]?n?[ ,;/.]{1,3}-? ?(?P<longitude>\d\d)\.\d{3,}(?!\d)"
)
_WHOLE = re.compile(
    # Numbers that must not be cut in two: telephone numbers, times, ZIP codes, folios.
    r"(?<![\d\-])(?:\d{3}-\d{3}-\d{4}|\(\d{3}\) ?\d{3}-\d{4}|\d{5}-\d{4}"
    r"|\d\d-\d{4}-\d{3}-\d{4})(?![\d\-])"
    r"|(?<![\d:])\d?\d:\d\d(?::\d\d)?(?![\d:])"
)


def disguised_cards(reading: Reading) -> Iterator[Span]:
    """Card numbers by issuer, length and Luhn's check, however grouped; announced ones without the
    check."""
    for sequence in reading.sequences:
        if len(sequence.digits) < 13:
            continue
        yield from _cards(sequence)
    for sequence, first in _announced(reading, "card"):
        for size in range(19, 12, -1):
            end = _last_of(sequence, first, size)
            if end is not None:
                yield _span(sequence, first, end)
                break


def disguised_banks(reading: Reading) -> Iterator[Span]:
    """Routing numbers by their check digit, and numbers announced as routing or account numbers."""
    for sequence in reading.sequences:
        for first, last in _nine(sequence):
            if _may_be_routing(sequence, first) and _is_alone(sequence, first, last):
                yield _span(sequence, first, last)
    for sequence, first in _announced(reading, "routing"):
        end = _last_of(sequence, first, 9)
        if end is not None:
            yield _span(sequence, first, end)
    for sequence, first in _announced(reading, "account", within=UTILITY_LABEL):
        if len(sequence.parts[first].digits) >= _WHOLE_ACCOUNT:
            yield _span(sequence, first, first)
            continue
        for size in range(17, 5, -1):
            end = _last_of(sequence, first, size)
            if end is not None and not _cuts(sequence, first, end):
                yield _span(sequence, first, end)
                break


def disguised_ibans(reading: Reading) -> Iterator[Span]:
    """IBANs by country, length and check digits, whatever signs are in between."""
    for sequence in reading.sequences:
        if len(sequence.digits) >= _SHORTEST_IBAN:
            for digits in sequence.readings():
                yield from _ibans(sequence, digits)


def disguised_social_security(reading: Reading) -> Iterator[Span]:
    """Nine digits that are announced, or in groups of 3, 2 and 4 with the same sign between
    them."""
    for sequence, first in _announced(reading, "social_security"):
        for begin in range(first, min(first + _LEADING, len(sequence.parts))):
            end = _last_of(sequence, begin, 9)
            if end is not None:
                yield _span(sequence, begin, end)
                break
    for sequence in _announced_behind(reading, "social_security"):
        start = sequence.part_at(len(sequence.digits) - 9)
        if start is not None:
            yield _span(sequence, start, len(sequence.parts) - 1)
    for sequence in reading.sequences:
        for first, last in _grouped(sequence, (3, 2, 4)):
            digits = sequence.digits[sequence.bounds[first] : sequence.bounds[last + 1]]
            issued = (
                digits[:3] not in ("000", "666")
                and digits[0] != "9"
                and digits[3:5] != "00"
                and digits[5:] != "0000"
            )
            if issued and _signs_alike(sequence, first, last):
                yield _span(sequence, first, last)


def disguised_telephones(reading: Reading) -> Iterator[Span]:
    """Numbers announced as telephone numbers, and ten digits in groups of 3, 3 and 4 or in
    words."""
    shadow = reading.shadow
    for sequence, first in _announced(reading, "telephone"):
        if labelled(shadow, sequence.parts[first].start):
            continue
        for begin in range(first, min(first + _LEADING, len(sequence.parts))):
            end = _telephone_end(sequence, begin)
            if end is not None and not is_other(shadow, *_span(sequence, begin, end)):
                yield _span(sequence, begin, end)
                break
    for sequence in _announced_behind(reading, "telephone"):
        start = sequence.part_at(len(sequence.digits) - 10)
        if start is not None and sequence.digits[-10] >= "2":
            yield _span(sequence, start, len(sequence.parts) - 1)
    for sequence in reading.sequences:
        for first, last in _grouped(sequence, (3, 3, 4)):
            at = sequence.bounds[first]
            if (
                sequence.digits[at] >= "2"
                and sequence.digits[at + 3] >= "2"
                and _signs_alike(sequence, first, last)
            ):
                yield _span(sequence, first, last)
        if _is_said(sequence):
            yield sequence.start, sequence.end


def _announced(
    reading: Reading, kind: str, within: re.Pattern[str] | None = None
) -> Iterator[tuple[Sequenced, int]]:
    """The sequences with an announcement before them, and the part that begins the number.

    `within`: what must not come before the announcement.
    """
    if reading.words.isdisjoint(lexicon().keys[kind]):
        return
    shadow, done = reading.shadow, 0
    for sequence in reading.sequences:
        begin = max(done, sequence.start - _AHEAD - _LONGEST_PHRASE)
        done = sequence.end
        # An announcement can end in a word that could also be a number: 'kat', 'set'.
        stop = min(sequence.end, sequence.start + _LONGEST_PHRASE)
        for phrase in _phrases(kind, shadow, begin, stop):
            end = phrase.end()
            if within and within.search(shadow, max(0, phrase.start() - 40), phrase.start()):
                continue
            first = next((at for at, part in enumerate(sequence.parts) if part.end > end), None)
            if first is None:
                break
            start = sequence.parts[first].start
            if start - end <= _AHEAD and not _STOP.search(shadow, end, start):
                yield sequence, first
                break


def _announced_behind(reading: Reading, kind: str) -> Iterator[Sequenced]:
    """The sequences with an announcement after them: '… is my number'."""
    if reading.words.isdisjoint(lexicon().keys[kind]):
        return
    shadow = reading.shadow
    for sequence in reading.sequences:
        end = sequence.end
        for phrase in _phrases(kind, shadow, end, end + _BEHIND + _LONGEST_PHRASE):
            if phrase.start() - end <= _BEHIND and not _ENDS.search(shadow, end, phrase.start()):
                yield sequence
            break


def _phrases(kind: str, shadow: str, begin: int, stop: int) -> Iterator[re.Match[str]]:
    """The announcements of a kind that begin at a word boundary."""
    for phrase in lexicon().announced[kind].finditer(shadow, begin, stop):
        start = phrase.start()
        if not (start and shadow[start - 1].isalnum()):
            yield phrase


def _last_of(sequence: Sequenced, first: int, size: int) -> int | None:
    """The last part of a number of `size` digits that begins with the part `first`."""
    after = sequence.part_at(sequence.bounds[first] + size)
    return after - 1 if after else None


def _span(sequence: Sequenced, first: int, last: int) -> Span:
    return sequence.parts[first].start, sequence.parts[last].end


def _cards(sequence: Sequenced) -> Iterator[Span]:
    known = lexicon().cards
    sums = luhn_sums(sequence.digits)
    done = 0
    for first, at in enumerate(sequence.bounds[:-1]):
        if at < done:
            continue
        for size in _lengths(known, sequence, at):
            last = _last_of(sequence, first, size)
            if (
                last is not None
                and _passes_luhn(sequence, sums, at, size)
                and _is_a_number(sequence, first, last)
            ):
                yield _span(sequence, first, last)
                done = at + size
                break


def _lengths(known: Mapping[str, Sequence[int]], sequence: Sequenced, at: int) -> Sequence[int]:
    """The possible lengths of a card number that begins here, longest first."""
    for digits in sequence.readings():
        if lengths := known.get(digits[at : at + 4]):
            return lengths[::-1]
    return ()


def _passes_luhn(
    sequence: Sequenced, sums: tuple[list[int], list[int]], at: int, size: int
) -> bool:
    """Luhn's check, for any reading of its letters."""
    one, other = (digits[at : at + size] for digits in (sequence.digits, sequence.other))
    if one == other:
        return luhn(sums, at, at + size)
    reached = {0}
    for place, (digit, instead) in enumerate(zip(reversed(one), reversed(other), strict=True)):
        values = {int(digit), int(instead)}
        if place % 2:
            values = {value * 2 - 9 if value > 4 else value * 2 for value in values}
        reached = {(total + value) % 10 for total in reached for value in values}
    return 0 in reached


def _nine(sequence: Sequenced) -> Iterator[tuple[int, int]]:
    """Nine digits that stand alone, as first and last part, not counting words such as `en` and
    `de`, which are digits in one language but not in another."""
    parts, spare = sequence.parts, len(sequence.digits) - 9
    if not 0 <= spare <= 2 * _SPARE or (spare and _is_said(sequence)):
        return
    doubtful = lexicon().doubtful
    words = [sequence.shadow[part.start : part.end] for part in parts]
    for first in range(min(_SPARE, len(parts) - 1) + 1):
        if first and words[first - 1] not in doubtful:
            return
        last = _last_of(sequence, first, 9)
        if last is not None and doubtful.issuperset(words[last + 1 :]):
            yield first, last


def _may_be_routing(sequence: Sequenced, first: int) -> bool:
    """The check digit of a routing number, for any reading of its letters."""
    at = sequence.bounds[first]
    pairs = zip(sequence.digits[at : at + 9], sequence.other[at : at + 9], strict=True)
    readings = product(*({one, other} for one, other in pairs))
    return any(is_routing("".join(digits)) for digits in readings)


def _is_a_number(sequence: Sequenced, first: int, last: int) -> bool:
    """Whether these parts are not one of the other things that people write with many digits in a
    row."""
    return not (
        is_other(sequence.shadow, *_span(sequence, first, last))
        or _cuts(sequence, first, last)
        or _is_row(sequence, first, last)
        or _is_of_an_id(sequence, first, last)
    )


def is_other(shadow: str, start: int, end: int) -> bool:
    """Whether there is a date, a price or a position within the county here."""
    for found in _NEVER.finditer(shadow, max(0, start - 32), end + 32):
        if found.start() >= end:
            return False
        if found.end() > start and (found["latitude"] is None or _is_position(found)):
            return True
    return False


def _is_position(found: re.Match[str]) -> bool:
    south, north = lexicon().latitudes
    east, west = lexicon().longitudes
    return south <= int(found["latitude"]) < north and east <= int(found["longitude"]) < west


def _cuts(sequence: Sequenced, first: int, last: int) -> bool:
    """Whether one end is inside a telephone number or the like, which is then what the writer
    meant."""
    start, end = _span(sequence, first, last)
    for found in _WHOLE.finditer(sequence.shadow, max(0, start - 32), end + 32):
        if found.start() < start < found.end() or found.start() < end < found.end():
            return True
    return False


def _is_row(sequence: Sequenced, first: int, last: int) -> bool:
    """Whether these numbers go up or down evenly or in small steps: houses, rooms, poles."""
    if last - first < 2 or not sequence.plain(first, last):
        return False
    digits = [part.digits for part in sequence.parts[first : last + 1]]
    size = len(digits[0])
    if size < 3 or any(len(number) != size for number in digits):
        return False
    steps = [int(after) - int(before) for before, after in pairwise(digits)]
    little = 2 * 10 ** (size - 2)
    return steps[0] != 0 and (
        len(set(steps)) == 1
        or all(0 < step <= little for step in steps)
        or all(0 < -step <= little for step in steps)
    )


def _is_of_an_id(sequence: Sequenced, first: int, last: int) -> bool:
    """Whether these are part of a hexadecimal number, such as a request's id."""
    start, end = _span(sequence, first, last)
    if not sequence.shadow[max(0, start - 1) : start].isalnum() and (
        not sequence.shadow[end : end + 1].isalnum()
    ):
        return False
    return any(
        part.sort == "letters" and _SIXTEEN.search(sequence.shadow, part.start, part.end)
        for part in sequence.parts[first : last + 1]
    )


def _is_alone(sequence: Sequenced, first: int, last: int) -> bool:
    """Whether nine digits form a single number. The check digit alone is not enough: one number in
    thirty passes by chance."""
    if labelled(sequence.shadow, sequence.parts[first].start):
        return False
    if not _is_a_number(sequence, first, last) or _has_whole(sequence, first, last):
        return False
    if first == last or not sequence.plain(first, last):
        return True
    sizes = [group.size for group in sequence.groups(first, last)]
    gaps = [sequence.gap(part) for part in range(first + 1, last + 1)]
    if len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0] and len(sizes) > 2:
        return True
    return alike(gaps) and not (gaps[0].strip() in _SENTENCE and gaps[0] != gaps[0].strip())


def _has_whole(sequence: Sequenced, first: int, last: int) -> bool:
    start, end = _span(sequence, first, last)
    return _WHOLE.search(sequence.shadow, max(0, start - 1), end + 1) is not None


def _grouped(sequence: Sequenced, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where groups of these sizes are adjacent, as first and last part."""
    groups = sequence.groups(0, len(sequence.parts) - 1)
    for at in range(len(groups) - len(sizes) + 1):
        some = groups[at : at + len(sizes)]
        if all(group.size == size for group, size in zip(some, sizes, strict=True)) and all(
            part.sort != "words" for part in sequence.parts[some[0].first : some[-1].last + 1]
        ):
            yield some[0].first, some[-1].last


def _signs_alike(sequence: Sequenced, first: int, last: int) -> bool:
    """Whether the same sign is between all groups, and is not one that separates list items."""
    groups = sequence.groups(first, last)
    gaps = [sequence.gap(group.first).strip() for group in groups[1:]]
    return (
        alike(gaps)
        and gaps[0] not in _LISTING
        and not labelled(sequence.shadow, sequence.parts[first].start)
        and _is_a_number(sequence, first, last)
    )


def _telephone_end(sequence: Sequenced, first: int) -> int | None:
    """The last part of an announced telephone number: seven digits, ten, or eleven with the country
    code; for another country's number, everything there."""
    at = sequence.bounds[first]
    left = len(sequence.digits) - at
    for size in (11, 10, 7):
        last = _last_of(sequence, first, size)
        if last is None or (size == 11 and sequence.digits[at] != "1"):
            continue
        if size == 7 and sequence.plain(first, last):
            sizes = [group.size for group in sequence.groups(first, last)]
            if sizes[0] != 7 and sizes[:2] != [3, 4] and sizes[0] != 1:
                continue
        elif size != 7 and sequence.digits[at + size - 10] < "2":
            continue
        return last
    plus = sequence.shadow[max(0, sequence.parts[first].start - 2) : sequence.parts[first].start]
    if left == 8 or ("+" in plus and left <= 15):
        return len(sequence.parts) - 1
    return None


def _is_said(sequence: Sequenced) -> bool:
    """Whether these are ten digits in words, which always mean a telephone number."""
    digits = sequence.digits
    size = len(digits)
    return (
        (size == 10 or (size == 11 and digits[0] == "1"))
        and digits[-10] >= "2"
        and all(part.sort == "words" for part in sequence.parts)
        and not labelled(sequence.shadow, sequence.start)
    )


def _ibans(sequence: Sequenced, digits: str) -> Iterator[Span]:
    """IBANs whose country, or country and bank, come before the digits (ISO 13616)."""
    shadow, known = sequence.shadow, lexicon().ibans
    for first, part in enumerate(sequence.parts):
        at = part.start - 1
        while at >= 0 and at >= part.start - _MOST_BETWEEN and not shadow[at].isalnum():
            at -= 1
        if at < 0 or not shadow[at].isalpha():
            continue
        before = shadow[max(0, part.start - _BEFORE_IBAN) : part.start]
        for pattern in (_COUNTRY, _COUNTRY_AND_BANK):
            head = pattern.search(before)
            if head is None or CUT in head.group():
                continue
            letters = "".join(head.groups())
            if (length := known.get(letters[:2])) is None:
                continue
            size = length - len(letters)
            last = _last_of(sequence, first, size)
            if last is None:
                continue
            at = sequence.bounds[first]
            said = letters[:2] + letters[2:4].translate(_DIGITS_ALIKE) + letters[4:]
            whole = said + digits[at : at + size]
            moved = whole[4:] + whole[:4]
            if int("".join(str(int(char, 36)) for char in moved)) % 97 == 1:
                yield part.start - len(before) + head.start(), sequence.parts[last].end
