"""The audit service with three witnesses, real servers, and others' verifiers."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack
from direct311.audit.log.adapters.mongo_published import MongoPublications
from direct311.audit.log.ports.publication import Publications
from direct311.runtime.storage import database as mongo
from direct311.verifier.checkpoint import SignedCheckpoint, Trust, verify_checkpoint
from direct311.verifier.log import directory, verify_log
from direct311.verifier.note import VerifierKey, decode_base64, encode_base64
from direct311.verifier.policy import Policy
from direct311.verifier.proof import TlogProof
from tests.support.audit_log import private_key
from tests.support.county import until
from tests.support.stacks import stack_of_its_own
from tests.unit.audit.log.publications_contract import PublicationsContract
from tests.wire.test_audit import Office, alarms_of, new_id, now, producing

GO = shutil.which("go")
VERIFIER = Path(__file__).parent / "foreign_verifier"

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack_of_its_own(tmp_path_factory.mktemp("witnesses") / "s", services=False) as stack:
        with (stack.root / "env" / "audit.env").open("a") as file:
            file.write("AUDIT_UNPUBLISHED_AFTER=2\n")
        stack.start("audit")
        stack.wait_ready("audit")
        yield stack
        stack.stop("audit")


@pytest.fixture
async def county(stack: Stack) -> AsyncIterator["County"]:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http, producing(stack) as kafka:
        yield County(stack, http, kafka)


class County(Office):
    """The audit service's office, with the policy that the public was given."""

    @property
    def policy(self) -> Policy:
        return Policy.parse(self.stack.place.policy.read_bytes())

    async def published(self) -> SignedCheckpoint:
        return verify_checkpoint(await self.checkpoint(), self.policy.trust)

    async def log(self, number: int) -> str:
        """So many events come in and can be read; the id of one of them."""
        record, producer = new_id(), self.producer()
        messages = [producer.access(record, at=now()) for _ in range(number)]
        await self.publish(messages)
        await self.in_the_log(record, min(number, 100))
        return messages[0].headers["ce_id"]

    async def published_beyond(self, size: int) -> SignedCheckpoint:
        async def grown() -> SignedCheckpoint | None:
            found = await self.published()
            return found if found.checkpoint.size > size else None

        return await until(grown, f"a checkpoint over more than {size} entries is published")


class TestOnARealDatabase(PublicationsContract):
    @pytest.fixture
    async def publications(self, stack: Stack) -> AsyncIterator[Publications]:
        database = mongo.connect(stack.dev["database"]["url"], f"t{new_id().replace('-', '')}")
        yield MongoPublications(database)
        await database.client.drop_database(database.name)
        mongo.disconnect(database)


@pytest.mark.policy("P20")
async def test_the_log_goes_on_without_witnesses_and_publishes_with_them(county: County) -> None:
    stack = county.stack
    proved = await county.log(5)
    first = await county.published_beyond(4)
    assert len(first.seen_at) >= 2
    found = await county.get(f"/v1/entries/{proved}/proof")
    proof = TlogProof.parse(found["tlog_proof"])
    proof.verify(decode_base64(found["entry"]), county.policy.trust)

    # One away: still published.
    stack.kill9("witness-1")
    await county.log(5)
    without_one = await county.published_beyond(first.checkpoint.size)
    assert set(without_one.seen_at) == {"localhost/witness-2", "localhost/witness-3"}

    # Two away: events are taken in and read; what is published stays, and an alarm says so.
    stack.kill9("witness-2")
    before = await county.published()
    unproved = await county.log(5)
    assert (await county.published()).checkpoint == before.checkpoint
    refused = await county.ask(f"/v1/entries/{unproved}/proof")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json()["title"] == "not published"
    assert (await county.ask(f"/v1/entries/{proved}/proof")).status_code == 200
    (alarm,) = await alarms_of(stack, "checkpoint_age")
    assert alarm.about.split()[1] == str(before.checkpoint.size)
    assert "localhost/witness-1, localhost/witness-2" in alarm.detail
    assert stack.ready("audit")

    # A new audit process asks from what the witness remembers.
    await asyncio.to_thread(stack.restart, "audit")
    assert (await county.published()).checkpoint == before.checkpoint

    for name in ("witness-1", "witness-2"):
        stack.start(name)
        await asyncio.to_thread(stack.wait_ready, name)
    again = await county.published_beyond(before.checkpoint.size)
    assert len(again.seen_at) >= 2
    assert (await county.get(f"/v1/entries/{unproved}/proof"))["size"] >= again.checkpoint.size


@pytest.mark.policy("P20")
@pytest.mark.skipif(GO is None, reason="the Go toolchain is not installed")
async def test_foreign_verifiers_accept_what_the_witnesses_cosigned(
    county: County, tmp_path: Path
) -> None:
    older = await county.published()
    await county.log(300)
    await county.published_beyond(older.checkpoint.size + 299)
    await county.download(tmp_path)
    report = verify_log(directory(tmp_path), county.policy.trust)
    assert report.ok, report.text
    note = (tmp_path / "checkpoint").read_text()
    cosigned = verify_checkpoint(note, county.policy.trust).seen_at
    keys = [each.key for each in county.policy.witnesses if each.key.name in cosigned]
    program = tmp_path / "foreignverifier"
    build = [str(GO), "build", "-o", str(program), "."]
    await asyncio.to_thread(subprocess.run, build, cwd=VERIFIER, check=True, timeout=280)
    command = [str(program), f"-log={tmp_path}", f"-vkey={county.policy.log_keys[0]}", "-sample=50"]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, *(f"-witness={key}" for key in keys)],
        capture_output=True,
        text=True,
        check=False,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["ok"], answer
    assert answer["cosignatures"] == len(keys) >= 2


@pytest.mark.policy("P20")
async def test_the_logs_key_is_exchanged_with_overlap(county: County) -> None:
    """The steps of the runbook: the new key goes to witnesses and verifiers first, then both sign,
    then the new one alone."""
    stack = county.stack
    file, policy = stack.place.keys / "audit-log.json", stack.place.policy
    old_file = json.loads(file.read_text())
    (old_key,) = county.policy.log_keys
    successor = private_key("exchanged")
    public = successor.public_key().public_bytes_raw()
    new_key = VerifierKey(old_key.name, public)
    witnesses = county.policy.trust.witnesses
    old = Trust((old_key,), witnesses, county.policy.quorum)
    new = Trust((new_key,), witnesses, county.policy.quorum)
    await county.log(2)
    size = (await county.published()).checkpoint.size

    policy.write_text(f"log {new_key}\n{policy.read_text()}")
    for name in ("witness-1", "witness-2", "witness-3"):
        await asyncio.to_thread(stack.restart, name)
    seed = encode_base64(successor.private_bytes_raw())
    keys: list[dict[str, str]] = [{"private": old_file["private"]}, {"private": seed}]
    file.write_text(json.dumps({"name": old_file["name"], "keys": keys}))
    await asyncio.to_thread(stack.restart, "audit")
    await county.log(2)
    await county.published_beyond(size)
    both = await county.checkpoint()
    assert verify_checkpoint(both, old).checkpoint == verify_checkpoint(both, new).checkpoint
    answer = (await county.ask("/log/vkey")).text
    assert answer == f"{old_key}\n{new_key}\n"

    keys[0]["until"] = now().isoformat()
    file.write_text(json.dumps({"name": old_file["name"], "keys": keys}))
    await asyncio.to_thread(stack.restart, "audit")
    event_id = await county.log(2)
    found = await county.get(f"/v1/entries/{event_id}/proof")
    proof = TlogProof.parse(found["tlog_proof"])
    assert proof.verify(decode_base64(found["entry"]), new).checkpoint.size == found["size"]
    with pytest.raises(ValueError, match="not signed by any"):
        proof.verify(decode_base64(found["entry"]), Trust((old_key,)))
    assert (await county.ask("/log/vkey")).text == f"{new_key}\n"
    # Checkpoints of the time before hold for whoever knows both keys.
    assert verify_checkpoint(both, county.policy.trust).checkpoint.size > size
