"""Builds the certificates."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from direct311.retention.api import CallerOf
from direct311.retention.certificates.adapters import MongoCertificates
from direct311.retention.certificates.api import router
from direct311.retention.certificates.domain import Certificate
from direct311.retention.certificates.handlers import Certification
from direct311.retention.certificates.ports import Releases
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.ports import Inventory
from direct311.retention.record import InventoryRecord
from direct311.retention.review.ports import Dispositions
from direct311.retention.settings import RetentionSettings
from direct311.runtime.loops import Loop, Step
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.relay import Relay
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class CertificatesPart:
    router: APIRouter
    prepare: Step
    relay: Relay
    loop: Loop


def wire(
    settings: RetentionSettings,
    resources: Resources,
    caller_of: CallerOf,
    rules: RetentionRules,
    inventory: Inventory,
    dispositions: Dispositions,
    processor: EventProcessor[InventoryRecord],
    releases: Releases,
) -> CertificatesPart:
    """:param releases: with which cases records went out."""
    clock = resources.clock
    certificates = resources.aggregate_store(resources.database["certificates"], Certificate)
    certificate_processor = resources.processor(
        certificates, lambda certificate_id: Certificate(record_id=certificate_id), {}
    )
    certification = Certification(
        processor,
        certificate_processor,
        MongoCertificates(certificates.records),
        inventory,
        dispositions,
        rules,
        clock,
        resources.ids,
        settings.audit_after,
        releases,
    )

    async def prepare() -> None:
        await certificates.records.prepare(MongoCertificates.INDEXES)

    lease = resources.lease("certify")
    return CertificatesPart(
        router(certification, resources.signer, caller_of),
        prepare,
        certificates.relay,
        Loop("certify", timedelta(seconds=5), certification.step, lease, clock),
    )
