"""A record's review for a public-records case: an ordinary reporter's name goes out, a protected
home does not, each decision has a code and a person, and nothing goes out that nobody decided."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deploy.local.stack import Stack
from direct311.runtime.access.exemptions import citations_in
from tests.e2e.test_case_grants import CaseWork, rule
from tests.support.county import County, Document, entering, until
from tests.support.disposition import destroyed
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13")]

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
FIELDS = ["first_name", "last_name", "phone", "email", "description", "updates", "work_notes"]
CANARY = "078-05-1120"
"""A social-security number in a department's note, as the department wrote it."""
NOTE = f"She says her SSN is {CANARY}, for the file."
SPAN = f"{NOTE.index(CANARY)}-{NOTE.index(CANARY) + len(CANARY)}"


class Review(CaseWork):
    """One case with a grant, and the calls of its review."""

    def __init__(self, county: County) -> None:
        super().__init__(county)
        self.counsel = f"kurt-{self.worker}"

    async def granted(self, *record_ids: str, **grant: Any) -> None:
        """A grant that is in effect at the gateway."""
        prepared = await self.prepared(
            record_ids=list(record_ids),
            fields=FIELDS,
            workers=[self.worker, self.counsel],
            **grant,
        )
        await self.approved(prepared)
        await self.reads(record_ids[0])

    def at(self, record_id: str, what: str, prefix: str = "/v1") -> str:
        return f"{prefix}/cases/{self.case_id}/records/{record_id}/{what}"

    async def review(
        self, record_id: str, role: str = "custodian", name: str | None = None
    ) -> httpx.Response:
        path = self.at(record_id, "review")
        return await self.county.ask("POST", "intake", path, role, name or self.worker)

    async def reviewed(self, record_id: str) -> Document:
        answer = await self.review(record_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def decide(
        self,
        record_id: str,
        version: int,
        *choices: tuple[str, str | None],
        role: str = "custodian",
        name: str | None = None,
    ) -> httpx.Response:
        body = {
            "version": version,
            "decisions": [
                {"item": item, "decision": "withhold", "code": code}
                if code
                else {"item": item, "decision": "release"}
                for item, code in choices
            ],
        }
        path = self.at(record_id, "decisions")
        return await self.county.ask("PUT", "intake", path, role, name or self.worker, body)

    async def render(self, record_id: str, name: str | None = None) -> httpx.Response:
        """As retention asks, on the worker's behalf."""
        county = self.county
        hers = await county.session.headers("retention", "custodian", name or self.worker)
        client = "svc-retention"
        form = {
            "grant_type": EXCHANGE,
            "subject_token": hers["Authorization"].removeprefix("Bearer "),
            "subject_token_type": ACCESS_TOKEN,
            "audience": county.known.audiences["intake"],
            "client_id": client,
            "client_secret": county.stack.credentials.clients[client],
        }
        made = await county.http.post(f"{county.known.issuer}/token", data=form)
        theirs = made.raise_for_status().json()["access_token"]
        own = await county.service_headers(client, "intake")
        url = county.known.services["intake"] + self.at(record_id, "rendering", "/internal")
        headers = {**own, "X-On-Behalf-Of": f"Bearer {theirs}"}
        return await county.http.post(url, json={"recipient": "requester"}, headers=headers)

    async def rendered(self, record_id: str) -> Document:
        answer = await self.render(record_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]


async def noted(county: County, record_id: str, note: str = NOTE) -> None:
    """A department's note is sealed with the record, as routing hands it over."""
    body = {
        "record_id": record_id,
        "department": "animal_services",
        "update_id": str(uuid4()),
        "note": note,
    }
    url = f"{county.known.services['intake']}/internal/work-notes"
    routing = await county.service_headers("svc-routing", "intake")
    answer = await county.http.post(url, json=body, headers=routing)
    assert answer.status_code == 201, answer.text


async def settled(county: County, record_id: str) -> None:
    """Routing has said whose work it is, and geo where it is."""
    await county.routed(record_id)
    await county.caught_up()


@pytest.fixture
async def work(county: County) -> Review:
    work = Review(county)
    await work.opened()
    return work


async def test_an_ordinary_reporters_name_and_telephone_go_out(
    county: County, work: Review
) -> None:
    fields = submission(4_910)
    record_id = await county.accepted(fields)
    other = await county.accepted(submission(4_911))
    await settled(county, record_id)
    await work.granted(record_id)

    found = await work.reviewed(record_id)
    assert found["texts"]["phone"] == fields["phone"]
    assert (found["proposals"], found["reviewed"]) == ([], False)
    assert code(await work.render(record_id)) == (409, "not_reviewed")
    decided = await work.decide(record_id, found["version"])
    assert (decided.status_code, decided.json()["reviewed"]) == (200, True), decided.text

    out = await work.rendered(record_id)
    for field in ("first_name", "last_name", "phone", "email"):
        assert out["fields"][field] == fields[field]
    assert (out["withheld"], out["version"]) == ([], found["version"])
    assert out["public"]["service_request_id"] == record_id
    # The same decisions give the same answer.
    assert await work.rendered(record_id) == out

    # Another record, and somebody whom the grant does not name.
    assert rule(await work.review(other)) == "grant_records"
    assert rule(await work.decide(other, 1)) == "grant_records"
    assert rule(await work.render(other)) == "grant_records"
    assert rule(await work.review(record_id, name="vera")) == "disclosure_case"
    assert rule(await work.render(record_id, name="vera")) == "disclosure_case"
    assert (await work.review(str(uuid4()))).status_code == 404
    # Nobody takes a rendering but retention.
    direct = await county.ask(
        "POST",
        "intake",
        work.at(record_id, "rendering", "/internal"),
        "custodian",
        work.worker,
        {"recipient": "requester"},
    )
    assert code(direct) == (403, "caller")

    async def logged() -> bool:
        path = f"/v1/entries?case={work.case_id}&reference=LETTER-92"
        entries = (await county.get("audit", path, "auditor"))["entries"]
        acts = {(each["action"], each["actor"]) for each in entries if each["service"] == "intake"}
        return {("view", work.worker), ("redact", work.worker), ("disclose", work.worker)} <= acts

    await until(logged, "the log has review, decisions and disclosure")


async def test_a_protected_home_is_withheld_with_its_citation(
    county: County, work: Review, registry: list[str]
) -> None:
    fields = submission(4_912)
    said = f"The dog barks. Call {fields['phone']} or come by."
    record_id = await county.accepted(fields | {"description": said})
    await settled(county, record_id)
    await work.granted(record_id)
    order = {
        "reference": "PR-82",
        "citation": "section 119.071(4)(d), F.S.",
        "phone": fields["phone"],
    }
    entered = await county.post("intake", "/v1/protections", order, "custodian", "carla")
    registry.append(entered["protection_id"])

    found = await work.reviewed(record_id)
    assert "protected" in found["flags"]
    proposed = {each["item"]: each for each in found["proposals"]}
    assert {each["citation"] for each in proposed.values()} == {"119.071(4)(d)"}
    assert all(each["preset"] for each in proposed.values())
    (span,) = [item for item in proposed if item.startswith("description:")]
    assert "phone" in proposed
    assert found["undecided"] == list(proposed)

    accepted = [(item, each["code"]) for item, each in proposed.items()]
    await work.decide(record_id, found["version"], *accepted)
    out = await work.rendered(record_id)
    assert out["fields"]["phone"] == "[■ 119.071(4)(d)]"
    assert out["fields"]["description"] == said.replace(fields["phone"], "[■ 119.071(4)(d)]")
    assert fields["phone"] not in json.dumps(out)
    assert out["fields"]["first_name"] == fields["first_name"]
    assert {(each["item"], each["decided_by"]) for each in out["withheld"]} == {
        (item, work.worker) for item in proposed
    }
    assert span in {each["item"] for each in out["withheld"]}
    for field, text in out["fields"].items():
        rows = [each["citation"] for each in out["withheld"] if each["field"] == field]
        assert sorted(citations_in(text)) == sorted(rows)


async def test_only_counsel_lifts_a_confidential_number_and_it_is_nowhere_else(
    county: County, work: Review
) -> None:
    record_id = await county.accepted(submission(4_913))
    await settled(county, record_id)
    await noted(county, record_id)
    await work.granted(record_id)
    found = await work.reviewed(record_id)
    ((item, proposal),) = {each["item"]: each for each in found["proposals"]}.items()
    assert item.endswith(f":{SPAN}")
    assert (proposal["citation"], proposal["class"], proposal["lifted_by"]) == (
        "119.071(5)(a)",
        "confidential_and_exempt",
        ["counsel"],
    )
    version = found["version"]
    refused = await work.decide(record_id, version, (item, None))
    assert rule(refused) == "lifted_by"
    for wrong in ("no_such_code", "cybersecurity"):
        assert code(await work.decide(record_id, version, (item, wrong))) == (422, "exemption")
    assert code(await work.decide(record_id, version, ("phone:0-99", "victim"))) == (422, "item")
    assert code(await work.render(record_id)) == (409, "not_reviewed")

    # Twice at the same time is once.
    answers = await asyncio.gather(
        *(work.decide(record_id, version, (item, "social_security_number")) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    out = await work.rendered(record_id)
    (shown,) = json.loads(out["fields"]["work_notes"]).values()
    assert shown["note"] == NOTE.replace(CANARY, "[■ 119.071(5)(a)]")
    assert [each["item"] for each in out["withheld"]] == [item]

    # What was withheld is in no event, no log and no database.
    await county.caught_up()
    with county.database() as database:
        for name in ("intake", "audit", "retention", "routing"):
            for collection in database[name].list_collection_names():
                for document in database[name][collection].find({}):
                    assert CANARY not in repr(document), f"{name}.{collection}"
    for message in await county.messages("pii.accessed", "disclosure", "request.updated"):
        assert CANARY.encode() not in (message.value or b""), message.topic
    for log in county.stack.root.rglob("*.log"):
        assert CANARY.encode() not in log.read_bytes(), log.name

    # Counsel may, as a worker whom the grant names.
    lifted = await work.decide(record_id, version, (item, None), role="counsel", name=work.counsel)
    assert lifted.status_code == 200, lifted.text
    (shown,) = json.loads((await work.rendered(record_id))["fields"]["work_notes"]).values()
    assert shown["note"] == NOTE


async def test_a_record_that_changed_is_reviewed_again_and_decisions_are_offered(
    county: County, work: Review
) -> None:
    record_id = await county.accepted(submission(4_914))
    await settled(county, record_id)
    await noted(county, record_id)
    await work.granted(record_id)
    found = await work.reviewed(record_id)
    ((item, proposal),) = {each["item"]: each for each in found["proposals"]}.items()
    choice = (item, proposal["code"])
    assert (await work.decide(record_id, found["version"], choice)).status_code == 200
    await noted(county, record_id, "One more thing.")
    assert code(await work.render(record_id)) == (409, "changed")
    assert code(await work.decide(record_id, found["version"], choice)) == (409, "changed")
    again = await work.reviewed(record_id)
    assert again["version"] > found["version"]
    assert (again["decisions"], again["undecided"]) == ([], [item])
    assert [(each["item"], each["code"]) for each in again["earlier"]] == [choice]
    assert (await work.decide(record_id, again["version"], choice)).status_code == 200
    assert len(json.loads((await work.rendered(record_id))["fields"]["work_notes"])) == 2


async def test_the_command_shows_the_items_and_decides_them(county: County, work: Review) -> None:
    fields = submission(4_916)
    record_id = await county.accepted(fields)
    await settled(county, record_id)
    await noted(county, record_id)
    await work.granted(record_id)
    command = (sys.executable, "-m", "direct311.cli", "case", "review", work.case_id, record_id)
    environ = {"DIRECT311_STACK": str(county.stack.root / "dev.json"), "COLUMNS": "100"}

    async def run(*words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *command,
            *words,
            *("--as", work.worker),
            env=os.environ | environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    done, shown = await run()
    assert done == 0, shown
    assert fields["phone"] in shown
    assert "released by counsel only" in shown
    assert "not reviewed, 1 undecided" in shown
    ((item, _),) = {
        each["item"]: each for each in (await work.reviewed(record_id))["proposals"]
    }.items()
    done, refused = await run("--release", item)
    assert done != 0
    assert "counsel" in refused
    done, accepted = await run("--accept")
    assert done == 0, accepted
    assert ": reviewed" in accepted
    assert f"119.071(5)(a) by {work.worker}"[:20] in accepted
    assert (await work.rendered(record_id))["withheld"][0]["item"] == item


async def test_a_review_is_destroyed_with_its_record_and_certified(
    county: County, work: Review
) -> None:
    record_id = await county.accepted(submission(4_917))
    await settled(county, record_id)
    await work.granted(record_id)
    found = await work.reviewed(record_id)
    decided = await work.decide(record_id, found["version"], ("phone", "victim"))
    assert decided.status_code == 200, decided.text
    assert (await work.rendered(record_id))["fields"]["phone"] == "[■ 119.071(2)(j)]"
    body = {"outcome": "withdrawn"}
    path = f"/v1/cases/{work.case_id}/close"
    await county.post("retention", path, body, "custodian", work.custodian)

    await destroyed(county, record_id)
    assert (await work.review(record_id)).status_code == 404
    with county.database() as database:
        document = database["intake"].reviews.find_one({"_id": record_id})
    assert document is not None
    assert set(document) == {"_id", "removed", "removed_at"}
    (receipt,) = [
        receipt
        for message in await county.messages("record.destroyed")
        if message.value
        and (receipt := json.loads(message.value))["record_id"] == record_id
        and receipt["holder"] == "intake"
    ]
    # The request, and its reviews.
    assert receipt["documents"] == 2


# ---------------------------------------------------------------- kills


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.timeout(240)
async def test_a_decision_survives_a_kill_and_is_stored_once(disposable: Stack) -> None:
    async with entering(disposable) as county:
        work = Review(county)
        await work.opened()
        record_id = await county.accepted(submission(4_915))
        await settled(county, record_id)
        await noted(county, record_id)
        await work.granted(record_id, lasts=timedelta(hours=2))
        found = await work.reviewed(record_id)
        choice = (found["proposals"][0]["item"], "social_security_number")
        pending = [
            asyncio.create_task(work.decide(record_id, found["version"], choice)) for _ in range(8)
        ]
        await asyncio.sleep(0.05)
        county.stack.kill9("intake")
        await asyncio.gather(*pending, return_exceptions=True)
        county.stack.start("intake")

        async def decided() -> Document | None:
            try:
                answer = await work.decide(record_id, found["version"], choice)
            except httpx.HTTPError:
                return None
            return answer.json() if answer.status_code == 200 else None

        answer = await until(decided, "the gateway is back")
        assert [(each["item"], each["code"]) for each in answer["decisions"]] == [choice]
        with county.database() as database:
            (document,) = database["intake"].reviews.find({"_id": record_id})
        stored = json.loads(document["reviews"])["cases"][work.case_id]
        assert len(stored["decisions"]) == 1
        out = await work.rendered(record_id)
        assert len(out["withheld"]) == 1
