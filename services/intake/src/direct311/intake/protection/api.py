"""`/v1/protections`: the protection registry, for custodians."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from direct311.intake.api_types import CallerOf
from direct311.intake.county import day_of
from direct311.intake.protection.domain import (
    PINS_NOT_COVERED,
    SERIES,
    Disposal,
    Ending,
    Protection,
)
from direct311.intake.protection.handlers.protect import Protect
from direct311.runtime.access import reasons
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import GivenDay
from direct311.runtime.text import Line
from direct311.schemas import Instant, Model, OnDate, RecordId

MOST_ENTRIES = 500


class ProtectionOrder(Model, extra="forbid"):
    """A written request for protection. It needs at least one identifier; they are stored only as
    hashes. `received_on`: the day on which it was received, by default today.
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
    """`kinds`: what identifies the person; includes `point` if the address's position is known
    accurately. `warning`: what the entry does not protect, and what to do about that."""

    protection_id: str
    registry_version: int
    kinds: tuple[str, ...]
    warning: str | None


class EndingOrder(Model, extra="forbid"):
    """`reference`: the file that holds the person's written request to end the protection."""

    reference: reasons.Reference


class ProtectionEntry(Model):
    """An entry of the registry. It does not show what identifies the person, because that is not
    stored.

    `series` is the record series of the written request; its retention period ends with
    `keep_until`, which is not set while the entry is in force. Then two people may destroy it.
    `enter_again`: it was made under older rules, and misses spellings that the current rules know.
    `ending`: it is to be ended, or was; it is in force until `ending.ends_at`, or without end if
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


def protections_router(protect: Protect, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/v1/protections", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("", status_code=201)
    async def add(caller: Annotated[Caller, who], order: ProtectionOrder) -> ProtectionAnswer:
        """Enter a written request for protection (section 119.071(4)(d), F.S.). The answer comes
        once it is in effect, after some seconds."""
        require(caller, "custodian")
        if (order.latitude is None) != (order.longitude is None):
            raise RefusedError(
                "malformed", "Give latitude and longitude together.", field="longitude"
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
            bool, Query(description="only entries that must be entered again from their files, all")
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
        force for now."""
        require(caller, "custodian")
        return _entry(await protect.propose_ending(caller, protection_id, order.reference))

    @api.post("/{protection_id}/ending/confirmation")
    async def confirm_ending(
        caller: Annotated[Caller, who], protection_id: RecordId, order: EndingOrder
    ) -> ProtectionEntry:
        """Confirm a proposed ending, as another person who has seen the same written request
        (custodian or records officer). The protection ends a week later; until then it can be
        undone."""
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
        """Propose to destroy an entry whose retention period has expired after it was ended
        (custodian)."""
        require(caller, "custodian")
        return _entry(await protect.propose_disposal(caller, protection_id))

    @api.post("/{protection_id}/disposal/approval")
    async def dispose(caller: Annotated[Caller, who], protection_id: RecordId) -> Disposal:
        """Destroy an entry that was proposed, as another person (records officer). The remaining
        documentation says that it existed and who destroyed it."""
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
