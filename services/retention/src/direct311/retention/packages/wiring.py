"""Builds the packages of cases."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork
from direct311.retention.holds.ports import Holds
from direct311.retention.packages.adapters.files import PeerFiles
from direct311.retention.packages.adapters.held import HeldRecords
from direct311.retention.packages.adapters.letter_file import load_release_letter
from direct311.retention.packages.adapters.notary import NoteSigner
from direct311.retention.packages.adapters.owners import PeerOwners
from direct311.retention.packages.adapters.papers import PdfPapers
from direct311.retention.packages.adapters.proofs import PeerProofs
from direct311.retention.packages.adapters.withheld import PeerWithheld
from direct311.retention.packages.api import public_router, router
from direct311.retention.packages.handlers.building import Building
from direct311.retention.packages.handlers.collecting import Collecting
from direct311.retention.packages.handlers.file_collecting import FileCollecting
from direct311.retention.packages.handlers.leak_check import LeakCheck
from direct311.retention.packages.handlers.proving import Proving
from direct311.retention.packages.handlers.releasing import Releasing
from direct311.retention.packages.handlers.sweeping import SweepBuilds, shard_of_the_minute
from direct311.retention.packages.ports import TokenCases
from direct311.retention.settings import RetentionSettings
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.loops import Loop
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class PackagesPart:
    router: APIRouter
    public_router: APIRouter
    loop: Loop


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    work: CaseWork,
    cases: TokenCases,
    holds: Holds,
    sealed: SealedDocuments,
) -> PackagesPart:
    """:raises DataFileError: the file of the letter is invalid.
    :raises ApprovalError: the principals file names a service as the client for approvals.
    :raises NoAddressError: the address of intake, routing, media or audit is not set.
    """
    records = HeldRecords(holds)
    intake = resources.peer("intake", settings.address_of("intake"), gives_way=True)
    owners = PeerOwners(intake, resources.peer("routing", settings.address_of("routing")))
    media = resources.peer("media", settings.address_of("media"))
    audit = resources.peer("audit", settings.address_of("audit"))
    papers = PdfPapers(load_release_letter(settings.release_letter_file))
    notary = NoteSigner.from_file(settings.signing_key_file)
    approvals = Approvals.from_file(settings.principals_file, settings.issuer_url)
    sweeping, clock = SweepBuilds(work, sealed), resources.clock

    async def sweep() -> None:
        await sweeping.shard(shard_of_the_minute(clock.now()))

    releasing = Releasing(work, cases, sealed, approvals, resources.issuer)
    return PackagesPart(
        router(
            Collecting(work, records, owners, FileCollecting(PeerFiles(media), sealed), sealed),
            Building(
                work,
                records,
                sealed,
                papers,
                notary,
                LeakCheck(work, PeerWithheld(intake, media)),
                Proving(work, PeerProofs(audit), sealed),
            ),
            releasing,
            work.rules,
            caller_of,
        ),
        public_router(releasing, caller_of),
        Loop("sweep builds", timedelta(minutes=1), sweep, resources.lease("sweep-builds"), clock),
    )
