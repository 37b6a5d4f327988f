"""Intake's use cases of reporters over fakes: tickets, codes, messages, and one request."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from direct311.intake.catalogue.adapters import load_catalogue, load_emergencies, load_policies
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.reporter.adapters.messages import load_messages
from direct311.intake.reporter.handlers.codes import OneTimeCodes, SentCodes
from direct311.intake.reporter.handlers.comment import AddComment
from direct311.intake.reporter.handlers.mail import Mail
from direct311.intake.reporter.handlers.reporter import Reporter
from direct311.intake.reporter.handlers.subject import Subject
from direct311.intake.request import ServiceRequest
from direct311.intake.uploads.domain import AnnouncedFile
from direct311.intake.uploads.handlers import Upload
from direct311.intake.uploads.ports import Address, File
from direct311.runtime.access.rules import Caller
from direct311.schemas import events as ev
from tests.support.intake import IntakeUnderTest
from tests.support.intake_stores import (
    InMemoryCodes,
    InMemoryRequests,
    InMemorySubmissions,
    InMemoryTickets,
)
from tests.support.mailer import InMemoryMailer
from tests.support.runtime import NOW, SetClock

CATALOGUE = load_catalogue().content
POLICIES = load_policies().content
NOTICE = POLICIES.policies[0].email_notice.version


class FakeMedia:
    """The media service's front door: the files that were uploaded, by upload id."""

    def __init__(self, clock: SetClock) -> None:
        self.brought: dict[str, tuple[int, str]] = {}
        self.given = 0
        self._clock = clock

    async def addresses(self, files: Sequence[AnnouncedFile]) -> Sequence[Address]:
        found = []
        for file in files:
            self.given += 1
            until = self._clock.now() + timedelta(minutes=10)
            name = f"u-{self.given}"
            found.append(
                Address(name, f"https://store/{name}", {"Content-Type": file.content_type}, until)
            )
        return found

    async def examine(self, upload_ids: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        return {each: self.brought[each] for each in upload_ids if each in self.brought}

    async def put(self, files: Sequence[File]) -> Sequence[ev.UploadRef]:
        raise AssertionError("nothing is brought by intake here")

    async def withdraw(self, uploads: Sequence[ev.UploadRef]) -> None:
        raise AssertionError("nothing is withdrawn here")


class ReporterIntake(IntakeUnderTest):
    """Intake's use cases of reporters, all together."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = InMemoryRequests(self.records)
        self.submissions = InMemorySubmissions(self.records, self.keys)
        self.media, self.tickets = FakeMedia(self.clock), InMemoryTickets()
        self.upload = Upload(self.media, self.tickets, self.submissions, self.clock)
        self.follow = Follow(self.registry, self.indexes.place, self.clock)
        self.reporter = Reporter(
            processor=self.processor,
            vault=self.vault,
            brought=self.upload,
            catalogue=CATALOGUE,
            policies=POLICIES,
            emergencies=load_emergencies().content,
            can_mail=True,
            clock=self.clock,
            ids=self.ids,
            content_key=self.indexes.content_key,
        )
        self.add_comment = AddComment(
            processor=self.processor,
            vault=self.vault,
            emergencies=load_emergencies().content,
            clock=self.clock,
            ids=self.ids,
            content_key=self.indexes.content_key,
        )
        self.codes, self.mailer = InMemoryCodes(), InMemoryMailer()
        sent = SentCodes(self.codes, self.clock, self.indexes.content_key)
        self.subject = Subject(
            processor=self.processor,
            vault=self.vault,
            indexes=self.indexes,
            home=AddressIndex(self.addresses, self.indexes),
            protections=self.registry,
            protect=self.follow.protect,
            links=self.link_signer,
            sent=sent,
            clock=self.clock,
            ids=self.ids,
            content_key=self.indexes.content_key,
            notices={each.email_notice.version for each in POLICIES.policies},
        )
        self.one_time = OneTimeCodes(
            requests=self.requests,
            codes=self.codes,
            sent=sent,
            indexes=self.indexes,
            vault=self.vault,
            links=self.link_signer,
            clock=self.clock,
        )
        self.mail = Mail(
            mailer=self.mailer,
            codes=self.codes,
            requests=self.requests,
            processor=self.processor,
            vault=self.vault,
            messages=load_messages().content,
            policies=POLICIES,
            sender="311@county.example",
            link="https://311.county.example/requests/{id}",
            key=self.indexes.content_key,
            first_pause=timedelta(seconds=15),
            clock=self.clock,
            ids=self.ids,
        )

    async def put(self, after: ServiceRequest) -> None:
        """What another handler has done to a request."""
        await self.records.put(after, NOW)

    def caller(self, record_id: str = "r-1") -> Caller:
        return self.links.caller(self.link_signer.issue(record_id).token)
