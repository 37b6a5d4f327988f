"""Retention is killed before each crossing of each call about a disclosure case, and while the
broker, the store or the log is away. Whoever made the call makes it again, with the same words.

No release without its leaf, none twice, each act once in the case file and on the topic, and the
bytes that go out are those that two persons approved.
"""

import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from uuid_utils import compat

from deploy.local.stack import Stack
from direct311.runtime.access.disclosures import nonce_of_package
from tests.faults.mortal_desk import Left, Mortal, Worked, checked, mortal
from tests.support.county import County, Document, until
from tests.support.disposition import in_the_inventory
from tests.support.submissions import submission

pytestmark = [pytest.mark.faults, pytest.mark.anyio, pytest.mark.timeout(900)]

PUBLIC = "/v1/records-requests"
AGENCY = "sample_police"
MOST = 24
"""More crossings than any call has; the campaign says so if that is not so any more."""
IN_EVERY_RUN = 3
"""The crossing of a run that is no campaign: where most calls have written and told nothing yet."""
NUMBERS = range(1, MOST + 1)
AWAY = [pytest.param(each, marks=pytest.mark.campaign) for each in ("broker", "store", "log")]


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


class RecordsCase(Worked):
    """A public-records case about two records, from the gateway to its second end."""

    def __init__(self, county: County, dying: Mortal, **harm: Any) -> None:
        super().__init__(county, dying, **harm)
        tag = uuid4().hex[:8]
        self.custodian = ("custodian", f"carla-{tag}")
        self.officer = ("records_officer", f"olga-{tag}")
        self.counsel = ("counsel", f"cole-{tag}")
        self.token = ""
        self.records: list[str] = []

    async def from_receipt_to_release(self) -> str:
        """Returns the hash of what was released."""
        for number in range(2):
            text = f"A crane was hurt, {uuid4().hex}." + " The owner said hello." * number
            self.records.append(
                await self.county.accepted(submission(4_980 + number) | {"description": text})
            )
        for each in self.records:
            await self.county.routed(each)
            await in_the_inventory(self.county, each)
        await self.opened()
        by = self.custodian
        await self.at_desk("bound", "PUT", "/bounds", {"record_ids": self.records}, by=by)
        asked = {"text": "Which crane?", "asks": True, "key": uuid4().hex}
        await self.at_desk("clarify", "POST", "/messages", asked, by=by)
        scope = {"version": 0, "words": ["crane"], "person": {"name": "Anna"}}
        await self.at_desk("scope", "PUT", "/scope", scope, by=by)
        search = {"search_id": str(compat.uuid7()), "where": "email", "shape": ["words"], "hits": 0}
        await self.at_desk("search", "POST", "/searches", {**search, "minutes": 5}, by=by)
        minutes = {"note_id": str(compat.uuid7()), "work": "copy", "minutes": 5}
        await self.at_desk("minutes", "POST", "/minutes", minutes, by=by)
        held = {"record_ids": self.records, "complete": True}
        await self.at_desk("identify", "POST", "/records", held, by=by)
        await self.granted()
        await self.reviewed()
        await self.at_desk("collect", "POST", "/collection", {}, by=by)

        async def collected() -> bool:
            # What an owner did not answer is asked for again.
            return not (await self.at_desk("", "POST", "/collection", {}, by=by))["remaining"]

        await until(collected, "both records are collected")
        return await self.released()

    async def opened(self) -> None:
        gateway = self.county.known.services["intake"]
        key = {"Idempotency-Key": uuid4().hex}

        async def attempt(sent: Document) -> httpx.Response:
            return await self.county.http.post(gateway + PUBLIC, json=sent, headers=key)

        made = await self.act("open", attempt, {"request": "Everything about the crane."})
        self.case_id, self.token = made["case_id"], made["token"]

    async def granted(self) -> None:
        body = {
            "version": 0,
            "record_ids": self.records,
            "fields": ["phone", "email", "first_name", "last_name", "description", "job_history"],
            "workers": [self.custodian[1]],
            "valid_until": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
        }
        grant = await self.at_desk("grant", "POST", "/grants", body, by=self.custodian)
        approval = {
            "version": grant["version"],
            "id_token": await self.id_token(grant["nonce"], self.officer[1]),
        }
        path = f"/grants/{grant['grant_id']}/approve"
        done = await self.at_desk("approve", "POST", path, approval, by=self.officer)
        assert done["state"] == "approved"

    async def reviewed(self) -> None:
        """All of one record goes out, and a part of the other."""
        for record_id in self.records:
            path = f"/v1/cases/{self.case_id}/records/{record_id}"

            async def shown(path: str = path) -> Document | None:
                answer = await self.county.ask("POST", "intake", f"{path}/review", *self.custodian)
                return answer.json() if answer.status_code == 200 else None

            found = await until(shown, "the grant is in effect at intake")
            assert "description" in found["texts"], sorted(found["texts"])
            text = str(found["texts"]["description"])
            start = text.find("The owner")
            item = {
                "item": f"description:{start}-{len(text)}",
                "decision": "withhold",
                "code": "social_security_number",
            }
            body = {"version": found["version"], "decisions": [item] if start > 0 else []}
            answer = await self.county.ask(
                "PUT", "intake", f"{path}/decisions", *self.custodian, body
            )
            assert answer.status_code == 200, answer.text

        async def at_routing() -> bool:
            path = f"/v1/jobs/{self.records[0]}/history"
            body = {"purpose": "public_records", "reference": self.case_id}
            answer = await self.county.ask("POST", "routing", path, *self.custodian, body)
            return answer.status_code == 200

        await until(at_routing, "the grant is in effect at routing")

    async def released(self) -> str:
        found = await self.at_desk("build", "POST", "/packages", {"version": 0}, by=self.custodian)
        package = str(found["packages"][-1]["sha256"])
        path = f"/packages/{package}"
        for who in (self.officer, self.counsel):
            read = await self.at_desk("read", "GET", path, by=who)
            assert sha256(read["content"]).hexdigest() == package
            token = await self.id_token(nonce_of_package(self.case_id, package), who[1])
            await self.at_desk(
                f"approve as {who[0]}", "POST", f"{path}/approve", {"id_token": token}, by=who
            )
        out = await self.at_desk("release", "POST", f"{path}/release", {}, by=self.custodian)
        assert out["state"] == "released"
        got = await self.downloaded()
        checked(self.county.stack, got, package)
        return package

    async def downloaded(self) -> bytes:
        gateway = self.county.known.services["intake"]
        headers = {"Authorization": f"Bearer {self.token}"}

        async def attempt(_: Document) -> httpx.Response:
            return await self.county.http.get(f"{gateway}{PUBLIC}/package", headers=headers)

        return bytes((await self.act("download", attempt))["content"])

    async def closed_and_opened_again(self) -> None:
        by = self.custodian
        await self.at_desk("close", "POST", "/close", {"outcome": "part"}, by=by)
        await self.at_desk("reopen", "POST", "/reopening", {"reason": "requester_wrote"}, by=by)
        await self.at_desk("withdraw", "POST", "/close", {"outcome": "withdrawn"}, by=by)


async def of_records(stack: Stack, armed: Path, service: str = "retention", **harm: Any) -> Worked:
    """A whole case while this service dies, and what must be so afterwards."""
    async with mortal(stack, service, armed) as (county, dying):
        case = RecordsCase(county, dying, **harm)
        package = await case.from_receipt_to_release()
        await case.closed_and_opened_again()
        left = Left(county, case.case_id)
        await left.look()
        left.check()
        assert left.released() == [package]
        await _every_download_is_logged(county, case.case_id)
        return case


async def _every_download_is_logged(county: County, case_id: str) -> None:
    """What opened a package is in the log, and so is each fetch of the case's key."""
    with county.database() as database:
        key = database["retention"]["keys"].find_one({"_id": case_id})
        assert key is not None
        fetched = {each["event"] for each in key.get("fetches", ())}

    async def logged() -> bool:
        with county.database() as database:
            query = {"event_id": {"$in": sorted(fetched)}}
            found = {each["event_id"] for each in database["audit"]["entries"].find(query)}
        return found == fetched

    await until(logged, "each fetch of the case's key has its leaf")


def _told(case: Worked, capsys: pytest.CaptureFixture[str], what: str) -> None:
    with capsys.disabled():
        deaths = ", ".join(f"{name} {count}" for name, count in case.dead.items() if count)
        sys.stdout.write(f"\nfaults: {what}: {case.dead.total()} deaths: {deaths}")
        sys.stdout.flush()


@pytest.mark.policy("P13", "P20")
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(each, marks=() if each == IN_EVERY_RUN else pytest.mark.campaign)
        for each in NUMBERS
    ],
)
async def test_a_records_case_whose_desk_dies_before_each_crossing(
    disposable: Stack, tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    case = await of_records(disposable, tmp_path / "armed", number=number)
    _told(case, capsys, f"records case, crossing {number}")
    assert case.dead.total() or number > IN_EVERY_RUN
    assert not (number == MOST and case.dead.total()), "there are crossings that nobody tried"


@pytest.mark.policy("P13", "P20")
@pytest.mark.parametrize("part", AWAY)
async def test_a_records_case_whose_desk_dies_while_a_part_is_away(
    disposable: Stack, tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = await of_records(disposable, tmp_path / "armed", without=part)
    _told(case, capsys, f"records case, without the {part}")


class LawCase(Worked):
    """A law-enforcement case about one record."""

    def __init__(self, county: County, dying: Mortal, record_id: str, **harm: Any) -> None:
        super().__init__(county, dying, **harm)
        tag = uuid4().hex[:8]
        self.record_id = record_id
        self.liaison = ("liaison", f"lars-{tag}")
        self.counsel = ("counsel", f"cole-{tag}")
        self.officer = ("records_officer", f"olga-{tag}")
        self.duty = ("emergency", f"dora-{tag}")
        self.scope = {"record_ids": [record_id], "fields": ["phone"]}

    async def opened(self) -> None:
        """The call has no key, so whoever repeats it looks first whether the case is there."""
        order = {
            "kind": "law_enforcement",
            "request": "A detective asks for a reporter.",
            "bounds": {"record_ids": [self.record_id]},
        }

        async def attempt(sent: Document) -> httpx.Response:
            listed = await self.county.ask("GET", "retention", "/v1/cases?limit=500", *self.liaison)
            mine = [
                each["case_id"]
                for each in listed.json().get("cases", ())
                if each["opened_by"] == self.liaison[1]
            ]
            assert len(mine) <= 1, "it was opened twice"
            if mine:
                path = f"/v1/cases/{mine[0]}"
                return await self.county.ask("GET", "retention", path, *self.liaison)
            return await self.county.ask("POST", "retention", "/v1/cases", *self.liaison, sent)

        self.case_id = str((await self.act("open", attempt, order))["case_id"])

    async def deposited(self, content: bytes) -> str:
        digest = sha256(content).hexdigest()
        url = f"{self.county.known.services['retention']}/v1/cases/{self.case_id}/documents"

        async def attempt(_: Document) -> httpx.Response:
            headers = await self.county.session.headers("retention", *self.liaison)
            return await self.county.http.put(
                f"{url}/{digest}", params={"kind": "instrument"}, content=content, headers=headers
            )

        await self.act("deposit", attempt)
        return digest

    async def called(self, subject: str, instrument: str, document: str | None = None) -> Document:
        body = {
            "version": 0,
            "subject": subject,
            "instrument": instrument,
            "agency": AGENCY,
            "outcome": "confirmed",
            **({"document": document} if document else {}),
        }
        return await self.at_desk(
            f"call back about the {subject}", "POST", "/verification", body, by=self.liaison
        )

    async def granted(self, *approvers: tuple[str, str]) -> None:
        by = self.liaison
        scope = {"version": 0, "asked": self.scope, "granted": self.scope}
        await self.at_desk("legal scope", "PUT", "/legal-scope", scope, by=by)
        body = {
            "version": 0,
            **self.scope,
            "workers": [self.liaison[1]],
            "valid_until": (datetime.now(UTC) + timedelta(hours=3)).isoformat(),
        }
        grant = await self.at_desk("grant", "POST", "/grants", body, by=by)
        path = f"/grants/{grant['grant_id']}/approve"
        done = grant
        for who in approvers:
            token = await self.id_token(grant["nonce"], who[1])
            approval = {"version": done["version"], "id_token": token}
            done = await self.at_desk(f"approve as {who[0]}", "POST", path, approval, by=who)
        assert done["state"] == "approved"

    async def by_a_warrant(self) -> None:
        """From the paper to the end of secrecy, and what else may happen."""
        by = self.liaison
        await self.opened()
        digest = await self.deposited(b"a warrant")
        assert (await self.called("instrument", "warrant", digest))["state"] == "verifying"
        assert (await self.called("officer", "warrant"))["state"] == "verified"
        await self.granted(self.counsel, self.officer)
        taken = {"how": "in_person", "sha256": digest, "receipt": "R-1", "taken_by": "Det. Able"}
        await self.at_desk("custody", "POST", "/custody", taken, by=by)
        now = datetime.now(UTC)
        notice = {
            "version": 0,
            "document": digest,
            "dated_at": now.isoformat(),
            "until": (now + timedelta(days=30)).isoformat(),
        }
        await self.at_desk("delay the notice", "POST", "/notice", notice, by=by)
        await self.at_desk("end secrecy", "DELETE", "/notice", by=by)
        objection = {"reason": "privilege", "state": "raised"}
        await self.at_desk("object", "PUT", "/objection", objection, by=by)
        settled = {"reason": "privilege", "state": "settled"}
        await self.at_desk("settle", "PUT", "/objection", settled, by=self.counsel)
        await self.at_desk("close", "POST", "/close", {"outcome": "withdrawn"}, by=by)

    async def in_danger(self) -> None:
        """What cannot wait, and the paper that follows."""
        by = self.liaison
        await self.opened()
        threat = {"version": 0, "agency": AGENCY, "threat": "life", "words": "He comes tonight."}
        await self.at_desk("state the threat", "POST", "/exigent", threat, by=by)
        assert (await self.called("officer", "exigent_request"))["state"] == "verified"
        await self.granted(self.duty)
        digest = await self.deposited(b"the order that followed")
        await self.called("follow_up", "court_order", digest)
        await self.at_desk("close", "POST", "/close", {"outcome": "withdrawn"}, by=by)

    async def referred(self) -> None:
        """Staff report by themselves, and the desk refuses."""
        body = {"key": uuid4().hex, "record_id": self.record_id, "reason": "fraud"}

        async def attempt(sent: Document) -> httpx.Response:
            return await self.county.ask(
                "POST", "retention", "/v1/referrals", "agent", self.liaison[1], sent
            )

        self.case_id = str(
            (await self.act("refer", attempt, body | {"words": "Two bills."}))["referral_id"]
        )
        refusal = {"reason": "not_for_this_county"}
        await self.at_desk("refuse", "POST", "/refusal", refusal, by=self.liaison)
        await self.at_desk("close", "POST", "/close", {"outcome": "withdrawn"}, by=self.liaison)


async def _of_law_enforcement(stack: Stack, armed: Path, **harm: Any) -> list[Worked]:
    async with mortal(stack, "retention", armed) as (county, dying):
        record_id = await county.accepted(submission(4_990))
        await in_the_inventory(county, record_id)
        cases = [LawCase(county, dying, record_id, **harm) for _ in range(3)]
        await cases[0].by_a_warrant()
        await cases[1].in_danger()
        await cases[2].referred()
        for each in cases:
            left = Left(county, each.case_id)
            await left.look()
            left.check()
            assert left.released() == []
            await _every_download_is_logged(county, each.case_id)
        return list(cases)


@pytest.mark.campaign
@pytest.mark.policy("P18", "P19", "P20")
@pytest.mark.parametrize("number", NUMBERS)
async def test_law_enforcement_cases_whose_desk_dies_before_each_crossing(
    disposable: Stack, tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = await _of_law_enforcement(disposable, tmp_path / "armed", number=number)
    for each in cases:
        _told(each, capsys, f"law enforcement, crossing {number}")
    deaths = sum(each.dead.total() for each in cases)
    assert deaths or number > IN_EVERY_RUN
    assert not (number == MOST and deaths), "there are crossings that nobody tried"


@pytest.mark.policy("P18", "P19", "P20")
@pytest.mark.parametrize("part", AWAY)
async def test_law_enforcement_cases_whose_desk_dies_while_a_part_is_away(
    disposable: Stack, tmp_path: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = await _of_law_enforcement(disposable, tmp_path / "armed", without=part)
    for each in cases:
        _told(each, capsys, f"law enforcement, without the {part}")
