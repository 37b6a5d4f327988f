"""Staff change the type of a request, answers to the type's questions, or its place."""

from collections.abc import Mapping
from datetime import timedelta

from direct311.intake.catalogue.domain.types import Catalogue, ServiceType
from direct311.intake.county import day_of
from direct311.intake.indexes.handlers.places import PlaceHashes, place_values
from direct311.intake.indexes.ports import Protections
from direct311.intake.request import (
    CLOSED,
    EditedPart,
    Note,
    ServiceRequest,
    StaffEdit,
    telling,
    updated,
)
from direct311.intake.work.domain.edits import (
    Edit,
    answered,
    check_current,
    check_movable,
    check_room,
    moved_indexes,
    must_be_held,
    repeats,
)
from direct311.intake.work.handlers.read import visible
from direct311.redaction import mask_numbers, redact, redact_place
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.vault.vault import Vault
from direct311.schemas import events as ev

PURPOSE = "respond"
OPERATION = "PATCH /v1/work/requests/{record_id}"
RETRIED_WITHIN = timedelta(minutes=10)
"""How long somebody may repeat their edit of a request that their edit took away from them."""
TYPE_CORRECTED = "The request's type was corrected."
ANSWERS_CORRECTED = "The answers about the request were corrected."
PLACE_CORRECTED = "The request's place was corrected."


class EditRequest:
    """The use case behind `PATCH /v1/work/requests/{record_id}`."""

    def __init__(
        self,
        *,
        processor: EventProcessor[ServiceRequest],
        catalogue: Catalogue,
        protections: Protections,
        place_hashes: PlaceHashes,
        vault: Vault,
        clock: Clock,
        content_key: bytes,
    ) -> None:
        self._processor = processor
        self._catalogue = catalogue
        self._protections = protections
        self._place_hashes = place_hashes
        self._vault = vault
        self._clock = clock
        self._content_key = content_key

    async def __call__(self, caller: Caller, record_id: str, edit: Edit) -> ServiceRequest:
        """The resulting request. A retry of the same edit changes nothing. For `RETRIED_WITHIN` it
        is answered also if the caller's department no longer has the request.

        The access rules decide who may edit (purpose `respond`), and the log gets an entry before
        anything changes.

        :raises StaleEditError: somebody else has edited the request since `edit.expected`.
        :raises RefusedError: there is no such request for this caller; a rule refuses; the type or
            an answer is none of the catalogue's; a closed request would get another place; or the
            log cannot be written.
        """
        content = edit.content(self._content_key, caller.sub)
        state = await self._processor.read(record_id)
        if repeats(state, edit, content) and self._just_edited(state, edit):
            return state
        visible(caller, state)
        if repeats(state, edit, content):
            return state
        facts = RecordFacts(record_id, state.assigned_department)
        access = Access(
            caller,
            action="correct",
            purpose=PURPOSE,
            operation=OPERATION,
            record_ids=(record_id,),
            justification=edit.reason,
            lifecycle=state.status,
            version_seen=state.version,
        )
        if self._vault.allows(access, facts):
            # Only who may edit it learns what is wrong, and what is wrong needs no entry.
            check_current(state, edit)
            if self._changed(state, caller, edit, content) is None:
                return state
        event_id, _ = await self._vault.authorise(access, facts)

        async def change(now: ServiceRequest) -> Change[ServiceRequest] | None:
            # It may have changed since it was read.
            if repeats(now, edit, content):
                return None
            check_current(visible(caller, now), edit)
            found = self._changed(now, caller, edit, content)
            if found is None:
                return None
            after, parts = found
            after = telling(now, after, event_id, self._clock.now(), news=True)
            return Change(after, (updated(now, after, *_said(now, after, parts)),))

        return await self._processor.change(record_id, event_id, change)

    def _just_edited(self, state: ServiceRequest, edit: Edit) -> bool:
        """Whether the edit after `edit.expected` is so recent that its answer may be lost."""
        if edit.expected is None or state.lifecycle != "active":
            return False
        return self._clock.now() - state.edits[edit.expected].at <= RETRIED_WITHIN

    def _changed(
        self, state: ServiceRequest, caller: Caller, edit: Edit, content: str
    ) -> tuple[ServiceRequest, tuple[EditedPart, ...]] | None:
        """The request after the edit, and what it changed; `None` if nothing."""
        service = self._service(state, edit)
        parts: list[EditedPart] = []
        if service.service_code != state.service_code:
            parts.append("type")
        answers = state.attributes
        if parts or edit.answers is not None:
            answers = answered(state.attributes, service, edit.answers or {})
        if edit.answers is not None and answers != state.attributes:
            parts.append("attributes")
        place = _redacted(edit.place) if edit.place is not None else None
        if place is not None and place != state.place:
            parts.append("place")
        if not parts:
            return None
        check_room(state)
        now = self._clock.now()
        after = state.answered_anew(answers)
        if "place" in parts and place is not None:
            check_movable(state)
            old = state.indexes.get("place") or place_values(self._place_hashes, state)
            after = after.moved(place, moved_indexes(state, old, self._protects))
        if "type" in parts:
            after = self._retyped(after, service)
        begins = after.status != state.status
        note = Note(
            at=now,
            kind="status" if begins else "notice",
            status=after.status if begins else None,
            text=" ".join(dict.fromkeys(_WORDS[each] for each in parts)),
        )
        done = StaffEdit(
            number=len(state.edits) + 1,
            at=now,
            by=caller.sub,
            roles=caller.roles,
            department=caller.department,
            reason=redact(edit.reason).text,
            changed=tuple(parts),
            content=content,
            service_code=state.service_code if "type" in parts else None,
            attributes=None if parts == ["place"] else state.attributes,
            place=state.place if "place" in parts else None,
        )
        return after.edited(done).noticed(note), tuple(parts)

    def _protects(self, value: str) -> bool:
        return self._protections.matches((value,))

    def _service(self, state: ServiceRequest, edit: Edit) -> ServiceType:
        today = day_of(self._clock.now())
        if edit.service_code is None or edit.service_code == state.service_code:
            service = self._catalogue.by_code(state.service_code)
        else:
            service = self._catalogue.offered(edit.service_code, today)
        if service is None:
            raise RefusedError(
                "malformed",
                "service_code must be a type that residents may request today.",
                field="service_code",
            )
        return service

    def _retyped(self, state: ServiceRequest, service: ServiceType) -> ServiceRequest:
        """The request under the rules of its new type."""
        closed, held = state.status in CLOSED, must_be_held(state, service)
        after = state.retyped(
            service.service_code,
            urgent=service.flags.emergency_hint,
            public=service.type != "blackbox",
            reopens_held=closed and held,
            at=self._clock.now(),
        )
        if closed:
            return after
        if held:
            return after if state.status == "identity_required" else after.held_for_identity()
        return after.released() if state.status == "identity_required" else after


_WORDS: Mapping[EditedPart, str] = {
    "type": TYPE_CORRECTED,
    "attributes": ANSWERS_CORRECTED,
    "place": PLACE_CORRECTED,
}


def _redacted(place: ev.Place) -> ev.Place:
    """The place without what is no part of a place, as residents' places are taken."""
    if not place.address:
        return place
    masked, _ = mask_numbers(place.address)
    return place.addressed(redact_place(masked).text)


def _said(
    before: ServiceRequest, after: ServiceRequest, parts: tuple[EditedPart, ...]
) -> tuple[ev.RequestChange, ...]:
    """What the event says that changed. The answers belong to the type."""
    found: list[ev.RequestChange] = []
    if {"type", "attributes"} & {*parts}:
        found.append("type")
    if "place" in parts:
        found.append("place")
    if before.status != after.status:
        found.append("status")
    return tuple(found)
