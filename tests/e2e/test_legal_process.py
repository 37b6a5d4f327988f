"""Cases of law enforcement against the running county: from the paper to the end of secrecy, and
what everybody else sees meanwhile."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.app_api import App, order
from tests.support.county import County, Document, until
from tests.support.disposition import in_the_inventory
from tests.support.no_trace import WORDS, files_under, traces_in
from tests.support.sign_in import approval

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P18", "P19")]

AGENCY = "sample_police"
DANGER = "canary: he said that he would come back tonight"
CITIES = b"city_referral"
"""The department that hands requests over to cities: its name says nothing about a case."""


class Desk:
    """A liaison with one case about one record, and the people around it."""

    def __init__(self, county: County, record_id: str) -> None:
        self.county, self.record_id = county, record_id
        tag = uuid4().hex[:8]
        self.liaison, self.counsel = f"lars-{tag}", f"cole-{tag}"
        self.officer, self.duty = f"olga-{tag}", f"dora-{tag}"
        self.case_id = ""

    async def opened(self) -> None:
        await in_the_inventory(self.county, self.record_id)
        made = await self.county.post(
            "retention",
            "/v1/cases",
            {
                "kind": "law_enforcement",
                "request": "A detective asks for a reporter.",
                "bounds": {"record_ids": [self.record_id]},
            },
            "liaison",
            self.liaison,
        )
        self.case_id = str(made["case_id"])

    async def deposited(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        headers = await self.county.session.headers("retention", "liaison", self.liaison)
        url = (
            f"{self.county.known.services['retention']}/v1/cases/{self.case_id}/documents/{digest}"
        )
        answer = await self.county.http.put(
            url, params={"kind": "instrument"}, content=content, headers=headers
        )
        assert answer.status_code == 200, answer.text
        return digest

    async def legal(self, role: str = "liaison", name: str | None = None) -> Document:
        path = f"/v1/cases/{self.case_id}/legal-process"
        return dict(await self.county.get("retention", path, role, name or self.liaison))

    async def ask(
        self,
        method: str,
        path: str,
        body: Document | None = None,
        role: str = "liaison",
        name: str | None = None,
    ) -> httpx.Response:
        """Against the newest version: the inventory learns of a new case within a second, which
        is a version too."""

        async def asked() -> httpx.Response | None:
            sent = None
            if body is not None:
                given = {"version": (await self.legal())["version"]} if "version" in body else {}
                sent = {**body, **given}
            answer = await self.county.ask(
                method,
                "retention",
                f"/v1/cases/{self.case_id}/{path}",
                role,
                name or self.liaison,
                sent,
            )
            changed = answer.status_code == 409 and answer.json()["type"].endswith(":changed")
            return None if changed else answer

        return await until(asked, "nobody changed the case in between")

    async def done(self, *call: Any, **said: Any) -> Document:
        answer = await self.ask(*call, **said)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def called(self, subject: str, outcome: str = "confirmed", **said: Any) -> Document:
        body = {"version": 0, "subject": subject, "agency": AGENCY, "outcome": outcome, **said}
        return await self.done("POST", "verification", body)

    async def prepare(self, **grant: Any) -> httpx.Response:
        body = {
            "version": 0,
            "record_ids": [self.record_id],
            "fields": ["phone"],
            "workers": [self.liaison],
            "valid_until": (datetime.now(UTC) + timedelta(hours=3)).isoformat(),
            **grant,
        }
        return await self.ask("POST", "grants", body)

    async def approve(self, grant: Document, role: str, name: str) -> Document:
        path = f"/v1/cases/{self.case_id}/grants"
        found = (await self.county.get("retention", path, role, name))["grants"]
        (shown,) = [each for each in found if each["grant_id"] == grant["grant_id"]]
        token = await self._signed_in(shown["nonce"], name)
        body = {"version": shown["version"], "id_token": token}
        answer = await self.county.ask(
            "POST", "retention", f"{path}/{grant['grant_id']}/approve", role, name, body
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def _signed_in(self, nonce: str, name: str) -> str:
        return (await approval(self.county, nonce, name)).id_token

    async def read(self, field: str = "phone") -> httpx.Response:
        return await self.county.read_contact(
            self.record_id,
            "liaison",
            self.liaison,
            purpose="law_enforcement",
            reference=self.case_id,
            fields=[field],
        )

    async def reads(self, field: str = "phone") -> None:
        async def opened() -> bool:
            return (await self.read(field)).status_code == 200

        await until(opened, "the grant takes effect")

    async def withdrawn(self) -> None:
        """So that no case is left behind on the shared stack."""
        await self.ask("POST", "close", {"outcome": "withdrawn"})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]


@pytest.fixture
async def desk(county: County) -> AsyncIterator[Desk]:
    record_id, _ = await App(county).submitted(order(2_000))
    desk = Desk(county, record_id)
    await desk.opened()
    yield desk
    await desk.withdrawn()


async def test_a_warrant_from_the_call_back_to_the_receipt(county: County, desk: Desk) -> None:
    digest = await desk.deposited(b"a warrant")
    assert code(await desk.prepare()) == (409, "unverified_instrument")
    warrant = {"instrument": "warrant", "document": digest}
    assert (await desk.called("instrument", **warrant))["state"] == "verifying"
    assert (await desk.called("officer", instrument="warrant"))["state"] == "verified"
    asked = {"record_ids": [desk.record_id, str(uuid4())], "fields": ["phone", "email"]}
    granted = {"record_ids": [desk.record_id], "fields": ["phone"]}
    scoped = await desk.done(
        "PUT", "legal-scope", {"version": 0, "asked": asked, "granted": granted}
    )
    assert (scoped["state"], scoped["narrowed"]) == ("scoped", True)
    assert scoped["asked"]["record_ids"] == asked["record_ids"]
    assert code(await desk.prepare(fields=["phone", "email"])) == (403, "outside_scope")
    grant = (await desk.prepare()).json()
    assert grant["missing"] == ["counsel", "records_officer"]
    assert (await desk.approve(grant, "counsel", desk.counsel))["state"] == "prepared"
    assert (await desk.read()).status_code == 403
    assert (await desk.approve(grant, "records_officer", desk.officer))["state"] == "approved"
    await desk.reads()
    assert (await desk.read("email")).status_code == 403
    assert (await desk.legal("counsel", desk.counsel))["state"] == "granted"
    taken = {"how": "in_person", "sha256": digest, "receipt": "R-1", "taken_by": "Det. Canary"}
    await desk.done("POST", "custody", taken)
    (link,) = (await desk.done("GET", "custody"))["chain"]
    assert (link["taken_by"], link["link"]["agency"]) == ("Det. Canary", AGENCY)

    # An objection ends it at the owner too.
    await desk.done("PUT", "objection", {"reason": "privilege", "state": "raised"})

    async def ended() -> bool:
        answer = await desk.read()
        return answer.status_code == 403 and code(answer)[1] == "grant_revoked"

    await until(ended, "the objection ends the grant at intake")


async def test_forged_subpoena_the_call_back_says_no(desk: Desk) -> None:
    digest = await desk.deposited(b"a subpoena that nobody issued")
    said = {"instrument": "trial_subpoena", "document": digest}
    refused = await desk.called("instrument", "denied", **said)
    assert (refused["state"], refused["refusal"]["reason"]) == ("refused", "not_genuine")
    assert code(await desk.prepare()) == (409, "unverified_instrument")
    assert (await desk.read()).status_code == 403


async def test_exigent_the_duty_officer_approves_and_an_instrument_follows(
    county: County, desk: Desk
) -> None:
    threat = {"version": 0, "agency": AGENCY, "threat": "life", "words": DANGER}
    await desk.done("POST", "exigent", threat)
    assert (await desk.called("officer", instrument="exigent_request"))["state"] == "verified"
    scope = {"record_ids": [desk.record_id], "fields": ["phone"]}
    await desk.done("PUT", "legal-scope", {"version": 0, "asked": scope, "granted": scope})
    day = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert code(await desk.prepare(valid_until=day)) == (422, "valid_until")
    grant = (await desk.prepare()).json()
    assert grant["missing"] == ["emergency"]
    read = await desk.done("GET", "exigent", role="emergency", name=desk.duty)
    assert read["words"] == DANGER
    assert (await desk.approve(grant, "emergency", desk.duty))["state"] == "approved"
    await desk.reads()
    due = datetime.fromisoformat((await desk.legal())["follow_up_due_at"])
    assert timedelta(hours=47) < due - datetime.now(UTC) <= timedelta(hours=48)
    answer = await desk.ask("POST", "close", {"outcome": "withdrawn"})
    assert code(answer) == (409, "follow_up")
    digest = await desk.deposited(b"the order that followed")
    followed = await desk.called("follow_up", instrument="court_order", document=digest)
    assert followed["follow_up"]["instrument"] == "court_order"


async def test_a_referral_of_staff_is_a_case_that_only_the_liaison_sees(county: County) -> None:
    record_id, _ = await App(county).submitted(order(2_001))
    desk = Desk(county, record_id)
    body = {
        "key": uuid4().hex,
        "record_id": record_id,
        "reason": "threat_to_staff",
        "words": DANGER,
    }

    async def referred() -> Document | None:
        # The inventory learns of the record within a second.
        answer = await county.ask("POST", "retention", "/v1/referrals", "agent", "ana", body)
        return answer.json() if answer.status_code == 201 else None

    first = await until(referred, "the referral is taken")
    assert (await referred() or {})["referral_id"] == first["referral_id"]
    desk.case_id = str(first["referral_id"])
    path = f"/v1/cases/{desk.case_id}"
    assert (await county.get("retention", path, "liaison", desk.liaison))["request"] == DANGER
    assert (await county.ask("GET", "retention", path, "agent", "ana")).status_code == 403
    assert (await desk.legal())["instrument"] == "internal_referral"
    await desk.withdrawn()


async def test_nobody_else_sees_that_law_enforcement_asked(county: County, desk: Desk) -> None:
    link = (await App(county).submitted(order(2_002)))[1]
    await desk.done(
        "POST", "exigent", {"version": 0, "agency": AGENCY, "threat": "life", "words": DANGER}
    )
    await desk.called("officer", instrument="exigent_request")
    views: dict[str, bytes] = {}
    others = {"custodian": "carla", "agent": "ana", "inspector": "ivan", "auditor": "ines"}
    for role, name in others.items():
        for path in ("legal-process", "exigent", "grants", "preservation", "custody"):
            for number in (desk.case_id, str(uuid4())):
                url = f"/v1/cases/{number}/{path}"
                answer = await county.ask("GET", "retention", url, role, name)
                assert answer.status_code in (403, 404), (role, path)
                views[f"{role} {path} {number == desk.case_id}"] = answer.content
    for role, path in (("custodian", "/v1/cases?limit=500"), ("custodian", "/v1/case-tasks")):
        answer = await county.ask("GET", "retention", path, role, "carla")
        views[path] = answer.content
    for path in (f"/v1/records/{desk.record_id}", "/v1/holds?limit=500", "/v1/counts"):
        answer = await county.ask("GET", "retention", path, "auditor", "ines")
        assert answer.status_code == 200, answer.text
        views[path] = answer.content
    for service, url in county.known.services.items():
        views[f"metrics of {service}"] = (await county.http.get(f"{url}/metrics")).content
        views[f"ready {service}"] = (await county.http.get(f"{url}/health/ready")).content
    views |= files_under(county.stack.place.log)
    own = (desk.liaison, "canary", "exigent", "referral", "legal-process", *WORDS)
    # A refusal at the door names the roles of the operation, which are the same for every case.
    told = {
        name: view.replace(CITIES, b"") for name, view in views.items() if not _door(name, views)
    }
    assert traces_in(told, own) == []
    assert link


def _door(name: str, views: dict[str, bytes]) -> bool:
    """Whether the answer about this case is the answer about a case that does not exist."""
    other = name.replace(" True", " False")
    return (
        name.endswith((" True", " False"))
        and views[other] == views[name.replace(" False", " True")]
    )
