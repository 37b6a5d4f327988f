"""`POST /v1/breach-notices`: tells reporters of a breach of security."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from direct311.intake.api_types import CallerOf
from direct311.intake.breach_notices.domain import (
    MOST_RECORDS,
    BreachNotice,
    Outcome,
    ReachedRecord,
)
from direct311.intake.breach_notices.handlers import SendBreachNotices
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import GivenDay
from direct311.schemas import Model, RecordId

FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class ReachedOrder(Model, extra="forbid"):
    """A record and the sealed fields of it that were reached, as the scope of the breach has
    them."""

    record_id: RecordId
    fields: Annotated[tuple[FieldName, ...], Field(max_length=100)] = ()


class BreachNoticeOrder(Model, extra="forbid"):
    """`notice_id`: which breach, such as the `access_event` of the question about its scope; always
    the same for the same breach. `began_on`, `ended_on`: the days of the breach."""

    notice_id: RecordId
    began_on: GivenDay
    ended_on: GivenDay
    records: Annotated[tuple[ReachedOrder, ...], Field(min_length=1, max_length=MOST_RECORDS)]

    @model_validator(mode="after")
    def _in_order(self) -> "BreachNoticeOrder":
        if self.ended_on < self.began_on:
            raise PydanticCustomError("invalid", "ended_on must not be before began_on.")
        return self


class ToldRecord(Model):
    """`no_email`: tell this person by mail. `later`: the mail relay does not answer now; send the
    same call again. `undeliverable`: the relay refused the address. `unknown`: there is no such
    request any more."""

    record_id: str
    outcome: Outcome


class BreachNoticeAnswer(Model):
    """One line for each record, in the given order, and how many have each outcome."""

    notice_id: str
    told: tuple[ToldRecord, ...]
    counts: Mapping[str, int]


def breach_notices_router(send: SendBreachNotices, caller_of: CallerOf) -> APIRouter:
    """For counsel."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/breach-notices")
    async def breach_notices(
        caller: Annotated[Caller, who], order: BreachNoticeOrder
    ) -> BreachNoticeAnswer:
        """Tell the reporters of these requests by e-mail that information in their request was, or
        may have been, accessed (section 501.171(4), F.S.). No address is shown; each opening is an
        entry of the log. The same call may be repeated: what was sent is not sent again."""
        require(caller, *ROLES.breach_notices)
        records = [ReachedRecord(each.record_id, each.fields) for each in order.records]
        notice = BreachNotice(order.notice_id, order.began_on, order.ended_on, records)
        told = await send(caller, notice)
        counts: dict[str, int] = {}
        for each in told:
            counts[each.outcome] = counts.get(each.outcome, 0) + 1
        return BreachNoticeAnswer(
            notice_id=order.notice_id,
            told=tuple(ToldRecord(record_id=each.record_id, outcome=each.outcome) for each in told),
            counts=counts,
        )

    return api
