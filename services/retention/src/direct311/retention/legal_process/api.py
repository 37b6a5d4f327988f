"""Legal processes over HTTP: one router for the case desk and staff, one for what comes through the
gateway."""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from direct311.retention.api import CallerOf, Id, only_intake
from direct311.retention.cases.domain import CaseFile
from direct311.retention.legal_process.domain import process_of
from direct311.retention.legal_process.handlers.custody import Custody
from direct311.retention.legal_process.handlers.desk import REVIEWERS, LegalDesk
from direct311.retention.legal_process.handlers.oral import OralDisclosures
from direct311.retention.legal_process.handlers.referrals import Referrals
from direct311.retention.legal_process.handlers.scopes import Scopes
from direct311.retention.legal_process.handlers.secrecy import Secrecy
from direct311.retention.legal_process.handlers.submissions import LegalRequest, LegalSubmissions
from direct311.retention.legal_process.handlers.verification import CallMade, Verification
from direct311.retention.legal_process.wire import (
    CallOrder,
    CustodyOrder,
    CustodyView,
    HandedView,
    LegalLists,
    LegalScopeOrder,
    LegalView,
    NoticeOrder,
    ObjectionOrder,
    OralOrder,
    OralView,
    ReasonOrder,
    ReceivedView,
    ReferralOrder,
    ReferralView,
    SubmissionOrder,
    ThreatOrder,
    ThreatView,
)
from direct311.runtime.access.openings import EMERGENCY_ROLE
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require

STAFF: Final = (
    "agent",
    "inspector",
    "department",
    "custodian",
    "records_officer",
    "counsel",
    "liaison",
    "emergency",
)
"""Who may refer a record."""
LARGEST_SUBMISSION: Final = 12 * 1024**2
"""In bytes: a document of 8 MB in base64, and what is said about it."""


@dataclass(frozen=True, slots=True)
class LegalUseCases:
    """What the routers call. `desks`: the roles with a desk for such cases. `approvers`: the roles
    that approve a grant of some instrument."""

    desk: LegalDesk
    verification: Verification
    scopes: Scopes
    secrecy: Secrecy
    custody: Custody
    referrals: Referrals
    oral: OralDisclosures
    desks: tuple[str, ...]
    approvers: tuple[str, ...]


def router(cases: LegalUseCases, caller_of: CallerOf) -> APIRouter:
    """All about the legal process of a case."""
    api = APIRouter(prefix="/v1", tags=["legal process"], responses=PROBLEMS)
    who = Depends(caller_of)
    everybody = _roles(cases.desks, cases.approvers)

    @api.get("/legal-instruments", response_model_exclude_none=True)
    async def lists(caller: Annotated[Caller, who]) -> LegalLists:
        """The instruments, agencies and codes that are in force here."""
        require(caller, *everybody)
        return _lists(cases.desk)

    @api.get("/cases/{case_id}/legal-process", response_model_exclude_none=True)
    async def look(case_id: Id, caller: Annotated[Caller, who], response: Response) -> LegalView:
        """The legal process of a case, for its desk and for those who approve its grants. Opens
        nothing."""
        require(caller, *everybody)
        response.headers["Cache-Control"] = "no-store"
        return _view(cases.desk, await cases.desk.granted(caller, case_id))

    @api.post("/cases/{case_id}/verification", response_model_exclude_none=True)
    async def verify(case_id: Id, body: CallOrder, caller: Annotated[Caller, who]) -> LegalView:
        """Record a call to the published number. A denial refuses the case. With the last
        confirmation that the instrument needs the case is verified. May be repeated."""
        require(caller, *cases.desks)
        made = CallMade(**body.model_dump())
        return _view(cases.desk, await cases.verification.called_back(caller, case_id, made))

    @api.post("/cases/{case_id}/refusal", response_model_exclude_none=True)
    async def refuse(case_id: Id, body: ReasonOrder, caller: Annotated[Caller, who]) -> LegalView:
        """Refuse a request before anything was granted. May be repeated."""
        require(caller, *cases.desks)
        return _view(cases.desk, await cases.verification.refuse(caller, case_id, body.reason))

    @api.post("/cases/{case_id}/exigent", response_model_exclude_none=True)
    async def exigent(case_id: Id, body: ThreatOrder, caller: Annotated[Caller, who]) -> LegalView:
        """Say that somebody's life or body is in danger, so the request cannot wait for an
        instrument. A repeat by the same person changes nothing."""
        require(caller, *cases.desks)
        done = await cases.verification.state_threat(
            caller, case_id, body.version, body.agency, body.threat, body.words
        )
        return _view(cases.desk, done)

    @api.get("/cases/{case_id}/exigent")
    async def threat(case_id: Id, caller: Annotated[Caller, who], response: Response) -> ThreatView:
        """The threat in words, for the desk and for those who approve. The access is recorded
        before anything is opened."""
        require(caller, *everybody)
        response.headers["Cache-Control"] = "no-store"
        return ThreatView(
            case_id=case_id, words=await cases.verification.read_threat(caller, case_id)
        )

    @api.put("/cases/{case_id}/legal-scope", response_model_exclude_none=True)
    async def scope(
        case_id: Id, body: LegalScopeOrder, caller: Annotated[Caller, who]
    ) -> LegalView:
        """Say what was asked and what is granted of it, or narrow what is granted. Grants that the
        scope does not allow any more end at once. May be repeated."""
        require(caller, *_roles(cases.desks, REVIEWERS))
        asked = body.asked.scope() if body.asked else None
        return _view(
            cases.desk,
            await cases.scopes.scope(caller, case_id, body.version, asked, body.granted.scope()),
        )

    @api.put("/cases/{case_id}/objection", response_model_exclude_none=True)
    async def objection(
        case_id: Id, body: ObjectionOrder, caller: Annotated[Caller, who]
    ) -> LegalView:
        """Somebody objects, or counsel settles it. All grants end with an objection, and no other
        is made while it stands. May be repeated."""
        require(caller, *_roles(cases.desks, REVIEWERS))
        act = cases.scopes.object if body.state == "raised" else cases.scopes.settle
        return _view(cases.desk, await act(caller, case_id, body.reason))

    @api.post("/cases/{case_id}/notice", response_model_exclude_none=True)
    async def delay(case_id: Id, body: NoticeOrder, caller: Annotated[Caller, who]) -> LegalView:
        """Delay the notice to the subject by a document: at most 90 days from its date, and longer
        only by another document. May be repeated."""
        require(caller, *cases.desks)
        done = await cases.secrecy.delay(
            caller, case_id, body.version, body.document, body.dated_at, body.until
        )
        return _view(cases.desk, done)

    @api.delete("/cases/{case_id}/notice", response_model_exclude_none=True)
    async def end_secrecy(case_id: Id, caller: Annotated[Caller, who]) -> LegalView:
        """The matter is not active any more: the accesses show from now on. May be repeated."""
        require(caller, *cases.desks)
        return _view(cases.desk, await cases.secrecy.end(caller, case_id))

    @api.post("/cases/{case_id}/custody", response_model_exclude_none=True)
    async def hand_over(
        case_id: Id, body: CustodyOrder, caller: Annotated[Caller, who]
    ) -> LegalView:
        """Record that something was handed over to the verified agency. The same thing with the
        same receipt is recorded once."""
        require(caller, *cases.desks)
        done = await cases.custody.hand_over(
            caller, case_id, body.how, body.sha256, body.receipt, body.taken_by
        )
        return _view(cases.desk, done)

    @api.get("/cases/{case_id}/custody", response_model_exclude_none=True)
    async def chain(case_id: Id, caller: Annotated[Caller, who], response: Response) -> CustodyView:
        """The chain of custody with the names. The access is recorded before anything is
        opened."""
        require(caller, *cases.desks)
        response.headers["Cache-Control"] = "no-store"
        found = await cases.custody.chain(caller, case_id)
        return CustodyView(
            case_id=case_id,
            chain=tuple(HandedView(link=each.link, taken_by=each.taken_by) for each in found),
        )

    @api.post("/referrals", status_code=201)
    async def refer(body: ReferralOrder, caller: Annotated[Caller, who]) -> ReferralView:
        """Refer a record that looks unlawful to the county's own desk for law enforcement, which
        decides with counsel. The record is kept until then. The same referral under the same key
        opens one case."""
        require(caller, *STAFF)
        state = await cases.referrals.refer(
            caller, body.key, body.record_id, body.reason, body.words
        )
        if state.received_at is None:
            raise ValueError("a case that was never received")
        return ReferralView(referral_id=state.record_id, received_at=state.received_at)

    @api.post("/oral-disclosures", status_code=201)
    async def tell(body: OralOrder, caller: Annotated[Caller, who]) -> OralView:
        """Say what became of something that was opened in an emergency when nobody was there to
        decide: whom you told, or that you told nobody. Within 24 hours; then it is an alarm. The
        same opening has one case file."""
        require(caller, *_roles(cases.desks, (EMERGENCY_ROLE,)))
        state = await cases.oral.record(
            caller,
            body.record_id,
            body.opened_by,
            body.opened_at,
            body.agency,
            body.threat,
            body.words,
        )
        if state.received_at is None:
            raise ValueError("a case that was never received")
        return OralView(case_id=state.record_id, recorded_at=state.received_at)

    return api


def gateway_router(submissions: LegalSubmissions, caller_of: CallerOf) -> APIRouter:
    """What an agency sends at the gateway; only for intake, which passes it on."""
    api = APIRouter(prefix="/internal", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post(
        "/legal-requests",
        status_code=201,
        max_body_size=LARGEST_SUBMISSION,
        responses={200: {"model": ReceivedView, "description": "It was opened before"}},
    )
    async def submit(
        body: SubmissionOrder, caller: Annotated[Caller, who], response: Response
    ) -> ReceivedView:
        """Open a law-enforcement case for a legal process that somebody sent. Everything but the
        kind of instrument is sealed, and all of it is a claim. The same under the same key opens
        one case (200)."""
        only_intake(caller)
        request = LegalRequest(
            body.instrument, body.request, body.officer, base64.b64decode(body.document)
        )
        done = await submissions.submit(caller, body.key, request)
        response.headers["Cache-Control"] = "no-store"
        if done.repeated:
            response.status_code = 200
        return ReceivedView(**asdict(done))

    return api


def _roles(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for group in groups for each in group))


def _lists(desk: LegalDesk) -> LegalLists:
    rules = desk.rules
    return LegalLists(
        instruments=rules.list,
        classes=rules.classes,
        agencies=desk.agencies.list,
        refusals=rules.refusals,
        objections=rules.objections,
        threats=rules.threats,
        referrals=rules.referrals,
        ways=rules.ways,
    )


def _view(desk: LegalDesk, state: CaseFile) -> LegalView:
    legal, now = process_of(state), desk.work.clock.now()
    instrument = desk.rules.of(legal.instrument)
    needed = instrument.verify if instrument else ()
    confirmed = legal.confirmed()
    due = legal.follow_up_due_at
    return LegalView(
        case_id=state.record_id,
        version=state.version,
        state=state.state,
        instrument=legal.instrument,
        agency=legal.agency,
        document=legal.document,
        missing=tuple(each for each in needed if each not in confirmed),
        calls=legal.calls,
        asked=legal.asked,
        scopes=legal.scopes,
        narrowed=legal.narrowed,
        objections=legal.objections,
        refusal=legal.refusal,
        threat=legal.threat,
        referral=legal.referral,
        oral=legal.oral,
        claimed=legal.claimed,
        follow_up_due_at=due,
        follow_up=legal.follow_up,
        follow_up_overdue=legal.awaits_follow_up and due is not None and now >= due,
        notices=legal.notices,
        exempt_until=state.exempt_until,
        hand_overs=legal.hand_overs,
    )
