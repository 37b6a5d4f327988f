"""The geo service alone on real Kafka, database and issuer."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.runtime.messaging.signing import Principals
from direct311.schemas import Event, decode, encode, read_headers
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.county import County, entering, until
from tests.support.stacks import stack_of_its_own
from tests.unit.geo.boundaries.test_boundaries import collection, square

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def geo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: what is said here in intake's name nobody else should hear."""
    with stack_of_its_own(tmp_path_factory.mktemp("geo") / "s", services=False) as stack:
        stack.start("geo")
        stack.wait_ready("geo")
        yield stack


@pytest.fixture
async def world(geo: Stack) -> AsyncIterator[County]:
    async with entering(geo) as county:
        yield county


def created(record_id: str, place: ev.Place) -> Event[Model]:
    data = ev.RequestCreated(
        record_id=record_id,
        version=1,
        jurisdiction_id="miamidade",
        service_code="POTHOLE",
        received_at=NOW,
        place=place,
        policy=ev.PolicyAgreement(version="2024-01", agreed="accepted"),
    )
    return Event(str(uuid4()), "/direct311/intake", record_id, NOW, data)


def moved(record_id: str, version: int, place: ev.Place) -> Event[Model]:
    data = ev.RequestUpdated(
        record_id=record_id,
        version=version,
        changed=("place",),
        service_code="POTHOLE",
        status="received",
        updated_at=NOW,
        received_at=NOW,
        place=place,
        place_version=version,
    )
    return Event(str(uuid4()), "/direct311/intake", record_id, NOW, data)


def ordered(record_id: str, version: int) -> Event[Model]:
    data = ev.DispositionOrdered(
        record_id=record_id,
        version=version,
        order_id=str(uuid4()),
        items=("94",),
        holders=("intake", "geo"),
        custodian="c",
        records_officer="r",
        ordered_at=NOW,
    )
    return Event(str(uuid4()), "/direct311/retention", record_id, NOW, data)


async def say(world: County, *events: Event[Model]) -> None:
    kafka = world.known.kafka
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_plain_username=kafka.username,
        sasl_plain_password=kafka.password,
        acks="all",
    )
    await producer.start()
    try:
        for event in events:
            message = encode(event)
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            await producer.send_and_wait(
                message.topic, message.body, key=message.key, headers=headers
            )
    finally:
        await producer.stop()


async def heard(
    world: County, topic: str, record_id: str, wanted: Callable[[Sequence[Event[Model]]], bool]
) -> list[Event[Model]]:
    async def look() -> list[Event[Model]] | None:
        found = [
            decode(read_headers(message.headers), message.value or b"")
            for message in await world.messages(topic)
            if message.key == record_id.encode()
        ]
        return found if wanted(found) else None

    return await until(look, f"{topic} about {record_id}")


def new_id() -> str:
    return str(compat.uuid7())


async def test_a_request_is_located_and_located_anew_when_it_moves(world: County) -> None:
    record_id = new_id()
    first = created(record_id, ev.Place(latitude=25.8699, longitude=-80.3029))
    await say(world, first, first)
    # The two topics have no common order: a request that moved first has nowhere else to be found.
    await heard(world, "location.resolved", record_id, lambda events: len(events) == 1)
    await say(world, moved(record_id, 2, ev.Place(address="9967 SW 153 ST, 33157")))
    found = await heard(world, "location.resolved", record_id, lambda events: len(events) >= 2)
    data = [event.data for event in found]
    assert all(isinstance(one, ev.LocationResolved) and one.approximate for one in data)
    shown = [
        (one.version, one.place_version, one.method, one.municipality, one.unincorporated)
        for one in data
        if isinstance(one, ev.LocationResolved)
    ]
    assert shown == [(1, 1, "point", "Hialeah", False), (2, 2, "grid", None, True)]


async def test_a_name_typed_as_an_address_reaches_neither_event_nor_database(
    world: County, geo: Stack
) -> None:
    record_id = new_id()
    canary = "Zoraida Quintanilla"
    await say(world, created(record_id, ev.Place(address=canary)))
    (event,) = await heard(world, "location.resolved", record_id, lambda events: bool(events))
    assert isinstance(event.data, ev.LocationResolved)
    assert (event.data.outcome, event.data.reason) == ("unresolved", "address: not an address")
    with world.database() as client:
        document = await asyncio.to_thread(client.geo.records.find_one, {"_id": record_id})
    assert document is not None
    assert canary not in str(document)
    logs = [path.read_text(errors="replace") for path in geo.place.log.glob("geo*")]
    assert logs
    assert not any(canary in log for log in logs)


async def put_in_force(world: County, path: str, document: dict[str, Any]) -> dict[str, Any]:
    """Propose a set, and have another person approve it once it was compared."""
    proposed = await world.post("geo", path, document, "admin", "adam")

    async def compared() -> dict[str, Any] | None:
        found = await world.get("geo", f"/boundaries/{proposed['set_id']}", "agent")
        return found if "hash" in found else None

    shown = await until(compared, "what the set would change")
    body = {"hash": shown["hash"]}
    path = f"/boundaries/{proposed['set_id']}/approval"
    answer: dict[str, Any] = await world.post("geo", path, body, "records_officer", "olga")
    return answer


async def test_approved_boundaries_are_in_force_at_once_and_for_events(world: County) -> None:
    document = collection(({"code": 99}, square(-80.31, 25.86, 0.02)))
    path = "/boundaries?name=parks_district&source=test&version=7"
    assert (await world.ask("POST", "geo", path, "agent", body=document)).status_code == 403
    assert (await world.ask("POST", "geo", path, None, body=document)).status_code == 401
    answer = await put_in_force(world, path, document)
    assert answer["version"].startswith("7+")
    assert [each["act"] for each in answer["history"]] == ["proposed", "approved", "in_force"]
    located = await world.get("geo", "/locate?lat=25.8699&lon=-80.3029", "agent")
    assert located["layers"] == {"parks_district": "99"}
    record_id = new_id()
    await say(world, created(record_id, ev.Place(latitude=25.8699, longitude=-80.3029)))
    (event,) = await heard(world, "location.resolved", record_id, lambda events: bool(events))
    assert isinstance(event.data, ev.LocationResolved)
    assert event.data.layers == {"parks_district": "99"}
    assert event.data.boundary_sets["parks_district"] == answer["version"]


async def test_boundaries_outlive_the_process(world: County, geo: Stack) -> None:
    document = collection(({"name": "Here"}, square(-80.31, 25.86, 0.02)))
    await put_in_force(world, "/boundaries?name=lasting&source=test", document)
    await asyncio.to_thread(geo.kill9, "geo")
    await asyncio.to_thread(geo.start, "geo")
    await asyncio.to_thread(geo.wait_ready, "geo")
    located = await world.get("geo", "/locate?lat=25.8699&lon=-80.3029", "agent")
    assert located["layers"]["lasting"] == "Here"
    assert located["municipality"] == "Hialeah"


async def test_open_requests_are_resolved_anew_and_again_after_a_rollback(
    world: County,
) -> None:
    """Which requests a set changes is listed before; afterwards geo says where they are now."""
    record_id = new_id()
    await say(world, created(record_id, ev.Place(latitude=25.8699, longitude=-80.3029)))
    await heard(world, "location.resolved", record_id, lambda events: len(events) == 1)
    document = collection(({"name": "First"}, square(-80.31, 25.86, 0.02)))
    first = await put_in_force(world, "/boundaries?name=beat&source=test", document)
    found = await heard(world, "location.resolved", record_id, lambda events: len(events) == 2)
    data = found[-1].data
    assert isinstance(data, ev.LocationResolved)
    assert (data.because, data.place_version, data.read) == ("boundaries", 1, None)
    assert (data.layers["beat"], data.municipality) == ("First", "Hialeah")
    path = f"/boundaries/{first['set_id']}/differences?limit=500"
    listed = (await world.get("geo", path, "admin"))["differences"]
    assert [each["after"]["layers"]["beat"] for each in listed if each["record_id"] == record_id]
    other = collection(({"name": "Second"}, square(-80.31, 25.86, 0.02)))
    second = await put_in_force(world, "/boundaries?name=beat&source=test", other)
    body = {"reason": "The survey was redrawn by mistake."}
    answer = await world.post(
        "geo", f"/boundaries/{second['set_id']}/rollback", body, "records_officer", "olga"
    )
    assert answer["state"] == "rolled_back"
    located = await world.get("geo", "/locate?lat=25.8699&lon=-80.3029", "agent")
    assert located["layers"]["beat"] == "First"

    async def as_before() -> bool:
        with world.database() as client:
            document = await asyncio.to_thread(client.geo.records.find_one, {"_id": record_id})
        return document is not None and document["location"]["layers"]["beat"] == "First"

    await until(as_before, "the request is where it was")


async def test_what_was_never_located_is_not_counted(world: County) -> None:
    """A case file becomes eligible like a request, but has no place."""
    before = await world.counts("geo")
    case_file, record_id = new_id(), new_id()
    eligible = ev.RecordExpired(
        record_id=case_file,
        version=1,
        items=("23",),
        decided_by="svc:retention",
        trigger="closed",
        trigger_on=NOW.date(),
        eligible_on=NOW.date(),
        schedule_version="2026.1",
    )
    await say(world, Event(str(uuid4()), "/direct311/retention", case_file, NOW, eligible))

    async def known() -> bool:
        with world.database() as client:
            found = await asyncio.to_thread(client.geo.records.find_one, {"_id": case_file})
        return found is not None

    await until(known, "geo knows that it is eligible")
    await say(world, created(record_id, ev.Place(latitude=25.8699, longitude=-80.3029)))
    await heard(world, "location.resolved", record_id, lambda events: bool(events))
    assert (await world.counts("geo"))["total"] == before["total"] + 1


async def test_an_ordered_record_is_destroyed_with_a_signed_receipt(
    world: County, geo: Stack
) -> None:
    record_id = new_id()
    first = created(record_id, ev.Place(latitude=25.8699, longitude=-80.3029))
    await say(world, first)
    await heard(world, "location.resolved", record_id, lambda events: bool(events))
    await say(world, ordered(record_id, 1), first)

    async def receipt() -> ev.RecordDestroyed | None:
        for message in await world.messages("record.destroyed"):
            headers, body = read_headers(message.headers), message.value or b""
            event = decode(headers, body)
            if isinstance(event.data, ev.RecordDestroyed) and event.data.record_id == record_id:
                Principals.from_file(geo.root / "principals.json").check(event, headers, body)
                return event.data
        return None

    data = await until(receipt, "the receipt")
    assert (data.holder, data.documents, data.keys) == ("geo", 1, 0)
    await say(world, moved(record_id, 9, ev.Place(latitude=25.8, longitude=-80.2)))
    later = new_id()
    await say(world, created(later, ev.Place(latitude=25.8, longitude=-80.2)))
    await heard(world, "location.resolved", later, lambda events: bool(events))
    with world.database() as client:
        document = await asyncio.to_thread(client.geo.records.find_one, {"_id": record_id})
    assert document is not None
    assert document["lifecycle"] == "destroyed"
    assert not {"location", "place_version", "seen"} & set(document)
    # A time may read so too, after its minutes.
    assert not re.search(r"(?<![\d:])25\.8", json.dumps(document, default=str))


async def test_an_address_is_normalised_for_intake_alone(world: County, geo: Stack) -> None:
    body = {"address": "9967 southwest 153rd street"}
    assert (
        await world.ask("POST", "geo", "/internal/normalise", "agent", body=body)
    ).status_code == 403
    lines = (geo.root / "env" / "intake.env").read_text().splitlines()
    intake = dict(line.removeprefix("INTAKE_").split("=", 1) for line in lines if "=" in line)
    form = {
        "grant_type": "client_credentials",
        "client_id": intake["CLIENT_ID"],
        "client_secret": intake["CLIENT_SECRET"],
        "resource": geo.dev["audiences"]["geo"],
    }
    token = (await world.http.post(f"{world.known.issuer}/token", data=form)).json()
    answer = await world.http.post(
        f"{world.known.services['geo']}/internal/normalise",
        json=body,
        headers={"Authorization": f"Bearer {token['access_token']}"},
    )
    assert answer.json()["address"] == "9967 SW 153RD ST"


async def test_requests_are_counted(world: County) -> None:
    counts = await world.counts("geo")
    assert counts["total"] == sum(count for name, count in counts.items() if name != "total")
    assert counts["resolved"] > 0
