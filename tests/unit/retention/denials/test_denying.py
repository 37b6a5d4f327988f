"""Denials: prepared by one person, approved by others, told to the requester with the law."""

from datetime import timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from direct311.retention.acts import SERVICE
from direct311.retention.case_file.denials import STATEMENT, DeniedItem
from direct311.retention.cases.domain import CaseFile
from direct311.retention.denials.handlers import Denying, ShownDenial, nonce_of_denial
from direct311.retention.grants.domain import GrantDraft
from direct311.retention.grants.handlers import Granting
from direct311.runtime.access.disclosures import GRANT
from direct311.runtime.access.exemptions import load_exemptions
from direct311.runtime.access.fresh_sign_in import Approvals, nonce_of
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import MalformedError, RefusedError
from direct311.schemas import events as ev
from direct311.schemas.claims import overreach
from tests.support.disclosures import CLIENT, ISSUER, Office
from tests.unit.retention.cases.fakes import CaseDeskUnderTest, InMemoryCases
from tests.unit.retention.legal_process.fakes import LegalOffice

pytestmark = pytest.mark.anyio

CARLA = Caller("carla", ("custodian",))
OLGA = Caller("olga", ("records_officer",))
COLE = Caller("cole", ("counsel",))
LARS = Caller("lars", ("liaison",))
GATEWAY = Caller("svc:intake", ("service",))
WORDS = "The canary home address is exempt under section 119.071(4)(d)."
EXEMPT = DeniedItem(
    reason="exempt",
    record_id="record-1",
    field="reporter_address",
    exemption="protected_person",
    citation="119.071(4)(d)",
)
NOT_HELD = DeniedItem(reason="not_held")


class Desk(CaseDeskUnderTest):
    """The case desk with denials, and an identity provider."""

    def __init__(self) -> None:
        self.office = Office()
        super().__init__(signer=self.office.signer)
        self.office.clock = self.clock
        self.denying = Denying(
            self.work,
            load_exemptions(local=True),
            InMemoryCases(self.files),
            Approvals(ISSUER, CLIENT),
            self.office.provider,
            ZoneInfo("America/New_York"),
        )
        self.case_id = ""
        self.token = ""

    async def submitted(self, *, identified: bool = True) -> str:
        sent = await self.submissions.submit(GATEWAY, "k" * 32, "words", None)
        self.case_id, self.token = sent.case_id, sent.token
        if identified:
            await self.preservation.identify(CARLA, self.case_id, [], complete=True)
        return sent.case_id

    @property
    def file(self) -> CaseFile:
        return self.files.state(self.case_id)

    async def prepared(self, *items: DeniedItem, by: Caller = CARLA, **more: Any) -> ShownDenial:
        given = {"outcome": "denied", "statement": WORDS, "version": self.file.version, **more}
        return await self.denying.prepare(
            by,
            self.case_id,
            given["version"],
            given["outcome"],
            items or (EXEMPT,),
            given["statement"],
        )

    async def approved(self, shown: ShownDenial, by: Caller, **changes: Any) -> ShownDenial:
        found = self.file.denials.find(shown.denial.denial_id)
        version = found.version if found else 1
        token = self.office.provider.id_token(by.sub, shown.nonce, self.clock.now(), **changes)
        return await self.denying.approve(by, self.case_id, shown.denial.denial_id, version, token)

    def steps(self) -> list[ev.DisclosureEvent]:
        said = [each.data for each in self.files.said(self.case_id)]
        return [each for each in said if isinstance(each, ev.DisclosureEvent)]

    def step(self) -> ev.DisclosureRecorded:
        told = [each for each in self.steps() if isinstance(each, ev.DisclosureRecorded)]
        return told[-1]

    def entries(self) -> list[ev.PiiAccessed]:
        return [each for each in self.access_log.events() if STATEMENT in each.what.fields]


@pytest.fixture
async def desk() -> Desk:
    desk = Desk()
    await desk.submitted()
    return desk


async def refused(code: str, ask: Any) -> RefusedError:
    with pytest.raises(RefusedError) as error:
        await ask
    assert error.value.code == code
    return error.value


# ---------------------------------------------------------------- two persons, and counsel


async def test_a_denial_with_an_exemption_needs_a_records_officer_and_counsel(desk: Desk) -> None:
    shown = await desk.prepared()
    assert (shown.state, shown.denial.missing) == ("prepared", ("records_officer", "counsel"))
    assert desk.file.state == "acknowledged"
    shown = await desk.approved(shown, OLGA)
    assert (shown.denial.missing, shown.denial.approved_at) == (("counsel",), None)
    assert desk.file.state == "acknowledged"
    shown = await desk.approved(shown, COLE)
    assert (shown.state, shown.denial.approved_at) == ("approved", desk.clock.now())
    assert (desk.file.state, desk.file.outcome) == ("closed", "denied")
    assert desk.file.closed_at == desk.clock.now()
    assert desk.file.unfiled
    step = desk.step()
    assert (step.step, step.state, step.actor) == ("denied", "closed", "cole")
    assert "protected_person" in step.codes
    assert step.hashes == {"statement": sha256(WORDS.encode()).hexdigest()}
    assert "anary" not in repr(desk.steps())


async def test_without_an_exemption_counsel_is_not_needed(desk: Desk) -> None:
    shown = await desk.prepared(NOT_HELD)
    assert shown.denial.missing == ("records_officer",)
    await refused("role", desk.approved(shown, COLE))
    shown = await desk.approved(shown, OLGA)
    assert shown.state == "approved"


async def test_a_part_is_denied_and_the_case_goes_on(desk: Desk) -> None:
    shown = await desk.prepared(outcome="part")
    await desk.approved(shown, COLE)
    await desk.approved(shown, OLGA)
    assert (desk.file.state, desk.file.outcome) == ("acknowledged", None)
    assert desk.step().step == "denied_in_part"
    again = await desk.prepared(NOT_HELD)
    await desk.approved(again, OLGA)
    assert desk.file.outcome == "denied"
    assert len(desk.file.denials.approved) == 2


@pytest.mark.parametrize("sub", ["carla", "CARLA"])
async def test_nobody_approves_what_they_prepared(desk: Desk, sub: str) -> None:
    shown = await desk.prepared()
    for role in ("records_officer", "counsel"):
        await refused("same_person", desk.approved(shown, Caller(sub, (role,))))
    assert desk.file.denials.all[0].approvals == ()


async def test_nobody_approves_it_in_two_roles(desk: Desk) -> None:
    shown = await desk.prepared()
    both = Caller("olga", ("records_officer", "counsel"))
    await desk.approved(shown, both)
    again = await desk.approved(shown, both)
    assert again.denial.missing == ("counsel",)
    await refused("same_person", desk.approved(shown, Caller("Olga", ("counsel",))))
    await refused("approved", desk.approved(shown, Caller("otto", ("records_officer",))))


async def test_an_approval_is_a_fresh_sign_in_for_exactly_this_denial(desk: Desk) -> None:
    shown = await desk.prepared()
    provider, now = desk.office.provider, desk.clock.now()
    tokens = (
        provider.id_token("olga", "another nonce", now),
        provider.id_token("olga", shown.nonce, now - timedelta(minutes=6)),
        provider.id_token("otto", shown.nonce, now),
        # The same content as a grant.
        provider.id_token("olga", nonce_of(GRANT, shown.denial.content), now),
        "x.y.z",
    )
    for token in tokens:
        await refused(
            "fresh_sign_in",
            desk.denying.approve(OLGA, desk.case_id, shown.denial.denial_id, 1, token),
        )
    for change in (
        {"outcome": "part"},
        {"items": (NOT_HELD,)},
        {"statement": "0" * 64},
        {"prepared_by": "eve"},
    ):
        assert nonce_of_denial(shown.denial.model_copy(update=change)) != shown.nonce
    approved = await desk.approved(shown, OLGA)
    assert approved.nonce == shown.nonce


async def test_somebody_elses_approval_in_between_is_seen(desk: Desk) -> None:
    shown = await desk.prepared()
    await desk.approved(shown, OLGA)
    token = desk.office.provider.id_token("cole", shown.nonce, desk.clock.now())
    stale = desk.denying.approve(COLE, desk.case_id, shown.denial.denial_id, 1, token)
    await refused("changed", stale)


async def test_a_newer_denial_takes_the_place_of_the_older(desk: Desk) -> None:
    first = await desk.prepared()
    second = await desk.prepared(NOT_HELD)
    await refused("denial_replaced", desk.approved(first, OLGA))
    _, found = await desk.denying.denials(CARLA, desk.case_id)
    assert [each.state for each in found] == ["replaced", "prepared"]
    await desk.approved(second, OLGA)
    await refused("case_closed", desk.prepared(NOT_HELD))


async def test_the_grants_of_a_denied_case_end(desk: Desk) -> None:
    granting = Granting(
        desk.processor,
        desk.rules,
        [each.field for each in desk.policy.rules.fields],
        Approvals(ISSUER, CLIENT),
        desk.office.provider,
        desk.clock,
        desk.ids,
        LegalOffice(desk).desk.door,
    )
    draft = GrantDraft(
        record_ids=("record-1",),
        fields=("phone",),
        workers=("carla",),
        valid_until=desk.clock.now() + timedelta(days=7),
    )
    grant = await granting.prepare(CARLA, desk.case_id, desk.file.version, draft)
    token = desk.office.provider.id_token("olga", grant.nonce, desk.clock.now())
    await granting.approve(OLGA, desk.case_id, grant.issued.grant.grant_id, 1, token)
    shown = await desk.prepared(NOT_HELD)
    await desk.approved(shown, OLGA)
    assert [each.state(desk.clock.now()) for each in desk.file.grants] == ["revoked"]
    assert isinstance(desk.steps()[-1], ev.DisclosureRevoked)


# ---------------------------------------------------------------- the law of each item


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"exemption": "no_such_code"}, "items.1.exemption"),
        ({"citation": "119.071(5)(a)"}, "items.1.citation"),
        ({"field": "audit_entry"}, "items.1.exemption"),
        ({"exemption": None}, "items.1.exemption"),
    ],
)
async def test_each_item_names_an_exemption_that_is_in_force_for_it(
    desk: Desk, change: dict[str, Any], field: str
) -> None:
    wrong = EXEMPT.model_copy(update=change)
    with pytest.raises(MalformedError) as error:
        await desk.prepared(NOT_HELD, wrong)
    assert [each.field for each in error.value.problems] == [field]
    assert desk.file.denials.all == ()
    assert not desk.entries()


async def test_an_exemption_that_is_repealed_meanwhile_denies_nothing(desk: Desk) -> None:
    shown = await desk.prepared()

    class Repealed:
        def in_force(self, *_: Any) -> None:
            return None

    desk.denying._exemptions = Repealed()
    with pytest.raises(MalformedError):
        await desk.approved(shown, OLGA)


# ---------------------------------------------------------------- when, and for whom


async def test_what_is_denied_is_identified_first_so_that_it_is_kept() -> None:
    desk = Desk()
    await desk.submitted(identified=False)
    await refused("not_identified", desk.prepared())


async def test_a_denial_from_an_older_version_is_refused_and_a_repeat_is_one(desk: Desk) -> None:
    version = desk.file.version
    first = await desk.prepared(version=version)
    again = await desk.prepared(version=version)
    assert first.denial == again.denial
    assert len(desk.entries()) == 1
    await refused("changed", desk.prepared(NOT_HELD, version=version))
    assert len(desk.file.denials.all) == 1


async def test_for_others_there_is_no_such_case(desk: Desk) -> None:
    shown = await desk.prepared()
    await refused("unknown_case", desk.prepared(by=LARS))
    await refused("unknown_case", desk.denying.denials(LARS, desk.case_id))
    await refused("unknown_case", desk.approved(shown, Caller("eve", ("auditor",))))
    denial_id = shown.denial.denial_id
    await refused("unknown_case", desk.denying.statement(LARS, desk.case_id, denial_id))
    await refused("unknown_denial", desk.denying.statement(OLGA, desk.case_id, desk.case_id))
    own = await desk.desk.open_case(LARS, "law_enforcement", "words", None, None)
    desk.case_id = own.record_id
    await refused("no_denials", desk.prepared(by=LARS))


# ---------------------------------------------------------------- the statement


async def test_the_statement_is_sealed_and_its_approvers_read_it_first(desk: Desk) -> None:
    shown = await desk.prepared()
    assert WORDS.encode() not in repr(desk.file).encode()
    for reader in (CARLA, OLGA, COLE):
        found = await desk.denying.statement(reader, desk.case_id, shown.denial.denial_id)
        assert found.text == WORDS
        assert sha256(found.text.encode()).hexdigest() == shown.denial.statement
    told = desk.entries()
    assert [(each.action, each.agent.id) for each in told] == [
        ("seal", "carla"),
        ("view", "carla"),
        ("view", "olga"),
        ("view", "cole"),
    ]
    assert all(each.why.reference == desk.case_id for each in told)


async def test_the_requester_reads_it_by_the_token_once_it_is_approved(desk: Desk) -> None:
    await refused("no_statement", desk.denying.statements(desk.token))
    shown = await desk.prepared()
    await refused("no_statement", desk.denying.statements(desk.token))
    await desk.approved(shown, OLGA)
    await desk.approved(shown, COLE)
    file, told = await desk.denying.statements(desk.token)
    assert file.record_id == desk.case_id
    assert [each.text for each in told] == [WORDS]
    assert [each.citation for each in told[0].denial.items] == ["119.071(4)(d)"]
    entry = desk.entries()[-1]
    assert (entry.action, entry.agent.id, entry.recipient) == (
        "disclose",
        SERVICE.sub,
        "requester",
    )
    assert overreach("retention", entry) is None
    await refused("unknown_case", desk.denying.statements("no token"))


async def test_without_the_log_nothing_is_sealed_or_opened(desk: Desk) -> None:
    shown = await desk.prepared(NOT_HELD, outcome="part")
    await desk.approved(shown, OLGA)
    desk.access_log.down = True
    await refused("audit_unavailable", desk.denying.statements(desk.token))
    denial_id = shown.denial.denial_id
    await refused("audit_unavailable", desk.denying.statement(OLGA, desk.case_id, denial_id))
    await refused("audit_unavailable", desk.prepared())
    assert len(desk.file.denials.all) == 1


# ---------------------------------------------------------------- killed in between


async def test_a_killed_call_is_repeated_without_effect(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, change = desk.file.version, desk.work.change

    async def died(*given: Any) -> Any:
        await change(*given)
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(desk.work, "change", died)
        with pytest.raises(ConnectionError):
            await desk.prepared(NOT_HELD, version=version)
        (shown,) = (await desk.denying.denials(CARLA, desk.case_id))[1]
        with pytest.raises(ConnectionError):
            await desk.approved(shown, OLGA)
    # State and event were one write, and each repeat is none.
    before, told = desk.file, desk.steps()
    assert (before.outcome, desk.step().step) == ("denied", "denied")
    await desk.prepared(NOT_HELD, version=version)
    again = await desk.approved(shown, OLGA)
    assert again.state == "approved"
    assert (desk.file, desk.steps()) == (before, told)


async def test_killed_after_sealing_and_before_the_write_nothing_is_denied(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def died(*_: Any) -> Any:
        raise ConnectionError

    version = desk.file.version
    with monkeypatch.context() as patched:
        patched.setattr(desk.work, "change", died)
        with pytest.raises(ConnectionError):
            await desk.prepared(version=version)
    assert desk.file.denials.all == ()
    shown = await desk.prepared(version=version)
    found = await desk.denying.statement(CARLA, desk.case_id, shown.denial.denial_id)
    assert found.text == WORDS
