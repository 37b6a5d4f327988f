"""What open cases add to the approval of a destruction order, which asks whether one of them stops
a record.

All cases are within bounds that the ordered records lie outside of, so every order goes out. The
approvals come in pairs, one with the cases and one without, and which comes first changes from pair
to pair; each is of a set of its own. What counts is the middle of the pairs' differences, with an
interval that has the true middle in 95 of 100 runs.

An approval waits for the broker and the database several times, for tens of milliseconds. So the
question that it asks is also timed by itself, in the process of the bench: the fence read, what has
changed since, and whether a case stops the record.
"""

import asyncio
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from direct311.retention.record import InventoryRecord
from direct311.schemas import Event, encode, updates_topic
from direct311.schemas import events as ev
from tests.load.cases.desk import Desk, at_once, succeeded
from tests.load.cases.switched import Switched, switched
from tests.support import disposition
from tests.support.county import County, Document, until
from tests.support.submissions import ENFORCEMENT, submission

OTHERS_TYPE = ENFORCEMENT
"""The type of request within the bounds of the cases; what is ordered is of another."""


QUESTIONS = 20
"""How often the question is timed between two switches."""
SWITCHES = 30


@dataclass(slots=True)
class Pairs:
    """Milliseconds with so many open cases and without any, pair by pair."""

    with_cases: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)

    @property
    def added(self) -> tuple[float, float, float]:
        """The middle of what the cases add, and the interval around it."""
        pairs = zip(self.with_cases, self.without, strict=True)
        return middle([one - other for one, other in pairs])


@dataclass(slots=True)
class Approvals:
    """By the number of open cases. `quiet`: approvals while no case was opened since the last one;
    `fresh`: right after another one was opened. `question`: what an approval asks of the cases;
    `fresh_question`: the same after another one was opened; `all_again`: if everything has to be
    read, as by a process that has just started."""

    quiet: dict[int, Pairs] = field(default_factory=dict)
    fresh: dict[int, Pairs] = field(default_factory=dict)
    question: dict[int, Pairs] = field(default_factory=dict)
    fresh_question: dict[int, Pairs] = field(default_factory=dict)
    all_again: dict[int, Pairs] = field(default_factory=dict)


def middle(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, and the values between which the true one is in 95 of 100 runs; with fewer than
    six values the least and the greatest."""
    ordered = sorted(values)
    outside = max(0, math.floor(len(ordered) / 2 - 0.98 * math.sqrt(len(ordered))))
    return statistics.median(ordered), ordered[outside], ordered[-1 - outside]


async def approvals(
    county: County,
    open_cases: Sequence[int],
    each: int,
    told: Callable[[str], object] = lambda _: None,
) -> Approvals:
    """For each of these numbers of open cases, so many pairs of approvals, and a quarter as many
    right after another case was opened."""
    few = max(2, each // 4)
    numbers = sorted({*open_cases} - {0})
    began = time.perf_counter()
    records = await _eligible(county, 2 * len(numbers) * (each + few))
    told(f"{len(records)} records are eligible after {time.perf_counter() - began:.0f} s")
    # Bounds may name only what some record has.
    other = await county.accepted(submission(1, OTHERS_TYPE))
    await disposition.in_the_inventory(county, other)
    kept = await disposition.kept(county)
    found, cases = Approvals(), list[Desk]()
    async with switched(county.stack) as switches:
        for number in numbers:
            began = time.perf_counter()
            cases += await at_once(
                range(len(cases), number), lambda position: _case(county, position, kept)
            )
            told(f"{number} open cases after {time.perf_counter() - began:.0f} s")
            switches.these([case.case_id for case in cases])
            await _questions(switches, number, found)

            async def approved(*, on: bool, fresh: bool) -> float:
                await switches.switch(on=on)
                # Whoever proposes reads what stands.
                proposal = await disposition.proposed(county, records.pop())
                more = await _case(county, 0, kept) if fresh else None
                took = await _approve(county, proposal)
                if more is not None:
                    await more.close()
                return took

            for count, pairs, fresh in (
                (each, found.quiet.setdefault(number, Pairs()), False),
                (few, found.fresh.setdefault(number, Pairs()), True),
            ):
                for pair in range(count):
                    for on in (True, False) if pair % 2 else (False, True):
                        took = pairs.with_cases if on else pairs.without
                        took.append(await approved(on=on, fresh=fresh))
            await switches.switch(on=True)
    await at_once(cases, Desk.close)
    return found


async def _questions(switches: Switched, number: int, found: Approvals) -> None:
    """Time the question by itself: in each pair, the middle of several."""
    record = InventoryRecord(
        record_id="ordered", service_code="ORDERED", received_at=datetime.now(UTC)
    )
    asking, raising = switches.holds(), switches.holds()

    async def question() -> float:
        began = time.perf_counter()
        standing = await asking.standing_now()
        stopped = standing.cases.stop(record)
        took = (time.perf_counter() - began) * 1000
        assert not stopped, "an open case stopped what lies outside its bounds"
        return took

    async def fresh() -> float:
        await raising.raise_fence(("case", "another"))
        return await question()

    series = (
        (question, found.question.setdefault(number, Pairs())),
        (fresh, found.fresh_question.setdefault(number, Pairs())),
    )
    again = found.all_again.setdefault(number, Pairs())
    for pair in range(SWITCHES):
        for on in (True, False) if pair % 2 else (False, True):
            await switches.switch(on=on)
            (again.with_cases if on else again.without).append(await question())
            for ask, pairs in series:
                took = [await ask() for _ in range(QUESTIONS)]
                (pairs.with_cases if on else pairs.without).append(statistics.median(took))
    await switches.switch(on=True)


async def _case(county: County, number: int, kept: str) -> Desk:
    """A case within bounds: by turns one record, and a type and a time."""
    desk = Desk(county)
    query = {"service_codes": [OTHERS_TYPE], "since": datetime.now(UTC).isoformat()}
    await desk.open([kept], query=query if number % 2 else None)
    return desk


async def _approve(county: County, proposal: Document) -> float:
    """Milliseconds until the destruction is ordered. On a very busy machine that is after the
    answer: the broker has the entry of the approval first."""
    path = f"/v1/dispositions/{proposal['disposition_id']}"
    body = {"set_hash": proposal["set_hash"]}
    began = time.perf_counter()
    answer = await county.ask(
        "POST", "retention", f"{path}/approve", "records_officer", "raul", body
    )
    found = succeeded(answer).json()
    while found["status"] == "ordering":
        await asyncio.sleep(0.05)
        found = await county.get("retention", path, "records_officer", "raul")
    took = (time.perf_counter() - began) * 1000
    assert not found.get("left_out"), "an open case stopped what lies outside its bounds"
    return took


async def _eligible(county: County, count: int) -> list[str]:
    """So many records whose time has run out."""
    record_ids = await at_once(range(count), lambda number: county.accepted(submission(number)))
    job = await county.routed(record_ids[-1])
    await county.caught_up()
    await _fixed(county, str(job["department"]), record_ids)

    async def eligible() -> bool:
        body = {"as_of": disposition.as_of().isoformat(), "dry_run": False}
        await county.post("retention", "/v1/expiry", body, "custodian", "carla")
        await asyncio.sleep(1)
        found = await at_once(record_ids, lambda each: disposition.record(county, each))
        return all(each.get("state") == "eligible" for each in found)

    await until(eligible, "all records are eligible", seconds=120)
    return record_ids


async def _fixed(county: County, department: str, record_ids: Sequence[str]) -> None:
    """The department reports each job as done."""
    known = county.known
    own = known.departments[department]
    producer = AIOKafkaProducer(
        bootstrap_servers=known.kafka.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_plain_username=own.username,
        sasl_plain_password=own.password,
        acks="all",
    )
    await producer.start()
    try:
        for record_id in record_ids:
            now = datetime.now(UTC)
            update = ev.DepartmentUpdate(
                record_id=record_id,
                department=department,
                status="fixed",
                note="",
                occurred_at=now,
            )
            event = Event(str(uuid4()), f"/department/{department}", record_id, now, update)
            message = encode(event, topic=updates_topic(department))
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            await producer.send(message.topic, message.body, key=message.key, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()
    await county.caught_up()
