"""Fees of a case over HTTP: for its desk, and for its requester through the gateway."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from direct311.retention.api import CallerOf, Id, only_intake
from direct311.retention.case_file.charges import (
    Charge,
    ChargeLine,
    Invoice,
    PageCount,
    Payment,
    Quantities,
    WorkMinutes,
)
from direct311.retention.cases.domain import CaseFile, CaseState
from direct311.retention.charges.domain import MOST_MINUTES, MOST_PAGES
from direct311.retention.charges.handlers import Charging
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model
from direct311.schemas.model import Code

MOST_CENTS: Final = 10**9
LONGEST_RECEIPT: Final = 40
Version = Annotated[int, Field(ge=1, le=2**53 - 1, strict=True)]
Cents = Annotated[int, Field(ge=1, le=MOST_CENTS, strict=True)]
FeeCode = Annotated[Code, Field(examples=["search"])]


class WorkOrder(Model, extra="forbid"):
    """`work`: a kind of work that the county's fees know, such as `search` or `review`."""

    work: FeeCode
    minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES, strict=True)]


class PageOrder(Model, extra="forbid"):
    """`kind`: `one_sided`, `two_sided` or `certified`, as the county's fees name them."""

    kind: FeeCode
    number: Annotated[int, Field(ge=1, le=MOST_PAGES, strict=True)]


class ChargeOrder(Model, extra="forbid"):
    """How much work and how many copies. `version`: the case's, as you have seen it. `medium`:
    `electronic` or `paper`. The cents come from the county's fees."""

    version: Version
    medium: FeeCode
    work: Annotated[tuple[WorkOrder, ...], Field(max_length=20)] = ()
    pages: Annotated[tuple[PageOrder, ...], Field(max_length=20)] = ()

    def quantities(self) -> Quantities:
        """What the domain knows of it."""
        return Quantities(
            medium=self.medium,
            work=tuple(WorkMinutes(**dict(each)) for each in self.work),
            pages=tuple(PageCount(**dict(each)) for each in self.pages),
        )


class EstimateOrder(ChargeOrder):
    """`deposit_cents`: what must be paid before the work begins; without it, all."""

    deposit_cents: Cents | None = None


class InvoiceOrder(ChargeOrder):
    """What it was after all."""


class PaymentOrder(Model, extra="forbid"):
    """`receipt`: the number of the cashier's receipt. Never send the number of a card: it is
    refused."""

    receipt: Annotated[str, Field(min_length=1, max_length=LONGEST_RECEIPT)]
    cents: Cents


class EstimateView(Model):
    """`version` counts the estimates of the case; the newest one counts. `accepted_at`: when the
    requester accepted it. A line with `confirmed` false is a fee that counsel has not confirmed."""

    version: int
    charge: Charge
    deposit_cents: int | None = None
    made_by: str
    made_at: Instant
    accepted_at: Instant | None = None


class ChargesView(Model):
    """What a case costs. `version`: the case's. All money is cents of a dollar. `unpaid`: nothing
    of the case is released before this is paid."""

    case_id: str
    version: int
    state: CaseState
    estimate: EstimateView | None = None
    invoice: Invoice | None = None
    payments: tuple[Payment, ...]
    due_cents: int
    paid_cents: int
    owed_cents: int
    unpaid: bool


class EstimateQuestion(Model, extra="forbid"):
    """Any text: what cannot be a token gets the answer of a wrong one."""

    token: str


class EstimateAcceptance(EstimateQuestion):
    """`version`: the estimate's, as the requester has seen it."""

    version: Version


class RequesterEstimate(Model):
    """What the requester sees: nobody's name."""

    case_id: str
    version: int
    state: CaseState
    medium: str
    lines: tuple[ChargeLine, ...]
    total_cents: int
    deposit_cents: int | None = None
    made_at: Instant
    accepted_at: Instant | None = None
    invoice_lines: tuple[ChargeLine, ...] | None = None
    due_cents: int
    paid_cents: int
    owed_cents: int


def router(charging: Charging, desks: tuple[str, ...], caller_of: CallerOf) -> APIRouter:
    """For the desk."""
    api = APIRouter(prefix="/v1/cases/{case_id}", tags=["fees"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/charges", response_model_exclude_none=True)
    async def look(case_id: Id, caller: Annotated[Caller, who]) -> ChargesView:
        """What a case costs, and what was paid. Opens nothing."""
        require(caller, *desks)
        return _view(await charging.look(caller, case_id))

    @api.post("/estimate", response_model_exclude_none=True)
    async def estimate(
        case_id: Id, body: EstimateOrder, caller: Annotated[Caller, who]
    ) -> ChargesView:
        """Estimate what a case costs, by the county's fees. If that is nothing, the work begins;
        otherwise the case waits for the payment. May be repeated."""
        require(caller, *desks)
        return _view(
            await charging.estimate(
                caller, case_id, body.version, body.quantities(), body.deposit_cents
            )
        )

    @api.post("/invoice", response_model_exclude_none=True)
    async def invoice(
        case_id: Id, body: InvoiceOrder, caller: Annotated[Caller, who]
    ) -> ChargesView:
        """Say what a case costs after all, which is at most what was estimated. May be repeated."""
        require(caller, *desks)
        return _view(await charging.invoice(caller, case_id, body.version, body.quantities()))

    @api.post("/payments", response_model_exclude_none=True)
    async def pay(case_id: Id, body: PaymentOrder, caller: Annotated[Caller, who]) -> ChargesView:
        """Record a payment by the number of the cashier's receipt. May be repeated: a receipt
        counts once."""
        require(caller, *desks)
        return _view(await charging.pay(caller, case_id, body.receipt, body.cents))

    return api


def requester_router(charging: Charging, caller_of: CallerOf) -> APIRouter:
    """What the requester asks at the gateway; only for intake, which passes it on."""
    api = APIRouter(prefix="/internal/cases/estimate", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("", response_model_exclude_none=True)
    async def show(
        body: EstimateQuestion, caller: Annotated[Caller, who], response: Response
    ) -> RequesterEstimate:
        """What the token's case costs. Opens nothing. A wrong token and a case that does not exist
        any more get the same answer."""
        only_intake(caller)
        response.headers["Cache-Control"] = "no-store"
        return _shown(await charging.shown(body.token))

    @api.post("/acceptance", response_model_exclude_none=True)
    async def accept(
        body: EstimateAcceptance, caller: Annotated[Caller, who], response: Response
    ) -> RequesterEstimate:
        """The requester accepts the estimate. May be repeated."""
        only_intake(caller)
        response.headers["Cache-Control"] = "no-store"
        return _shown(await charging.accept(caller, body.token, body.version))

    return api


def _view(file: CaseFile) -> ChargesView:
    charges, newest = file.charges, file.charges.estimate
    return ChargesView(
        case_id=file.record_id,
        version=file.version,
        state=file.state,
        estimate=EstimateView(
            **newest.model_dump(exclude={"prepared_from"}), accepted_at=charges.accepted_at
        )
        if newest
        else None,
        invoice=charges.invoice,
        payments=charges.payments,
        due_cents=charges.due_cents,
        paid_cents=charges.paid_cents,
        owed_cents=charges.owed_cents,
        unpaid=charges.owed_cents > 0,
    )


def _shown(file: CaseFile) -> RequesterEstimate:
    charges, newest = file.charges, file.charges.estimate
    if newest is None:
        raise ValueError("a case without an estimate")
    return RequesterEstimate(
        case_id=file.record_id,
        version=newest.version,
        state=file.state,
        medium=newest.charge.quantities.medium,
        lines=newest.charge.lines,
        total_cents=newest.charge.total_cents,
        deposit_cents=newest.deposit_cents,
        made_at=newest.made_at,
        accepted_at=charges.accepted_at,
        invoice_lines=charges.invoice.charge.lines if charges.invoice else None,
        due_cents=charges.due_cents,
        paid_cents=charges.paid_cents,
        owed_cents=charges.owed_cents,
    )
