"""When a record becomes eligible for disposition.

Retention periods are minimums (rule 1B-24.003, F.A.C.): if a date could be read two ways, the later
one counts. Eligible means that disposition may be proposed, never that anything is destroyed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

from direct311.retention.schedule.domain.schedule import FiscalYear, Item, Schedule, Trigger
from direct311.schemas import Model, replaced


class Component(Model):
    """A part of a record: its item, and when its clock started, if it has. `item` is `None` if no
    schedule covers the part. `waits_for`: what starts its clock, in words.
    """

    name: str
    item: Item | None
    trigger_on: date | None = None
    waits_for: str = "its event"

    def waiting_for(self, what: str) -> "Component":
        """A copy whose clock starts with something else."""
        return replaced(self, waits_for=what)


class Eligibility(Model):
    """When a record may be destroyed, and which part of it decides.

    `on` is the first eligible day, given only if `state` is `dated`. `waiting`: the clock has not
    started. `permanent`: never. `item` is `None` if a part without a schedule decides.
    """

    state: Literal["dated", "waiting", "permanent"]
    on: date | None
    component: str
    item: int | None
    trigger: Trigger | None
    trigger_on: date | None
    reason: str


def eligible_on(item: Item, trigger_on: date | None, fiscal_year: FiscalYear) -> date | None:
    """The first day on which a record under `item` may be destroyed; `None` if there is none, or
    not yet.

    Three fiscal years from 15 November 2024: that fiscal year ends on 30 September 2025, three more
    on 30 September 2028, eligible on 1 October 2028. An anniversary of 29 February falls on 1 March
    in a year without one.
    """
    if item.kind == "permanent" or trigger_on is None:
        return None
    if item.kind in ("until_obsolete", "as_related"):
        return trigger_on
    count = item.count or 0
    if item.kind == "days":
        return trigger_on + timedelta(days=count)
    if item.kind == "anniversary_years":
        return _years_later(trigger_on, count)
    if item.kind == "calendar_years":
        return date(trigger_on.year + count + 1, 1, 1)
    begins = date(trigger_on.year, fiscal_year.month, fiscal_year.day)
    return date(
        trigger_on.year + count + (1 if begins <= trigger_on else 0),
        fiscal_year.month,
        fiscal_year.day,
    )


def longest(components: Iterable[Component], fiscal_year: FiscalYear) -> Eligibility:
    """The eligibility of a whole record: its longest-kept part decides, and is named.

    A permanent part, or one without a schedule, outweighs one whose clock has not started, which
    outweighs every date. If dates are equal, the part named first decides.

    :raises ValueError: there are no components.
    """
    found = eligibilities(components, fiscal_year)
    if not found:
        raise ValueError("a record has at least one component")
    return max(found, key=_weight)


def eligibilities(
    components: Iterable[Component], fiscal_year: FiscalYear
) -> Sequence[Eligibility]:
    """The eligibility of each part separately."""
    return [_eligibility(component, fiscal_year) for component in components]


def components(
    name: str, items: Iterable[int], dates: Mapping[Trigger, date], schedule: Schedule
) -> Sequence[Component]:
    """A part of a record, once per item that it is kept under."""
    found = []
    for number in items:
        item = schedule.by_number(number)
        started = dates.get(item.trigger) if item and item.trigger else None
        found.append(Component(name=name, item=item, trigger_on=started))
    return found


def case_components(
    outcome: str,
    items: Iterable[int],
    dates: Mapping[Trigger, date],
    closed_on: date | None,
    schedule: Schedule,
) -> Sequence[Component]:
    """What an outcome of the work adds: its case is separate from the request and closes on its own
    day, usually later. Until that day is known, its clock has not started.

    :param dates: the request's dates.
    """
    own: dict[Trigger, date] = {key: on for key, on in dates.items() if key != "case_closed"}
    if closed_on is not None:
        own["case_closed"] = closed_on
    return [
        part.waiting_for(f"the closing of its case ({outcome})")
        if part.item is not None and part.item.trigger == "case_closed"
        else part
        for part in components(outcome, items, own, schedule)
    ]


def request_dates(received_on: date, closed_on: date | None) -> Mapping[Trigger, date]:
    """When the clocks of a service request started; days of the county's calendar.

    An incident counts as having happened when it was reported, which is never too early. The case
    that closes with the request is the request itself, for example a code violation without a
    citation.
    """
    dates: dict[Trigger, date] = {"created": received_on, "incident": received_on}
    if closed_on is not None:
        dates |= {"resolved": closed_on, "case_closed": closed_on, "completed": closed_on}
    return dates


def case_file_dates(received_on: date, closed_on: date | None) -> Mapping[Trigger, date]:
    """When the clocks of a case file started; days of the county's calendar.

    A subpoena counts as complied with on the day that its case closed, which is never too early.
    """
    dates = dict(request_dates(received_on, closed_on))
    if closed_on is not None:
        dates["complied"] = closed_on
    return dates


def _eligibility(component: Component, fiscal_year: FiscalYear) -> Eligibility:
    item = component.item
    on = eligible_on(item, component.trigger_on, fiscal_year) if item else None
    state: Literal["dated", "waiting", "permanent"]
    if item is None:
        state, reason = "permanent", "No schedule covers it; kept until one is approved."
    elif item.kind == "permanent":
        state, reason = "permanent", f"Item {item.item}: {item.worded}"
    elif on is None:
        state = "waiting"
        reason = f"Item {item.item} waits for {component.waits_for}: {item.worded}"
    else:
        state, reason = "dated", f"Item {item.item}: {item.worded}"
    return Eligibility(
        state=state,
        on=on,
        component=component.name,
        item=item.item if item else None,
        trigger=item.trigger if item else None,
        trigger_on=component.trigger_on,
        reason=reason,
    )


def _weight(each: Eligibility) -> tuple[int, date]:
    return {"dated": 0, "waiting": 1, "permanent": 2}[each.state], each.on or date.min


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
