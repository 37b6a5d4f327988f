"""The register of disclosure cases: what their signed events say, and nothing of an exempt case to
those who may not see it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.audit.questions.api.register import register_router
from direct311.audit.questions.handlers.audited_query import QueryContext
from direct311.audit.questions.handlers.register import CaseRegister
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.telemetry import Metrics
from direct311.schemas import events as ev
from direct311.schemas.secrecy import NO_END
from direct311.verifier.cases_report import verify_cases_report
from direct311.verifier.checkpoint import Trust
from tests.unit.audit.audit_under_test import ASKING, COUNSEL, AuditUnderTest
from tests.unit.audit.events import RECORD, START, Producer, received
from tests.unit.audit.log_contract import LOG_KEYS

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P13")]

DAY = timedelta(days=1)
ASKED, RELEASED, SECRET = "case-asked", "case-released", "case-secret"
EXEMPT = ev.CaseExemption(exempt=True, until=NO_END, code="active")
PACKAGE = "ab" * 32
YEAR = START.year


def approval(approver: str, at: datetime) -> ev.Approval:
    return ev.Approval(approver=approver, approved_at=at, id_token="a.b.c", key={"kty": "OKP"})


def when(event: ev.DisclosureEvent) -> datetime:
    match event:
        case ev.DisclosureRecorded():
            return event.occurred_at
        case ev.DisclosureApproved():
            return event.approvals[-1].approved_at
        case ev.DisclosureRevoked():
            return event.revoked_at
        case ev.DisclosureReleased():
            return event.released_at
        case _:
            raise TypeError


class Registry(AuditUnderTest):
    """Audit with three cases: one open, one released and closed, one exempt."""

    def __init__(self) -> None:
        super().__init__()
        self.retention = Producer("retention")
        self.register = CaseRegister(
            self.audited, self.stores.followed, LOG_KEYS, self.stores.clock
        )

    async def say(self, *events: ev.DisclosureEvent) -> None:
        """Each when it happens: nothing is logged before that."""
        clock = self.stores.clock
        for event in events:
            at = when(event)
            clock.advance(max(at - clock.now(), timedelta()))
            message = self.retention.encoded(event, event.case_id, at)
            await self.log(message)
            await self.secrecy.take(received(message).event)

    def step(
        self,
        case_id: str,
        version: int,
        step: str,
        state: str,
        at: datetime = START,
        **more: Any,
    ) -> ev.DisclosureRecorded:
        given = {"kind": "public_records", "actor": "carla"} | more
        return ev.DisclosureRecorded(
            case_id=case_id, version=version, step=step, state=state, occurred_at=at, **given
        )

    def granted(self, case_id: str, version: int, **more: Any) -> ev.DisclosureApproved:
        given = {"kind": "public_records"} | more
        kind = given["kind"]
        grant = ev.DisclosureGrant(
            grant_id=f"grant-{version}",
            case_id=case_id,
            kind=kind,
            record_ids=(RECORD,),
            fields=("description",),
            searches=(ev.GrantedSearch(kind="person", number=3),),
            workers=("carla",),
            prepared_by="carla",
            prepared_at=START,
            valid_until=START + 30 * DAY,
        )
        return ev.DisclosureApproved(
            case_id=case_id,
            version=version,
            grant=grant,
            approvals=(approval("raul", START),),
            **given,
        )

    async def fill(self) -> None:
        await self.say(
            self.step(ASKED, 1, "opened", "received", START + DAY),
            self.step(RELEASED, 1, "opened", "received"),
            self.step(RELEASED, 2, "acknowledged", "acknowledged", START + DAY),
            self.granted(RELEASED, 3),
            ev.DisclosureRevoked(
                case_id=RELEASED,
                version=4,
                kind="public_records",
                grant_id="grant-3",
                revoked_by="raul",
                reason="done",
                revoked_at=START + 2 * DAY,
            ),
            ev.DisclosureReleased(
                case_id=RELEASED,
                version=5,
                kind="public_records",
                package=PACKAGE,
                counts={"records": 2, "withheld": 4},
                recipient="requester",
                released_by="carla",
                approvals=(approval("raul", START + 3 * DAY), approval("cora", START + 3 * DAY)),
                released_at=START + 3 * DAY,
            ),
            self.step(RELEASED, 6, "closed", "closed", START + 4 * DAY, codes=("full",)),
            self.step(
                SECRET,
                1,
                "opened",
                "received",
                START + 2 * DAY,
                kind="law_enforcement",
                actor="lia",
                exemption=EXEMPT,
            ),
            self.granted(SECRET, 2, kind="law_enforcement", exemption=EXEMPT),
        )
        await self.log(
            Producer().access(
                RECORD, purpose="public_records", case_id=RELEASED, at=START + 4 * DAY
            )
        )

    async def listed(self, context: QueryContext = ASKING) -> list[tuple[str, str, bool]]:
        page = await self.register.page(context, limit=50, after=None)
        return [(line.case.case_id, line.case.state, line.case.exempt) for line in page.cases]


@pytest.fixture
async def audit() -> Registry:
    audit = Registry()
    await audit.fill()
    return audit


async def test_a_case_is_shown_with_its_steps_grants_and_releases(audit: Registry) -> None:
    case, event_id = await audit.register.one(ASKING, RELEASED)
    assert (case.kind, case.state, case.outcome, case.exempt) == (
        "public_records",
        "closed",
        "full",
        False,
    )
    assert (case.first_at, case.last_at) == (START, START + 4 * DAY)
    assert [(act.version, act.step, act.state, act.actor) for act in case.steps] == [
        (1, "opened", "received", "carla"),
        (2, "acknowledged", "acknowledged", "carla"),
        (3, "grant", None, "raul"),
        (4, "revoke", None, "raul"),
        (5, "release", None, "carla"),
        (6, "closed", "closed", "carla"),
    ]
    assert case.steps[4].hashes == {"package": PACKAGE}
    (grant,) = case.grants
    assert (grant.approved_by, grant.prepared_by, grant.records) == (("raul",), "carla", 1)
    assert (grant.valid_until, grant.revoked_at) == (START + 30 * DAY, START + 2 * DAY)
    assert (grant.revoked_by, grant.reason, grant.searches) == ("raul", "done", {"person": 3})
    (release,) = case.releases
    assert (release.package, release.approved_by) == (PACKAGE, ("raul", "cora"))
    assert release.counts == {"records": 2, "withheld": 4}
    event = audit.access_log.events()[-1]
    assert event.action == "log_read"
    assert event.what.query_fields == ("case_id",)
    assert (event.what.result_count, event.what.fields) == (6, ("audit_entry",))
    assert event_id


async def test_each_step_names_the_entry_that_proves_it(audit: Registry) -> None:
    case, _ = await audit.register.one(ASKING, RELEASED)
    for act in case.steps:
        opened, _ = await audit.reading.one(ASKING, act.event_id)
        assert opened.row.index == act.index
        assert opened.event is not None
        assert opened.event["body"]["version"] == act.version
    assert case.releases[0].event_id == case.steps[4].event_id


async def test_the_list_is_newest_first_and_has_pages_without_gaps(audit: Registry) -> None:
    assert await audit.listed(COUNSEL) == [
        (SECRET, "received", True),
        (ASKED, "received", False),
        (RELEASED, "closed", False),
    ]
    seen: list[str] = []
    after: str | None = None
    while True:
        page = await audit.register.page(COUNSEL, limit=1, after=after)
        seen += [line.case.case_id for line in page.cases]
        if (after := page.next) is None:
            break
    assert seen == [SECRET, ASKED, RELEASED]


@pytest.mark.policy("P18")
async def test_an_exempt_case_leaves_no_trace(audit: Registry) -> None:
    """Whatever an auditor asks, the answer is that of a log without the case."""
    without = Registry()
    await without.fill()
    await without.secrecy.note(SECRET, 9, None, law_enforcement=True)
    assert await audit.listed() == [(ASKED, "received", False), (RELEASED, "closed", False)]
    counted = audit.access_log.events()[-1]
    assert counted.what.result_count == 2
    page = await audit.register.page(ASKING, limit=1, after=None)
    assert page.next == ASKED
    last = await audit.register.page(ASKING, limit=1, after=ASKED)
    assert last.next is None
    # With the right to see it, and once it is open, it is there.
    assert SECRET in [case_id for case_id, *_ in await audit.listed(COUNSEL)]
    assert SECRET in [case_id for case_id, *_ in await without.listed()]


@pytest.mark.policy("P18")
async def test_an_exempt_case_and_an_unknown_one_answer_alike(audit: Registry) -> None:
    refusals, entries = [], []
    for case_id in (SECRET, "case-unknown"):
        for ask in (
            audit.register.one(ASKING, case_id),
            audit.register.page(ASKING, limit=5, after=case_id),
        ):
            with pytest.raises(RefusedError) as refused:
                await ask
            refusals.append((refused.value.code, str(refused.value)))
        entries.append(audit.access_log.events()[-1].model_dump(exclude={"time", "agent"}))
    assert refusals[:2] == refusals[2:]
    assert entries[0] == entries[1]
    assert [code for code, _ in refusals[:2]] == ["not_found", "cursor_mismatch"]
    assert SECRET not in str(refusals)


async def test_a_case_that_is_no_longer_exempt_is_there_for_everybody(audit: Registry) -> None:
    await audit.say(
        audit.step(
            SECRET, 3, "closed", "closed", START + 9 * DAY, kind="law_enforcement", actor="lia"
        )
    )
    case, _ = await audit.register.one(ASKING, SECRET)
    assert (case.kind, case.state, case.exempt) == ("law_enforcement", "closed", False)
    assert len(case.steps) == 3


async def test_who_sees_an_exempt_case_is_written_down_with_the_field(audit: Registry) -> None:
    case, _ = await audit.register.one(COUNSEL, SECRET)
    assert case.exempt
    assert audit.access_log.events()[-1].what.fields == ("audit_entry", "exempt_entry")


async def test_without_the_role_nothing_is_looked_up(audit: Registry) -> None:
    other = QueryContext(Caller("ana", ("agent",)), "GET /v1/cases", "Letter 12")
    fetched = len(audit.keys.fetches)
    for ask in (
        audit.register.page(other, limit=5, after=None),
        audit.register.one(other, RELEASED),
        audit.register.report(other, YEAR),
    ):
        with pytest.raises(RefusedError) as refused:
            await ask
        assert refused.value.code == "refused:role"
    assert len(audit.keys.fetches) == fetched
    assert [each.outcome for each in audit.access_log.events()[-3:]] == ["denied"] * 3


async def test_the_report_counts_the_cases_of_a_year_by_kind(audit: Registry) -> None:
    kinds = (await audit.register.report(ASKING, YEAR)).kinds
    public, police, referral = kinds
    assert (public.kind, police.kind, referral.kind) == (
        "public_records",
        "law_enforcement",
        "referral",
    )
    assert (public.received, public.open, public.closed) == (2, 1, 1)
    assert (public.outcomes, public.median_days) == ({"full": 1}, 4.0)
    assert (public.released, public.releases, public.withheld) == (1, 1, 4)
    assert (public.grants, public.revoked) == (1, 1)
    assert police == police.model_copy(update={"received": 0, "grants": 0})
    assert (await audit.register.report(ASKING, YEAR - 1)).kinds[0].received == 0


@pytest.mark.policy("P18")
async def test_an_exempt_case_counts_once_it_is_open_for_every_caller(audit: Registry) -> None:
    for context in (ASKING, COUNSEL):
        kinds = (await audit.register.report(context, YEAR)).kinds
        assert kinds[1].received == 0
        event = audit.access_log.events()[-1]
        assert (event.what.result_count, event.what.fields) == (2, ("audit_entry",))
    await audit.secrecy.note(SECRET, 9, None, law_enforcement=True)
    kinds = (await audit.register.report(ASKING, YEAR)).kinds
    assert (kinds[1].received, kinds[1].open, kinds[1].grants) == (1, 1, 1)


def legal_steps(audit: Registry, case_id: str, *steps: tuple[str, str, tuple[str, ...]]) -> Any:
    """The steps of a law-enforcement case that nothing keeps exempt, from its opening on."""
    return [
        audit.step(case_id, version, step, state, codes=codes, kind="law_enforcement", actor="lia")
        for version, (step, state, codes) in enumerate(steps, 1)
    ]


CALLED = ("called_back", "verified", ("instrument", "trial_subpoena", "mdpd", "confirmed"))
OPENED: tuple[str, str, tuple[str, ...]] = ("opened", "received", ())
THREAT = ("exigent", "verifying", ("exigent_request", "mdpd", "life"))
OFFICER = ("called_back", "verified", ("officer", "exigent_request", "mdpd", "confirmed"))
FOLLOWED = ("followed_up", "granted", ("follow_up", "search_warrant", "mdpd", "confirmed"))


@pytest.mark.policy("P18")
async def test_the_report_counts_law_enforcement_by_instrument(audit: Registry) -> None:
    police: dict[str, Any] = {"kind": "law_enforcement"}
    await audit.say(
        *legal_steps(audit, "case-s", OPENED, CALLED, ("scoped", "scoped", ("narrowed",))),
        audit.granted("case-s", 4, **police),
        *legal_steps(audit, "case-r", OPENED, ("refused", "refused", ("not_genuine",))),
        *legal_steps(audit, "case-d", OPENED, ("refused", "refused", (*CALLED[2][:3], "denied"))),
        *legal_steps(audit, "case-w", ("opened", "received", ("internal_referral",))),
        *legal_steps(audit, "case-x", OPENED, THREAT, OFFICER),
        audit.granted("case-x", 4, **police),
        *legal_steps(audit, "case-y", OPENED, THREAT, OFFICER),
        audit.granted("case-y", 4, **police),
    )
    follow = audit.step("case-y", 5, FOLLOWED[0], FOLLOWED[1], codes=FOLLOWED[2], **police)
    await audit.say(follow)
    report = await audit.register.report(ASKING, YEAR)
    found = {each.instrument: each for each in report.instruments}
    assert sorted(found) == ["exigent_request", "internal_referral", "none", "trial_subpoena"]
    exigent, subpoena = found["exigent_request"], found["trial_subpoena"]
    assert (exigent.received, exigent.followed_up, exigent.not_followed_up) == (2, 1, 1)
    assert (subpoena.received, subpoena.refused, subpoena.narrowed) == (2, 1, 1)
    assert (subpoena.granted, subpoena.persons_at_most) == (1, 1)
    assert (found["none"].received, found["none"].refused) == (1, 1)
    assert found["internal_referral"].received == 1
    # The exempt case is in no line.
    assert sum(each.received for each in report.instruments) == report.kinds[1].received == 6


async def test_the_report_is_signed_as_a_whole_by_the_log(audit: Registry) -> None:
    report = await audit.register.report(ASKING, YEAR)
    trust = Trust(tuple(LOG_KEYS.ever()))
    assert verify_cases_report(report.note.encode(), trust).ok
    for place in range(len(report.note)):
        other = "0" if report.note[place] != "0" else "1"
        changed = report.note[:place] + other + report.note[place + 1 :]
        assert not verify_cases_report(changed.encode(), trust).ok, place


async def test_a_case_received_before_the_year_is_not_of_the_year(audit: Registry) -> None:
    late = datetime(YEAR + 1, 1, 1, tzinfo=UTC) + DAY
    await audit.say(audit.step(ASKED, 2, "closed", "closed", late, codes=("denied",)))
    this = (await audit.register.report(ASKING, YEAR)).kinds
    assert this[0].outcomes == {"denied": 1, "full": 1}
    following = (await audit.register.report(ASKING, YEAR + 1)).kinds
    assert following[0].received == 0


async def test_an_entry_that_does_not_open_any_more_is_left_out(audit: Registry) -> None:
    await audit.keys.destroy(f"case:{RELEASED}")
    with pytest.raises(RefusedError):
        await audit.register.one(ASKING, RELEASED)
    assert [case_id for case_id, *_ in await audit.listed()] == [ASKED]


def test_over_http() -> None:
    audit = Registry()
    anyio.run(audit.fill)

    async def caller_of(request: Request) -> Caller:
        return Caller("ada", (request.headers.get("x-test-role", "auditor"),))

    app = FastAPI()
    install(app, Readiness(), Metrics())
    app.include_router(register_router(audit.register, caller_of))
    client = TestClient(app, raise_server_exceptions=False)
    given = {"reference": "Letter 12"}
    page = client.get("/v1/cases", params=given | {"limit": 1}).json()
    assert [(each["case_id"], each["steps"]) for each in page["cases"]] == [(ASKED, 1)]
    more = client.get("/v1/cases", params=given | {"cursor": page["next"]}).json()
    assert [each["case_id"] for each in more["cases"]] == [RELEASED]
    case = client.get(f"/v1/cases/{RELEASED}", params=given).json()
    assert (case["state"], len(case["steps"])) == ("closed", 6)
    assert case["access_event"]
    unknown = client.get(f"/v1/cases/{SECRET}", params=given)
    assert (unknown.status_code, SECRET in unknown.text) == (404, False)
    report = client.get("/v1/cases-report", params=given | {"year": YEAR}).json()
    assert (report["year"], report["kinds"][0]["received"]) == (YEAR, 2)
    checked = verify_cases_report(report["note"].encode(), Trust(tuple(LOG_KEYS.ever())))
    assert checked.ok, checked.text
    for path in ("/v1/cases", f"/v1/cases/{ASKED}", f"/v1/cases-report?year={YEAR}"):
        answer = client.get(path, params=given, headers={"x-test-role": "agent"})
        if "?" not in path:
            assert answer.status_code == 403
    for year in ("1999", "9999", "x", ""):
        assert client.get("/v1/cases-report", params=given | {"year": year}).status_code == 422
