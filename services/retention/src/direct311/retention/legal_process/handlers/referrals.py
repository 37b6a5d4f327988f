"""The county reports by itself what looks unlawful: staff name a record and a reason."""

from typing import Final

from direct311.retention.case_file.legal import INTERNAL_REFERRAL, LegalProcess, Referral
from direct311.retention.cases.domain import CaseFile
from direct311.retention.holds.domain import Bounds
from direct311.retention.inventory.ports import Inventory
from direct311.retention.legal_process.domain import process_of
from direct311.retention.legal_process.handlers.desk import LegalDesk, check_code
from direct311.retention.legal_process.ports import Opening
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import derived_id

_REFERRALS: Final = "9a4f6f0e-70b2-5d5e-9f0d-1f7f0d3f7c52"
"""The namespace of the numbers of cases that staff open."""


class Referrals:
    """A referral is a case of the same shape. The desk and counsel decide what becomes of it; who
    referred a record sees nothing more of the case."""

    def __init__(self, desk: LegalDesk, opening: Opening, inventory: Inventory) -> None:
        self._desk = desk
        self._opening = opening
        self._inventory = inventory

    async def refer(
        self, caller: Caller, key: str, record_id: str, reason: str, words: str
    ) -> CaseFile:
        """Open a case for a record that looks unlawful. It stops the destruction of this record.

        :param key: chosen at random by the sender. The same referral under the same key opens one
            case.
        :param reason: a code.
        :param words: what looks unlawful; sealed.
        :raises RefusedError: the inventory has no such record, the code is in no list, or the key
            was used for another referral.
        """
        self._desk.instrument(INTERNAL_REFERRAL)
        check_code(reason, self._desk.rules.referrals, "reason")
        if await self._inventory.get(record_id) is None:
            raise RefusedError(
                "unknown_record", "The inventory has no such record.", field="record_id"
            )
        referral = Referral(record_id=record_id, reason=reason, referred_by=caller.sub)
        case_id = derived_id(_REFERRALS, f"{caller.sub}:{key}")
        state = await self._desk.work.processor.read(case_id)
        if not state.exists:
            state = await self._opening.open_case(
                caller,
                "law_enforcement",
                words,
                None,
                None,
                bounds=Bounds(record_ids=(record_id,)),
                legal=LegalProcess(instrument=INTERNAL_REFERRAL, referral=referral),
                case_id=case_id,
            )
        if process_of(state).referral != referral:
            raise RefusedError(
                "idempotency_key",
                "This key was used for something else; send a new key.",
                field="idempotency_key",
            )
        return state
