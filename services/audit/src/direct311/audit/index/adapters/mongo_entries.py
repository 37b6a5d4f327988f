"""Questions of the query index as aggregation pipelines.

Each begins with two `$match` stages. The first is what one index answers completely: one equality
and a range of `_id`; the second is the rest. MongoDB joins the two and chooses on its own. The
split guides servers that would read the whole range of `_id` as soon as there is more than one
condition (the local stack's does) to the index. Queries for several records omit the range, since
such a server uses only one of the two.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from direct311.audit.entry import INSTANCE_ON, SINGLE, Filter
from direct311.audit.index.domain import Dimension, Exempt
from direct311.audit.log.domain import MOST_COUNTED
from direct311.runtime.storage.database import Document, Index

INDEXED = ("session", "case_id", "actor", "break_glass", "department", "purpose", "action")
"""Single facts with their own index, after records; the first one that a filter names leads."""

_PARTIAL: dict[str, Document] = {
    "session": {"session": {"$exists": True}},
    "case_id": {"case_id": {"$exists": True}},
    "break_glass": {"break_glass": True},
}
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

INDEXES = (
    *(
        Index([(name, 1), ("_id", 1)], name=name)
        for name in ("record_ids", "actor", "department", "purpose", "action", "outcome")
    ),
    *(
        Index([(name, 1), ("_id", 1)], name=name, partialFilterExpression=condition)
        for name, condition in _PARTIAL.items()
    ),
    Index(
        [("exempt_until", 1)],
        name="exempt",
        partialFilterExpression={"exempt_until": {"$gt": _BEGINNING}},
    ),
)


def matching(query: Filter, low: int, high: int, exempt: Exempt | None) -> list[list[Document]]:
    """The stages that let the matching entries in [low, high) through. If there are several lists
    of stages, each lets another part of the entries through."""
    span: Document = {"_id": {"$gte": low, "$lt": high}}
    rest = _conditions(query)
    if exempt is not None and exempt.only:
        return [
            [{"$match": lead}, {"$match": span | rest}, *({"$match": each} for each in more)]
            for lead, *more in _withheld(exempt)
        ]
    if exempt is not None:
        rest["$nor"] = [
            {name: value for condition in each for name, value in condition.items()}
            for each in _withheld(exempt)
        ]
    if len(query.record_ids) > 1:
        lead: Document = {"record_ids": rest.pop("record_ids")}
        rest |= span
    else:
        name = next((name for name in ("record_ids", *INDEXED, "outcome") if name in rest), None)
        lead = span if name is None else {name: rest.pop(name), **span}
    return [[{"$match": lead}, *([{"$match": rest}] if rest else [])]]


def _withheld(exempt: Exempt) -> list[list[Document]]:
    """The conditions of withheld entries, as `Exempt.withholds` says: those of unknown cases by
    their own time, and those of cases that are exempt. The first condition of each has an index,
    and no entry meets both."""
    known, active = sorted(exempt.cases.ends), exempt.cases.exempt_at(exempt.at)
    own: list[Document] = [{"exempt_until": {"$gt": exempt.at}}]
    if known:
        own.append({"case_id": {"$nin": known}})
    return [own, [{"case_id": {"$in": active}}]] if active else [own]


def _conditions(query: Filter) -> Document:
    wanted: Document = {
        name: value for name in SINGLE if (value := getattr(query, name)) is not None
    }
    if query.break_glass is False:
        # Default values are not stored.
        wanted["break_glass"] = None
    if query.role is not None:
        wanted["roles"] = query.role
    if query.field is not None:
        wanted["fields"] = query.field
    if query.host is not None:
        on_host: Document = {"$regex": INSTANCE_ON.format(re.escape(query.host))}
        exactly = {} if query.instance is None else {"$eq": query.instance}
        wanted["instance"] = on_host | exactly
    if query.record_ids:
        first, *more = query.record_ids
        wanted["record_ids"] = {"$in": [first, *more]} if more else first
    bounds = {"$gte": query.since, "$lte": query.until}
    either = [
        {"$or": [{name: {sign: at}} for name in ("occurred_at", "logged_at")]}
        for sign, at in bounds.items()
        if at
    ]
    return wanted | ({"$and": either} if either else {})


_DAY, _HOUR = "%Y-%m-%d", "%Y-%m-%dT%H"


def grouping(by: Sequence[Dimension]) -> list[Document]:
    """The stages that count the matching entries."""
    expressions: dict[Dimension, object] = {
        "day": {"$dateToString": {"format": _DAY, "date": "$occurred_at"}},
        "hour": {"$dateToString": {"format": _HOUR, "date": "$occurred_at"}},
        "record": "$record_ids",
        "case": "$case_id",
    }
    unwound: list[Document] = []
    if "record" in by:
        unwound = [{"$unwind": {"path": "$record_ids", "preserveNullAndEmptyArrays": True}}]
    key = {name: expressions.get(name, f"${name}") for name in by}
    return [
        # Entries whose record is destroyed no longer say anything.
        {"$match": {"actor": {"$exists": True}}},
        *unwound,
        {
            "$group": {
                "_id": key,
                "count": {"$sum": 1},
                "first": {"$min": "$occurred_at"},
                "last": {"$max": "$occurred_at"},
                # Default values are not stored. Absurdly large counts may be stored from before
                # they were refused, and would overflow the sum.
                "times": {"$sum": {"$min": [{"$ifNull": ["$count", 1]}, MOST_COUNTED]}},
            }
        },
    ]


def key_of(document: Document, by: Sequence[Dimension]) -> tuple[str | None, ...]:
    """A group's key, in the requested order."""
    found = document["_id"]
    return tuple(
        ",".join(found.get(name) or ()) if name == "fields" else found.get(name) for name in by
    )
