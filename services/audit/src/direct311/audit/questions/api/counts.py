"""`/v1/counts`, timelines and comparisons: numbers from the query index."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Request
from pydantic import Field, model_validator

from direct311.audit.question import Question
from direct311.audit.questions.api.questions import OnePerson, Reference
from direct311.audit.questions.handlers.audited_query import QueryContext
from direct311.audit.questions.handlers.count import Counting, Timeline
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.parameters import AskedInstant, in_order
from direct311.schemas import Instant, Model, RecordId

By = Literal[
    "actor",
    "purpose",
    "department",
    "day",
    "action",
    "outcome",
    "record",
    "service",
    "instance",
    "case",
]
Unit = Literal["day", "hour"]
Groups = Annotated[int, Field(ge=1, le=10_000, description="How many groups at most")]


class CountQuestion(Model, extra="forbid"):
    """`by`: one or two dimensions, or none for just the number. Days are in UTC."""

    filter: Question = Question()
    by: Annotated[tuple[By, ...], Field(max_length=2)] = ()
    reference: Reference | None = None
    limit: Groups = 1_000


class GroupCount(Model):
    """`key` is in the order of `by`; `null` if an entry has no value. `count` entries stand for
    this many `times`."""

    key: tuple[str | None, ...]
    count: int
    times: int
    first: Instant
    last: Instant


class CountAnswer(Model):
    """Matching `entries`, and how many `times` they stand for: one entry reports all identical
    refusals in a minute. The largest groups come first; `of` is the number of groups. An entry
    about several records counts in the group of each. `withheld`: exempt entries for the question's
    records and time, which no other number here includes."""

    entries: int
    times: int
    withheld: int
    by: tuple[By, ...]
    groups: tuple[GroupCount, ...]
    of: int
    access_event: str


class RecordTimelineQuestion(Model, extra="forbid"):
    """`filter` may omit `record`, which is in the URL."""

    filter: Question = Question()
    unit: Unit = "day"
    reference: Reference | None = None


class PersonTimelineQuestion(OnePerson):
    filter: Question = Question()
    unit: Unit = "day"
    reference: Reference | None = None


class TimelineBucket(Model):
    """A day (`2026-03-02`) or an hour (`2026-03-02T14`) of UTC; `count` entries stand for this many
    `times`; `by`: how many times for each actor."""

    at: str
    count: int
    times: int
    first: Instant
    last: Instant
    by: dict[str, int]


class TimelineAnswer(Model):
    record_ids: tuple[str, ...]
    entries: int
    withheld: int
    unit: Unit
    buckets: tuple[TimelineBucket, ...]
    access_event: str


class Period(Model, extra="forbid"):
    """From `since` to `until`, both included."""

    since: AskedInstant
    until: AskedInstant

    @model_validator(mode="after")
    def _forward(self) -> "Period":
        in_order(self.since, self.until)
        return self


class CompareQuestion(Model, extra="forbid"):
    """The same groups in two periods. Times in `filter` are ignored."""

    filter: Question = Question()
    by: Annotated[tuple[By, ...], Field(min_length=1, max_length=2)]
    before: Period
    after: Period
    reference: Reference | None = None
    limit: Groups = 1_000


class GroupDifference(Model):
    """`change`: `after` less `before`."""

    key: tuple[str | None, ...]
    before: int
    after: int
    change: int


class CompareAnswer(Model):
    """Counted in times: one entry may report many refusals. Totals are sums over the groups. The
    largest changes come first; `of` is the number of groups."""

    by: tuple[By, ...]
    before: int
    after: int
    withheld_before: int
    withheld_after: int
    groups: tuple[GroupDifference, ...]
    of: int
    access_event: str


def counts_router(counting: Counting, caller: Callable[[Request], Awaitable[Caller]]) -> APIRouter:
    """Each call is an event of the log, though nothing is opened."""
    router = APIRouter(prefix="/v1", tags=["numbers"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type
    Token = Annotated[str, Header(alias="authorization", include_in_schema=False)]  # noqa: N806

    @router.post("/counts")
    async def counts(who: Who, question: CountQuestion) -> CountAnswer:
        """Count the matching entries, in groups by one or two dimensions."""
        context = QueryContext(who, "POST /v1/counts", question.reference)
        found = await counting.tally(context, question.filter.filter, question.by, question.limit)
        return CountAnswer(
            entries=found.entries,
            times=found.times,
            withheld=found.withheld,
            by=question.by,
            groups=tuple(
                GroupCount(
                    key=each.key,
                    count=each.count,
                    times=each.times,
                    first=each.first,
                    last=each.last,
                )
                for each in found.groups
            ),
            of=found.of,
            access_event=found.access_event,
        )

    @router.post("/records/{record_id}/timeline")
    async def record_timeline(
        record_id: RecordId, who: Who, question: RecordTimelineQuestion
    ) -> TimelineAnswer:
        """When one record was accessed, by day or hour, and by whom."""
        context = QueryContext(who, "POST /v1/records/{record_id}/timeline", question.reference)
        query = question.filter.filter.about((record_id,))
        found = await counting.timeline(context, query, question.unit)
        return _timeline(found, question.unit)

    @router.post("/persons/timeline")
    async def person_timeline(
        who: Who, question: PersonTimelineQuestion, authorization: Token = ""
    ) -> TimelineAnswer:
        """When all of a person's records were accessed, by day or hour, and by whom. Intake
        resolves the person, which is an access there."""
        context = QueryContext(who, "POST /v1/persons/timeline", question.reference)
        found = await counting.timeline(
            context,
            question.filter.filter,
            question.unit,
            person=question.person,
            authorization=authorization,
        )
        return _timeline(found, question.unit)

    @router.post("/comparisons")
    async def compare(who: Who, question: CompareQuestion) -> CompareAnswer:
        """Compare two periods: the same groups in both, with the difference."""
        context = QueryContext(who, "POST /v1/comparisons", question.reference)
        earlier, later = question.before, question.after
        found = await counting.compare(
            context,
            question.filter.filter,
            question.by,
            (earlier.since, earlier.until),
            (later.since, later.until),
            question.limit,
        )
        return CompareAnswer(
            by=question.by,
            before=found.before,
            after=found.after,
            withheld_before=found.withheld_before,
            withheld_after=found.withheld_after,
            groups=tuple(
                GroupDifference(
                    key=each.key, before=each.before, after=each.after, change=each.change
                )
                for each in found.groups
            ),
            of=found.of,
            access_event=found.access_event,
        )

    return router


def _timeline(found: Timeline, unit: Unit) -> TimelineAnswer:
    return TimelineAnswer(
        record_ids=tuple(found.record_ids),
        entries=found.entries,
        withheld=found.withheld,
        unit=unit,
        buckets=tuple(
            TimelineBucket(
                at=each.at,
                count=each.count,
                times=each.times,
                first=each.first,
                last=each.last,
                by=dict(each.by),
            )
            for each in found.buckets
        ),
        access_event=found.access_event,
    )
