"""What intake may rely on when it fetches a released package: retention's call, and the fake of
it."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import httpx
import pytest
from fastapi import FastAPI

from direct311.intake.records_packages.adapters import RetentionPackages
from direct311.intake.records_packages.ports import ReleasedPackages
from direct311.retention.packages.api import public_router
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.telemetry import Metrics
from tests.support.records_packages import InMemoryReleasedPackages
from tests.unit.retention.packages.fakes import CARLA, COLE, OLGA, PackagingDesk

pytestmark = pytest.mark.anyio


@dataclass
class Desk:
    """`token` has two released packages; `early` a case without any. `away`: the desk does not
    answer any more."""

    calls: ReleasedPackages
    token: str
    hashes: list[str]
    away: Callable[[], None]


class OwnTokens:
    """The token of a service, as the fake sign-in reads it."""

    def __init__(self) -> None:
        self.service = "svc-intake"

    async def get(self) -> str:
        return f"service:{self.service}"

    async def exchanged(self, authorization: str) -> str:
        raise AssertionError("intake passes requests on, on its own behalf")


async def over_http() -> Desk:
    desk, tokens = PackagingDesk(), OwnTokens()
    case_id = await desk.granted(4)
    desk.owners.records["record-0001"] = "not_reviewed"
    hashes = []
    for partial in (True, False):
        await desk.collected(case_id)
        hashes.append(await desk.built(case_id, partial=partial))
        for by in (OLGA, COLE):
            await desk.approve(case_id, hashes[-1], by)
        await desk.releasing.release(CARLA, case_id, hashes[-1])
        desk.owners.records["record-0001"] = desk.owners.records["record-0002"]
    app = FastAPI()
    install(app, Readiness(), Metrics(), desk.ledger)
    app.include_router(public_router(desk.releasing, caller_of(desk.authenticator)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    peer = Peer("http://retention.test", HttpClient(transport=transport), tokens)

    def away() -> None:
        tokens.service = "svc-media"

    return Desk(RetentionPackages(peer), desk.token, hashes, away)


async def in_memory() -> Desk:
    packages = [b"first", b"second"]
    fake = InMemoryReleasedPackages({"token": packages})

    def away() -> None:
        fake.away = True

    return Desk(fake, "token", [sha256(each).hexdigest() for each in packages], away)


@pytest.fixture(params=[in_memory, over_http])
async def desk(request: pytest.FixtureRequest) -> Desk:
    found: Desk = await request.param()
    return found


async def test_each_released_package_comes_whole_and_the_newest_without_a_number(
    desk: Desk,
) -> None:
    for number, wanted in ((1, 1), (2, 2), (None, 2)):
        found = await desk.calls.fetch(desk.token, number)
        assert (found.sha256, found.number, found.of) == (desk.hashes[wanted - 1], wanted, 2)
        content = b"".join([piece async for piece in found.content])
        assert (sha256(content).hexdigest(), len(content)) == (found.sha256, found.size)


async def test_a_wrong_token_a_missing_package_and_a_desk_that_is_away_are_told_apart(
    desk: Desk,
) -> None:
    for token, number, code in (
        ("wrong", None, "unknown_case"),
        (desk.token, 3, "not_released"),
    ):
        with pytest.raises(RefusedError) as refused:
            await desk.calls.fetch(token, number)
        assert refused.value.code == code
    desk.away()
    with pytest.raises(RefusedError) as refused:
        await desk.calls.fetch(desk.token, None)
    assert (refused.value.code, refused.value.retry_after) == ("case_desk_unavailable", 5)
