"""Decodes text in web encodings: entities, percent-encoding, escapes.

It decodes HTML's character references (WHATWG HTML, section 13.5: named, decimal and hexadecimal,
also without the semicolon), percent-encoded UTF-8 (RFC 3986, section 2.1), the escapes of
JavaScript (`\\u0034`, `\\x34`, `%u0034`), and tags that only mark up words. Encodings may be nested
in any order. Everything else stays unchanged.
"""

import re
from collections.abc import Iterator, Sequence
from html.entities import html5

_MOST_LEVELS = 8
"""The levels of nested codes that are decoded; repeats of the same code count as one."""

_CODED_AT_ALL = re.compile(r"&[#A-Za-z]|%[0-9A-Fa-fu]|<[/!A-Za-z]|\\[ux]")
_AMPERSANDS = r"(?:(?:amp|AMP);?|#0{0,12}38;?|#[xX]0{0,12}26;?)"
_CODED = re.compile(
    rf"&{_AMPERSANDS}*(?:#[xX]0*+(?P<hex>[0-9A-Fa-f]{{1,6}});?|#0*+(?P<decimal>[0-9]{{1,7}});?"
    r"|(?P<name>[A-Za-z][A-Za-z0-9]{1,31}+;?))"
    r"|(?P<percent>(?:%(?:25)*[0-9A-Fa-f]{2})+)"
    r"|(?:%u|\\u)(?P<escape>[0-9A-Fa-f]{4})|\\u\{0*+(?P<code>[0-9A-Fa-f]{1,6})\}"
    r"|\\x(?P<short>[0-9A-Fa-f]{2})"
    r"|(?P<tag></?(?:a|b|br|code|div|em|font|i|li|mark|p|pre|s|small|span|strong|sub|sup|td|tr|tt|u"
    r"|wbr)(?:[\s/][^<>]{0,100})?>|<!--[^<>]{0,100}-->)",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%(?:25)*([0-9A-Fa-f]{2})")
_BREAKS = re.compile(r"</?(?:br|div|li|p|td|tr)(?![a-z])", re.IGNORECASE)
_LONGEST_NAME = max(map(len, html5))
_SIGNS = frozenset(
    name
    for name, meant in html5.items()
    if len(meant) == 1 and not meant.isalnum() and meant < "\u2030"
)


def decode(text: str) -> tuple[str, Sequence[int] | None]:
    """The decoded text, and the position in the original text of each of its characters and of its
    end; `None` if nothing is encoded, so that nothing moved."""
    if not _CODED_AT_ALL.search(text):
        return text, None
    plain, offsets = text, None
    for _ in range(_MOST_LEVELS):
        once = _decoded(plain)
        if once is None:
            break
        plain, steps = once
        offsets = steps if offsets is None else [offsets[step] for step in steps]
    return plain, offsets


def _decoded(text: str) -> tuple[str, list[int]] | None:
    """Decodes one level; `None` if nothing is encoded."""
    pieces: list[str] = []
    offsets: list[int] = []
    done = 0
    for found in _CODED.finditer(text):
        meant = _meant(found)
        if meant is None:
            continue
        start, end = found.span()
        pieces.append(text[done:start])
        offsets.extend(range(done, start))
        for char, at in meant:
            pieces.append(char)
            offsets.extend([at] * len(char))
        done = end
    if not done:
        return None
    pieces.append(text[done:])
    offsets.extend(range(done, len(text) + 1))
    return "".join(pieces), offsets


def _meant(found: re.Match[str]) -> list[tuple[str, int]] | None:
    """The characters of a code, each with its position; `None` if it has no meaning."""
    start = found.start()
    match found.lastgroup:
        case "hex" | "escape" | "code" | "short" as group:
            return _of_number(int(found[group], 16), start)
        case "decimal":
            return _of_number(int(found["decimal"]), start)
        case "name":
            return _of_name(found["name"], start, found.start("name"))
        case "percent":
            units = list(_PERCENT.finditer(found.string, start, found.end()))
            read = list(_of_bytes(units))
            return read if any(len(char) == 1 for char, _ in read) else None
        case _:
            return [("\n", start)] if _BREAKS.match(found.group()) else []


def _of_number(code: int, start: int) -> list[tuple[str, int]] | None:
    if not 0 < code <= 0x10FFFF or 0xD800 <= code < 0xE000:
        return None
    return [(chr(code), start)]


def _of_name(name: str, start: int, at: int) -> list[tuple[str, int]] | None:
    """A named reference: complete or, if it names a sign, with letters directly after it."""
    whole = name.removesuffix(";") + ";"
    for key in (whole, whole.lower()):
        if key in html5:
            return [(html5[key], start)]
    for length in range(min(len(name), _LONGEST_NAME), 1, -1):
        key = name[:length] + ";"
        if key in _SIGNS:
            return [
                (html5[key], start),
                *zip(name[length:], range(at + length, at + len(name)), strict=True),
            ]
    return None


def _of_bytes(units: Sequence[re.Match[str]]) -> Iterator[tuple[str, int]]:
    """The characters of percent-encoded bytes; a byte that is not UTF-8 stays as it is written."""
    codes = bytes(int(unit[1], 16) for unit in units)
    at = 0
    while at < len(codes):
        for length in (1, 2, 3, 4):
            try:
                char = codes[at : at + length].decode()
            except UnicodeDecodeError:
                continue
            yield char, units[at].start()
            at += length
            break
        else:
            yield units[at].group(), units[at].start()
            at += 1
