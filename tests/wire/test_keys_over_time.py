"""Keys that change under a running gateway, on real servers: nothing is lost, come what may."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.stack import Stack, StackError
from direct311.runtime.storage import database as mongo
from direct311.runtime.storage.database import Database
from direct311.runtime.vault.keys import FileKeyProvider
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.vault import RecordKey
from direct311.schemas import decode, read_headers
from direct311.schemas import events as ev
from tests.support.county import County, entering, until
from tests.support.keyservers import bao
from tests.support.runtime import NOW
from tests.support.stacks import stack_of_its_own
from tests.support.submissions import submission

pytestmark = [pytest.mark.wire, pytest.mark.anyio, pytest.mark.timeout(900)]
SECONDS_TO_START = 240.0
"""A service gives way to whatever else the machine does."""
MANY = 4_000
INDEX_FIELDS = ("phone", "email", "name", "address", "cell", "content", "search")
Document = dict[str, Any]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers and the gateway alone; its keys are changed, so nobody else's."""
    with stack_of_its_own(tmp_path_factory.mktemp("keys") / "s", services=False) as stack:
        stack.start("intake")
        stack.wait_ready("intake")
        yield stack
        for service in ("intake", "media", "audit"):
            stack.stop(service)


@pytest.fixture
async def county(stack: Stack) -> AsyncIterator[County]:
    async with entering(stack) as county:
        yield county


@pytest.fixture
async def database(stack: Stack) -> AsyncIterator[Database]:
    database = mongo.connect(stack.dev["database"]["url"], "direct311_intake")
    name = next(each.database for each in stack.topology.services if each.name == "intake")
    database = database.client.get_database(name, codec_options=mongo.CODEC)
    yield database
    mongo.disconnect(database)


def change(path: Path, alter: Callable[[Document], None]) -> None:
    document = json.loads(path.read_text())
    alter(document)
    path.write_text(json.dumps(document))


def random_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def kek_file(stack: Stack, service: str = "intake") -> Path:
    return stack.place.keys / f"{service}-kek.json"


def index_file(stack: Stack) -> Path:
    return stack.place.keys / "intake-index.json"


async def start(stack: Stack, service: str) -> None:
    stack.start(service)
    await asyncio.to_thread(stack.wait_ready, service, SECONDS_TO_START)


async def restart(stack: Stack) -> None:
    await asyncio.to_thread(stack.stop, "intake")
    await start(stack, "intake")


async def refuses_to_start(stack: Stack, service: str) -> str:
    """What it says of its keys when it does not come up."""
    await asyncio.to_thread(stack.stop, service)
    before = stack.log_file(service).stat().st_size if stack.log_file(service).exists() else 0
    stack.start(service)
    with pytest.raises(StackError):
        await asyncio.to_thread(stack.wait_ready, service, SECONDS_TO_START)
    await asyncio.to_thread(stack.stop, service)
    lines = stack.log_file(service).read_text()[before:].splitlines()
    said = [json.loads(line) for line in lines if "process.wrong_key" in line]
    assert said, "\n".join(lines[-5:])
    return str(said[0]["reason"])


async def progress(county: County, job: str) -> Document:
    state = await county.get("intake", "/internal/keys", "admin")
    (found,) = (each for each in state["jobs"] if each["job"] == job)
    return dict(found)


async def command(county: County, job: str, what: str) -> Document:
    path = f"/internal/keys/{job}/{what}"
    return dict(await county.post("intake", path, {"reference": "T-1"}, "admin"))


async def ended(county: County, job: str) -> Document:
    async def look() -> Document | None:
        with suppress(httpx.HTTPError, AssertionError):
            found = await progress(county, job)
            return found if found["state"] != "running" else None
        return None

    return await until(look, f"{job} has ended", seconds=120)


@dataclass
class Residents:
    """Who sends requests all the time, and whose requests were accepted."""

    county: County
    accepted: dict[str, int] = field(default_factory=dict)
    stopped: bool = False

    async def send(self, first: int) -> None:
        number = first
        while not self.stopped:
            number += 1
            with suppress(httpx.HTTPError):
                answer = await self.county.submit(submission(number), seconds=5)
                if answer.status_code == 200:
                    self.accepted[answer.json()[0]["service_request_id"]] = number
            await asyncio.sleep(0.02)


@asynccontextmanager
async def residents(county: County, first: int) -> AsyncIterator[Residents]:
    who = Residents(county)
    task = asyncio.create_task(who.send(first))
    try:
        yield who
    finally:
        who.stopped = True
        await task


async def all_open(county: County, accepted: dict[str, int]) -> None:
    for turn, (record_id, number) in enumerate(accepted.items()):
        # Nobody may open as many as this by themselves.
        name = f"agent-{turn // 500}"
        answer = await county.read_contact(record_id, "agent", name, fields=["phone"])
        assert answer.status_code == 200, answer.text
        assert answer.json()["fields"] == {"phone": submission(number)["phone"]}


@pytest.mark.campaign
async def test_keys_are_wrapped_anew_under_load_through_crashes(
    stack: Stack, county: County, database: Database
) -> None:
    keys, path = MongoKeys(database["keys"]), kek_file(stack)
    old = FileKeyProvider.from_file(path)
    plain = {f"0190-{number:06}": os.urandom(32) for number in range(MANY)}
    wrapped = [RecordKey(of, *await old.wrap(key, of), NOW) for of, key in plain.items()]
    await keys.insert(wrapped)

    def second(document: Document) -> None:
        document["keys"]["kek-2"] = random_key()
        document["current"] = "kek-2"

    async with residents(county, 10_000) as who:
        await until(lambda: _true(len(who.accepted) > 20), "requests arrive")
        change(path, second)
        await restart(stack)
        both = FileKeyProvider.from_file(path)
        started = await command(county, "rewrap", "start")
        assert started["total"] >= MANY
        destroyed: set[str] = set()

        async def destroy_and_open() -> None:
            for number in range(0, MANY, 40):
                await keys.destroy(f"0190-{number:06}")
                destroyed.add(f"0190-{number:06}")
                other = f"0190-{(number * 7 + 1) % MANY:06}"
                found = await keys.fetch(other, "event", NOW)
                if found is not None:
                    opened = await both.unwrap(found.kek_id, found.wrapped, other)
                    assert opened == plain[other]

        busy = asyncio.create_task(destroy_and_open())
        for _ in range(2):
            before = (await progress(county, "rewrap"))["done"]

            async def further(before: int = before) -> bool:
                found = await progress(county, "rewrap")
                return bool(found["done"] > before or found["state"] == "done")

            await until(further, "the job is under way")
            await asyncio.to_thread(stack.kill9, "intake")
            await start(stack, "intake")
        stopped = await command(county, "rewrap", "stop")
        assert stopped["state"] in ("stopped", "done")
        if stopped["state"] == "stopped":
            await asyncio.sleep(0.5)
            assert (await progress(county, "rewrap"))["done"] <= stopped["done"] + 200
            await command(county, "rewrap", "start")
        found = await ended(county, "rewrap")
        await busy
    assert (found["state"], found["failed"]) == ("done", 0)
    counts = await keys.counts()
    assert counts.keys() == {"kek-2"}
    new = FileKeyProvider("kek-2", {"kek-2": _key(path, "kek-2")})
    stored = {key["_id"]: key async for key in database["keys"].find({"_id": {"$in": list(plain)}})}
    assert stored.keys() == plain.keys()
    for name, key in stored.items():
        if name in destroyed:
            assert "wrapped" not in key
        else:
            assert await new.unwrap(key["kek"], bytes(key["wrapped"]), name) == plain[name]
    change(path, lambda document: document["keys"].pop("kek-1"))
    await restart(stack)
    await all_open(county, who.accepted)


async def _true(value: bool) -> bool:
    return value


def _key(path: Path, name: str) -> bytes:
    return base64.b64decode(json.loads(path.read_text())["keys"][name])


async def test_only_an_administrator_works_on_keys_and_it_is_written_down(county: County) -> None:
    for role in ("agent", "custodian", "auditor"):
        answer = await county.ask("GET", "intake", "/internal/keys", role)
        assert answer.status_code == 403
    for what in ("start", "stop"):
        path, body = f"/internal/keys/rewrap/{what}", {"reference": "T-2"}
        assert (await county.ask("POST", "intake", path, "agent", body=body)).status_code == 403
        assert (await county.ask("POST", "intake", path, "admin", body={})).status_code == 422
        assert (await county.ask("POST", "intake", path, "admin", body=body)).is_success
        unknown = path.replace("rewrap", "melt")
        assert (await county.ask("POST", "intake", unknown, "admin", body=body)).status_code == 404
    events = [event for event in await accesses(county) if event.action == "policy_change"]
    assert {(event.agent.id, event.why.reference) for event in events} >= {("ana", "T-2")}


async def test_the_operators_command_rotates_and_shows_it(stack: Stack, county: County) -> None:
    async def run(*words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "direct311.cli", "keys", *words, "--service", "intake",
            env={**os.environ, "DIRECT311_STACK": str(stack.root / "dev.json"), "COLUMNS": "150"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, out.decode()

    current = json.loads(kek_file(stack).read_text())["current"]
    code, said = await run("rotate", "--reference", "T-3", "--wait")
    assert (code, "done" in said, current in said) == (0, True, True), said
    code, said = await run("status")
    assert (code, "rewrap" in said, "current" in said) == (0, True, True), said
    code, said = await run("stop", "--reference", "T-3")
    assert code == 0, said
    events = [each for each in await accesses(county) if each.why.reference == "T-3"]
    assert {each.agent.id for each in events} == {"admin-1"}
    assert len(events) == 3


async def accesses(county: County) -> list[ev.PiiAccessed]:
    found = []
    for message in await county.messages("pii.accessed"):
        data = decode(read_headers(message.headers), message.value or b"").data
        if isinstance(data, ev.PiiAccessed):
            found.append(data)
    return found


@pytest.mark.parametrize("service", ["intake", "media", "audit"])
async def test_a_wrong_or_lost_key_is_told_at_the_start(stack: Stack, service: str) -> None:
    path = kek_file(stack, service)
    good = path.read_text()
    if service != "intake":
        await start(stack, service)
    url = stack.dev["database"]["url"]
    name = next(each.database for each in stack.topology.services if each.name == service)
    database = mongo.connect(url, name)
    kek = json.loads(good)["current"]
    wrapped = await FileKeyProvider.from_file(path).wrap(bytes(32), "0190-at-the-start")
    await database["keys"].insert_one(
        {"_id": "0190-at-the-start", "kek": wrapped[0], "wrapped": wrapped[1], "created_at": NOW,
         "reference": os.urandom(16)}
    )  # fmt: skip
    mongo.disconnect(database)

    def other(document: Document) -> None:
        document["keys"][kek] = random_key()

    def lost(document: Document) -> None:
        del document["keys"][kek]
        document |= {"keys": {"kek-9": random_key()}, "current": "kek-9"}

    try:
        for alter, words in ((other, "does not unwrap what it wrapped"), (lost, "is not in")):
            change(path, alter)
            reason = await refuses_to_start(stack, service)
            assert f"data keys need {kek}, which cannot be used" in reason
            assert words in reason
            path.write_text(good)
    finally:
        path.write_text(good)
    await start(stack, service)


@pytest.mark.campaign
async def test_person_indexes_are_made_anew_and_every_search_finds_all_the_time(
    stack: Stack, county: County, database: Database
) -> None:
    before = {await county.accepted(submission(n)): n for n in range(20_000, 20_260)}
    protected = submission(20_001)["phone"]
    protection = {"reference": "P-1", "citation": "119.071(4)(d)2, F.S.", "phone": protected}
    await county.post("intake", "/v1/protections", protection, "custodian", "carla")
    path = index_file(stack)

    def second(document: Document) -> None:
        content = document["keys"]["content"]
        document["older"] = {"1": document["keys"]}
        document["keys"] = {name: random_key() for name in INDEX_FIELDS} | {"content": content}
        document["version"] = 2

    change(path, second)
    await restart(stack)

    async def found(number: int, name: str = "ana") -> list[str]:
        phone = submission(number)["phone"]
        body = {"phone": phone, "purpose": "respond", "justification": "a call"}
        answer = await county.post("intake", "/internal/persons/resolve", body, "agent", name)
        return list(answer["record_ids"])

    missed: list[int] = []
    searched: list[str] = []
    searching = True

    async def search() -> None:
        turn = 0
        while searching:
            record_id = list(before)[turn * 17 % len(before)]
            with suppress(httpx.HTTPError, AssertionError):
                if record_id not in await found(before[record_id], f"searcher-{turn // 500}"):
                    missed.append(before[record_id])
                searched.append(record_id)
            turn += 1

    task = asyncio.create_task(search())
    started = await command(county, "reindex", "start")
    assert started["total"] >= len(before)
    await until(lambda: _moved(county), "the job is under way")
    await asyncio.to_thread(stack.kill9, "intake")
    await start(stack, "intake")
    done = await ended(county, "reindex")
    searching = False
    await task
    assert (done["state"], done["failed"], missed) == ("done", 0, [])
    assert len(searched) > 20
    uses = [event for event in await accesses(county) if event.action == "key_use"]
    assert {record for event in uses for record in event.what.record_ids} >= before.keys()
    assert {(event.agent.id, event.why.reference) for event in uses} == {("svc:intake", "T-1")}
    assert len(uses) < len(before) / 10
    # The protection was entered under the first version alone, and still holds for who comes new.
    record_id = await county.accepted(submission(20_001, description="Another dog."))
    stored = await database["requests"].find_one({"_id": record_id})
    assert stored is not None
    assert stored["protected"]

    change(path, lambda document: document.pop("older"))
    reason = await refuses_to_start(stack, "intake")
    assert "0 requests and 1 protections need version 1 of the index keys" in reason
    await database["protections"].update_one({"reference": "P-1"}, {"$set": {"hashes": []}})
    await start(stack, "intake")
    assert list(before)[5] in await found(before[list(before)[5]])
    good = path.read_text()
    change(path, lambda document: document["keys"].update(phone=random_key()))
    reason = await refuses_to_start(stack, "intake")
    assert "version 2 of the index keys is not the one used until now" in reason
    path.write_text(good)
    await start(stack, "intake")


async def _moved(county: County) -> bool:
    return int((await progress(county, "reindex"))["done"]) > 0


@pytest.mark.campaign
async def test_a_county_moves_from_the_file_to_a_key_server(
    stack: Stack, county: County, database: Database, tmp_path: Path
) -> None:
    settings = stack.root / "env" / "intake.env"
    before = settings.read_text()
    accepted = {await county.accepted(submission(n)): n for n in range(30_000, 30_010)}
    try:
        with bao(tmp_path) as server:
            address, token = server.key("intake"), tmp_path / "token"
            token.write_text(server.token("intake"))
            both = f"INTAKE_KEY_TOKEN_FILE={token}\nINTAKE_KEK_PROVIDER=vault:{address} file\n"
            settings.write_text(before + both)
            await restart(stack)
            async with residents(county, 31_000) as who:
                await command(county, "rewrap", "start")
                assert (await ended(county, "rewrap"))["state"] == "done"
                server.call("POST", "transit/keys/intake/rotate", {})
                await until(lambda: _true(len(who.accepted) > 20), "requests arrive")
                await command(county, "rewrap", "start")
                assert (await ended(county, "rewrap"))["state"] == "done"
            accepted |= who.accepted
            counts = await MongoKeys(database["keys"]).counts()
            assert counts.keys() == {"vault:transit/intake:v2"}
            settings.write_text(before + both.replace(" file", ""))
            await restart(stack)
            await all_open(county, accepted)
        # The server is away: nothing is lost, and who asks is told to come again.
        record_id = next(iter(accepted))
        answer = await county.read_contact(record_id, "agent", "ana", fields=["phone"])
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert (await county.submit(submission(32_000))).status_code == 503
    finally:
        settings.write_text(before)
