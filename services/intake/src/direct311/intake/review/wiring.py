"""Builds review and redaction at intake."""

from dataclasses import dataclass
from datetime import timedelta

from direct311.intake.indexes.ports import Protections
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.protection.adapters.geo import GeoAddresses
from direct311.intake.review.adapters import MongoReviews
from direct311.intake.review.handlers.decide import DecideItems
from direct311.intake.review.handlers.destroy import ForgetReviews
from direct311.intake.review.handlers.door import Door
from direct311.intake.review.handlers.proposals import Propose
from direct311.intake.review.handlers.render import RenderRecord
from direct311.intake.review.handlers.review import ReviewRecord
from direct311.intake.review.handlers.withheld import WithheldTexts
from direct311.intake.review.ports import PublicViews
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.runtime.access.disclosures import Disclosures
from direct311.runtime.process import Resources

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reviewing:
    """`forget`: what a record's destruction and the hourly sweep do."""

    review: ReviewRecord
    decide: DecideItems
    render: RenderRecord
    propose: Propose
    withheld: WithheldTexts
    forget: ForgetReviews


def wire(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    lifecycle: Lifecycle,
    protections: Protections,
    disclosures: Disclosures,
    public: PublicViews,
) -> Reviewing:
    """:raises DataFileError, NotApprovedError: the exemptions are invalid or not approved."""
    clock, requests = resources.clock, lifecycle.requests
    store = MongoReviews(resources.database["reviews"])
    addresses = GeoAddresses(resources.peer("geo", settings.geo_url))
    propose = Propose(resources.exemptions(), protections, sealing.indexes, addresses, clock)
    door = Door(requests, sealing.vault, disclosures, clock, sealing.indexes.content_key)
    return Reviewing(
        ReviewRecord(door, propose, store, requests, public),
        DecideItems(door, propose, store, requests, clock),
        RenderRecord(door, propose, store, requests, public, clock),
        propose,
        WithheldTexts(door, store),
        ForgetReviews(store, requests, clock, DAY),
    )
