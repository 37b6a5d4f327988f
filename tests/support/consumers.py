"""A consumer without a broker: messages are passed to it directly, and its dead letters are
kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import ConsumerRecord
from faststream.kafka import KafkaBroker

from direct311.runtime.messaging.broker import (
    Consumer,
    Process,
    Received,
    SignatureChecker,
    Tell,
    untold,
)
from direct311.runtime.messaging.records import is_transient
from direct311.runtime.messaging.signing import Principals
from direct311.runtime.telemetry import Metrics, Tracing
from direct311.schemas import Encoded, Event
from direct311.schemas.model import Model


class NoBroker:
    """Keeps dead letters by their headers."""

    def __init__(self) -> None:
        self.letters: list[Mapping[str, str]] = []

    def subscriber(self, *_: str, **__: object) -> Callable[[object], None]:
        return cast("Callable[[object], None]", _Subscriber())

    async def publish(self, *_: object, headers: Mapping[str, str], **__: object) -> None:
        self.letters.append(headers)

    @property
    def kinds(self) -> list[str]:
        return [letter["dl_kind"] for letter in self.letters]


class _Subscriber:
    consumer = None

    def __call__(self, _: object) -> None:
        return None


class Reading:
    """A consumer of one service: `handled` has the events it handled."""

    def __init__(
        self,
        principals: Principals | None = None,
        fails: Callable[[Received], Exception | None] = lambda _: None,
        process: Process | None = None,
        foreign: Iterable[str] = (),
        gives_way: Callable[[], bool] = lambda: False,
        named_by: str | None = None,
        ahead: bool = False,
        signatures: SignatureChecker | None = None,
        tell: Tell = untold,
    ) -> None:
        self.broker = NoBroker()
        self.handled: list[Received] = []
        self.metrics = Metrics()
        self._fails = fails
        self.consumer = Consumer(
            cast(KafkaBroker, self.broker),
            service="routing",
            topics=(),
            process=process or self._take,
            principals=principals or Principals({}),
            is_transient=is_transient,
            metrics=self.metrics,
            tracing=Tracing("test", "1", None),
            named_by=named_by,
            foreign=foreign,
            gives_way=gives_way,
            ahead=ahead,
            signatures=signatures,
            tell=tell,
        )

    async def _take(self, batch: Sequence[Received]) -> Sequence[tuple[Event[Model], Exception]]:
        failed = []
        for item in batch:
            error = self._fails(item)
            if error is None:
                self.handled.append(item)
            else:
                failed.append((item.event, error))
        return failed

    async def read(self, *messages: Encoded) -> None:
        """One batch."""
        await self.consumer.apply([record(message, at) for at, message in enumerate(messages)])


def record(message: Encoded, offset: int = 0) -> "ConsumerRecord[Any, Any]":
    """A message as the broker's client returns it."""
    found = SimpleNamespace(
        topic=message.topic,
        partition=0,
        offset=offset,
        key=message.key,
        value=message.body,
        headers=[(name, value.encode()) for name, value in message.headers.items()],
    )
    return cast("ConsumerRecord[Any, Any]", found)
