"""What a detective, a liaison and counsel live through, from the letter to the receipt."""

from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import pytest

from direct311.retention.case_file.legal import LegalScope
from direct311.retention.cases.domain import CaseFile
from direct311.retention.grants.domain import GrantDraft
from direct311.retention.grants.handlers import Granting, ShownGrant
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change
from direct311.runtime.vault.vault import DeniedError
from direct311.schemas import events as ev
from direct311.schemas.claims import overreach
from tests.support.disclosures import CLIENT, ISSUER, Office, received
from tests.support.no_trace import WORDS, traces_in
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.fakes import created
from tests.unit.retention.legal_process.fakes import (
    AGENCY,
    CARLA,
    COLE,
    DORA,
    HASH,
    LARS,
    OLGA,
    LegalOffice,
)

pytestmark = pytest.mark.anyio

ANA = Caller("ana", ("agent",))
KEY = "k" * 16
DANGER = "canary: he said that he would come back tonight"
PERSON = ev.GrantedSearch(kind="person", number=2)
ASKED = LegalScope(
    record_ids=("r1", "r2", "r3"),
    file_ids=("f1",),
    fields=("first_name", "phone", "description", "media_original"),
    searches=(PERSON,),
    found=2,
)
NARROW = LegalScope(record_ids=("r1",), fields=("phone",))


class Station(CaseDeskUnderTest):
    """The county's desk, and an owner of records that hears what the desk grants."""

    def __init__(self) -> None:
        self.office = Office()
        super().__init__(signer=self.office.signer)
        self.office.clock = self.clock
        self.legal = LegalOffice(self)
        self.granting = Granting(
            self.processor,
            self.rules,
            [each.field for each in self.policy.rules.fields],
            Approvals(ISSUER, CLIENT),
            self.office.provider,
            self.clock,
            self.ids,
            self.legal.desk.door,
        )

    async def prepared(self, case_id: str, **changes: Any) -> ShownGrant:
        given = {
            "record_ids": ("r1",),
            "fields": ("phone",),
            "workers": ("lars",),
            "valid_until": self.clock.now() + timedelta(hours=4),
        }
        draft = GrantDraft.model_validate(given | changes)
        return await self.granting.prepare(LARS, case_id, self.files.state(case_id).version, draft)

    async def approved(self, case_id: str, shown: ShownGrant, by: Caller) -> ShownGrant:
        token = self.office.provider.id_token(by.sub, shown.nonce, self.clock.now())
        grant_id = shown.issued.grant.grant_id
        return await self.granting.approve(by, case_id, grant_id, shown.issued.version, token)

    async def granted(self, case_id: str, **changes: Any) -> ShownGrant:
        """Prepared by the liaison, reviewed by counsel, released by the records officer."""
        reviewed = await self.approved(case_id, await self.prepared(case_id, **changes), COLE)
        return await self.approved(case_id, reviewed, OLGA)

    async def in_force(self, case_id: str) -> set[str]:
        """The fields that an owner of records would open now."""
        stored = (await self.files.load([case_id]))[case_id]
        failed = await self.office.owner.take([received(each.message) for each in stored.outbox])
        assert not failed
        return {
            field
            for each in await self.office.owner.grants(case_id)
            if not each.revoked and self.clock.now() < each.valid_until
            for field in each.fields
        }

    async def threatened(self, case_id: str) -> None:
        version = self.files.state(case_id).version
        await self.legal.verification.state_threat(LARS, case_id, version, AGENCY, "life", DANGER)

    async def record(self) -> str:
        """A record that the inventory has."""
        await self.retention.apply(created("r1"))
        return "r1"

    async def exigent(self) -> str:
        """A request that cannot wait: stated, called back and scoped."""
        case_id = (
            await self.desk.open_case(LARS, "law_enforcement", "by phone", None, None)
        ).record_id
        await self.threatened(case_id)
        await self.legal.called(case_id, "officer", instrument="exigent_request")
        scope = LegalScope(record_ids=("r1", "r2"), fields=("phone", "device_position"))
        await self.legal.scope(case_id, scope, scope)
        return case_id


@pytest.fixture
def station() -> Station:
    return Station()


class KilledError(BaseException):
    """In place of a kill: nobody handles it."""


async def _kill(*_: Any) -> set[str]:
    raise KilledError


async def refused(code: str, ask: Any) -> None:
    with pytest.raises(RefusedError) as error:
        await ask
    assert error.value.code == code


# ---------------------------------------------------------------- a warrant, all the way


async def test_a_warrant_needs_three_persons_and_opens_what_was_granted(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.verified(case_id)
    await station.legal.scope(case_id, NARROW, ASKED)
    shown = await station.prepared(case_id)
    assert shown.missing == ("counsel", "records_officer")
    await refused("same_person", station.approved(case_id, shown, Caller("lars", COLE.roles)))
    reviewed = await station.approved(case_id, shown, COLE)
    assert await station.in_force(case_id) == set()
    await refused("same_person", station.approved(case_id, reviewed, Caller("C.o.l.e", OLGA.roles)))
    assert (await station.approved(case_id, reviewed, OLGA)).state == "approved"
    assert station.legal.case(case_id).state == "granted"
    assert await station.in_force(case_id) == {"phone"}
    legal = station.legal.case(case_id).legal
    assert legal is not None
    assert (legal.asked, legal.granted, legal.narrowed) == (ASKED, NARROW, True)


async def test_before_the_call_back_no_grant_can_be_prepared(station: Station) -> None:
    case_id = await station.legal.opened()
    await refused("unverified_instrument", station.prepared(case_id))
    await refused("unverified_instrument", station.legal.scope(case_id, NARROW, ASKED))
    await station.legal.verified(case_id)
    await refused("case_state", station.prepared(case_id))


@pytest.mark.parametrize(
    "changes",
    [
        {"record_ids": ("r1", "r9", "r8", "r7")},
        {"file_ids": ("f2",)},
        {"fields": ("email",)},
        {"fields": ("phone", "device_position")},
        {"searches": ({"kind": "person", "number": 3},)},
    ],
)
async def test_a_grant_outside_the_scope_is_refused(
    station: Station, changes: dict[str, Any]
) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    await refused("outside_scope", station.prepared(case_id, **changes))
    assert station.legal.case(case_id).grants == ()


async def test_several_small_grants_open_no_more_than_the_scope(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    one = {"searches": ({"kind": "person", "number": 1},)}
    for _ in range(2):
        await station.granted(case_id, **one)
    await refused("outside_scope", station.prepared(case_id, **one))
    await station.granted(case_id, record_ids=("found-1", "found-2"))
    await refused("outside_scope", station.prepared(case_id, record_ids=("found-3",)))
    await station.granted(case_id, record_ids=("r3", "found-1"))


@pytest.mark.parametrize(
    ("instrument", "scope"),
    [
        ("administrative_subpoena", {"fields": ("device_position",)}),
        ("administrative_subpoena", {"fields": ("media_original",)}),
        ("grand_jury_subpoena", {"fields": ("audit_entry",)}),
        ("administrative_subpoena", {"record_ids": tuple(map(str, range(26)))}),
        ("administrative_subpoena", {"record_ids": tuple(map(str, range(25))), "found": 1}),
    ],
)
async def test_an_instrument_opens_its_own_classes_of_fields_for_so_many_people(
    station: Station, instrument: str, scope: dict[str, Any]
) -> None:
    case_id = await station.legal.opened()
    await station.legal.called(case_id, instrument=instrument)
    await station.legal.called(case_id, "officer", instrument=instrument)
    asked = LegalScope.model_validate({"record_ids": ("r1",), "fields": ("phone",)} | scope)
    await refused("outside_scope", station.legal.scope(case_id, asked, asked))
    assert station.legal.case(case_id).state == "verified"


# ---------------------------------------------------------------- forged subpoena


async def test_forged_subpoena_the_agency_says_no_and_nothing_was_opened(station: Station) -> None:
    case_id = await station.legal.opened()
    said = {"instrument": "trial_subpoena"}
    await station.legal.called(case_id, "officer", **said)
    done = await station.legal.called(case_id, outcome="denied", **said)
    assert (done.state, done.legal and done.legal.refusal and done.legal.refusal.reason) == (
        "refused",
        "not_genuine",
    )
    await refused("case_state", station.legal.called(case_id, **said))
    await refused("unverified_instrument", station.legal.scope(case_id, NARROW, ASKED))
    await refused("unverified_instrument", station.prepared(case_id))
    await refused(
        "unverified_instrument",
        station.legal.custody.hand_over(LARS, case_id, "courier", HASH, "R-1", "somebody"),
    )
    assert station.legal.case(case_id).grants == ()
    assert await station.in_force(case_id) == set()
    # Only the sealing of the forged paper itself touched the case's key.
    assert {each.action for each in station.access_log.events()} <= {"seal"}


# ---------------------------------------------------------------- narrowing and objection


async def test_narrowing_ends_at_once_what_was_granted_too_widely(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    kept = await station.granted(case_id)
    wide = await station.granted(case_id, record_ids=("r1", "r2"), fields=("description",))
    waiting = await station.prepared(case_id, record_ids=("r3",))
    assert await station.in_force(case_id) == {"phone", "description"}
    await station.legal.scope(case_id, NARROW, by=COLE)
    assert await station.in_force(case_id) == {"phone"}
    now = station.clock.now()
    ends = {each.grant.grant_id: each.state(now) for each in station.legal.case(case_id).grants}
    assert ends == {
        kept.issued.grant.grant_id: "approved",
        wide.issued.grant.grant_id: "revoked",
        waiting.issued.grant.grant_id: "revoked",
    }
    legal = station.legal.case(case_id).legal
    assert legal is not None
    assert (legal.asked, [each.given_by for each in legal.scopes]) == (ASKED, ["lars", "cole"])


async def test_a_scope_never_gets_larger_again(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    await station.legal.scope(case_id, NARROW)
    for wider in (ASKED, LegalScope(record_ids=("r2",), fields=("phone",))):
        await refused("outside_scope", station.legal.scope(case_id, wider))
    more = LegalScope(record_ids=("r1", "r2", "r9"), fields=("phone",))
    await refused("asked_before", station.legal.scope(case_id, NARROW, more))
    before = station.legal.case(case_id).version
    await station.legal.scope(case_id, NARROW)
    assert station.legal.case(case_id).version == before


async def test_less_is_granted_than_was_asked_and_never_more(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.verified(case_id)
    await refused("outside_scope", station.legal.scope(case_id, ASKED, NARROW))
    await refused("asked", station.legal.scope(case_id, NARROW))
    await refused("desk", station.legal.scope(case_id, NARROW, ASKED, by=COLE))


async def test_an_objection_stops_everything_until_counsel_settles_it(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    await station.granted(case_id)
    await refused("unlisted", station.legal.scopes.object(LARS, case_id, "bad_mood"))
    for _ in range(2):
        await station.legal.scopes.object(LARS, case_id, "motion_to_quash")
    assert await station.in_force(case_id) == set()
    await refused("objection", station.prepared(case_id))
    await refused("role", station.legal.scopes.settle(LARS, case_id, "motion_to_quash"))
    for _ in range(2):
        await station.legal.scopes.settle(COLE, case_id, "motion_to_quash")
    await station.granted(case_id)
    assert await station.in_force(case_id) == {"phone"}


# ---------------------------------------------------------------- exigent


async def test_exigent_the_duty_officer_reads_the_threat_and_approves(station: Station) -> None:
    case_id = await station.exigent()
    assert await station.legal.verification.read_threat(DORA, case_id) == DANGER
    shown = await station.prepared(case_id, fields=("phone", "device_position"))
    assert shown.missing == ("emergency",)
    await refused("role", station.approved(case_id, shown, COLE))
    await refused("same_person", station.approved(case_id, shown, Caller("lars", DORA.roles)))
    assert (await station.approved(case_id, shown, DORA)).state == "approved"
    assert await station.in_force(case_id) == {"phone", "device_position"}
    station.clock.at += timedelta(hours=4)
    assert await station.in_force(case_id) == set()
    # The words are nowhere but under the case's key.
    assert "canary" not in repr(station.legal.case(case_id).legal)
    assert "canary" not in repr(station.files.said(case_id))


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("valid_until", {"valid_until": 241}),
        ("outside_scope", {"fields": ("description",)}),
        ("outside_scope", {"record_ids": ("r3",)}),
    ],
)
async def test_exigent_four_hours_and_only_what_saves_somebody(
    station: Station, code: str, changes: dict[str, Any]
) -> None:
    case_id = await station.exigent()
    if "valid_until" in changes:
        minutes = timedelta(minutes=changes["valid_until"])
        changes = {"valid_until": station.clock.now() + minutes}
    await refused(code, station.prepared(case_id, **changes))


async def test_exigent_opens_contact_and_position_of_twenty_records_at_most(
    station: Station,
) -> None:
    case_id = (await station.desk.open_case(LARS, "law_enforcement", "w", None, None)).record_id
    await station.threatened(case_id)
    await refused("another_way", station.legal.called(case_id, "officer"))
    await station.legal.called(case_id, "officer", instrument="exigent_request")
    many = LegalScope(record_ids=tuple(map(str, range(21))), fields=("phone",))
    await refused("outside_scope", station.legal.scope(case_id, many, many))
    text = LegalScope(record_ids=("r1",), fields=("description",))
    await refused("outside_scope", station.legal.scope(case_id, text, text))


async def test_exigent_without_follow_up_is_an_alarm_that_names_only_the_case(
    station: Station,
) -> None:
    case_id = await station.exigent()
    await station.approved(case_id, await station.prepared(case_id), DORA)
    await refused("follow_up", station.desk.withdraw(LARS, case_id))
    # Its bounds are set and its records are held, so that nothing else can raise the alarm.
    await station.preservation.identify(LARS, case_id, (), complete=True)
    station.clock.at += timedelta(hours=48) - timedelta(seconds=1)
    assert await station.legal.follow_ups.overdue() == []
    station.clock.at += timedelta(seconds=1)
    assert await station.legal.follow_ups.overdue() == [case_id]
    # A denied call does not end it, and neither does a word.
    digest = await station.legal.deposited(case_id)
    said = {"instrument": "court_order", "document": digest}
    await station.legal.called(case_id, "follow_up", outcome="denied", **said)
    await refused(
        "another_way", station.legal.called(case_id, "follow_up", instrument=("exigent_request"))
    )
    assert await station.legal.follow_ups.overdue() == [case_id]
    await station.legal.called(case_id, "follow_up", **said)
    assert await station.legal.follow_ups.overdue() == []
    await station.desk.withdraw(LARS, case_id)


async def test_an_overdue_public_records_case_raises_the_same_alarm(station: Station) -> None:
    case_id = (await station.desk.open_case(CARLA, "public_records", "w", None, None)).record_id
    station.clock.at += timedelta(days=10)
    assert await station.legal.follow_ups.overdue() == [case_id]


async def test_an_exigent_request_that_opened_nothing_needs_no_follow_up(station: Station) -> None:
    case_id = await station.exigent()
    await station.preservation.identify(LARS, case_id, (), complete=True)
    station.clock.at += timedelta(days=10)
    assert await station.legal.follow_ups.overdue() == []
    await station.desk.withdraw(LARS, case_id)


async def test_the_duty_officer_knows_of_no_other_case(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    await refused("unknown_case", station.granting.grants(DORA, case_id))
    await refused("unknown_case", station.legal.desk.granted(DORA, case_id))
    exigent = await station.exigent()
    assert (await station.granting.grants(DORA, exigent))[1] == []
    with pytest.raises(DeniedError):
        await station.legal.verification.read_threat(Caller("rita", ("records_officer",)), exigent)


# ---------------------------------------------------------------- secrecy


async def test_secrecy_ends_by_itself_after_the_time_of_its_document(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    await station.granted(case_id)
    start = station.clock.now()
    until = start + timedelta(days=90)
    order = await station.legal.deposited(case_id, b"non-disclosure order")
    delay = station.legal.secrecy.delay
    version = station.legal.case(case_id).version
    await refused(
        "notice_period",
        delay(LARS, case_id, version, order, start, until + timedelta(seconds=1)),
    )
    await refused(
        "document", delay(LARS, case_id, version, sha256(b"none").hexdigest(), start, until)
    )
    for _ in range(2):
        await delay(LARS, case_id, version, order, start, until)
    # The same document does not prolong it; a newer one does.
    station.clock.at = start + timedelta(days=80)
    version = station.legal.case(case_id).version
    later = station.clock.now() + timedelta(days=5)
    await refused(
        "notice_document",
        delay(LARS, case_id, version, order, station.clock.now(), later),
    )
    second = await station.legal.deposited(case_id, b"second order")
    version = station.legal.case(case_id).version
    old = start - timedelta(days=1)
    await refused(
        "notice_document", delay(LARS, case_id, version, second, old, old + timedelta(days=90))
    )
    prolonged = station.clock.now() + timedelta(days=90)
    await delay(LARS, case_id, version, second, station.clock.now(), prolonged)
    assert await station.in_force(case_id) == set()
    told = [each.data for each in station.files.said(case_id)]
    last = next(each for each in reversed(told) if isinstance(each, ev.DisclosureRecorded))
    assert (last.exemption.exempt, last.exemption.until) == (True, prolonged)
    assert last.exemption.notice is not None
    assert last.exemption.notice.document == second
    station.clock.at = prolonged
    third = await station.legal.deposited(case_id, b"too late")
    version = station.legal.case(case_id).version
    await refused(
        "secrecy_ended",
        delay(LARS, case_id, version, third, prolonged, prolonged + timedelta(days=1)),
    )
    told = [each.data for each in station.files.said(case_id)]
    last = next(each for each in reversed(told) if isinstance(each, ev.DisclosureRecorded))
    assert not last.exemption.exempt


async def test_secrecy_ends_when_the_matter_is_not_active_any_more(station: Station) -> None:
    case_id = await station.legal.opened()
    state = await station.legal.secrecy.end(LARS, case_id)
    assert await station.legal.secrecy.end(LARS, case_id) == state
    assert state.exempt_until == station.clock.now()
    told = [each.data for each in station.files.said(case_id)]
    assert [each.exemption.exempt for each in told if isinstance(each, ev.DisclosureRecorded)] == [
        True,
        True,
        False,
    ]


async def test_a_trial_subpoena_has_no_delayed_notice(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.called(case_id, instrument="trial_subpoena")
    now = station.clock.now()
    await refused(
        "notice",
        station.legal.secrecy.delay(
            LARS,
            case_id,
            station.legal.case(case_id).version,
            HASH,
            now,
            now + timedelta(days=1),
        ),
    )


# ---------------------------------------------------------------- custody


async def test_each_hand_over_has_who_how_hash_and_receipt(station: Station) -> None:
    case_id = await station.legal.opened()
    await station.legal.scoped(case_id, ASKED)
    hand_over = station.legal.custody.hand_over
    await refused("unlisted", hand_over(LARS, case_id, "pigeon", HASH, "R-1", "somebody"))
    for _ in range(2):
        await hand_over(LARS, case_id, "in_person", HASH, "R-1", "Det. Canary")
    await hand_over(LARS, case_id, "courier", "0" * 64, "R-2", "Det. Other")
    chain = await station.legal.custody.chain(LARS, case_id)
    assert [(each.link.how, each.link.receipt, each.taken_by) for each in chain] == [
        ("in_person", "R-1", "Det. Canary"),
        ("courier", "R-2", "Det. Other"),
    ]
    assert {(each.link.agency, each.link.handed_by) for each in chain} == {(AGENCY, "lars")}
    told = [each.data for each in station.files.said(case_id)]
    step = [each for each in told if isinstance(each, ev.DisclosureRecorded)][-1]
    assert (step.step, step.hashes) == ("handed_over", {"handed_over": "0" * 64})
    assert "Canary" not in repr(told)
    assert "Canary" not in repr(station.legal.case(case_id).legal)


# ---------------------------------------------------------------- referral


async def test_referral_staff_name_a_record_and_counsel_approves(station: Station) -> None:
    record_id = await station.record()
    refer = station.legal.referrals.refer
    await refused("unlisted", refer(ANA, KEY, record_id, "bad_mood", DANGER))
    await refused("unknown_record", refer(ANA, KEY, "no-such-record", "fraud", DANGER))
    state = await refer(ANA, KEY, record_id, "threat_to_staff", DANGER)
    assert await refer(ANA, KEY, record_id, "threat_to_staff", DANGER) == state
    case_id = state.record_id
    await refused("idempotency_key", refer(ANA, KEY, record_id, "fraud", DANGER))
    assert len(station.files.states()) == 1
    # It keeps this record, and stops the destruction of no other.
    assert state.provisional is not None
    assert state.provisional.bounds is not None
    assert state.provisional.bounds.record_ids == (record_id,)
    # Who referred it sees nothing more of it.
    await refused("unknown_case", station.desk.read_case(ANA, case_id))
    assert (await station.desk.read_case(LARS, case_id)).request == DANGER
    # The agency that gets it is called back like any other.
    scope = LegalScope(record_ids=(record_id,), fields=("description",))
    await refused("unverified_instrument", station.legal.scope(case_id, scope, scope))
    await refused("another_way", station.legal.called(case_id, "officer"))
    await station.legal.called(case_id, "officer", instrument="internal_referral")
    await station.legal.scope(case_id, scope, scope)
    shown = await station.prepared(case_id, record_ids=(record_id,), fields=("description",))
    assert shown.missing == ("counsel",)
    await refused("role", station.approved(case_id, shown, OLGA))
    assert (await station.approved(case_id, shown, COLE)).state == "approved"
    assert await station.in_force(case_id) == {"description"}


async def test_a_referral_that_is_killed_after_its_key_is_completed_by_its_repeat(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_id = await station.record()
    refer = partial(station.legal.referrals.refer, ANA, KEY, record_id, "fraud", DANGER)
    with monkeypatch.context() as killed:
        killed.setattr(station.files, "commit", _kill)
        with pytest.raises(KilledError):
            await refer()
    ((case_id, key),) = station.keys.keys.items()
    station.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await refer()
    assert not station.files.states()
    station.access_log.down = False
    state = await refer()
    # The first call may be only slow, so its key is kept. To take it over opens no field.
    assert state.record_id == case_id
    assert station.keys.keys == {case_id: key}
    (entry,) = station.access_log.events()
    assert (entry.agent.id, entry.action, entry.what.fields) == ("svc:retention", "seal", ())
    assert (entry.why.case_id, entry.what.record_ids) == (case_id, (case_id,))
    assert entry.retention.exempt_until is not None
    assert overreach("retention", entry) is None
    assert [each.record_id for each in station.keys.fetches] == [case_id]
    assert await refer() == state
    assert (await station.desk.read_case(LARS, case_id)).request == DANGER


async def test_a_referral_whose_case_was_destroyed_is_not_opened_again(station: Station) -> None:
    record_id = await station.record()
    refer = partial(station.legal.referrals.refer, ANA, KEY, record_id, "fraud", DANGER)
    case_id = (await refer()).record_id

    async def destroyed(state: CaseFile) -> Change[CaseFile]:
        return Change(state.buried())

    await station.keys.destroy(case_id)
    await station.processor.change(case_id, station.ids.new(), destroyed)
    await refused("idempotency_key", refer())
    assert not station.keys.keys


# ---------------------------------------------------------------- no trace


async def test_what_others_see_of_a_case_does_not_tell_that_the_police_asked(
    station: Station,
) -> None:
    record_id = await station.record()
    await station.legal.referrals.refer(ANA, KEY, record_id, "fraud", DANGER)
    case_id = await station.exigent()
    await station.approved(case_id, await station.prepared(case_id), DORA)
    station.clock.at += timedelta(days=10)
    views: dict[str, object] = {
        "cases of the custodian": [
            each.model_dump(mode="json") for each in await station.desk.list_cases(CARLA, None, 99)
        ],
        "tasks": [each.model_dump(mode="json") for each in await station.preservation.tasks(OLGA)],
        "alarm": await station.legal.follow_ups.overdue(),
        "inventory": station.retention.record(record_id).model_dump(mode="json"),
    }
    for caller in (CARLA, ANA, DORA, Caller("ines", ("auditor",))):
        for number in (case_id, "no-such-case"):
            try:
                await station.desk.read_case(caller, number)
            except RefusedError as error:
                views[f"{caller.sub} {number}"] = (error.code, error.detail, error.field)
    assert traces_in(views, (*WORDS, "exigent", "referral", "canary", "lars", "dora")) == []
    assert views["carla no-such-case"] == views[f"carla {case_id}"]
