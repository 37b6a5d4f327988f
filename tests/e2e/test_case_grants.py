"""A case's grant from its preparation to its end: a custodian prepares it, a records officer signs
in again to approve it, a named worker opens what it names, and nothing else opens."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.stack import Stack
from direct311.runtime.access.disclosures import nonce_of_grant
from direct311.runtime.messaging.signing import Signer
from direct311.schemas import Event, encode
from direct311.schemas import events as ev
from tests.support import disposition
from tests.support.county import County, Document, entering, until
from tests.support.sign_in import approval
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13", "P18", "P21")]

PHOTO = photo("x", (25, 46, 1), (80, 12, 1))


class CaseWork:
    """One public-records case, and the people who work on it."""

    def __init__(self, county: County) -> None:
        self.county = county
        tag = uuid4().hex[:8]
        self.custodian, self.officer, self.worker = f"carla-{tag}", f"olga-{tag}", f"wanda-{tag}"
        self.case_id = ""

    @property
    def path(self) -> str:
        return f"/v1/cases/{self.case_id}/grants"

    async def opened(self) -> None:
        order = {
            "kind": "public_records",
            "request": "Everything about one complaint.",
            "bounds": {"record_ids": [await disposition.kept(self.county)]},
        }
        made = await self.county.post("retention", "/v1/cases", order, "custodian", self.custodian)
        self.case_id = str(made["case_id"])

    async def grants(self, role: str = "custodian", name: str | None = None) -> Any:
        return await self.county.get("retention", self.path, role, name or self.custodian)

    async def prepare(self, **grant: Any) -> httpx.Response:
        """Against the newest version: the inventory learns of a new case within a second, which
        is a version too."""
        until_then = datetime.now(UTC) + grant.pop("lasts", timedelta(hours=1))

        async def asked() -> httpx.Response | None:
            body = {
                "version": (await self.grants())["version"],
                "fields": ["phone"],
                "workers": [self.worker],
                "valid_until": until_then.isoformat(),
                **grant,
            }
            answer = await self.ask("", body, "custodian", self.custodian)
            return None if answer.status_code == 409 else answer

        return await until(asked, "nobody changed the case in between")

    async def prepared(self, **grant: Any) -> Document:
        answer = await self.prepare(**grant)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def ask(self, path: str, body: Document, role: str, name: str) -> httpx.Response:
        return await self.county.ask("POST", "retention", self.path + path, role, name, body)

    async def id_token(self, nonce: str, name: str | None = None) -> str:
        """The ID token of somebody who signs in again, in a browser without a screen."""
        return (await approval(self.county, nonce, name or self.officer)).id_token

    async def approve(self, grant: Document) -> httpx.Response:
        """The records officer looks at the grant, hashes what is shown, and signs in for it."""
        found = (await self.grants("records_officer", self.officer))["grants"]
        (shown,) = [each for each in found if each["grant_id"] == grant["grant_id"]]
        nonce = nonce_of_grant(ev.DisclosureGrant.model_validate(shown["grant"]))
        assert nonce == shown["nonce"]
        body = {"version": shown["version"], "id_token": await self.id_token(nonce)}
        path = f"/{grant['grant_id']}/approve"
        return await self.ask(path, body, "records_officer", self.officer)

    async def approved(self, grant: Document) -> Document:
        answer = await self.approve(grant)
        assert (answer.status_code, answer.json()["state"]) == (200, "approved"), answer.text
        return dict(answer.json())

    async def read(
        self, record_id: str, field: str = "phone", name: str | None = None
    ) -> httpx.Response:
        return await self.county.read_contact(
            record_id,
            "custodian",
            name or self.worker,
            purpose="public_records",
            reference=self.case_id,
            fields=[field],
        )

    async def file(self, record_id: str, media_id: str, name: str | None = None) -> httpx.Response:
        return await self.county.ask(
            "POST",
            "media",
            f"/internal/media/{record_id}/{media_id}/original",
            "custodian",
            name or self.worker,
            {"purpose": "public_records", "reference": self.case_id},
        )

    async def reads(self, record_id: str) -> Document:
        """What the worker reads, once the grant is in effect at intake."""

        async def opened() -> Document | None:
            answer = await self.read(record_id)
            return answer.json()["fields"] if answer.status_code == 200 else None

        return await until(opened, "the grant takes effect")


def rule(answer: httpx.Response) -> str:
    """The rule by which it was refused."""
    assert answer.status_code == 403, answer.text
    return str(answer.json()["type"]).rpartition(":")[2]


async def stored(county: County, record_id: str) -> str:
    """The id of the record's only file, once it is stored."""

    async def found() -> Document | None:
        answer = await county.ask("GET", "media", f"/internal/media/{record_id}", "agent")
        return answer.json()["media"][0] if answer.status_code == 200 else None

    return str((await until(found, "the picture is stored"))["media_id"])


@pytest.fixture
async def work(county: County) -> CaseWork:
    work = CaseWork(county)
    await work.opened()
    return work


async def test_a_named_worker_opens_the_named_fields_and_files_of_the_named_record(
    county: County, work: CaseWork
) -> None:
    fields = submission(4_310)
    record_id = await county.accepted(fields, [("a.jpg", PHOTO, "image/jpeg")])
    other = await county.accepted(submission(4_311), [("b.jpg", PHOTO, "image/jpeg")])
    media_id, others_file = await stored(county, record_id), await stored(county, other)
    grant = await work.prepared(
        record_ids=[record_id], file_ids=[media_id], fields=["phone", "media_original"]
    )
    assert (grant["state"], grant["missing"]) == ("prepared", ["records_officer"])
    assert rule(await work.read(record_id)) == "disclosure_case"

    await work.approved(grant)
    assert await work.reads(record_id) == {"phone": fields["phone"]}

    async def file_opened() -> bytes | None:
        answer = await work.file(record_id, media_id)
        return answer.content if answer.status_code == 200 else None

    assert await until(file_opened, "the grant takes effect at media") == PHOTO

    assert rule(await work.read(record_id, field="email")) == "grant_fields"
    assert rule(await work.read(other)) == "grant_records"
    assert rule(await work.read(record_id, name="vera")) == "disclosure_case"
    assert rule(await work.file(other, others_file)) == "grant_records"
    assert rule(await work.file(record_id, media_id, name="vera")) == "disclosure_case"

    # Each opening, and each act of the case, is an entry with the number of the case.
    async def logged() -> bool:
        path = f"/v1/entries?case={work.case_id}&reference=LETTER-86"
        found = (await county.get("audit", path, "auditor"))["entries"]
        opened = {(each["service"], each["actor"]) for each in found if each["action"] == "view"}
        acts = {(each["action"], each["actor"]) for each in found}
        return {("intake", work.worker), ("media", work.worker)} <= opened and {
            ("case", work.custodian),
            ("grant", work.officer),
        } <= acts

    await until(logged, "the log has the case, the grant and the openings")


async def test_a_revoked_grant_and_an_expired_one_are_refused_at_once(
    county: County, work: CaseWork
) -> None:
    record_id = await county.accepted(submission(4_312))
    grant = await work.approved(await work.prepared(record_ids=[record_id]))
    await work.reads(record_id)
    body = {"version": grant["version"], "reason": "scope_changed"}
    path = f"/{grant['grant_id']}/revoke"
    ended = await work.ask(path, body, "custodian", work.custodian)
    assert (ended.status_code, ended.json()["state"]) == (200, "revoked")

    async def refused() -> bool:
        answer = await work.read(record_id)
        return answer.status_code == 403 and rule(answer) == "grant_revoked"

    await until(refused, "the end of the grant is known")
    assert (await work.approve(grant)).json()["state"] == "revoked"
    assert rule(await work.read(record_id)) == "grant_revoked"

    short = await work.prepared(record_ids=[record_id], lasts=timedelta(seconds=20))
    await work.approved(short)
    await work.reads(record_id)

    async def expired() -> bool:
        answer = await work.read(record_id)
        return answer.status_code == 403 and rule(answer) == "grant_expired"

    await until(expired, "the grant has expired")
    # Nobody asked anybody: the owner knows the time.
    states = {each["grant_id"]: each["state"] for each in (await work.grants())["grants"]}
    assert states == {grant["grant_id"]: "revoked", short["grant_id"]: "expired"}


async def test_nobody_approves_their_own_grant_nor_with_a_sign_in_for_another(
    county: County, work: CaseWork
) -> None:
    record_id = await county.accepted(submission(4_313))
    grant = await work.prepared(record_ids=[record_id])
    wider = await work.prepared(record_ids=[record_id], fields=["phone", "email"])
    path = f"/{wider['grant_id']}/approve"
    own = await work.id_token(wider["nonce"], work.custodian)
    answers = [
        (work.custodian, own, "same_person"),
        (work.officer, await work.id_token(grant["nonce"]), "fresh_sign_in"),
        (work.officer, await work.id_token(wider["nonce"], "otto"), "fresh_sign_in"),
        (work.officer, "canary", "fresh_sign_in"),
    ]
    for name, token, code in answers:
        body = {"version": wider["version"], "id_token": token}
        answer = await work.ask(path, body, "records_officer", name)
        assert rule(answer) == code
        assert token not in answer.text
    assert rule(await work.read(record_id)) == "disclosure_case"


async def test_a_forged_event_changes_nothing(county: County, work: CaseWork) -> None:
    """Somebody who may write to the broker sends a wider grant with a genuine approval."""
    record_id = await county.accepted(submission(4_314))
    await work.approved(await work.prepared(record_ids=[record_id]))
    await work.reads(record_id)
    (message,) = [
        each
        for each in await county.messages("disclosure")
        if each.key == work.case_id.encode() and b'"grant":' in (each.value or b"")
    ]
    genuine = ev.DisclosureApproved.model_validate_json(message.value or b"")
    wider = genuine.grant.model_copy(update={"fields": ("phone", "email")})
    forged = genuine.model_copy(update={"grant": wider, "version": genuine.version + 1})
    letters = len(await county.messages("deadletters.intake"))
    signers = (
        Signer("retention-1", Ed25519PrivateKey.generate()),
        # Retention itself, taken over, cannot make the approval of a wider grant.
        Signer.from_file(county.stack.root / "keys" / "retention-signing.json"),
    )
    for signer in signers:
        event: Event[Any] = Event(
            str(uuid4()), "/direct311/retention", work.case_id, datetime.now(UTC), forged
        )
        await county.send(signer.sign(encode(event)))

    async def refused() -> bool:
        return len(await county.messages("deadletters.intake")) >= letters + 2

    await until(refused, "both are dead letters")
    assert rule(await work.read(record_id, field="email")) == "grant_fields"
    assert (await work.read(record_id)).status_code == 200
    # Two consumer groups of an owner read the topic; one of them names what is wrong.
    names = [each.key for each in (await county.messages("deadletters.intake"))[letters:]]
    assert len(names) == len(set(names))


# ---------------------------------------------------------------- kills


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def mortal(disposable: Stack) -> AsyncIterator[County]:
    """A stack whose parts may die."""
    async with entering(disposable) as county:
        yield county


async def test_retention_dies_between_the_approval_and_its_event(mortal: County) -> None:
    """The broker is away when the grant is approved, so the event waits in the case file; then
    retention dies. The grant takes effect once, later."""
    stack = mortal.stack
    work = CaseWork(mortal)
    await work.opened()
    record_id = await mortal.accepted(submission(4_315))
    grant = await work.prepared(record_ids=[record_id])
    await mortal.caught_up()
    stack.kill9("kafka")
    try:
        await work.approved(grant)
        stack.kill9("retention")
    finally:
        stack.start("kafka")
        for name in stack.services:
            stack.start(name)
    for name in (*stack.services, "kafka"):

        async def ready(name: str = name) -> bool:
            return stack.ready(name)

        await until(ready, f"{name} is ready", seconds=120)
    assert (await work.reads(record_id))["phone"] == submission(4_315)["phone"]
    told = [
        json.loads(each.value or b"{}")
        for each in await mortal.messages("disclosure")
        if each.key == work.case_id.encode()
    ]
    assert sum("approvals" in each for each in told) == 1
    assert [each["state"] for each in (await work.grants())["grants"]] == ["approved"]


async def test_a_grant_waits_in_the_list_of_the_officer_until_it_is_approved(
    county: County, work: CaseWork
) -> None:
    record_id = await disposition.kept(county)
    grant = await work.prepared(record_ids=[record_id])

    async def listed(role: str, name: str) -> list[Document]:
        found = await county.get("retention", "/v1/approvals?limit=500", role, name)
        return [each for each in found["approvals"] if each["case_id"] == work.case_id]

    (waits,) = await listed("records_officer", work.officer)
    assert (waits["what"], waits["number"]) == ("grant", grant["grant_id"])
    assert (waits["roles"], waits["prepared_by"]) == (["records_officer"], work.custodian)
    assert await listed("records_officer", work.custodian) == []
    assert await listed("counsel", "cole") == []
    await work.approved(grant)
    assert await listed("records_officer", work.officer) == []
