"""Intake's own JSON API: staff, other services, the protection registry."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from direct311.intake.adapters.mongo import MongoRequests
from direct311.intake.domain.catalogue import Catalogue
from direct311.intake.domain.county import day_of
from direct311.intake.domain.protection import (
    PINS_NOT_COVERED,
    SERIES,
    Disposal,
    Ending,
    Protection,
)
from direct311.intake.domain.request import Mark
from direct311.intake.handlers.contact import Contact
from direct311.intake.handlers.protect import Protect
from direct311.intake.handlers.release import Release
from direct311.runtime import reasons
from direct311.runtime.access import Caller
from direct311.runtime.api import PROBLEMS, require
from direct311.runtime.asked import LAST, AskedInstant, GivenDay
from direct311.runtime.errors import RefusedError
from direct311.runtime.text import Line, Lines
from direct311.schemas import Instant, Model, OnDate, RecordId
from direct311.schemas import events as ev

Text = Annotated[str, Field(max_length=500), Lines]
MOST_IN_A_QUESTION = 100_000
LARGEST_QUESTION = 8 * 1024 * 1024
"""Bytes of the body of a question about so many records."""
MOST_ENTRIES = 500


CallerOf = Callable[[Request], Awaitable[Caller]]


class ContactQuestion(Model, extra="forbid"):
    """What is to be read, and why. `fields`: names of the access rules."""

    purpose: Annotated[str, Field(max_length=40)]
    fields: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(min_length=1)]
    reference: Text | None = None
    justification: Text | None = None


class ContactAnswer(Model):
    """What the reporter gave of what was asked for."""

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
    """Records, and why it is asked whose they are."""

    purpose: Annotated[str, Field(max_length=40)]
    record_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=MOST_IN_A_QUESTION)]
    reference: Text | None = None
    justification: Text | None = None


class PersonsAnswer(Model):
    """The records of each person. Whose telephone number and e-mail address are not held is in
    `without_contact`; what does not exist any more in `gone`. `senders`: by record, how many others
    have at most left contact data with a comment on it; they are in no other number."""

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


class ProtectionOrder(Model, extra="forbid"):
    """A written request for protection. At least one identifier; none is kept but as a hash.

    `received_on`: the day on which it was received, today unless given.
    """

    reference: Annotated[reasons.Reference, Field(max_length=100)]
    citation: Annotated[reasons.Authority, Field(max_length=200)]
    received_on: GivenDay | None = None
    phone: Annotated[str, Field(max_length=60), Line] | None = None
    email: Annotated[str, Field(max_length=254), Line] | None = None
    name: Annotated[str, Field(max_length=200), Line] | None = None
    address: Annotated[str, Field(max_length=300), Line] | None = None
    latitude: Annotated[float, Field(strict=True, ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(strict=True, ge=-180, le=180)] | None = None


class ProtectionAnswer(Model):
    """`kinds`: what the person is known by; `point` too where it is known well where the address
    lies. `warning`: what the entry does not protect, and what is to be done about that."""

    protection_id: str
    registry_version: int
    kinds: tuple[str, ...]
    warning: str | None


class EndingOrder(Model, extra="forbid"):
    """`reference`: the file that holds the person's written request to end the protection."""

    reference: reasons.Reference


class ProtectionEntry(Model):
    """An entry of the registry. What identifies the person is not told: it is not held.

    `series` is the record series of the written request; the time for which it must be kept ends
    with `keep_until`: never while it is in force. Then it may be destroyed, by two persons.
    `enter_again`: it was made by older rules, and misses ways of writing that are known now.

    `ending`: that it is to be ended, or was; in force until `ending.ends_at`, and without end where
    that is not set.
    """

    protection_id: str
    reference: str
    citation: str
    kinds: tuple[str, ...]
    received_on: OnDate
    entered_at: Instant
    entered_by: str
    in_force: bool
    enter_again: bool
    withdrawn_at: Instant | None
    withdrawn_by: str | None
    ending: Ending | None
    series: str
    keep_until: Instant | None
    disposal_proposed_at: Instant | None
    disposal_proposed_by: str | None


class ProtectionsAnswer(Model):
    """Entries by id; `after` asks for the next ones."""

    protections: Sequence[ProtectionEntry]
    after: str | None


class ServiceAnswer(Model):
    """A request type, by our code and by the county's own name. `media`: whether files may come."""

    service_code: str
    service_name: str
    county_name: str
    department: str
    goal_days: int
    media: Literal["allowed", "required", "none"]


class MarkedAnswer(Model):
    """A request that staff should look at, and why. Nothing of who sent it, or of where it is."""

    record_id: str
    received_at: Instant
    service_code: str
    status: ev.RequestStatus
    client_id: str
    marks: tuple[Mark, ...]
    likely_repeat_of: str | None


class CountsAnswer(Model):
    """Requests by extended status; `total` is their sum."""

    total: int
    counts: dict[str, int]


def staff_router(
    contact: Contact,
    release: Release,
    requests: MongoRequests,
    catalogue: Catalogue,
    caller_of: CallerOf,
) -> APIRouter:
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/requests/{record_id}/contact")
    async def read_contact(
        caller: Annotated[Caller, who], record_id: RecordId, question: ContactQuestion
    ) -> ContactAnswer:
        """Read sealed fields of one request. The access is written down before it happens."""
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
        """Let a complaint that is held for name and address go to enforcement (inspector)."""
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
        mark: Annotated[Mark | None, Query()] = None,
        before: Annotated[AskedInstant | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> list[MarkedAnswer]:
        """Likely repeats and bursts, newest first: taken like all others, and told to staff."""
        require(caller, "agent")
        found = await requests.marked(mark, before or LAST, limit)
        return [MarkedAnswer.model_validate(each.model_dump()) for each in found]

    @api.get("/counts")
    async def counts(caller: Annotated[Caller, who]) -> CountsAnswer:
        """How many requests there are, by status."""
        require(caller, "agent", "auditor", "custodian", "records_officer", "admin", "service")
        found = await requests.count()
        return CountsAnswer(total=sum(found.values()), counts=found)

    return api


def internal_router(contact: Contact, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/internal", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/persons/resolve")
    async def resolve(caller: Annotated[Caller, who], question: PersonQuestion) -> PersonAnswer:
        """The records of a person. The search is an access, also where it finds nothing."""
        person = question.model_dump(include=set(_ONE_OF), exclude_none=True)
        if len(person) != 1:
            raise RefusedError(422, "malformed", "Give one of phone, email, name.", field="phone")
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
        """Which of these records are the same person's: record ids alone. An access."""
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


def protections_router(protect: Protect, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/v1/protections", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("", status_code=201)
    async def add(caller: Annotated[Caller, who], order: ProtectionOrder) -> ProtectionAnswer:
        """Enter a written request for protection (section 119.071(4)(d), F.S.). The answer comes
        once it has taken effect, after some seconds."""
        require(caller, "custodian")
        if (order.latitude is None) != (order.longitude is None):
            raise RefusedError(
                422, "malformed", "Give latitude and longitude together.", field="longitude"
            )
        identifiers = order.model_dump(
            include={"phone", "email", "name", "address"}, exclude_none=True
        )
        point = (
            (order.latitude, order.longitude)
            if order.latitude is not None and order.longitude is not None
            else None
        )
        protection, version = await protect.add(
            caller, order.reference, order.citation, identifiers, point, order.received_on
        )
        return ProtectionAnswer(
            protection_id=protection.protection_id,
            registry_version=version,
            kinds=protection.kinds,
            warning=PINS_NOT_COVERED if protection.pins_are_missed else None,
        )

    @api.get("")
    async def entries(
        caller: Annotated[Caller, who],
        in_force: bool | None = None,
        after: Annotated[str, Query(pattern=r"^[A-Za-z0-9_-]{0,40}$")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = MOST_ENTRIES,
        enter_again: Annotated[
            bool, Query(description="only those that must be entered again from their files, all")
        ] = False,
    ) -> ProtectionsAnswer:
        """The registry's entries, without what identifies anybody."""
        require(caller, "custodian")
        if enter_again:
            again = await protect.to_enter_again(caller)
            return ProtectionsAnswer(protections=[_entry(each) for each in again], after=None)
        found = await protect.entries(caller, in_force=in_force, after=after, limit=limit)
        last = found[-1].protection_id if len(found) == limit else None
        return ProtectionsAnswer(protections=[_entry(each) for each in found], after=last)

    @api.get("/{protection_id}")
    async def one(caller: Annotated[Caller, who], protection_id: RecordId) -> ProtectionEntry:
        """An entry, in force or ended."""
        require(caller, "custodian")
        return _entry(await protect.one(caller, protection_id))

    @api.post("/{protection_id}/ending")
    async def propose_ending(
        caller: Annotated[Caller, who], protection_id: RecordId, order: EndingOrder
    ) -> ProtectionEntry:
        """Propose to end a protection at the person's written request (custodian). It stays in
        force."""
        require(caller, "custodian")
        return _entry(await protect.propose_ending(caller, protection_id, order.reference))

    @api.post("/{protection_id}/ending/confirmation")
    async def confirm_ending(
        caller: Annotated[Caller, who], protection_id: RecordId, order: EndingOrder
    ) -> ProtectionEntry:
        """Confirm a proposed ending, as another person who has seen the same request (custodian or
        records officer). The protection ends a week later; until then it can be undone."""
        require(caller, "custodian", "records_officer")
        return _entry(await protect.confirm_ending(caller, protection_id, order.reference))

    @api.delete("/{protection_id}/ending")
    async def undo_ending(
        caller: Annotated[Caller, who], protection_id: RecordId
    ) -> ProtectionEntry:
        """Undo an ending that was proposed or confirmed, while the protection is in force
        (custodian or records officer)."""
        require(caller, "custodian", "records_officer")
        return _entry(await protect.undo_ending(caller, protection_id))

    @api.post("/{protection_id}/disposal")
    async def propose(caller: Annotated[Caller, who], protection_id: RecordId) -> ProtectionEntry:
        """Propose to destroy an entry whose time is over: one that was ended (custodian)."""
        require(caller, "custodian")
        return _entry(await protect.propose_disposal(caller, protection_id))

    @api.post("/{protection_id}/disposal/approval")
    async def dispose(caller: Annotated[Caller, who], protection_id: RecordId) -> Disposal:
        """Destroy an entry that was proposed, as another person (records officer). What is left
        says that it was there and who destroyed it."""
        require(caller, "records_officer")
        return await protect.dispose(caller, protection_id)

    @api.get("/{protection_id}/disposal")
    async def disposal(caller: Annotated[Caller, who], protection_id: RecordId) -> Disposal:
        """The documentation of an entry's destruction."""
        require(caller, "custodian", "records_officer")
        return await protect.disposal(caller, protection_id)

    return api


def _entry(each: Protection) -> ProtectionEntry:
    return ProtectionEntry(
        protection_id=each.protection_id,
        reference=each.reference,
        citation=each.citation,
        kinds=each.kinds,
        received_on=each.received_on or day_of(each.received_at),
        entered_at=each.received_at,
        entered_by=each.entered_by,
        in_force=each.withdrawn_at is None,
        enter_again=each.is_outdated,
        withdrawn_at=each.withdrawn_at,
        withdrawn_by=each.withdrawn_by,
        ending=each.ending,
        series=SERIES,
        keep_until=each.withdrawn_at,
        disposal_proposed_at=each.disposal_proposed_at,
        disposal_proposed_by=each.disposal_proposed_by,
    )
