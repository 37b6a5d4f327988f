"""From a request at the gateway to the download of what was released: collected by the grant,
built, approved by hash by two people who sign in again, released once, fetched by the token.

Retention and routing, the broker, the store and the issuer are real. Intake's rendering is a double
at another address (`tests/support/record_owners.py`, which has a contract).
"""

import asyncio
import io
import json
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from deploy.local.stack import Stack
from direct311.runtime.access.disclosures import nonce_of_package
from direct311.runtime.messaging.signing import read_private
from direct311.verifier.note import Note, VerifierKey
from tests.support.copies import Copy
from tests.support.county import County, Document, entering, until
from tests.support.record_owners import CITATION, RecordOwners, record
from tests.support.served import served
from tests.support.sign_in import approval
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13")]

PUBLIC = "/v1/records-requests"
WORDS = "Every complaint about the canal at Wren-Obbligato Street."


class Releasing:
    """One public-records case, and the people who work on it. `url`: the retention that asks the
    double."""

    def __init__(self, county: County, url: str) -> None:
        self.county, self.url = county, url
        tag = uuid4().hex[:8]
        self.custodian, self.officer, self.counsel = f"carla-{tag}", f"olga-{tag}", f"cole-{tag}"
        self.case_id, self.token = "", ""

    @property
    def path(self) -> str:
        return f"/v1/cases/{self.case_id}"

    async def ask(
        self, method: str, path: str, body: Document | None = None, role: str = "custodian"
    ) -> httpx.Response:
        name = {"custodian": self.custodian, "records_officer": self.officer}.get(
            role, self.counsel
        )
        headers = await self.county.session.headers("retention", role, name)
        url = f"{self.url}{self.path}{path}"
        return await self.county.http.request(method, url, json=body, headers=headers)

    async def opened(self, record_ids: list[str], **more: list[str]) -> None:
        """A request from the gateway, its records, and a grant for them. `more`: what else the
        grant has."""
        gateway = self.county.known.services["intake"]
        sent = await self.county.http.post(gateway + PUBLIC, json={"request": WORDS})
        assert sent.status_code == 201, sent.text
        self.case_id, self.token = sent.json()["case_id"], sent.json()["token"]

        async def identified() -> bool:
            order = {"record_ids": record_ids, "complete": True}
            return (await self.ask("POST", "/records", order)).status_code == 200

        await until(identified, "the inventory knows the records")

        async def prepared() -> Document | None:
            found = (await self.ask("GET", "/grants")).json()
            order = {
                "version": found["version"],
                "record_ids": record_ids,
                "fields": ["description", "job_history"],
                "workers": [self.custodian],
                "valid_until": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
                **more,
            }
            made = await self.ask("POST", "/grants", order)
            return made.json() if made.status_code == 201 else None

        made = await until(prepared, "nobody changed the case in between")
        body = {"version": 1, "id_token": await self.id_token(made["nonce"], self.officer)}
        approve = f"/grants/{made['grant_id']}/approve"
        done = await self.ask("POST", approve, body, "records_officer")
        assert done.json()["state"] == "approved", done.text

    async def id_token(self, nonce: str, name: str) -> str:
        """The ID token of somebody who signs in again, in a browser without a screen."""
        return (await approval(self.county, nonce, name)).id_token

    async def collected(self) -> Document:
        """All records, once the grant is in effect at routing."""

        async def done() -> Document | None:
            answer = await self.ask("POST", "/collection", {})
            assert answer.status_code == 200, answer.text
            return answer.json() if not answer.json()["remaining"] else None

        return await until(done, "everything is collected")

    async def built(self) -> str:
        async def made() -> str | None:
            version = (await self.ask("GET", "/packages")).json()["version"]
            answer = await self.ask("POST", "/packages", {"version": version})
            if answer.status_code == 409:
                return None
            assert answer.status_code == 201, answer.text
            return str(answer.json()["packages"][-1]["sha256"])

        return await until(made, "nobody changed the case in between")

    async def approve(self, package: str, role: str) -> httpx.Response:
        """The approver reads the package, hashes it, and signs in for that hash."""
        read = await self.ask("GET", f"/packages/{package}", role=role)
        assert sha256(read.content).hexdigest() == package
        name = self.officer if role == "records_officer" else self.counsel
        token = await self.id_token(nonce_of_package(self.case_id, package), name)
        return await self.ask("POST", f"/packages/{package}/approve", {"id_token": token}, role)

    async def approved(self, package: str) -> None:
        states = []
        for role in ("records_officer", "counsel"):
            answer = await self.approve(package, role)
            assert answer.status_code == 200, answer.text
            states.append(answer.json()["state"])
        assert states == ["built", "approved"]

    async def download(self, token: str | None = None) -> httpx.Response:
        """What the requester gets at the gateway."""
        gateway = self.county.known.services["intake"]
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return await self.county.http.get(f"{gateway}{PUBLIC}/package", headers=headers)

    async def told(self) -> list[Document]:
        """The releases that retention announced. A copy that was killed may have sent an event that
        another one sends again, under the same id."""
        found = {
            dict(each.headers)["ce_id"]: json.loads(each.value or b"{}")
            for each in await self.county.messages("disclosure")
            if each.key == self.case_id.encode() and b'"released_by"' in (each.value or b"")
        }
        return list(found.values())


@contextmanager
def retention_with_double(stack: Stack, double: RecordOwners) -> Iterator[Copy]:
    """A copy of retention that asks the double for what intake renders."""
    with served(double.app()) as server:
        environ = {"RETENTION_INTAKE_URL": f"http://127.0.0.1:{server.port}"}
        with Copy(stack, "retention", environ=environ).running() as copy:
            copy.wait_ready()
            yield copy


async def records(county: County, double: RecordOwners, first: int) -> list[str]:
    """Three records that are routed, and as intake would render them: the second and the third with
    something withheld."""
    found = []
    for number in range(3):
        record_id = await county.accepted(submission(first + number))
        await county.routed(record_id)
        double.records[record_id] = record(number, withheld=number)
        found.append(record_id)
    return found


async def test_a_released_package_reaches_the_requester_byte_for_byte(
    county: County, stack: Stack, tmp_path: Path
) -> None:
    double = RecordOwners()
    with retention_with_double(stack, double) as copy:
        case = Releasing(county, copy.url)
        ids = await records(county, double, 4_930)
        await case.opened(ids)
        double.records[ids[1]], waiting = "not_reviewed", double.records[ids[1]]
        first = (await case.ask("POST", "/collection", {})).json()
        assert {"record_id": ids[1], "reason": "not_reviewed"} in first["not_collected"]
        double.records[ids[1]] = waiting
        assert (await case.collected())["state"] == "reviewing"
        # For the worker, with a token that is good at intake alone.
        assert all(person.startswith("Bearer ey") for *_, person in double.asked)

        package = await case.built()
        assert (await case.download()).status_code == 404
        early = await case.ask("POST", f"/packages/{package}/release", {})
        assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (409, "case_state")
        await case.approved(package)
        wrong = await case.ask("POST", f"/packages/{'0' * 64}/release", {})
        assert wrong.json()["type"].rpartition(":")[2] == "package_hash"
        for _ in range(2):
            out = await case.ask("POST", f"/packages/{package}/release", {})
            assert (out.status_code, out.json()["state"]) == (200, "released")

    got = await case.download()
    assert (got.status_code, got.headers["X-Package-SHA256"]) == (200, package)
    assert got.headers["Cache-Control"] == "no-store"
    assert sha256(got.content).hexdigest() == package
    assert (await case.download("wrong")).status_code == 404
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        archive.extractall(tmp_path)
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        command = ["sha256sum", "--check", "--strict", "--quiet", name]
        await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, check=True)
    _, private = read_private(stack.root / "keys" / "retention-signing.json")
    key = VerifierKey("direct311/retention", private.public_key().public_bytes_raw())
    assert list(Note.parse((tmp_path / "tagmanifest.note").read_text()).verify([key])) == [key]
    rows = json.loads((tmp_path / "exemption-log.json").read_bytes())
    assert [row["citation"] for row in rows] == [CITATION] * 3
    one = json.loads((tmp_path / "data" / "records" / f"{ids[0]}.json").read_bytes())
    assert one["job_history"]["record_id"] == ids[0]

    # It is stored sealed, and each download, each approval and the release are in the log.
    store = county.store()
    for each in store.list_objects("direct311-cases", recursive=True):
        if case.case_id in (each.object_name or ""):
            content = store.get_object("direct311-cases", each.object_name or "").read()
            assert b"PK\x03\x04" not in content
            assert b"bridge near" not in content

    async def logged() -> bool:
        path = f"/v1/entries?case={case.case_id}&reference=LETTER-93&limit=100"
        found = (await county.get("audit", path, "auditor"))["entries"]
        acts = {(each["action"], each["actor"]) for each in found}
        return {
            ("export", "svc:intake"),
            ("export", case.officer),
            ("seal", case.custodian),
        } <= acts

    await until(logged, "the log has the downloads")
    assert [each["package"] for each in await case.told()] == [package]
    await county.post(
        "retention", f"{case.path}/close", {"outcome": "withdrawn"}, "custodian", case.custodian
    )


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def mortal(disposable: Stack) -> AsyncIterator[County]:
    """A stack whose parts may die."""
    async with entering(disposable) as county:
        yield county


async def test_retention_dies_between_the_release_and_its_event(mortal: County) -> None:
    """The broker is away when the package is released, so the event waits in the case file; then
    retention dies. The release is told once, later, and the log must answer before any byte goes
    out."""
    stack, double = mortal.stack, RecordOwners()
    with retention_with_double(stack, double) as copy:
        case = Releasing(mortal, copy.url)
        await case.opened(await records(mortal, double, 4_940))
        await case.collected()
        package = await case.built()
        await case.approved(package)
    case.url = mortal.known.services["retention"]
    await mortal.caught_up()
    stack.kill9("kafka")
    try:
        out = await case.ask("POST", f"/packages/{package}/release", {})
        assert out.status_code == 200, out.text
        answer = await case.download()
        assert answer.status_code == 503
        assert b"PK" not in answer.content
        stack.kill9("retention")
    finally:
        stack.start("kafka")
        for name in stack.services:
            stack.start(name)
    for name in (*stack.services, "kafka"):

        async def ready(name: str = name) -> bool:
            return stack.ready(name)

        await until(ready, f"{name} is ready", seconds=120)
    again = await case.ask("POST", f"/packages/{package}/release", {})
    assert (again.status_code, again.json()["state"]) == (200, "released")

    async def told() -> bool:
        return len(await case.told()) == 1

    await until(told, "the release is told")
    await asyncio.sleep(1)
    assert len(await case.told()) == 1

    async def fetched() -> bool:
        return (await case.download()).status_code == 200

    await until(fetched, "the requester fetches it")
