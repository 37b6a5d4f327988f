"""An anonymous request for public records, from its receipt to a package that anybody can check.

Every service is real. A custodian finds the records by their words, reviews them and packages them.
A records officer and counsel approve one hash. The requester downloads those bytes, and the
auditors' tool finds them good, offline.
"""

import io
import json
import zipfile
from hashlib import sha256
from uuid import uuid4

import httpx
import pytest

from direct311.runtime.access.disclosures import nonce_of_package
from direct311.runtime.messaging.signing import read_private
from direct311.verifier.note import VerifierKey
from direct311.verifier.package.check import verify_package
from tests.e2e.test_case_review import Review, code, settled
from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P3", "P13", "P21")]

PUBLIC = "/v1/records-requests"
PLACE = "119.071(5)(a)"


class PublicCase(Review):
    """One request that came through the gateway without a name, and the people who work on it."""

    def __init__(self, county: County) -> None:
        super().__init__(county)
        # The custodian does the work.
        self.worker = self.custodian
        self.token = ""

    async def opened(self) -> None:
        gateway = self.county.known.services["intake"]
        asked = {"request": "Everything about the heron that was hurt."}
        sent = await self.county.http.post(gateway + PUBLIC, json=asked)
        assert sent.status_code == 201, sent.text
        self.case_id, self.token = sent.json()["case_id"], sent.json()["token"]

    async def desk(
        self, method: str, path: str, body: Document | None = None, role: str = "custodian"
    ) -> httpx.Response:
        people = {"custodian": self.custodian, "records_officer": self.officer}
        name, path = people.get(role, self.counsel), f"/v1/cases/{self.case_id}{path}"
        return await self.county.ask(method, "retention", path, role, name, body)

    async def state(self) -> str:
        """What the requester sees by the token."""
        return str((await self.by_token("/status")).json()["state"])

    async def by_token(self, path: str) -> httpx.Response:
        gateway = self.county.known.services["intake"]
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.county.http.get(f"{gateway}{PUBLIC}{path}", headers=headers)

    async def search(self, words: str) -> Document:
        path = f"/v1/cases/{self.case_id}/searches"
        answer = await self.county.ask(
            "POST", "intake", path, "custodian", self.worker, {"words": words}
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def built(self) -> httpx.Response:
        """The answer to a call that builds, once nobody changed the case in between."""

        async def done() -> httpx.Response | None:
            version = (await self.desk("GET", "/packages")).json()["version"]
            answer = await self.desk("POST", "/packages", {"version": version})
            return None if code_of(answer) == "changed" else answer

        return await until(done, "nobody changed the case in between")

    async def approve_package(self, package: str, role: str) -> str:
        """The approver reads the package, hashes it, and signs in for that hash."""
        read = await self.desk("GET", f"/packages/{package}", role=role)
        assert sha256(read.content).hexdigest() == package
        name = self.officer if role == "records_officer" else self.counsel
        token = await self.id_token(nonce_of_package(self.case_id, package), name)
        path = f"/packages/{package}/approve"
        answer = await self.desk("POST", path, {"id_token": token}, role)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["state"])


def code_of(answer: httpx.Response) -> str:
    return code(answer)[1] if answer.status_code >= 400 else ""


async def test_an_anonymous_request_ends_in_a_package_that_anybody_can_check(
    county: County,
) -> None:
    tag = uuid4().hex[:8]
    ordinary = submission(4_950) | {"description": f"A heron with a broken wing {tag}."}
    careless = submission(4_951) | {"description": f"The heron {tag}. The owner said hello."}
    first = await county.accepted(ordinary)
    second = await county.accepted(careless)
    for each in (first, second):
        await settled(county, each)
    work = PublicCase(county)
    await work.opened()
    assert await work.state() == "acknowledged"

    # Found by words, under a grant of searches that a records officer approved.
    searching = await work.prepared(
        record_ids=[first],
        fields=["phone", "description"],
        searches=[{"kind": "words", "number": 2}],
    )
    await work.approved(searching)
    await work.reads(first)
    found = await work.search(f"HERON {tag}")
    assert sorted(found["record_ids"]) == sorted([first, second])
    noted = {
        "search_id": found["search_id"],
        "where": "intake",
        "shape": found["shape"],
        "hits": found["hits"],
        "minutes": 5,
        "entry": found["search_id"],
    }
    written = await work.desk("POST", "/searches", noted)
    assert written.json()["searches"][-1]["hits"] == 2, written.text

    # Kept from destruction, granted, and reviewed: all of one goes out, a part of the other.
    held = await work.desk("POST", "/records", {"record_ids": [first, second], "complete": True})
    assert held.status_code == 200, held.text
    await work.granted(first, second)
    assert (await work.desk("POST", "/collection", {})).json()["remaining"] == 2
    for record_id in (first, second):
        shown = await work.reviewed(record_id)
        text = str(shown["texts"]["description"])
        start = text.find("The owner")
        choices = [(f"description:{start}-{len(text)}", "social_security_number")] * (start > 0)
        decided = await work.decide(record_id, shown["version"], *choices)
        assert decided.json()["reviewed"] is True, decided.text

    async def collected() -> bool:
        answer = await work.desk("POST", "/collection", {})
        assert answer.status_code == 200, answer.text
        return not answer.json()["remaining"]

    await until(collected, "both records are collected")
    built = await work.built()
    assert built.status_code == 201, built.text
    package = str(built.json()["packages"][-1]["sha256"])
    assert (await work.by_token("/package")).status_code == 404
    assert await work.approve_package(package, "records_officer") == "built"
    assert await work.approve_package(package, "counsel") == "approved"
    out = await work.desk("POST", f"/packages/{package}/release", {})
    assert (out.status_code, out.json()["state"]) == (200, "released")
    assert await work.state() == "released"

    # The same bytes reach the requester, and the auditors' tool needs nothing else.
    got = await work.by_token("/package")
    assert (got.status_code, sha256(got.content).hexdigest()) == (200, package)
    _, private = read_private(county.stack.root / "keys" / "retention-signing.json")
    key = VerifierKey("direct311/retention", private.public_key().public_bytes_raw())
    report = verify_package(io.BytesIO(got.content), [key])
    assert report.ok, report
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        one = json.loads(archive.read(f"data/records/{first}.json"))
        other = json.loads(archive.read(f"data/records/{second}.json"))
        searches = json.loads(archive.read("search-log.json"))
        rows = json.loads(archive.read("exemption-log.json"))
        fees = json.loads(archive.read("fees.json"))
    # The name and the telephone number of an ordinary reporter are public in Florida.
    assert one["fields"]["phone"] == ordinary["phone"]
    assert one["fields"]["description"] == ordinary["description"]
    assert other["fields"]["description"].endswith(f"[■ {PLACE}]")
    assert "owner" not in json.dumps(other["fields"]["description"])
    assert [(each["record_id"], each["citation"]) for each in rows] == [(second, PLACE)]
    assert [(each["hits"], each["minutes"], each["by"]) for each in searches] == [
        (2, 5, work.custodian)
    ]
    assert fees["case_id"] == work.case_id

    # The register tells it from the log: who approved, and which bytes.
    async def told() -> bool:
        path = f"/v1/cases/{work.case_id}?reference=LETTER-98"
        answer = await county.ask("GET", "audit", path, "auditor", "ada")
        return answer.status_code == 200 and package in answer.text

    await until(told, "the register has the release")
    closed = await work.desk("POST", "/close", {"outcome": "part"})
    assert (closed.status_code, closed.json()["outcome"]) == (200, "part"), closed.text


async def test_what_is_withheld_in_one_record_stops_a_package_that_has_it_in_another(
    county: County,
) -> None:
    tag = uuid4().hex[:8]
    said = f"Call Ermengarda Zuloaga-Ferrandiz {tag}."
    first = await county.accepted(submission(4_952) | {"description": said})
    second = await county.accepted(submission(4_953) | {"description": f"As before. {said}"})
    for each in (first, second):
        await settled(county, each)
    work = PublicCase(county)
    await work.opened()

    async def identified() -> bool:
        order = {"record_ids": [first, second], "complete": True}
        return (await work.desk("POST", "/records", order)).status_code == 200

    await until(identified, "the inventory knows the records")
    await work.granted(first, second)
    shown = await work.reviewed(first)
    start, end = said.index("Ermengarda"), said.index(f" {tag}")
    item = f"description:{start}-{end}"
    done = await work.decide(first, shown["version"], (item, "social_security_number"))
    assert done.status_code == 200, done.text
    done = await work.decide(second, (await work.reviewed(second))["version"])
    assert done.status_code == 200, done.text

    async def collected() -> bool:
        return not (await work.desk("POST", "/collection", {})).json()["remaining"]

    await until(collected, "both records are collected")
    stopped = await work.built()
    assert code(stopped) == (409, "leak"), stopped.text
    assert f"data/records/{second}.json" in stopped.text
    assert "Ermengarda" not in stopped.text
    again = (await work.reviewed(second))["texts"]["description"]
    start = str(again).index("Ermengarda")
    item = f"description:{start}-{start + len('Ermengarda Zuloaga-Ferrandiz')}"
    done = await work.decide(
        second, (await work.reviewed(second))["version"], (item, "social_security_number")
    )
    assert done.status_code == 200, done.text
    collected_again = await work.desk("POST", "/collection", {"again": True})
    assert collected_again.status_code == 200, collected_again.text
    built = await work.built()
    assert built.status_code == 201, built.text
    closed = await work.desk("POST", "/close", {"outcome": "withdrawn"})
    assert closed.status_code == 200, closed.text
