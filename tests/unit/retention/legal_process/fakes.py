"""The desk for law enforcement without servers, and the way of a case to its scope."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from direct311.retention.case_file.legal import LegalScope
from direct311.retention.cases.domain import CaseFile
from direct311.retention.legal_process.adapters import load_agencies, load_instruments
from direct311.retention.legal_process.domain import LegalDoor
from direct311.retention.legal_process.handlers.custody import Custody
from direct311.retention.legal_process.handlers.desk import LegalDesk
from direct311.retention.legal_process.handlers.follow_ups import FollowUps
from direct311.retention.legal_process.handlers.oral import OralDisclosures
from direct311.retention.legal_process.handlers.referrals import Referrals
from direct311.retention.legal_process.handlers.scopes import Scopes
from direct311.retention.legal_process.handlers.secrecy import Secrecy
from direct311.retention.legal_process.handlers.verification import CallMade, Verification
from direct311.runtime.access.rules import Caller
from tests.support.memory import InMemoryRecords
from tests.unit.retention.cases.fakes import CaseDeskUnderTest

LARS = Caller("lars", ("liaison",))
COLE = Caller("cole", ("counsel",))
OLGA = Caller("olga", ("records_officer",))
DORA = Caller("dora", ("emergency",))
CARLA = Caller("carla", ("custodian",))
AGENCY = "sample_police"
WARRANT = b"a warrant"
HASH = sha256(WARRANT).hexdigest()


class InMemoryLegalCases:
    """`LegalCases` over case files in a dictionary."""

    def __init__(self, records: InMemoryRecords[CaseFile]) -> None:
        self._records = records

    async def awaiting_follow_up(self, due_by: datetime, limit: int) -> Sequence[str]:
        found = [
            (each.legal.follow_up_due_at, each.record_id)
            for each in self._records.states()
            if each.legal is not None
            and each.legal.follow_up_due_at is not None
            and each.legal.follow_up_due_at <= due_by
            and each.legal.follow_up is None
            and each.lifecycle == "active"
        ]
        return [case_id for _, case_id in sorted(found)][:limit]


class LegalOffice:
    """Everything that the liaison does."""

    def __init__(self, county: CaseDeskUnderTest) -> None:
        self.county = county
        fields = [each.field for each in county.policy.rules.fields]
        self.rules = load_instruments(fields=fields, local=True)
        self.agencies = load_agencies(local=True)
        self.desk = LegalDesk(county.work, self.rules, self.agencies, LegalDoor(self.rules))
        self.verification = Verification(self.desk)
        self.scopes = Scopes(self.desk)
        self.secrecy = Secrecy(self.desk)
        self.custody = Custody(self.desk)
        self.referrals = Referrals(self.desk, county.desk, county.retention.inventory)
        self.oral = OralDisclosures(self.desk, county.desk, county.retention.inventory)
        self.follow_ups = FollowUps(
            InMemoryLegalCases(county.files),
            county.preservation,
            county.retention.holds,
            county.clock,
        )

    def case(self, case_id: str) -> CaseFile:
        return self.county.files.state(case_id)

    async def opened(self) -> str:
        """A case of law enforcement with a warrant in its file."""
        opened = await self.county.desk.open_case(LARS, "law_enforcement", "words", None, None)
        await self.deposited(opened.record_id)
        return opened.record_id

    async def deposited(self, case_id: str, content: bytes = WARRANT) -> str:
        digest = sha256(content).hexdigest()
        await self.county.desk.deposit(LARS, case_id, "instrument", digest, content)
        return digest

    async def called(self, case_id: str, subject: Any = "instrument", **said: Any) -> CaseFile:
        given: dict[str, Any] = {
            "version": self.case(case_id).version,
            "subject": subject,
            "instrument": "warrant",
            "agency": AGENCY,
            "outcome": "confirmed",
            "document": None if subject == "officer" else HASH,
        }
        made = CallMade(**(given | said))
        return await self.verification.called_back(LARS, case_id, made)

    async def verified(self, case_id: str) -> None:
        if self.case(case_id).document(HASH) is None:
            await self.deposited(case_id)
        await self.called(case_id)
        await self.called(case_id, "officer")

    async def scope(
        self,
        case_id: str,
        granted: LegalScope,
        asked: LegalScope | None = None,
        by: Caller = LARS,
    ) -> CaseFile:
        version = self.case(case_id).version
        return await self.scopes.scope(by, case_id, version, asked, granted)

    async def scoped(self, case_id: str, scope: LegalScope) -> None:
        """The case after its warrant was verified and this was granted."""
        await self.verified(case_id)
        await self.scope(case_id, scope, scope)
