"""What somebody opened in an emergency, when nobody was there to decide, and whom they told.

Each opening gets a case file within a day; audit raises an alarm about those that have none. Where
an agency was told, an instrument has to follow, as after any request that could not wait. Where
nobody was told, the liaison looks at the file and closes it.
"""

from datetime import UTC, datetime
from hashlib import sha256

from direct311.retention.case_file.legal import (
    EXIGENT_REQUEST,
    HandOver,
    LegalProcess,
    OralDisclosure,
    Threat,
)
from direct311.retention.cases.domain import CaseFile
from direct311.retention.holds.domain import Bounds
from direct311.retention.inventory.ports import Inventory
from direct311.retention.legal_process.domain import process_of
from direct311.retention.legal_process.handlers.desk import LegalDesk, check_code
from direct311.retention.legal_process.ports import Opening
from direct311.runtime.access.openings import opening_case
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.persons import same_person
from direct311.schemas import derived_id

BY_WORD_OF_MOUTH = "oral"
"""How something is handed over that was said."""


class OralDisclosures:
    """Emergency staff explain their own openings, the desk anybody's."""

    def __init__(self, desk: LegalDesk, opening: Opening, inventory: Inventory) -> None:
        self._desk = desk
        self._opening = opening
        self._inventory = inventory

    async def record(
        self,
        caller: Caller,
        record_id: str,
        opened_by: str | None,
        opened_at: datetime,
        agency: str | None,
        threat: str | None,
        words: str,
    ) -> CaseFile:
        """Open the case file about an opening. May be repeated; there is one for what somebody
        opened of a record on a day.

        :param opened_by: the subject of who opened it; `None`: the caller.
        :param agency: whom they told; `None`: nobody outside the county.
        :param threat: what made it urgent, as a code; only where somebody was told.
        :param words: what happened and what was said; sealed.
        :raises RefusedError: somebody else opened it, the time is in the future, the inventory has
            no such record, a code is in no list, or something else was said about it before.
        """
        opened_by = opened_by or caller.sub
        at_desk = {*self._desk.work.rules.of("law_enforcement").desks} & {*caller.roles}
        if not at_desk and not same_person(opened_by, caller.sub):
            raise RefusedError("role", "The desk explains what somebody else has opened.")
        now = self._desk.work.clock.now()
        if opened_at > now:
            raise RefusedError(
                "received_at", "opened_at must not be in the future.", field="opened_at"
            )
        case_id = opening_case(opened_by, record_id, opened_at.astimezone(UTC).date())
        oral = OralDisclosure(
            record_id=record_id, opened_by=opened_by, opened_at=opened_at, agency=agency
        )
        legal = LegalProcess(oral=oral)
        if agency is not None:
            legal = self._told(case_id, legal, agency, threat, words, caller, opened_at)
        elif threat is not None:
            raise RefusedError("unlisted", "A threat is said of what was told.", field="threat")
        state = await self._desk.work.processor.read(case_id)
        if not state.exists:
            if await self._inventory.get(record_id) is None:
                raise RefusedError(
                    "unknown_record", "The inventory has no such record.", field="record_id"
                )
            state = await self._opening.open_case(
                caller,
                "law_enforcement",
                words,
                None,
                opened_at,
                bounds=Bounds(record_ids=(record_id,)),
                legal=legal,
                case_id=case_id,
            )
        known = process_of(state).oral
        if known is None or (known.opened_by, known.agency) != (opened_by, agency):
            raise RefusedError(
                "changed", "Something else was said about this opening before.", field="agency"
            )
        return state

    def _told(
        self,
        case_id: str,
        legal: LegalProcess,
        agency: str,
        threat: str | None,
        words: str,
        caller: Caller,
        at: datetime,
    ) -> LegalProcess:
        """The process of a disclosure that was made by word of mouth."""
        instrument = self._desk.instrument(EXIGENT_REQUEST)
        self._desk.check_agency(agency)
        check_code(threat or "", self._desk.rules.threats, "threat")
        stated = Threat(
            code=threat or "", stated_by=caller.sub, stated_at=self._desk.work.clock.now()
        )
        said = HandOver(
            hand_over_id=derived_id(case_id, BY_WORD_OF_MOUTH),
            agency=agency,
            how=BY_WORD_OF_MOUTH,
            sha256=sha256(words.encode()).hexdigest(),
            handed_by=legal.oral.opened_by if legal.oral else caller.sub,
            handed_at=at,
        )
        told = legal.threatened(stated, agency=agency).opened(instrument.follow_up_due(at))
        return told.handed_over(said)
