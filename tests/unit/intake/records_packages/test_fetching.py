"""The gateway hands a released package to whoever has the token, and keeps nothing of it."""

from collections.abc import AsyncGenerator
from hashlib import sha256

import pytest
from starlette.testclient import TestClient

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.records_packages.api import LONGEST_TOKEN, records_packages_router
from direct311.intake.records_packages.domain import ReleasedPackage
from direct311.intake.records_packages.handlers import FetchRecords
from direct311.runtime.access.sign_ins import Sources
from direct311.runtime.errors import RefusedError
from tests.support.intake import IntakeUnderTest
from tests.support.quotas import InMemoryCounts
from tests.support.records_packages import InMemoryReleasedPackages, arriving, released

PATH = "/v1/records-requests/package"
BYTES = b"PK\x03\x04 canary package"
HASH = sha256(BYTES).hexdigest()


async def _salt(_: str, offered: bytes) -> bytes:
    return offered


class Gateway(IntakeUnderTest):
    """The gateway with its one call, and a desk that released one package."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = InMemoryReleasedPackages({"good": [BYTES]})
        limits = ReadLimits(InMemoryCounts(), self.clock, worth=1)
        names = SharedNames(Sources(self.clock), self.clock, b"s" * 32, _salt)
        failed = FailedKeys(limits, names, 3)
        self.client: TestClient = self.serve(
            records_packages_router(FetchRecords(self.desk), failed)
        )


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_token_fetches_the_released_bytes_and_nothing_caches_them(gateway: Gateway) -> None:
    answer = gateway.client.get(PATH, headers=bearer("good"))
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{HASH}.zip"'
    assert (answer.headers["X-Package-SHA256"], answer.headers["X-Packages"]) == (HASH, "1")


def test_without_a_token_nothing_is_asked_for(gateway: Gateway) -> None:
    for headers in ({}, {"Authorization": "Basic good"}):
        assert gateway.client.get(PATH, headers=headers).status_code == 401
    assert gateway.client.get(f"{PATH}?token=good").status_code == 401
    assert gateway.desk.asked == []


@pytest.mark.parametrize("token", ["wrong", "x" * (LONGEST_TOKEN + 1)])
def test_wrong_tokens_get_one_answer_and_few_tries(gateway: Gateway, token: str) -> None:
    answers = [gateway.client.get(PATH, headers=bearer(token)) for _ in range(5)]
    assert [each.status_code for each in answers] == [404, 404, 404, 429, 429]
    assert answers[0].json()["type"].endswith(":unknown_case")
    assert token not in answers[0].text


def test_what_was_not_released_is_not_there(gateway: Gateway) -> None:
    gateway.desk.packages["early"] = []
    for path, token in ((PATH, "early"), (f"{PATH}?number=2", "good")):
        answer = gateway.client.get(path, headers=bearer(token))
        assert answer.status_code == 404
        assert answer.json()["type"].endswith(":not_released")
    assert gateway.client.get(f"{PATH}?number=0", headers=bearer("good")).status_code == 422


def test_while_the_desk_is_away_the_answer_says_when_to_try_again(gateway: Gateway) -> None:
    gateway.desk.away = True
    answer = gateway.client.get(PATH, headers=bearer("good"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.anyio
@pytest.mark.parametrize("pieces", [[BYTES[:-1]], [BYTES[:9], BYTES[9:-1] + b"?"], []])
async def test_bytes_of_another_hash_are_not_handed_on_whole(pieces: list[bytes]) -> None:
    class Torn(InMemoryReleasedPackages):
        async def fetch(self, token: str, number: int | None) -> ReleasedPackage:
            return ReleasedPackage(HASH, len(BYTES), arriving(pieces), 1, 1)

    got: list[bytes] = []

    async def fetched() -> None:
        found = await FetchRecords(Torn({}))("good", None)
        got.extend([piece async for piece in found.content])

    with pytest.raises(RefusedError) as refused:
        await fetched()
    assert refused.value.code == "case_desk_unavailable"
    # The last piece is held back until the hash is known, so nothing arrives whole.
    assert got == []
    assert "canary" not in repr(released(BYTES))


@pytest.mark.anyio
async def test_who_hears_no_more_of_a_package_closes_the_call_to_the_desk() -> None:
    closed: list[bool] = []

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"piece"
        finally:
            closed.append(True)

    class Endless(InMemoryReleasedPackages):
        async def fetch(self, token: str, number: int | None) -> ReleasedPackage:
            return ReleasedPackage(HASH, 1 << 40, endless(), 1, 1)

    found = await FetchRecords(Endless({}))("good", None)
    assert await anext(found.content) == b"piece"
    await found.content.aclose()
    assert closed == [True]
