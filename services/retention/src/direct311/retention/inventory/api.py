"""Records of the inventory over HTTP, and the outcomes of their work."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.retention.api import READERS, CallerOf, Id
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.handlers import SAYERS, Outcomes
from direct311.retention.inventory.ports import Inventory
from direct311.retention.record import Held, InventoryRecord, Receipt, Said, Stage
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import GivenDay
from direct311.schemas import Instant, Model, OnDate

COUNTERS: Final = ROLES.record_counts


class Outcome(Model, extra="forbid"):
    """The outcome of the work, in the words of the assignments. `closed_on`: when its case
    (hearing, citation, suit) was closed, or the time for its appeal expired; if omitted, the case
    is open, or as stated before. `null`: open again."""

    outcome: Annotated[str, Field(max_length=60)]
    closed_on: GivenDay | None = None


class ComponentView(Model):
    """A part of a record under one item: the `request` or `case_file`, or an outcome by its name.
    `waiting`: its clock has not started, and `reason` says what it waits for."""

    component: str
    item: int | None = None
    state: Literal["dated", "waiting", "permanent"]
    trigger: str | None = None
    trigger_on: OnDate | None = None
    eligible_on: OnDate | None = None
    reason: str


class RecordView(Model):
    """The state of a record. `reason` says why it is kept this long; `decided_by` is the item that
    decides, absent if nothing is scheduled. `components`: all the parts that count, until
    destruction is ordered; a waiting or permanent part keeps the record whatever the others say.
    `outcomes_said`: who reported an outcome, or the closing of its case, newest last. Days are in
    the county's calendar."""

    record_id: str
    version: int
    state: Stage
    case_file: bool = False
    service_code: str | None = None
    municipality: str | None = None
    department: str | None = None
    status: str | None = None
    outcomes: tuple[str, ...]
    outcomes_closed_on: Mapping[str, OnDate]
    outcomes_said: tuple[Said, ...]
    received_at: Instant | None = None
    closed_at: Instant | None = None
    media_files: int
    media_bytes: int
    known_holders: tuple[str, ...]
    items: tuple[int, ...]
    decided_by: int | None = None
    trigger: str | None = None
    trigger_on: OnDate | None = None
    eligible_on: OnDate | None = None
    reason: str | None = None
    components: tuple[ComponentView, ...]
    schedule_version: str | None = None
    holds: tuple[Held, ...]
    order_id: str | None = None
    ordered_at: Instant | None = None
    receipts: tuple[Receipt, ...]
    certificate_id: str | None = None


class CountsView(Model):
    """Requests in the inventory by state; destroyed ones stay in it. Case files do not count."""

    total: int
    counts: Mapping[str, int]


def router(
    inventory: Inventory, outcomes: Outcomes, rules: RetentionRules, ids: Ids, caller_of: CallerOf
) -> APIRouter:
    """One record, and counts."""
    api = APIRouter(prefix="/v1", tags=["records"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/records/{record_id}", response_model_exclude_none=True)
    async def record(record_id: Id, caller: Annotated[Caller, who]) -> RecordView:
        """One record of the inventory: items, trigger, eligible date, holds, state."""
        require(caller, *READERS)
        found = await inventory.get(record_id)
        if found is None:
            raise RefusedError("unknown_record", "The inventory has no such record.")
        return record_view(found, rules)

    @api.post("/records/{record_id}/outcomes", response_model_exclude_none=True)
    async def outcome(record_id: Id, body: Outcome, caller: Annotated[Caller, who]) -> RecordView:
        """Report the outcome of the work (a citation, a hearing, an incident): adds its items.
        Report it again with `closed_on` once its case is closed: until then the record waits. An
        inspector may do this for records of their own department."""
        require(caller, *SAYERS, "inspector")
        reopened = "closed_on" in body.model_fields_set and body.closed_on is None
        found = await outcomes.add(
            caller, record_id, body.outcome, ids.new(), body.closed_on, reopened=reopened
        )
        return record_view(found, rules)

    @api.get("/counts")
    async def counts(caller: Annotated[Caller, who]) -> CountsView:
        """How many records the inventory has in which state."""
        require(caller, *COUNTERS)
        found = await inventory.count()
        return CountsView(total=sum(found.values()), counts=dict(found))

    return api


def record_view(record: InventoryRecord, rules: RetentionRules) -> RecordView:
    """A record in the form in which it is shown."""
    known = record.model_dump(exclude={"holds", "stage"})
    parts = tuple(
        ComponentView(**part.model_dump(exclude={"on"}), eligible_on=part.on)
        for part in rules.parts(record)
    )
    return RecordView(**known, state=record.stage, components=parts, holds=record.held_by)
