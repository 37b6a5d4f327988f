"""Unusual volume raises one alarm a window, tells nothing personal, and survives a restart."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from direct311.audit.entry import Facts
from direct311.audit.index_row import EntrySummary
from direct311.audit.monitoring.adapters.rules_file import load_volume_rules
from direct311.audit.monitoring.domain.volume import VolumeRule
from direct311.audit.monitoring.handlers.volume import Volume
from direct311.runtime.datafile import DataFileError, packaged
from direct311.schemas import events as ev
from tests.support.data_files import changed, entry
from tests.support.runtime import SetClock
from tests.unit.audit.events import START
from tests.unit.audit.fakes import InMemoryAlarms, InMemoryLog

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
RULES = {rule.rule: rule for rule in load_volume_rules().content.rules}


def facts(
    number: int,
    *,
    actor: str = "maria",
    records: tuple[str, ...] = (),
    action: str = "view",
    outcome: str = "success",
    query: str | None = None,
    roles: tuple[str, ...] = ("agent",),
    at: datetime = START,
    count: int = 1,
) -> Facts:
    return Facts(
        event_id=f"event-{number}",
        event="pii.accessed",
        service="intake",
        record_ids=records,
        actor=actor,
        roles=roles,
        action=action,
        outcome=outcome,
        occurred_at=at,
        query=query,
        count=count,
    )


class Seen(InMemoryLog):
    """A log of facts alone."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[EntrySummary] = []

    async def summaries(self, start: int, end: int) -> Sequence[EntrySummary]:
        return self.seen[start:end]

    async def first_logged(self, at: datetime, size: int) -> int:
        return next((s.index for s in self.seen[:size] if s.logged_at >= at), size)


class VolumeAudit:
    def __init__(self, *rules: str, alarm: int = 3) -> None:
        self.rules = [RULES[name].model_copy(update={"alarm": alarm}) for name in rules]
        self.log, self.alarms, self.clock = Seen(), InMemoryAlarms(), SetClock(START)
        self.start()

    def start(self) -> None:
        self.volume = Volume(self.rules, self.alarms, self.log, self.clock)

    async def see(self, *shown: Facts) -> None:
        first = len(self.log.seen)
        new = [EntrySummary(first + i, f.event_id, f.occurred_at, f) for i, f in enumerate(shown)]
        self.log.seen += new
        await self.volume.see(new)


@pytest.mark.policy("P21")
async def test_one_who_opens_many_records_raises_one_alarm_an_hour() -> None:
    audit = VolumeAudit("many-records-by-one")
    for number in range(9):
        await audit.see(facts(number, records=(f"r{number}",)))
    assert audit.alarms.raised == [("unusual_volume", f"maria {START:%Y-%m-%dT%H}")]
    audit.clock.at = START + HOUR
    await audit.see(*(facts(n, records=(f"r{n}",), at=START + HOUR) for n in range(9, 14)))
    assert len(audit.alarms.raised) == 2


async def test_the_same_record_again_is_one_record() -> None:
    audit = VolumeAudit("many-records-by-one")
    await audit.see(*(facts(number, records=("r1",)) for number in range(20)))
    assert audit.alarms.raised == []


async def test_what_is_older_than_the_window_does_not_count() -> None:
    audit = VolumeAudit("many-records-by-one")
    for number in range(9):
        at = START + number * HOUR * 0.6
        audit.clock.at = at
        await audit.see(facts(number, records=(f"r{number}",), at=at))
    assert audit.alarms.raised == []


async def test_services_refusals_and_other_actions_do_not_count() -> None:
    audit = VolumeAudit("many-records-by-one")
    for number in range(9):
        records = (f"r{number}",)
        await audit.see(
            facts(number, records=records, roles=("service",)),
            facts(number, records=records, outcome="denied"),
            facts(number, records=records, action="search"),
        )
    assert audit.alarms.raised == []


@pytest.mark.policy("P21")
async def test_one_person_who_is_looked_up_by_many_alarms_without_a_hash() -> None:
    audit = VolumeAudit("one-person-by-many")
    await audit.see(
        *(facts(n, actor=f"agent-{n}", action="search", query="hash-of-query") for n in range(3))
    )
    ((kind, about),) = audit.alarms.raised
    assert (kind, about.split()[0]) == ("unusual_volume", "event-2")
    assert "hash" not in about
    await audit.see(*(facts(n, action="search", query="other") for n in range(3, 9)))
    assert len(audit.alarms.raised) == 1


async def test_refusals_of_one_person_alarm() -> None:
    audit = VolumeAudit("many-refusals")
    await audit.see(*(facts(number, outcome="denied") for number in range(3)))
    assert [kind for kind, _ in audit.alarms.raised] == ["unusual_volume"]


async def test_one_entry_of_many_refusals_alarms_as_many_do() -> None:
    audit = VolumeAudit("many-refusals")
    await audit.see(facts(0, outcome="denied", count=2))
    assert audit.alarms.raised == []
    await audit.see(facts(1, outcome="denied", count=900))
    assert [kind for kind, _ in audit.alarms.raised] == ["unusual_volume"]


async def test_a_restart_forgets_no_count_and_raises_nothing_again() -> None:
    audit = VolumeAudit("many-records-by-one")
    await audit.see(*(facts(n, records=(f"r{n}",)) for n in range(2)))
    audit.start()
    await audit.see(facts(2, records=("r2",)))
    assert len(audit.alarms.raised) == 1
    audit.start()
    audit.alarms.raised.clear()
    await audit.see(facts(3, records=("r3",)))
    assert audit.alarms.raised == []


async def test_what_another_copy_saw_meanwhile_counts() -> None:
    audit = VolumeAudit("many-records-by-one", alarm=6)
    one = audit.volume
    await audit.see(*(facts(n, records=(f"r{n}",)) for n in range(2)))
    audit.start()
    await audit.see(*(facts(n, records=(f"r{n}",)) for n in range(2, 5)))
    assert audit.alarms.raised == []
    audit.volume = one
    await audit.see(facts(5, records=("r5",)))
    assert [kind for kind, _ in audit.alarms.raised] == ["unusual_volume"]
    assert len(one._counts["many-records-by-one"]["maria"].values) == 6


async def test_an_alarm_that_could_not_be_raised_is_raised_with_the_same_entries_again() -> None:
    audit = VolumeAudit("many-records-by-one")
    shown = [facts(n, records=(f"r{n}",)) for n in range(3)]
    audit.alarms.down = True
    with pytest.raises(ConnectionRefusedError):
        await audit.see(*shown)
    audit.alarms.down = False
    await audit.volume.see(audit.log.seen)
    assert [kind for kind, _ in audit.alarms.raised] == ["unusual_volume"]


async def test_subjects_of_the_past_are_forgotten() -> None:
    audit = VolumeAudit("many-records-by-one")
    await audit.see(*(facts(n, actor=f"a{n}", records=("r",)) for n in range(50)))
    audit.clock.at = START + 2 * HOUR
    await audit.see(facts(50, actor="new", records=("r",), at=audit.clock.at))
    (counts,) = audit.volume._counts.values()
    assert list(counts) == ["new"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"by": "record", "counts": "record"}, ("many-records-by-one", "counts")),
        ({"window": "PT1S"}, ("many-records-by-one", "window")),
        ({"alarm": 1}, ("many-records-by-one", "alarm")),
        ({"by": "name"}, ("many-records-by-one", "by")),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], problem: tuple[str, str]
) -> None:
    def edit(tree: dict[str, Any]) -> None:
        entry(tree, "rules", "rule", "many-records-by-one").update(change)

    path = changed(packaged("direct311.audit", "volume.yaml"), tmp_path, edit)
    with pytest.raises(DataFileError) as refused:
        load_volume_rules(path)
    assert problem in [each[:2] for each in refused.value.problems]


def test_a_rule_is_what_the_file_says() -> None:
    assert isinstance(RULES["many-records-by-one"], VolumeRule)
    assert RULES["many-records-by-one"].window == HOUR


@pytest.mark.parametrize("act", get_args(ev.RecordAct))
async def test_a_day_full_of_acts_raises_no_alarm(act: ev.RecordAct) -> None:
    """A custodian may hold or propose thousands of records; nothing of them is opened."""
    alarms = InMemoryAlarms()
    log, clock = InMemoryLog(), SetClock(START)
    volume = Volume(RULES.values(), alarms, log, clock)
    ids = tuple(f"r{number}" for number in range(100))
    found = [
        facts(number, actor="carla", records=ids, action=act, roles=("custodian",))
        for number in range(50)
    ]
    await volume.see(
        [EntrySummary(index, each.event_id, START, each) for index, each in enumerate(found)]
    )
    assert alarms.raised == []
