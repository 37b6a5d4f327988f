"""Builds the upload of files to the media service."""

from dataclasses import dataclass

from direct311.intake.lifecycle.ports import Submitted
from direct311.intake.settings import IntakeSettings
from direct311.intake.uploads.adapters.media import MediaUploads
from direct311.intake.uploads.adapters.tickets import MongoUploadTickets
from direct311.intake.uploads.handlers import Upload
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class Files:
    """`brought`: files that were uploaded before the request that names them."""

    media: MediaUploads
    tickets: MongoUploadTickets
    brought: Upload


def wire(settings: IntakeSettings, resources: Resources, submitted: Submitted) -> Files:
    """:param submitted: shows whether a ticket was used."""
    media = MediaUploads(resources.peer("media", settings.media_url), resources.http)
    tickets = MongoUploadTickets(resources.database["upload_tickets"])
    return Files(media, tickets, Upload(media, tickets, submitted, resources.clock))
