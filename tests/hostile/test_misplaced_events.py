"""Whoever may write one topic says there what is for another to say: destroy, release, move.

The broker shows who may write a topic, not which events. So each writer of each topic puts every
event of the system on it, with its own name as source, and with that of the service whose event it
is. Nobody takes one that does not belong there.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from deploy.local.topology import Topology
from direct311.routing.job import Job
from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.records import Write, hold_handlers
from direct311.runtime.messaging.signing import Principals
from direct311.schemas import ALL, BY_NAME, Encoded, EventType, decode, published
from tests.support.consumers import Reading
from tests.support.runtime import NOW, signature
from tests.unit.routing.work.test_consumers import RoutingUnderTest

pytestmark = pytest.mark.anyio

TOPOLOGY = Topology.read()
SIGNATURES = {each.name: signature(each.name) for each in TOPOLOGY.services}
PRINCIPALS = Principals(
    {keyid: key for each in SIGNATURES.values() for keyid, key in each.principals._keys.items()}
)
DEPARTMENT = "parks"
ORDERING = ("disposition.ordered", "hold.released", "hold.placed", "request.updated")
UNSIGNED = [kind for kind in ALL if not kind.signed]
COPIED = ("request.routed", "request.recalled", "request.overdue")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def own_name(user: str) -> str:
    department = user.removeprefix("dept-")
    return f"/direct311/{user}" if department == user else f"/department/{department}"


def sources(kind: EventType) -> list[str]:
    return [
        f"/department/{DEPARTMENT}" if each == "department" else f"/direct311/{each}"
        for each in kind.producers
    ]


def message(kind: EventType, topic: str, source: str, department: str = DEPARTMENT) -> Encoded:
    data = published.example(kind, full=False)
    if "department" in data:
        data["department"] = department
    headers = published.headers(kind, data) | {
        "ce_id": str(uuid4()),
        "ce_source": source,
        "ce_time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    found = Encoded(topic, b"k", headers, json.dumps(data).encode())
    signer = SIGNATURES.get(source.removeprefix("/direct311/"))
    return signer.signer.sign(found) if kind.signed and signer else found


def places() -> Iterator[tuple[str, str]]:
    """Each user that may write, and each topic that it may write; of the departments two."""
    for topic in TOPOLOGY.topics:
        if topic.name.startswith("deadletters."):
            continue
        department = topic.name.partition(".")[2]
        if department in TOPOLOGY.departments and department not in (DEPARTMENT, "public_works"):
            continue
        for user in sorted(topic.writers):
            yield user, topic.name


def belongs(kind: EventType, topic: str) -> bool:
    own = kind.topic.replace("{department}", DEPARTMENT)
    return topic == own or (kind.name in COPIED and topic == f"routed.{DEPARTMENT}")


PLACES = sorted(set(places()))


@pytest.mark.parametrize(("user", "topic"), PLACES, ids=[f"{u} on {t}" for u, t in PLACES])
async def test_what_belongs_elsewhere_is_taken_by_nobody(user: str, topic: str) -> None:
    forged = [
        message(kind, topic, source)
        for kind in ALL
        if not belongs(kind, topic)
        for source in {own_name(user), *sources(kind)}
    ]
    assert forged
    reading = Reading(PRINCIPALS)
    await reading.read(*forged)
    assert reading.handled == []
    assert reading.broker.kinds == ["MisplacedError"] * len(forged)


@pytest.mark.parametrize("kind", ALL, ids=[kind.name for kind in ALL])
async def test_what_another_sends_on_the_right_topic_is_taken_by_nobody(kind: EventType) -> None:
    topic = kind.topic.replace("{department}", DEPARTMENT)
    strangers = {own_name(each.name) for each in TOPOLOGY.services} - set(sources(kind))
    strangers |= {"/department/public_works", "", "/direct311/", "/direct311/nobody", "retention"}
    reading = Reading(PRINCIPALS)
    await reading.read(*(message(kind, topic, each) for each in strangers))
    assert reading.handled == []
    assert len(reading.broker.letters) == len(strangers)


# What is signed goes only as far as its signer's word: that is for test_framing.py.
@pytest.mark.parametrize("kind", UNSIGNED, ids=[kind.name for kind in UNSIGNED])
async def test_what_belongs_there_is_taken(kind: EventType) -> None:
    own = kind.topic.replace("{department}", DEPARTMENT)
    here = [own, f"routed.{DEPARTMENT}"] if kind.name in COPIED else [own]
    honest = [message(kind, topic, source) for topic in here for source in sources(kind)]
    reading = Reading(PRINCIPALS)
    await reading.read(*honest)
    assert [item.topic for item in reading.handled] == [each.topic for each in honest]
    assert reading.broker.letters == []


async def test_an_update_with_the_source_of_the_former_example_is_taken() -> None:
    reading = Reading()
    kind = BY_NAME["department.update"]
    await reading.read(message(kind, f"updates.{DEPARTMENT}", "/direct311/department"))
    assert len(reading.handled) == 1


@pytest.mark.parametrize("source", ["/department/public_works", "/department/parks"])
@pytest.mark.parametrize(
    ("topic", "named"), [("updates.public_works", "parks"), ("updates.parks", "public_works")]
)
async def test_a_department_speaks_for_no_other(topic: str, named: str, source: str) -> None:
    reading = Reading()
    await reading.read(message(BY_NAME["department.update"], topic, source, named))
    assert reading.handled == []
    assert reading.broker.kinds == ["MisplacedError"]


@pytest.mark.parametrize("source", ["/department/parks", "/direct311/retention"])
@pytest.mark.parametrize("name", [*ORDERING, "request.created", "location.resolved"])
async def test_routing_itself_takes_no_more_than_updates_of_a_department(
    name: str, source: str
) -> None:
    routing = RoutingUnderTest()
    routing.processor._handlers |= hold_handlers()
    wire = message(BY_NAME[name], f"updates.{DEPARTMENT}", source)
    event = decode(wire.headers, wire.body)
    job = Job(record_id=event.subject, version=1, status="fixed", department=DEPARTMENT)
    await routing.jobs.commit([Write(0, job, (), NOW)])
    came = Received(event, wire.headers, wire.body, wire.topic, 0, 0)
    ((_, error),) = await routing.process([came])
    assert type(error).__name__ == "MisplacedError"
    stored = (await routing.jobs.load([event.subject]))[event.subject].state
    assert stored == job
