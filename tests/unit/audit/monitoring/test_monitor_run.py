"""A round of the watch: what fails keeps nothing else from being looked at."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from direct311.audit.index_row import EntrySummary
from direct311.audit.log.ports.log import IndexLostError
from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.handlers.log_tailer import LogTailer
from direct311.audit.monitoring.handlers.monitor_run import MonitorRun
from direct311.audit.monitoring.handlers.numbers import Numbering
from direct311.audit.monitoring.handlers.reconcile import Reconciler
from tests.unit.audit.events import OTHER, RECORD, Producer
from tests.unit.audit.fakes import (
    InMemoryFetches,
    InMemoryLog,
    InMemoryNumbers,
    InMemoryWatch,
)
from tests.unit.audit.log_contract import in_memory

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)


class Observing:
    """Sees, or fails with an error that was put here."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def see(self, _: Sequence[EntrySummary]) -> None:
        if self.error is not None:
            raise self.error


class MonitoringAudit:
    """A log with a gap of two numbers, and a fetch whose event it has not, both overdue."""

    def __init__(self) -> None:
        log = InMemoryLog()
        self.stores = in_memory(log)
        clock, self.alarms = self.stores.clock, self.stores.alarms
        self.observer, self.intake = Observing(), InMemoryFetches("intake")
        numbering = Numbering(InMemoryNumbers(), self.alarms, clock, ["intake"])
        followed = self.stores.followed
        reconciler = Reconciler([self.intake], InMemoryWatch(), followed, log, self.alarms, clock)
        tailer = LogTailer([numbering, self.observer], followed, log, InMemoryWatch())
        self.missing: list[int] = []
        self.monitor_run = MonitorRun(
            followed,
            tailer,
            reconciler,
            numbering,
            clock,
            patience=MINUTE,
            missing=self.missing.append,
        )

    async def fill(self) -> None:
        producer, at = Producer(), self.stores.clock.now()
        messages = [producer.access(RECORD) for _ in range(4)]
        await self.stores.arrive([messages[0], messages[3]])
        await self.stores.sequence()
        self.intake.producers = (f"intake/{producer.started}",)
        self.intake.fetches.append(Fetch(service="intake", record_id=RECORD, event_id=OTHER, at=at))
        self.stores.clock.advance(2 * MINUTE)

    @property
    def told(self) -> list[str]:
        return [kind for kind, _ in self.alarms.raised]


@pytest.fixture
async def audit() -> MonitoringAudit:
    made = MonitoringAudit()
    await made.fill()
    return made


async def test_a_round_tells_missing_numbers_and_fetches_without_an_event(
    audit: MonitoringAudit,
) -> None:
    await audit.monitor_run.step()
    assert sorted(audit.told) == ["sequence_gap", "unlogged_fetch"]
    assert audit.missing == [2]


async def test_fetches_are_compared_also_where_an_observer_fails(audit: MonitoringAudit) -> None:
    audit.observer.error = OverflowError()
    for _ in range(2):
        with pytest.raises(OverflowError):
            await audit.monitor_run.step()
    assert audit.told == ["unlogged_fetch"]


async def test_of_two_errors_the_observers_is_told(audit: MonitoringAudit) -> None:
    """A service answers again by itself; what stops the walk stops it for ever."""
    audit.observer.error, audit.intake.down = OverflowError(), True
    with pytest.raises(OverflowError):
        await audit.monitor_run.step()


async def test_a_service_that_does_not_answer_hides_no_gap(audit: MonitoringAudit) -> None:
    audit.intake.down = True
    with pytest.raises(ConnectionRefusedError):
        await audit.monitor_run.step()
    assert (audit.told, audit.missing) == (["sequence_gap"], [2])


@pytest.mark.parametrize("lost", ["before", "on the way"])
async def test_nothing_is_compared_with_an_index_that_is_lost(
    audit: MonitoringAudit, lost: str
) -> None:
    if lost == "before":
        await audit.stores.log.mark_lost()
        await audit.monitor_run.step()
    else:
        audit.observer.error = IndexLostError()
        with pytest.raises(IndexLostError):
            await audit.monitor_run.step()
    assert (audit.told, audit.missing) == ([], [])
