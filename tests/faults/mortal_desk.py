"""People who work on a disclosure case while retention dies under their hands, and what is left of
their case afterwards."""

import contextlib
import io
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local import process
from deploy.local.stack import Stack
from direct311.runtime.messaging.signing import read_private
from direct311.runtime.peers import HttpError
from direct311.verifier.note import VerifierKey
from direct311.verifier.package.check import verify_package
from tests.support.copies import Copy
from tests.support.county import County, Document, entering, until
from tests.support.sign_in import approval

LATER: Final = (429, 502, 503, 504)
PATIENCE: Final = 150.0
"""Seconds until a call is answered again."""


class Mortal:
    """A service that is killed at the crossing with a number (`tests/faults/mortal.py`), in place
    of the stack's own."""

    def __init__(self, stack: Stack, service: str, armed: Path) -> None:
        self._stack, self._service, self._armed = stack, service, armed
        self.copy = Copy(
            stack,
            service,
            module="tests.faults.mortal",
            arguments=[service],
            environ={"MORTAL": str(armed)},
            port=stack.place.ports[service],
        )

    def arm(self, number: int) -> None:
        """Let it die before its crossing with this number, from now on."""
        with contextlib.suppress(FileNotFoundError):
            self._armed.with_suffix(".new").unlink()
        self._armed.with_suffix(".new").write_text(f"{number} {os.urandom(8).hex()}")
        self._armed.with_suffix(".new").rename(self._armed)

    def disarm(self) -> None:
        self._armed.unlink(missing_ok=True)

    @property
    def deaths(self) -> Sequence[str]:
        """What it was about to do each time that it died."""
        with contextlib.suppress(FileNotFoundError):
            return self._armed.with_suffix(".deaths").read_text().splitlines()
        return ()

    def kill9(self) -> bool:
        """Kill the child that runs now; returns whether there was one."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            os.kill(int(self._armed.with_suffix(".pid").read_text()), signal.SIGKILL)
            return True
        return False

    async def ready(self) -> bool:
        return self._stack.ready(self._service)


@asynccontextmanager
async def mortal(stack: Stack, service: str, armed: Path) -> AsyncIterator[tuple[County, Mortal]]:
    """The county, with this service mortal. Afterwards the stack has its own again."""
    stack.stop(service)
    dying = Mortal(stack, service, armed)
    try:
        with dying.copy.running():
            dying.copy.wait_ready()
            async with entering(stack) as county:
                yield county, dying
    finally:
        stack.start(service)
        stack.wait_ready(service)


@asynccontextmanager
async def away(stack: Stack, part: str | None) -> AsyncIterator[None]:
    """Without the broker (frozen), the store or the log (killed) for as long as the block runs."""
    if part is None:
        yield
    elif part == "broker":
        running = process.find(stack.place.pid / "kafka.json")
        assert running is not None
        running.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            running.signal(signal.SIGCONT)
    else:
        name = {"store": "store", "log": "audit"}[part]
        stack.kill9(name)
        try:
            yield
        finally:
            stack.start(name)
            stack.wait_ready(name)


class Worked:
    """One case, and how each call about it is made: once while retention dies or something is away,
    and then again until it is answered, with the same words.

    `number`: the crossing before which retention dies; `None` lets it live. `without`: what is away
    while a call is made for the first time, and then retention dies once it has answered. `only`:
    the calls to which this happens; without it, to all.
    """

    def __init__(
        self,
        county: County,
        dying: Mortal,
        *,
        number: int | None = None,
        without: str | None = None,
        only: frozenset[str] | None = None,
    ) -> None:
        self.county, self._dying, self._only = county, dying, only
        self.harm(number=number, without=without)
        self.case_id = ""
        self.dead: Counter[str] = Counter()
        """How often it died, by the call."""

    def harm(self, *, number: int | None = None, without: str | None = None) -> None:
        """From now on."""
        self._number, self._without = number, without

    async def act(
        self,
        name: str,
        attempt: Callable[[Document], Awaitable[httpx.Response]],
        body: Document | None = None,
    ) -> Document:
        """Make a call, and make it again until it is answered; returns the last answer. Nothing
        happens to a call without a name."""
        sent = await self._sent(body or {})
        before = len(self._dying.deaths)
        harmed = bool(name) and (self._only is None or name in self._only)
        if harmed and self._without is not None:
            async with away(self.county.stack, self._without):
                await self._once(attempt, sent)
                self.dead[name] += self._dying.kill9()
        elif harmed and self._number is not None:
            self._dying.arm(self._number)
            await self._once(attempt, sent)
            self._dying.disarm()
        self.dead[name] += len(self._dying.deaths) - before

        async def again() -> httpx.Response | None:
            nonlocal sent
            answer = await self._once(attempt, sent)
            if answer is None or answer.status_code in LATER:
                return None
            if answer.status_code == 409 and answer.json()["type"].endswith(":changed"):
                # The inventory learns of a case within a second, which is a version too.
                sent = await self._sent(body or {})
                return None
            return answer

        answer = await until(again, f"{name} is answered", seconds=PATIENCE)
        assert answer.is_success, (name, self._dying.deaths[-1:], answer.text)
        if answer.headers["content-type"].startswith("application/json"):
            return dict(answer.json())
        return {"content": answer.content}

    async def at_desk(
        self,
        name: str,
        method: str,
        path: str,
        body: Document | None = None,
        *,
        by: tuple[str, str],
        **options: Any,
    ) -> Document:
        """A call to the case desk about this case, by somebody in a role."""

        async def attempt(sent: Document) -> httpx.Response:
            url = f"/v1/cases/{self.case_id}{path}"
            return await self.county.ask(
                method, "retention", url, *by, sent if body is not None else None, **options
            )

        return await self.act(name, attempt, body)

    async def _once(
        self, attempt: Callable[[Document], Awaitable[httpx.Response]], sent: Document
    ) -> httpx.Response | None:
        with contextlib.suppress(httpx.TransportError, HttpError):
            return await attempt(sent)
        return None

    async def _sent(self, body: Document) -> Document:
        """The body, with the case's version where it names one."""
        if body.get("version") != 0:
            return body
        return {**body, "version": await self.version()}

    async def version(self) -> int:
        with self.county.database() as database:
            found = database["retention"]["cases"].find_one({"_id": self.case_id}, {"version": 1})
        assert found is not None
        return int(found["version"])

    async def id_token(self, nonce: str, name: str) -> str:
        """The ID token of somebody who signs in again, in a browser without a screen."""
        return (await approval(self.county, nonce, name)).id_token


class Left:
    """What is left of a case, in the case file, on the topic and in the log, once nothing waits."""

    def __init__(self, county: County, case_id: str) -> None:
        self._county, self.case_id = county, case_id

    async def look(self) -> None:
        """Wait until everything is told and logged, and read it."""

        async def settled() -> bool:
            with self._county.database() as database:
                case = database["retention"]["cases"].find_one({"_id": self.case_id})
                waiting = bool(case and case.get("outbox"))
            self.events = await self._told()
            return not waiting and await self._logged(self.events)

        await until(settled, "each event of the case has its leaf", seconds=PATIENCE)
        with self._county.database() as database:
            found = database["retention"]["cases"].find_one({"_id": self.case_id})
        assert found is not None
        self.case: Document = found

    async def _told(self) -> dict[str, Document]:
        """The events of the case by their ids. The relay may say one twice, in the same words."""
        found: dict[str, Document] = {}
        for each in await self._county.messages("disclosure"):
            if each.key != self.case_id.encode():
                continue
            data = json.loads(each.value or b"{}")
            event_id = dict(each.headers)["ce_id"].decode()
            assert found.setdefault(event_id, data) == data
        return found

    async def _logged(self, events: dict[str, Document]) -> bool:
        with self._county.database() as database:
            query = {"event_id": {"$in": sorted(events)}}
            leaves = [each["event_id"] for each in database["audit"]["entries"].find(query)]
        assert len(leaves) == len(set(leaves))
        return set(leaves) == set(events)

    def steps(self) -> list[str]:
        """The steps of the timeline, each with what makes it one of its own."""
        return [
            " ".join((each["step"], *map(str, each.get("codes", ()))))
            for each in self.case["steps"]
        ]

    def check(self, again: Sequence[str] = ("collected",)) -> None:
        """One event for each version that tells something; one step for each act.

        :param again: the steps that whoever repeats a call may take once more. What an owner did
            not give while something was away is collected by a second step.
        """
        versions = Counter(
            (each["version"], kind_of(each)) for each in self.events.values() if "version" in each
        )
        assert {key: count for key, count in versions.items() if count > 1} == {}
        steps = Counter(self.steps())
        twice = {step for step, count in steps.items() if count > 1}
        assert {each for each in twice if each.split()[0] not in again} == set()
        told = Counter(each["step"] for each in self.events.values() if "step" in each)
        told["released"] += len(self.released())
        noted = Counter(
            each["step"]
            for each in self.case["steps"]
            if each["step"] not in ("grant_approved", "grant_revoked")
        )
        assert +told == noted

    async def opened_nothing_unlogged(self) -> None:
        """Each fetch of the case's key is in the log."""
        with self._county.database() as database:
            key = database["retention"]["keys"].find_one({"_id": self.case_id})
        assert key is not None
        fetched = {each["event"] for each in key.get("fetches", ())}

        async def logged() -> bool:
            with self._county.database() as database:
                query = {"event_id": {"$in": sorted(fetched)}}
                found = {each["event_id"] for each in database["audit"]["entries"].find(query)}
            return found == fetched

        await until(logged, "each fetch of the case's key has its leaf", seconds=PATIENCE)

    def released(self) -> list[str]:
        """The packages whose release was told."""
        return [each["package"] for each in self.events.values() if "released_by" in each]


def kind_of(data: Document) -> str:
    """Which of the `disclosure.*` events this is."""
    for name in ("released_by", "revoked_by", "approvals", "step"):
        if name in data:
            return f"{name} {data.get('step', '')}"
    raise AssertionError(sorted(data))


def checked(stack: Stack, package: bytes, sha: str) -> None:
    """The bytes have this hash, and the auditors' tool finds them good."""
    assert sha256(package).hexdigest() == sha
    _, private = read_private(stack.root / "keys" / "retention-signing.json")
    key = VerifierKey("direct311/retention", private.public_key().public_bytes_raw())
    report = verify_package(io.BytesIO(package), [key])
    assert report.ok, report
