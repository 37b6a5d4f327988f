"""The JSON API for staff and other services: contact data, release, flagged requests."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from direct311.intake.api_types import CallerOf, Text
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.request import SuspicionFlag
from direct311.intake.staff.handlers.contact import Contact
from direct311.intake.staff.handlers.release import Release
from direct311.intake.staff.ports import FlaggedRequests
from direct311.runtime.access import reasons
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import LAST, AskedInstant
from direct311.runtime.text import Line
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas import events as ev

MOST_IN_A_QUESTION = 100_000
LARGEST_QUESTION = 8 * 1024 * 1024
"""The most bytes in the body of a question about this many records."""


class ContactQuestion(Model, extra="forbid"):
    """What to read, and why. `fields`: names from the access rules."""

    purpose: Annotated[str, Field(max_length=40)]
    fields: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(min_length=1)]
    reference: Text | None = None
    justification: Text | None = None


class ContactAnswer(Model):
    """The requested fields that the reporter gave."""

    record_id: str
    fields: dict[str, str]


_ONE_OF = ("phone", "email", "name")
_ONE: dict[str, Any] = {
    "oneOf": [
        {
            "required": [one],
            "properties": {one: {"type": "string"}}
            | {other: {"type": "null"} for other in _ONE_OF if other != one},
        }
        for one in _ONE_OF
    ]
}


class PersonQuestion(Model, extra="forbid", json_schema_extra=_ONE):
    """One of `phone`, `email`, `name`, and why."""

    purpose: Annotated[str, Field(max_length=40)]
    phone: Annotated[str, Field(max_length=60), Line] | None = None
    email: Annotated[str, Field(max_length=254), Line] | None = None
    name: Annotated[str, Field(max_length=200), Line] | None = None
    reference: Text | None = None
    justification: Text | None = None


class PersonAnswer(Model):
    record_ids: tuple[str, ...]


class RecordsQuestion(Model, extra="forbid"):
    """Records, and the reason for asking whose they are."""

    purpose: Annotated[str, Field(max_length=40)]
    record_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=MOST_IN_A_QUESTION)]
    reference: Text | None = None
    justification: Text | None = None


class PersonsAnswer(Model):
    """The records of each person. Records with neither telephone number nor e-mail address are in
    `without_contact`; records that no longer exist are in `gone`. `senders`: by record, how many
    others at most left contact data with a comment on it; no other number includes them."""

    persons: tuple[tuple[str, ...], ...]
    without_contact: tuple[str, ...]
    gone: tuple[str, ...]
    senders: dict[str, int]


class ReleaseOrder(Model, extra="forbid"):
    """Why enforcement may begin without the reporter's name and address (section 125.69, F.S.)."""

    basis: Literal["imminent_threat_to_public", "imminent_destruction_of_habitat", "identified"]
    reason: reasons.Reason


class StatusAnswer(Model):
    record_id: str
    status: ev.RequestStatus


class ServiceAnswer(Model):
    """A request type, by our code and by the county's own name. `media`: whether files are
    accepted."""

    service_code: str
    service_name: str
    county_name: str
    department: str
    goal_days: int
    media: Literal["allowed", "required", "none"]


class MarkedAnswer(Model):
    """A request that staff should look at, and why. Says nothing about who sent it or where it
    is."""

    record_id: str
    received_at: Instant
    service_code: str
    status: ev.RequestStatus
    client_id: str
    marks: tuple[SuspicionFlag, ...]
    likely_repeat_of: str | None


class CountsAnswer(Model):
    """Requests by extended status; `total` is their sum."""

    total: int
    counts: dict[str, int]


def staff_router(
    contact: Contact,
    release: Release,
    requests: FlaggedRequests,
    catalogue: Catalogue,
    caller_of: CallerOf,
) -> APIRouter:
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/requests/{record_id}/contact")
    async def read_contact(
        caller: Annotated[Caller, who], record_id: RecordId, question: ContactQuestion
    ) -> ContactAnswer:
        """Read sealed fields of one request. The access is recorded before it happens."""
        fields = await contact.read(
            caller,
            record_id,
            purpose=question.purpose,
            fields=question.fields,
            reference=question.reference,
            justification=question.justification,
            operation="POST /v1/requests/{record_id}/contact",
        )
        return ContactAnswer(record_id=record_id, fields=dict(fields))

    @api.post("/requests/{record_id}/release")
    async def lift(
        caller: Annotated[Caller, who], record_id: RecordId, order: ReleaseOrder
    ) -> StatusAnswer:
        """Release a complaint that is held for name and address to enforcement (inspector)."""
        require(caller, "inspector")
        request = await release(caller, record_id, order.basis, order.reason)
        return StatusAnswer(record_id=record_id, status=request.status)

    @api.get("/services")
    async def services(caller: Annotated[Caller, who]) -> list[ServiceAnswer]:
        """The county's request types with the names that its own records use."""
        return [
            ServiceAnswer.model_validate(each.model_dump() | {"media": each.flags.media})
            for each in catalogue.services
        ]

    @api.get("/marked")
    async def marked(
        caller: Annotated[Caller, who],
        mark: Annotated[SuspicionFlag | None, Query()] = None,
        before: Annotated[AskedInstant | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[MarkedAnswer]:
        """Likely repeats and bursts, newest first: accepted like all others, and shown to staff."""
        require(caller, "agent")
        found = await requests.flagged(mark, before or LAST, limit)
        return [MarkedAnswer.model_validate(each.model_dump()) for each in found]

    @api.get("/counts")
    async def counts(caller: Annotated[Caller, who]) -> CountsAnswer:
        """How many requests there are, by status."""
        require(caller, *ROLES.request_counts)
        found = await requests.count()
        return CountsAnswer(total=sum(found.values()), counts=found)

    return api


def internal_router(contact: Contact, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/internal", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/persons/resolve")
    async def resolve(caller: Annotated[Caller, who], question: PersonQuestion) -> PersonAnswer:
        """The records of a person. The search is an access, even if it finds nothing."""
        person = question.model_dump(include=set(_ONE_OF), exclude_none=True)
        if len(person) != 1:
            raise RefusedError(
                "malformed", "Give exactly one of phone, email and name.", field="phone"
            )
        found = await contact.records_of(
            caller,
            person,
            purpose=question.purpose,
            reference=question.reference,
            justification=question.justification,
            operation="POST /internal/persons/resolve",
        )
        return PersonAnswer(record_ids=tuple(found))

    @api.post("/persons/group", max_body_size=LARGEST_QUESTION)
    async def group(caller: Annotated[Caller, who], question: RecordsQuestion) -> PersonsAnswer:
        """Which of these records belong to the same person: record ids only. This is an access."""
        found = await contact.persons_of(
            caller,
            question.record_ids,
            purpose=question.purpose,
            reference=question.reference,
            justification=question.justification,
            operation="POST /internal/persons/group",
        )
        return PersonsAnswer(
            persons=found.persons,
            without_contact=found.without_contact,
            gone=found.gone,
            senders=dict(found.senders),
        )

    return api
