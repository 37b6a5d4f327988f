"""The case desk with its packages, an identity provider, and the owners of the records."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.retention.cases.domain import CaseFile
from direct311.retention.clearances.handlers import Clearing
from direct311.retention.grants.domain import GrantDraft
from direct311.retention.grants.handlers import Granting
from direct311.retention.packages.adapters.files import PeerFiles
from direct311.retention.packages.adapters.held import HeldRecords
from direct311.retention.packages.adapters.letter_file import load_release_letter
from direct311.retention.packages.adapters.notary import NoteSigner
from direct311.retention.packages.adapters.owners import PeerOwners
from direct311.retention.packages.adapters.papers import PdfPapers
from direct311.retention.packages.adapters.proofs import PeerProofs
from direct311.retention.packages.adapters.withheld import PeerWithheld
from direct311.retention.packages.handlers.building import Building
from direct311.retention.packages.handlers.collecting import Collected, Collecting
from direct311.retention.packages.handlers.file_collecting import FileCollecting
from direct311.retention.packages.handlers.leak_check import LeakCheck
from direct311.retention.packages.handlers.proving import Proving
from direct311.retention.packages.handlers.releasing import Releasing, ShownPackage
from direct311.runtime.access.disclosures import nonce_of_package
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.access.rules import Caller
from direct311.schemas import events as ev
from tests.support.disclosures import CLIENT, ISSUER, Office
from tests.support.record_owners import RecordOwners, job, record
from tests.unit.retention.cases.fakes import CaseDeskUnderTest, InMemoryCases
from tests.unit.retention.legal_process.fakes import LegalOffice

CARLA = Caller("carla", ("custodian",))
OLGA = Caller("olga", ("records_officer",))
COLE = Caller("cole", ("counsel",))
INTAKE = Caller("svc:intake", ("service",), authentication="service")
BEARER = "Bearer custodian:carla"
NOTE_KEY = bytes(range(32))


class PackagingDesk(CaseDeskUnderTest):
    """Everything that leads from a received case to a released package."""

    def __init__(self) -> None:
        self.office = Office()
        super().__init__(signer=self.office.signer)
        self.office.clock = self.clock
        self.owners = RecordOwners()
        self.notary = NoteSigner(Ed25519PrivateKey.from_private_bytes(NOTE_KEY))
        approvals = Approvals(ISSUER, CLIENT)
        self.granting = Granting(
            self.processor,
            self.rules,
            [each.field for each in self.policy.rules.fields],
            approvals,
            self.office.provider,
            self.clock,
            self.ids,
            LegalOffice(self).desk.door,
        )
        held = HeldRecords(self.retention.holds)
        peer = self.owners.peer()
        self.collecting = Collecting(
            self.work,
            held,
            PeerOwners(peer, peer),
            FileCollecting(PeerFiles(peer), self.documents),
            self.documents,
        )
        self.building = Building(
            self.work,
            held,
            self.documents,
            PdfPapers(load_release_letter()),
            self.notary,
            LeakCheck(self.work, PeerWithheld(peer, peer)),
            Proving(self.work, PeerProofs(peer), self.documents),
        )
        self.releasing = Releasing(
            self.work,
            InMemoryCases(self.files),
            self.documents,
            approvals,
            self.office.provider,
        )
        self.clearing = Clearing(self.work, approvals, self.office.provider)
        self.token = ""

    async def granted(
        self, records: int, fields: tuple[str, ...] = ("description", "job_history")
    ) -> str:
        """A case with so many identified records, which its requester follows by `token`, and a
        grant for all of them in which carla is the worker."""
        done = await self.submissions.submit(INTAKE, "0f4e" * 16, "All about the bridge.", None)
        case_id, self.token = done.case_id, done.token
        ids = [f"record-{number:04}" for number in range(records)]
        await self.retention.eligible(*ids)
        for number, record_id in enumerate(ids):
            self.owners.records[record_id] = record(number, withheld=number % 3)
            self.owners.jobs[record_id] = dict(job(record_id))
        await self.preservation.identify(CARLA, case_id, ids, complete=True)
        await self.grant(case_id, ids, fields)
        return case_id

    async def grant(
        self,
        case_id: str,
        record_ids: list[str],
        fields: tuple[str, ...],
        file_ids: tuple[str, ...] = (),
    ) -> None:
        draft = GrantDraft(
            record_ids=tuple(record_ids),
            file_ids=file_ids,
            fields=fields,
            workers=("carla",),
            valid_until=self.clock.now() + timedelta(days=7),
        )
        version = self.files.state(case_id).version
        shown = await self.granting.prepare(CARLA, case_id, version, draft)
        token = self.office.provider.id_token("olga", shown.nonce, self.clock.now())
        await self.granting.approve(OLGA, case_id, shown.issued.grant.grant_id, 1, token)

    async def collected(self, case_id: str, **more: Any) -> list[Collected]:
        """All that collecting can give now, call after call."""
        done = [await self.collecting(CARLA, BEARER, case_id, **more)]
        while done[-1].next is not None:
            done.append(await self.collecting(CARLA, BEARER, case_id, after=done[-1].next, **more))
        return done

    async def built(self, case_id: str, *, partial: bool = False) -> str:
        """The hash of a new package."""
        version = self.file(case_id).version
        state = await self.building(CARLA, BEARER, case_id, version, partial=partial)
        newest = state.packages.newest
        assert newest is not None
        return newest.sha256

    async def approve(
        self, case_id: str, sha256: str, by: Caller = OLGA, **changes: Any
    ) -> ShownPackage:
        nonce = changes.pop("nonce", nonce_of_package(case_id, sha256))
        sub = changes.pop("sub", by.sub)
        token = self.office.provider.id_token(sub, nonce, self.clock.now(), **changes)
        return (await self.releasing.approve(by, case_id, sha256, token))[1]

    async def approved(self, case_id: str) -> str:
        """The hash of a package that everybody has approved."""
        await self.collected(case_id)
        sha256 = await self.built(case_id)
        await self.approve(case_id, sha256, OLGA)
        await self.approve(case_id, sha256, COLE)
        return sha256

    def file(self, case_id: str) -> CaseFile:
        return self.files.state(case_id)

    def steps(self, case_id: str) -> list[ev.DisclosureEvent]:
        said = [each.data for each in self.files.said(case_id)]
        return [each for each in said if isinstance(each, ev.DisclosureEvent)]

    def counts(self, case_id: str, step: str) -> list[Mapping[str, int]]:
        found = [each for each in self.steps(case_id) if isinstance(each, ev.DisclosureRecorded)]
        return [each.counts for each in found if each.step == step]
