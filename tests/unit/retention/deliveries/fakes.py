"""A case of law enforcement on its way out, without servers."""

from collections.abc import Awaitable, Sequence
from datetime import timedelta

import pyrage

from direct311.retention.case_file.deliveries import Delivery
from direct311.retention.case_file.legal import LegalScope
from direct311.retention.cases.domain import CaseFile
from direct311.retention.deliveries.adapters import AgeEncryption
from direct311.retention.deliveries.handlers.codes import Codes
from direct311.retention.deliveries.handlers.downloads import Downloads
from direct311.retention.deliveries.handlers.encrypting import Encrypted, Encrypting
from direct311.retention.deliveries.handlers.receipts import Receipts
from direct311.retention.grants.domain import GrantDraft
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from tests.support.memory import InMemoryRecords
from tests.support.record_owners import record
from tests.unit.retention.legal_process.fakes import AGENCY, COLE, DORA, LARS, OLGA, LegalOffice
from tests.unit.retention.packages.fakes import INTAKE, PackagingDesk

BEARER = "Bearer liaison:lars"
FIELDS = ("description", "phone")


class InMemoryCodeCases:
    """`CodeCases` over case files in a dictionary."""

    def __init__(self, files: InMemoryRecords[CaseFile]) -> None:
        self._files = files

    async def of_code(self, code_hash: str) -> CaseFile | None:
        for state in self._files.states():
            codes = [code.code_hash for each in state.deliveries.list for code in each.codes]
            if code_hash in codes and state.lifecycle == "active":
                return state
        return None


class Recipient:
    """The agency's officer: a key, and what they downloaded."""

    def __init__(self) -> None:
        self._identity = pyrage.x25519.Identity.generate()
        self.key = str(self._identity.to_public())

    def decrypted(self, content: bytes) -> bytes:
        return bytes(pyrage.decrypt(content, [self._identity]))


class DeliveringDesk(PackagingDesk):
    """The desk for law enforcement, from the scope to the receipt."""

    def __init__(self) -> None:
        super().__init__()
        self.legal = LegalOffice(self)
        self.recipient = Recipient()
        self.code_cases = InMemoryCodeCases(self.files)
        self.encrypting = Encrypting(self.work, self.documents, AgeEncryption())
        self.codes = Codes(self.work, self.legal.agencies)
        self.downloads = Downloads(self.work, self.code_cases, self.documents)
        self.receipts = Receipts(self.work, self.code_cases)

    async def identified(self, case_id: str, records: int = 2) -> list[str]:
        """So many records that the case is about."""
        ids = [f"record-{number:04}" for number in range(records)]
        await self.retention.eligible(*ids)
        for number, record_id in enumerate(ids):
            self.owners.records[record_id] = record(number, withheld=number % 3)
        await self.preservation.identify(LARS, case_id, ids, complete=True)
        return ids

    async def under_warrant(self) -> str:
        """A case whose warrant was verified, scoped and granted."""
        case_id = await self.legal.opened()
        ids = await self.identified(case_id)
        scope = LegalScope(record_ids=tuple(ids), fields=FIELDS)
        await self.legal.scoped(case_id, scope)
        await self.granted_to(case_id, ids, FIELDS, COLE, OLGA)
        return case_id

    async def exigent(self) -> str:
        """A case that cannot wait for an instrument, granted by the duty officer."""
        opened = await self.desk.open_case(LARS, "law_enforcement", "words", None, None)
        case_id = opened.record_id
        ids = await self.identified(case_id)
        version = self.file(case_id).version
        await self.legal.verification.state_threat(LARS, case_id, version, AGENCY, "life", "words")
        await self.legal.called(case_id, "officer", instrument="exigent_request", document=None)
        scope = LegalScope(record_ids=tuple(ids), fields=("phone",))
        await self.legal.scope(case_id, scope, scope)
        await self.granted_to(case_id, ids, ("phone",), DORA)
        return case_id

    async def granted_to(
        self, case_id: str, ids: Sequence[str], fields: tuple[str, ...], *approvers: Caller
    ) -> None:
        """A grant in which lars is the worker."""
        draft = GrantDraft(
            record_ids=tuple(ids),
            fields=fields,
            workers=("lars",),
            valid_until=self.clock.now() + timedelta(hours=3),
        )
        version = self.file(case_id).version
        shown = await self.granting.prepare(LARS, case_id, version, draft)
        for number, each in enumerate(approvers, 1):
            token = self.office.provider.id_token(each.sub, shown.nonce, self.clock.now())
            grant_id = shown.issued.grant.grant_id
            await self.granting.approve(each, case_id, grant_id, number, token)

    async def package_of(self, case_id: str) -> str:
        """The hash of a package of everything."""
        await self.collecting(LARS, BEARER, case_id)
        version = self.file(case_id).version
        state = await self.building(LARS, BEARER, case_id, version)
        newest = state.packages.newest
        assert newest is not None
        return newest.sha256

    async def encrypted(self, case_id: str, sha256: str, key: str | None = "") -> Encrypted:
        """Encrypted to the recipient's key, unless another one is given."""
        wanted = self.recipient.key if key == "" else key
        return await self.encrypting(LARS, case_id, sha256, wanted)

    async def released(self, case_id: str, by: Caller = OLGA) -> str:
        """The hash of a package that went out, encrypted to the recipient."""
        sha256 = await self.package_of(case_id)
        for each in (COLE, OLGA) if by == OLGA else (by,):
            await self.approve(case_id, sha256, each)
        await self.encrypted(case_id, sha256)
        await self.releasing.release(by, case_id, sha256)
        return sha256

    async def told(self, case_id: str, sha256: str) -> str:
        """A one-time code."""
        return (await self.codes.issue(LARS, case_id, sha256)).code

    async def downloaded(self, code: str) -> bytes:
        """What the code opens."""
        found = await self.downloads.fetch(INTAKE, code)
        return b"".join([piece async for piece in found.content])

    def delivery(self, case_id: str, sha256: str) -> Delivery:
        found = self.file(case_id).deliveries.of(sha256)
        assert found is not None
        return found


async def refused(call: Awaitable[object]) -> str:
    """The code with which a call is refused."""
    try:
        await call
    except RefusedError as error:
        return error.code
    raise AssertionError("nobody refused")
