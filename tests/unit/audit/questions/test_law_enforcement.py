"""While a case is exempt, nothing shows that law enforcement asked; then everybody sees it."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import permutations

import pytest

from direct311.audit.entry import Filter
from direct311.audit.log.api.consumers import consuming
from direct311.audit.log.handlers.receive import Receiving
from direct311.audit.questions.handlers.subject import SeenPage, SubjectReading
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import TimeOrderedIds
from direct311.schemas import Encoded, Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from direct311.schemas.secrecy import NO_END, DelayedNotice, NoticeError
from tests.support.no_trace import traces_in
from tests.unit.audit.audit_under_test import ASKING, COUNSEL, AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, START, Producer, received
from tests.unit.audit.log_contract import audit_service

pytestmark = pytest.mark.anyio
OFFICER = "officer-of-the-liaison"
CASE = "0195567e-8f00-7000-8000-0000000000ca"
MOMENT = timedelta(milliseconds=1)
DAY = timedelta(days=1)
RESIDENT = Caller(
    f"link:{RECORD}", ("resident",), authentication="signed_link", link_record_id=RECORD
)
"""Who holds the signed link of the record."""


def step(version: int, exemption: ev.CaseExemption) -> ev.DisclosureRecorded:
    return ev.DisclosureRecorded(
        case_id=CASE,
        version=version,
        kind="law_enforcement",
        exemption=exemption,
        step="narrowed",
        state="scoped",
        actor=OFFICER,
        occurred_at=START,
    )


class County(AuditUnderTest):
    """Audit with what a resident asks, and an access for law enforcement among two others."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.stores.clock
        service = audit_service(self.clock, self.access_log)
        self.subject = SubjectReading(
            log=self.stores.followed,
            entries=self.stores.entries,
            cases=self.secrecy,
            vault=service.vault,
            policy=service.policy,
            clock=self.clock,
        )
        self.producer = Producer()
        self.producer_of_cases = Producer("retention")

    def step(self, version: int, exemption: ev.CaseExemption) -> Event[Model]:
        """A step of the case, as audit receives it."""
        return received(self.producer_of_cases.encoded(step(version, exemption), CASE)).event

    def secret(self, until: datetime | None, case_id: str | None = CASE) -> Encoded:
        return self.producer.access(
            RECORD,
            actor=OFFICER,
            roles=("liaison",),
            purpose="law_enforcement",
            case_id=case_id,
            exempt_until=until,
        )

    async def asked_for(self, until: datetime | None, case_id: str | None = CASE) -> None:
        """A call-taker's access, one for law enforcement, and a call-taker's again."""
        await self.log(
            self.producer.access(RECORD),
            self.secret(until, case_id),
            self.producer.access(RECORD, OTHER),
        )

    async def says(self, version: int, until: datetime | None) -> None:
        await self.secrecy.note(CASE, version, until, law_enforcement=True)

    async def seen(self, limit: int = 50, cursor: str | None = None) -> SeenPage:
        return await self.subject.accesses(RESIDENT, RECORD, limit=limit, cursor=cursor)

    async def purposes(self) -> list[str]:
        """What the resident's list says, without the questions themselves."""
        return [each.purpose for each in (await self.seen()).accesses]

    async def is_open(self) -> bool:
        """Whether auditors without the right and the resident see the access; both or neither."""
        page = await self.reading.page(ASKING, Filter(actor=OFFICER), limit=10)
        resident = "law_enforcement" in await self.purposes()
        assert bool(page.entries) is resident
        assert page.withheld == (0 if resident else 1)
        return resident


@pytest.fixture
def county() -> County:
    return County()


# ---------------------------------------------------------------- the time


@pytest.mark.policy("P13")
async def test_the_access_shows_by_itself_when_its_time_has_passed(county: County) -> None:
    until = START + 30 * DAY
    await county.asked_for(until)
    for at, opened in ((START, False), (until - MOMENT, False), (until, True), (until + DAY, True)):
        county.clock.at = at
        assert await county.is_open() is opened, at
    # It stands at the time when it happened, not among the newest.
    assert await county.purposes() == ["respond", "law_enforcement", "respond"]


async def test_a_case_without_a_known_end_is_opened_by_its_own_event_only(county: County) -> None:
    await county.asked_for(NO_END)
    county.clock.at = START + 3_000 * DAY
    assert not await county.is_open()
    await county.says(1, NO_END)
    assert not await county.is_open()
    await county.says(2, None)
    assert await county.is_open()


async def test_the_case_ends_the_secrecy_before_the_time_that_the_access_named(
    county: County,
) -> None:
    await county.asked_for(START + 30 * DAY)
    await county.says(3, None)
    assert await county.is_open()


async def test_the_case_prolongs_it_and_the_new_end_counts_by_the_clock(county: County) -> None:
    await county.asked_for(START + 30 * DAY)
    later = START + 80 * DAY
    await county.says(4, later)
    for at, opened in ((START + 30 * DAY, False), (later - MOMENT, False), (later, True)):
        county.clock.at = at
        assert await county.is_open() is opened, at


async def test_what_the_case_says_counts_for_each_of_its_entries(county: County) -> None:
    """Also for one that does not say itself that it is exempt, such as reading the letter."""
    await county.log(
        county.producer.access(RECORD, actor=OFFICER, purpose="county_business", case_id=CASE)
    )
    await county.says(1, START + DAY)
    assert await county.purposes() == []
    page = await county.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=10)
    assert [each.withheld for each in page.entries] == [True]
    county.clock.at = START + DAY
    assert await county.purposes() == ["county_business"]


# ---------------------------------------------------------------- a delayed notice


def delayed(days: int, document: str = "a" * 64, dated: int = 0) -> ev.CaseExemption:
    """Exempt, because a document of that day delays the notice until so many days from START."""
    until = START + days * DAY
    notice = DelayedNotice(document=document, dated_at=START + dated * DAY, until=until)
    return ev.CaseExemption(exempt=True, until=until, notice=notice)


async def test_only_another_document_prolongs_a_delayed_notice(county: County) -> None:
    await county.asked_for(NO_END)
    await county.secrecy.take(county.step(1, delayed(30)))
    for longer in (delayed(60), ev.CaseExemption(exempt=True, until=NO_END)):
        with pytest.raises(NoticeError):
            await county.secrecy.take(county.step(2, longer))
        county.clock.at = START + 30 * DAY
        assert await county.is_open()
    county.clock.at = START + 29 * DAY
    await county.secrecy.take(county.step(3, delayed(100, "b" * 64, 20)))
    for at, opened in ((START + 100 * DAY - MOMENT, False), (START + 100 * DAY, True)):
        county.clock.at = at
        assert await county.is_open() is opened, at


async def test_an_edited_document_keeps_the_entries_withheld(county: County) -> None:
    await county.asked_for(NO_END)
    await county.secrecy.take(county.step(1, delayed(30)))
    said = county.exemptions.said[CASE]
    county.exemptions.said[CASE] = said.model_copy(update={"notice": None})
    county.clock.at = START + 30 * DAY
    assert not await county.is_open()


async def test_an_event_that_prolongs_it_without_one_is_logged_and_has_no_effect(
    county: County,
) -> None:
    noted: list[str] = []

    class Certificates:
        async def note(self, event: Event[Model]) -> None:
            noted.append(event.id)

    class Records:
        async def apply(
            self, batch: Sequence[Event[Model]]
        ) -> list[tuple[Event[Model], Exception]]:
            return []

    await county.asked_for(NO_END)
    receiving = Receiving(county.stores.inbox, county.clock, TimeOrderedIds())
    process = consuming(receiving, Certificates(), county.secrecy, Records())
    said = [(1, delayed(30)), (2, delayed(60))]
    batch = [received(county.producer_of_cases.encoded(step(*each), CASE)) for each in said]
    ((event, error),) = await process(batch)
    assert (event, type(error)) == (batch[1].event, NoticeError)
    assert noted == [each.event.id for each in batch]
    await county.stores.sequence()
    page = await county.reading.page(COUNSEL, Filter(action="case"), limit=10)
    assert len(page.entries) == 2
    county.clock.at = START + 30 * DAY
    assert await county.is_open()


# ---------------------------------------------------------------- the order


STEPS: Sequence[tuple[int, datetime | None]] = (
    (1, START + 10 * DAY),
    (2, NO_END),
    (3, START + 20 * DAY),
    (4, None),
)


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_the_latest_version_wins_in_any_order_and_however_often(
    county: County, order: tuple[int, ...]
) -> None:
    await county.asked_for(START + 5 * DAY)
    heard: set[int] = set()
    for at in (*order, *order):
        await county.says(*STEPS[at])
        heard.add(at)
        assert await county.is_open() is (max(heard) == 3)


async def test_an_earlier_version_that_comes_late_closes_nothing_again(county: County) -> None:
    await county.says(4, None)
    await county.asked_for(START + 5 * DAY)
    await county.says(2, NO_END)
    await county.says(4, NO_END)
    assert await county.is_open()


async def test_a_case_of_another_kind_that_was_exempt_once_is_remembered(county: County) -> None:
    """Its end may be heard before its beginning."""
    await county.asked_for(START + 5 * DAY)
    await county.secrecy.note(CASE, 2, None, law_enforcement=False)
    await county.secrecy.note(CASE, 1, NO_END, law_enforcement=False)
    assert await county.is_open()


async def test_another_case_changes_nothing(county: County) -> None:
    await county.asked_for(START + 5 * DAY)
    await county.secrecy.note("another", 9, None, law_enforcement=True)
    assert not await county.is_open()


# ---------------------------------------------------------------- what is lacking or forged


@pytest.mark.parametrize("case_id", [CASE, None])
async def test_without_an_end_it_is_withheld_until_its_case_says_otherwise(
    county: County, case_id: str | None
) -> None:
    await county.asked_for(None, case_id)
    county.clock.at = START + 3_000 * DAY
    assert not await county.is_open()
    await county.says(1, None)
    assert await county.is_open() is (case_id is not None)


@pytest.mark.parametrize(
    "forged",
    [
        {"exempt_until": None},
        {"version": 9},
        {"exempt_until": START},
        {"tag": b""},
        {"tag": bytes(32)},
        {"case_id": CASE, "exempt_until": None, "tag": b"\x00"},
    ],
)
async def test_a_case_that_was_edited_in_the_database_opens_nothing(
    county: County, forged: dict[str, object]
) -> None:
    await county.asked_for(START + DAY)
    await county.says(1, START + DAY)
    said = county.exemptions.said[CASE]
    county.exemptions.said[CASE] = said.model_copy(update=forged)
    county.clock.at = START + 3_000 * DAY
    assert not await county.is_open()


async def test_the_word_of_one_case_does_not_count_for_another(county: County) -> None:
    await county.asked_for(START + DAY)
    await county.says(1, NO_END)
    await county.secrecy.note("another", 1, None, law_enforcement=True)
    other = county.exemptions.said["another"]
    county.exemptions.said[CASE] = other.model_copy(update={"case_id": CASE})
    assert not await county.is_open()


async def test_a_refused_attempt_of_the_liaison_is_a_trace_too(county: County) -> None:
    await county.log(
        county.producer.access(
            RECORD, actor=OFFICER, roles=("liaison",), purpose="county_business", outcome="denied"
        ),
        county.producer.access(actor=OFFICER, roles=("liaison",), action="sign_in", fields=()),
    )
    assert await county.purposes() == []
    page = await county.reading.page(ASKING, Filter(), limit=10)
    assert [each.withheld for each in page.entries] == [False, True]


async def test_who_is_also_a_liaison_does_other_work_in_the_open(county: County) -> None:
    await county.log(county.producer.access(RECORD, roles=("agent", "liaison")))
    (seen,) = (await county.seen()).accesses
    assert (seen.purpose, seen.roles) == ("respond", ("agent",))


# ---------------------------------------------------------------- every view, before and after


async def views(county: County) -> dict[str, str]:
    """Everything that an auditor without the right and the resident can get, as text."""
    place = Filter(record_ids=(RECORD,))
    page = await county.reading.page(ASKING, place, limit=10)
    bundle = await county.bundle(place)
    receipts = [each["event"] for each in json.loads(bundle)["receipts"]]
    scope = await county.breach.scope(ASKING, Filter(), "Bearer x", date(2026, 3, 2))
    first = await county.seen(limit=1)
    return {
        "entries": repr([each.event for each in page.entries if not each.withheld]),
        "one actor": repr(await county.reading.page(ASKING, Filter(actor=OFFICER), limit=10)),
        "tally": repr(await county.counting.tally(ASKING, Filter(), ("purpose", "actor"), 99)),
        "by case": repr(await county.counting.tally(ASKING, Filter(), ("case", "fields"), 99)),
        "timeline": repr(await county.counting.timeline(ASKING, place, "day")),
        "bundle": repr(receipts),
        "breach": repr([(each.actors, each.entries) for each in scope.records]),
        "resident": repr(await county.seen()),
        "resident, a page of one": repr(first),
        "resident, the next page": repr(await county.seen(limit=1, cursor=first.next)),
    }


async def test_before_the_end_nothing_appears_anywhere_and_afterwards_it_does(
    county: County,
) -> None:
    until = START + 30 * DAY
    await county.asked_for(until)
    traces = ("law_enforcement", OFFICER, CASE, "liaison")
    assert traces_in(await views(county), traces) == []
    county.clock.at = until
    found = {view for view, _ in traces_in(await views(county), traces)}
    assert found >= {"entries", "one actor", "tally", "by case", "timeline", "bundle", "breach"}
    assert found >= {"resident"}


async def test_a_resident_counts_nothing_that_is_missing(county: County) -> None:
    """Pages, cursors and totals are those of a record that nobody asked about."""
    plain = County()
    await plain.log(plain.producer.access(RECORD), plain.producer.access(RECORD, OTHER))
    await county.asked_for(START + DAY)
    for each in (county, plain):
        first = await each.seen(limit=1)
        second = await each.seen(limit=1, cursor=first.next)
        assert (len(first.accesses), len(second.accesses), second.next) == (1, 1, None)
        results = [event.what.result_count for event in each.access_log.events()]
        assert results == [1, 1]


async def test_counsel_who_reads_the_entry_leaves_no_trace_for_the_resident(
    county: County,
) -> None:
    await county.asked_for(START + DAY)
    await county.reading.page(COUNSEL, Filter(record_ids=(RECORD,)), limit=10)
    (entry,) = county.access_log.entries[-1:]
    assert county.access_log.events()[-1].what.fields == ("audit_entry", "exempt_entry")
    await county.log(entry.message)
    newest = (await county.seen()).accesses[0]
    assert (newest.purpose, newest.fields) == ("authorised_audit", ("audit_entry",))


async def test_an_act_of_the_liaison_is_withheld_although_its_case_has_said_nothing_yet(
    county: County,
) -> None:
    """The case's own events travel on another topic, and may come later."""
    desk = Producer("retention")
    secret = desk.acted(RECORD, actor=OFFICER, roles=("liaison",), case_id=CASE)
    await county.log(secret, desk.acted(RECORD, OTHER, case_id="case-7"))
    page = await county.reading.page(ASKING, Filter(), limit=10)
    assert [each.withheld for each in page.entries] == [False, True]
    await county.says(1, None)
    page = await county.reading.page(ASKING, Filter(), limit=10)
    assert [each.withheld for each in page.entries] == [False, False]
