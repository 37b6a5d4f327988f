"""From the holders' answers to the certificate and the yearly statement."""

from collections.abc import Sequence
from datetime import timedelta

from direct311.retention.certificates import domain
from direct311.retention.certificates.domain import Certificate, Content, Statement
from direct311.retention.certificates.ports import Certificates, Releases
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.ports import Inventory
from direct311.retention.record import InventoryRecord, ReleasedWith
from direct311.retention.review.domain import Disposition
from direct311.retention.review.ports import Dispositions
from direct311.retention.writes import causes, chunks
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing


class Certification:
    """Certifies an order once all holders but audit have answered for all of its records, and adds
    the supplement once audit has. Every step may be repeated: ids come from the order.

    :param audit_after: how long after the certificate audit destroys its own part.
    """

    def __init__(
        self,
        processor: EventProcessor[InventoryRecord],
        certificates: EventProcessor[Certificate],
        kept: Certificates,
        inventory: Inventory,
        dispositions: Dispositions,
        rules: RetentionRules,
        clock: Clock,
        ids: Ids,
        audit_after: timedelta,
        releases: Releases,
    ) -> None:
        self._processor = processor
        self._certificates = certificates
        self._kept = kept
        self._inventory = inventory
        self._dispositions = dispositions
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._audit_after = audit_after
        self._releases = releases

    async def step(self) -> None:
        """Certify what is complete."""
        for disposition_id in await self._dispositions.with_status(("ordered", "certified"), 1000):
            await self.advance(disposition_id)

    async def advance(self, disposition_id: str) -> None:
        """Certify this order, or supplement its certificate, if that can be done now."""
        disposition = await self._dispositions.get(disposition_id)
        if disposition is None or disposition.status not in ("ordered", "certified"):
            return
        supplementing = disposition.status == "certified"
        if await self._inventory.waiting(disposition_id, for_audit=supplementing):
            return
        if supplementing:
            records = await self._inventory.of_order(disposition_id)
            await self._supplement(disposition, records)
            return
        ids = [each.record_id for each in disposition.records]
        # The case files first: one that is destroyed meanwhile has told the records before.
        released = [
            each for chunk in chunks(ids) for each in await self._releases.released_with(chunk)
        ]
        records = await self._inventory.of_order(disposition_id)
        await self._certify(disposition, records, released)

    async def _certify(
        self,
        disposition: Disposition,
        records: Sequence[InventoryRecord],
        released: Sequence[tuple[str, ReleasedWith]],
    ) -> None:
        contents = domain.certificates(
            disposition, records, self._rules, self._clock.now(), self._audit_after, released
        )
        for content in contents:
            await self._keep(content)
        certificate_of = {
            record_id: content.certificate_id
            for content in contents
            for record_id in content.record_ids
        }

        async def decide(state: InventoryRecord) -> Change[InventoryRecord] | None:
            if state.stage != "destroyed":
                return None
            return Change(state.certified(certificate_of[state.record_id]))

        for chunk in chunks(tuple(certificate_of)):
            await self._processor.change_each(causes(chunk, self._ids), decide)
        ids = tuple(content.certificate_id for content in contents)
        await self._dispositions.replace(disposition.certified(ids))

    async def _supplement(
        self, disposition: Disposition, records: Sequence[InventoryRecord]
    ) -> None:
        contents = domain.supplements(disposition, records, self._rules, self._clock.now())
        for content in contents:
            await self._keep(content)
        ids = tuple(content.certificate_id for content in contents)
        await self._dispositions.replace(disposition.supplemented(ids))

    async def _keep(self, content: Content) -> None:
        """Store and announce a certificate, unless that was already done."""

        async def decide(state: Certificate) -> Change[Certificate] | None:
            if state.version:
                return None
            after = state.filled(content, domain.digest(content))
            return Change(after, (Outgoing(domain.event(content), subject=content.order_id),))

        await self._certificates.change(content.certificate_id, content.certificate_id, decide)

    # -- people's questions

    async def certificate(self, certificate_id: str) -> tuple[Content, str]:
        """A certificate and its SHA-256 (hex).

        :raises RefusedError: there is no such certificate."""
        found = await self._kept.get(certificate_id)
        if found is None or found.content is None:
            raise RefusedError("unknown_certificate", "There is no such certificate.")
        return found.content, found.sha256

    async def statement(self, fiscal_year: int, by: str) -> Statement:
        """The compliance statement of a fiscal year: quantities by item."""
        schedule = self._rules.schedule
        first_on, last_on = domain.fiscal_year(fiscal_year, schedule.fiscal_year_begins)
        kept = await self._kept.disposed(first_on, last_on)
        return Statement(
            fiscal_year=fiscal_year,
            first_on=first_on,
            last_on=last_on,
            schedule_number=schedule.schedule,
            quantities=domain.quantities(each.content for each in kept if each.content),
            prepared_by=by,
            prepared_at=self._clock.now(),
        )
