"""Grants: prepared by one person, approved by others, told to the owners in the same write."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from fastapi import Request
from starlette.testclient import TestClient

from direct311.retention.case_file.legal import LegalScope
from direct311.retention.cases.domain import IssuedGrant
from direct311.retention.grants.api import router
from direct311.retention.grants.domain import GrantDraft, fits_into_the_log
from direct311.retention.grants.handlers import Granting, ShownGrant
from direct311.runtime.access.disclosures import nonce_of_grant
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.access.grants import CaseGrant
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import decode
from direct311.schemas import events as ev
from direct311.schemas.claims import overreach
from direct311.schemas.codec import LONGEST_LOGGED
from tests.support.disclosures import CLIENT, ISSUER, Office, received
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.legal_process.fakes import LegalOffice

pytestmark = pytest.mark.anyio

CARLA = Caller("carla", ("custodian",))
OLGA = Caller("olga", ("records_officer",))
LARS = Caller("lars", ("liaison",))
COLE = Caller("cole", ("counsel",))
MANY = tuple(f"0195a1b2-7c3d-7e4f-8a5b-{number:012}" for number in range(500))
RECORD, FILE = MANY[:2]
EVERYTHING = LegalScope(
    record_ids=MANY,
    file_ids=MANY,
    fields=("phone", "media_original"),
    searches=(ev.GrantedSearch(kind="person", number=2),),
)
"""What a warrant opens in these tests."""


class Desk(CaseDeskUnderTest):
    """The case desk with its grants, an identity provider, and an owner that hears of them."""

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

    async def opened(self, caller: Caller = CARLA, kind: Any = "public_records") -> str:
        case_id = (await self.desk.open_case(caller, kind, "words", None, None)).record_id
        if kind == "law_enforcement":
            await self.legal.scoped(case_id, EVERYTHING)
        return case_id

    def draft(self, **changes: Any) -> GrantDraft:
        given = {
            "record_ids": (RECORD,),
            "file_ids": (FILE,),
            "fields": ("phone", "media_original"),
            "searches": ({"kind": "person", "number": 2},),
            "workers": ("carla",),
            "valid_until": self.clock.now() + timedelta(days=7),
        }
        return GrantDraft.model_validate(given | changes)

    async def prepared(self, case_id: str, by: Caller = CARLA, **changes: Any) -> ShownGrant:
        version = self.files.state(case_id).version
        return await self.granting.prepare(by, case_id, version, self.draft(**changes))

    def token(self, sub: str, shown: ShownGrant, /, **changes: Any) -> str:
        return self.office.provider.id_token(sub, shown.nonce, self.clock.now(), **changes)

    async def approved(
        self, case_id: str, shown: ShownGrant, by: Caller = OLGA, **changes: Any
    ) -> ShownGrant:
        return await self.granting.approve(
            by,
            case_id,
            shown.issued.grant.grant_id,
            shown.issued.version,
            self.token(by.sub, shown, **changes),
        )

    async def revoked(
        self, case_id: str, shown: ShownGrant, by: Caller = CARLA, version: int | None = None
    ) -> ShownGrant:
        grant_id = shown.issued.grant.grant_id
        return await self.granting.revoke(
            by, case_id, grant_id, version or shown.issued.version, "scope_changed"
        )

    def steps(self, case_id: str) -> list[Any]:
        said = [each.data for each in self.files.said(case_id)]
        return [each for each in said if isinstance(each, ev.DisclosureEvent)]

    async def told(self, case_id: str) -> tuple[CaseGrant, ...]:
        """The grants that are genuine to an owner who receives exactly what retention sends."""
        stored = (await self.files.load([case_id]))[case_id]
        failed = await self.office.owner.take([received(each.message) for each in stored.outbox])
        assert not failed
        return await self.office.owner.grants(case_id)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def refused(code: str, ask: Any) -> None:
    with pytest.raises(RefusedError) as error:
        await ask
    assert error.value.code == code


# ---------------------------------------------------------------- steps


async def test_every_step_of_a_case_is_told_in_the_write_that_makes_it(desk: Desk) -> None:
    case_id = await desk.opened()
    letter = b"canary letter"
    await desk.desk.deposit(CARLA, case_id, "letter", sha256(letter).hexdigest(), letter)
    await desk.prepared(case_id)
    await desk.desk.withdraw(CARLA, case_id)
    await desk.desk.withdraw(CARLA, case_id)
    steps = desk.steps(case_id)
    assert [(each.step, each.state, each.actor) for each in steps] == [
        ("opened", "received", "carla"),
        ("document_added", "received", "carla"),
        ("grant_prepared", "received", "carla"),
        ("closed", "closed", "carla"),
    ]
    versions = [each.version for each in steps]
    assert versions == sorted({*versions})
    assert versions[0] == 1
    assert steps[-1].version == desk.files.state(case_id).version
    assert dict(steps[-1].counts) == {"documents": 1, "grants": 1}
    assert not any(each.exemption.exempt or overreach("retention", each) for each in steps)
    assert "canary" not in repr(steps)
    assert "words" not in repr(steps)


async def test_a_law_enforcement_case_says_until_when_it_is_exempt(desk: Desk) -> None:
    case_id = await desk.opened(LARS, "law_enforcement")
    until = desk.clock.now() + timedelta(days=90)
    desk.clock.at = until
    await desk.desk.withdraw(LARS, case_id)
    *during, after = desk.steps(case_id)
    exempt = ev.CaseExemption(exempt=True, until=until, code="119.071(2)(c)")
    assert all(each.exemption == exempt for each in during)
    assert not after.exemption.exempt


# ---------------------------------------------------------------- a grant takes effect


async def test_an_owner_accepts_exactly_what_was_approved(desk: Desk) -> None:
    case_id = await desk.opened()
    shown = await desk.prepared(case_id)
    assert (shown.state, shown.missing) == ("prepared", ("records_officer",))
    assert await desk.told(case_id) == ()
    done = await desk.approved(case_id, shown)
    assert (done.state, done.missing, done.nonce) == ("approved", (), shown.nonce)
    (grant,) = await desk.told(case_id)
    assert (grant.record_ids, grant.file_ids) == (frozenset({RECORD}), frozenset({FILE}))
    assert grant.fields == frozenset({"phone", "media_original"})
    assert (grant.workers, grant.searches) == (frozenset({"carla"}), {"person": 2})
    assert (grant.prepared_by, grant.approvers, grant.revoked) == ("carla", ("olga",), False)


async def test_what_is_approved_is_the_same_after_it_was_stored_and_sent(desk: Desk) -> None:
    case_id = await desk.opened()
    shown = await desk.prepared(case_id)
    (issued,) = desk.files.state(case_id).grants
    stored: Any = bson.decode(bson.encode(issued.model_dump()), CodecOptions(tz_aware=True))
    assert nonce_of_grant(IssuedGrant.model_validate(stored).grant) == shown.nonce
    await desk.approved(case_id, shown)
    entry = (await desk.files.load([case_id]))[case_id].outbox[-1]
    sent: Any = decode(entry.message.headers, entry.message.body).data
    assert nonce_of_grant(sent.grant) == shown.nonce


async def test_counsel_and_a_records_officer_must_both_approve_for_law_enforcement(
    desk: Desk,
) -> None:
    case_id = await desk.opened(LARS, "law_enforcement")
    shown = await desk.prepared(case_id, LARS, workers=("lars",))
    first = await desk.approved(case_id, shown, OLGA)
    assert (first.state, first.missing) == ("prepared", ("counsel",))
    assert await desk.told(case_id) == ()
    other = Caller("otto", ("records_officer",))
    await refused("approved", desk.approved(case_id, first, other))
    await refused("changed", desk.approved(case_id, shown, COLE))
    desk.clock.at += timedelta(hours=1)
    done = await desk.approved(case_id, first, COLE)
    assert done.state == "approved"
    (grant,) = await desk.told(case_id)
    assert grant.approvers == ("olga", "cole")
    assert grant.exempt_until is not None


async def test_each_call_may_be_repeated_and_is_told_once(desk: Desk) -> None:
    case_id = await desk.opened()
    version = desk.files.state(case_id).version
    first, again = [
        await desk.granting.prepare(CARLA, case_id, version, desk.draft()) for _ in range(2)
    ]
    assert first == again
    for _ in range(2):
        await desk.approved(case_id, first)
    for _ in range(2):
        await desk.revoked(case_id, first, version=2)
    said = [each.name for each in desk.files.said(case_id)]
    names = [each for each in said if each.startswith("disclosure.")]
    assert names == [
        "disclosure.recorded",
        "disclosure.recorded",
        "disclosure.approved",
        "disclosure.revoked",
    ]


# ---------------------------------------------------------------- nobody alone


async def test_nobody_approves_a_grant_that_the_same_person_prepared(desk: Desk) -> None:
    case_id = await desk.opened()
    both = Caller("carla", ("custodian", "records_officer"))
    shown = await desk.prepared(case_id)
    await refused("same_person", desk.approved(case_id, shown, both))
    folded = Caller("Carla", ("records_officer",))
    await refused("same_person", desk.approved(case_id, shown, folded))


async def test_nobody_approves_twice(desk: Desk) -> None:
    case_id = await desk.opened(LARS, "law_enforcement")
    both = Caller("cole", ("counsel", "records_officer"))
    first = await desk.approved(case_id, await desk.prepared(case_id, LARS), both)
    again = await desk.approved(case_id, first, both)
    assert again.missing == ("records_officer",)
    await refused("same_person", desk.approved(case_id, first, Caller("c.o.l.e", OLGA.roles)))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "otto"},
        {"nonce": "x"},
        {"aud": "somebody-else"},
        {"auth_time": 1_700_000_000},
        {"head": {"typ": "at+jwt"}},
    ],
)
async def test_only_a_fresh_sign_in_of_the_caller_for_this_grant_approves(
    desk: Desk, claims: dict[str, Any]
) -> None:
    case_id = await desk.opened()
    shown = await desk.prepared(case_id)
    await refused("fresh_sign_in", desk.approved(case_id, shown, **claims))
    assert desk.files.state(case_id).grants[0].approvals == ()


async def test_an_approval_of_one_grant_is_none_of_another(desk: Desk) -> None:
    case_id = await desk.opened()
    one = await desk.prepared(case_id)
    other = await desk.prepared(case_id, fields=("phone", "email"))
    grant_id = other.issued.grant.grant_id
    token = desk.token("olga", one)
    await refused("fresh_sign_in", desk.granting.approve(OLGA, case_id, grant_id, 1, token))


async def test_for_another_desk_there_is_no_such_case(desk: Desk) -> None:
    case_id = await desk.opened(LARS, "law_enforcement")
    shown = await desk.prepared(case_id, LARS)
    own = await desk.opened()
    await refused("unknown_case", desk.granting.grants(CARLA, case_id))
    await refused("unknown_case", desk.prepared(case_id))
    await refused("unknown_case", desk.revoked(case_id, shown))
    await refused("unknown_case", desk.granting.grants(LARS, own))
    await refused("unknown_case", desk.granting.grants(COLE, own))
    await refused("unknown_case", desk.granting.grants(OLGA, "no-such-case"))
    await refused("desk", desk.prepared(own, OLGA))
    await refused("unknown_grant", desk.revoked(own, shown))


# ---------------------------------------------------------------- its end


async def test_a_revoked_grant_ends_for_the_owners_too(desk: Desk) -> None:
    case_id = await desk.opened()
    done = await desk.approved(case_id, await desk.prepared(case_id))
    await refused("changed", desk.revoked(case_id, done, version=1))
    assert (await desk.revoked(case_id, done)).state == "revoked"
    (grant,) = await desk.told(case_id)
    assert grant.revoked


async def test_closing_a_case_ends_its_grants_in_the_same_write(desk: Desk) -> None:
    case_id = await desk.opened()
    done = await desk.approved(case_id, await desk.prepared(case_id))
    waiting = await desk.prepared(case_id, fields=("email",))
    await desk.desk.withdraw(CARLA, case_id)
    closed, ended = desk.steps(case_id)[-2:]
    assert (closed.step, ended.grant_id, ended.reason) == (
        "closed",
        done.issued.grant.grant_id,
        "case_closed",
    )
    assert all(each.revoked for each in await desk.told(case_id))
    await refused("case_closed", desk.approved(case_id, waiting))
    await refused("case_closed", desk.prepared(case_id))


async def test_an_expired_grant_takes_no_approval(desk: Desk) -> None:
    case_id = await desk.opened()
    shown = await desk.prepared(case_id)
    desk.clock.at += timedelta(days=7)
    assert (await desk.granting.grants(OLGA, case_id))[1][0].state == "expired"
    await refused("grant_ended", desk.approved(case_id, shown))
    await refused("grant_ended", desk.revoked(case_id, shown))


# ---------------------------------------------------------------- what a grant cannot be


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("empty_grant", {"record_ids": (), "searches": ()}),
        ("empty_grant", {"fields": ()}),
        ("fields", {"fields": ("phone", "shoe_size")}),
        ("searches", {"searches": ({"kind": "shoe_size", "number": 1},)}),
        ("searches", {"searches": ({"kind": "person", "number": 1},) * 2}),
        ("too_long", {"record_ids": tuple(f"{number:064}" for number in range(500))}),
    ],
)
async def test_a_grant_that_cannot_be_is_refused(
    desk: Desk, code: str, changes: dict[str, Any]
) -> None:
    case_id = await desk.opened(LARS, "law_enforcement")
    if code == "too_long":
        changes["file_ids"] = changes["record_ids"]
    await refused(code, desk.prepared(case_id, LARS, **changes))
    assert not desk.files.state(case_id).grants


@pytest.mark.parametrize("days", [0, -1, 91])
async def test_a_grant_ends_within_the_days_of_its_kind(desk: Desk, days: int) -> None:
    case_id = await desk.opened()
    until = desk.clock.now() + timedelta(days=days)
    await refused("valid_until", desk.prepared(case_id, valid_until=until))


async def test_500_records_and_files_with_our_ids_fit_into_the_log(desk: Desk) -> None:
    case_id = await desk.opened(LARS, "law_enforcement")
    shown = await desk.prepared(case_id, LARS, record_ids=MANY, file_ids=MANY)
    assert fits_into_the_log(shown.issued.grant, 2)
    first = await desk.approved(case_id, shown, OLGA)
    await desk.approved(case_id, first, COLE)
    entry = (await desk.files.load([case_id]))[case_id].outbox[-1]
    assert len(entry.message.body) < LONGEST_LOGGED
    (grant,) = await desk.told(case_id)
    assert grant.record_ids == {*MANY}


async def test_somebody_who_has_not_seen_the_newest_case_prepares_nothing(desk: Desk) -> None:
    case_id = await desk.opened()
    await desk.prepared(case_id)
    await refused(
        "changed", desk.granting.prepare(CARLA, case_id, 1, desk.draft(fields=("email",)))
    )


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def http(desk: Desk) -> Iterator[TestClient]:
    async def caller_of(request: Request) -> Caller:
        role, _, name = request.headers.get("x-test-caller", "").partition("/")
        return Caller(sub=name, roles=(role,) if role else ())

    approvers = desk.legal.desk.door.all_approvers(desk.rules)
    with desk.serve(router(desk.granting, desk.rules.desks, approvers, caller_of)) as client:
        yield client


def order(desk: Desk, **changes: Any) -> dict[str, Any]:
    given = json.loads(desk.draft().model_dump_json(exclude_none=True))
    return {**given, "version": 1, **changes}


def test_a_grant_over_http(desk: Desk, http: TestClient) -> None:
    case_id = asyncio.run(desk.opened())
    path = f"/v1/cases/{case_id}/grants"
    carla, olga = ({"x-test-caller": who} for who in ("custodian/carla", "records_officer/olga"))
    version = desk.files.state(case_id).version
    made = http.post(path, json=order(desk, version=version), headers=carla)
    assert made.status_code == 201, made.text
    (seen,) = http.get(path, headers=olga).json()["grants"]
    assert seen == made.json()
    # The approver's own machine computes the hash of what it was shown.
    assert nonce_of_grant(ev.DisclosureGrant.model_validate(seen["grant"])) == seen["nonce"]
    token = desk.office.provider.id_token("olga", seen["nonce"], desk.clock.now())
    body = {"version": seen["version"], "id_token": token}
    done = http.post(f"{path}/{seen['grant_id']}/approve", json=body, headers=olga)
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert token not in done.text
    end = {"version": done.json()["version"], "reason": "scope_changed"}
    over = http.post(f"{path}/{seen['grant_id']}/revoke", json=end, headers=carla)
    assert over.json()["revoked"]["reason"] == "scope_changed"


@pytest.mark.parametrize(
    "changes",
    [
        {"record_ids": [f"r{number}" for number in range(501)]},
        {"file_ids": [f"f{number}" for number in range(501)]},
        {"workers": []},
        {"workers": [" carla canary "]},
        {"fields": ["Canary Contact"]},
        {"searches": [{"kind": "person", "number": 1, "value": "Canary"}]},
    ],
)
def test_a_malformed_grant_is_refused_without_an_echo(
    desk: Desk, http: TestClient, changes: dict[str, Any]
) -> None:
    case_id = asyncio.run(desk.opened())
    answer = http.post(
        f"/v1/cases/{case_id}/grants",
        json=order(desk, **changes),
        headers={"x-test-caller": "custodian/carla"},
    )
    assert answer.status_code == 422
    assert "canary" not in answer.text.lower()


@pytest.mark.parametrize(
    ("caller", "method", "status"),
    [
        ("custodian/carla", "approve", 403),
        ("auditor/ines", "approve", 403),
        ("agent/ana", "revoke", 403),
        ("records_officer/olga", "", 403),
    ],
)
def test_roles_that_may_not(
    desk: Desk, http: TestClient, caller: str, method: str, status: int
) -> None:
    case_id = asyncio.run(desk.opened())
    bodies = {
        "approve": {"version": 1, "id_token": "x"},
        "revoke": {"version": 1, "reason": "x"},
        "": order(desk),
    }
    path = f"/v1/cases/{case_id}/grants" + (f"/g/{method}" if method else "")
    answer = http.post(path, json=bodies[method], headers={"x-test-caller": caller})
    assert answer.status_code == status


async def test_work_on_a_grant_is_an_act_in_the_case(desk: Desk) -> None:
    case_id = await desk.opened()
    desk.clock.at += timedelta(days=2)
    await desk.prepared(case_id)
    assert desk.files.state(case_id).last_step == ("worked_on", desk.clock.at)
    desk.clock.at += timedelta(days=1)
    await desk.desk.withdraw(CARLA, case_id)
    assert desk.files.state(case_id).last_step == ("closed", desk.clock.at)


async def test_a_law_enforcement_case_from_an_old_letter_is_exempt_from_its_opening_on(
    desk: Desk,
) -> None:
    received_at = desk.clock.now() - timedelta(days=100)
    await desk.desk.open_case(LARS, "law_enforcement", "words", None, received_at)
    (case_id,) = desk.files.documents
    (step,) = desk.steps(case_id)
    assert step.exemption.exempt
    assert step.exemption.until == desk.clock.now() + timedelta(days=90)
