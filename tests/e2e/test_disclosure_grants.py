"""A disclosure case's grant opens at the gateway what it names, once somebody has signed in for it;
and it ends at once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from direct311.runtime.access.disclosures import nonce_of_grant
from direct311.runtime.access.fresh_sign_in import thumbprint_of
from direct311.runtime.messaging.signing import Signer
from direct311.schemas import Event, encode
from direct311.schemas import events as ev
from tests.support.county import County, Document, until
from tests.support.disclosures import Provider
from tests.support.sign_in import approval
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13", "P21")]


class Case:
    """A case as retention will tell of it, with its key from the stack's files."""

    def __init__(self, county: County, record_id: str) -> None:
        self.case_id = str(uuid4())
        self.worker = f"carl-{self.case_id[:8]}"
        self.approver = f"olga-{self.case_id[:8]}"
        self.grant_id = str(uuid4())
        self._county = county
        self._version = 0
        self.record_id = record_id
        self._signer = Signer.from_file(county.stack.root / "keys" / "retention-signing.json")

    def grant(self, **changes: Any) -> ev.DisclosureGrant:
        now = datetime.now(UTC)
        given = {
            "grant_id": self.grant_id,
            "case_id": self.case_id,
            "kind": "public_records",
            "record_ids": (self.record_id,),
            "fields": ("phone",),
            "workers": (self.worker,),
            "prepared_by": self.worker,
            "prepared_at": now,
            "valid_until": now + timedelta(hours=1),
        }
        return ev.DisclosureGrant(**(given | changes))

    async def approval(self, grant: ev.DisclosureGrant) -> ev.Approval:
        """Somebody signs in again, in a browser without a screen."""
        return await approval(self._county, nonce_of_grant(grant), self.approver)

    async def approved(self, grant: ev.DisclosureGrant, *approvals: ev.Approval) -> None:
        self._version += 1
        await self._say(
            ev.DisclosureApproved(
                case_id=self.case_id,
                version=self._version,
                kind="public_records",
                grant=grant,
                approvals=approvals,
            )
        )

    async def revoked(self) -> None:
        self._version += 1
        await self._say(
            ev.DisclosureRevoked(
                case_id=self.case_id,
                version=self._version,
                kind="public_records",
                grant_id=self.grant_id,
                revoked_by=self.approver,
                reason="withdrawn",
                revoked_at=datetime.now(UTC),
            )
        )

    async def read(self, field: str = "phone", name: str | None = None) -> httpx.Response:
        return await self._county.read_contact(
            self.record_id,
            "custodian",
            name or self.worker,
            purpose="public_records",
            reference=self.case_id,
            fields=[field],
        )

    async def refused(self, rule: str, **asked: Any) -> None:
        """Once the gateway refuses by this rule."""

        async def look() -> bool:
            answer = await self.read(**asked)
            return answer.status_code == 403 and answer.json()["type"].endswith(f":{rule}")

        await until(look, f"it is refused by {rule}")

    async def _say(self, data: ev.DisclosureEvent) -> None:
        event: Event[Any] = Event(
            str(uuid4()), "/direct311/retention", self.case_id, datetime.now(UTC), data
        )
        await self._county.send(self._signer.sign(encode(event)))


@pytest.fixture
async def case(county: County) -> Case:
    return Case(county, await county.accepted(submission(4_210)))


async def test_a_grant_that_somebody_signed_in_for_opens_what_it_names(
    county: County, case: Case
) -> None:
    grant = case.grant()
    await case.refused("disclosure_case")
    await case.approved(grant, await case.approval(grant))

    async def opened() -> Document | None:
        answer = await case.read()
        return answer.json() if answer.status_code == 200 else None

    answer = await until(opened, "the grant takes effect")
    assert answer["fields"] == {"phone": submission(4_210)["phone"]}
    await case.refused("grant_fields", field="email")
    await case.refused("disclosure_case", name="vera")
    await case.revoked()
    await case.refused("grant_revoked")

    async def logged() -> bool:
        found = await county.get(
            "audit", f"/v1/entries?case={case.case_id}&reference=LETTER-82", "auditor"
        )
        actions = {each["action"] for each in found["entries"]}
        return {"grant", "revoke", "view"} <= actions

    await until(logged, "the log has the grant, the access and the end")


async def test_a_grant_opens_the_accesses_to_its_record_at_audit(
    county: County, case: Case
) -> None:
    assert (await county.read_contact(case.record_id, "agent", "olga")).status_code == 200

    async def read(record_id: str = case.record_id) -> httpx.Response:
        return await county.ask(
            "POST",
            "audit",
            f"/v1/cases/{case.case_id}/entries",
            "custodian",
            case.worker,
            {"record": record_id, "purpose": "public_records"},
        )

    async def refused(rule: str) -> None:
        async def look() -> bool:
            answer = await read()
            return answer.status_code == 403 and answer.json()["type"].endswith(f":{rule}")

        await until(look, f"audit refuses by {rule}")

    await refused("disclosure_case")
    grant = case.grant(fields=("audit_entry",))
    await case.approved(grant, await case.approval(grant))

    async def found() -> list[Document]:
        answer = await read()
        entries = answer.json()["entries"] if answer.status_code == 200 else []
        return [each for each in entries if each["actor"] == "olga"]

    (entry,) = await until(found, "audit reads the access under the grant")
    assert (entry["action"], entry["record_ids"]) == ("view", [case.record_id])
    assert entry["signed_event"]["body"]["agent"]["id"] == "olga"
    other = await read(str(uuid4()))
    assert other.status_code == 403
    assert other.json()["type"].endswith(":grant_records")
    await case.revoked()
    await refused("grant_revoked")


async def test_a_grant_opens_the_history_of_its_job_at_routing(county: County, case: Case) -> None:
    async def read(record_id: str = case.record_id) -> httpx.Response:
        return await county.ask(
            "POST",
            "routing",
            f"/v1/jobs/{record_id}/history",
            "custodian",
            case.worker,
            {"purpose": "public_records", "reference": case.case_id},
        )

    async def refused(rule: str) -> None:
        async def look() -> bool:
            answer = await read()
            return answer.status_code == 403 and answer.json()["type"].endswith(f":{rule}")

        await until(look, f"routing refuses by {rule}")

    await refused("disclosure_case")
    grant = case.grant(fields=("job_history",))
    await case.approved(grant, await case.approval(grant))

    async def found() -> Document | None:
        answer = await read()
        known = answer.json() if answer.status_code == 200 else {}
        # A busy machine may open the grant before it has routed the job.
        return known if known.get("revision", 0) > 0 else None

    history = await until(found, "routing opens the history of the routed job")
    assert history["record_id"] == case.record_id
    other = await read(str(uuid4()))
    assert other.status_code == 403
    assert other.json()["type"].endswith(":grant_records")
    await case.revoked()
    await refused("grant_revoked")

    async def logged() -> bool:
        path = f"/v1/entries?case={case.case_id}&service=routing&reference=LETTER-82"
        entries = (await county.get("audit", path, "auditor"))["entries"]
        return {"success", "denied"} <= {each["outcome"] for each in entries}

    await until(logged, "the log has what routing opened and what it refused")


async def test_a_grant_that_nobody_signed_in_for_opens_nothing(county: County, case: Case) -> None:
    """Retention, taken over, uses an approval for a wider grant."""
    approval = await case.approval(case.grant())
    owners = [f"deadletters.{each}" for each in ("intake", "media", "routing", "audit")]
    letters = {each: len(await county.messages(each)) for each in owners}
    await case.approved(case.grant(fields=("phone", "email")), approval)

    async def told() -> bool:
        now = {each: len(await county.messages(each)) for each in owners}
        return all(now[each] > letters[each] for each in owners)

    await until(told, "the grant is a dead letter at every owner")
    await case.refused("disclosure_case")


async def test_an_approval_with_a_key_that_the_provider_has_retired_since(
    county: County, case: Case
) -> None:
    """Every owner has looked which keys are published. A key that it saw a moment ago, and that is
    gone now, is as one that was retired while the event was on its way."""
    owners = ("intake", "media", "routing", "audit")
    async with httpx.AsyncClient(trust_env=False) as client:
        published = (await client.get(f"{county.known.issuer}/jwks")).json()["keys"]
    retired = Provider(county.known.issuer, county.known.approval_client)
    grant = case.grant()
    approval = retired.approval(case.approver, nonce_of_grant(grant), datetime.now(UTC))
    gone = thumbprint_of(approval.key)
    with county.database() as databases:
        for owner in owners:
            kept = databases[owner]["provider_keys"]
            assert {each["_id"] for each in kept.find()} >= {
                thumbprint_of(each) for each in published
            }
            kept.insert_one({"_id": gone, "last_seen": datetime.now(UTC)})
        try:
            await case.approved(grant, approval)

            async def opened() -> bool:
                return (await case.read()).status_code == 200

            await until(opened, "the grant is in effect")
        finally:
            for owner in owners:
                databases[owner]["provider_keys"].delete_one({"_id": gone})
    later = case.grant(grant_id=str(uuid4()), fields=("email",))
    late = retired.approval(case.approver, nonce_of_grant(later), datetime.now(UTC))
    letters = len(await county.messages("deadletters.intake"))
    await case.approved(later, late)

    async def refused() -> bool:
        return len(await county.messages("deadletters.intake")) > letters

    await until(refused, "an owner that never saw the key refuses it")
    await case.refused("grant_fields", field="email")
