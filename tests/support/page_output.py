"""Whether a command printed what its page shows.

What differs from run to run is compared by its kind: an id is any id, a time any time, a hash any
hash of that length. An ellipsis inside a word stands for the rest of the word, by itself for
anything. Spaces and line breaks do not count, because pages break long lines, nor do the lengths of
a table's lines. Everything else is compared exactly.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_GAP = "…"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?"
_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d+:\d\d:\d\d"
_SPAN = r"\d+(?:\.\d+)?(?= (?:s|ms|min)\b)"
_KEY = r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}"
_TOKEN = r"eyJ[\w-]+\.[\w-]+\.[\w-]+"
_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"
_LINE = "[\u2500-\u257f]+"

_SCANNER = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("space", r"\s+"),
            ("line", _LINE),
            ("uuid", rf"\b{_UUID}\b"),
            ("shortened", r"[\w+/=-]+…[\w+/=-]*|…[\w+/=-]+"),
            ("gap", "…"),
            ("time", rf"\b{_TIME}"),
            ("date", rf"\b{_DATE}\b"),
            ("clock", rf"\b{_CLOCK}\b"),
            ("span", rf"\b{_SPAN}"),
            ("key", _KEY),
            ("token", _TOKEN),
            ("hex", r"\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b"),
            (
                "base64",
                r"(?<![A-Za-z0-9+/])(?=[A-Za-z0-9+/]*[0-9])(?=[A-Za-z0-9+/]*[a-z])"
                r"(?=[A-Za-z0-9+/]*[A-Z])[A-Za-z0-9+/]{20,}={0,2}",
            ),
            ("number", rf"\b(?:{_NUMBER})\b"),
            ("word", r"\w+"),
            ("sign", r"."),
        )
    ),
    re.DOTALL,
)

_OF_A_KIND = {
    "uuid": _UUID,
    "time": _TIME,
    "date": _DATE,
    "clock": _CLOCK,
    "span": r"\d+(?:\.\d+)?",
    "key": _KEY,
    "token": _TOKEN,
    "base64": r"[A-Za-z0-9+/]{20,}={0,2}",
    "line": _LINE,
    "shortened": r"[\w+/=.-]+",
}


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: str
    text: str
    apart: bool
    """Whether space is before it."""

    def pattern(self) -> str:
        """What it is compared with."""
        if self.kind == "hex":
            return f"[0-9a-f]{{{len(self.text)}}}"
        if self.kind == "varying":
            return f"(?:{_NUMBER})"
        return _OF_A_KIND.get(self.kind) or re.escape(self.text)


def difference(shown: str, printed: str, varies: Sequence[str] = ()) -> str | None:
    """Where the printed text first differs from the one that the page shows; None if it does not.

    :param varies: phrases in which `#` stands for a number that differs from run to run.
    """
    pieces = _pieces(shown)
    for phrase in varies:
        pieces = _varying(pieces, _pieces(phrase))
    runs: list[list[_Piece]] = [[]]
    for piece in pieces:
        if piece.kind == "gap":
            runs.append([])
        else:
            runs[-1].append(piece)
    position = 0
    for number, run in enumerate(runs):
        first, last = number == 0, number == len(runs) - 1
        if not run:
            continue
        lead = r"\s*" if first else r"\s*(?s:.*)" if last else ""
        pattern = re.compile(lead + "(?:" + _joined(run) + ")" + (r"\s*\Z" if last else ""))
        found = pattern.match(printed, position) if lead else pattern.search(printed, position)
        if found is None:
            return _told(run, printed, position, anywhere=not first)
        position = found.end()
    if runs[-1] or len(runs) > 1:
        return None
    return None if not printed[position:].strip() else f"more is printed: {printed[position:]!r}"


def _pieces(text: str) -> list[_Piece]:
    found: list[_Piece] = []
    apart = False
    for match in _SCANNER.finditer(text):
        kind = match.lastgroup or "sign"
        if kind == "space":
            apart = True
            continue
        found.append(_Piece(kind, match[0], apart))
        apart = False
    return found


def _varying(pieces: list[_Piece], phrase: Sequence[_Piece]) -> list[_Piece]:
    """The pieces, with marks on the numbers that stand where the phrase has `#`."""
    marked = list(pieces)
    for start in range(len(pieces) - len(phrase) + 1):
        there = pieces[start : start + len(phrase)]
        if all(_fits(piece, part) for piece, part in zip(there, phrase, strict=True)):
            for offset, part in enumerate(phrase):
                if part.text == "#":
                    marked[start + offset] = _Piece(
                        "varying", there[offset].text, there[offset].apart
                    )
    return marked


def _fits(piece: _Piece, part: _Piece) -> bool:
    if part.text == "#":
        return piece.kind in ("number", "varying")
    return piece.text == part.text or piece.kind == part.kind == "line"


def _joined(run: Sequence[_Piece]) -> str:
    parts: list[str] = []
    for piece in run:
        words = parts and piece.apart and re.match(r"\w", piece.text) and _ends_word(parts[-1])
        parts.append((r"\s+" if words else r"\s*") if parts else "")
        parts.append(piece.pattern())
    return "".join(parts)


def _ends_word(pattern: str) -> bool:
    return pattern[-1:].isalnum()


def _told(run: Sequence[_Piece], printed: str, position: int, *, anywhere: bool) -> str:
    """The longest beginning of the run that is there, and what follows it instead."""
    for count in range(len(run) - 1, 0, -1):
        pattern = re.compile((r"" if anywhere else r"\s*") + _joined(run[:count]))
        found = pattern.search(printed, position) if anywhere else pattern.match(printed, position)
        if found:
            after = " ".join(each.text for each in run[max(0, count - 6) : count])
            return (
                f"after {after!r} the page has {_phrase(run[count:])!r}, "
                f"but printed is {printed[found.end() : found.end() + 80]!r}"
            )
    return f"the page has {_phrase(run)!r}, but printed is {printed[position : position + 200]!r}"


def _phrase(run: Sequence[_Piece]) -> str:
    return " ".join(each.text for each in run[:8])
