"""How to read a person from typed text: all readings, so that a person is recognized however the
name, the telephone number or the e-mail address was written.

Readings are texts that are hashed and compared for equality. A request's readings (`held`) differ
from those of the protection registry or a search (`sought`): a name without a middle name matches
every middle name, but two different middle names do not match. One set of readings for both sides
could not express that. Two texts belong to one person if a sought reading is among the held ones.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest

from direct311.schemas import Model
from direct311.schemas.unicode import normalized

MOST = 16
"""The most readings of one field, most certain first, so that a request's index stays small."""
MOST_PERSONS = 4
"""The most people in one field."""

_UNSEEN = frozenset({"Cf", "Mn", "Me"})
_NOT_IN_A_NAME = re.compile(r"[^\w'.,;/&|+\n-]+|_")
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u02bb\u0060\u00b4\u2032\uff07", "'"))
_NICKNAME = re.compile(
    r"\([^()]*\)|\[[^\[\]]*\]|[\"\u201c\u201d\u00ab\u00bb][^\"\u201c\u201d\u00ab\u00bb]*[\"\u201c\u201d\u00ab\u00bb]"
)
_BETWEEN_PERSONS = re.compile(r"[;/&|+\n]")
_SHAPES = str.maketrans({"i": "l", "1": "l", "0": "o", "5": "s", "3": "e", "4": "a", "7": "t"})
_PLAIN_NAME = re.compile(r"([a-z]{2,}) ([a-z]{2,})")
_MAIL = re.compile(r"[^\s,;]*@[^\s,;]*")
_DIGIT = re.compile(r"\d")
_IN_BRACKETS = re.compile(r"\([^()@]*\)")
_PLAIN_ADDRESS = re.compile(r"[a-z0-9][a-z0-9._%+-]*[a-z0-9]@(?:[a-z0-9-]+\.)+[a-z]{2,}", re.ASCII)
_ADDRESS = re.compile(
    r"[^\s@,;|/<>()\[\]\":]{1,64}@[^\s@,;|/<>()\[\]\"':]+\.[^\s@,;|/<>()\[\]\"':.]+"
)


class MailProvider(Model, extra="forbid"):
    """Domains of the same mailboxes; the first one stands for all. `ignored`: characters
    before the @ that make no difference there."""

    domains: tuple[str, ...]
    ignored: str = ""
    citation: str


class PersonWords(Model, extra="forbid"):
    """The words and letters used for readings; `data/person_readings.yaml` explains each."""

    person_readings: str
    version: str
    titles: tuple[str, ...]
    fillers: tuple[str, ...]
    phrases: tuple[str, ...]
    names_too: tuple[str, ...]
    suffixes: tuple[str, ...]
    particles: tuple[str, ...]
    beginnings: Mapping[str, str]
    between_persons: tuple[str, ...]
    apart: tuple[str, ...]
    extensions: tuple[str, ...]
    digits: Mapping[str, tuple[str, ...]]
    at: tuple[str, ...]
    dot: tuple[str, ...]
    mail: tuple[MailProvider, ...]


def problems(words: PersonWords) -> Iterator[tuple[str, str, str]]:
    """Errors in the file that types cannot express: entry, field, reason."""
    domains = [domain for provider in words.mail for domain in provider.domains]
    if len(domains) != len(set(domains)):
        yield "", "mail", "a domain belongs to two providers"
    if not set(words.names_too) <= {*words.titles, *words.fillers}:
        yield "", "names_too", "is neither title nor filler"


@dataclass(frozen=True, slots=True)
class Readings:
    """`sought`: readings of a registry entry or a search. `held`: readings of a request. The first
    of each is the plainest."""

    sought: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Name:
    """`tokens`: the words that count, given names first. `close`: the same, with the small words of
    surnames joined to them. `line`: all words in one, as typed. `sure`: nothing was left out that
    may be part of the name; a reading that is not sure is held but not sought."""

    tokens: tuple[str, ...]
    close: tuple[str, ...]
    line: str
    sure: bool


class PersonReader:
    """Reads names and e-mail addresses, without invisible characters, using the words of a file.

    :param look_alikes: letters that look like Latin ones, with the Latin ones.
    """

    def __init__(self, words: PersonWords, look_alikes: Mapping[str, str]) -> None:
        self._letters = {ord(letter): latin for letter, latin in look_alikes.items()}
        self._titles = frozenset(words.titles)
        self._fillers = frozenset(words.fillers)
        self._names_too = frozenset(words.names_too)
        self._phrases = re.compile(
            rf"(?<![\w'])(?:{'|'.join(map(re.escape, words.phrases))})(?![\w'])"
        )
        self._suffixes = frozenset(words.suffixes)
        self._particles = frozenset(words.particles)
        self._beginnings = dict(words.beginnings)
        self._and = frozenset(words.between_persons)
        self._no_plain_name = (
            self._titles
            | self._fillers
            | self._suffixes
            | self._particles
            | self._beginnings.keys()
        )
        self._said_at = re.compile(
            rf"\s*[\[({{]\s*(?:{'|'.join(words.at)})\s*[\])}}]\s*|\s+(?:{'|'.join(words.at)})\s+",
            re.IGNORECASE,
        )
        self._said_dot = re.compile(
            rf"\s*[\[({{]\s*(?:{'|'.join(words.dot)})\s*[\])}}]\s*|\s+(?:{'|'.join(words.dot)})\s+",
            re.IGNORECASE,
        )
        self._providers = {
            domain: provider for provider in words.mail for domain in provider.domains
        }

    def plain(self, text: str) -> str:
        """Lowercase Latin letters in place of look-alikes, ASCII digits, no accents, nothing
        invisible."""
        if text.isascii():
            return text.casefold()
        letters = normalized("NFKD", text.translate(_APOSTROPHES))
        seen = "".join(c for c in letters if unicodedata.category(c) not in _UNSEEN)
        again = normalized("NFKD", seen.translate(self._letters).casefold())
        digits = (str(unicodedata.digit(c, c)) for c in again.translate(self._letters))
        return "".join(c for c in digits if not unicodedata.combining(c))

    def name(self, text: str, *fields: str) -> Readings:
        """The readings of a name. `fields`: the parts of a form that were combined into it.

        A name matches without titles, suffixes, accents and hyphens, in any order, by two or more
        of its words, as long as the other side has no other words: `Zora Neale Hurston` matches
        `Hurston, Zora` and `Zora N. Hurston`, but not `Zora Ann Hurston`. A single word matches
        only itself.

        A field of two or more words is also held on its own, whatever the other field says: two
        words as part of a longer name, since two given names are not a person, and three or more as
        a whole name.
        """
        plain = self.plain(text).strip()
        if (two := _PLAIN_NAME.fullmatch(plain)) and self._no_plain_name.isdisjoint(two.groups()):
            whole = _sorted(two.groups())
            shape = f"={plain.replace(' ', '').translate(_SHAPES)}"
            # As most are.
            usual = whole if text.isascii() else _sorted(_words(text))
            return Readings(_few((usual, whole, f"+{whole}", shape)), _few((usual, whole, shape)))
        usual = _sorted(_words(text))
        sought, held = [[usual]], [[usual]]
        for each in self._names(plain):
            whole, parts = _sets(each.tokens)
            close, close_parts = _sets(each.close)
            shape = f"={each.line.translate(_SHAPES)}" if len(each.line) > 1 else ""
            if each.sure:
                sought.append([whole, f"+{whole}", close, f"+{close}", shape, *parts, *close_parts])
            more = (f"+{part}" for part in (*parts, *close_parts))
            held.append([whole, close, shape, *more])
        if sum(1 for field in fields if field.strip()) > 1:
            held.append([alone for field in fields for alone in self._alone(field)])
        return Readings(_in_turn(sought), _in_turn(held))

    def _alone(self, field: str) -> Iterator[str]:
        for each in self._names(self.plain(field).strip()):
            if len(each.tokens) > 1:
                whole = _sorted(each.tokens)
                yield f"+{whole}"
                if len(each.tokens) > 2:
                    yield whole

    def mail(self, text: str) -> tuple[str, ...]:
        """Every mailbox named: without the part after a + and what its provider ignores, and again
        with look-alike letters replaced.

        Addresses may be in brackets, after a name, several in one text, or written in words.
        """
        small = text.lower()
        if _PLAIN_ADDRESS.fullmatch(small) and "xn--" not in small:
            # As most are.
            local, _, domain = small.partition("@")
            return _few((small, self._mailbox(local, domain)))
        found: list[str] = []
        for local, domain in self._addresses(text):
            if (ascii_domain := _ascii_domain(domain)) is None:
                continue
            small = local.lower()
            found += [f"{small}@{ascii_domain}", self._mailbox(small, ascii_domain)]
            shown = self.plain(_shown_domain(domain))
            if (look_alike := _ascii_domain(shown)) is not None:
                found.append(self._mailbox(self.plain(local), look_alike))
        return _few(found)

    def _addresses(self, text: str) -> Iterator[tuple[str, str]]:
        letters = normalized("NFKC", text).strip()
        seen = "".join(c for c in letters if unicodedata.category(c) != "Cf")
        seen = _IN_BRACKETS.sub("", seen) if "@" in seen else seen
        if "@" not in seen:
            seen = self._said_dot.sub(".", self._said_at.sub("@", seen))
        seen = re.sub(r"\s*@\s*", "@", re.sub("(?i)mailto:", " ", seen.replace('"', "")))
        for each in _ADDRESS.findall(seen):
            local, _, domain = each.rpartition("@")
            if bare := local.strip("'."):
                yield bare, domain.rstrip(".")

    def _mailbox(self, local: str, domain: str) -> str:
        box = local.partition("+")[0] or local
        if (provider := self._providers.get(domain)) is not None:
            box = "".join(c for c in box if c not in provider.ignored) or box
            domain = provider.domains[0]
        return f"{box}@{domain}"

    def _names(self, plain: str) -> Iterator[_Name]:
        """The people a line names, one for each reading of its titles and nicknames."""
        plain = _MAIL.sub(" ", self._phrases.sub(" ", plain))
        lines = [line for line in (_NICKNAME.sub(" ", plain), plain) if line.strip(" .,'-")]
        words = [found for line in dict.fromkeys(lines) for found in self._persons(line)]
        for found in list(dict.fromkeys(words))[:MOST_PERSONS]:
            for kept, sure in self._without_titles(found):
                tokens = tuple(dict.fromkeys(self._joined(kept)))
                if len(tokens) < 2:
                    tokens = kept
                yield _Name(tokens, tuple(self._joined(kept, close=True)), "".join(kept), sure)

    def _persons(self, line: str) -> Iterator[tuple[str, ...]]:
        """The words of each person of a line. `José & Ana García` are two people with one
        surname."""
        parts = _BETWEEN_PERSONS.split(_NOT_IN_A_NAME.sub(" ", line))
        found = [words for part in parts if (words := self._person(part))]
        for at, words in enumerate(found):
            last = found[-1]
            if len(words) == 1 and at + 1 < len(found) and len(last) > 1:
                words = (*words, last[-1])
            yield words
            for place in (place for place, word in enumerate(words) if word in self._and):
                # `Ortega y Gasset` is one person's surname.
                if place and len(words) - place > 2:
                    second = words[place + 1 :]
                    first = words[:place] if place > 1 else (words[0], second[-1])
                    yield from (second, first)

    def _person(self, text: str) -> tuple[str, ...]:
        """The words of one name, with a surname before a comma moved to the end and its title to
        the front. Parts with numbers, such as addresses, do not belong to a name."""
        parts = [words for each in text.split(",") if (words := tuple(self._tokens(each)))]
        named = [part for part in parts if not any(self._is_number(word) for word in part)]
        behind = self._suffixes | self._titles | self._fillers
        real = [part for part in named or parts if not behind.issuperset(part)] or parts
        first, *others = real or [()]
        title = first[:1] if others and len(first) > 1 and first[0] in self._titles else ()
        return (*title, *(word for part in others for word in part), *first[len(title) :])

    def _without_titles(self, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
        """A name without titles and fillers anywhere, and whether that is certain. A word that may
        also be a name is certainly a title only in front."""
        whole = words
        dropped = (self._titles | self._fillers) - self._names_too
        words = _fewer(words, lambda word: word in dropped or self._is_number(word))
        start, end = 0, len(words)
        while end - start > 1 and words[end - 1] in self._suffixes:
            end -= 1
        while end - start > 1 and words[start] in self._titles:
            if end - start > 2:
                yield words[start:end], True
            start += 1
        if end - start == 1 and start:
            start -= 1
        yield words[start:end], True
        bare = _fewer(
            words[start:end],
            lambda word: word in self._titles or word in self._fillers or bool(_DIGIT.search(word)),
        )
        if 1 < len(bare) < end - start and bare != whole:
            yield bare, False

    def _is_number(self, word: str) -> bool:
        """Whether a word has more digits than letters and is not a suffix. `Hurst0n` is a name."""
        digits = len(_DIGIT.findall(word))
        return digits * 2 > len(word) and word not in self._suffixes

    def _joined(self, words: Sequence[str], *, close: bool = False) -> Iterator[str]:
        """Joins beginnings of surnames to what follows, and drops small words or, with `close`,
        joins them too. A single letter is an initial unless `close`."""
        waiting = ""
        for at, word in enumerate(words):
            if word in self._particles and at + 1 < len(words):
                waiting += word if close else ""
            elif at and word in self._beginnings and (close or len(word) > 1):
                waiting += self._beginnings[word]
            else:
                yield waiting + word
                waiting = ""
        if waiting:
            yield waiting

    def _tokens(self, text: str) -> Iterator[str]:
        """The words: hyphens separate words; apostrophes and the periods of `Ph.D.` do not."""
        for each in re.split(r"[\s-]+", text.replace("'", "")):
            pieces = [piece for piece in each.split(".") if piece]
            joined = "".join(pieces)
            if joined in self._suffixes or joined in self._titles:
                yield joined
            else:
                yield from pieces


def _fewer(words: tuple[str, ...], is_none: Callable[[str], bool]) -> tuple[str, ...]:
    """The words of a name without other words; all of them if nothing would be left."""
    return tuple(word for word in words if not is_none(word)) or words


def _sets(words: Sequence[str]) -> tuple[str, list[str]]:
    """All words of a name, and the smaller sets that match it too: fewer words, or an initial for a
    middle name."""
    whole, count = _sorted(words), len(words)
    if count < 3:
        return whole, []
    chosen: list[tuple[int, ...]]
    initials: list[tuple[int, ...]]
    if count == 3:
        chosen = list(combinations(range(3), 2))
        initials = [(1,)]
    elif count == 4:
        chosen = [
            (0, 3),
            (0, 2),
            (0, 1, 3),
            (0, 1, 2),
            (0, 2, 3),
            (1, 3),
            (1, 2),
            (1, 2, 3),
            (2, 3),
        ]
        initials = [(1,), (1, 2)]
    else:
        last = count - 1
        chosen = [(0, last), (0, last - 1), (0, last - 1, last), (1, last), (1, last - 1)]
        chosen += [(0, 1, last), (0, 1, last - 1), (0, 1, last - 1, last)]
        initials = [(1,)]
    parts = []
    for each in chosen:
        some = [words[at] for at in each]
        if sum(len(word) > 1 for word in some) > 1:
            parts.append(_sorted(some))
    for each in initials:
        some = [word[0] if at in each else word for at, word in enumerate(words)]
        parts.append(_sorted(some))
    if count == 4:
        # `María J. García` for `María José García López`.
        parts.append(_sorted([words[0], words[1][0], words[2]]))
        parts.append(_sorted([words[0], words[1][0], words[3]]))
    return whole, [part for part in dict.fromkeys(parts) if part != whole]


def _words(text: str) -> list[str]:
    """The words of a text in its own letters, without case, accents and punctuation."""
    letters = normalized("NFKD", text.casefold())
    bare = (c for c in letters if not unicodedata.combining(c))
    return "".join(c if c.isalnum() else " " for c in bare).split()


def _sorted(words: Iterable[str]) -> str:
    return " ".join(sorted(words))


def _in_turn(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Alternates between the lists, so that none of several people is left out."""
    return _few(each for some in zip_longest(*lists, fillvalue="") for each in some)


def _few(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for each in found if each.strip("+= ")))[:MOST]


def _ascii_domain(domain: str) -> str | None:
    try:
        return domain.encode("idna").decode().lower()
    except UnicodeError:
        return None


def _shown_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode("idna")
    except UnicodeError:
        return domain
