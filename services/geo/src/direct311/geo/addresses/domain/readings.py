"""All readings of an address: short forms that identify a house however its address is written.

A reading is a house number and the core of a street's name: a numbered street's number, or the
letters of a name. Direction, street word, letter after the number, unit, city and ZIP code are not
part of it, so it does not matter whether they are there. Of 11,096 real addresses almost none share
house number and core with another, so this costs little.

A name has further readings: without initials and articles, its first and last word, known streets
with nearly the same spelling, other names of the same street, and the name without one letter. Two
spellings that differ by one slip (a letter missing, added or wrong, or two exchanged) share one of
the latter, whether the street is known or not.

Every number in a line may be the house number, whatever comes before it: '2nd floor, 6520 SW 112
AVE', '6518 and 6520 SW 112 AVE', 'Unit 6520, SW 112 AVE'.

Readings are compared as keyed hashes, in the protection registry and for requests: two addresses
mean the same house if they share any reading. Each address has at most `MOST`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import islice, zip_longest
from string import ascii_uppercase
from typing import Protocol

from direct311.geo.addresses.domain.folding import digits_for_letters, upper_ascii
from direct311.geo.addresses.domain.lines import StreetWords
from direct311.geo.addresses.domain.municipalities import Gazette, fold
from direct311.geo.addresses.domain.streets import distance
from direct311.schemas import Model, nothing

MOST = 32
"""The most readings of one address."""

_LONGEST = 500
"""How many characters of a text are read: a reporter's own address may have this many."""
_LONGEST_LINE = 2 * _LONGEST
"""The most characters in a line, after characters that stand for several are spelled out."""
_MOST_HOUSES = 6
"""How many numbers in a line may be house numbers; if there are more, the last ones, which a street
follows."""
_MOST_PAIRS = 64
_COMMA, _SIGN = ",", "#"
_TOKEN = re.compile(r"\d+|[A-Z]+|[,#]")
_LINE_ENDS = re.compile(r"[\r\n;]+")
_APOSTROPHES = re.compile(r"['`]")
_NUMBERS = re.compile(r"\d+")
_THOUSANDS = re.compile(r"(?<!\d)(\d{1,2})[,.](\d{3})(?!\d)")
_LETTER_FOR_DIGIT = re.compile(
    r"(?<![A-Z\d])(?:[ZSBGOIL]+\d[\dZSBGOIL]*|\d+[ZSBGOIL][\dZSBGOIL]*)(?![A-Z\d])"
)
_DIGIT_FOR_LETTER = re.compile(r"(?<=[A-Z])[0134578](?=[A-Z])|(?<![A-Z\d])[0134578](?=[A-Z]{3})")
_GUESSED = re.compile(f"{_LETTER_FOR_DIGIT.pattern}|{_DIGIT_FOR_LETTER.pattern}")
_AS_DIGITS = str.maketrans("ZSBGOIL", "2586011")
_AS_LETTERS = str.maketrans("0134578", "OIEASTB")
_ZIP = re.compile(r"(?<=[\sA-Z,])3[2-4]\d{3}(?:-?\d{4})?\W*(?:USA|US|UNITED STATES)?\W*$")
_STATE = re.compile(r"(?<=[\s,])(?:FL|FLA|FLORIDA)\b\W*(?:USA|US|UNITED STATES)?\W*$")
_POINTS = re.compile(r"(?<=\b[A-Z])\.(?=[A-Z]\b)")
_LONG_NUMBER = 5
_STREETS_END = 1000
"""No street has a number this high."""
_SHORTEST_SLIP = 3
_LONG_KIND = 5
"""From this many letters on, a street word may have one wrong letter: 'AVNEUE', 'STRET'."""
_MOST_WITHIN = 3
_SHORT = 2
"""The most letters in an abbreviated direction."""
_LETTERS = frozenset(ascii_uppercase)
_WORD = 4
"""The fewest letters of a word that may stand for a whole name."""


class ReadingWords(Model):
    """The content of `readings.yaml`. `numbers`: value → its words; `aliases`: street → cores."""

    version: str
    citation: str
    effective_on: date
    directions: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    saints: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()
    before_numbers: tuple[str, ...] = ()
    ordinals: tuple[str, ...] = ()
    spellings: dict[str, tuple[str, ...]] = nothing()
    numbers: dict[int, tuple[str, ...]] = nothing()
    localities: tuple[str, ...] = ()
    aliases: dict[str, tuple[str, ...]] = nothing()


class NearbyNames(Protocol):
    """The known cores of street names."""

    def near(self, core: str, city: str | None, zip_code: str | None) -> Sequence[str]:
        """Known cores that this may be a misspelling of, most likely first; a known core itself."""
        ...


@dataclass(frozen=True, slots=True)
class Readings:
    """Makes readings; never raises, whatever the text."""

    words: StreetWords
    spoken: ReadingWords
    gazette: Gazette
    _no_core: frozenset[str] = field(init=False, repr=False, compare=False)
    _kinds: frozenset[str] = field(init=False, repr=False, compare=False)
    _by_part: dict[str, list[str]] = field(init=False, repr=False, compare=False)
    _before: frozenset[str] = field(init=False, repr=False, compare=False)
    _ends_number: frozenset[str] = field(init=False, repr=False, compare=False)
    _articles: frozenset[str] = field(init=False, repr=False, compare=False)
    _units: frozenset[str] = field(init=False, repr=False, compare=False)
    _numerals: dict[str, int] = field(init=False, repr=False, compare=False)
    _full: dict[str, str] = field(init=False, repr=False, compare=False)
    _common: frozenset[str] = field(init=False, repr=False, compare=False)
    _directions: frozenset[str] = field(init=False, repr=False, compare=False)
    _unnamed: frozenset[str] = field(init=False, repr=False, compare=False)
    _spelled: dict[str, str] = field(init=False, repr=False, compare=False)
    _localities: frozenset[str] = field(init=False, repr=False, compare=False)
    _aliases: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words, spoken = self.words, self.spoken
        kinds = {*_all_words(words.suffixes), *_all_words(words.local), *words.pretypes}
        kinds |= set(spoken.streets)
        directions = {*_all_words(words.directions), *spoken.directions}
        routes = {*_all_words(words.routes), *spoken.routes}
        no_core = kinds | directions | routes | set(spoken.saints)
        by_part: dict[str, list[str]] = {}
        for kind in kinds:
            if len(kind) >= _LONG_KIND:
                for part in {kind, *_less_one(kind)}:
                    by_part.setdefault(part, []).append(kind)
        derived: dict[str, object] = {
            "_no_core": frozenset(no_core),
            "_kinds": frozenset(kinds),
            "_by_part": by_part,
            "_directions": frozenset(directions),
            "_unnamed": frozenset(directions | set(spoken.articles)),
            "_full": {
                word: (spellings or (short,))[0]
                for short, spellings in (words.directions | words.suffixes | words.local).items()
                for word in (short, *spellings)
            },
            "_common": frozenset(spoken.common),
            "_before": frozenset(
                no_core | set(spoken.before_numbers) | set(spoken.articles) | set(spoken.ordinals)
            ),
            "_ends_number": frozenset(kinds | set(spoken.ordinals) | {","}),
            "_articles": frozenset({*spoken.articles, *spoken.before_numbers}),
            "_units": frozenset({*_all_words(words.units), *spoken.units}),
            "_numerals": {word: value for value, all_ in spoken.numbers.items() for word in all_},
            "_spelled": {w: short for short, all_ in spoken.spellings.items() for w in all_},
            "_localities": frozenset(map(fold, spoken.localities)),
            "_aliases": {},
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)
        aliases: dict[str, tuple[str, ...]] = {}
        for name, cores in spoken.aliases.items():
            for core in self.cores(name)[:1]:
                aliases[core] = (*aliases.get(core, ()), *cores)
        object.__setattr__(self, "_aliases", aliases)

    def of(
        self,
        texts: Sequence[str],
        city: str | None = None,
        zip_code: str | None = None,
        known: NearbyNames | None = None,
    ) -> tuple[str, ...]:
        """The readings of address lines for one place, most certain first; none if they name no
        house.

        `city` and `zip_code` are those found in the lines: of several known streets with similar
        names, the ones there come first.
        """

        @cache
        def near(core: str) -> Sequence[str]:
            return known.near(core, city, zip_code) if known else ()

        @cache
        def named(street: tuple[str, ...]) -> tuple[Sequence[str], Sequence[str]]:
            main, others = self._cores(street)
            cores = [*main, *others]
            for core in main[:2]:
                for each in (core, *near(core)):
                    cores += (each, *self._aliases.get(each, ()))
            slips = (slip for core in main[:2] for slip in _less_one(core))
            return tuple(dict.fromkeys(cores)), tuple(islice(slips, MOST))

        sure: list[Sequence[str]] = []
        slips: list[Sequence[str]] = []
        for house, street in islice(self._all_houses(texts), _MOST_PAIRS):
            if isinstance(street, int):
                sure.append([f"{house} {street}"])
                continue
            cores, less = named(tuple(street))
            sure.append([f"{house} {core}" for core in cores])
            slips.append([f"{house} {core}" for core in less])
        # Alternate between the houses, so that an earlier number does not use up the space of later
        # ones.
        return tuple(dict.fromkeys((*_in_turn(sure), *_in_turn(slips))))[:MOST]

    def _all_houses(self, texts: Sequence[str]) -> Iterator[tuple[int, int | Sequence[str]]]:
        """Each pair of a house number and a street once, each text's most likely first."""
        done: set[tuple[int, int | tuple[str, ...]]] = set()
        for text in texts:
            line = self._line(text)
            lines = (line, _guessed(line)) if _GUESSED.search(line) else (line,)
            for tokens in map(self._tokens, lines):
                for house, street in self._houses_anywhere(tokens):
                    pair = (house, street if isinstance(street, int) else tuple(street))
                    if pair not in done:
                        done.add(pair)
                        yield pair

    def _houses_anywhere(self, tokens: Sequence[str]) -> Iterator[tuple[int, int | Sequence[str]]]:
        """The pairs from the start of the line, then from each further number on, without units and
        again with unit numbers as house numbers."""
        kept = [token for token in tokens if token not in self._units and token != _SIGN]
        for some in (self._without_unit(tokens), kept):
            yield from self._houses(some)
            for at in list(self._later_houses(some))[-_MOST_HOUSES:]:
                yield from self._houses(some[at:])

    def _later_houses(self, tokens: Sequence[str]) -> Iterator[int]:
        """The positions of numbers after the first that may be house numbers: not a street's
        number, and followed by more than a city."""
        for at, token in enumerate(tokens):
            if not at or not token.isdigit():
                continue
            before, after = tokens[at - 1], tokens[at + 1 :]
            first = next(_segments(after), [])
            if not after or self._is_city(first):
                continue
            may_be_a_street = len(token) < len(str(_STREETS_END))
            behind_a_street_word = (
                before in self._no_core and before not in self.spoken.before_numbers
            )
            before_a_street_word = (
                bool(first) and first[0] in self._ends_number and not self._names_a_street(after)
            )
            if may_be_a_street and (behind_a_street_word or before_a_street_word):
                continue
            yield at

    def cores(self, street: str) -> tuple[str, ...]:
        """The cores of a street's name without a house number: its letters as one word, or a
        numbered street's number."""
        tokens = self._tokens(self._line(street))
        number = self._number(tokens)
        if number is not None:
            return (str(number),)
        main, others = self._cores(tokens)
        return (*main, *others)

    def _cores(self, words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The cores of a name that is not a number: its letters as one word, with and without
        initials and articles, and other forms that may identify it."""
        name = self._without_city([word for word in words if word not in (_COMMA, _SIGN)])
        street = self._up_to_the_kind(name)
        main = dict.fromkeys(self._letters(street))
        others = dict.fromkeys(self._letters(name)) if len(street) < len(name) else {}
        # As one word, for people who leave out the spaces: SPRINGGARDEN, STCHARLES, MIRACLEMILE.
        joined = [word for word in street if word not in self._directions or len(word) > _SHORT]
        others |= {"".join(joined): None, "".join(joined[:-1]): None}
        plain = self._plain(self._core_words(street))
        if len(plain) > 1:
            others |= {word: None for word in (plain[-1], plain[0]) if len(word) >= _WORD}
        return tuple(main), tuple(core for core in others if core and core not in main)

    def _letters(self, words: Sequence[str]) -> Iterator[str]:
        core = self._core_words(words)
        if all(word in self._articles for word in core):
            # All its words are street words and directions: 'SHORE DR', 'CALLE PLAZA', 'NORTH ST'.
            named = [word for word in words if word not in self._unnamed]
            rare = [word for word in named if self._full.get(word, word) not in self._common]
            pointing = [word for word in words if word in self._directions]
            for word in rare[:2] or pointing[:1] or named[:1]:
                yield self._full.get(word, word)
            return
        yield "".join(core)
        if plain := self._plain(core):
            yield "".join(plain)

    def _core_words(self, words: Sequence[str]) -> list[str]:
        found: list[str] = []
        named = False
        for word in words:
            if word in self._no_core or (named and self._is_kind(word)):
                continue
            found.append(self._spelled.get(word, word))
            named = named or word not in self._articles
        return [word for word in found if not word.isdigit()] or found

    def _plain(self, words: Sequence[str]) -> list[str]:
        return [word for word in words if len(word) > 1 and word not in self._articles]

    def _line(self, text: str) -> str:
        line = upper_ascii(text[:_LONGEST])[:_LONGEST_LINE]
        line = _APOSTROPHES.sub("", _LINE_ENDS.sub(" , ", line))
        line = _THOUSANDS.sub(r"\1\2", digits_for_letters(_POINTS.sub(" ", line)))
        short = _STATE.sub("", _ZIP.sub("", line))
        # 'SW 197 AVE, 33501': that is not a ZIP code.
        return short if len(_NUMBERS.findall(short)) > 1 or _NUMBERS.match(short) else line

    def _tokens(self, line: str) -> list[str]:
        tokens: list[str] = _TOKEN.findall(line)
        if any(token in self._numerals for token in tokens):
            tokens = list(self._as_digits(tokens))
        return list(_digits_together(tokens))

    def _as_digits(self, tokens: Sequence[str]) -> Iterator[str]:
        """Number words as digits: 'ONE HUNDRED FORTY SECOND' and 'ONE FORTY TWO' are 142."""
        run: list[int] = []
        for index, token in enumerate(tokens):
            value = self._numerals.get(token)
            if value is not None:
                run.append(value)
                continue
            follows = index + 1 < len(tokens) and tokens[index + 1] in self._numerals
            if run and follows and token in ("Y", "AND", "E"):
                continue
            if run:
                yield _spoken(run)
                run = []
            yield token
        if run:
            yield _spoken(run)

    def _houses(self, tokens: Sequence[str]) -> Iterator[tuple[int, int | Sequence[str]]]:
        """House numbers, each with its street: a number, or the words of its name.

        In '8942-50 SW 142 AVE' and '3 8942 SW 142 AVE' each number may be the house number. If the
        street comes first, as in 'CALLE 8 NO 1234', the numbers after it are house numbers.
        """
        start = next((i for i, token in enumerate(tokens) if token.isdigit()), None)
        if start is None:
            return
        end = start
        while end < len(tokens) and (tokens[end].isdigit() or tokens[end] == "#"):
            end += 1
        before, after = tokens[:start], tokens[end:]
        run = list(_numbers(tokens[start:end]))[-_MOST_HOUSES:]
        if not run:
            return
        if self._is_street_before(before, run[0]):
            later = list(islice(_numbers(tokens[start + 1 :]), _MOST_HOUSES))
            yield from ((house, run[0]) for house in later if house)
            if later:
                return
        one = len(run) == 1
        if not one:
            yield from ((house, run[-1]) for house in run[:-1] if house and run[-1])
            joined = "".join(token for token in tokens[start:end] if token.isdigit())
            if len(joined) <= _LONG_NUMBER:
                # '89 42 SW 142 AVE'
                run.append(int(joined))
        # In '8942 142 AVE MIAMI' no street name follows the numbers.
        if one or self._names_a_street(after):
            street = self._street(after)
            if street is not None:
                yield from ((house, street) for house in run if house)
                if not isinstance(street, int):
                    numbers = islice(self._numbers_within(after), _MOST_WITHIN)
                    yield from ((house, number) for number in numbers for house in run if house)
                if not isinstance(street, int) and len(street) > 1 and len(street[0]) == 1:
                    # A letter after the number.
                    yield run[-1], street[1:]
                return
            names = [token for token in before if token not in (_COMMA, _SIGN)]
            if any(token in self._kinds for token in names):
                yield run[0], names

    def _names_a_street(self, tokens: Sequence[str]) -> bool:
        """Whether a street follows two numbers; otherwise the second number is a street's."""
        first = next(_segments(tokens), [])
        if not first or first[0] not in self._ends_number:
            return bool(first)
        rest = first[1:]
        return any(token not in self._before for token in rest) and not self._is_city(rest)

    def _is_street_alone(self, tokens: Sequence[str]) -> bool:
        """Whether these are a numbered street without a house number, as in 'CALLE 8 # 1234'."""
        numbers = [token for token in tokens if token.isdigit()]
        words = [token for token in tokens if not token.isdigit()]
        return len(numbers) == 1 and (
            tokens[0] != numbers[0] and self._is_street_before(words, int(numbers[0]))
        )

    def _is_street_before(self, before: Sequence[str], number: int) -> bool:
        """Whether a number with these words before it is a street's: 'CALLE 8', 'SW 142'."""
        return (
            number < _STREETS_END
            and all(token in self._before for token in before)
            and any(
                token in self._no_core and token not in self.spoken.before_numbers
                for token in before
            )
        )

    def _street(self, tokens: Sequence[str]) -> int | Sequence[str] | None:
        """The street at the beginning of these, which follow a house number."""
        number = self._number(tokens)
        if number is not None:
            return number
        for index, segment in enumerate(_segments(tokens)):
            # Text after a comma may be a city.
            if segment and not (index and self._is_city(segment)):
                return segment
        return None

    def _numbers_within(self, tokens: Sequence[str]) -> Iterator[int]:
        """Numbers of numbered streets with other words before them: 'THE BLUE HOUSE, SW 142'."""
        following = [*tokens[2:], ""]
        for before, token, after in zip(tokens, tokens[1:], following, strict=False):
            if (
                token.isdigit()
                and 0 < int(token) < _STREETS_END
                and (before in self._no_core or after in self._ends_number)
            ):
                yield int(token)

    def _number(self, tokens: Sequence[str]) -> int | None:
        """The number of a numbered street, if only allowed words come before it."""
        for token in tokens:
            if token.isdigit():
                return int(token) if 0 < int(token) < _STREETS_END else None
            if token not in self._before and len(token) > 1:
                return None
        return None

    def _without_unit(self, tokens: Sequence[str]) -> list[str]:
        """Removes 'APT 3', 'UNIT B 2' and '# 12' anywhere, unless nothing would be left."""
        kept: list[str] = []
        skip = 0
        for index, token in enumerate(tokens):
            if skip:
                skip -= 1
                continue
            if token == _SIGN and self._is_street_alone(kept):
                continue
            following = tokens[index + 1 : index + 3]
            if token in self._units or (token == _SIGN and any(t.isdigit() for t in kept)):
                if following and following[0] == "#":
                    skip = 1
                    following = tokens[index + 2 : index + 4]
                if following and (following[0].isdigit() or len(following[0]) <= 2):
                    if following[0] in self._no_core and not following[0].isdigit():
                        continue
                    skip += 1
                    # UNIT B 2, APT 3 C
                    if len(following) > 1 and (
                        (following[0].isalpha() and following[1].isdigit())
                        or (following[0].isdigit() and following[1] in _LETTERS)
                    ):
                        skip += 1
                    continue
                if token == _SIGN:
                    continue
            kept.append(token)
        return kept

    def _up_to_the_kind(self, words: Sequence[str]) -> Sequence[str]:
        """Up to the first word such as AVE with another word before it; everything if there is
        none."""
        named = False
        for index, word in enumerate(words):
            if named and self._is_kind(word):
                return words[: index + 1]
            named = named or word not in self._unnamed
        return words

    def _is_kind(self, word: str) -> bool:
        """Whether it is a word such as AVE, or a long one with a slip in it."""
        if word in self._kinds:
            return True
        if len(word) < _LONG_KIND - 1:
            return False
        likely = {kind for part in (word, *_less_one(word)) for kind in self._by_part.get(part, ())}
        return any(distance(word, kind) == 1 for kind in likely)

    def _without_city(self, words: Sequence[str]) -> Sequence[str]:
        for length in (4, 3, 2, 1):
            head = words[:-length]
            if any(word not in self._directions for word in head) and (
                self._is_city(words[-length:]) and not set(head) <= set(self.spoken.streets)
            ):
                return head
        return words

    def _is_city(self, words: Sequence[str]) -> bool:
        name = " ".join(words)
        return bool(name) and (fold(name) in self._localities or bool(self.gazette.canonical(name)))


def _numbers(tokens: Iterable[str]) -> Iterator[int]:
    """The numbers among these that can be a house's."""
    for token in tokens:
        if token.isdigit() and len(digits := token.lstrip("0") or "0") <= _LONG_NUMBER:
            yield int(digits)


def _in_turn(lists: Iterable[Sequence[str]]) -> Iterator[str]:
    """The first of each, then the second of each, and so on."""
    return (each for some in zip_longest(*lists) for each in some if each is not None)


def _less_one(core: str) -> Iterator[str]:
    if len(core) < _SHORTEST_SLIP or core.isdigit():
        return
    for index in range(len(core)):
        yield core[:index] + core[index + 1 :]


def _segments(tokens: Sequence[str]) -> Iterator[list[str]]:
    segment: list[str] = []
    for token in tokens:
        if token == _COMMA:
            yield segment
            segment = []
        else:
            segment.append(token)
    yield segment


def _spoken(values: Sequence[int]) -> str:
    groups: list[int] = []
    for value in values:
        last = groups[-1] if groups else 0
        if value == 100:
            groups[-1:] = [(last or 1) * 100]
        elif last >= 100 and last % 100 == 0:
            groups[-1] = last + value
        elif (value >= 20 and 1 <= last <= 9) or (value >= 10 and 1 <= last <= 9):
            groups[-1] = last * 100 + value
        elif value < 10 and last % 100 >= 20 and last % 10 == 0:
            groups[-1] = last + value
        else:
            groups.append(value)
    # 'EIGHTY-NINE OH-ONE' is said by tens, 'EIGHT NINE FOUR TWO' digit by digit.
    width = 1 if all(group < 10 for group in groups) else 2
    return "".join([str(groups[0]), *(f"{group:0{width}d}" for group in groups[1:])])


def _digits_together(tokens: Iterable[str]) -> Iterator[str]:
    """Joins separate digits, as in '8 9 4 2', into one number."""
    single = ""
    for token in tokens:
        if len(token) == 1 and token.isdigit():
            single += token
            continue
        if single:
            yield single
            single = ""
        yield token
    if single:
        yield single


def _guessed(line: str) -> str:
    """The line with letters and digits that look alike exchanged: 'S4N M1GUEL', '14Z'."""
    line = _LETTER_FOR_DIGIT.sub(lambda found: found[0].translate(_AS_DIGITS), line)
    return _DIGIT_FOR_LETTER.sub(lambda found: found[0].translate(_AS_LETTERS), line)


def _all_words(table: Mapping[str, Iterable[str]]) -> Iterator[str]:
    return (word for word, _ in _pairs(table))


def _pairs(table: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    for short, spellings in table.items():
        yield short, short
        yield from ((spelling, short) for spelling in spellings if " " not in spelling)
