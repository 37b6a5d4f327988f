"""E-mail addresses and telephone numbers."""

import re
from collections.abc import Iterator

from direct311.redaction.disguised import is_other
from direct311.redaction.numbers import labelled
from direct311.redaction.spans import Reading, Span
from direct311.redaction.words import listed

_LONGEST_LOCAL = 128
_LOCAL_BACKWARDS = re.compile(r"[(\[]?[ ]?[^\s@<>()\[\]{},;:\"\\|\x01]++")
_DOMAIN = re.compile(
    r"[)\]]?[ ]?([^\s@<>()\[\]{},;:\"\\|/\x01]++(?:[ ](?:com|net|org|edu|gov)(?![a-z]))?)"
)
_SPELLED_WORDS = listed(
    """
    dot punto pwen gmail yahoo hotmail outlook icloud aol bellsouth comcast protonmail ymail com net
    org edu gov
    """
)
_DOT = r"(?:[ ]?[(\[][ ]?(?:dot|punto|pwen|\.)[ ]?[)\]][ ]?|[ ](?:dot|punto|pwen)[ ])"
_SPELLED = re.compile(
    r"[ (\[][ (\[]{0,2}(?:at|arroba|arobas|arobaz|(?<=[(\[])a)[ )\]]{1,3}"
    r"(?:[a-z0-9][a-z0-9\-.]{0,62}+"
    rf"(?:{_DOT}(?:[a-z]{{2,24}}+)(?![a-z0-9])){{1,4}}+"
    r"|(?!www\.)[a-z0-9][a-z0-9\-]{0,62}+(?:\.[a-z0-9\-]{1,63}+){0,3}?"
    r"\.(?:com|net|org|edu|us|co|io|me|info|es|fr|ht|mx|ca|uk)(?![a-z0-9])"
    r"|(?:g-?mail|yahoo|hotmail|outlook|icloud|aol|bellsouth|comcast|protonmail|ymail)"
    r"(?:[ ]?com)?(?![a-z0-9]))"
)
_JOINS = listed("dot punto pwen underscore dash hyphen plus guion tire .")
_LOCAL_WORD = re.compile(r"[\w.+\-]+")

_AT = re.compile(
    r"@|a(?:(?:t|rroba|robas|robaz)(?![a-z0-9])"
    r"|(?<=[(\[{<*]a)(?=[ ]?[)\]}>*])|(?<=[(\[{<*][ ]a)(?=[ ][)\]}>*]))"
)
_AT_WORDS = listed("at arroba arobas arobaz")
_SIGNS = r"[ \t\n(\[{<*_\-|~\"')\]}>]{0,5}"
_SAID_DOT = rf"{_SIGNS}(?<![a-z0-9])(?:dot|punto|pwen|period)(?![a-z0-9]){_SIGNS}"
_LABEL = rf"[a-z0-9]++(?:-(?!{_SAID_DOT})[a-z0-9]++){{0,5}}"
_LAST_LABEL = (
    r"(?:com|net|org|edu|gov|mil|us|co|io|me|info|biz|es|fr|ht|mx|ca|uk|cu|ve|do|ar|br)(?![a-z0-9])"
)
_WRITTEN_DOT = r"[(\[{<*][ ]?\.[ ]?[)\]}>*]"


def _host(dot: str) -> re.Pattern[str]:
    return re.compile(rf"{_SIGNS}{_LABEL}(?:(?:{dot}){_LABEL}){{0,3}}?(?:{dot}){_LAST_LABEL}")


_HOST_AFTER_WORD = _host(rf"{_WRITTEN_DOT}|{_SAID_DOT}")
_HOST_AFTER_MARKED_WORD = _host(rf"\.|{_WRITTEN_DOT}|{_SAID_DOT}")
# After an @, a period may have spaces around it; after 'at', such a period ends a sentence.
_HOST_AFTER_SIGN = _host(rf"[ \t\n]{{0,2}}\.[ \t\n]{{0,2}}|{_WRITTEN_DOT}|{_SAID_DOT}")
_MARKED = re.compile(r"[(\[{<*_\-|~\"')\]}>][ ]?\Z"), re.compile(r"[ ]?[(\[{<*_\-|~\"')\]}>]")
_LOCAL = re.compile(
    rf"[a-z0-9][a-z0-9.+_\-]*+(?:(?:{_WRITTEN_DOT}"
    r"|[ ][(\[{<*]?(?:dot|punto|pwen|underscore|dash|hyphen|plus|guion|tire)[)\]}>*]?[ ])"
    rf"[a-z0-9][a-z0-9.+_\-]*+){{0,4}}{_SIGNS}\Z"
)
_LOCAL_ROOM = 80

_S = r"[ \t\n.\-/_:~*]{0,3}"
_EXTENSION = r"(?:[ ,;]{0,3}(?:extension|ext|x|#)[ .:#]{0,2}\d{1,6}(?!\d))?"
_NATIONAL = re.compile(
    rf"(?<!\d)(?:\+?1{_S})?(?:\({_S}\d{{3}}{_S}\)|\d{{3}}\)?){_S}\d{{3}}{_S}"
    rf"(?:\d{{4}}|\d\d[ .\-]\d\d)(?!\d){_EXTENSION}"
)
_BARE = re.compile(r"1?\d{10}(?!\d)")
_SPACED_OUT = re.compile(r"(?<!\d)(?:1[ .\-])?[2-9](?:[ .\-]\d){9}(?!\d)")
_INTERNATIONAL = re.compile(
    rf"(?:\+|(?<!\d)011[ \-.]{{1,2}})[1-9]\d{{0,2}}(?:[ .\-()]{{0,3}}\d){{6,12}}(?!\d){_EXTENSION}"
)
_LOCAL_NUMBER = re.compile(
    r"(?:call|phone|tele?ph?one?|tel|cell|cellular|mobile|text|txt|fax|contact|reach|whats ?app"
    r"|(?:my|contact|cell) (?:number|num|no|#)|llam[a-z]{1,6}|celular|cel|movil|mi numero|rele"
    r"|telefon|nimewo m|nimewo mwen)"
    r"(?![a-z])([^\d\x01\n]{0,24})(\d{3}[ .\-]{0,2}\d{4}(?!\d)" + _EXTENSION + ")"
)
_BEFORE_RUN = 4
_EXTENSION_ROOM = 24
_CALLING_ROOM = 40


def emails(reading: Reading) -> Iterator[Span]:
    """E-mail addresses, written with @ or spelled ('name at domain dot com', 'arroba', 'punto'),
    also with brackets, dashes, spaces or line breaks around the signs between their words."""
    yield from _plain(reading)
    yield from _disguised(reading)


def _plain(reading: Reading) -> Iterator[Span]:
    shadow = reading.shadow
    at = shadow.find("@")
    while at >= 0:
        local = _LOCAL_BACKWARDS.match(shadow[max(0, at - _LONGEST_LOCAL) : at][::-1])
        domain = _DOMAIN.match(shadow, at + 1)
        if local and domain:
            host = domain.group(1).rstrip(".!?'*")
            # '@' between spaces often means just 'at', unless a host follows.
            if "." in host or " " in host or " " not in shadow[at - 1 : at + 2]:
                yield at - local.end(), domain.start(1) + len(host)
        at = shadow.find("@", at + 1)
    if reading.words.isdisjoint(_SPELLED_WORDS):
        return
    for found in _SPELLED.finditer(shadow):
        start = _local_part_before(shadow, found.start())
        if start < found.start():
            yield start, found.end()


def _disguised(reading: Reading) -> Iterator[Span]:
    shadow = reading.shadow
    if "@" not in shadow and reading.words.isdisjoint(_AT_WORDS):
        return
    for at in _AT.finditer(shadow):
        if at.group() != "@" and shadow[at.start() - 1 : at.start()].isalnum():
            continue
        host = _host_pattern(shadow, at).match(shadow, at.end())
        if host is None:
            continue
        begin = max(0, at.start() - _LOCAL_ROOM)
        local = _LOCAL.search(shadow[begin : at.start()])
        if local is not None:
            yield begin + local.start(), host.end()


def _host_pattern(shadow: str, at: re.Match[str]) -> re.Pattern[str]:
    """What a host looks like here. After a plain 'at' its dots must be spelled out, because places
    have websites."""
    if at.group() == "@":
        return _HOST_AFTER_SIGN
    before, after = _MARKED
    start = max(0, at.start() - 2)
    if before.search(shadow[start : at.start()]) and after.match(shadow, at.end()):
        return _HOST_AFTER_MARKED_WORD
    return _HOST_AFTER_WORD


def _local_part_before(shadow: str, end: int) -> int:
    """Where the spelled-out local part that ends at `end` begins: words joined by 'dot' and the
    like."""
    start = end
    for _ in range(4):
        space = shadow.rfind(" ", max(0, start - 64), start)
        word = _LOCAL_WORD.fullmatch(shadow, space + 1, start)
        if not word:
            return start if start == end else end
        start = space + 1
        gap = shadow.rfind(" ", max(0, space - 16), space) if space > 0 else -1
        join = shadow[gap + 1 : space].strip("()[]") if gap >= 0 else ""
        if join not in _JOINS:
            return start
        start = gap
    return end


def telephones(reading: Reading) -> Iterator[Span]:
    """Telephone numbers with their extensions: ten digits in any usual form, +1, international with
    +, and seven digits next to a word for calling.

    Ten bare digits announced as a permit, a ticket or the like stay.
    """
    shadow = reading.shadow
    for begin, stop in reading.runs:
        begin, room = max(0, begin - _BEFORE_RUN), stop + _EXTENSION_ROOM
        for found in _NATIONAL.finditer(shadow, begin, room):
            if (
                found.start() < stop
                and _is_national(shadow, *found.span())
                and not is_other(shadow, *found.span())
            ):
                yield found.span()
        for pattern in (_INTERNATIONAL, _SPACED_OUT):
            for found in pattern.finditer(shadow, begin, room):
                if found.start() < stop:
                    yield found.span()
        for found in _LOCAL_NUMBER.finditer(shadow, max(0, begin - _CALLING_ROOM), room):
            if found.start(2) < stop and not labelled(shadow, found.start(2)):
                yield found.span(2)


def _is_national(shadow: str, start: int, end: int) -> bool:
    number = shadow[start:end]
    bare = _BARE.match(number)
    if not bare:
        # Nothing else is grouped as three, three and four digits; area codes start at 2.
        return number.lstrip("+1(. \t\n-/_:~*")[:1] >= "2"
    area, exchange = bare.group()[-10], bare.group()[-7]
    fraction = shadow[max(0, start - 1) : start] == "." and shadow[start - 2 : start - 1].isdigit()
    return area >= "2" and exchange >= "2" and not fraction and not labelled(shadow, start)
