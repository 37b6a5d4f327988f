"""What follows from the schedule for a record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from direct311.retention.record import InventoryRecord
from direct311.retention.schedule.domain import clocks
from direct311.retention.schedule.domain.clocks import Component, Eligibility
from direct311.retention.schedule.domain.schedule import Assignments, Schedule

CLOCKS: Final = 2
"""The version of the clock rules: a new number makes every record be determined again. 2: an
outcome's case closes on its own day."""

CASE_SERIES: Final = ("public_records_case", "subpoena")
"""The series of the assignments that every case file is kept under, whatever its kind: its dates
must not tell whether it contains a subpoena."""


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """Schedule, assignments and the county's time zone."""

    schedule: Schedule
    assignments: Assignments
    timezone: tzinfo

    @property
    def version(self) -> str:
        schedule = self.schedule
        return (
            f"{schedule.schedule} {schedule.version}, "
            f"assignments {self.assignments.version}, clocks {CLOCKS}"
        )

    def day(self, at: datetime) -> date:
        """The day of the county's calendar on which `at` falls."""
        return at.astimezone(self.timezone).date()

    def title(self, item: int) -> str:
        """The series title of an item, also of one that is switched off."""
        found = (each.title for each in self.schedule.items if each.item == item)
        return next(found, "")

    def is_case(self, outcome: str) -> bool:
        """Whether an outcome is kept from the closing of its own case."""
        items = map(self.schedule.by_number, self.assignments.items_of_outcome(outcome))
        return any(item is not None and item.trigger == "case_closed" for item in items)

    def components(self, record: InventoryRecord) -> Sequence[Component]:
        """The parts that a record is kept for: the request or case file itself, then the outcomes
        of its work. Empty if it is not known yet what was requested.
        """
        items = self._items(record)
        if items is None or record.received_at is None:
            return ()
        closed_on, received_on = self._closed_on(record), self.day(record.received_at)
        if record.case_file:
            dates = clocks.case_file_dates(received_on, closed_on)
            found = [*clocks.components("case_file", items, dates, self.schedule)]
        else:
            dates = clocks.request_dates(received_on, closed_on)
            found = [*clocks.components("request", items, dates, self.schedule)]
        if not found:
            # The assignments lack the series.
            found = [Component(name="case_file", item=None)]
        for outcome in record.outcomes:
            found += clocks.case_components(
                outcome,
                self.assignments.items_of_outcome(outcome),
                dates,
                record.outcomes_closed_on.get(outcome),
                self.schedule,
            )
        return found

    def _items(self, record: InventoryRecord) -> tuple[int, ...] | None:
        """The items of the record itself; `None` if it is not known yet what was requested."""
        if record.case_file:
            return self.assignments.items_of_series(*CASE_SERIES)
        if record.service_code is None:
            return None
        return self.assignments.items_of_type(record.service_code)

    def parts(self, record: InventoryRecord) -> Sequence[Eligibility]:
        """When each component of a record may be destroyed, or what it waits for; empty once
        destruction is ordered."""
        found = self.components(record) if record.open_to_change else ()
        return clocks.eligibilities(found, self.schedule.fiscal_year_begins)

    def _closed_on(self, record: InventoryRecord) -> date | None:
        closed = [at for at in (record.closed_at, record.restarted_at) if at is not None]
        return self.day(max(closed)) if record.closed_at else None

    def determined(self, record: InventoryRecord) -> InventoryRecord:
        """The record with what the rules say about it now.

        An open request, or one with an open case, is never eligible. If items or date have changed,
        the record goes back to the start of its disposition.
        """
        own = self._items(record)
        if not record.open_to_change or own is None or record.received_at is None:
            return record
        added = map(self.assignments.items_of_outcome, record.outcomes)
        items = tuple(dict.fromkeys((*own, *(item for each in added for item in each))))
        closed_on = self._closed_on(record)
        found = clocks.longest(self.components(record), self.schedule.fiscal_year_begins)
        return record.determined(
            items=items,
            decided_by=found.item,
            trigger=found.trigger,
            trigger_on=found.trigger_on if closed_on else None,
            eligible_on=found.on if closed_on else None,
            reason=found.reason,
            schedule_version=self.version,
        )
