"""Wiring of auditors' and residents' questions."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request

from direct311.audit.index.ports import Entries, KnownCases
from direct311.audit.log.ports.log import Followed
from direct311.audit.log.wiring import LogCapability
from direct311.audit.questions.adapters.intake import IntakePeople
from direct311.audit.questions.adapters.rules_file import load_breach_rules
from direct311.audit.questions.api.breach import breach_router
from direct311.audit.questions.api.case_proof import case_proof_router
from direct311.audit.questions.api.cases import cases_router
from direct311.audit.questions.api.counts import counts_router
from direct311.audit.questions.api.entries import api_router
from direct311.audit.questions.api.exports import exports_router
from direct311.audit.questions.api.register import register_router
from direct311.audit.questions.api.subject import internal_subject_router, subject_router
from direct311.audit.questions.api.who_saw import who_saw_router
from direct311.audit.questions.handlers.audited_query import AuditedQuery
from direct311.audit.questions.handlers.breach import Breach
from direct311.audit.questions.handlers.case_entries import CaseReading
from direct311.audit.questions.handlers.case_proof import CaseProof
from direct311.audit.questions.handlers.count import Counting
from direct311.audit.questions.handlers.export import Exporting
from direct311.audit.questions.handlers.read import Reading
from direct311.audit.questions.handlers.register import CaseRegister
from direct311.audit.questions.handlers.subject import SubjectReading
from direct311.audit.settings import AuditSettings
from direct311.runtime.access.disclosures import Disclosures
from direct311.runtime.access.rules import AccessPolicy, Caller
from direct311.runtime.process import Resources
from direct311.verifier.event import decode_json, parse_event_keys


@dataclass(frozen=True)
class QuestionsCapability:
    """Routes: `entries` one by one and in pages, the `others` of auditors and of disclosure cases,
    those of residents (`subject`), who ask here or through the gateway."""

    entries: APIRouter
    others: Sequence[APIRouter]
    subject: Sequence[APIRouter]


def wire(
    settings: AuditSettings,
    resources: Resources,
    policy: AccessPolicy,
    log: LogCapability,
    followed: Followed,
    entries: Entries,
    cases: KnownCases,
    caller: Callable[[Request], Awaitable[Caller]],
    resident: Callable[[Request], Awaitable[Caller]],
    disclosures: Disclosures,
) -> QuestionsCapability:
    """The questions about `log`. :raises DataFileError: the notice rules are invalid."""
    clock, vault = resources.clock, log.keys.vault
    people = IntakePeople(resources.peer("intake", settings.address_of("intake")))
    audited = AuditedQuery(
        entries=entries,
        keys=log.keys.ring,
        vault=vault,
        policy=policy,
        cases=cases,
        clock=clock,
    )
    reading = Reading(
        audited=audited,
        log=followed,
        entries=entries,
        files=log.files,
        people=people,
        published=log.publishing.published,
        log_keys=log.log_keys,
        producers=parse_event_keys(decode_json(settings.principals_file.read_bytes())),
        clock=clock,
    )
    proof = CaseProof(
        audited=audited,
        log=followed,
        files=log.files,
        published=log.publishing.published,
        log_keys=log.log_keys,
        producers=parse_event_keys(decode_json(settings.principals_file.read_bytes())),
        cases=cases,
        vault=vault,
        clock=clock,
    )
    exporting = Exporting(audited, followed, people)
    subject = SubjectReading(
        log=followed, entries=entries, cases=cases, vault=vault, policy=policy, clock=clock
    )
    of_cases = CaseReading(
        audited=audited,
        disclosures=disclosures,
        log=followed,
        entries=entries,
        cases=cases,
        vault=vault,
        policy=policy,
        clock=clock,
    )
    rules = load_breach_rules(settings.breach_file).content
    return QuestionsCapability(
        entries=api_router(reading, caller),
        others=(
            counts_router(Counting(audited, followed, people), caller),
            exports_router(exporting, caller),
            who_saw_router(exporting, reading, caller),
            cases_router(of_cases, caller),
            register_router(CaseRegister(audited, followed, log.log_keys, clock), caller),
            case_proof_router(proof, caller),
            breach_router(Breach(audited, followed, people, rules), clock, caller),
        ),
        subject=(
            subject_router(subject, resident),
            internal_subject_router(subject, resources.links, settings.unlogged_after, caller),
        ),
    )
