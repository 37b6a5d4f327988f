"""One-time codes: the desk reads one out at the published number of the agency that was verified.

There is no place to enter another number.
"""

from dataclasses import dataclass

from direct311.retention.case_file.deliveries import MOST_CODES, DeliveryCode
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork, Changed, check_open, check_unopposed
from direct311.retention.deliveries.domain import CODE_VALID_FOR, hash_of, new_code
from direct311.retention.deliveries.handlers.delivering import (
    check_not_recalled,
    delivery_in,
    package_in,
)
from direct311.retention.legal_process.domain import Agencies, Agency, process_of
from direct311.retention.packages.handlers.seen import at_desk
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing


@dataclass(frozen=True, slots=True)
class ToldCode:
    """A code, and at whose number it is read out. It exists only here, and then with whoever
    hears it."""

    case: CaseFile
    code: str
    agency: Agency
    told: DeliveryCode

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.agency.agency})"


class Codes:
    """:param agencies: those in force here, with their published numbers."""

    def __init__(self, work: CaseWork, agencies: Agencies) -> None:
        self._work = work
        self._agencies = agencies

    async def issue(self, caller: Caller, case_id: str, sha256: str) -> ToldCode:
        """A new code for a released package. Each call makes another one, as the one before exists
        nowhere here, and is void from then on.

        :param sha256: of the package.
        :raises RefusedError: the caller's desk has no such case, the package was not released, was
            recalled or is not encrypted, it has a receipt, an objection stands, or the agency is in
            no list.
        """
        await at_desk(self._work, caller, case_id)
        code = new_code()
        told: list[tuple[Agency, DeliveryCode]] = []

        async def decide(state: CaseFile) -> Changed:
            check_open(state)
            check_unopposed(state)
            package = package_in(state, sha256)
            if state.state != "released" or package.released_at is None:
                raise RefusedError("case_state", "The package must be released first.")
            check_not_recalled(package)
            delivery = delivery_in(state, sha256)
            if len(delivery.codes) >= MOST_CODES:
                raise RefusedError("full", f"A delivery has at most {MOST_CODES} codes.")
            agency = self._agencies.of(process_of(state).agency or "")
            if agency is None:
                raise RefusedError("agency", "There is no such agency in the list.", field="agency")
            now = self._work.clock.now()
            made = DeliveryCode(
                code_hash=hash_of(code),
                agency=agency.agency,
                list_version=self._agencies.version,
                told_by=caller.sub,
                told_at=now,
                valid_until=now + CODE_VALID_FOR,
            )
            told[:] = [(agency, made)]
            after = state.delivering(state.deliveries.with_delivery(delivery.with_code(made)))
            step = after.recorded(
                self._work.rules_of(after),
                step="code_told",
                actor=caller.sub,
                at=now,
                codes=(agency.agency,),
                hashes={"package": sha256, "delivery": delivery.sha256},
            )
            return Change(after, (Outgoing(step),))

        state = await self._work.change(case_id, decide)
        ((agency, made),) = told
        return ToldCode(state, code, agency, made)
