"""The case desk's ports in memory, held to the same contract as the real ones, and the desk."""

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from direct311.retention.case_file.packages import build_name
from direct311.retention.cases.adapters import load_case_rules
from direct311.retention.cases.domain import CaseFile, CaseKind
from direct311.retention.cases.handlers import (
    CaseDesk,
    DestroyCase,
    Filing,
    PublicSubmissions,
    disposition_handlers,
)
from direct311.retention.cases.work import CaseWork
from direct311.retention.correspondence.handlers import Corresponding
from direct311.retention.holds.domain import ProvisionalHold
from direct311.retention.holds.handlers.scopes import Scopes
from direct311.retention.inventory.handlers import CaseFiles, Inventorying
from direct311.retention.preservation.adapters import load_business_days
from direct311.retention.preservation.handlers import Preservation
from direct311.retention.record import ReleasedWith
from direct311.retention.scoping.handlers import Scoping
from direct311.runtime.disposition import Destroyer
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.storage.objects import MissingObjectError
from tests.support.memory import InMemoryRecords
from tests.support.service_under_test import ServiceUnderTest
from tests.unit.retention.fakes import RetentionUnderTest


class InMemoryCases:
    """`Cases`, and the certificates' `Releases`, over case files in a dictionary."""

    def __init__(self, records: InMemoryRecords[CaseFile]) -> None:
        self._records = records

    def _active(self) -> list[CaseFile]:
        found = [each for each in self._records.states() if each.lifecycle == "active"]
        return sorted(found, key=lambda each: each.record_id)

    async def released_with(self, record_ids: Sequence[str]) -> Sequence[tuple[str, ReleasedWith]]:
        return [
            (record_id, ReleasedWith(case_id=each.record_id, package=package))
            for each in self._records.states()
            for record_id, package in each.packages.went_out_in.items()
            if record_id in record_ids
        ]

    async def page(
        self, kinds: Collection[CaseKind], after: str | None, limit: int
    ) -> Sequence[CaseFile]:
        return [
            each
            for each in self._active()
            if each.kind in kinds and (after is None or each.record_id > after)
        ][:limit]

    async def submitted(self, mark: str) -> CaseFile | None:
        kept = ((each, each.public_receipt) for each in self._records.states())
        return next((each for each, receipt in kept if receipt and receipt.mark == mark), None)

    async def of_token(self, token_hash: str) -> CaseFile | None:
        kept = ((each, each.public_receipt) for each in self._active())
        return next(
            (each for each, receipt in kept if receipt and token_hash in receipt.token_hashes), None
        )

    async def released(
        self, since: datetime | None, until: datetime | None, first: str | None, limit: int
    ) -> Sequence[CaseFile]:
        return [
            case
            for case in self._active()
            if (first is None or case.record_id >= first)
            and any(
                (since is None or at >= since) and (until is None or at < until)
                for at in (each.released_at for each in case.packages.packages)
                if at is not None
            )
        ][:limit]

    async def unfiled(self, limit: int) -> Sequence[CaseFile]:
        return [each for each in self._active() if each.unfiled][:limit]


class InMemoryDocuments:
    """`SealedDocuments` in a dictionary, with every version."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], list[bytes]] = {}
        self.written: dict[tuple[str, str], datetime] = {}
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def put(self, case_id: str, sha256: str, sealed: bytes) -> None:
        self.versions.setdefault((case_id, sha256), []).append(sealed)
        self.written[case_id, sha256] = self.now()

    async def get(self, case_id: str, sha256: str) -> bytes:
        try:
            return self.versions[case_id, sha256][-1]
        except KeyError:
            raise MissingObjectError("no such object") from None

    async def remove(self, case_id: str, name: str) -> None:
        for key in [key for key in self.versions if key[0] == case_id and key[1].startswith(name)]:
            del self.versions[key]

    async def builds_of_shard(self, shard: int, older_than: datetime) -> Sequence[tuple[str, str]]:
        newest: dict[tuple[str, str], datetime] = {}
        for case_id, name in self.versions:
            folder, _, piece = name.removeprefix(build_name("")).partition("/")
            in_shard = int(sha256(case_id.encode()).hexdigest()[:2], 16) == shard
            if in_shard and piece and name.startswith(build_name("")):
                at = self.written[case_id, name]
                newest[case_id, folder] = max(newest.get((case_id, folder), at), at)
        return sorted(build for build, at in newest.items() if at < older_than)

    async def remove_all(self, case_id: str) -> tuple[int, int]:
        gone = [key for key in self.versions if key[0] == case_id]
        removed = [version for key in gone for version in self.versions.pop(key)]
        return len(removed), sum(map(len, removed))


class InMemoryPreservingCases:
    """`PreservingCases` over case files in a dictionary."""

    def __init__(self, records: InMemoryRecords[CaseFile]) -> None:
        self._records = records

    async def standing(self) -> Mapping[str, ProvisionalHold]:
        return {
            each.record_id: each.provisional
            for each in self._records.states()
            if each.provisional is not None and each.provisional.standing
        }

    async def standing_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        return {key: each for key, each in (await self.standing()).items() if key in case_ids}

    async def unfinished(self, limit: int) -> Sequence[str]:
        return [
            each.record_id
            for each in self._records.states()
            if each.suit == "filing"
            or (each.provisional is not None and each.provisional.state in ("placing", "ending"))
        ][:limit]

    async def sued(self) -> Sequence[str]:
        return [each.record_id for each in self._records.states() if each.suit == "filed"]

    async def unbounded(self, limit: int, kinds: Collection[CaseKind] | None) -> Sequence[CaseFile]:
        found = [
            each
            for each in self._records.states()
            if each.provisional is not None
            and each.provisional.standing
            and each.provisional.bounds is None
            and (kinds is None or each.kind in kinds)
        ]
        return sorted(found, key=lambda each: each.record_id)[:limit]

    async def awaited(self, limit: int, kinds: Collection[CaseKind]) -> Sequence[CaseFile]:
        found = [
            each
            for each in self._records.states()
            if each.lifecycle == "active" and each.kind in kinds and each.awaits_the_county
        ]
        return sorted(found, key=lambda each: each.record_id)[:limit]

    async def of_kinds(
        self, case_ids: Collection[str], kinds: Collection[CaseKind]
    ) -> Collection[str]:
        return {
            each.record_id
            for each in self._records.states()
            if each.record_id in case_ids and each.kind in kinds
        }


class CaseDeskUnderTest(ServiceUnderTest):
    """The case desk without servers, and the inventory in which its files are records."""

    def __init__(
        self,
        retention: RetentionUnderTest | None = None,
        files: InMemoryRecords[CaseFile] | None = None,
        signer: Signer | None = None,
    ) -> None:
        self.retention = retention or RetentionUnderTest()
        super().__init__("retention", clock=self.retention.clock, signer=signer)
        self.files: InMemoryRecords[CaseFile] = files or InMemoryRecords()
        self.documents = InMemoryDocuments()
        self.rules = load_case_rules()
        self.processor = self.processor_of(self.files, CaseFile, disposition_handlers())
        cases = InMemoryCases(self.files)
        self.woken = 0
        self.preserving_cases = InMemoryPreservingCases(self.files)
        self.retention.holds.provisional = self.preserving_cases
        self.preservation = Preservation(
            self.processor,
            self.preserving_cases,
            self.rules,
            self.retention.processor,
            self.retention.inventory,
            self.retention.dispositions,
            self.retention.holds,
            self.retention.holding,
            Scopes(self.retention.inventory, self.retention.rules.assignments),
            load_business_days(),
            ZoneInfo("America/New_York"),
            self.clock,
            self.ids,
        )
        self.work = CaseWork(self.processor, self.vault, self.rules, self.clock, self.ids)
        shelved = Inventorying(self.retention.rules, self.retention.holds, self.clock)
        self.shelf = CaseFiles(self.retention.processor, shelved, self.ids)
        self.filing = Filing(self.work, cases, self.shelf)
        self.desk = CaseDesk(
            self.work,
            cases,
            self.documents,
            self._wake,
            self.preservation,
            self.filing,
        )
        self.submissions = PublicSubmissions(self.desk, cases, self.processor, self.clock, self.ids)
        self.corresponding = Corresponding(self.work, cases)
        self.scoping = Scoping(self.work, self.preservation)
        self.destroyer = Destroyer(
            holder="retention",
            processor=self.processor,
            destroying=self._destroying,
            remove=DestroyCase(self.documents, self.shelf),
            keys=self.keys,
            clock=self.clock,
            recoverable_for=timedelta(days=35),
        )

    def _wake(self) -> None:
        self.woken += 1

    async def _destroying(self, limit: int) -> Sequence[CaseFile]:
        found = [each for each in self.files.states() if each.lifecycle == "destroying"]
        return found[:limit]
