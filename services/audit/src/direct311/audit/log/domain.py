"""Which events belong in the log, what the log keeps of them in cleartext, and under which key."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from direct311.audit.entry import Facts
from direct311.schemas import Event, Model
from direct311.schemas import events as ev
from direct311.schemas.claims import SEALING
from direct311.schemas.secrecy import NO_END, shows_law_enforcement

PERMANENT = "series:45"
"""Name of the key of entries about disposition. GS1-SL item 45: records disposition documentation
is permanent, so this key is never destroyed."""

INDEX = "index:1"
"""Name of the key that vouches for what the query index says. It opens nothing."""

_CASE = "case:"
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of two services may differ."""

DELIVERY_LIMIT = timedelta(days=14)
"""The broker keeps an event no longer than this, so no event is logged later."""

MOST_COUNTED = 100_000
"""The most refusals or failed sign-ins that one entry may stand for: more than a process refuses in
a minute."""


class UnknownEventError(Exception):
    """An event does not belong in the log."""


def facts_of(event: Event[Model]) -> Facts:
    """:raises UnknownEventError: the event has no place in the log."""
    data = event.data
    service = event.source.rpartition("/")[2]
    if isinstance(data, ev.PiiAccessed):
        return _facts_of_access(event.id, service, data)
    if isinstance(data, ev.ActRecorded):
        return _facts_of_act(event.id, service, data)
    if isinstance(data, ev.DisclosureEvent):
        return _facts_of_case(event, service, data)
    if isinstance(data, ev.RecordDestroyed):
        action, at = "destroy", data.destroyed_at
        records: tuple[str, ...] = (data.record_id,)
        order_id = data.order_id
    elif isinstance(data, ev.DispositionCertified):
        action, at, records = "certify", data.certified_at, data.record_ids
        order_id = data.order_id
    else:
        raise UnknownEventError(event.name)
    return Facts(
        event_id=event.id,
        event=event.name,
        service=service,
        record_ids=records,
        actor=f"svc:{service}",
        roles=("service",),
        purpose="retention",
        action=action,
        outcome="success",
        occurred_at=at,
        order_id=order_id,
    )


def _facts_of_case(event: Event[Model], service: str, data: ev.DisclosureEvent) -> Facts:
    """What retention said about a disclosure case. It names no record here: the accesses under the
    case name theirs."""
    at = event.time
    match data:
        case ev.DisclosureRecorded():
            action, actor, at = "case", data.actor, data.occurred_at
        case ev.DisclosureApproved():
            action, actor = "grant", data.approvals[-1].approver
        case ev.DisclosureRevoked():
            action, actor, at = "revoke", data.revoked_by, data.revoked_at
        case ev.DisclosureReleased():
            action, actor, at = "release", data.released_by, data.released_at
        case _:
            raise UnknownEventError(event.name)
    return Facts(
        event_id=event.id,
        event=event.name,
        service=service,
        actor=actor,
        purpose=data.purpose,
        case_id=data.case_id,
        action=action,
        outcome="success",
        occurred_at=at,
        exempt_until=data.exemption.until if data.exemption.exempt else None,
    )


def _facts_of_access(event_id: str, service: str, data: ev.PiiAccessed) -> Facts:
    what = data.what
    related = data.retention.related_record
    records = dict.fromkeys((*what.record_ids, *((related,) if related else ())))
    opens = (
        data.outcome == "success"
        # Who seals nothing has no keys to fetch.
        and service in SEALING
        and bool(what.fields)
        # Nor has who decides what is withheld: what was read for that is an access of its own.
        and data.action not in ("search", "list", "sign_in", "void", "redact")
        and what.result_count != 0
    )
    facts = Facts(
        event_id=event_id,
        event="pii.accessed",
        service=service,
        instance=data.where.instance,
        record_ids=tuple(records),
        actor=data.agent.id,
        authentication=data.agent.authentication,
        roles=data.agent.roles,
        department=data.agent.department,
        session=data.agent.session,
        break_glass=data.agent.break_glass,
        purpose=data.why.purpose,
        case_id=data.why.case_id,
        action=data.action,
        outcome=data.outcome,
        fields=what.fields,
        result_count=what.result_count,
        count=data.count or 1,
        occurred_at=data.time.occurred_at,
        exempt_until=data.retention.exempt_until,
        producer=data.time.producer,
        sequence=data.time.sequence,
        query=what.query_hmac,
        opens=opens,
    )
    if facts.shows_law_enforcement and facts.exempt_until is None:
        # Without an end of its own it is withheld until its case says that it is not exempt.
        return facts.exempt(NO_END)
    return facts


def _facts_of_act(event_id: str, service: str, data: ev.ActRecorded) -> Facts:
    """An act opens nothing, so no fetch of keys follows it. It has no producer's number: retention
    writes it in the same write as the act, and cannot do one without the other.

    It says no end of its own exemption: what the liaison does about a case is withheld until the
    case says otherwise, also if the case's own event comes later.
    """
    facts = Facts(
        event_id=event_id,
        event="act.recorded",
        service=service,
        record_ids=data.record_ids,
        actor=data.agent.id,
        authentication=data.agent.authentication,
        roles=data.agent.roles,
        department=data.agent.department,
        session=data.agent.session,
        purpose=data.why.purpose,
        case_id=data.why.case_id,
        action=data.act,
        outcome="success",
        occurred_at=data.occurred_at,
    )
    secret = shows_law_enforcement(facts.purpose, facts.roles)
    return facts.exempt(NO_END) if secret else facts


def key_names(facts: Facts) -> tuple[str, ...]:
    """The keys that an entry is tied to; it is readable as long as one of them exists.

    An entry is kept as long as the record that it relates to (GS1-SL item 393); an entry about
    several records, as long as the longest-lived one. An entry under a disclosure case also relates
    to the case file, and an entry about a case to nothing else. Entries about disposition, from the
    hold to the certificate, are permanent. Empty: the entry has no record and uses its month's key.
    """
    if facts.event.startswith("disclosure."):
        return _case_keys(facts)
    if facts.event != "pii.accessed":
        return (PERMANENT,)
    return (*facts.record_ids, *_case_keys(facts))


def _case_keys(facts: Facts) -> tuple[str, ...]:
    return () if facts.case_id is None else (case_key(facts.case_id),)


def without(facts: Facts, gone: AbstractSet[str]) -> Facts:
    """Facts without destroyed records, just as destruction leaves the facts of earlier entries. If
    all that it relates to is destroyed, the names stay: the entry has its month's key, and is
    destroyed with it.
    """
    if facts.event != "pii.accessed" or gone >= {*key_names(facts)}:
        return facts
    left = tuple(each for each in facts.record_ids if each not in gone)
    return facts if left == facts.record_ids else facts.naming(left)


def left_of(facts: Facts, record_id: str, gone: AbstractSet[str]) -> Facts | None:
    """The facts of an earlier entry after a record, or the case file of that id, was destroyed.
    `gone`: the keys of its case that are destroyed. `None`: nothing that it relates to is left."""
    return remaining(facts, gone | {record_id})


def remaining(facts: Facts, gone: AbstractSet[str]) -> Facts | None:
    """The facts of an entry without records whose keys are among these destroyed ones. `None`:
    neither a record nor a case that it relates to is left."""
    records = tuple(each for each in facts.record_ids if each not in gone)
    return facts.naming(records) if records or {*_case_keys(facts)} - gone else None


def file_of(key_name: str) -> str:
    """The id of the record, or of the case file, that a key of these names belongs to."""
    return key_name.removeprefix(_CASE)


def month_key(at: datetime) -> str:
    """The name of the key of entries without a record. No record id contains a colon."""
    return f"month:{at:%Y-%m}"


def case_key(case_id: str) -> str:
    """The name of the key of a disclosure case. It is destroyed with the case file."""
    return f"{_CASE}{case_id}"


def entry_key(event_id: str) -> str:
    """Name of the key of one entry about several records."""
    return f"entry:{event_id}"
