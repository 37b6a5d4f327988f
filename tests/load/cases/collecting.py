"""How long it takes to collect many reviewed records of a case, which intake renders under the
grants, and to build the package."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.load.cases.desk import AT_ONCE, IN_A_GRANT, Desk, at_once, succeeded
from tests.support.county import County, Document, until
from tests.support.submissions import submission

FIELDS = ["first_name", "last_name", "email", "phone", "description", "updates", "job_history"]
CODE = "social_security_number"
"""The exemption under which a sentence of every second record is withheld."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Seconds to collect and to build, and of what; `withheld`: how many items. `floor`: seconds to
    open one field of each record."""

    records: int
    withheld: int
    floor: float
    collected: float
    built: float
    size: int


def said(number: int) -> str:
    """A sentence that no other record has."""
    return f"A neighbor named Mirabel number {number:06d} called about it before."


async def submitted(county: County, count: int) -> list[str]:
    """So many requests, in the departments' hands."""

    async def one(number: int) -> str:
        text = f"A brown dog without a collar runs along the canal. {said(number)}"
        return await county.accepted(submission(number, description=text))

    found = await at_once(range(count), one)
    await county.routed(found[-1])
    await county.caught_up()
    return sorted(found)


async def prepared(
    county: County, count: int, told: Callable[[str], object], workers: int = 1
) -> tuple[Desk, Sequence[str]]:
    """A case with so many records, granted and reviewed, of which nothing is collected yet; and the
    people whom its grants name besides the reviewer."""
    began = time.perf_counter()
    record_ids = await submitted(county, count)
    desk = Desk(county)
    await desk.open(record_ids)
    await desk.identify(record_ids)
    people = [f"{desk.worker}-{number}" for number in range(workers)]
    desk.worker = people[0]
    for start in range(0, count, IN_A_GRANT):
        some = record_ids[start : start + IN_A_GRANT]
        grant = await desk.prepare(record_ids=some, fields=FIELDS, workers=[*people, desk.reviewer])
        await desk.approve(grant, await desk.sign_in(grant["nonce"]))
    told(f"{count:,} records accepted, held and granted in {time.perf_counter() - began:.0f} s")
    await in_force(desk, (record_ids[0], record_ids[-1]))
    began = time.perf_counter()
    await at_once(enumerate(record_ids), lambda each: review(desk, *each))
    told(f"reviewed in {time.perf_counter() - began:.0f} s, {AT_ONCE} at a time")
    return desk, people


async def in_force(desk: Desk, record_ids: Sequence[str]) -> None:
    """The grants are in effect at intake and routing."""
    for record_id in record_ids:

        async def seen(record_id: str = record_id) -> bool:
            path = f"/records/{record_id}/review"
            answer = await desk.ask("POST", path, service="intake", name=desk.reviewer)
            history = await desk.county.ask(
                "POST",
                "routing",
                f"/v1/jobs/{record_id}/history",
                "custodian",
                desk.reviewer,
                {"purpose": "public_records", "reference": desk.case_id},
            )
            return answer.is_success and history.is_success

        await until(seen, "the grant takes effect")


async def review(desk: Desk, number: int, record_id: str) -> None:
    """What the reviewer does with a record: every second one has a sentence that is withheld."""
    call: dict[str, Any] = {"service": "intake", "name": desk.reviewer}
    shown: Document = await desk.answer("POST", f"/records/{record_id}/review", **call)
    text = str(shown["texts"]["description"])
    decisions = []
    if number % 2:
        place = f"description:{text.index('A neighbor')}-{len(text)}"
        decisions.append({"item": place, "decision": "withhold", "code": CODE})
    body = {"version": shown["version"], "decisions": decisions}
    done = await desk.answer("PUT", f"/records/{record_id}/decisions", body, **call)
    assert done["reviewed"], done["undecided"]


async def collect(desk: Desk) -> int:
    """Ask until everything was asked for; how many records that were."""
    return sum([asked async for asked in collections(desk, desk.worker)])


async def collections(desk: Desk, worker: str, *, again: bool = False) -> AsyncIterator[int]:
    """How many records each call asked for, until everything was asked for."""
    after = None
    while True:
        body = {"again": again} | ({"after": after} if after else {})
        done = await desk.answer("POST", "/collection", body, name=worker)
        assert not done["not_collected"], done["not_collected"][:3]
        yield int(done["asked"])
        after = done.get("next")
        if after is None:
            return


async def build(desk: Desk) -> Document:
    """The package of all that was collected."""
    version = (await desk.answer("GET", "/packages", name=desk.worker))["version"]
    made = await desk.ask(
        "POST", "/packages", {"version": version}, name=desk.worker, seconds=600.0
    )
    return dict(succeeded(made).json()["packages"][-1])


async def collecting(county: County, count: int, told: Callable[[str], object]) -> Collection:
    """Once, from the first call that collects to the finished package."""
    desk, people = await prepared(county, count, told, workers=2)
    floor = await opened_one_by_one(desk, people[1])
    began = time.perf_counter()
    asked = await collect(desk)
    collected = time.perf_counter() - began
    assert asked == count, f"{asked} of {count} were collected"
    began = time.perf_counter()
    package = await build(desk)
    built = time.perf_counter() - began
    assert package["records"] == count
    await desk.close()
    return Collection(
        count, int(package["withheld"]), floor, collected, built, int(package["size"])
    )


async def opened_one_by_one(desk: Desk, worker: str) -> float:
    """Seconds to open one field of each record under the grants, some at a time: the least that
    intake does for a record, each opening in the log first."""
    record_ids = desk.record_ids
    body = {
        "purpose": "public_records",
        "reference": desk.case_id,
        "justification": "what the grant names",
        "fields": ["phone"],
    }

    async def one(record_id: str) -> None:
        path = f"/v1/requests/{record_id}/contact"
        succeeded(await desk.county.ask("POST", "intake", path, "custodian", worker, body))

    began = time.perf_counter()
    await at_once(record_ids, one)
    return time.perf_counter() - began
