"""What a case file keeps of its fees: estimates, acceptance, invoice, payments.

Numbers, codes, times and receipt numbers alone. Money is a whole number of cents.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from direct311.schemas import Instant, Model, replaced

MOST_ESTIMATES: Final = 50
"""The most estimates in one case file."""
MOST_PAYMENTS: Final = 50
"""The most payments in one case file."""


class WorkMinutes(Model):
    """So many minutes of one kind of work."""

    work: str
    minutes: int


class PageCount(Model):
    """So many pages or copies of one kind."""

    kind: str
    number: int


class Quantities(Model):
    """What is charged for. `medium`: in which the copies go out."""

    medium: str
    work: tuple[WorkMinutes, ...] = ()
    pages: tuple[PageCount, ...] = ()


class ChargeLine(Model):
    """One line of an estimate or an invoice. `units`: pages, copies, or minutes that are charged.
    `confirmed`: counsel has confirmed the fee."""

    code: str
    citation: str
    units: int
    cents: int
    confirmed: bool = True


class Charge(Model):
    """What something costs. `fees`: the version of the county's fees by which it was computed."""

    quantities: Quantities
    lines: tuple[ChargeLine, ...]
    total_cents: int
    fees: str


class Estimate(Model):
    """What a case will cost, and what of it must be paid before the work begins. `prepared_from`:
    the version of the case that the person who made it had seen."""

    version: int
    charge: Charge
    deposit_cents: int | None = None
    made_by: str
    made_at: Instant
    prepared_from: int


class Acceptance(Model):
    """The requester accepted this version of the estimate."""

    estimate: int
    accepted_at: Instant


class Invoice(Model):
    """What the case costs after all, at most what was estimated. `prepared_from`: as in an
    estimate."""

    charge: Charge
    made_by: str
    made_at: Instant
    prepared_from: int


class Payment(Model):
    """A payment at the cashier, by the number of its receipt."""

    receipt: str
    cents: int
    recorded_by: str
    recorded_at: Instant


class CaseCharges(Model):
    """All about the fees of a case. `estimates`: oldest first; the newest one counts."""

    estimates: tuple[Estimate, ...] = ()
    acceptance: Acceptance | None = None
    invoice: Invoice | None = None
    payments: tuple[Payment, ...] = ()

    @property
    def estimate(self) -> Estimate | None:
        """The newest estimate."""
        return self.estimates[-1] if self.estimates else None

    @property
    def accepted_at(self) -> datetime | None:
        """When the requester accepted the newest estimate."""
        newest, given = self.estimate, self.acceptance
        if newest is None or given is None or given.estimate != newest.version:
            return None
        return given.accepted_at

    @property
    def due_cents(self) -> int:
        """What must be paid in all: by the invoice, and before that by the estimate."""
        if self.invoice is not None:
            return self.invoice.charge.total_cents
        return self.estimate.charge.total_cents if self.estimate else 0

    @property
    def paid_cents(self) -> int:
        """What was paid."""
        return sum(each.cents for each in self.payments)

    @property
    def owed_cents(self) -> int:
        """What is still to be paid; never below zero."""
        return max(0, self.due_cents - self.paid_cents)

    @property
    def is_begun(self) -> bool:
        """Whether enough was paid for the work to begin: the deposit, or else all."""
        deposit = self.estimate.deposit_cents if self.estimate else None
        return self.paid_cents >= (self.due_cents if deposit is None else deposit)

    @property
    def acts(self) -> Iterator[datetime]:
        """When somebody did something about it."""
        yield from (each.made_at for each in self.estimates)
        yield from (each.recorded_at for each in self.payments)
        if self.acceptance is not None:
            yield self.acceptance.accepted_at
        if self.invoice is not None:
            yield self.invoice.made_at

    def payment(self, receipt: str) -> Payment | None:
        """The payment with this receipt number."""
        return next((each for each in self.payments if each.receipt == receipt), None)

    def estimated(self, estimate: Estimate) -> "CaseCharges":
        """A copy with a new estimate. What the requester accepted before, and an invoice for it,
        count no more."""
        return replaced(self, estimates=(*self.estimates, estimate), acceptance=None, invoice=None)

    def accepted(self, at: datetime) -> "CaseCharges":
        """A copy whose newest estimate the requester accepted."""
        newest = self.estimate
        if newest is None:
            return self
        return replaced(self, acceptance=Acceptance(estimate=newest.version, accepted_at=at))

    def invoiced(self, invoice: Invoice) -> "CaseCharges":
        """A copy with this invoice."""
        return replaced(self, invoice=invoice)

    def paid(self, payment: Payment) -> "CaseCharges":
        """A copy with one more payment."""
        return replaced(self, payments=(*self.payments, payment))


class Charged(Protocol):
    """A case file, as far as its fees go."""

    @property
    def record_id(self) -> str: ...

    @property
    def charges(self) -> CaseCharges: ...


def unpaid(state: Charged) -> bool:
    """Whether something is still to be paid. Nothing of such a case is released."""
    return state.charges.owed_cents > 0


def fees_of(state: Charged) -> Mapping[str, Any]:
    """The fees of a case for its package: the same decisions give the same document. It names
    nobody, and has no times: only what was charged by which law, and what was paid."""
    charges = state.charges
    return {
        "case_id": state.record_id,
        "currency": "USD",
        "estimate": _charge(charges.estimate.charge) if charges.estimate else None,
        "invoice": _charge(charges.invoice.charge) if charges.invoice else None,
        "payments": [{"receipt": each.receipt, "cents": each.cents} for each in charges.payments],
        "due_cents": charges.due_cents,
        "paid_cents": charges.paid_cents,
        "owed_cents": charges.owed_cents,
    }


def _charge(charge: Charge) -> Mapping[str, Any]:
    return {
        "fees": charge.fees,
        "medium": charge.quantities.medium,
        "work": [each.model_dump() for each in charge.quantities.work],
        "pages": [each.model_dump() for each in charge.quantities.pages],
        "lines": [
            {
                "code": each.code,
                "citation": each.citation,
                "units": each.units,
                "cents": each.cents,
            }
            for each in charge.lines
        ],
        "total_cents": charge.total_cents,
    }
