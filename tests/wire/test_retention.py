"""The retention service alone on real Kafka, database and issuer."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.retention.record import CERTIFYING
from direct311.runtime.messaging.signing import Principals, Signer
from direct311.schemas import Encoded, Event, decode, encode, read_headers
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.county import County, Document, entering, until
from tests.support.stacks import stack_of_its_own

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG_AGO = datetime(2015, 6, 1, 14, tzinfo=UTC)


@pytest.fixture(scope="module")
def retention(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: what is said here in other services' names nobody else should hear."""
    with stack_of_its_own(tmp_path_factory.mktemp("retention") / "s", services=False) as stack:
        stack.start("retention")
        stack.wait_ready("retention")
        yield stack


@pytest.fixture
async def world(retention: Stack) -> AsyncIterator[County]:
    async with entering(retention) as county:
        yield county


# ---------------------------------------------------------------- the other side of each wire


def new_id() -> str:
    return str(compat.uuid7())


def said(source: str, subject: str, data: Model) -> Event[Model]:
    # As of now: a key is valid from the making of the stack on.
    return Event(str(uuid4()), f"/direct311/{source}", subject, datetime.now(UTC), data)


def created(record_id: str, service_code: str = "POTHOLE") -> Event[Model]:
    data = ev.RequestCreated(
        record_id=record_id,
        version=1,
        jurisdiction_id="miamidade",
        service_code=service_code,
        received_at=LONG_AGO,
        place=ev.Place(),
        policy=ev.PolicyAgreement(version="2024-01", agreed="accepted"),
    )
    return said("intake", record_id, data)


def closed(record_id: str, version: int = 2, service_code: str = "POTHOLE") -> Event[Model]:
    data = ev.RequestUpdated(
        record_id=record_id,
        version=version,
        changed=("status",),
        service_code=service_code,
        status="fixed",
        updated_at=LONG_AGO + timedelta(days=9),
        received_at=LONG_AGO,
        place=ev.Place(),
        closed_at=LONG_AGO + timedelta(days=9),
    )
    return said("intake", record_id, data)


def receipt(record_id: str, order_id: str, holder: ev.Holder) -> Event[Model]:
    data = ev.RecordDestroyed(
        record_id=record_id,
        order_id=order_id,
        holder=holder,
        documents=1,
        fields=0,
        objects=0,
        bytes=100,
        keys=1,
        manner="key shredded, data deleted",
        destroyed_at=NOW,
        recoverable_until=NOW + timedelta(days=30),
    )
    return said(holder, record_id, data)


async def say(world: County, *events: Event[Model], signed_by: str | None = None) -> None:
    """Publish; what must be signed is signed by its source, or by another service."""
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
            if event.kind.signed:
                service = signed_by or event.source.rpartition("/")[2]
                message = _signed(world.stack, service, message)
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            await producer.send_and_wait(
                message.topic, message.body, key=message.key, headers=headers
            )
    finally:
        await producer.stop()


def _signed(stack: Stack, service: str, message: Encoded) -> Encoded:
    return Signer.from_file(stack.root / "keys" / f"{service}-signing.json").sign(message)


async def heard(
    world: County, topic: str, key: str, wanted: Callable[[Sequence[Event[Model]]], bool]
) -> list[Event[Model]]:
    async def look() -> list[Event[Model]] | None:
        found = []
        for message in await world.messages(topic):
            if message.key == key.encode():
                headers, body = read_headers(message.headers), message.value or b""
                event = decode(headers, body)
                if event.kind.signed:
                    principals = Principals.from_file(world.stack.root / "principals.json")
                    assert principals.check(event, headers, body) == "retention"
                found.append(event)
        return found if wanted(found) else None

    return await until(look, f"{topic} about {key}")


async def heard_of_all(world: County, topic: str, ids: Sequence[str]) -> list[Event[Model]]:
    """What was said of these records, once there is something of each; also what was repeated."""
    wanted = set(ids)

    async def look() -> list[Event[Model]] | None:
        found = [
            decode(read_headers(message.headers), message.value or b"")
            for message in await world.messages(topic)
            if (message.key or b"").decode() in wanted
        ]
        return found if {event.subject for event in found} == wanted else None

    return await until(look, f"{topic} about all")


async def record(world: County, record_id: str) -> Document:
    path = f"/v1/records/{record_id}"
    answer = await world.ask("GET", "retention", path, "custodian", "carla")
    return dict(answer.json()) if answer.status_code == 200 else {}


async def until_record(world: County, record_id: str, **wanted: object) -> Document:
    async def look() -> Document | None:
        found = await record(world, record_id)
        return found if all(found.get(key) == value for key, value in wanted.items()) else None

    return await until(look, f"{record_id} has {wanted}")


async def eligible(world: County, *record_ids: str, service_code: str = "POTHOLE") -> None:
    for record_id in record_ids:
        await say(world, created(record_id, service_code), closed(record_id, 2, service_code))
    for record_id in record_ids:
        await until_record(world, record_id, eligible_on="2016-06-10")
    await world.post("retention", "/v1/expiry", {}, "custodian", "carla")


async def ordered(world: County, *record_ids: str) -> Document:
    made = await world.post(
        "retention", "/v1/dispositions", {"record_ids": record_ids}, "custodian", "carla"
    )
    path = f"/v1/dispositions/{made['disposition_id']}/approve"
    body = {"set_hash": made["set_hash"]}
    return dict(await world.post("retention", path, body, "records_officer", "raul"))


async def until_status(world: County, order: str, status: str) -> Document:
    async def look() -> Document | None:
        path = f"/v1/dispositions/{order}"
        found = await world.get("retention", path, "records_officer", "raul")
        return dict(found) if found["status"] == status else None

    return await until(look, f"the set is {status}")


def held_by(found: Document) -> list[str]:
    return [each["hold_id"] for each in found["holds"]]


async def place(world: County, **scope: object) -> Document:
    body = {"name": "suit", "kind": "litigation", "authority": "26-1 CA 01", **scope}
    return dict(await world.post("retention", "/v1/holds", body, "counsel", "cole"))


# ---------------------------------------------------------------- what must be seen


@pytest.mark.policy("P14")
async def test_from_the_first_event_to_certificate_and_supplement(world: County) -> None:
    ids = [new_id(), new_id()]
    before = await world.counts("retention")
    await eligible(world, *ids)
    after = await world.counts("retention")
    assert after["total"] - before["total"] == 2
    (expired,) = await heard(world, "record.expired", ids[0], bool)
    assert isinstance(expired.data, ev.RecordExpired)
    assert expired.data.decided_by == "94"

    order = await ordered(world, *ids)
    order_id = order["disposition_id"]
    assert (order["status"], order["left_out"]) == ("ordered", [])
    for record_id in ids:
        (event,) = await heard(world, "disposition", record_id, bool)
        assert isinstance(event.data, ev.DispositionOrdered)
        assert (event.data.custodian, event.data.records_officer) == ("carla", "raul")
        await say(world, *(receipt(record_id, order_id, each) for each in sorted(CERTIFYING)))
    done = await until_status(world, order_id, "certified")
    (certificate_id,) = done["certificate_ids"]
    path = f"/v1/certificates/{certificate_id}"
    certificate = await world.get("retention", path, "auditor", "ines")
    assert certificate["volume_records"] == 2
    assert certificate["volume_bytes"] == 800
    assert certificate["record_ids"] == sorted(ids)

    await say(world, *(receipt(record_id, order_id, "audit") for record_id in ids))
    done = await until_status(world, order_id, "closed")
    told = await heard(world, "disposition.certified", order_id, lambda found: len(found) == 2)
    first, second = (event.data for event in told)
    assert isinstance(first, ev.DispositionCertified)
    assert isinstance(second, ev.DispositionCertified)
    assert (first.certificate_id, first.sha256) == (certificate_id, certificate["sha256"])
    assert (second.certificate_id, second.supplement_to) == (
        done["supplement_ids"][0],
        certificate_id,
    )

    # What comes late brings nothing back.
    gone = await record(world, ids[0])
    await say(world, created(ids[0]), closed(ids[0], 9), created(marker := new_id()))
    await until_record(world, marker, state="active")
    assert await record(world, ids[0]) == gone
    assert gone["state"] == "certified"
    assert "service_code" not in gone


@pytest.mark.policy("P14")
async def test_a_hold_reaches_records_and_newcomers_and_keeps_them_until_released(
    world: County,
) -> None:
    service_code = f"HOLD-{uuid4().hex[:8].upper()}"
    first, later = new_id(), new_id()
    await eligible(world, first, service_code=service_code)
    hold = await place(world, query={"service_codes": [service_code]})
    assert hold["state"] == "in_force"
    assert held_by(await record(world, first)) == [hold["hold_id"]]
    await eligible(world, later, service_code=service_code)
    assert held_by(await record(world, later)) == [hold["hold_id"]]
    body = {"record_ids": [first, later]}
    answer = await world.ask("POST", "retention", "/v1/dispositions", "custodian", "carla", body)
    assert answer.status_code == 409
    assert "held" in answer.json()["detail"]
    path = f"/v1/holds/{hold['hold_id']}/release"
    done = await world.post(
        "retention", path, {"reason": "the case is settled"}, "counsel", "clara"
    )
    assert done["state"] == "released"
    assert (await ordered(world, first, later))["status"] == "ordered"
    events = await heard(world, "disposition", first, lambda found: len(found) == 3)
    assert [event.name for event in events] == [
        "hold.placed",
        "hold.released",
        "disposition.ordered",
    ]
    versions = [getattr(event.data, "version", 0) for event in events]
    assert versions == sorted(set(versions))


async def test_a_receipt_that_is_not_the_holders_own_counts_for_nothing(world: County) -> None:
    record_id = new_id()
    await eligible(world, record_id)
    order_id = (await ordered(world, record_id))["disposition_id"]
    own = [receipt(record_id, order_id, each) for each in ("intake", "geo", "routing")]
    await say(world, *own)
    letters = len(await world.messages("deadletters.retention"))
    await say(world, receipt(record_id, order_id, "media"), signed_by="geo")
    claimed = receipt(record_id, order_id, "media").data
    await say(world, said("geo", record_id, claimed))

    async def told() -> bool:
        return len(await world.messages("deadletters.retention")) >= letters + 2

    await until(told, "both are named in the dead letters")
    found = await record(world, record_id)
    assert found["state"] == "ordered"
    assert {each["holder"] for each in found["receipts"]} == {"intake", "geo", "routing"}


@pytest.mark.policy("P14", "P20")
async def test_killed_between_the_receipts_it_certifies_once_and_completely(
    world: County, retention: Stack
) -> None:
    ids = sorted(new_id() for _ in range(20))
    await eligible(world, *ids)
    order_id = (await ordered(world, *ids))["disposition_id"]
    receipts = [receipt(each, order_id, holder) for each in ids for holder in sorted(CERTIFYING)]
    for part in (receipts[:30], receipts[30:60], receipts[60:]):
        await say(world, *part)
        await asyncio.to_thread(retention.kill9, "retention")
        await asyncio.to_thread(retention.start, "retention")
    await asyncio.to_thread(retention.wait_ready, "retention")
    done = await until_status(world, order_id, "certified")
    path = f"/v1/certificates/{done['certificate_ids'][0]}"
    certificate: Any = await world.get("retention", path, "auditor", "ines")
    assert certificate["record_ids"] == ids
    assert len(certificate["receipts"]) == 80
    told = await heard(world, "disposition.certified", order_id, bool)
    assert {event.id for event in told} == {told[0].id}
    events = await heard_of_all(world, "disposition", ids)
    assert len({event.id for event in events}) == len(ids)


async def test_killed_while_it_works_it_loses_nothing_and_does_nothing_twice(
    world: County, retention: Stack
) -> None:
    ids = [new_id() for _ in range(60)]
    service_code = f"KILL-{uuid4().hex[:8].upper()}"
    await say(world, *(created(each, service_code) for each in ids))
    await asyncio.to_thread(retention.kill9, "retention")
    await say(world, *(closed(each, 2, service_code) for each in ids))
    await asyncio.to_thread(retention.start, "retention")
    await asyncio.to_thread(retention.wait_ready, "retention")
    for each in ids:
        await until_record(world, each, eligible_on="2016-06-10")
    await place(world, query={"service_codes": [service_code]})
    await asyncio.to_thread(retention.kill9, "retention")
    await asyncio.to_thread(retention.start, "retention")
    await asyncio.to_thread(retention.wait_ready, "retention")
    await world.post("retention", "/v1/expiry", {}, "custodian", "carla")
    for each in ids:
        assert len(held_by(await until_record(world, each, state="eligible"))) == 1
    for topic, name in (("record.expired", "record.expired"), ("disposition", "hold.placed")):
        events = await heard_of_all(world, topic, ids)
        assert {event.name for event in events} == {name}
        assert len({event.id for event in events}) == len(ids)


# ---------------------------------------------------------------- acts and their entries


async def acts_about(world: County, about: str, *wanted: str) -> list[ev.ActRecorded]:
    """The acts on a hold or set, each once however often it was sent."""

    def there(events: Sequence[Event[Model]]) -> bool:
        return {*wanted} <= {getattr(each.data, "act", None) for each in events}

    events = {each.id: each for each in await heard(world, "act.recorded", about, there)}
    acts = [each.data for each in events.values() if isinstance(each.data, ev.ActRecorded)]
    assert [each.act for each in acts] == list(wanted)
    return acts


@pytest.mark.policy("P14", "P20")
async def test_killed_between_an_act_and_its_entry_it_loses_neither_and_repeats_neither(
    world: County, retention: Stack
) -> None:
    """The broker is away, so that each act is made and its entry cannot go out yet."""
    ids = [new_id(), new_id()]
    await eligible(world, *ids)
    held = await place(world, record_ids=[new_id() for _ in range(150)])
    made = await world.post(
        "retention", "/v1/dispositions", {"record_ids": ids}, "custodian", "carla"
    )
    set_id = made["disposition_id"]
    await asyncio.to_thread(retention.stop, "kafka")
    try:
        second = await place(world, record_ids=[new_id()])
        reason = {"reason": "the case is settled"}
        path = f"/v1/holds/{held['hold_id']}/release"
        await world.post("retention", path, reason, "counsel", "clara")
        path = f"/v1/dispositions/{set_id}/approve"
        body = {"set_hash": made["set_hash"]}
        answer = await world.post("retention", path, body, "records_officer", "raul")
        # Without the entry in the broker nothing is ordered.
        assert answer["status"] == "ordering"
        for record_id in ids:
            assert (await record(world, record_id))["state"] == "in_review"
        await asyncio.to_thread(retention.kill9, "retention")
    finally:
        await asyncio.to_thread(retention.start, "kafka")
        await asyncio.to_thread(retention.wait_ready, "kafka")
    await asyncio.to_thread(retention.start, "retention")
    await asyncio.to_thread(retention.wait_ready, "retention")
    await until_status(world, set_id, "ordered")
    placed, more, *released = await acts_about(
        world, held["hold_id"], "hold", "hold", "release", "release"
    )
    assert [(each.part, each.parts, each.records) for each in (placed, more, *released)] == [
        (1, 2, 150),
        (2, 2, 150),
    ] * 2
    assert {each.agent.id for each in released} == {"clara"}
    (other,) = await acts_about(world, second["hold_id"], "hold")
    assert other.agent.id == "cole"
    proposed, approved, order = await acts_about(world, set_id, "propose", "approve", "order")
    assert [each.agent.id for each in (proposed, approved, order)] == [
        "carla",
        "raul",
        "svc:retention",
    ]
    assert sorted(order.record_ids) == sorted(ids)
    for record_id in ids:
        (event,) = {
            each.id: each for each in await heard(world, "disposition", record_id, bool)
        }.values()
        assert isinstance(event.data, ev.DispositionOrdered)


# ---------------------------------------------------------------- the vault


async def restarted(stack: Stack) -> None:
    await asyncio.to_thread(stack.stop, "retention")
    stack.start("retention")
    await asyncio.to_thread(stack.wait_ready, "retention")


async def test_case_files_are_read_under_another_key_encryption_key(world: County) -> None:
    letter = b"a letter"
    record_id = new_id()
    await eligible(world, record_id)
    bounds = {"record_ids": [record_id]}  # the other tests here order records
    order = {"kind": "public_records", "request": "all reports of potholes", "bounds": bounds}
    made = await world.post("retention", "/v1/cases", order, "custodian", "carla")
    case = f"/v1/cases/{made['case_id']}"
    document = f"{case}/documents/{sha256(letter).hexdigest()}"
    put = await world.ask(
        "PUT",
        "retention",
        document,
        "custodian",
        "carla",
        content=letter,
        params={"kind": "letter"},
    )
    assert put.status_code == 200, put.text
    file = world.stack.place.keys / "retention-kek.json"
    keys = json.loads(file.read_text())
    keys["keys"]["kek-2"] = base64.b64encode(os.urandom(32)).decode()
    file.write_text(json.dumps(keys | {"current": "kek-2"}))
    await restarted(world.stack)

    await world.post("retention", "/internal/keys/rewrap/start", {"reference": "T-1"}, "admin")

    async def rewrapped() -> bool:
        state = await world.get("retention", "/internal/keys", "admin")
        return [each["kek"] for each in state["keys"]] == ["kek-2"]

    await until(rewrapped, "every key is wrapped anew")
    del keys["keys"]["kek-1"]
    file.write_text(json.dumps(keys | {"current": "kek-2"}))
    await restarted(world.stack)
    read = await world.get("retention", case, "custodian", "carla")
    assert read["request"] == order["request"]
    opened = await world.ask("GET", "retention", document, "custodian", "carla")
    assert opened.content == letter

    # Only audit learns which keys were fetched, and each fetch names its event.
    headers = await world.service_headers("svc-audit", "retention")
    url = world.known.services["retention"]
    path = "/internal/key-fetches?after=2026-01-01T00:00:00Z"
    told = (await world.http.get(url + path, headers=headers)).json()
    fetched = [each for each in told["fetches"] if each["record_id"] == made["case_id"]]
    logged = {
        read_headers(message.headers)["ce_id"] for message in await world.messages("pii.accessed")
    }
    assert len(fetched) == 3
    assert {each["event_id"] for each in fetched} <= logged
    assert told["producers"]
    refused = await world.ask("GET", "retention", path, "auditor", "ines")
    assert refused.status_code == 403
