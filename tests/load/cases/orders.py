"""What open cases add to the approval of a destruction order, which asks each of them whether it
stops a record.

All cases are within bounds that the ordered records lie outside of, so every order goes out. The
numbers of open cases take turns, up and down again, and each approval is of a set of its own.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from direct311.schemas import Event, encode, updates_topic
from direct311.schemas import events as ev
from tests.load.cases.desk import Desk, at_once, succeeded
from tests.support import disposition
from tests.support.county import County, Document, until
from tests.support.submissions import ENFORCEMENT, submission

OTHERS_TYPE = ENFORCEMENT
"""The type of request within the bounds of the cases; what is ordered is of another."""


@dataclass(slots=True)
class Approvals:
    """Milliseconds of each approval, by the number of open cases: `quiet` while no case was opened
    since the last approval, `fresh` right after another one was opened."""

    quiet: dict[int, list[float]] = field(default_factory=dict)
    fresh: dict[int, list[float]] = field(default_factory=dict)


def added(took: Mapping[int, Sequence[float]]) -> Mapping[int, float]:
    """Milliseconds that so many open cases add to the median approval."""
    least = statistics.median(took[min(took)])
    return {cases: statistics.median(took[cases]) - least for cases in took}


async def approvals(
    county: County,
    open_cases: Sequence[int],
    each: int,
    told: Callable[[str], object] = lambda _: None,
) -> Approvals:
    """So many approvals in each of two turns with each of these numbers of open cases, and a
    quarter as many right after another case was opened."""
    few = max(2, each // 4)
    turns = [*sorted(open_cases), *sorted(open_cases, reverse=True)]
    began = time.perf_counter()
    sets = await _proposed(county, len(turns) * (each + few))
    told(f"{len(sets)} sets proposed in {time.perf_counter() - began:.0f} s")
    # Bounds may name only what some record has.
    other = await county.accepted(submission(1, OTHERS_TYPE))
    await disposition.in_the_inventory(county, other)
    kept = await disposition.kept(county)
    found, cases = Approvals(), list[Desk]()
    for number in turns:
        began = time.perf_counter()
        await _open(county, cases, number, kept)
        told(f"{number} open cases after {time.perf_counter() - began:.0f} s")
        # The first one reads what the cases stop.
        await _approve(county, sets.pop())
        took = [await _approve(county, sets.pop()) for _ in range(each - 1)]
        found.quiet.setdefault(number, []).extend(took)
        for _ in range(few):
            more = await _case(county, len(cases), kept)
            found.fresh.setdefault(number, []).append(await _approve(county, sets.pop()))
            await more.close()
    await _open(county, cases, 0, kept)
    return found


async def _open(county: County, cases: list[Desk], number: int, kept: str) -> None:
    """Open or close cases, until there are so many."""
    if number < len(cases):
        await at_once(cases[number:], Desk.close)
        del cases[number:]
    else:
        cases += await at_once(range(len(cases), number), lambda each: _case(county, each, kept))


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


async def _proposed(county: County, count: int) -> list[Document]:
    """So many sets of one record each, whose time has run out."""
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
    return await at_once(record_ids, lambda each: disposition.proposed(county, each))


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
