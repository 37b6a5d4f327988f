"""What follows an entry that the broker does not have is not sent, whatever its batch."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from direct311.runtime.messaging.broker import KafkaPublisher
from direct311.runtime.messaging.records import Entry
from direct311.schemas import Encoded

pytestmark = pytest.mark.anyio


class Broker:
    """Takes all but what it is told to lose, or to keep silent about; both a while after."""

    def __init__(self, lost: Sequence[bytes] = (), silent: Sequence[bytes] = ()) -> None:
        self.queued: list[bytes] = []
        self._lost = lost
        self._silent = silent

    async def publish(self, body: bytes, **_: Any) -> asyncio.Future[None]:
        self.queued.append(body)
        future = asyncio.get_running_loop().create_future()
        if body in self._lost:
            asyncio.get_running_loop().call_later(0.01, future.set_exception, KafkaTimeoutError())
        elif body not in self._silent:
            asyncio.get_running_loop().call_later(0.01, future.set_result, None)
        return future


def entries(*said: str) -> list[Entry]:
    """Of `topic/key/body` each."""
    found = []
    for each in said:
        topic, key, body = each.split("/")
        found.append(Entry(each, Encoded(topic, key.encode(), {}, body.encode())))
    return found


SAID = entries("t/a/1", "t/b/2", "t/a/3", "u/a/4", "t/a/5", "t/b/6")


async def test_an_entry_waits_for_the_one_of_its_key_and_topic_before_it() -> None:
    broker = Broker()
    assert list(await KafkaPublisher(broker).publish(SAID)) == [True] * 6  # type: ignore[arg-type]
    assert sorted(broker.queued[:3]) == [b"1", b"2", b"4"]
    assert sorted(broker.queued[3:5]) == [b"3", b"6"]
    assert broker.queued[5:] == [b"5"]


@pytest.mark.parametrize("how", ["lost", "silent"])
async def test_what_follows_one_that_was_lost_is_not_sent(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaPublisher, "TIMEOUT_SECONDS", 0.2)
    broker = Broker(**{how: [b"1"]})
    results = await KafkaPublisher(broker).publish(SAID)  # type: ignore[arg-type]
    # Where it is silent, its time is that of all.
    assert list(results) == [False, True, False, True, False, how == "lost"]
    assert {b"3", b"5"}.isdisjoint(broker.queued)
