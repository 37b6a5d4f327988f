"""A subpoena from the form to the receipt, against the running county.

Every service is real. A liaison collects what the instrument covers and leaves out what it does
not, counsel reviews, a records officer releases. The detective opens the download once, with a code
that was read out at the agency's published number, and is the only one who can read it.
"""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from hashlib import sha256
from uuid import uuid4

import httpx
import pyrage
import pytest

from direct311.runtime.access.disclosures import nonce_of_package
from direct311.runtime.messaging.signing import read_private
from direct311.verifier.note import VerifierKey
from direct311.verifier.package.check import verify_package
from tests.e2e.test_case_review import settled
from tests.e2e.test_legal_process import AGENCY, Desk, code
from tests.support.county import County, Document, until
from tests.support.no_trace import WORDS, files_under, traces_in
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P18")]

OTHER = "786-555-0199"
FORGED = "0000-0000-0000-0000-0000"


class Process(Desk):
    """A subpoena about one record, and everybody on its way."""

    def __init__(self, county: County, record_id: str) -> None:
        super().__init__(county, record_id)
        self.identity = pyrage.x25519.Identity.generate()
        self.key = str(self.identity.to_public())

    async def at(
        self,
        method: str,
        path: str,
        body: Document | None = None,
        role: str = "liaison",
        service: str = "retention",
    ) -> httpx.Response:
        names = {"counsel": self.counsel, "records_officer": self.officer}
        url = f"/v1/cases/{self.case_id}{path}"
        name = names.get(role, self.liaison)
        return await self.county.ask(method, service, url, role, name, body)

    async def ok(self, *call: str | Document, **said: str) -> Document:
        answer = await self.at(*call, **said)  # type: ignore[arg-type]
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def granted(self, fields: list[str]) -> None:
        """A subpoena that was called back about, scoped, and granted for these fields."""
        digest = await self.deposited(f"a subpoena {uuid4()}".encode())
        said = {"instrument": "administrative_subpoena", "document": digest}
        await self.called("instrument", **said)
        await self.called("officer", instrument="administrative_subpoena")
        scope = {"record_ids": [self.record_id], "fields": fields}
        asked = {"record_ids": [self.record_id], "fields": [*fields, "device_position"]}
        await self.done("PUT", "legal-scope", {"version": 0, "asked": asked, "granted": scope})
        await self.held()
        await self.again(fields)

    async def again(self, fields: list[str]) -> None:
        """A grant for these fields that is in effect at the gateway."""
        answer = await self.prepare(fields=fields)
        assert answer.is_success, answer.text
        grant = answer.json()
        await self.approve(grant, "counsel", self.counsel)
        await self.approve(grant, "records_officer", self.officer)
        await self.reads(fields[0])

    async def held(self) -> None:
        order = {"record_ids": [self.record_id], "complete": True}

        async def identified() -> bool:
            return (await self.at("POST", "/records", order)).is_success

        await until(identified, "the inventory knows the record")

    async def minimised(self) -> Document:
        """The record's review, in which everything that is proposed is left out."""
        path = f"/records/{self.record_id}"
        shown = await self.ok("POST", f"{path}/review", {}, service="intake")
        chosen = [
            {"item": each["item"], "decision": "withhold", "code": each["code"]}
            for each in shown["proposals"]
            if each["item"] in shown["undecided"]
        ]
        order = {"version": shown["version"], "decisions": chosen}
        decided = await self.ok("PUT", f"{path}/decisions", order, service="intake")
        assert decided["reviewed"] is True
        return shown

    async def built(self) -> str:
        async def collected() -> bool:
            return not (await self.ok("POST", "/collection", {}))["remaining"]

        await until(collected, "the record is collected")

        async def packaged() -> Document | None:
            version = (await self.ok("GET", "/packages"))["version"]
            answer = await self.at("POST", "/packages", {"version": version})
            return answer.json() if answer.status_code == 201 else None

        return str((await until(packaged, "nobody changed the case"))["packages"][-1]["sha256"])

    async def approve_package(self, package: str, role: str) -> str:
        """The approver reads the package, hashes it, and signs in for that hash."""
        read = await self.at("GET", f"/packages/{package}", role=role)
        assert sha256(read.content).hexdigest() == package
        name = self.counsel if role == "counsel" else self.officer
        token = await self._signed_in(nonce_of_package(self.case_id, package), name)
        done = await self.ok("POST", f"/packages/{package}/approve", {"id_token": token}, role=role)
        return str(done["state"])

    async def released(self, package: str) -> httpx.Response:
        return await self.at("POST", f"/packages/{package}/release", {}, "records_officer")

    async def told(self, package: str) -> Document:
        return await self.ok("POST", f"/packages/{package}/delivery/code", {})

    async def gateway(self, what: str, **body: str) -> httpx.Response:
        """What the detective asks, who has no account here."""
        url = f"{self.county.known.services['intake']}/v1/deliveries/{what}"
        return await self.county.http.post(url, json=body)


async def process(county: County, number: int, text: str) -> Process:
    record_id = await county.accepted(submission(number) | {"description": text})
    await settled(county, record_id)
    found = Process(county, record_id)
    await found.opened()
    return found


@pytest.fixture
async def subpoena(county: County) -> AsyncIterator[Process]:
    found = await process(county, 6_201, f"A fire. My neighbor saw it: {OTHER}.")
    yield found
    await found.withdrawn()


async def test_a_subpoena_from_the_form_to_the_receipt(county: County, subpoena: Process) -> None:
    await subpoena.granted(["phone", "description"])
    shown = await subpoena.minimised()
    assert [each["code"] for each in shown["proposals"]] == ["other_person"]
    package = await subpoena.built()
    assert (await subpoena.legal())["state"] == "packaged"

    # Three people, and nobody in two of these.
    assert await subpoena.approve_package(package, "counsel") == "built"
    assert await subpoena.approve_package(package, "records_officer") == "approved"
    assert code(await subpoena.released(package)) == (409, "not_encrypted")
    delivery = await subpoena.ok("PUT", f"/packages/{package}/delivery", {"key": subpoena.key})
    assert delivery["package"] == package
    own = await subpoena.at("POST", f"/packages/{package}/release", {})
    assert own.status_code == 403
    out = await subpoena.released(package)
    assert (out.status_code, out.json()["state"]) == (200, "released"), out.text

    # A forged code opens nothing; the code that was read out opens one download.
    assert code(await subpoena.gateway("download", code=FORGED)) == (404, "unknown_code")
    told = await subpoena.told(package)
    assert (told["agency"], told["number"]) == (AGENCY, "+1 305 555 0142")
    got = await subpoena.gateway("download", code=str(told["code"]).lower())
    assert got.status_code == 200, got.text
    assert sha256(got.content).hexdigest() == got.headers["x-delivery-sha256"]
    again = await subpoena.gateway("download", code=told["code"])
    assert code(again) == (404, "unknown_code")

    # Only the detective reads it, and anybody can check it.
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(got.content, [pyrage.x25519.Identity.generate()])
    plain = pyrage.decrypt(got.content, [subpoena.identity])
    assert sha256(plain).hexdigest() == package
    _, private = read_private(county.stack.root / "keys" / "retention-signing.json")
    key = VerifierKey("direct311/retention", private.public_key().public_bytes_raw())
    report = verify_package(io.BytesIO(plain), [key])
    assert report.ok, report
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        record = json.loads(archive.read(f"data/records/{subpoena.record_id}.json"))
        rows = json.loads(archive.read("exemption-log.json"))
        whole = b"".join(archive.read(name) for name in archive.namelist())
    assert record["fields"]["description"] == "A fire. My neighbor saw it: [■ P18]."
    assert record["fields"]["email"] == "[■ P18]"
    assert "[■" not in record["fields"]["phone"]
    assert OTHER.encode() not in whole
    assert {each["code"] for each in rows} == {"other_person", "outside_instrument"}
    assert {each["decided_by"] for each in rows} == {subpoena.liaison}

    # The receipt, in the agency's own words, ends it.
    given = await subpoena.gateway("receipt", code=told["code"], receipt="SPD-1187")
    assert (given.status_code, given.json()) == (200, {"received": True}), given.text
    assert (await subpoena.legal())["state"] == "receipted"
    (link,) = (await subpoena.done("GET", "custody"))["chain"]
    assert (link["link"]["sha256"], link["link"]["receipt"]) == (package, "SPD-1187")
    closed = await subpoena.at("POST", "/close", {"outcome": "full"})
    assert closed.status_code == 200, closed.text
    await nobody_else_sees(county, subpoena, package, str(told["code"]))


async def nobody_else_sees(county: County, process: Process, package: str, told: str) -> None:
    """Every view of people without the right, after everything has happened."""
    case_id = process.case_id
    views: dict[str, object] = {}
    for role, name in (("custodian", "carla"), ("auditor", "ines"), ("agent", "ana")):
        for path in ("", "/packages", f"/packages/{package}", "/legal-process", "/custody"):
            answer = await county.ask("GET", "retention", f"/v1/cases/{case_id}{path}", role, name)
            assert answer.status_code in (403, 404), (role, path)
    for path in (f"/v1/records/{process.record_id}", "/v1/holds?limit=500", "/v1/counts"):
        answer = await county.ask("GET", "retention", path, "auditor", "ines")
        assert answer.status_code == 200, answer.text
        views[path] = answer.content
    # The auditor knows that something is withheld, and nothing else.
    path = f"/v1/entries?record={process.record_id}&reference=L-1&limit=100"
    page = await county.get("audit", path, "auditor", "ines")
    assert page["withheld"] > 0
    views["entries"] = page["entries"]
    for service, url in county.known.services.items():
        views[f"metrics of {service}"] = (await county.http.get(f"{url}/metrics")).text
        views[f"ready {service}"] = (await county.http.get(f"{url}/health/ready")).text
    views |= files_under(county.stack.place.log)
    own = (process.liaison, told, package, "SPD-1187", OTHER, "/deliveries", *WORDS)
    assert traces_in(views, own) == []


async def test_counsel_objects_and_narrows_and_less_goes_out(county: County) -> None:
    work = await process(county, 6_202, f"Smoke again. Ask {OTHER}.")
    await work.granted(["phone", "description"])
    await work.minimised()
    package = await work.built()
    await work.approve_package(package, "counsel")
    who = {"role": "counsel", "name": work.counsel}
    await work.done("PUT", "objection", {"reason": "privilege", "state": "raised"}, **who)
    token = await work._signed_in(nonce_of_package(work.case_id, package), work.officer)
    path = f"/packages/{package}/approve"
    answer = await work.at("POST", path, {"id_token": token}, "records_officer")
    assert code(answer) == (409, "objection")
    narrow = {"record_ids": [work.record_id], "fields": ["phone"]}
    await work.done("PUT", "legal-scope", {"version": 0, "granted": narrow}, **who)
    await work.done("PUT", "objection", {"reason": "privilege", "state": "settled"}, **who)
    # What was collected for the wider scope does not go out.
    legal = await work.legal()
    assert (legal["state"], legal["narrowed"]) == ("collecting", True)
    answer = await work.at("POST", path, {"id_token": token}, "records_officer")
    assert code(answer) == (409, "package_hash")
    await work.again(["phone"])
    await work.minimised()
    second = await work.built()
    assert second != package
    read = await work.at("GET", f"/packages/{second}", role="counsel")
    with zipfile.ZipFile(io.BytesIO(read.content)) as archive:
        record = json.loads(archive.read(f"data/records/{work.record_id}.json"))
    assert record["fields"]["description"] == "[■ P18]"
    assert record["fields"]["phone"] != "[■ P18]"
    await work.withdrawn()
