"""Acts that decide about records, as entries for the audit log.

A use case passes these events to the write that makes the act, so that the act and its entry are
one write. Other services write an access down before it happens, because it cannot be taken back.
An act here is a document's new version, and whoever has that version has the entry.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Final

from direct311.redaction import redact_announced, redact_reference
from direct311.runtime.access.ledger import MOST_RECORDS, agent_of
from direct311.runtime.access.rules import Caller
from direct311.runtime.messaging.state import Outgoing
from direct311.schemas import Model, derived_id
from direct311.schemas import events as ev

PURPOSE: Final = "retention"
_ACTS: Final = "5b0f6a52-3c0e-5d1c-9a55-7d4f0c8b6e21"
"""The namespace of the ids of acts."""
SERVICE: Final = Caller("svc:retention", ("service",), authentication="service")
"""Who carries out what people have decided."""


def agent(caller: Caller) -> ev.AccessAgent:
    """Who acts."""
    return agent_of(caller)


def hold_placed(
    by: ev.AccessAgent,
    at: datetime,
    *,
    hold_id: str,
    kind: ev.HoldKind,
    authority: str,
    record_ids: Sequence[str],
    query: Model | None,
    case_id: str | None,
    again: str = "",
) -> tuple[Outgoing, ...]:
    """A hold on records, or on what a query finds. A hold for a case tells nothing but the case.

    :param again: names what changed, if this hold has an entry already.
    """
    return _parts(
        ev.ActRecorded(
            act="hold",
            act_id=_act_id("hold", f"{hold_id}:{again}" if again else hold_id),
            about=hold_id,
            agent=by,
            why=_why(reference=None if case_id else authority, case_id=case_id),
            hold_kind=None if case_id else kind,
            criteria=_names(query),
            scope_hash=_hash(query),
            occurred_at=at,
        ),
        record_ids,
    )


def hold_released(
    by: ev.AccessAgent,
    at: datetime,
    *,
    hold_id: str,
    reason: str,
    record_ids: Sequence[str],
    query: Model | None,
    case_id: str | None,
) -> tuple[Outgoing, ...]:
    """The release of a hold. The reason for releasing a case's hold stays with the case."""
    return _parts(
        ev.ActRecorded(
            act="release",
            act_id=_act_id("release", hold_id),
            about=hold_id,
            agent=by,
            why=_why(justification=None if case_id else reason, case_id=case_id),
            criteria=_names(query),
            scope_hash=_hash(query),
            occurred_at=at,
        ),
        record_ids,
    )


def provisional_placed(
    by: ev.AccessAgent, at: datetime, case_id: str, bounds: Model | None, revision: int
) -> tuple[Outgoing, ...]:
    """What an open case stops until its records are identified, or within which new bounds. Like
    every hold for a case it tells nothing but the case; `bounds` is there as a hash."""
    hold_id = provisional_id(case_id)
    return _parts(
        ev.ActRecorded(
            act="hold",
            act_id=_act_id("hold", f"{hold_id}:{revision}"),
            about=hold_id,
            agent=by,
            why=_why(case_id=case_id),
            criteria=_names(bounds),
            scope_hash=_hash(bounds),
            occurred_at=at,
        ),
        (),
    )


def provisional_ended(
    by: ev.AccessAgent, at: datetime, case_id: str, bounds: Model | None, *, reopened: int = 0
) -> tuple[Outgoing, ...]:
    """The end of what a case stopped before its records were identified; `reopened`: how many times
    the case was opened again before, each of which raised it anew."""
    hold_id = provisional_id(case_id)
    return _parts(
        ev.ActRecorded(
            act="release",
            act_id=_act_id("release", f"{hold_id}:{reopened}" if reopened else hold_id),
            about=hold_id,
            agent=by,
            why=_why(case_id=case_id),
            criteria=_names(bounds),
            scope_hash=_hash(bounds),
            occurred_at=at,
        ),
        (),
    )


def provisional_id(case_id: str) -> str:
    """The id under which the log knows the provisional hold of a case."""
    return derived_id(_ACTS, f"provisional:{case_id}")


def set_decided(
    act: ev.RecordAct,
    by: ev.AccessAgent,
    at: datetime,
    *,
    disposition_id: str,
    set_hash: str | None,
    record_ids: Sequence[str],
    legal_basis: str,
    left_out: int = 0,
    reason: str | None = None,
) -> tuple[Outgoing, ...]:
    """What happens to a disposition set: `propose`, `approve`, `reject`, `order`."""
    return _parts(
        ev.ActRecorded(
            act=act,
            act_id=_act_id(act, disposition_id),
            about=disposition_id,
            agent=by,
            why=_why(justification=reason, legal_basis=legal_basis),
            set_hash=set_hash,
            left_out=left_out,
            occurred_at=at,
        ),
        record_ids,
    )


def outcome_said(
    by: ev.AccessAgent,
    at: datetime,
    *,
    cause: str,
    record_id: str,
    outcome: str,
    closed_on: date | None,
    legal_basis: str,
) -> tuple[Outgoing, ...]:
    """What somebody said about the work on a record. `cause` identifies this statement."""
    return _parts(
        ev.ActRecorded(
            act="outcome",
            act_id=cause,
            about=record_id,
            agent=by,
            why=_why(legal_basis=legal_basis),
            outcome=outcome,
            closed_on=closed_on,
            occurred_at=at,
        ),
        (record_id,),
    )


def cause_of(acts: Sequence[Outgoing]) -> str:
    """The id of the act that these entries are about, from which their own ids follow: a repeated
    act has the same entries."""
    (act_id,) = {each.data.act_id for each in acts if isinstance(each.data, ev.ActRecorded)}
    return act_id


def _act_id(act: ev.RecordAct, about: str) -> str:
    """Each of these acts happens once to a hold or a set."""
    return derived_id(_ACTS, f"{act}:{about}")


def _why(
    *,
    reference: str | None = None,
    justification: str | None = None,
    legal_basis: str | None = None,
    case_id: str | None = None,
) -> ev.AccessWhy:
    return ev.AccessWhy(
        purpose=PURPOSE,
        reference=redact_reference(reference).text if reference else None,
        justification=redact_announced(justification).text if justification else None,
        legal_basis=legal_basis,
        case_id=case_id,
    )


def _parts(act: ev.ActRecorded, record_ids: Sequence[str]) -> tuple[Outgoing, ...]:
    """The act's events: one for each hundred records, and one if there are none."""
    named = tuple(dict.fromkeys(record_ids))
    groups = [named[at : at + MOST_RECORDS] for at in range(0, len(named), MOST_RECORDS)] or [()]
    return tuple(
        Outgoing(act.named(group, part, len(groups), len(named)), subject=act.about)
        for part, group in enumerate(groups, 1)
    )


def _names(query: Model | None) -> tuple[str, ...]:
    return tuple(sorted(query.model_dump(exclude_defaults=True))) if query else ()


def _hash(query: Model | None) -> str | None:
    """SHA-256 (hex) of the query as JSON: no empty fields, keys sorted, no white space, UTF-8."""
    if query is None:
        return None
    plain = query.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()
