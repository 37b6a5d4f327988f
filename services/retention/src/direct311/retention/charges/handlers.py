"""The use cases of fees: estimate, accept, invoice, pay.

The custodian says how much work and how many copies; the cents come from the county's fees. Each
step is stored in the case file with the event that says so, in one write.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from direct311.redaction import mask_numbers
from direct311.retention.case_file.charges import (
    MOST_ESTIMATES,
    MOST_PAYMENTS,
    CaseCharges,
    Charge,
    Estimate,
    Invoice,
    Payment,
    Quantities,
)
from direct311.retention.cases.domain import CaseFile, CaseState
from direct311.retention.cases.work import (
    CaseWork,
    Changed,
    check_open,
    check_version,
    unknown_case,
)
from direct311.retention.charges.domain import Fees
from direct311.retention.charges.ports import CasesByToken
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.messaging.state import Change, Outgoing

_ON_THE_WAY: Final[dict[CaseState, tuple[CaseState, ...]]] = {
    "acknowledged": ("scoping", "estimating"),
    "scoping": ("estimating",),
    "estimating": (),
}
"""Through which states a case comes to its estimate. One that is acknowledged has its scope when
somebody can estimate it."""


class Charging:
    """Fees of public-records cases."""

    def __init__(self, work: CaseWork, fees: Fees, cases: CasesByToken) -> None:
        self._work = work
        self._fees = fees
        self._cases = cases

    async def look(self, caller: Caller, case_id: str) -> CaseFile:
        """The case at the caller's desk, with its fees. Opens nothing.

        :raises RefusedError: the caller's desk has no such case.
        """
        return await self._work.found(caller, case_id)

    async def estimate(
        self,
        caller: Caller,
        case_id: str,
        version: int,
        quantities: Quantities,
        deposit_cents: int | None,
    ) -> CaseFile:
        """Estimate what a case costs. If that is nothing, the work begins; otherwise the case waits
        for the payment. The same estimate from the same version is made once.

        :param version: the case's, as the caller has seen it.
        :param deposit_cents: what must be paid before the work begins; without it, all.
        :raises RefusedError: the caller's desk has no such case, it is closed, full or not to be
            estimated now, somebody has changed it, or the deposit is more than all.
        :raises MalformedError: the fees do not know such work, copies or medium.
        """
        await self._found(caller, case_id)
        charge = self._charge(quantities)
        if deposit_cents is not None and not 0 < deposit_cents <= charge.total_cents:
            raise RefusedError(
                "deposit", "A deposit is at most what is estimated.", field="deposit_cents"
            )

        async def decide(state: CaseFile) -> Changed:
            charges = state.charges
            newest = charges.estimate
            if newest is not None and (
                newest.prepared_from,
                newest.charge,
                newest.deposit_cents,
                newest.made_by,
            ) == (version, charge, deposit_cents, caller.sub):
                return None
            check_open(state)
            check_version(state, version)
            if len(charges.estimates) >= MOST_ESTIMATES:
                raise RefusedError("full", f"A case has at most {MOST_ESTIMATES} estimates.")
            now = self._work.clock.now()
            made = Estimate(
                version=len(charges.estimates) + 1,
                charge=charge,
                deposit_cents=deposit_cents,
                made_by=caller.sub,
                made_at=now,
                prepared_from=version,
            )
            after = _estimated(state, charges.estimated(made))
            return self._told(after, caller, "estimated", codes=(quantities.medium,))

        return await self._work.change(case_id, decide)

    async def invoice(
        self, caller: Caller, case_id: str, version: int, quantities: Quantities
    ) -> CaseFile:
        """Say what the case costs after all. That is at most what was estimated: for more, make
        another estimate. The same invoice from the same version is made once.

        :param version: the case's, as the caller has seen it.
        :raises RefusedError: the caller's desk has no such case, it is closed or was not estimated,
            somebody has changed it, or it is more than the estimate.
        :raises MalformedError: the fees do not know such work, copies or medium.
        """
        await self._found(caller, case_id)
        charge = self._charge(quantities)

        async def decide(state: CaseFile) -> Changed:
            charges, known = state.charges, state.charges.invoice
            if known is not None and (known.prepared_from, known.charge, known.made_by) == (
                version,
                charge,
                caller.sub,
            ):
                return None
            check_open(state)
            check_version(state, version)
            if charges.estimate is None:
                raise RefusedError("no_estimate", "Estimate first what the case costs.")
            if charge.total_cents > charges.estimate.charge.total_cents:
                raise RefusedError(
                    "over_estimate", "It is more than was estimated; make another estimate."
                )
            now = self._work.clock.now()
            made = Invoice(charge=charge, made_by=caller.sub, made_at=now, prepared_from=version)
            after = _begun(state.charged(charges.invoiced(made)))
            return self._told(after, caller, "invoiced", codes=(quantities.medium,))

        return await self._work.change(case_id, decide)

    async def pay(self, caller: Caller, case_id: str, receipt: str, cents: int) -> CaseFile:
        """Record a payment at the cashier. Once the deposit is paid, or all if there is none, the
        work begins. May be repeated: a receipt counts once.

        :param receipt: the number of the cashier's receipt; never of a card.
        :raises RefusedError: the caller's desk has no such case, it is closed or full, the receipt
            has another form or was recorded with another amount, or it is more than is owed.
        """
        await self._found(caller, case_id)
        self._check_receipt(receipt)

        async def decide(state: CaseFile) -> Changed:
            charges = state.charges
            known = charges.payment(receipt)
            if known is not None:
                if known.cents != cents:
                    raise RefusedError(
                        "receipt_used",
                        "This receipt was recorded with another amount.",
                        field="receipt",
                    )
                return None
            check_open(state)
            if len(charges.payments) >= MOST_PAYMENTS:
                raise RefusedError("full", f"A case has at most {MOST_PAYMENTS} payments.")
            if cents > charges.owed_cents:
                raise RefusedError("amount", "It is more than is still owed.", field="cents")
            now = self._work.clock.now()
            paid = Payment(receipt=receipt, cents=cents, recorded_by=caller.sub, recorded_at=now)
            after = _begun(state.charged(charges.paid(paid)))
            return self._told(after, caller, "paid")

        return await self._work.change(case_id, decide)

    # -- what the requester does, by the token of the case

    async def shown(self, token: str) -> CaseFile:
        """The token's case, with its estimate. Opens nothing.

        :raises RefusedError: no case has this token, or nothing was estimated.
        """
        found = await self._cases.of_token(sha256(token.encode()).hexdigest())
        if found is None:
            raise unknown_case()
        if found.charges.estimate is None:
            raise RefusedError("no_estimate", "Nothing was estimated for this case yet.")
        return found

    async def accept(self, caller: Caller, token: str, version: int) -> CaseFile:
        """The requester accepts an estimate; may be repeated.

        :param version: the estimate's, as the requester has seen it.
        :raises RefusedError: no case has this token, it is closed, nothing was estimated, or there
            is a newer estimate.
        """
        found = await self.shown(token)

        async def decide(state: CaseFile) -> Changed:
            charges = state.charges
            newest = charges.estimate
            if newest is None or newest.version != version:
                raise RefusedError(
                    "changed", "There is a newer estimate; read it again.", field="version"
                )
            if charges.accepted_at is not None:
                return None
            check_open(state)
            after = state.charged(charges.accepted(self._work.clock.now()))
            return self._told(after, caller, "estimate_accepted")

        return await self._work.change(found.record_id, decide)

    # -- rules

    async def _found(self, caller: Caller, case_id: str) -> CaseFile:
        """The case, of the kind that has fees."""
        state = await self._work.found(caller, case_id)
        if state.kind != "public_records":
            raise RefusedError("no_fees", "Only a public-records case has fees.")
        return state

    def _charge(self, quantities: Quantities) -> Charge:
        problems = [
            FieldProblem(field=field, detail=detail, code="not_a_choice")
            for field, detail in self._fees.unknown(quantities)
        ]
        if problems:
            raise MalformedError(problems)
        return self._fees.charge(quantities)

    def _check_receipt(self, receipt: str) -> None:
        """Neither refusal repeats the number."""
        if mask_numbers(receipt)[1]:
            raise RefusedError(
                "card_number",
                "Never enter the number of a card or an account; enter the cashier's receipt.",
                field="receipt",
            )
        if not self._fees.is_receipt(receipt):
            raise RefusedError(
                "receipt", "This is not the form of a cashier's receipt number.", field="receipt"
            )

    def _told(
        self, after: CaseFile, caller: Caller, step: str, codes: Sequence[str] = ()
    ) -> Change[CaseFile]:
        """The case with its event, which has the sums."""
        event = after.recorded(
            self._work.rules_of(after),
            step=step,
            actor=caller.sub,
            at=self._work.clock.now(),
            codes=codes,
            counts=_sums(after.charges),
        )
        return Change(after, (Outgoing(event),))


def _sums(charges: CaseCharges) -> dict[str, int]:
    return {
        "estimates": len(charges.estimates),
        "due_cents": charges.due_cents,
        "paid_cents": charges.paid_cents,
    }


def _estimated(state: CaseFile, charges: CaseCharges) -> CaseFile:
    """The case with this estimate, in the state that follows from it."""
    after = state.charged(charges)
    if state.state != "awaiting_payment":
        if state.state not in _ON_THE_WAY:
            raise RefusedError("case_state", "The state of the case does not allow an estimate.")
        for each in _ON_THE_WAY[state.state]:
            after = after.entering(each)
        if not charges.is_begun:
            return after.entering("awaiting_payment")
    return after.entering("collecting") if charges.is_begun else after


def _begun(state: CaseFile) -> CaseFile:
    """The case, at work if it waited for a payment and enough was paid."""
    if state.state == "awaiting_payment" and state.charges.is_begun:
        return state.entering("collecting")
    return state
