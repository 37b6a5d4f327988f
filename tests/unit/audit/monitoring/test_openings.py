"""What emergency staff opened is explained within a day, or there is an alarm."""

from datetime import timedelta
from typing import Any

import pytest

from direct311.audit.entry import Facts
from direct311.audit.index_row import EntrySummary
from direct311.audit.monitoring.handlers.openings import EmergencyOpenings
from direct311.runtime.access.openings import opening_case
from tests.support.no_trace import WORDS, traces_in
from tests.support.openings import InMemoryOpenings
from tests.support.runtime import SetClock
from tests.unit.audit.events import START
from tests.unit.audit.fakes import InMemoryAlarms

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P18")]
DAY = timedelta(hours=24)
ONE = opening_case("dora", "r1", START.date())


def opened(number: int = 1, **changes: Any) -> Facts:
    said: dict[str, object] = {
        "event_id": f"event-{number}",
        "event": "pii.accessed",
        "service": "intake",
        "record_ids": ("r1",),
        "actor": "dora",
        "roles": ("emergency",),
        "purpose": "emergency_assistance",
        "break_glass": True,
        "fields": ("phone",),
        "action": "view",
        "outcome": "success",
        "occurred_at": START,
    }
    return Facts.model_validate(said | changes)


def explained(case_id: str) -> Facts:
    return opened(
        event_id="step",
        event="disclosure.recorded",
        service="retention",
        record_ids=(),
        case_id=case_id,
        action="case",
        purpose="law_enforcement",
        break_glass=False,
        fields=(),
    )


class TellingAlarms(InMemoryAlarms):
    """Remembers the words too."""

    def __init__(self) -> None:
        super().__init__()
        self.words: set[str] = set()

    async def raise_alarm(self, kind: str, about: str, detail: str) -> None:
        await super().raise_alarm(kind, about, detail)
        self.words.add(detail)


class Watching:
    """The observer, and what it raised."""

    def __init__(self) -> None:
        self.clock = SetClock(START)
        self.alarms = TellingAlarms()
        self.openings = InMemoryOpenings()
        self.emergencies = EmergencyOpenings(self.openings, self.alarms, self.clock)

    async def see(self, *facts: Facts) -> None:
        await self.emergencies.see(
            [
                EntrySummary(
                    index=number,
                    event_id=each.event_id,
                    logged_at=self.clock.now(),
                    facts=each,
                )
                for number, each in enumerate(facts)
            ]
        )

    async def late(self, after: timedelta = DAY + timedelta(seconds=1)) -> int:
        self.clock.at = START + after
        return await self.emergencies.step()


async def test_an_opening_that_nobody_explains_is_one_alarm_after_a_day() -> None:
    watching = Watching()
    await watching.see(opened(), opened(2))
    assert await watching.late(DAY) == 0
    assert await watching.late() == 1
    assert await watching.late() == 1
    assert watching.alarms.raised == [("opening_unexplained", "event-1")]
    # It says nothing about whom somebody may have told.
    told = {"alarm": " ".join(watching.alarms.words)}
    assert traces_in(told, (*WORDS, "disclosure", "agency", "r1", "dora")) == []


async def test_a_case_file_about_it_explains_it_also_when_it_is_opened_again() -> None:
    watching = Watching()
    await watching.see(opened())
    await watching.see(explained(ONE), opened(2))
    # After a crash the same entries come again.
    await watching.see(opened())
    assert await watching.late() == 0


async def test_another_person_another_record_and_another_day_are_other_openings() -> None:
    watching = Watching()
    await watching.see(
        opened(),
        opened(2, actor="dan"),
        opened(3, record_ids=("r1", "r2")),
        opened(4, occurred_at=START + DAY),
        explained(ONE),
    )
    assert await watching.late() == 3


@pytest.mark.parametrize(
    "change",
    [
        {"roles": ("agent",)},
        {"purpose": "public_safety"},
        {"break_glass": False},
        {"outcome": "denied"},
        {"fields": ()},
    ],
)
async def test_what_is_no_opening_of_emergency_staff_is_not_waited_for(
    change: dict[str, Any],
) -> None:
    watching = Watching()
    await watching.see(opened(**change))
    assert await watching.late() == 0
