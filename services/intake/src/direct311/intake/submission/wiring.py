"""Builds the submission capability."""

from dataclasses import dataclass

from direct311.intake.catalogue.wiring import CatalogueData
from direct311.intake.indexes.ports import Home, Protections
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.intake.submission.adapters.inserts import BatchedSubmissions
from direct311.intake.submission.adapters.recent import RecentContents
from direct311.intake.submission.handlers.accept import Accept
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.intake.submission.handlers.key_pool import KeyPool
from direct311.intake.submission.handlers.submit import REPEAT_WINDOW, Submit
from direct311.intake.uploads.wiring import Files
from direct311.runtime.access.links import LinkSigner
from direct311.runtime.process import Resources
from direct311.runtime.storage.database import DirectDatabase, connect_directly


@dataclass(frozen=True, slots=True)
class Stores:
    """Where submissions are stored. `direct`: a separate connection; close it at the end."""

    direct: DirectDatabase
    submissions: BatchedSubmissions


@dataclass(frozen=True, slots=True)
class Submissions:
    """Everything that takes submissions."""

    recent: RecentContents
    submit: Submit
    agreement: Agreement
    accept: Accept


def wire_stores(settings: IntakeSettings, sealing: Sealing, lifecycle: Lifecycle) -> Stores:
    """Only the stores, because uploads look into them too."""
    direct = connect_directly(settings.database_url.get_secret_value(), settings.database_name)
    records = lifecycle.aggregates.records
    inserts = BatchedSubmissions(sealing.keys, records, direct[records.collection.name])
    return Stores(direct, inserts)


def wire(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    catalogue: CatalogueData,
    lifecycle: Lifecycle,
    protections: Protections,
    home: Home,
    stores: Stores,
    files: Files,
    links: LinkSigner,
) -> Submissions:
    """The use cases of a submission."""
    clock, indexes, aggregates = resources.clock, sealing.indexes, lifecycle.aggregates
    recent = RecentContents(aggregates.records.collection, clock, REPEAT_WINDOW)
    submit = Submit(
        submissions=stores.submissions,
        recent=recent,
        uploads=files.media,
        brought=files.brought,
        emergencies=catalogue.emergencies,
        protections=protections,
        indexes=indexes,
        home=home,
        keys=KeyPool(sealing.vault, stores.submissions.keep, resources.ids),
        emitter=aggregates.emitter,
        relay=aggregates.relay,
        clock=clock,
        content_key=indexes.content_key,
        hits=lifecycle.hits,
        busy_file=resources.busy_file,
    )
    read_at = f"{settings.public_url.rstrip('/')}/v1/policy"
    agreement = Agreement(catalogue.policies, clock, read_at)
    accept = Accept(
        catalogue=catalogue.english,
        agreement=agreement,
        submit=submit,
        links=links,
        clock=clock,
        most_files=settings.most_files,
    )
    return Submissions(recent, submit, agreement, accept)
