"""The format of auditors' questions, and how an entry is shown."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from direct311.audit.entry import Facts
from direct311.audit.questions.handlers.audited_query import Opened
from direct311.runtime.text import Line
from direct311.schemas import Instant, Model

Limit = Annotated[int, Field(ge=1, le=100)]
Cursor = Annotated[str, Field(max_length=40)]
Reference = Annotated[
    str, Field(max_length=200, description="The reference of the auditor's letter"), Line
]
Size = Annotated[int, Field(ge=0, le=2**53)]


class Person(Model, extra="forbid"):
    """One of phone, e-mail and name; it is sent to intake and not stored here."""

    phone: Annotated[str, Field(min_length=1, max_length=50)] | None = None
    email: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @property
    def person(self) -> dict[str, str]:
        given = {"phone": self.phone, "email": self.email, "name": self.name}
        return {name: value for name, value in given.items() if value is not None}


class OnePerson(Person, extra="forbid"):
    """Exactly one of phone, e-mail and name."""

    @model_validator(mode="after")
    def _one(self) -> "OnePerson":
        if len(self.person) != 1:
            raise PydanticCustomError("invalid", "Give exactly one of phone, email and name.")
        return self


class LogEntry(Model):
    """An entry.

    `readable` is false once its key was destroyed with its record: then only the index, the event's
    id and the time of logging are known. `withheld`: exempt from inspection until `withheld_until`
    (section 119.071(2)(c), F.S.); only its place in the log is shown. `count`: how many refusals or
    failed sign-ins it stands for. `case_state` is not resolved here: the register of disclosure
    cases (`/v1/cases/{case_id}`) says what became of the case.

    `actor_attested_by` is the service that says this actor did this. `actor_confirmed` is true if a
    service reports on itself, which its signature confirms. A person is never confirmed here: the
    identity provider named in `token_issuer` knows to whom it gave the token `token_id`. Both are
    absent if the service saw no such token, and in older entries.
    """

    index: int
    event_id: str | None
    logged_at: Instant
    readable: bool
    withheld: bool = False
    withheld_until: Instant | None = None
    event: str | None = None
    service: str | None = None
    instance: str | None = None
    record_ids: tuple[str, ...] = ()
    actor: str | None = None
    actor_attested_by: str | None = None
    actor_confirmed: bool | None = None
    token_issuer: str | None = None
    token_id: str | None = None
    roles: tuple[str, ...] = ()
    department: str | None = None
    session: str | None = None
    break_glass: bool | None = None
    purpose: str | None = None
    case_id: str | None = None
    case_state: Literal["unresolved"] | None = None
    action: str | None = None
    outcome: str | None = None
    fields: tuple[str, ...] = ()
    result_count: int | None = None
    count: int | None = None
    occurred_at: Instant | None = None
    exempt_until: Instant | None = None
    producer: str | None = None
    sequence: int | None = None
    signed_event: dict[str, Any] | None = None


def shown(opened: Opened) -> dict[str, Any]:
    """The fields of a `LogEntry`."""
    row = opened.row
    place = {"index": row.index, "event_id": row.event_id, "logged_at": row.logged_at}
    if opened.withheld:
        return {
            **place,
            "event_id": None,
            "readable": False,
            "withheld": True,
            "withheld_until": opened.withheld_until,
        }
    hidden = {"authentication", "opens", "order_id", "query"}
    facts = row.facts.model_dump(exclude=hidden) if row.facts else {}
    return {
        **facts,
        **place,
        **_attestation(row.facts, opened.event),
        "case_state": "unresolved" if facts.get("case_id") else None,
        "readable": opened.event is not None,
        "signed_event": opened.event,
    }


def _attestation(facts: Facts | None, event: Mapping[str, Any] | None) -> dict[str, Any]:
    """The service that names an entry's actor, and the token that it saw."""
    if facts is None:
        return {}
    agent = (event or {}).get("body", {}).get("agent", {})
    return {
        "actor_attested_by": facts.service,
        "actor_confirmed": facts.actor == f"svc:{facts.service}",
        "token_issuer": agent.get("issuer"),
        "token_id": agent.get("jti"),
    }


def entry_of(opened: Opened) -> LogEntry:
    """An entry in the form in which it is shown."""
    return LogEntry(**shown(opened))
