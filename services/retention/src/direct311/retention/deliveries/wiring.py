"""Builds the deliveries of released packages."""

from dataclasses import dataclass

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork
from direct311.retention.deliveries.adapters import AgeEncryption, MongoCodeCases
from direct311.retention.deliveries.api import gateway_router, router
from direct311.retention.deliveries.handlers.codes import Codes
from direct311.retention.deliveries.handlers.downloads import Downloads
from direct311.retention.deliveries.handlers.encrypting import Encrypting
from direct311.retention.deliveries.handlers.receipts import Receipts
from direct311.retention.legal_process.domain import Agencies
from direct311.runtime.loops import Step
from direct311.runtime.storage.database import MongoRecords


@dataclass(frozen=True, slots=True)
class DeliveriesPart:
    router: APIRouter
    gateway_router: APIRouter
    prepare: Step


def wire(
    caller_of: CallerOf,
    work: CaseWork,
    records: MongoRecords[CaseFile],
    sealed: SealedDocuments,
    agencies: Agencies,
) -> DeliveriesPart:
    """:param agencies: those in force here."""
    cases, kind = MongoCodeCases(records), work.rules.of("law_enforcement")

    async def prepare() -> None:
        await records.prepare(MongoCodeCases.INDEXES)

    return DeliveriesPart(
        router(
            Encrypting(work, sealed, AgeEncryption()),
            Codes(work, agencies),
            kind.desks,
            tuple(dict.fromkeys((*kind.packagers, *kind.exigent_releasers, *kind.desks))),
            caller_of,
        ),
        gateway_router(Downloads(work, cases, sealed), Receipts(work, cases), caller_of),
        prepare,
    )
