"""Names of people in running text that nothing announces: 'my neighbor Carlos burns trash'.

A name begins after a word that makes one likely (a title, a kinship, a verb of saying), or with a
listed given name. It continues over the words that can be part of a name. A name next to a word for
a thing, such as a street, park, school, shop or dog, is not a person's.

No rule requires a text without capitals, so removing names never makes others appear.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from direct311.redaction.datafile import Data, Words, load, packaged, plain_list
from direct311.redaction.spans import Reading, Span
from direct311.redaction.words import COMMON, CONJUNCTIONS, GIVEN_NAMES, PARTICLES

_LONGEST = 4
"""The most words in a name, not counting particles."""
_LONGEST_SPAN = 12
"""The most words in a name, counting particles."""
_FAR = 3
"""The most words between a cue and the name it announces."""

_WORD = re.compile(r"[^\W\d_]+(?:['\-][^\W\d_]+)*|\d+[a-z]*|[#&]")
_NEAR = re.compile(r"[ \t]{1,2}|\.[ \t]{0,2}|[ \t]?[-&/][ \t]?")
_CUE_GAP = re.compile(r"[ \t]{0,2}[:,(\"'\-]{0,2}[ \t]{1,2}|[ \t]{0,2}[:,(\"'#\-]{1,2}[ \t]?")
"""Between a cue and what follows it. A period ends the cue's effect, except after a short title."""
_TITLE_GAP = re.compile(r"\.[ \t]{0,2}")
_SHORT = 4
_SENTENCE = re.compile(r"[.!?\n]")


class _Cue(IntEnum):
    """How likely a name follows. `LISTED`: only if a listed name follows. `ANY`: if any capitalized
    word follows."""

    NONE = 0
    LISTED = 1
    ANY = 2


class _File(Data):
    """The word lists of this module."""

    people: str
    version: str
    titles: Words
    relations: Words
    saying: Words
    signed: Words
    pairs: Mapping[str, Words]
    links: Words
    family: Words
    familia: Words
    speaks: Words
    things_after: Words
    things_before: Words
    pets: Words
    no_persons: Words
    words_too: Words


_file = load(_File, packaged("people.yaml"))

_TITLES = _file.titles
_RELATIONS = _file.relations
_SAYING = _file.saying
_SIGNED = _file.signed
"""Words for who wrote something, who was spoken to, and whose something is."""
_PAIRS = _file.pairs
"""Words after which a following cue applies to the next word."""
_LINKS = _file.links
"""Words allowed between a cue and the name."""

_FAMILY = _file.family
_FAMILIA = _file.familia
_SPEAKS = _file.speaks

_SAID = _SPEAKS | _FAMILY

# Words after the name of a street, a place or a business, and words before one.
_THINGS_AFTER = _file.things_after
_THINGS_BEFORE = _file.things_before
_PETS = _file.pets
# Businesses, offices, places, nationalities and days, which are capitalized like people's names.
_NO_PERSONS = _file.no_persons
_WORDS_TOO = _file.words_too
"""Given names that are also words: on their own they are not names, even if capitalized."""

_KNOWN = COMMON | _NO_PERSONS


class _Lists(NamedTuple):
    """`given`: all given names. `alone`: those that mean a person if capitalized, with nothing
    else. `sure`: the county's common ones, which mean a person in lowercase too if a name is
    likely. `starts`: every word that can begin a name or a cue."""

    given: frozenset[str]
    alone: frozenset[str]
    sure: frozenset[str]
    surnames: frozenset[str]
    cues: frozenset[str]


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    given = (plain_list(packaged("census_given_names.txt")) | GIVEN_NAMES) - _KNOWN
    alone = frozenset(each for each in given if len(each) > 2) - _WORDS_TOO
    return _Lists(
        given=given,
        alone=alone,
        sure=(GIVEN_NAMES & alone),
        surnames=plain_list(packaged("census_surnames.txt")) - _KNOWN,
        cues=_TITLES | _RELATIONS | _FAMILIA | _SAYING | _SIGNED,
    )


class _Words(NamedTuple):
    """The words of a shadow: their texts, without a possessive `'s`, and their positions."""

    texts: Sequence[str]
    spans: Sequence[Span]

    def gap(self, shadow: str, at: int) -> str:
        """The text before the word at `at`."""
        return shadow[self.spans[at - 1][1] : self.spans[at][0]]


def people(reading: Reading) -> Iterator[Span]:
    """Names of people that nothing announces."""
    lists = _lists()
    seen = reading.words
    if (
        seen.isdisjoint(lists.given)
        and seen.isdisjoint(lists.cues)
        and seen.isdisjoint(_SAID)
        and "'s" not in reading.shadow
    ):
        return
    shadow = reading.shadow
    found = list(_WORD.finditer(shadow))
    words = _Words([each.group() for each in found], [each.span() for each in found])
    texts, most = words.texts, len(found)
    given, cues = lists.given, lists.cues
    at = 0
    cue, cue_at = _Cue.NONE, 0
    while at < most:
        text = texts[at]
        if cue and (at - cue_at > _FAR or not _carries(words, shadow, at)):
            cue = _Cue.NONE
        bare = text.removesuffix("'s")
        said = at + 1 < most and texts[at + 1] in _SAID
        if cue or said or bare in given:
            name = _name(reading, words, at, cue, lists)
            if name:
                if not _of_a_thing(shadow, words, at, name, cue):
                    yield words.spans[at][0], name.end
                at = name.after
                # 'Neighbors Ann and Bob'
                joined = cue and at < most and texts[at] in CONJUNCTIONS
                cue, cue_at = (cue if joined else _Cue.NONE), at
                at += bool(joined)
                continue
        if text in cues and (strength := _cue(texts, at)):
            cue, cue_at = strength, at
        elif cue and text not in _LINKS:
            cue = _Cue.NONE
        at += 1


def _carries(words: _Words, shadow: str, at: int) -> bool:
    """Whether the text before the word at `at` lets a cue apply to it."""
    gap, before = words.gap(shadow, at), words.texts[at - 1]
    if _CUE_GAP.fullmatch(gap):
        return True
    short = before in _TITLES and len(before) <= _SHORT
    return short and _TITLE_GAP.fullmatch(gap) is not None


def _cue(texts: Sequence[str], at: int) -> _Cue:
    """What the word at `at` tells about the next word."""
    text = texts[at]
    needed = _PAIRS.get(text)
    if needed is not None and not (at and texts[at - 1] in needed):
        return _Cue.NONE
    return _Cue.LISTED if text in _SAYING else _Cue.ANY


class _Found(NamedTuple):
    """Where a name ends in the shadow, the index of the word after it, and how many words it
    has."""

    end: int
    after: int
    parts: int


def _name(reading: Reading, words: _Words, at: int, cue: _Cue, lists: _Lists) -> _Found | None:
    """The name that begins with the word at `at`, if there is one."""
    text = words.texts[at].removesuffix("'s")
    if text in _KNOWN or words.texts[at] in _NO_PERSONS or not text[0].isalpha():
        return None
    found = _rest(reading, words, at, lists)
    return found if _begins(reading, words, at, found, cue, lists) else None


def _begins(
    reading: Reading, words: _Words, at: int, found: _Found, cue: _Cue, lists: _Lists
) -> bool:
    """Whether the name that begins here is a person's, judging by its words and the text around
    them."""
    text = words.texts[at].removesuffix("'s")
    capital = reading.has_capital(words.spans[at][0])
    if text in lists.sure and (cue or found.parts > 1):
        return True
    if text in lists.given and found.parts > 1 and capital:
        return True
    if not capital:
        # 'the hernandez family'
        following = words.texts[found.after] if found.after < len(words.texts) else ""
        return (
            following in _FAMILY
            and text in lists.surnames
            and text not in _WORDS_TOO
            and _NEAR.fullmatch(words.gap(reading.shadow, found.after)) is not None
        )
    if text in lists.alone:
        return True
    following = words.texts[found.after] if found.after < len(words.texts) else ""
    if cue is _Cue.ANY and len(text) > 2 and text not in lists.cues:
        return not following[:1].isdigit() and not _shouted(reading, *words.spans[at])
    listed_too = text in lists.given or (text in lists.surnames and len(text) > 3)
    if cue and listed_too:
        return True
    # Across a mark, the name that was there is the one who speaks: `Coach [name] says`.
    if not following or not _NEAR.fullmatch(words.gap(reading.shadow, found.after)):
        return False
    if following in _FAMILY:
        return True
    return following in _SPEAKS and listed_too and text not in _WORDS_TOO


def _rest(reading: Reading, words: _Words, at: int, lists: _Lists) -> _Found:
    """How far the name that begins at `at` extends."""
    shadow, texts, spans = reading.shadow, words.texts, words.spans
    end, count = spans[at][1], 1
    if texts[at].endswith("'s"):
        return _Found(end - 2, at + 1, count)
    sure = texts[at] in lists.sure
    after = place = at + 1
    while place < min(len(texts), at + _LONGEST_SPAN) and count < _LONGEST:
        gap = words.gap(shadow, place)
        dotted = len(texts[place - 1]) == 1 and gap.startswith(".")
        if gap not in (" ", "  ") and not dotted:
            break
        text = texts[place].removesuffix("'s")
        capital = reading.has_capital(spans[place][0])
        initial = len(text) == 1 and capital and shadow[spans[place][1] :][:1] == "."
        if text in PARTICLES or initial:
            place += 1
            continue
        if text in _KNOWN or text in _THINGS_AFTER or not text[0].isalpha():
            break
        part = text in lists.surnames or text in lists.alone
        if not capital and not (part and sure and text not in _WORDS_TOO):
            break
        end = spans[place][0] + len(text)
        count += 1
        place += 1
        after = place
        if texts[place - 1] != text:
            break
    return _Found(end, after, count)


def _of_a_thing(shadow: str, words: _Words, at: int, name: _Found, cue: _Cue) -> bool:
    """Whether the words belong to a street, a place, a shop or a pet."""
    texts, after = words.texts, name.after
    owner = texts[after - 1].endswith("'s")
    if after < len(texts) and not owner and _NEAR.fullmatch(words.gap(shadow, after)):
        following = texts[after]
        if following in _THINGS_AFTER or following in _NO_PERSONS:
            return True
    if not at or not _NEAR.fullmatch(words.gap(shadow, at)):
        return False
    before = texts[at - 1]
    if cue is _Cue.NONE and (before[0].isdigit() or before in _THINGS_BEFORE):
        return True
    if cue is _Cue.LISTED and before in _THINGS_BEFORE:
        return True
    recent = range(max(0, at - 4), at)
    return any(texts[each] in _PETS for each in recent) and not _SENTENCE.search(
        shadow, words.spans[recent[0]][0], words.spans[at][0]
    )


def _shouted(reading: Reading, start: int, end: int) -> bool:
    """Whether a word is all capitals in a text with lowercase letters: an acronym rather than a
    name."""
    folded = reading.folded
    return folded.text[folded.start(start) : folded.start(end)].isupper()
