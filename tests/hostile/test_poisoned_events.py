"""A service's signing key in the wrong hands: what it signs of itself poisons nothing at audit.

The signatures are good. What is said is impossible: times that are far away, numbers without end,
JSON with two meanings, certificates of what nobody destroyed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from direct311.audit.domain import ANSWERING
from direct311.schemas import Encoded
from tests.unit.audit.events import ORDER, OTHER, RECORD, START, Producer, received
from tests.unit.audit.log_contract import readable
from tests.unit.audit.test_dispose import WAIT, World

pytestmark = pytest.mark.anyio
ELSE = "0195567e-8f00-7000-8000-0000000000ff"
LONG_AGO = datetime.fromisoformat("2001-01-01T00:00:00+00:00")


# ---------------------------------------------------------------- certificates


def receipts(*, record: str = RECORD, order: str = ORDER, but: Sequence[str] = ()) -> list[Encoded]:
    holders = sorted(ANSWERING - {*but})
    return [Producer(each).destroyed(record, order=order) for each in holders]


def openings(action: str) -> list[Encoded]:
    """What holders that seal tell of the record, and is no receipt."""
    return [
        Producer(each).access(RECORD, action=action, purpose="retention", actor=f"svc:{each}")  # type: ignore[arg-type]
        for each in ("intake", "media")
    ]


NOT_BORNE_OUT: Mapping[str, Sequence[Encoded]] = {
    "nobody-answered": [],
    **{f"{each}-did-not-answer": receipts(but=[each]) for each in sorted(ANSWERING)},
    **{
        f"{each}-alone-answered": receipts(but=sorted(ANSWERING - {each}))
        for each in sorted(ANSWERING)
    },
    "all-answered-another-order": receipts(order=ELSE),
    "all-answered-for-another-record": receipts(record=OTHER),
    "two-orders-have-half-each": [
        *receipts(but=["intake", "media"]),
        *receipts(order=ELSE, but=["geo", "routing"]),
    ],
    "geo-answered-four-times": [Producer("geo").destroyed(RECORD) for _ in range(4)],
    "events-of-destroying-are-no-receipts": [
        *receipts(but=["intake", "media"]),
        *openings("destroy"),
    ],
}


async def certified(world: World, told: Sequence[Encoded], certificate: Encoded) -> list[str]:
    """What can be read after the certificate came, beside what was told before it."""
    await world.stores.arrive([Producer().access(RECORD), *told])
    await world.stores.sequence()
    ids = await readable(world.stores)
    await world.disposition.note(received(certificate).event)
    return ids


@pytest.mark.parametrize("told", NOT_BORNE_OUT.values(), ids=NOT_BORNE_OUT)
async def test_a_certificate_alone_destroys_nothing(told: Sequence[Encoded]) -> None:
    world = World()
    ids = await certified(world, told, Producer("retention").certified(RECORD))
    for _ in range(4):
        world.stores.clock.advance(WAIT)
        await world.run()
    assert world.receipts() == []
    assert await readable(world.stores) == ids
    assert world.stores.alarms.raised == [("destruction_refused", RECORD)]


@pytest.mark.parametrize("days", [-9_000, -366, -15, -1])
async def test_a_certificates_own_date_shortens_no_wait(days: int) -> None:
    world = World()
    dated = Producer("retention").certified(RECORD, at=START + timedelta(days=days))
    ids = await certified(world, receipts(), dated)
    world.stores.clock.advance(WAIT - timedelta(seconds=1))
    await world.run()
    assert await readable(world.stores) == ids
    world.stores.clock.advance(timedelta(seconds=1))
    await world.run()
    assert [each.record_id for each in world.receipts()] == [RECORD]


@pytest.mark.parametrize("order", [ORDER, ELSE, "no-uuid", "x"])
async def test_a_certificate_that_comes_too_early_hastens_nothing_and_stops_nothing(
    order: str,
) -> None:
    """The real order follows; its answers get their own fifteen days, and then it is done."""
    world = World()
    early = Producer("retention").certified(RECORD, order=order, at=LONG_AGO)
    ids = await certified(world, [], early)
    world.stores.clock.advance(WAIT - timedelta(days=1))
    await world.stores.arrive(
        [
            *_at(world.stores.clock.now(), receipts()),
            Producer("retention").certified(RECORD, at=world.stores.clock.now()),
        ]
    )
    await world.stores.sequence()
    world.stores.clock.advance(WAIT - timedelta(seconds=1))
    await world.run()
    assert set(ids) <= set(await readable(world.stores))
    world.stores.clock.advance(timedelta(seconds=1) + WAIT)
    await world.run()
    assert [(each.record_id, each.order_id) for each in world.receipts()] == [(RECORD, ORDER)]


def _at(at: datetime, messages: Sequence[Encoded]) -> list[Encoded]:
    services = [each.headers["ce_source"].rpartition("/")[2] for each in messages]
    return [Producer(each).destroyed(RECORD, at=at) for each in services]


async def test_many_false_certificates_keep_no_honest_one_waiting() -> None:
    world = World()
    false = [f"open-{number}" for number in range(300)]
    await certified(world, receipts(), Producer("retention").certified(*false, at=LONG_AGO))
    await world.disposition.note(received(Producer("retention").certified(RECORD)).event)
    world.stores.clock.advance(WAIT)
    for _ in range(4):
        await world.run()
    assert [each.record_id for each in world.receipts()] == [RECORD]
