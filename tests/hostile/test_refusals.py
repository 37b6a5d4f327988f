"""Nobody fills the access log, or a resident's list, with refusals.

Each attack makes hundreds of refused calls within seconds. What the log gets is a handful of events
with counts that add up, and what may be opened opens all the same.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import pytest

from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.ledger import Access, AuditUnavailableError
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.messaging.records import Entry
from direct311.runtime.vault.vault import DeniedError
from direct311.schemas import Encoded
from direct311.schemas import events as ev
from tests.support.access_log import InMemoryAccessLog
from tests.support.county import County, until
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest
from tests.support.submissions import submission
from tests.unit.audit.events import OTHER, RECORD, Producer
from tests.unit.audit.questions import test_subject as residents

pytestmark = pytest.mark.anyio

MANY = 80
"""Refused calls of one attack, as were made in two seconds."""
MOST = 22
"""Events that one session may cause in a minute before the minute is over."""
START = datetime.fromisoformat("2026-03-02T12:00:05+00:00")
OWN, OTHERS = "r-own", "r-victim"
LINK = Caller(
    f"link:{OWN}",
    ("resident",),
    token_id="link-1",
    authentication="signed_link",
    link_record_id=OWN,
)
AGENT = Caller("olga", ("agent",), token_id="t-1", address="a1")
PARKS = Caller("pedro", ("department",), "parks", token_id="t-2", address="a1")
NOBODY = Caller("nora", ("janitor",), token_id="t-3", address="a1")
LAWYER = Caller("carol", ("counsel",), token_id="t-4", address="a1")


class SlowAccessLog(InMemoryAccessLog):
    """Takes what is sent once `slow` is set, where it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.slow: asyncio.Event | None = None

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        await asyncio.sleep(0)
        if self.slow is not None:
            await self.slow.wait()
        await super().publish_one(entry, seconds)


class Ids:
    def __init__(self) -> None:
        self.last = 0

    def new(self) -> str:
        self.last += 1
        return str(UUID(int=self.last))


class RefusingIntake(ServiceUnderTest):
    def __init__(self) -> None:
        self.slow_log = SlowAccessLog()
        super().__init__(clock=SetClock(START), ids=Ids(), access_log=self.slow_log)

    async def refused(self, access: Access, facts: RecordFacts) -> int:
        with pytest.raises(RefusedError) as caught:
            await self.vault.authorise(access, facts)
        return status_of(caught.value)


@pytest.fixture
def intake() -> RefusingIntake:
    return RefusingIntake()


def asking(
    caller: Caller,
    purpose: str = "subject_access",
    record_id: str | None = OTHERS,
    action: ev.AccessAction = "view",
    **more: Any,
) -> Access:
    given: dict[str, Any] = {"operation": "GET /x", "fields": ("phone",), **more}
    records = () if record_id is None else (record_id,)
    return Access(caller, action=action, purpose=purpose, record_ids=records, **given)


@dataclass(frozen=True)
class Attack:
    """`call(n)`: the nth question. `kept`: events that there may be at once."""

    call: Callable[[int], Access]
    kept: int = MOST
    together: bool = False


def _fields(number: int) -> tuple[str, ...]:
    names = ("phone", "email", "first_name", "last_name", "text")
    return tuple(name for at, name in enumerate(names) if number >> at & 1) or ("phone",)


ACTIONS: Sequence[ev.AccessAction] = ("view", "search", "list", "export", "print", "correct")
ATTACKS = {
    "one record of another's, again and again": Attack(lambda _: asking(LINK), kept=1),
    "all at once": Attack(lambda _: asking(LINK), kept=1, together=True),
    "another record each time": Attack(lambda n: asking(LINK, record_id=f"r-{n}")),
    "another record each time, all at once": Attack(
        lambda n: asking(LINK, record_id=f"r-{n}"), together=True
    ),
    "purposes that are made up": Attack(lambda n: asking(LINK, f"purpose-{n}"), kept=1),
    "purposes of others": Attack(
        lambda n: asking(LINK, ("respond", "retention", "public_records")[n % 3]), kept=3
    ),
    "another reason each time": Attack(
        lambda n: asking(LINK, justification=f"a reason, number {n}"), kept=1
    ),
    "another reference each time": Attack(lambda n: asking(LINK, reference=f"W-{n}"), kept=1),
    "other fields each time": Attack(lambda n: asking(LINK, fields=_fields(n))),
    "fields that are made up": Attack(lambda n: asking(LINK, fields=(f"field-{n}",)), kept=1),
    "other operations": Attack(lambda n: asking(LINK, operation=f"GET /{n % 40}")),
    "all kinds of action": Attack(lambda n: asking(LINK, action=ACTIONS[n % 6]), kept=6),
    "no record": Attack(lambda _: asking(NOBODY, record_id=None), kept=1),
    "several records at a time": Attack(
        lambda n: replace(asking(LINK), record_ids=(OTHERS, f"r-{n}"))
    ),
    "searches with other words": Attack(
        lambda n: asking(
            NOBODY,
            "respond",
            None,
            "search",
            fields=(),
            query_fields=("phone",),
            query_hmac=f"{n:064x}",
        ),
        kept=1,
    ),
    "numbers of results": Attack(lambda n: asking(LINK, result_count=n), kept=1),
    "versions and lifecycles": Attack(
        lambda n: asking(LINK, version_seen=n, lifecycle=f"state {n}"), kept=1
    ),
    "a role without a purpose": Attack(lambda n: asking(NOBODY, "respond", f"r-{n}")),
    "records that are not assigned": Attack(lambda n: asking(PARKS, "respond", f"r-{n}")),
    "business without a reference": Attack(
        lambda n: asking(AGENT, "county_business", f"r-{n}", reference=None)
    ),
    "break-glass without a reason": Attack(
        lambda n: asking(AGENT, "emergency_assistance", f"r-{n}", justification=None)
    ),
    "cases that nobody has": Attack(
        lambda n: asking(LAWYER, "law_enforcement", f"r-{n}", case=AccessCase(f"case-{n}"))
    ),
    "a service for a person": Attack(
        lambda n: asking(replace(NOBODY, via="svc:audit"), "respond", f"r-{n}")
    ),
    "two kinds in turn": Attack(lambda n: asking(LINK, record_id=f"r-{n % 2}"), kept=2),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_hundreds_of_refusals_are_a_handful_of_events_that_add_up(
    intake: RefusingIntake, name: str
) -> None:
    attack = ATTACKS[name]
    facts = RecordFacts(OTHERS)
    if attack.together:
        calls = (intake.refused(attack.call(n), facts) for n in range(MANY))
        statuses = await asyncio.gather(*calls)
    else:
        statuses = [await intake.refused(attack.call(n), facts) for n in range(MANY)]
    assert 1 <= len(intake.access_log.refusals()) <= attack.kept
    assert statuses[0] in (403, 422)
    assert statuses[-1] == 429
    await intake.ledger.flush()
    assert len(intake.access_log.refusals()) <= attack.kept
    intake.clock.at += timedelta(minutes=1)
    await intake.ledger.flush()
    events = intake.access_log.refusals()
    assert len(events) <= 2 * attack.kept
    assert sum(event.count or 1 for event in events) == MANY
    firsts = {entry.id for entry in intake.access_log.entries}
    for event in events:
        assert (event.count is None) == (event.correlation.cause is None)
        assert event.correlation.cause is None or event.correlation.cause in firsts
    await intake.ledger.flush(ending=True)
    assert len(intake.access_log.refusals()) == len(events)


@pytest.mark.parametrize(
    ("sessions", "most"),
    [
        (lambda n: replace(LINK, token_id=f"link-{n}", source="s1"), 301),
        (
            lambda n: replace(LINK, sub=f"link:r-{n}", link_record_id=f"r-{n}", source="s1"),
            301,
        ),
    ],
    ids=["links of one record", "links of many"],
)
async def test_many_sessions_of_one_address_are_one_caller(
    intake: RefusingIntake, sessions: Callable[[int], Caller], most: int
) -> None:
    for number in range(500):
        await intake.refused(asking(sessions(number)), RecordFacts(OTHERS))
    assert len(intake.access_log.refusals()) == most
    intake.clock.at += timedelta(minutes=1)
    await intake.ledger.flush()
    last = intake.access_log.refusals()[-1]
    assert (last.count, last.agent.id, last.where.operation) == (199, "unknown", "further refusals")
    assert last.what.record_ids == (OTHERS,)
    # Where residents call from is in no event.
    assert all("s1" not in event.model_dump_json() for event in intake.access_log.events())


FLOODS: dict[str, Callable[[int], Caller]] = {
    "by links": lambda n: replace(LINK, token_id=f"link-{n}", source="s1"),
    "by one person": lambda n: replace(NOBODY, token_id=f"token-{n // 20}", source="s1"),
    "by many persons": lambda n: replace(NOBODY, sub=f"person-{n // 20}", source="s1"),
    "by another service's callers": lambda n: replace(
        NOBODY, token_id=f"token-{n // 20}", via="svc:audit", source="s1"
    ),
    "by a department": lambda n: replace(PARKS, token_id=f"token-{n // 20}", source="s1"),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_who_is_refused_behind_a_flood_of_their_address_is_named(
    intake: RefusingIntake, flood: str
) -> None:
    for number in range(400):
        asked = asking(FLOODS[flood](number), record_id=f"r-{number}")
        await intake.refused(asked, RecordFacts(OTHERS))
    before = len(intake.access_log.refusals())
    assert before <= 330
    snoop = replace(NOBODY, sub="sam", token_id="t-sam", source="s1")
    for number in range(8):
        await intake.refused(asking(snoop, record_id=f"v-{number}"), RecordFacts(OTHERS))
    told = intake.access_log.refusals()[before:]
    assert [(event.agent.id, event.what.record_ids) for event in told] == [
        ("sam", (f"v-{number}",)) for number in range(5)
    ]


async def test_records_of_refusals_after_too_many_are_named(intake: RefusingIntake) -> None:
    for number in range(59):
        await intake.refused(asking(LINK, record_id=f"r-{number}"), RecordFacts(OTHERS))
    for number in range(500):
        await intake.refused(asking(LINK, record_id=f"v-{number}"), RecordFacts(OTHERS))
    intake.clock.at += timedelta(minutes=1)
    await intake.ledger.flush()
    further = [e for e in intake.access_log.refusals() if e.where.operation == "further refusals"]
    assert [len(event.what.record_ids) for event in further] == [1, 100]
    named = [each for event in intake.access_log.refusals() for each in event.what.record_ids]
    assert named[:59] == [f"r-{number}" for number in range(59)]
    assert len(named) == len(set(named)) == 121
    assert sum(event.count or 1 for event in intake.access_log.refusals()) == 559


async def test_a_flood_from_everywhere_is_bounded_and_counted(intake: RefusingIntake) -> None:
    for number in range(5_400):
        caller = replace(LINK, sub=f"link:r-{number}", token_id=f"{number}", source=f"s{number}")
        await intake.refused(asking(caller), RecordFacts(OTHERS))
    assert len(intake.access_log.refusals()) == 5_001
    intake.clock.at += timedelta(minutes=1)
    await intake.ledger.flush()
    assert sum(event.count or 1 for event in intake.access_log.refusals()) == 5_400


@pytest.mark.parametrize(
    "addresses",
    [
        lambda n: f"2001:db8:1:2:{n:x}::1",
        lambda n: f"2001:db8:1:2::{n:x}",
        lambda n: f"2001:0db8:0001:0002:0:0:0:{n:x}",
        lambda n: f"2001:DB8:1:2::{n:X}%eth{n}",
        lambda n: ("192.0.2.7", "::ffff:192.0.2.7", "::FFFF:c000:207")[n % 3],
    ],
    ids=["upper half", "lower half", "written out", "with a zone", "IPv4 in IPv6"],
)
def test_an_address_has_one_name_however_it_is_written(addresses: Callable[[int], str]) -> None:
    sources = Sources(SetClock(START))
    assert len({sources.name(addresses(n)) for n in range(1, 40)}) == 1


async def test_who_was_refused_too_often_still_opens_what_is_theirs(intake: RefusingIntake) -> None:
    for _ in range(300):
        await intake.refused(asking(LINK), RecordFacts(OTHERS))
    before = len(intake.access_log.entries)
    for _ in range(40):
        await intake.vault.authorise(asking(LINK, record_id=OWN), RecordFacts(OWN))
    opened = intake.access_log.events()[before:]
    assert [(event.outcome, event.count) for event in opened] == [("success", None)] * 40


@pytest.mark.parametrize("fate", ["down", "leaves"])
async def test_no_refusal_is_answered_before_it_is_in_the_log(
    intake: RefusingIntake, fate: Literal["down", "leaves"]
) -> None:
    intake.slow_log.slow = asyncio.Event()
    calls = [
        asyncio.create_task(intake.vault.authorise(asking(LINK), RecordFacts(OTHERS)))
        for _ in range(5)
    ]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(call.done() for call in calls)
    if fate == "leaves":
        calls[0].cancel()
    else:
        intake.access_log.down = True
    intake.slow_log.slow.set()
    done = await asyncio.gather(*calls, return_exceptions=True)
    if fate == "down":
        assert all(isinstance(each, AuditUnavailableError) for each in done)
        intake.access_log.down = False
        assert await intake.refused(asking(LINK), RecordFacts(OTHERS)) == 403
        told = 1
    else:
        assert all(isinstance(each, DeniedError) for each in done[1:])
        told = 4
    await intake.ledger.flush(ending=True)
    assert sum(event.count or 1 for event in intake.access_log.refusals()) == told


async def test_a_stop_tells_what_was_counted_and_a_broken_one_forgets_nothing(
    intake: RefusingIntake,
) -> None:
    for _ in range(7):
        await intake.refused(asking(LINK), RecordFacts(OTHERS))
    intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await intake.ledger.flush(ending=True)
    intake.access_log.down = False
    await intake.ledger.flush(ending=True)
    first, repeats = intake.access_log.refusals()
    assert (first.count, repeats.count) == (None, 6)
    assert repeats.why.justification is None
    assert first.time.occurred_at <= repeats.time.occurred_at


async def test_a_minute_later_it_is_told_anew(intake: RefusingIntake) -> None:
    for _ in range(3):
        for _ in range(10):
            await intake.refused(asking(LINK), RecordFacts(OTHERS))
        intake.clock.at += timedelta(minutes=1)
        await intake.ledger.flush()
    assert [event.count for event in intake.access_log.refusals()] == [None, 9] * 3


# ---------------------------------------------------------------- the resident's list

CALLED_LIKE_A_LINK = {
    "a link of nothing": "link:zzz",
    "another record's link": f"link:{OTHER}",
    "the prefix alone": "link:",
    "its own record's link": f"link:{RECORD}",
    "nobody": "unknown",
    "a service": "svc:intake",
}


@pytest.mark.parametrize("name", CALLED_LIKE_A_LINK)
@pytest.mark.parametrize("stored", [True, False], ids=["an entry", "an older entry"])
async def test_who_is_called_like_a_link_is_in_the_residents_list(name: str, stored: bool) -> None:
    listing = Listing()
    access = Producer().access(RECORD, actor=CALLED_LIKE_A_LINK[name], department="parks")
    (event_id,) = await listing.log(access)
    if not stored:
        listing.forget_authentication(event_id)
    (seen,) = listing.ask().json()["accesses"]
    assert (seen["outcome"], seen["department"], seen["fields"]) == ("success", "parks", ["phone"])


@pytest.mark.parametrize("stored", [True, False], ids=["an entry", "an older entry"])
async def test_a_strangers_link_is_in_no_list_and_what_it_opened_would_be(stored: bool) -> None:
    listing, producer = Listing(), Producer()

    def stranger(outcome: ev.AccessOutcome) -> Encoded:
        return producer.access(
            RECORD,
            actor=f"link:{OTHER}",
            authentication="signed_link",
            roles=("resident",),
            outcome=outcome,
        )

    for event_id in await listing.log(stranger("denied"), stranger("success")):
        if not stored:
            listing.forget_authentication(event_id)
    assert [each["outcome"] for each in listing.ask().json()["accesses"]] == ["success"]


async def test_nor_are_those_whom_nobody_could_name_any_more() -> None:
    listing = Listing()
    access = Producer().access(
        RECORD, actor="unknown", authentication="none", roles=(), outcome="denied", count=900
    )
    await listing.log(access)
    assert listing.ask().json()["accesses"] == []


class Listing(residents.ResidentsAudit):
    def forget_authentication(self, event_id: str) -> None:
        """As entries were kept before."""
        for entry in self.entries.entries.values():
            if entry.row.event_id == event_id and entry.row.facts is not None:
                facts = entry.row.facts.model_copy(update={"authentication": None})
                entry.row = replace(entry.row, facts=facts)


# ---------------------------------------------------------------- live


def _denied(messages: Iterator[Any], actor: str) -> list[dict[str, Any]]:
    found = [json.loads(message.value or b"{}") for message in messages]
    return [each for each in found if each["agent"]["id"] == actor and each["outcome"] == "denied"]


@pytest.mark.e2e
async def test_a_stranger_with_one_link_writes_neither_log_nor_anothers_list(
    county: County,
) -> None:
    async def taken(seed: int) -> tuple[str, dict[str, str]]:
        answer = await county.submit({**submission(seed), "extensions": "true"})
        (one,) = answer.json()
        token = one["extended_attributes"]["link_token"]
        return one["service_request_id"], {"Authorization": f"Bearer {token}"}

    victim, own = await taken(911)
    stranger, link = await taken(912)
    places = {
        "intake": f"/v1/requests/{victim}/subject",
        "audit": f"/v1/subject/{victim}/accesses",
    }
    for service, path in places.items():
        url = county.known.services[service] + path
        if (left := 60 - time.time() % 60) < 20:
            # The counts begin anew with the minute.
            await asyncio.sleep(left)
        answers = [(await county.http.get(url, headers=link)).status_code for _ in range(MANY)]
        assert answers[0] == 403
        assert answers.count(429) >= 20 - 1, answers
    actor = f"link:{stranger}"

    async def counted() -> list[dict[str, Any]] | None:
        found = _denied(iter(await county.messages("pii.accessed")), actor)
        told = sum(each.get("count") or 1 for each in found)
        return found if told >= 2 * MANY else None

    found = await until(counted, "all refusals are counted", seconds=100)
    assert sum(each.get("count") or 1 for each in found) == 2 * MANY
    assert len(found) <= 8
    listed = await county.http.get(
        county.known.services["audit"] + f"/v1/subject/{victim}/accesses", headers=own
    )
    assert [each for each in listed.json()["accesses"] if each["outcome"] == "denied"] == []
