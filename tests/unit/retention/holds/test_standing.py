"""What stops destruction is read once, and then only what has changed since."""

from collections.abc import Callable, Mapping, Sequence, Set

import pytest

from direct311.retention.holds.domain import Bounds, Fence, Hold, HoldQuery, ProvisionalHold, Raiser
from direct311.retention.holds.handlers.standing import Known, what_stands
from direct311.retention.record import InventoryRecord
from tests.support.runtime import NOW

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Sources:
    """Cases and holds in memory. `read` says what was read; `meanwhile` runs before the cases are,
    once."""

    def __init__(self) -> None:
        self.fence = Fence(0)
        self.provisional: dict[str, ProvisionalHold] = {}
        self.holds: dict[str, Hold] = {}
        self.read: list[str] = []
        self.meanwhile: Callable[[], None] | None = None

    def raised(self, *raisers: Raiser) -> None:
        for raiser in raisers:
            recent = (*self.fence.recent, raiser)[-4:]
            self.fence = Fence(self.fence.value + 1, self.fence.named + 1, recent)

    def opened(self, case_id: str, *record_ids: str) -> None:
        self.provisional[case_id] = ProvisionalHold(
            placed_at=NOW, bounds=Bounds(record_ids=record_ids)
        )
        self.raised(("case", case_id))

    def placed(self, hold_id: str, **scope: object) -> None:
        self.holds[hold_id] = hold(hold_id, **scope)
        self.raised(("hold", hold_id))

    async def fence_now(self) -> Fence:
        return self.fence

    async def cases(self) -> Mapping[str, ProvisionalHold]:
        self.read.append("all cases")
        return {key: each for key, each in self.provisional.items() if each.standing}

    async def cases_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        if self.meanwhile:
            self.meanwhile()
            self.meanwhile = None
        self.read += sorted(case_ids)
        found = {key: self.provisional[key] for key in case_ids}
        return {key: each for key, each in found.items() if each.standing}

    async def all_holds(self) -> Sequence[Hold]:
        self.read.append("all holds")
        return list(self.holds.values())

    async def these_holds(self, hold_ids: Set[str]) -> Sequence[Hold]:
        self.read += sorted(hold_ids)
        return [self.holds[each] for each in hold_ids]


def hold(hold_id: str, **scope: object) -> Hold:
    return Hold.model_validate(
        {
            "hold_id": hold_id,
            "name": hold_id,
            "kind": "litigation",
            "authority": "a court",
            "placed_by": "cora",
            "placed_at": NOW,
            **scope,
        }
    )


def stops(known: Known, record_id: str) -> bool:
    record = InventoryRecord(record_id=record_id)
    return known.snapshot.cases.stop(record) or any(known.snapshot.matching(record))


async def same_as_everything(sources: Sources, known: Known) -> None:
    """What was read piece by piece is what stands."""
    whole = await what_stands(sources, None)
    assert (known.fence, known.cases) == (whole.fence, whole.cases)
    assert known.snapshot.cases.records == whole.snapshot.cases.records
    assert known.snapshot.released == whole.snapshot.released
    assert known.snapshot.by_record == whole.snapshot.by_record
    assert {each.hold_id for each in known.snapshot.by_query} == {
        each.hold_id for each in whole.snapshot.by_query
    }


async def test_only_what_raised_the_fence_is_read_again() -> None:
    sources = Sources()
    sources.opened("c1", "r1")
    sources.placed("h1", record_ids=["r2", "r3"])
    known = await what_stands(sources, None)
    assert sources.read == ["all cases", "all holds"]

    steps: Sequence[tuple[Callable[[], None], Sequence[str]]] = (
        (lambda: None, []),
        (lambda: sources.opened("c2", "r4"), ["c2"]),
        (lambda: sources.placed("h2", record_ids=["r3"]), ["h2"]),
        (lambda: sources.placed("h3", query=HoldQuery(department="PW").model_dump()), ["h3"]),
        (lambda: sources.placed("h1", record_ids=["r2", "r3"], state="releasing"), ["h1"]),
        (lambda: sources.opened("c1", "r5"), ["c1"]),
        (lambda: sources.placed("h3", state="released"), ["h3"]),
    )
    for change, read in steps:
        sources.read.clear()
        change()
        known = await what_stands(sources, known)
        assert sources.read == read
        await same_as_everything(sources, known)
    assert {each for each in ("r1", "r2", "r3", "r4", "r5") if stops(known, each)} == {
        "r3",
        "r4",
        "r5",
    }


async def test_who_missed_more_raises_than_are_named_reads_everything() -> None:
    sources = Sources()
    known = await what_stands(sources, None)
    for number in range(5):
        sources.opened(f"c{number}", f"r{number}")
    sources.read.clear()
    known = await what_stands(sources, known)
    assert sources.read == ["all cases", "all holds"]
    await same_as_everything(sources, known)


@pytest.mark.parametrize(
    "fence",
    [
        # A version from before raises were named raised it.
        Fence(2, 1, (("case", "c1"),)),
        # The database is from a backup.
        Fence(0, 0, ()),
    ],
)
async def test_where_a_raise_names_nobody_everything_is_read(fence: Fence) -> None:
    sources = Sources()
    sources.opened("c1", "r1")
    known = await what_stands(sources, None)
    sources.provisional["c2"] = ProvisionalHold(placed_at=NOW)
    sources.fence = fence
    sources.read.clear()
    known = await what_stands(sources, known)
    assert sources.read == ["all cases", "all holds"]
    assert known.fence.value == fence.value
    assert stops(known, "any")


async def test_a_case_that_ended_because_its_records_got_a_hold_leaves_no_gap() -> None:
    """The fence was read when the case stood; the case is read after its records got a hold."""
    sources = Sources()
    known = await what_stands(sources, None)
    sources.opened("c1", "r1")

    def identified() -> None:
        sources.placed("h1", record_ids=["r1"])
        sources.provisional["c1"] = sources.provisional["c1"].ending(NOW)

    sources.meanwhile = identified
    known = await what_stands(sources, known)
    assert not known.cases
    assert stops(known, "r1")


async def test_what_somebody_else_knows_does_not_change() -> None:
    sources = Sources()
    sources.placed("h1", record_ids=["r1"])
    before = await what_stands(sources, None)
    sources.placed("h1", record_ids=["r1"], state="releasing")
    await what_stands(sources, before)
    assert stops(before, "r1")
