"""Staff of a department try to open what is another's: at every door, for every purpose, in every
state of the assignment, and with files of rules that would let them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from direct311.intake.lifecycle.ports import Requests
from direct311.intake.request import ServiceRequest
from direct311.intake.staff.handlers.contact import Contact
from direct311.intake.staff.handlers.release import Release
from direct311.media.files.api import files_router
from direct311.routing.job import Job
from direct311.routing.work.api import counts_router
from direct311.routing.work.api import router as queues
from direct311.routing.work.domain import Refusal
from direct311.runtime.access.identity import Authenticator
from direct311.runtime.access.rules import (
    AccessPolicy,
    AccessRules,
    Caller,
    RecordFacts,
    load_access_policy,
)
from direct311.runtime.datafile import DataFileError, load, packaged
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.records import Write
from direct311.runtime.messaging.state import advanced
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.vault import DeniedError
from direct311.schemas import Event, updates_topic
from direct311.schemas import events as ev
from tests.support import pictures, reporters
from tests.support.county import County, until
from tests.support.data_files import changed, entry
from tests.support.disclosures import no_cases
from tests.support.intake import PERSON
from tests.support.media import (
    PUBLIC_URL,
    MediaStores,
    created,
    event,
    recalled,
    routed,
    updated,
    upload,
)
from tests.support.reporters import CATALOGUE
from tests.support.runtime import NOW, SetClock
from tests.support.submissions import submission
from tests.unit.retention.fakes import RetentionUnderTest as Retention
from tests.unit.retention.fakes import created as requested
from tests.unit.retention.fakes import updated as worked
from tests.unit.routing.work.test_consumers import RoutingUnderTest as Answering

SOURCE = packaged("direct311.runtime", "access.yaml")
ROLES = ("department", "inspector")
OURS, THEIRS = "parks", "solid_waste"
RECORD = "0195-record"
PHOTO = pictures.jpeg()
BASIS = "imminent_threat_to_public"


def of_ours(role: str) -> Caller:
    return Caller("pedro", (role,), OURS)


# ---------------------------------------------------------------- states of the assignment


@dataclass(frozen=True)
class State:
    """How a record came to be where it is: what routing said, in the order in which it came."""

    name: str
    said: tuple[Event[Any], ...]
    update: Mapping[str, object]

    def __str__(self) -> str:
        return self.name


def state(name: str, *said: Event[Any], **update: object) -> State:
    return State(name, said, update)


NOT_OURS = (
    state("never-routed"),
    state("another-has-it", routed(RECORD, 3, THEIRS)),
    state("taken-back", routed(RECORD, 3, OURS), recalled(RECORD, 4, OURS)),
    state("moved", routed(RECORD, 3, OURS), recalled(RECORD, 4, OURS), routed(RECORD, 4, THEIRS)),
    state("moved-before-the-recall-came", routed(RECORD, 3, OURS), routed(RECORD, 4, THEIRS)),
    state("taken-back-before-it-was-given", recalled(RECORD, 4, OURS), routed(RECORD, 3, OURS)),
    state("closed-by-another", routed(RECORD, 3, THEIRS), status="closed"),
)
OURS_NOW = (
    state("given", routed(RECORD, 3, OURS)),
    state("given-again", recalled(RECORD, 4, OURS), routed(RECORD, 5, OURS)),
    state("moved-here", routed(RECORD, 3, THEIRS), routed(RECORD, 4, OURS)),
    state("a-late-recall", routed(RECORD, 5, OURS), recalled(RECORD, 4, OURS)),
    state("closed-by-us", routed(RECORD, 3, OURS), status="closed"),
)
ENDED = state("withdrawn", routed(RECORD, 3, OURS), status="withdrawn")


# ---------------------------------------------------------------- intake's door

QUESTIONS: tuple[tuple[str, str, str], ...] = (
    ("department", "respond", "phone"),
    ("department", "county_business", "description"),
    ("department", "county_business", "comments"),
    ("inspector", "respond", "email"),
    ("inspector", "county_business", "phone"),
    ("inspector", "county_business", "description"),
)


class Intake:
    """Intake's vault and what routing told it, over fakes."""

    def __init__(self) -> None:
        self.service = reporters.ReporterIntake()

    async def stands(self, state: State) -> None:
        await self.service.request(RECORD, PERSON | {"comments": "One. Two."})
        for each in state.said:
            before = self.service.state(RECORD)
            follow = self.service.follow
            data = each.data
            handler = follow.routed if isinstance(data, ev.RequestRouted) else follow.recalled
            change = await cast(Any, handler)(before, each)
            if change is not None:
                await self._commit(before, advanced(before, change.state, each))
        before = self.service.state(RECORD)
        after = before.model_copy(update={**state.update, "version": before.version + 1})
        await self._commit(before, after)

    async def _commit(self, before: ServiceRequest, after: ServiceRequest) -> None:
        await self.service.records.commit([Write(before.version, after, (), NOW)])

    async def read(self, caller: Caller, purpose: str, field: str) -> Mapping[str, str]:
        service = self.service
        requests = cast(Requests, service.requests)
        contact = Contact(requests, service.vault, service.indexes, no_cases())
        return await contact.read(
            caller,
            RECORD,
            purpose=purpose,
            fields=[field],
            reference="WO-118-22",
            justification="there is danger to life at the place",
            operation="POST /v1/requests/{record_id}/contact",
        )


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("role", "purpose", "field"), QUESTIONS, ids=lambda each: each.replace("_", "-")
)
@pytest.mark.parametrize("state", [*NOT_OURS, ENDED], ids=str)
async def test_intake_opens_nothing_of_a_record_that_the_department_does_not_have(
    state: State, role: str, purpose: str, field: str
) -> None:
    intake = Intake()
    await intake.stands(state)
    with pytest.raises(DeniedError) as refused:
        await intake.read(of_ours(role), purpose, field)
    assert refused.value.decision.rule_id == "refused:assigned"
    assert intake.service.keys.fetches == []
    (told,) = intake.service.access_log.events()
    assert (told.outcome, told.agent.id, told.what.record_ids) == ("denied", "pedro", (RECORD,))


@pytest.mark.anyio
@pytest.mark.parametrize("state", OURS_NOW, ids=str)
@pytest.mark.parametrize(
    ("role", "purpose", "field"), QUESTIONS, ids=lambda each: each.replace("_", "-")
)
async def test_what_the_department_has_now_it_opens_as_before(
    state: State, role: str, purpose: str, field: str
) -> None:
    intake = Intake()
    await intake.stands(state)
    assert (await intake.read(of_ours(role), purpose, field))[field]


@pytest.mark.anyio
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("department", [None, "", "Parks", "parks ", "par", THEIRS])
async def test_a_token_of_no_department_or_of_one_that_looks_alike_opens_nothing(
    role: str, department: str | None
) -> None:
    intake = Intake()
    await intake.stands(OURS_NOW[0])
    with pytest.raises(DeniedError):
        await intake.read(Caller("pedro", (role,), department), "county_business", "description")
    assert intake.service.keys.fetches == []


@pytest.mark.anyio
@pytest.mark.parametrize("role", ["agent", "counsel", "custodian"])
async def test_whose_business_is_the_countys_opens_with_a_reference(role: str) -> None:
    intake = Intake()
    await intake.stands(NOT_OURS[1])
    assert await intake.read(of_ours(role), "county_business", "description")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("department", "lifts"), [("regulatory", True), (OURS, False), (None, False)]
)
async def test_a_hold_is_lifted_by_an_inspector_of_the_department_that_the_type_goes_to(
    department: str | None, lifts: bool
) -> None:
    service = reporters.ReporterIntake()
    code = next(
        each.service_code
        for each in CATALOGUE.services
        if each.flags.enforcement and each.department == "regulatory"
    )
    await service.request(service_code=code, status="identity_required")
    release = Release(service.mail._processor, CATALOGUE, service.vault, service.clock)
    lifting = release(
        Caller("ivan", ("inspector",), department), "r-1", BASIS, "wires hang over the fence"
    )
    if lifts:
        assert (await lifting).status == "received"
        (told,) = service.access_log.events()
        assert told.why.reference == f"sections 125.69, 162.06 and 162.21, F.S.: {BASIS}"
    else:
        with pytest.raises(DeniedError):
            await lifting
        assert service.state().status == "identity_required"


# ---------------------------------------------------------------- media's door


class Caught(Authenticator):
    """Lets in whoever it is told to."""

    def __init__(self) -> None:
        self.comes = Caller("nobody")

    async def caller(self, *_: object, **__: object) -> Caller:
        return self.comes


class Media:
    """Media's door before a record with one picture."""

    def __init__(self, state: State, *, protected: bool) -> None:
        self.service = MediaStores()
        self.process = self.service.started()
        self.authenticator = Caught()
        app = FastAPI()
        install(app, Readiness(), Metrics())
        originals, records = self.service.originals, self.service.records
        app.include_router(
            files_router(
                self.authenticator,
                records,
                originals,
                self.process.vault,
                PUBLIC_URL,
                no_cases(),
            )
        )
        self.client = TestClient(app, raise_server_exceptions=False)
        self.service.incoming.bring("u1", PHOTO)
        anyio.run(self._stands, state, protected)

    async def _stands(self, state: State, protected: bool) -> None:
        await self.process.handle(created(RECORD, [upload("u1", PHOTO)]))
        await self.process.handle(updated(RECORD, 2, protected=protected))
        for each in state.said:
            data = each.data
            if isinstance(data, ev.RequestRouted):
                data = data.model_copy(update={"protected": protected})
            await self.process.handle(event(data, data.version))

    def read(self, caller: Caller, purpose: str) -> int:
        self.authenticator.comes = caller
        answer = self.client.post(
            f"/internal/media/{RECORD}/u1/original",
            json={"purpose": purpose, "reference": "WO-1", "justification": "danger to life"},
        )
        return int(answer.status_code)

    def files(self, caller: Caller) -> int:
        self.authenticator.comes = caller
        return int(self.client.get(f"/internal/media/{RECORD}").status_code)


SAID = [each for each in NOT_OURS if not each.update]


@pytest.mark.parametrize("state", SAID, ids=str)
@pytest.mark.parametrize("role", ROLES)
def test_media_lists_no_files_of_a_record_that_the_department_does_not_have(
    role: str, state: State
) -> None:
    media = Media(state, protected=False)
    assert media.files(of_ours(role)) == 403
    assert media.files(Caller("olga", ("agent",))) == 200


@pytest.mark.parametrize("state", [each for each in OURS_NOW if not each.update], ids=str)
@pytest.mark.parametrize("role", ROLES)
def test_media_lists_the_files_of_what_the_department_has(role: str, state: State) -> None:
    assert Media(state, protected=False).files(of_ours(role)) == 200


@pytest.mark.parametrize("protected", [False, True], ids=["", "protected"])
@pytest.mark.parametrize("state", SAID, ids=str)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("purpose", ["respond", "county_business"])
def test_media_opens_no_original_of_a_record_that_the_department_does_not_have(
    purpose: str, role: str, state: State, protected: bool
) -> None:
    media = Media(state, protected=protected)
    before = len(media.service.keys.fetches)
    assert media.read(of_ours(role), purpose) == 403
    assert len(media.service.keys.fetches) == before
    assert media.service.access_log.events()[-1].decision.rule == "refused:assigned"


@pytest.mark.parametrize("state", [each for each in OURS_NOW if not each.update], ids=str)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("purpose", ["respond", "county_business"])
def test_media_opens_what_the_department_has(purpose: str, role: str, state: State) -> None:
    assert Media(state, protected=False).read(of_ours(role), purpose) == 200


# ---------------------------------------------------------------- routing's door


class OneJob:
    """`Jobs`, of which `department` has the one that there is."""

    def __init__(self, department: str | None) -> None:
        self.job = Job(record_id=RECORD, version=1, status="routed", department=department)

    async def get(self, record_id: str) -> Job | None:
        return self.job if record_id == RECORD else None

    async def queue(self, *_: object) -> Sequence[Job]:
        return [self.job]

    async def late(self, *_: object) -> Sequence[str]:
        return []

    async def count(self) -> dict[str, int]:
        return {"routed": 1}


class Desk:
    """Routing's door before a job."""

    def __init__(self, department: str | None) -> None:
        self.authenticator = Caught()
        app = FastAPI()
        install(app, Readiness(), Metrics())
        job, caller = OneJob(department), caller_of(self.authenticator)
        # Nobody reads a history here.
        app.include_router(
            queues(job, cast(Any, None), caller, caller, SetClock(), timedelta(days=1))
        )
        app.include_router(counts_router(job, caller))
        self.client = TestClient(app, raise_server_exceptions=False)

    def asked(self, caller: Caller, path: str) -> int:
        self.authenticator.comes = caller
        return int(self.client.get(path).status_code)


JOB, QUEUE = f"/v1/jobs/{RECORD}", f"/v1/jobs?department={THEIRS}"
STRANGERS: Mapping[str, Caller] = {
    "inspector-of-parks": Caller("ines", ("inspector",), OURS),
    "department-of-parks": Caller("maria", ("department",), OURS),
    "both-of-parks": Caller("maria", ("department", "inspector"), OURS),
    "inspector-of-none": Caller("ines", ("inspector",)),
    "department-of-none": Caller("maria", ("department",)),
    "inspector-of-nothing": Caller("ines", ("inspector",), ""),
    "capitals": Caller("ines", ("inspector",), THEIRS.upper()),
    "administrator": Caller("olga", ("admin",)),
    "administrator-of-theirs": Caller("olga", ("admin",), THEIRS),
    "administrator-and-inspector-of-parks": Caller("olga", ("admin", "inspector"), OURS),
    "emergency": Caller("eva", ("emergency",), THEIRS),
    "liaison": Caller("lee", ("liaison",), THEIRS),
}


@pytest.mark.parametrize("caller", STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("path", [JOB, QUEUE, "/v1/jobs/another"], ids=["job", "queue", "unknown"])
def test_routing_shows_no_job_of_another_department(caller: Caller, path: str) -> None:
    assert Desk(THEIRS).asked(caller, path) == 403


@pytest.mark.parametrize("role", [*ROLES, "admin"])
@pytest.mark.parametrize("department", [None, "", OURS])
def test_a_job_of_no_department_is_shown_to_none(role: str, department: str | None) -> None:
    assert Desk(None).asked(Caller("pedro", (role,), department), JOB) == 403


@pytest.mark.parametrize("path", [JOB, QUEUE], ids=["job", "queue"])
@pytest.mark.parametrize("role", [*ROLES, "agent", "custodian", "records_officer", "auditor"])
def test_routing_shows_its_own_to_a_department_and_all_to_the_center(role: str, path: str) -> None:
    department = THEIRS if role in ROLES else None
    assert Desk(THEIRS).asked(Caller("pedro", (role,), department), path) == 200


@pytest.mark.parametrize("role", ["admin", "inspector"])
def test_counts_are_still_for_them(role: str) -> None:
    assert Desk(THEIRS).asked(Caller("olga", (role,)), "/v1/counts") == 200


# ---------------------------------------------------------------- another's update, by its id


def _update(department: str, record_id: str, update_id: str) -> Received:
    data = ev.DepartmentUpdate(
        record_id=record_id, department=department, status="in_progress", occurred_at=NOW
    )
    event: Event[Any] = Event(update_id, f"/department/{department}", record_id, NOW, data)
    return Received(event, {}, b"", updates_topic(department), 0, 0)


UPDATE = "01980000-0000-7000-8000-00000000000b"


@pytest.mark.anyio
@pytest.mark.parametrize("together", [False, True], ids=["before", "in-one-batch"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("record_id", ["nowhere", "gone", RECORD, "ours"])
async def test_nobody_takes_the_place_of_anothers_update_by_its_id(
    record_id: str, times: int, together: bool
) -> None:
    service = Answering()
    await service.job(RECORD, department=THEIRS)
    await service.job("ours", department=OURS)
    await service.job("gone", department=THEIRS, lifecycle="destroyed")
    attack = [_update(OURS, record_id, UPDATE)] * times
    answer = [_update(THEIRS, RECORD, UPDATE)] * times
    for batch in [attack + answer] if together else [attack, answer]:
        assert await service.process(batch) == []
    said = await service.answers()
    accepted = [each for each in said if isinstance(each, ev.UpdateAccepted)]
    assert [each.department for each in accepted if each.record_id == RECORD] == [THEIRS]
    attacks = [each for each in said if getattr(each, "department", None) == OURS]
    assert len([each for each in attacks if not isinstance(each, ev.WorkUpdated)]) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("record_id", ["nowhere", "elsewhere"])
async def test_a_refusal_of_anothers_unknown_update_is_no_answer_to_this_one(
    record_id: str,
) -> None:
    service = Answering()
    for department, record in ((OURS, record_id), (THEIRS, "nowhere"), (THEIRS, "nowhere")):
        assert await service.process([_update(department, record, UPDATE)]) == []
    refused = [each for each in await service.answers() if isinstance(each, ev.UpdateRefused)]
    assert [each.department for each in refused] == [OURS, THEIRS]
    assert {each.update_id for each in refused} == {UPDATE}


@pytest.mark.anyio
async def test_what_was_answered_before_by_the_id_alone_is_answered() -> None:
    service = Answering()
    await service.job(RECORD, department=THEIRS, handled_updates=(UPDATE,))
    old = Refusal(record_id="old", version=1)
    await service.refusals.commit([Write(0, old, (), NOW)])
    for record_id, update_id in ((RECORD, UPDATE), (RECORD, "old"), ("nowhere", "old")):
        assert await service.process([_update(THEIRS, record_id, update_id)]) == []
    assert await service.answers() == []


# ---------------------------------------------------------------- a duplicate of nothing

OF = "0193bb05-8f33-7483-bfe4-440e60fc47fa"
ANOTHER = "0193bb05-8f33-7483-bfe4-440e60fc47fb"
OF_NOTHING = {
    "itself": OF,
    "itself in capitals": OF.upper(),
    "itself without dashes": OF.replace("-", ""),
    "a word": "unknown",
    "a number": "4711",
    "a name": "Maria_Lopez",
    "a telephone": "305-555-0142",
    "one digit less": ANOTHER[:-1],
    "one digit more": ANOTHER + "0",
    "other letters": ANOTHER.replace("b", "g"),
    "capitals": ANOTHER.upper(),
    "dashes elsewhere": ANOTHER.replace("-", "").replace("0193", "0193-"),
    "dashes alone": "-" * 36,
}


def _duplicate(of: str, status: ev.WorkStatus = "duplicate") -> Received:
    data = ev.DepartmentUpdate(
        record_id=OF, department=OURS, status=status, occurred_at=NOW, duplicate_of=of
    )
    event: Event[Any] = Event(UPDATE, f"/department/{OURS}", OF, NOW, data)
    return Received(event, {}, b"", updates_topic(OURS), 0, 0)


@pytest.mark.anyio
@pytest.mark.parametrize("status", ["duplicate", "in_progress"])
@pytest.mark.parametrize("of", OF_NOTHING.values(), ids=OF_NOTHING)
async def test_a_request_is_no_duplicate_of_itself_or_of_what_is_none(
    of: str, status: ev.WorkStatus
) -> None:
    service = Answering()
    await service.job(OF)
    assert await service.process([_duplicate(of, status)]) == []
    (refused,) = await service.answers()
    assert isinstance(refused, ev.UpdateRefused)
    assert (refused.code, of in refused.reason) == ("malformed", False)


@pytest.mark.anyio
async def test_a_request_is_no_duplicate_of_one_that_routing_does_not_know() -> None:
    service = Answering()
    await service.job(OF)
    assert await service.process([_duplicate(ANOTHER)]) == []
    (refused,) = await service.answers()
    assert isinstance(refused, ev.UpdateRefused)
    assert (refused.code, ANOTHER in refused.reason) == ("malformed", False)


@pytest.mark.anyio
async def test_a_request_is_a_duplicate_of_another() -> None:
    service = Answering()
    await service.job(OF)
    await service.job(ANOTHER)
    assert await service.process([_duplicate(ANOTHER)]) == []
    (work,) = [each for each in await service.answers() if isinstance(each, ev.WorkUpdated)]
    assert (work.status, work.duplicate_of) == ("duplicate", ANOTHER)


# ---------------------------------------------------------------- retention's door


def _routed(version: int, department: str) -> Event[Any]:
    return routed(RECORD, version, department)


KEPT_FROM_PARKS: Mapping[str, tuple[Event[Any], ...]] = {
    "never-routed": (),
    "another-has-it": (_routed(3, THEIRS),),
    "taken-back": (_routed(3, OURS), recalled(RECORD, 4, OURS)),
    "moved": (_routed(3, OURS), recalled(RECORD, 4, OURS), _routed(4, THEIRS)),
    "taken-back-before-it-was-given": (recalled(RECORD, 4, OURS), _routed(3, OURS)),
}
SAYINGS: Mapping[str, dict[str, Any]] = {
    "citation": {"outcome": "citation_issued"},
    "hearing-closed": {"outcome": "hearing", "closed_on": date(2020, 1, 2)},
    "suit-opened-again": {"outcome": "litigation", "reopened": True},
    "incident": {"outcome": "incident"},
}


async def _retention(said: Sequence[Event[Any]]) -> Retention:
    service = Retention()
    await service.apply(requested(RECORD), worked(RECORD, 2), *said)
    return service


@pytest.mark.anyio
@pytest.mark.parametrize("saying", SAYINGS.values(), ids=SAYINGS)
@pytest.mark.parametrize("said", KEPT_FROM_PARKS.values(), ids=KEPT_FROM_PARKS)
async def test_an_inspector_opens_and_closes_no_case_of_another_department(
    said: Sequence[Event[Any]], saying: dict[str, Any]
) -> None:
    service = await _retention(said)
    before = service.record(RECORD)
    for caller in (
        of_ours("inspector"),
        Caller("pedro", ("inspector",)),
        Caller("pedro", ("inspector",), ""),
        Caller("pedro", ("inspector", "admin"), OURS),
    ):
        for record_id in (RECORD, "another"):
            with pytest.raises(RefusedError) as refused:
                await service.outcomes.add(caller, record_id, cause=service.ids.new(), **saying)
            assert (status_of(refused.value), refused.value.code) == (403, "department")
    assert service.record(RECORD) == before


@pytest.mark.anyio
async def test_who_said_what_a_case_came_to_stays_with_the_record() -> None:
    service = await _retention([_routed(3, OURS)])
    inspector, counsel = of_ours("inspector"), Caller("cole", ("counsel",))
    for caller, closed_on in ((inspector, None), (counsel, date(2020, 1, 2)), (counsel, None)):
        await service.outcomes.add(
            caller, RECORD, "hearing", service.ids.new(), closed_on, reopened=closed_on is None
        )
    said = [(each.by, each.closed_on) for each in service.record(RECORD).outcomes_said]
    assert said == [("pedro", None), ("cole", date(2020, 1, 2)), ("cole", None)]
    assert {each.at for each in service.record(RECORD).outcomes_said} == {service.clock.now()}


# ---------------------------------------------------------------- files of rules

Edit = Callable[[dict[str, Any]], None]


def purpose(name: str, **fields: object) -> Edit:
    return lambda tree: entry(tree, "purposes", "purpose", name).update(fields)


def granted(role: str, purpose: str, *fields: str) -> Edit:
    grant = {"rule": f"{role}-more", "purpose": purpose, "fields": list(fields)}
    return lambda tree: entry(tree, "roles", "role", role)["grants"].append(grant)


def both(*edits: Edit) -> Edit:
    def change(tree: dict[str, Any]) -> None:
        for edit in edits:
            edit(tree)

    return change


SPARED = ["agent", "counsel", "custodian", "admin", "service"]
LOWER: Mapping[str, Edit] = {
    "business-asks-nothing": purpose("county_business", precondition="none"),
    "business-asks-a-link": purpose("county_business", precondition="signed_link"),
    "business-spares-departments": purpose("county_business", unless_roles=[*SPARED, "department"]),
    "business-spares-inspectors": purpose("county_business", unless_roles=[*SPARED, "inspector"]),
    "business-spares-a-new-role": both(
        purpose("county_business", unless_roles=[*SPARED, "crew"]),
        lambda tree: tree["roles"].append({"role": "crew", "title": "Crew", "grants": []}),
    ),
    "respond-asks-nothing": purpose("respond", precondition="none"),
    "respond-spares-inspectors": purpose("respond", unless_roles=["inspector"]),
    **{
        f"{role}-{name.replace('_', '-')}": granted(role, name, field)
        for role in ROLES
        for name, field in (
            ("public_safety", "phone"),
            ("emergency_assistance", "description"),
            ("authorised_audit", "audit_entry"),
            ("authorised_audit", "person_index"),
            ("retention", "description"),
        )
    },
    **{
        f"safety-asks-and-spares-{role}": both(
            purpose("public_safety", precondition="assigned", unless_roles=["emergency", role]),
            granted(role, "public_safety", "phone"),
        )
        for role in ROLES
    },
}


@pytest.mark.parametrize("edit", LOWER.values(), ids=LOWER)
def test_no_file_lowers_the_floor(tmp_path: Path, edit: Edit) -> None:
    with pytest.raises(DataFileError):
        load_access_policy(changed(SOURCE, tmp_path, edit), rules_only=True)


@pytest.mark.parametrize("edit", LOWER.values(), ids=LOWER)
def test_a_file_that_was_not_checked_does_not_lower_it_either(tmp_path: Path, edit: Edit) -> None:
    file = load(AccessRules, changed(SOURCE, tmp_path, edit), lambda _: ())
    policy = AccessPolicy(file.content, file.sha256)
    for role in ROLES:
        for grant in next(each for each in file.content.roles if each.role == role).grants:
            for facts in (RecordFacts(RECORD, THEIRS), RecordFacts(RECORD), RecordFacts()):
                decision = policy.decide(
                    of_ours(role),
                    grant.purpose,
                    grant.fields,
                    facts,
                    reference="WO-118-22",
                    justification="there is danger to life at the place",
                    at=NOW,
                )
                assert not decision.allowed, (role, grant.purpose, facts)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ["respond", "county_business"])
def test_a_search_is_about_no_record_and_so_about_none_of_theirs(
    tmp_path: Path, name: str, role: str
) -> None:
    path = changed(SOURCE, tmp_path, granted(role, name, "person_index"))
    decision = load_access_policy(path, rules_only=True).decide(
        of_ours(role), name, ["person_index"], RecordFacts(), reference="WO-1", at=NOW
    )
    assert decision.rule_id == "refused:assigned"


@pytest.mark.parametrize("role", ROLES)
def test_a_file_may_let_them_act_in_danger_where_they_have_the_record(
    tmp_path: Path, role: str
) -> None:
    edit = both(
        purpose("public_safety", precondition="assigned", unless_roles=["agent", "emergency"]),
        granted(role, "public_safety", "phone"),
    )
    policy = load_access_policy(changed(SOURCE, tmp_path, edit), rules_only=True)

    def opens(caller: Caller, department: str) -> bool:
        facts = RecordFacts(RECORD, department)
        why = "there is danger to life at the place"
        return policy.decide(
            caller, "public_safety", ["phone"], facts, justification=why, at=NOW
        ).allowed

    assert opens(of_ours(role), OURS)
    assert not opens(of_ours(role), THEIRS)
    assert opens(Caller("noa", ("emergency",)), THEIRS)


@pytest.mark.parametrize("other", ["agent", "custodian", "counsel"])
def test_what_another_role_opens_a_departments_grant_does_not_widen(other: str) -> None:
    """One person with two roles: each opens what it alone may."""
    policy = load_access_policy()
    caller = Caller("pedro", ("inspector", other), OURS)
    decision = policy.decide(
        caller,
        "county_business",
        ["description"],
        RecordFacts(RECORD, THEIRS),
        reference="WO-1",
        at=NOW,
    )
    assert (decision.allowed, decision.roles) == (True, (other,))


# ---------------------------------------------------------------- on a running stack


@pytest.mark.anyio
@pytest.mark.e2e
async def test_on_a_running_county_nobody_opens_a_neighbours_record_as_county_business(
    county: County,
) -> None:
    fields = submission(590)
    record_id = await county.accepted(fields)
    await county.routed(record_id)
    why: dict[str, Any] = {"purpose": "county_business", "reference": "WO-118-22"}

    async def ours() -> bool:
        answer = await county.read_contact(
            record_id, "inspector:animal_services", "ines", fields=["phone"], **why
        )
        return answer.status_code == 200

    await until(ours, "the department that has it opens it")
    for role in ("inspector:parks", "inspector", "department:parks"):
        for field in ("description", "phone"):
            answer = await county.read_contact(record_id, role, "pedro", fields=[field], **why)
            assert answer.status_code == 403, (role, field)
            assert fields[field] not in answer.text
