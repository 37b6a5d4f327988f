"""A record's texts with marks in place of what is withheld, and the rows of the exemption log.

Both come from the same decisions, so that each mark has its row and each row its mark. Nothing here
depends on the time or on who asks.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from direct311.intake.review.domain.places import FieldTexts, Item
from direct311.intake.review.domain.reviews import ItemDecision
from direct311.schemas import isoformat

_MARK_BEGINS = "[■"
_NO_MARK = "[ ■"


@dataclass(frozen=True, slots=True)
class WithheldRow:
    """One row of the exemption log: what is withheld, under which code, by whose decision."""

    item: Item
    code: str
    decided_by: str
    decided_at: datetime
    version: int


def rows_of(
    decisions: Iterable[ItemDecision],
    fields: Iterable[str],
    order: Callable[[str], int],
) -> tuple[WithheldRow, ...]:
    """What is withheld of these fields, in the order of places and positions.

    What lies inside something else that is withheld has no row of its own, and overlapping spans
    are one row. That row has the code that comes first by `order`, and of two decisions under it
    the one that begins first.
    """
    wanted = set(fields)
    withheld = [each for each in decisions if each.code is not None and each.of.field in wanted]
    wholes = [each for each in withheld if each.of.is_whole]
    outer = [
        each
        for each in wholes
        if not any(one.item != each.item and one.of.covers(each.of) for one in wholes)
    ]
    spans = sorted(
        (
            each
            for each in withheld
            if not each.of.is_whole and not any(one.of.covers(each.of) for one in outer)
        ),
        key=lambda each: each.of.order,
    )
    groups: list[list[ItemDecision]] = [[each] for each in outer]
    groups += _overlapping(spans)
    rows = (_row(group, order) for group in groups)
    return tuple(sorted(rows, key=lambda row: row.item.order))


def _overlapping(spans: Iterable[ItemDecision]) -> list[list[ItemDecision]]:
    groups: list[list[ItemDecision]] = []
    place, end = "", 0
    for each in spans:
        item = each.of
        start, stop = item.start or 0, item.end or 0
        if groups and item.place == place and start < end:
            groups[-1].append(each)
            end = max(end, stop)
        else:
            groups.append([each])
            place, end = item.place, stop
    return groups


def _row(group: Sequence[ItemDecision], order: Callable[[str], int]) -> WithheldRow:
    chosen = min(group, key=lambda each: (order(each.code or ""), each.of.order))
    items = [each.of for each in group]
    item = items[0]
    if not item.is_whole:
        starts, ends = [each.start or 0 for each in items], [each.end or 0 for each in items]
        item = Item(item.place, min(starts), max(ends))
    return WithheldRow(
        item, chosen.code or "", chosen.decided_by, chosen.decided_at, chosen.version
    )


def rendered(texts: FieldTexts, rows: Iterable[WithheldRow], mark: Callable[[str], str]) -> str:
    """A field as it goes out. `mark` makes the mark of a code.

    A withheld field is the mark alone, and so is a withheld entry of one. A text in which somebody
    wrote what looks like the beginning of a mark goes out with a space in it, so that only real
    marks look like marks.
    """
    own = [row for row in rows if row.item.field == texts.field]
    for row in own:
        if row.item.is_whole and row.item.place == texts.field:
            return mark(row.code)
    by_place: dict[str, list[WithheldRow]] = {}
    whole: dict[str, WithheldRow] = {}
    for row in own:
        if row.item.is_whole:
            whole[row.item.place] = row
        else:
            by_place.setdefault(row.item.place, []).append(row)
    return texts.rebuilt(
        {
            entry.place: mark(whole[entry.place].code)
            if entry.place in whole
            else _with_marks(entry.text, by_place.get(entry.place, ()), mark)
            for entry in texts.entries
        },
        without_marks,
    )


def withheld_texts(texts: FieldTexts, item: Item) -> Iterator[str]:
    """What an item withholds of this field, in plain text: each text of an entry or of all of it,
    or the span. Empty texts are left out."""
    for entry in texts.entries:
        if item.is_whole and item.place in (entry.place, texts.field):
            found = entry.text
        elif item.place == entry.place:
            found = entry.text[item.start : item.end]
        else:
            continue
        if found.strip():
            yield found


def _with_marks(text: str, rows: Iterable[WithheldRow], mark: Callable[[str], str]) -> str:
    pieces: list[str] = []
    done = 0
    for row in rows:
        pieces += (without_marks(text[done : row.item.start]), mark(row.code))
        done = row.item.end or done
    pieces.append(without_marks(text[done:]))
    return "".join(pieces)


def without_marks(text: str) -> str:
    """The text, so that nothing that somebody wrote looks like a mark."""
    return text.replace(_MARK_BEGINS, _NO_MARK)


def hash_of(decisions: Sequence[ItemDecision], version: int, fields: Sequence[str]) -> str:
    """SHA-256 (hex) of the decisions that render, as canonical JSON: sorted keys, no blanks."""
    said: Mapping[str, object] = {
        "version": version,
        "fields": sorted(fields),
        "decisions": [
            {
                "item": each.item,
                "code": each.code,
                "decided_by": each.decided_by,
                "decided_at": isoformat(each.decided_at),
                "version": each.version,
            }
            for each in decisions
        ],
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()
