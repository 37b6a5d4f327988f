"""One writer fills a topic with junk: the consumer goes on, and says so.

A hundred messages stopped a consumer for good, and again after each restart, since what is not
committed comes again.
"""

import dataclasses
from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest

from direct311.runtime.messaging.broker import Consumer, Received
from direct311.runtime.messaging.signing import Principals
from direct311.schemas import Encoded, Event, encode
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.consumers import Reading
from tests.support.runtime import NOW, overdue, signature

pytestmark = pytest.mark.anyio

MANY = Consumer.DEAD_LETTERS_IN_A_ROW + 20
GEO, STRANGER = signature("geo"), signature("geo")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def good(topic: str = "request.overdue") -> Encoded:
    message = encode(overdue(uuid4().hex, 1))
    return dataclasses.replace(message, topic=topic)


def receipt() -> Encoded:
    data = ev.RecordDestroyed(
        record_id="gone",
        order_id="o",
        holder="geo",
        documents=1,
        fields=0,
        objects=0,
        bytes=0,
        keys=0,
        manner="m",
        destroyed_at=NOW,
        recoverable_until=NOW,
    )
    return encode(Event(str(uuid4()), "/direct311/geo", "gone", NOW, data))


def changed(message: Encoded, **headers: str) -> Encoded:
    return dataclasses.replace(message, headers=message.headers | headers)


def _cut(message: Encoded) -> Encoded:
    return dataclasses.replace(message, body=message.body[:-1])


JUNK: dict[str, Callable[[], Encoded]] = {
    "no headers": lambda: Encoded("request.overdue", b"k", {}, b"junk"),
    "an empty body": lambda: dataclasses.replace(good(), body=b""),
    "half a body": lambda: _cut(good()),
    "deep nesting": lambda: dataclasses.replace(good(), body=b"[" * 5_000),
    "no utf-8": lambda: dataclasses.replace(good(), body=b"\xff\xfe\x00"),
    "another type": lambda: changed(good(), ce_type="gov.miamidade.direct311.nothing.v1"),
    "another version": lambda: changed(
        good(), ce_type="gov.miamidade.direct311.request.overdue.v9"
    ),
    "an id that is none": lambda: changed(good(), ce_id="1"),
    "a time that is none": lambda: changed(good(), ce_time="yesterday"),
    "another record's subject": lambda: changed(good(), ce_subject="another"),
    "no source": lambda: changed(good(), ce_source=""),
    "another's source": lambda: changed(good(), ce_source="/direct311/geo"),
    "a source of no service": lambda: changed(good(), ce_source="/direct311/nobody"),
    "a department's source": lambda: changed(good(), ce_source="/department/parks"),
    "another topic's event": lambda: good("location.resolved"),
    "another department's copy": lambda: good("routed.animal_services"),
    "unsigned": receipt,
    "signed by a stranger": lambda: STRANGER.signer.sign(receipt()),
    "an unknown key": lambda: changed(GEO.signer.sign(receipt()), ce_keyid="geo-99"),
    "a signature of zeros": lambda: changed(GEO.signer.sign(receipt()), ce_signature="00" * 64),
    "changed after it was signed": lambda: dataclasses.replace(
        GEO.signer.sign(receipt()), body=receipt().body.replace(b'"manner":"m"', b'"manner":"n"')
    ),
}


@pytest.mark.parametrize("junk", JUNK)
async def test_junk_stops_no_consumer_neither_in_one_batch_nor_in_many(junk: str) -> None:
    reading = Reading(GEO.principals)
    await reading.read(*(JUNK[junk]() for _ in range(MANY)))
    for _ in range(3):
        await reading.read(JUNK[junk]())
    assert reading.consumer.stopped_because is None
    assert len(reading.broker.letters) == MANY + 3
    assert reading.handled == []
    honest = GEO.signer.sign(receipt())
    await reading.read(good(), honest)
    assert len(reading.handled) == 2


@pytest.mark.parametrize("junk", JUNK)
async def test_a_flood_of_junk_is_told_by_topic_until_something_good_comes(junk: str) -> None:
    reading = Reading(GEO.principals)
    message = JUNK[junk]()
    await reading.read(*(JUNK[junk]() for _ in range(MANY)))
    assert reading.consumer.flooded == f"nothing can be read from {message.topic}"
    honest = {
        "record.destroyed": GEO.signer.sign(receipt()),
        "routed.animal_services": encode(
            overdue_of("animal_services"), topic="routed.animal_services"
        ),
        "location.resolved": encode(located()),
    }
    await reading.read(honest.get(message.topic, good()))
    assert reading.consumer.flooded is None


def overdue_of(department: str) -> Event[Model]:
    event = overdue("a", 1)
    return dataclasses.replace(event, data=event.data.model_copy(update={"department": department}))


def located() -> Event[Model]:
    data = ev.LocationResolved(
        record_id="a", version=1, place_version=1, outcome="unresolved", resolved_at=NOW
    )
    return Event(str(uuid4()), "/direct311/geo", "a", NOW, data)


async def test_a_wrong_list_of_keys_costs_no_event_of_the_others() -> None:
    """All of geo's receipts fail; what others say is handled, and each letter names its place."""
    reading = Reading(Principals({}))
    lost = [GEO.signer.sign(receipt()) for _ in range(MANY)]
    await reading.read(*lost, good())
    assert len(reading.handled) == 1
    assert [letter["dl_offset"] for letter in reading.broker.letters] == [
        str(at) for at in range(MANY)
    ]
    assert set(reading.broker.kinds) == {"SignatureError"}
    assert reading.consumer.flooded == "nothing can be read from record.destroyed"


# ---------------------------------------------------------------- what still stops it


def _broken(topics: Sequence[str]) -> Callable[[Received], Exception | None]:
    return lambda item: ValueError() if item.topic in topics else None


async def test_errors_of_handlers_stop_a_consumer() -> None:
    reading = Reading(fails=_broken(["request.overdue"]))
    await reading.read(*(good() for _ in range(MANY)))
    assert reading.consumer.stopped_because == "too many dead letters in a row"
    assert len(reading.broker.letters) == Consumer.DEAD_LETTERS_IN_A_ROW


async def test_they_stop_it_also_where_other_topics_are_handled_well() -> None:
    reading = Reading(fails=_broken(["request.overdue"]))
    for _ in range(Consumer.DEAD_LETTERS_IN_A_ROW):
        await reading.read(good(), encode(located()))
    assert reading.consumer.stopped_because == "too many dead letters in a row"


async def test_they_do_not_where_something_of_the_topic_is_done_in_between() -> None:
    first = True

    def every_other(_: Received) -> Exception | None:
        nonlocal first
        first = not first
        return None if first else ValueError()

    reading = Reading(fails=every_other)
    for _ in range(MANY):
        await reading.read(good())
        await reading.read(good())
    assert reading.consumer.stopped_because is None


async def test_what_a_department_causes_stops_nobody() -> None:
    topic = "updates.parks"
    reading = Reading(fails=_broken([topic]), foreign=[topic])
    data = ev.DepartmentUpdate(
        record_id="a", department="parks", status="in_progress", occurred_at=NOW
    )
    events = [Event(str(uuid4()), "/department/parks", "a", NOW, data) for _ in range(MANY)]
    await reading.read(*(encode(event, topic=topic) for event in events))
    assert reading.consumer.stopped_because is None
    assert len(reading.broker.letters) == MANY


async def test_of_two_groups_that_read_a_topic_one_names_what_cannot_be_read() -> None:
    first, second = Reading(), Reading(named_by="routing")
    junk = JUNK["an empty body"]()
    for each in (first, second):
        await each.read(good(), junk)
    assert [len(each.handled) for each in (first, second)] == [1, 1]
    assert [each.broker.kinds for each in (first, second)] == [["DecodeError"], []]
