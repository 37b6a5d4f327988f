"""Review at intake without servers: reviews in memory, a case with its grant, the three calls."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from direct311.intake.request import ServiceRequest
from direct311.intake.review.domain.reviews import CaseReview, RecordReviews
from direct311.intake.review.handlers.decide import Choice, DecideItems
from direct311.intake.review.handlers.destroy import ForgetReviews
from direct311.intake.review.handlers.door import Door
from direct311.intake.review.handlers.proposals import Propose
from direct311.intake.review.handlers.render import Rendering, RenderRecord
from direct311.intake.review.handlers.review import Reviewed, ReviewRecord
from direct311.intake.review.handlers.withheld import WithheldTexts
from direct311.runtime.access.exemptions import Exemptions, load_exemptions
from direct311.runtime.access.rules import Caller
from direct311.schemas import events as ev
from tests.support.disclosures import CASE, DAY, Office, grant
from tests.support.reporters import ReporterIntake

RECORD = "record-1"
CARLA = Caller("carla", ("custodian",))
KURT = Caller("kurt", ("counsel",))
FIELDS = (
    "first_name",
    "last_name",
    "phone",
    "email",
    "reporter_address",
    "description",
    "attributes",
    "comments",
    "updates",
    "work_notes",
    "update_contacts",
    "media_url",
)


def ended(code: str) -> Exemptions:
    """The exemptions after the repeal of one."""
    known = load_exemptions(local=True)
    entries = [
        each.model_copy(update={"effective_until": each.effective_from})
        if each.code == code
        else each
        for each in known.entries
    ]
    return Exemptions(entries, known.version, known.hash)


class InMemoryReviews:
    """`Reviews` in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, RecordReviews] = {}
        self.notes: dict[str, tuple[int, datetime]] = {}

    async def of(self, record_id: str) -> RecordReviews:
        return self.kept.get(record_id) or RecordReviews(record_id=record_id)

    async def store(self, reviews: RecordReviews) -> bool:
        record_id = reviews.record_id
        known = self.kept.get(record_id)
        if record_id in self.notes or (known.version if known else 0) != reviews.version:
            return False
        # As the database does it.
        text = reviews.written().model_dump_json()
        self.kept[record_id] = RecordReviews.model_validate_json(text)
        return True

    async def forget(self, record_id: str, at: datetime) -> int:
        if record_id not in self.notes:
            had = self.kept.pop(record_id, None)
            self.notes[record_id] = (0 if had is None else 1, at)
        return self.notes[record_id][0]

    async def records(self, after: str, limit: int) -> Sequence[str]:
        return sorted(each for each in self.kept if each > after)[:limit]

    async def drop_notes(self, before: datetime) -> None:
        self.notes = {name: note for name, note in self.notes.items() if note[1] >= before}


class PublicText:
    """`PublicViews` that shows only the redacted text of a request."""

    def __init__(self, intake: ReporterIntake) -> None:
        self._intake = intake

    async def of(self, record_id: str) -> Mapping[str, Any]:
        request = self._intake.state(record_id)
        return {"description": request.text or None, "status": request.status}


class ReviewDesk:
    """Intake's review, and a retention that grants."""

    def __init__(self, exemptions: Exemptions | None = None) -> None:
        self.intake = ReporterIntake()
        self.office = Office(self.intake.clock)
        self.store = InMemoryReviews()
        intake, clock = self.intake, self.intake.clock
        self.propose = Propose(
            exemptions or load_exemptions(local=True),
            intake.registry,
            intake.indexes,
            intake.addresses,
            clock,
        )
        key = intake.indexes.content_key
        door = Door(intake.requests, intake.vault, self.office.owner, clock, key)
        public = PublicText(intake)
        self.reviewing = ReviewRecord(door, self.propose, self.store, intake.requests, public)
        self.deciding = DecideItems(door, self.propose, self.store, intake.requests, clock)
        self.rendering = RenderRecord(
            door, self.propose, self.store, intake.requests, public, clock
        )
        self.withheld = WithheldTexts(door, self.store)
        self.forget = ForgetReviews(self.store, intake.requests, clock, DAY)

    async def granted(self, case_id: str = CASE, **changes: Any) -> None:
        """A grant that names carla and kurt, the record and the fields that residents write."""
        now = self.intake.clock.now()
        given = grant(
            **{
                "case_id": case_id,
                "grant_id": f"grant-of-{case_id}",
                "record_ids": (RECORD,),
                "fields": FIELDS,
                "workers": ("carla", "kurt"),
                "prepared_by": "carla",
                "prepared_at": now,
                "valid_until": now + DAY,
                **changes,
            }
        )
        assert await self.office.say(self.office.approved(given)) == []

    async def request(self, plain: Mapping[str, str], **fields: object) -> ServiceRequest:
        """The stored record."""
        return await self.intake.request(RECORD, plain, **fields)

    async def changed(self, plain: Mapping[str, str], **fields: object) -> None:
        """The record, which somebody changed."""
        state, key = self.intake.state(RECORD), self.intake.data_keys[RECORD]
        sealed = {
            field: state.sealed[field]
            if field in state.sealed and key.open(field, state.sealed[field]) == text.encode()
            else key.seal(field, text.encode())
            for field, text in plain.items()
        }
        after = {"sealed": sealed, "version": state.version + 1, **fields}
        await self.intake.put(state.model_copy(update=after))

    async def protect(self, field: str, value: str) -> None:
        """The registry gets an entry; every copy has read it."""
        if field == "address":
            line = " ".join(value.upper().replace("STREET", "ST").split())
            found = self.intake.indexes.place(line, None, None)
        else:
            found = self.intake.indexes.person(field, value)
        assert found
        self.intake.registry.hashes.update(found)
        self.intake.registry.version += 1

    async def review(self, caller: Caller = CARLA, case_id: str = CASE) -> Reviewed:
        return await self.reviewing(caller, case_id, RECORD)

    async def decide(
        self,
        *choices: tuple[str, str | None],
        caller: Caller = CARLA,
        case_id: str = CASE,
        version: int | None = None,
    ) -> CaseReview:
        """Withhold items under a code, or release them, against the version that was reviewed."""
        if version is None:
            found = (await self.store.of(RECORD)).cases.get(case_id)
            version = found.version if found else 1
        made = [Choice(item, code) for item, code in choices]
        return await self.deciding(caller, case_id, RECORD, version, made)

    async def render(self, caller: Caller = CARLA, case_id: str = CASE) -> Rendering:
        return await self.rendering(caller, case_id, RECORD, "requester")

    @property
    def told(self) -> Sequence[ev.PiiAccessed]:
        return self.intake.access_log.events()
