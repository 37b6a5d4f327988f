"""What the HTTP faces of the capabilities have in common: who reads, how a page is asked for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Path, Query, Request

from direct311.retention.certificates.handlers import Certification
from direct311.retention.certificates.ports import Seal
from direct311.retention.holds.handlers.holding import Holding
from direct311.retention.holds.handlers.scopes import Scopes
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.handlers import Outcomes
from direct311.retention.inventory.ports import Inventory
from direct311.retention.review.handlers.expiry import Expiry
from direct311.retention.review.handlers.review import Review
from direct311.retention.review.ports import Dispositions
from direct311.runtime.access import reasons
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.schemas import Model, RecordId

READERS: Final = ROLES.records
CallerOf = Callable[[Request], Awaitable[Caller]]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]
Id = Annotated[RecordId, Path()]


class Reason(Model, extra="forbid"):
    reason: reasons.Reason


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the router calls."""

    inventory: Inventory
    holds: Holds
    dispositions: Dispositions
    rules: RetentionRules
    outcomes: Outcomes
    expiry: Expiry
    holding: Holding
    scopes: Scopes
    review: Review
    certification: Certification
    seal: Seal
    ids: Ids
    clock: Clock
