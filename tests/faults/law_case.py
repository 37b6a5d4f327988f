"""Law-enforcement cases whose desk, or something else, dies under the hands of their people:
by a warrant, in danger, referred by staff, and delivered to a detective."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

import httpx
import pyrage

from direct311.retention.deliveries.domain import hash_of
from direct311.runtime.access.disclosures import nonce_of_package
from tests.faults.mortal_desk import Left, Mortal, Worked, checked
from tests.support.county import County, Document, until

AGENCY: Final = "sample_police"


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


class Delivery(LawCase):
    """A package about one record, from the subpoena to the detective's receipt."""

    def __init__(self, county: County, dying: Mortal, record_id: str, **harm: Any) -> None:
        super().__init__(county, dying, record_id, **harm)
        self.scope = {"record_ids": [record_id], "fields": ["phone", "description"]}
        self.package = self.code = ""
        self.used: list[str] = []
        """The codes that have opened a download."""

    async def delivered(self) -> None:
        """The whole way, with one download and one receipt."""
        await self.released()
        await self.coded()
        await self.downloaded()
        await self.receipted("SPD-1")
        await self.at_desk("close", "POST", "/close", {"outcome": "full"}, by=self.liaison)

    async def released(self) -> None:
        by = self.liaison
        await self.opened()
        digest = await self.deposited(f"a subpoena {uuid4()}".encode())
        await self.called("instrument", "administrative_subpoena", digest)
        await self.called("officer", "administrative_subpoena")
        held = {"record_ids": [self.record_id], "complete": True}
        await self.at_desk("identify", "POST", "/records", held, by=by)
        await self.granted(self.counsel, self.officer)
        await self.minimised()
        await self.at_desk("collect", "POST", "/collection", {}, by=by)

        async def collected() -> bool:
            return not (await self.at_desk("", "POST", "/collection", {}, by=by))["remaining"]

        await until(collected, "the record is collected")
        found = await self.at_desk("build", "POST", "/packages", {"version": 0}, by=by)
        self.package = str(found["packages"][-1]["sha256"])
        path = f"/packages/{self.package}"
        for who in (self.counsel, self.officer):
            read = await self.at_desk("read", "GET", path, by=who)
            assert sha256(read["content"]).hexdigest() == self.package
            nonce = nonce_of_package(self.case_id, self.package)
            token = {"id_token": await self.id_token(nonce, who[1])}
            name = f"approve the package as {who[0]}"
            await self.at_desk(name, "POST", f"{path}/approve", token, by=who)
        await self.encrypted()
        out = await self.at_desk("release", "POST", f"{path}/release", {}, by=self.officer)
        assert out["state"] == "released"

    async def minimised(self) -> None:
        """Everything that is proposed is left out."""
        path = f"/v1/cases/{self.case_id}/records/{self.record_id}"

        async def shown() -> Document | None:
            answer = await self.county.ask("POST", "intake", f"{path}/review", *self.liaison)
            return answer.json() if answer.status_code == 200 else None

        found = await until(shown, "the grant is in effect at intake")
        chosen = [
            {"item": each["item"], "decision": "withhold", "code": each["code"]}
            for each in found["proposals"]
            if each["item"] in found["undecided"]
        ]
        order = {"version": found["version"], "decisions": chosen}
        answer = await self.county.ask("PUT", "intake", f"{path}/decisions", *self.liaison, order)
        assert answer.json().get("reviewed"), answer.text

    async def encrypted(self) -> None:
        """To a key that nobody had before."""
        self.identity = pyrage.x25519.Identity.generate()
        body = {"key": str(self.identity.to_public())}
        path = f"/packages/{self.package}/delivery"
        made = await self.at_desk("encrypt", "PUT", path, body, by=self.liaison)
        assert made["package"] == self.package

    async def coded(self, name: str = "code") -> None:
        path = f"/packages/{self.package}/delivery/code"
        told = await self.at_desk(name, "POST", path, {}, by=self.liaison)
        assert told["agency"] == AGENCY
        self.code = str(told["code"])

    async def _gateway(self, what: str, **body: str) -> httpx.Response:
        """What the detective asks, who has no account here."""
        url = f"{self.county.known.services['intake']}/v1/deliveries/{what}"
        return await self.county.http.post(url, json=body)

    async def downloaded(self) -> None:
        """Where the code was used up by a download that broke off, another one is read out."""

        async def attempt(_: Document) -> httpx.Response:
            answer = await self._gateway("download", code=self.code)
            if answer.status_code == 404:
                assert await self._is_used(self.code)
                self.used.append(self.code)
                await self.coded("")
                answer = await self._gateway("download", code=self.code)
            return answer

        got = bytes((await self.act("download", attempt))["content"])
        self.used.append(self.code)
        checked(self.county.stack, pyrage.decrypt(got, [self.identity]), self.package)
        for code in self.used:
            again = await self._gateway("download", code=code)
            assert again.status_code in (404, 429), "a code opened two downloads"

    async def _is_used(self, code: str) -> bool:
        with self.county.database() as database:
            found = database["retention"]["cases"].find_one({"_id": self.case_id})
        assert found is not None
        return hash_of(code) in _used_in(found)

    async def receipted(self, receipt: str) -> None:
        async def attempt(_: Document) -> httpx.Response:
            return await self._gateway("receipt", code=self.code, receipt=receipt)

        assert (await self.act("receipt", attempt))["received"]

    def check(self, left: Left, receipts: int) -> None:
        """Each code that was used is one download in the timeline and in the chain of custody, and
        each receipt is there once."""
        left.check(again=("collected", "encrypted", "code_told", "downloaded"))
        assert left.released() == [self.package]
        steps = [each["step"] for each in left.case["steps"]]
        links = left.case["legal"]["hand_overs"]
        used = _used_in(left.case)
        assert len(used) == len(set(used)) == steps.count("downloaded") == len(links)
        assert {hash_of(code) for code in self.used} <= set(used)
        given = [each["receipt"] for each in links if each.get("receipt")]
        assert len(given) == len(set(given)) == steps.count("receipted") == receipts


def _used_in(case: Document) -> list[str]:
    """The hashes of the codes that have opened a download."""
    return [
        each["code_hash"]
        for delivery in case["deliveries"]["list"]
        for each in delivery["codes"]
        if each.get("used_at")
    ]
