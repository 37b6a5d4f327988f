"""What was withheld once is looked for in every later part of a case, and counsel clears what is no
leak: with a sign-in, a reason, an entry of the log, and for this package alone."""

import io
import json
import zipfile
from uuid import uuid4

import httpx
import pytest

from direct311.runtime.access.disclosures import nonce_of_clearance
from direct311.runtime.messaging.signing import read_private
from direct311.verifier.checkpoint import Trust
from direct311.verifier.note import VerifierKey
from direct311.verifier.package.check import verify_package
from tests.e2e.test_case_review import code, settled
from tests.e2e.test_public_records_all_the_way import PublicCase, code_of
from tests.support import disposition
from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13")]

NAME = "Ermengarda Zuloaga-Ferrandiz"


class PartialCase(PublicCase):
    """A case that is released part by part."""

    async def part(self, *, partial: bool = False) -> httpx.Response:
        """The answer to a call that builds."""

        async def done() -> httpx.Response | None:
            version = (await self.desk("GET", "/packages")).json()["version"]
            order = {"version": version, "partial": partial}
            answer = await self.desk("POST", "/packages", order)
            return None if code_of(answer) == "changed" else answer

        return await until(done, "nobody changed the case in between")

    async def decided(self, record_id: str, *withheld: str) -> None:
        shown = await self.reviewed(record_id)
        text = str(shown["texts"]["description"])
        items = [
            f"description:{text.index(each)}-{text.index(each) + len(each)}" for each in withheld
        ]
        choices = [(each, "social_security_number") for each in items]
        done = await self.decide(record_id, shown["version"], *choices)
        assert done.json()["reviewed"] is True, done.text

    async def collected(self, remaining: int) -> None:
        async def done() -> bool:
            answer = await self.desk("POST", "/collection", {})
            assert answer.status_code == 200, answer.text
            return bool(answer.json()["remaining"] == remaining)

        await until(done, f"{remaining} are left to collect")

    async def released(self, package: str) -> None:
        for role in ("records_officer", "counsel"):
            await self.approve_package(package, role)
        out = await self.desk("POST", f"/packages/{package}/release", {})
        assert out.json()["state"] == "released", out.text

    async def leaks(self, role: str = "counsel") -> Document:
        answer = await self.desk("GET", "/leaks", role=role)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def clear(
        self, leak: str, role: str = "counsel", reason: str = "other_person"
    ) -> httpx.Response:
        name = {"custodian": self.custodian, "records_officer": self.officer}.get(
            role, self.counsel
        )
        token = await self.id_token(nonce_of_clearance(self.case_id, leak, reason), name)
        order = {"reason": reason, "id_token": token}
        return await self.desk("POST", f"/leaks/{leak}/clearance", order, role)


async def test_a_later_part_is_stopped_by_what_an_earlier_one_withheld_until_counsel_clears_it(
    county: County,
) -> None:
    tag = uuid4().hex[:8]
    first = await county.accepted(submission(4_970) | {"description": f"Call {NAME} {tag}."})
    second = await county.accepted(submission(4_971) | {"description": f"I am {NAME}. {tag}"})
    for each in (first, second):
        await settled(county, each)
    work = PartialCase(county)
    await work.opened()

    async def identified() -> bool:
        order = {"record_ids": [first, second], "complete": True}
        return (await work.desk("POST", "/records", order)).status_code == 200

    await until(identified, "the inventory knows the records")
    await work.granted(first, second)
    await work.decided(first, NAME)
    await work.collected(1)
    built = await work.part(partial=True)
    assert built.status_code == 201, built.text
    await work.released(str(built.json()["packages"][-1]["sha256"]))

    # The first record changes after it went out. What it withheld then is looked for all the same.
    await disposition.closed(county, first)
    await county.caught_up()
    await work.decided(second)
    await work.collected(0)
    stopped = await work.part()
    assert code(stopped) == (409, "leak"), stopped.text
    assert f"data/records/{second}.json" in stopped.text
    assert "Ermengarda" not in stopped.text

    found = await work.leaks("custodian")
    assert {each["record_id"] for each in found["leaks"]} == {first}
    assert {each["kind"] for each in found["leaks"]} == {"name"}
    assert "Ermengarda" not in str(found)
    one = str(found["leaks"][0]["leak_id"])
    # Whoever prepared it does not clear it, and nobody without the role.
    assert code(await work.clear(one, "custodian"))[0] == 403
    assert code(await work.clear(one, "records_officer"))[0] == 403
    assert code(await work.clear(one, reason="because")) == (422, "clear_reason")
    for each in found["leaks"]:
        cleared = await work.clear(str(each["leak_id"]))
        assert cleared.status_code == 200, cleared.text
    assert (await work.leaks())["leaks"] == []
    built = await work.part()
    assert built.status_code == 201, built.text
    package = built.json()["packages"][-1]
    assert (package["withheld"], package["cleared"]) == (0, len(found["leaks"]))
    assert set(package["missing"]) == {"records_officer", "counsel"}
    await work.released(str(package["sha256"]))

    # The package proves offline that the case's steps are in the log, the clearing among them.
    fetched = await work.desk("GET", f"/packages/{package['sha256']}")
    vkey = await county.ask("GET", "audit", "/log/vkey", "auditor", "ines")
    trust = Trust(tuple(map(VerifierKey.parse, vkey.text.split())))
    _, private = read_private(county.stack.root / "keys" / "retention-signing.json")
    key = VerifierKey("direct311/retention", private.public_key().public_bytes_raw())
    report = verify_package(io.BytesIO(fetched.content), [key], trust=trust)
    assert report.ok, report.text
    with zipfile.ZipFile(io.BytesIO(fetched.content)) as archive:
        proof = json.loads(archive.read("proofs/bundle.json"))
    events = [each["event"] for each in proof["receipts"] if each["event"]]
    assert {each["subject"] for each in events} == {work.case_id}
    assert "collected" in {each["body"].get("step") for each in events}
    assert "id_token" not in json.dumps(proof)

    # The register tells it from the log: who cleared what, and that it went out so.
    async def told() -> Document | None:
        path = f"/v1/cases/{work.case_id}?reference=LETTER-107"
        answer = await county.ask("GET", "audit", path, "auditor", "ada")
        shown = answer.json() if answer.status_code == 200 else {}
        return shown if len(shown.get("releases", ())) == 2 else None

    shown = await until(told, "the register has both releases")
    steps = [each for each in shown["steps"] if each["step"] == "leak_cleared"]
    assert {each["hashes"]["leak"] for each in steps} == {
        each["leak_id"] for each in found["leaks"]
    }
    assert all(each["actor"] == work.counsel for each in steps)
    assert shown["releases"][-1]["counts"]["cleared"] == len(found["leaks"])
    closed = await work.desk("POST", "/close", {"outcome": "full"})
    assert closed.status_code == 200, closed.text
