"""Builds what reporters do with their requests."""

from dataclasses import dataclass

from direct311.intake.catalogue.wiring import CatalogueData
from direct311.intake.indexes.ports import Home, Protections
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.reporter.adapters.audit import AuditLog
from direct311.intake.reporter.adapters.code_words import load_code_words
from direct311.intake.reporter.adapters.codes import MongoCodes
from direct311.intake.reporter.adapters.messages import load_messages
from direct311.intake.reporter.adapters.smtp import SmtpMailer
from direct311.intake.reporter.domain.code_words import CodeWords
from direct311.intake.reporter.domain.messages import Messages
from direct311.intake.reporter.handlers.accesses import WhoSaw
from direct311.intake.reporter.handlers.codes import OneTimeCodes, SentCodes
from direct311.intake.reporter.handlers.comment import AddComment
from direct311.intake.reporter.handlers.mail import Mail
from direct311.intake.reporter.handlers.reporter import Reporter
from direct311.intake.reporter.handlers.subject import Subject
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.intake.uploads.handlers import Upload
from direct311.runtime.access.links import LinkSigner
from direct311.runtime.messaging.signing import read_private
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class Reporters:
    """`mail`: none where the county has no mail server. `words`: what reporters read in place of
    codes."""

    codes: MongoCodes
    links: LinkSigner
    subject: Subject
    one_time: OneTimeCodes
    reporter: Reporter
    add_comment: AddComment
    who_saw: WhoSaw
    words: CodeWords
    mail: Mail | None


def wire(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    catalogue: CatalogueData,
    lifecycle: Lifecycle,
    protections: Protections,
    home: Home,
    brought: Upload,
) -> Reporters:
    """:raises DataFileError: the texts of the messages, or the words of codes, contradict
    themselves."""
    clock, ids = resources.clock, resources.ids
    vault, indexes, processor = sealing.vault, sealing.indexes, lifecycle.processor
    messages = load_messages(settings.messages_file).content
    links = LinkSigner(
        *read_private(settings.link_key_file),
        links=resources.links,
        audience=settings.link_audience,
        lifetime=settings.link_lifetime,
        clock=clock,
        ids=ids,
    )
    codes = MongoCodes(resources.database["codes"])
    sent = SentCodes(codes, clock, indexes.content_key)
    subject = Subject(
        processor=processor,
        vault=vault,
        indexes=indexes,
        home=home,
        protections=protections,
        protect=lifecycle.follow.protect,
        links=links,
        sent=sent,
        clock=clock,
        ids=ids,
        content_key=indexes.content_key,
        notices={each.email_notice.version for each in catalogue.policies.policies},
        hits=lifecycle.hits,
    )
    one_time = OneTimeCodes(
        requests=lifecycle.requests,
        codes=codes,
        sent=sent,
        indexes=indexes,
        vault=vault,
        links=links,
        clock=clock,
    )
    can_mail = settings.smtp_host is not None
    reporter = Reporter(
        processor=processor,
        vault=vault,
        brought=brought,
        catalogue=catalogue.english,
        policies=catalogue.policies,
        emergencies=catalogue.emergencies,
        can_mail=can_mail,
        clock=clock,
        ids=ids,
        content_key=indexes.content_key,
    )
    add_comment = AddComment(
        processor=processor,
        vault=vault,
        emergencies=catalogue.emergencies,
        clock=clock,
        ids=ids,
        content_key=indexes.content_key,
    )
    who_saw = WhoSaw(AuditLog(resources.peer("audit", settings.audit_url)))
    words = load_code_words(settings.code_words_file).content
    mail = None
    if can_mail:
        mail = _mail(settings, resources, sealing, catalogue, lifecycle, codes, messages)
    return Reporters(codes, links, subject, one_time, reporter, add_comment, who_saw, words, mail)


def _mail(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    catalogue: CatalogueData,
    lifecycle: Lifecycle,
    codes: MongoCodes,
    messages: Messages,
) -> Mail:
    return Mail(
        mailer=SmtpMailer(settings),
        codes=codes,
        requests=lifecycle.requests,
        processor=lifecycle.processor,
        vault=sealing.vault,
        messages=messages,
        policies=catalogue.policies,
        sender=settings.mail_from,
        link=settings.request_page,
        key=sealing.indexes.content_key,
        clock=resources.clock,
        ids=resources.ids,
        first_pause=settings.mail_retry_after,
    )
