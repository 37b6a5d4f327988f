"""Builds what staff reads."""

from dataclasses import dataclass

from fastapi import APIRouter

from direct311.media.files.api import files_router
from direct311.media.ports import Originals
from direct311.media.record import RecordMedia
from direct311.media.settings import MediaSettings
from direct311.runtime.access.disclosures import Disclosures
from direct311.runtime.messaging.records import Records
from direct311.runtime.process import Resources
from direct311.runtime.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Files:
    """`router`: what staff reads."""

    router: APIRouter


def wire(
    settings: MediaSettings,
    resources: Resources,
    records: Records[RecordMedia],
    originals: Originals,
    vault: Vault,
    disclosures: Disclosures,
) -> Files:
    return Files(
        files_router(
            resources.authenticator,
            records,
            originals,
            vault,
            settings.copies_url,
            disclosures,
        )
    )
