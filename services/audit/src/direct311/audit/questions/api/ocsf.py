"""Entries as events of the Open Cybersecurity Schema Framework, for other systems' tools.

Version 1.8.0, class API Activity (6003): an access is an actor's API call on resources, which are
the records. Data without a place in the schema (purpose, reference, legal basis, case, names of
fields) is in `unmapped`, as the schema requires. An entry that may not be shown yet, or no longer,
is a Base Event (0) that says so, because API Activity needs an actor.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from direct311.audit.entry import Facts, host_of
from direct311.audit.index_row import IndexRow
from direct311.audit.questions.api.tables import body_of, part_of
from direct311.audit.questions.handlers.audited_query import Opened
from direct311.schemas.events import RecordAct

VERSION = "1.8.0"
_COUNTY = "Miami-Dade County"
_CREATE, _READ, _UPDATE, _DELETE, _OTHER = 1, 2, 3, 4, 99
_ACTIVITIES = {
    "search": _READ,
    "list": _READ,
    "view": _READ,
    "export": _READ,
    "print": _READ,
    "disclose": _READ,
    "log_read": _READ,
    "seal": _CREATE,
    "correct": _UPDATE,
    "redact": _UPDATE,
    "hold": _UPDATE,
    "policy_change": _UPDATE,
    "destroy": _DELETE,
    # Acts that decide about records change what happens to them, not what they contain.
    **dict.fromkeys(get_args(RecordAct), _UPDATE),
}
_NAMES = {_CREATE: "Create", _READ: "Read", _UPDATE: "Update", _DELETE: "Delete", _OTHER: "Other"}
_STATUS = {"success": (1, "Success"), "denied": (2, "Failure"), "error": (2, "Failure")}
_INFORMATIONAL, _LOW, _MEDIUM = (1, "Informational"), (2, "Low"), (3, "Medium")
_UNMAPPED = ("reference", "legal_basis", "justification", "notice_version")


def ocsf_lines(batch: Sequence[Opened]) -> bytes:
    """Entries as OCSF events, one per line."""
    return b"".join(
        json.dumps(ocsf_event(opened), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for opened in batch
    )


def ocsf_event(opened: Opened) -> dict[str, Any]:
    """One entry."""
    row = opened.row
    if opened.withheld:
        return _closed(row, "Withheld: exempt from inspection for now.", event_id=False)
    if row.facts is None:
        return _closed(row, "The record that this entry was about was destroyed.", event_id=True)
    return _activity(row, row.facts, opened.event)


def _closed(row: IndexRow, message: str, *, event_id: bool) -> dict[str, Any]:
    return {
        **_class(0, "Base Event", 0, "Uncategorized", _OTHER),
        **_severity(_INFORMATIONAL),
        "time": _milliseconds(row.logged_at),
        "message": message,
        "metadata": _metadata(row, row.event_id if event_id else None),
    }


def _activity(row: IndexRow, facts: Facts, event: Mapping[str, Any] | None) -> dict[str, Any]:
    agent, where, why = (part_of(event, name) for name in ("agent", "where", "why"))
    what, decision = part_of(event, "what"), part_of(event, "decision")
    status_id, status = _STATUS.get(facts.outcome, (99, facts.outcome))
    unmapped = {
        "purpose": facts.purpose,
        "case_id": facts.case_id,
        "fields": list(facts.fields),
        "break_glass": facts.break_glass,
        "outcome": facts.outcome,
        **{name: why.get(name) for name in _UNMAPPED},
        "redactions": what.get("redactions"),
        "rule": decision.get("rule"),
        "policy_hash": decision.get("policy_hash"),
        "producer": facts.producer,
        "producer_sequence": facts.sequence,
        "result_count": facts.result_count,
        "recipient": body_of(event).get("recipient"),
        "cause": part_of(event, "correlation").get("cause"),
        "actor_attested_by": facts.service,
        "actor_confirmed": facts.actor == f"svc:{facts.service}",
        "token_id": agent.get("jti"),
    }
    user = {
        "uid": facts.actor,
        **({"type_id": 3, "type": "System"} if facts.actor.startswith("svc:") else {}),
        **({"groups": [{"name": role} for role in facts.roles]} if facts.roles else {}),
        **({"org": {"name": _COUNTY, "ou_name": facts.department}} if facts.department else {}),
    }
    shown = {
        **_class(6003, "API Activity", 6, "Application Activity", _activity_of(facts.action)),
        **_severity(
            _MEDIUM if facts.break_glass else _LOW if facts.outcome == "denied" else _INFORMATIONAL
        ),
        "time": _milliseconds(facts.occurred_at),
        "status_id": status_id,
        "status": status,
        "status_detail": decision.get("reason"),
        "metadata": _metadata(row, row.event_id)
        | {
            "log_name": facts.event,
            "event_code": facts.action,
            **_given(correlation_uid=part_of(event, "correlation").get("trace_id")),
        },
        "actor": {
            "user": user,
            **_given(session=_given(uid=facts.session, issuer=agent.get("issuer"))),
        },
        "api": {
            "operation": where.get("operation") or facts.action,
            "service": {"name": facts.service, **_given(version=where.get("service_version"))},
            "request": {"uid": facts.event_id},
        },
        "src_endpoint": _given(uid=where.get("client_address"), svc_name=agent.get("on_behalf_of"))
        or {"name": "not recorded"},
        "dst_endpoint": {
            "svc_name": facts.service,
            **_given(instance_uid=facts.instance, hostname=host_of(facts.instance)),
        },
        "resources": [{"uid": record, "type": "service request"} for record in facts.record_ids],
        # Older failed sign-ins have it in another field.
        "count": max(facts.count, facts.result_count or 1)
        if facts.action == "sign_in"
        else facts.count,
        "unmapped": _given(**unmapped),
    }
    return {name: value for name, value in shown.items() if value not in (None, [])}


def _activity_of(action: str) -> int:
    return _ACTIVITIES.get(action, _OTHER)


def _class(uid: int, name: str, category: int, category_name: str, activity: int) -> dict[str, Any]:
    return {
        "category_uid": category,
        "category_name": category_name,
        "class_uid": uid,
        "class_name": name,
        "activity_id": activity,
        "activity_name": _NAMES[activity],
        "type_uid": uid * 100 + activity,
        "type_name": f"{name}: {_NAMES[activity]}",
    }


def _severity(of: tuple[int, str]) -> dict[str, Any]:
    return {"severity_id": of[0], "severity": of[1]}


def _metadata(row: IndexRow, event_id: str | None) -> dict[str, Any]:
    return {
        "version": VERSION,
        "product": {"name": "Direct311", "vendor_name": _COUNTY},
        "log_name": "audit",
        "logged_time": _milliseconds(row.logged_at),
        "sequence": row.index,
        **_given(uid=event_id),
    }


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
