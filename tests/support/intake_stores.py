"""Intake's stores in memory, held to the same contracts as those in the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from direct311.intake.reporter.adapters.codes import GOOD_FOR, MOST_ASKED, MOST_TRIES, WINDOW
from direct311.intake.reporter.ports import WaitingCode
from direct311.intake.request import READINGS, ServiceRequest, public_jurisdiction
from direct311.intake.searches.domain import Narrowing
from direct311.intake.uploads.domain import UploadTicket
from direct311.intake.work.domain.listing import Position, WorkQuery
from direct311.intake.work.ports import Page
from direct311.runtime.messaging.records import Write
from direct311.runtime.vault.vault import RecordKey
from tests.support.keys import InMemoryKeys
from tests.support.memory import InMemoryRecords


class InMemoryRequests:
    """`Requests`, `Indexed` and the outbox of messages, over the records."""

    def __init__(self, records: InMemoryRecords[ServiceRequest]) -> None:
        self._records = records

    def _active(self) -> list[ServiceRequest]:
        found = [each for each in self._records.states() if each.lifecycle == "active"]
        return sorted(found, key=lambda each: each.record_id)

    async def get(self, record_id: str) -> ServiceRequest | None:
        return next((each for each in self._active() if each.record_id == record_id), None)

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        return [
            each.record_id
            for each in self._active()
            if not set(values).isdisjoint(each.indexes.get(field, ()))
        ][:limit]

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        wanted = [each for each in self._active() if each.record_id in record_ids]
        return {each.record_id: each.indexes for each in wanted}

    async def with_mail(self, at: datetime, limit: int) -> Sequence[str]:
        return [
            each.record_id
            for each in self._active()
            if each.mail_after is not None and each.mail_after <= at
        ][:limit]

    async def indexed_otherwise(
        self, versions: Sequence[int], after: str, limit: int
    ) -> Sequence[ServiceRequest]:
        present = (tuple(versions), READINGS)
        return [
            each
            for each in self._active()
            if each.record_id > after and (each.index_versions, each.index_readings) != present
        ][:limit]

    async def count_otherwise(self, versions: Sequence[int]) -> int:
        return len(await self.indexed_otherwise(versions, "", len(self._records.documents)))

    async def homes_unread(self, after: str, limit: int) -> Sequence[ServiceRequest]:
        return [
            each
            for each in self._active()
            if each.record_id > after and each.home_unread_at is not None
        ][:limit]


class InMemoryCandidates:
    """`Candidates`, over the records."""

    def __init__(self, records: InMemoryRecords[ServiceRequest]) -> None:
        self._records = records

    def _matching(self, narrowing: Narrowing) -> list[ServiceRequest]:
        """In the order of their receipt, whatever the box."""
        found = [
            (each.received_at, each.record_id, each)
            for each in self._records.states()
            if each.lifecycle == "active"
            and each.received_at
            and (narrowing.received_from is None or each.received_at >= narrowing.received_from)
            and (narrowing.received_before is None or each.received_at < narrowing.received_before)
            and narrowing.municipality in (None, public_jurisdiction(each))
            and (not narrowing.types or each.service_code in narrowing.types)
            and (not narrowing.departments or each.department in narrowing.departments)
        ]
        return [each for *_, each in sorted(found, key=lambda item: item[:2])]

    async def found(self, narrowing: Narrowing, limit: int) -> Sequence[str]:
        matching = self._matching(narrowing)
        return [each.record_id for each in matching if _in_box(each, narrowing)][:limit]

    async def among(self, record_ids: Sequence[str], narrowing: Narrowing) -> Sequence[str]:
        matching = await self.found(narrowing, len(self._records.documents))
        return [each for each in record_ids if each in matching]

    async def without_point(
        self, narrowing: Narrowing, limit: int, record_ids: Sequence[str] | None = None
    ) -> int:
        if narrowing.box is None:
            return 0
        without = [
            each
            for each in self._matching(narrowing)
            if (record_ids is None or each.record_id in record_ids)
            and (each.protected or each.located is None or each.located.latitude is None)
        ]
        return min(len(without), limit)

    async def sealed(
        self, record_ids: Sequence[str], fields: Sequence[str]
    ) -> Mapping[str, Mapping[str, bytes]]:
        found = {}
        for each in self._records.states():
            sealed = {name: each.sealed[name] for name in fields if name in each.sealed}
            if each.record_id in record_ids and each.lifecycle == "active" and sealed:
                found[each.record_id] = sealed
        return found


def _in_box(request: ServiceRequest, narrowing: Narrowing) -> bool:
    if narrowing.box is None:
        return True
    at = request.located
    if request.protected or at is None or at.latitude is None or at.longitude is None:
        return False
    west, south, east, north = narrowing.box
    return west <= at.longitude <= east and south <= at.latitude <= north


class InMemorySubmissions:
    """`Submissions` and `Submitted`, over the records and the keys. `unseen`: lookups find nothing,
    as when two submissions come at once, so that only the unique key decides."""

    def __init__(self, records: InMemoryRecords[ServiceRequest], keys: InMemoryKeys) -> None:
        self._records = records
        self._keys = keys
        self.unseen = False

    async def keep(self, keys: Sequence[RecordKey]) -> None:
        await self._keys.insert(keys)

    async def insert(self, write: Write[ServiceRequest]) -> Literal["new", "repeat"]:
        key = write.state.idempotency
        if key is not None and await self.by_idempotency(key) is not None:
            return "repeat"
        await self._records.commit([write])
        return "new"

    async def by_idempotency(self, key: str) -> ServiceRequest | None:
        return next((each for each in self._records.states() if each.idempotency == key), None)

    async def by_id(self, record_id: str) -> ServiceRequest | None:
        found = self._records.documents.get(record_id)
        return found.state if found else None

    async def first_under(self, keys: Sequence[str], since: datetime) -> ServiceRequest | None:
        if self.unseen:
            return None
        found = [
            (each.received_at, each)
            for each in self._records.states()
            if each.idempotency in keys and each.received_at and each.received_at >= since
        ]
        return min(found, key=lambda pair: pair[0])[1] if found else None

    async def with_image(self, images: Sequence[str], since: datetime) -> str | None:
        return next(
            (
                each.record_id
                for each in self._records.states()
                if not set(images).isdisjoint(each.images or ())
                and each.received_at
                and each.received_at >= since
            ),
            None,
        )


class InMemoryTickets:
    """`UploadTickets`."""

    def __init__(self) -> None:
        self.tickets: dict[str, UploadTicket] = {}

    async def keep(self, tickets: Sequence[UploadTicket]) -> None:
        self.tickets.update({each.upload_id: each for each in tickets})

    async def get(self, upload_ids: Sequence[str]) -> Mapping[str, UploadTicket]:
        return {each: self.tickets[each] for each in upload_ids if each in self.tickets}

    async def claim(self, upload_id: str, claim: str, record_id: str, at: datetime) -> bool:
        ticket = self.tickets.get(upload_id)
        if ticket is None or ticket.claim not in (None, claim):
            return False
        update = {"claim": claim, "record_id": record_id, "claimed_at": at}
        self.tickets[upload_id] = ticket.model_copy(update=update)
        return True

    async def release(self, upload_ids: Sequence[str], claim: str) -> None:
        for each in upload_ids:
            ticket = self.tickets.get(each)
            if ticket is not None and ticket.claim == claim:
                nothing = {"claim": None, "record_id": None, "claimed_at": None}
                self.tickets[each] = ticket.model_copy(update=nothing)


@dataclass
class _Questions:
    """How often a code was requested since an instant, and how often the present one was tried."""

    since: datetime
    asked: int = 0
    tries: int = 0
    good_until: datetime | None = None


class InMemoryCodes:
    """`Codes` and their outbox. `nonces`: the valid codes, by record."""

    def __init__(self) -> None:
        self.nonces: dict[str, str] = {}
        self.waiting: dict[str, WaitingCode] = {}
        self.asked: list[tuple[str, str | None]] = []
        self._questions: dict[str, _Questions] = {}

    async def ask(
        self, record_id: str, at: datetime, nonce: str | None, language: str
    ) -> datetime | None:
        self.asked.append((record_id, nonce))
        questions = self._questions.setdefault(record_id, _Questions(at))
        if questions.since <= at - WINDOW:
            questions.since, questions.asked = at, 0
        if questions.asked >= MOST_ASKED:
            return questions.since + WINDOW
        questions.asked += 1
        if nonce is not None:
            questions.tries, questions.good_until = 0, at + GOOD_FOR
            self.nonces[record_id] = nonce
            until = questions.good_until
            self.waiting[record_id] = WaitingCode(record_id, nonce, language, at, until, 0)
        return None

    async def attempt(self, record_id: str, at: datetime) -> str | None:
        questions = self._questions.setdefault(record_id, _Questions(at))
        over = questions.good_until is not None and questions.good_until <= at
        if record_id not in self.nonces or over or questions.tries >= MOST_TRIES:
            return None
        questions.tries += 1
        return self.nonces[record_id]

    async def use(self, record_id: str, nonce: str) -> bool:
        if self.nonces.get(record_id) != nonce:
            return False
        del self.nonces[record_id]
        self.waiting.pop(record_id, None)
        return True

    async def forget(self, record_id: str) -> None:
        for kept in (self.nonces, self.waiting, self._questions):
            kept.pop(record_id, None)

    async def due(self, at: datetime, limit: int) -> Sequence[WaitingCode]:
        return [each for each in self.waiting.values() if each.mail_after <= at][:limit]

    async def trying(self, code: WaitingCode, again: datetime) -> bool:
        there = self.waiting.get(code.record_id)
        if there is None or (there.nonce, there.mail_after) != (code.nonce, code.mail_after):
            return False
        self.waiting[code.record_id] = WaitingCode(
            there.record_id, there.nonce, there.language, again, there.good_until, there.tries + 1
        )
        return True

    async def sent(self, code: WaitingCode) -> None:
        there = self.waiting.get(code.record_id)
        if there is not None and there.nonce == code.nonce:
            del self.waiting[code.record_id]


class InMemoryEndedSessions:
    """`EndedSessions`."""

    def __init__(self) -> None:
        self.until: dict[str, datetime] = {}

    async def add(self, session_id: str, until: datetime) -> None:
        self.until[session_id] = until

    async def has(self, session_id: str) -> bool:
        return session_id in self.until


class InMemoryWorkList:
    """`WorkList`, over the records. Every page is full."""

    def __init__(self, records: InMemoryRecords[ServiceRequest]) -> None:
        self._records = records

    async def page(self, query: WorkQuery, today: date) -> Page:
        newest = query.sort == "newest"
        found = [
            (each.received_at, each.record_id, each)
            for each in self._records.states()
            if each.received_at and _wanted(each, query, today)
        ]
        found.sort(key=lambda item: item[:2], reverse=newest)
        if (after := query.after) is not None:
            place = (after.at, after.record_id)
            found = [i for i in found if (i[:2] < place if newest else i[:2] > place)]
        rows = found[: query.limit]
        end = Position(*rows[-1][:2]) if len(found) > query.limit else None
        return Page([each for *_, each in rows], end)


def _wanted(request: ServiceRequest, query: WorkQuery, today: date) -> bool:
    at = request.received_at
    flags = {
        "emergency": request.emergency_assistance,
        "marked": request.marked_at is not None,
        "protected": request.protected,
        "unplaced": request.place_checked
        and request.located is not None
        and request.located.outcome != "resolved",
        "overdue": request.due_on is not None and request.due_on < today,
    }
    return (
        request.lifecycle == "active"
        and at is not None
        and query.received_from <= at < query.received_before
        and request.status in query.statuses
        and (not query.types or request.service_code in query.types)
        and query.department in (None, request.department)
        and query.place in (None, public_jurisdiction(request))
        and all(flags[each] for each in query.flags)
    )
