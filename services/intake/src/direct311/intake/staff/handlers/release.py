"""Releases a complaint that is held for the reporter's identity."""

from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.request import ServiceRequest, telling, updated
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.vault.vault import Vault

_LAW = "sections 125.69, 162.06 and 162.21, F.S."


class Release:
    """A named inspector lifts the hold under sections 125.69, 162.06 and 162.21, F.S.

    A held complaint was not routed yet: it belongs to the department that its type goes to.
    """

    def __init__(
        self,
        processor: EventProcessor[ServiceRequest],
        catalogue: Catalogue,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._processor = processor
        self._catalogue = catalogue
        self._vault = vault
        self._clock = clock

    async def __call__(
        self, caller: Caller, record_id: str, basis: str, reason: str
    ) -> ServiceRequest:
        """Returns the resulting request; the audit log says who lifted the hold and why.

        :raises RefusedError: it is unknown, not on hold, or the inspector is of another department.
        """

        held = await self._processor.read(record_id)
        _must_be_held(held)
        service = self._catalogue.by_code(held.service_code)
        facts = RecordFacts(record_id, service.department if service else None)
        access = Access(
            caller,
            action="correct",
            purpose="county_business",
            operation="POST /v1/requests/{record_id}/release",
            record_ids=(record_id,),
            reference=f"{_LAW}: {basis}",
            justification=reason,
        )
        event_id, _ = await self._vault.authorise(access, facts)

        async def lift(state: ServiceRequest) -> Change[ServiceRequest] | None:
            _must_be_held(state)
            after = state.released().changed(at=self._clock.now())
            after = telling(state, after, event_id, self._clock.now())
            return Change(after, (updated(state, after, "status"),))

        return await self._processor.change(record_id, event_id, lift)


def _must_be_held(state: ServiceRequest) -> None:
    if state.version == 0 or state.lifecycle != "active":
        raise RefusedError("not_found", "There is no such request.")
    if state.status != "identity_required":
        raise RefusedError("not_on_hold", "The request is not waiting for the reporter's identity.")
