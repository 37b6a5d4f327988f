"""What the other services say about a request, and how intake reacts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from direct311.intake.indexes.handlers.hits import Hits
from direct311.intake.indexes.handlers.places import PlaceHashes, place_values
from direct311.intake.indexes.ports import Protections
from direct311.intake.request import (
    CLOSED,
    Located,
    Note,
    ServiceRequest,
    telling,
    updated,
)
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.records import Handler, on, take_order
from direct311.runtime.messaging.state import Change
from direct311.runtime.text import cleaned, on_the_web
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model


class StillOpenError(Exception):
    """Destruction was ordered for a request that is open, or was open at the time."""


class Follow:
    """Handlers of the events that intake consumes; its `ordered` replaces the holders' usual
    one."""

    def __init__(
        self,
        protections: Protections,
        place_hashes: PlaceHashes,
        clock: Clock,
        hits: Hits | None = None,
    ) -> None:
        self._hits = hits or Hits()
        self._protections = protections
        self._place_hashes = place_hashes
        self._clock = clock

    def handlers(self) -> Mapping[type[Model], Handler[Any]]:
        return dict(
            (
                on(ev.LocationResolved, self.located),
                on(ev.MediaStored, self.media),
                on(ev.RequestRouted, self.routed),
                on(ev.RequestRecalled, self.recalled),
                on(ev.RequestOverdue, self.overdue),
                on(ev.WorkUpdated, self.worked),
                on(ev.WorkUpdatedV2, self.reported),
                on(ev.DispositionOrdered, self.ordered),
            )
        )

    async def located(
        self, state: ServiceRequest, event: Event[ev.LocationResolved]
    ) -> Change[ServiceRequest] | None:
        """Check the place, as geo found it and as it was given, against the protection registry;
        after that it may be shown.

        If only the boundaries changed, what geo said of the address before still holds: an answer
        without readings must not take a home out of the comparison.
        """
        found = event.data
        if state.version == 0 or found.place_version != state.place_version:
            return None
        known = found.read is not None and found.read.known
        # This comes from another process and becomes public.
        shown = {
            name: cleaned(value) if isinstance(value, str) else value
            for name, value in found.model_dump().items()
        }
        located = Located.model_validate({**shown, "address_known": known})
        read = found.read
        if found.because == "boundaries":
            if state.located is None:
                return None
            before = state.located
            located = located.reread(before.address, known=before.address_known)
            read = state.read
        after = state.placed(located, read, at=self._clock.now())
        after = self.protect(self._with_place(after))
        if after.protected and not state.protected:
            self._hits.note(state.client_id, self._clock.now())
        return Change(after, (updated(state, after, "place_checked"),))

    def _with_place(self, state: ServiceRequest) -> ServiceRequest:
        return state.place_indexed(place_values(self._place_hashes, state))

    def protect(self, state: ServiceRequest) -> ServiceRequest:
        """The request with the registry's current decision. Until geo has read the reporter's own
        address, the request counts as protected."""
        hashes = [value for values in state.indexes.values() for value in values]
        protected = self._protections.matches(hashes) or state.home_unread_at is not None
        return state.compared(protected=protected, registry_version=self._protections.version)

    async def recheck(self, state: ServiceRequest) -> Change[ServiceRequest] | None:
        """Check again under a newer registry."""
        if state.version == 0 or state.lifecycle != "active":
            return None
        if state.registry_version >= self._protections.version:
            return None
        # A request located by an earlier version of this code has fewer hashes of its place.
        return self.compare(state, state if state.located is None else self._with_place(state))

    def compare(self, before: ServiceRequest, after: ServiceRequest) -> Change[ServiceRequest]:
        """The change to `after` with the registry's current decision; published only if it differs
        from `before`."""
        after = self.protect(after)
        if after.protected == before.protected or not before.place_checked:
            return Change(after)
        after = after.changed(at=self._clock.now())
        return Change(after, (updated(before, after, "place_checked"),))

    async def media(
        self, state: ServiceRequest, event: Event[ev.MediaStored]
    ) -> Change[ServiceRequest] | None:
        """What the media service says about the request's files.

        :raises ForeignLinkError: a file's URL is not a web address.
        """
        if state.version == 0:
            return None
        on_the_web(item.url for item in event.data.media)
        return Change(state.illustrated(event.data.media, at=self._clock.now()))

    async def routed(
        self, state: ServiceRequest, event: Event[ev.RequestRouted]
    ) -> Change[ServiceRequest] | None:
        if state.version == 0 or state.status == "withdrawn":
            return None
        routed = event.data
        # This and request.recalled are different topics: a recall may arrive before the routing it
        # takes back.
        if state.seen.get("request.recalled", 0) > routed.version:
            return None
        if routed.request_version < state.routed_from:
            # Decided before staff took the job back; marked as seen, for a recall still to come.
            return Change(state)
        after = state.assigned(routed.department, routed.due_on, at=self._clock.now())
        return Change(telling(state, after, event.id, self._clock.now()))

    async def recalled(
        self, state: ServiceRequest, event: Event[ev.RequestRecalled]
    ) -> Change[ServiceRequest] | None:
        if state.version == 0:
            return None
        # This and request.routed are different topics: a recall may arrive after the routing that
        # followed it.
        routed_since = state.seen.get("request.routed", 0) > event.data.version
        if routed_since or state.department != event.data.department:
            # Marked as seen anyway, for a routing that is still to come.
            return Change(state)
        return Change(state.recalled(at=self._clock.now()))

    async def overdue(
        self, state: ServiceRequest, event: Event[ev.RequestOverdue]
    ) -> Change[ServiceRequest] | None:
        if state.version == 0:
            return None
        now = self._clock.now()
        note = Note(
            at=now,
            occurred_at=event.data.noticed_at,
            kind="notice",
            text="The due date has passed.",
        )
        return Change(state.noticed(note))

    async def ordered(
        self, state: ServiceRequest, event: Event[ev.DispositionOrdered]
    ) -> Change[ServiceRequest] | None:
        """Destroy only closed requests: retention learns of a reopening later than intake.

        :raises StillOpenError: the request is open, or was closed again or given another type
            after the order, which restarted its clock. `HeldError` as for every holder.
        """
        closed_at, retyped_at = state.closed_at, state.retyped_at
        if state.version and (closed_at is None or closed_at > event.data.ordered_at):
            raise StillOpenError("ordered before the request was closed")
        if retyped_at is not None and retyped_at > event.data.ordered_at:
            raise StillOpenError("ordered before the request got another type")
        return await take_order(state, event)

    async def worked(
        self, state: ServiceRequest, event: Event[ev.WorkUpdated]
    ) -> Change[ServiceRequest] | None:
        """The department's answer becomes the request's status and a line of its history."""
        work = event.data
        if state.version == 0:
            return None
        now = self._clock.now()
        note = _line_about(work, now)
        if state.status == "withdrawn":
            # Sent before the department learned that the reporter withdrew it.
            return Change(state.noted(note))
        if _taken_back(state, work.status):
            return Change(state.noted(note.without_status()))
        after = telling(state, state.worked(work, note), event.id, now)
        return Change(after, (updated(state, after, "status"),))

    async def reported(
        self, state: ServiceRequest, event: Event[ev.WorkUpdatedV2]
    ) -> Change[ServiceRequest] | None:
        """A step of the department's work. It is a line of the history if the public learns
        something: another status, or a note. An internal note is only for staff."""
        work = event.data
        if state.version == 0:
            return None
        if work.status == state.status and not work.note:
            # Marked as seen all the same.
            return Change(state)
        now = self._clock.now()
        note = _line_about(work, now)
        if state.status == "withdrawn":
            return Change(state.noted(note))
        if _taken_back(state, work.status):
            return Change(state.noted(note.without_status()) if note.text else state)
        if work.status == state.status:
            return Change(state.noticed(note))
        after = telling(state, state.worked(work, note), event.id, now)
        return Change(after, (updated(state, after, "status"),))


def _line_about(work: ev.WorkUpdated | ev.WorkUpdatedV2, now: datetime) -> Note:
    """The line of the history about what a department said."""
    return Note(
        at=now,
        occurred_at=work.occurred_at,
        kind="status",
        status=work.status,
        text=cleaned(work.note, lines=True),
        update_id=work.update_id,
    )


def _taken_back(state: ServiceRequest, status: ev.RequestStatus) -> bool:
    """Whether the department said this before it learned that staff took the job back. Routing
    leaves a finished job where it is."""
    held = state.status == "identity_required"
    return held or (state.awaits_routing and status not in CLOSED)
