"""Whatever the order of steps, no record is ordered to be destroyed once a case covers it."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct311.retention.cases.domain import CaseFile
from direct311.retention.holds.domain import Bounds, HoldQuery, OpenCases
from direct311.retention.preservation.handlers import Preservation
from direct311.retention.record import InventoryRecord
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import Write
from tests.support.memory import InMemoryRecords
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.fakes import CARLA, RAUL, SETTLE_FOR, RetentionUnderTest
from tests.unit.retention.holds.test_no_held_record_is_ordered import (
    _advance,
    interleave,
    turn,
)
from tests.unit.retention.legal_process.fakes import DORA, LARS, LegalOffice

RECORDS = ("r1", "r2", "r3")
POTHOLES = Bounds(query=HoldQuery(service_codes=("POTHOLE",)))
GATEWAY = Caller("svc:intake", ("service",), authentication="service")
ANA = Caller("ana", ("agent",))
KEY = "0f4e" * 8
Act = Callable[["WatchedCounty"], Coroutine[Any, Any, None]]


class TurningFiles(InMemoryRecords[CaseFile]):
    """Waits for its turn before each step."""

    async def load(self, record_ids: Sequence[str]) -> Any:
        await turn()
        return await super().load(record_ids)

    async def commit(self, writes: Sequence[Write[CaseFile]]) -> set[str]:
        await turn()
        return await super().commit(writes)


class WatchedCounty(CaseDeskUnderTest):
    """A county that remembers which cases were answered for, and checks each order."""

    def __init__(self) -> None:
        super().__init__(RetentionUnderTest(turn, stale=True), TurningFiles())
        self.answered: list[str] = []
        interleave([self._begin()], [])
        self.retention.records.watch = self._look

    async def _begin(self) -> None:
        await self.retention.eligible("r1", "r2")
        await self.retention.eligible("r3", service_code="OTHER")

    def _look(self, before: InventoryRecord | None, after: InventoryRecord) -> None:
        """At the very write that orders a record, no case covers it that was answered for."""
        if after.stage != "ordered" or before is None or before.stage == "ordered":
            return
        assert not after.held_by
        for case_id in self.answered:
            provisional = self.files.state(case_id).provisional
            assert provisional is not None
            covered = provisional.standing and provisional.covers(after)
            assert not covered, "ordered under a case that was answered for"
        for hold in self.retention.holds.holds.values():
            assert not (hold.state == "in_force" and hold.matches(after)), "ordered under a hold"


async def opened(county: WatchedCounty, bounds: Bounds | None) -> str:
    file = await county.desk.open_case(
        CARLA, "public_records", "potholes", None, None, bounds=bounds
    )
    county.answered.append(file.record_id)
    return file.record_id


async def open_without_bounds(county: WatchedCounty) -> None:
    await opened(county, None)


async def open_within_bounds(county: WatchedCounty) -> None:
    await opened(county, POTHOLES)


async def open_and_change_the_bounds(county: WatchedCounty) -> None:
    """It covers r3 first, then r1 and r2."""
    case_id = await opened(county, Bounds(record_ids=("r3",)))
    county.answered.remove(case_id)
    await county.preservation.bound(CARLA, case_id, POTHOLES)
    county.answered.append(case_id)


async def open_and_identify(county: WatchedCounty) -> None:
    case_id = await opened(county, POTHOLES)
    await county.preservation.identify(CARLA, case_id, ["r1"], complete=False)
    await county.preservation.identify(CARLA, case_id, ["r2"], complete=True)


async def open_and_withdraw(county: WatchedCounty) -> None:
    case_id = await opened(county, None)
    await county.desk.withdraw(CARLA, case_id)


async def open_close_and_open_again(county: WatchedCounty) -> None:
    """First about r3, then again and about r1 and r2 too."""
    case_id = await opened(county, Bounds(record_ids=("r3",)))
    await county.desk.withdraw(CARLA, case_id)
    county.answered.remove(case_id)
    await county.desk.reopen(CARLA, case_id, "requester_wrote", POTHOLES)
    county.answered.append(case_id)


async def submit(county: WatchedCounty) -> None:
    """Somebody asks at the gateway, without bounds. The same call may be made again."""
    done = await county.submissions.submit(GATEWAY, KEY, "potholes", None)
    county.answered.append(done.case_id)


async def refer(county: WatchedCounty) -> None:
    """Staff refer r1 to the county's own desk. The same call may be made again."""
    referrals, words = LegalOffice(county).referrals, "two bills for one pothole"
    file = await referrals.refer(ANA, KEY, "r1", "fraud", words)
    county.answered.append(file.record_id)


async def explain(county: WatchedCounty) -> None:
    """Emergency staff say what became of an opening of r1. The same call may be made again."""
    at = county.clock.now()
    oral, words = LegalOffice(county).oral, "told nobody"
    file = await oral.record(DORA, "r1", None, at, None, None, words)
    county.answered.append(file.record_id)


async def open_for_law_enforcement(county: WatchedCounty) -> None:
    file = await county.desk.open_case(LARS, "law_enforcement", "a name", None, None)
    county.answered.append(file.record_id)


async def dispose(county: WatchedCounty) -> None:
    retention = county.retention
    try:
        made = await retention.review.propose(CARLA, RECORDS, 500, None)
        assert made.set_hash is not None
        for _ in range(4):
            await turn()  # the officer reads the set
        await retention.review.approve(made.disposition_id, RAUL, made.set_hash)
    except RefusedError:
        return


async def loops(county: WatchedCounty) -> None:
    for _ in range(2):
        await county.filing.step()
        await county.preservation.step()
        await county.retention.holding.step()
        await county.retention.review.step()


OPENINGS: tuple[Act, ...] = (
    open_without_bounds,
    open_within_bounds,
    open_and_change_the_bounds,
    open_and_identify,
    open_and_withdraw,
    open_close_and_open_again,
    submit,
    refer,
    explain,
    open_for_law_enforcement,
)
REPEATED: tuple[Act, ...] = (submit, refer, explain)
"""Openings with a key, or with a number of their own, which whoever got no answer makes again."""


def steps_of(act: Act) -> int:
    """In how many steps it does its work when nobody is in between."""
    live = [act(WatchedCounty())]
    count = 0
    while live:
        _advance(live, 0)
        count += 1
    return count


def ends(county: WatchedCounty) -> None:
    """Once all loops have had their time, nothing is left to do, and no one has to guess."""

    async def rest() -> None:
        for _ in range(3):
            county.retention.clock.advance(SETTLE_FOR)
            await loops(county)

    interleave([rest()], [])
    for state in county.files.states():
        assert state.provisional is not None
        assert state.provisional.state in ("in_force", "ended")


@pytest.mark.policy("P13", "P14")
@pytest.mark.parametrize("opening", OPENINGS)
def test_wherever_a_case_is_opened_in_between_no_covered_record_is_ordered(opening: Act) -> None:
    """Every place where a review can stop, and every stretch of an opening that can come there."""
    stages = set()
    for at in range(1, steps_of(dispose)):
        for stretch in range(1, steps_of(opening) + 1):
            county = WatchedCounty()
            interleave([dispose(county), opening(county)], [(0, at), (1, stretch), (0, 1000)])
            ends(county)
            stages.add(county.retention.record("r1").stage)
    assert {"ordered", "eligible"} <= stages


@pytest.mark.policy("P13", "P14")
@settings(max_examples=80, deadline=None)
@given(
    acts=st.lists(st.sampled_from((*OPENINGS, dispose, loops)), min_size=2, max_size=5),
    choices=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 15)), max_size=40),
)
def test_no_covered_record_is_ordered(acts: list[Act], choices: list[tuple[int, int]]) -> None:
    county = WatchedCounty()
    interleave([act(county) for act in dict.fromkeys(acts)], choices)
    ends(county)


@pytest.mark.policy("P13", "P14")
@pytest.mark.parametrize("opening", REPEATED)
def test_an_opening_that_is_killed_at_any_step_is_one_case_once_it_is_repeated(
    opening: Act,
) -> None:
    """Its process dies while a review runs in another one. From the repeat's answer on, no record
    that the case covers is ordered."""
    killed = []
    for stretch in range(1, steps_of(opening)):
        for at in range(0, steps_of(dispose), 5):
            county = WatchedCounty()
            dying = opening(county)
            # Never goes on, and nothing of it is cleaned up, as when its process is killed.
            killed.append(dying)
            for _ in range(stretch):
                dying.send(None)
            repeated = opening(county)
            interleave([dispose(county), repeated, loops(county)], [(0, at), (1, 1000)])
            interleave([dispose(county)], [])
            ends(county)
            assert len(set(county.answered)) == 1
            assert len(county.files.states()) == 1
    for each in killed:
        each.close()


def _search(monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(1, steps_of(dispose)):
        county = WatchedCounty()
        interleave([dispose(county), open_within_bounds(county)], [(0, at), (1, 1000), (0, 1000)])


def test_the_check_notices_an_opening_that_lets_running_orders_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A control: without the write into the records that are being ordered, one is ordered."""

    async def nothing(*_: object) -> None:
        await turn()

    monkeypatch.setattr(Preservation, "_reach", nothing)
    with pytest.raises(AssertionError, match="answered for"):
        _search(monkeypatch)


def test_the_check_notices_a_review_that_sees_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control: if the snapshot does not know open cases, a covered record is ordered."""
    monkeypatch.setattr(OpenCases, "stop", lambda *_: False)
    with pytest.raises(AssertionError, match="answered for"):
        _search(monkeypatch)
