"""What a client sends again without a key is the same request, and nobody else's."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from direct311.intake.catalogue.adapters import load_emergencies
from direct311.intake.clients.domain.clients import Client
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.key_pool import KeyPool
from direct311.intake.submission.handlers.submit import Accepted, Submit
from direct311.schemas.events import Place
from tests.support.memory import IdleRelay
from tests.support.reporters import CATALOGUE, POLICIES, ReporterIntake
from tests.support.runtime import NOW

pytestmark = pytest.mark.anyio

SAID = Submission("miamidade", "ROAD-POTHOLE", Place(address="NW 1ST ST"), description="Pothole")


class NoneRecent:
    def first(self, fingerprint: str, since: datetime) -> str | None:
        return None

    def note(self, fingerprint: str, record_id: str, at: datetime) -> None: ...


class Gateway:
    """The use case over memory, and its clock."""

    def __init__(self) -> None:
        intake = ReporterIntake()
        self.clock = intake.clock
        self.submissions, self.records = intake.submissions, intake.records
        self._submit = Submit(
            submissions=self.submissions,
            recent=NoneRecent(),
            uploads=None,  # type: ignore[arg-type]
            brought=intake.upload,
            emergencies=load_emergencies().content,
            protections=intake.registry,
            indexes=intake.indexes,
            home=None,  # type: ignore[arg-type]
            keys=KeyPool(intake.vault, self.submissions.keep, intake.ids),
            emitter=intake.emitter,
            relay=IdleRelay(),
            clock=intake.clock,
            content_key=intake.indexes.content_key,
        )

    async def send(self, by: Client, key: str | None = None) -> Accepted:
        service = CATALOGUE.by_code(SAID.service_code)
        assert service is not None
        return await self._submit(SAID, (), by, service, POLICIES.policies[0], key)


def client(client_id: str, *, keyless: bool = True) -> Client:
    flags: tuple[Literal["retries_without_key"], ...] = ("retries_without_key",) if keyless else ()
    return Client(client_id=client_id, name="A", environment="test", created_at=NOW, flags=flags)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


OTHERS = {
    "with a key": (client("app", keyless=False), "key-1"),
    "without keys": (client("app", keyless=False), None),
    "repeats as well": (client("another-legacy"), None),
}


@pytest.mark.policy("P20")
@pytest.mark.parametrize(("other", "key"), OTHERS.values(), ids=OTHERS)
async def test_the_same_words_of_another_client_are_another_request(
    gateway: Gateway, other: Client, key: str | None
) -> None:
    theirs = await gateway.send(other, key)
    gateway.clock.at += timedelta(hours=1)
    mine = await gateway.send(client("legacy"))
    assert (mine.repeat, len(gateway.records.documents)) == (False, 2)
    again = await gateway.send(client("legacy"))
    assert (again.repeat, again.record_id) == (True, mine.record_id)
    assert theirs.record_id != mine.record_id


@pytest.mark.parametrize(
    ("hours", "repeat"), [(0, True), (3, True), (23, True), (24, True), (25, False), (49, False)]
)
async def test_within_a_day_it_is_the_same_request_also_over_midnight(
    gateway: Gateway, hours: int, repeat: bool
) -> None:
    gateway.clock.at = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    first = await gateway.send(client("legacy"))
    gateway.clock.at += timedelta(hours=hours)
    again = await gateway.send(client("legacy"))
    assert again.repeat == repeat
    assert (again.record_id == first.record_id) == repeat


async def test_of_two_days_that_which_is_within_a_day_is_the_same(gateway: Gateway) -> None:
    gateway.clock.at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    await gateway.send(client("legacy"))
    gateway.clock.at += timedelta(hours=26)
    second = await gateway.send(client("legacy"))
    gateway.clock.at += timedelta(hours=1)
    assert (await gateway.send(client("legacy"))).record_id == second.record_id
