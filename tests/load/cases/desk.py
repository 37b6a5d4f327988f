"""A public-records case, and the people who work on it, on a stack of the bench."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from tests.support.county import County, Document, until
from tests.support.sign_in import approval

IN_A_GRANT = 500
"""How many records one grant names at most."""
AT_ONCE = 8
"""How many calls of the preparation are on their way at the same time."""

E = TypeVar("E")
R = TypeVar("R")


class Desk:
    """Opens a case within bounds, so that it stops nothing else, and does what a custodian, a
    records officer and named workers do."""

    def __init__(self, county: County) -> None:
        self.county = county
        tag = uuid4().hex[:8]
        self.custodian, self.officer = f"carla-{tag}", f"olga-{tag}"
        self.reviewer, self.worker = f"rita-{tag}", f"wanda-{tag}"
        self.case_id = ""
        self.record_ids: Sequence[str] = ()

    async def ask(
        self,
        method: str,
        path: str,
        body: Document | None = None,
        *,
        service: str = "retention",
        role: str = "custodian",
        name: str | None = None,
        seconds: float = 60.0,
    ) -> httpx.Response:
        """A call about the case; `path` begins after its number."""
        who = name or self.custodian
        path = f"/v1/cases/{self.case_id}{path}"
        return await self.county.ask(method, service, path, role, who, body, timeout=seconds)

    async def answer(
        self, method: str, path: str, body: Document | None = None, **call: Any
    ) -> Any:
        """The JSON of a call that must succeed."""
        return succeeded(await self.ask(method, path, body, **call)).json()

    async def open(self, record_ids: Sequence[str], *, query: Document | None = None) -> None:
        """A case that stops the destruction of these records alone, or of what the query finds."""
        order = {
            "kind": "public_records",
            "request": "Everything about the dogs along the canal.",
            "bounds": {"query": query} if query else {"record_ids": record_ids[:IN_A_GRANT]},
        }
        made = await self.county.ask(
            "POST", "retention", "/v1/cases", "custodian", self.custodian, order
        )
        self.case_id = str(succeeded(made).json()["case_id"])
        await self.answer("POST", "/acknowledgement")

    async def close(self) -> None:
        await self.answer("POST", "/close", {"outcome": "withdrawn"})

    async def identify(self, record_ids: Sequence[str]) -> None:
        """Hold the records for the case; these are all."""
        self.record_ids = tuple(record_ids)
        for start in range(0, len(record_ids), IN_A_GRANT):
            some = list(record_ids[start : start + IN_A_GRANT])
            complete = start + IN_A_GRANT >= len(record_ids)
            await self.answer("POST", "/records", {"record_ids": some, "complete": complete})

    async def prepare(self, **grant: Any) -> Document:
        """A grant for the worker, as it was prepared."""

        async def asked() -> Document | None:
            body = {
                "version": (await self.answer("GET", "/grants"))["version"],
                "workers": [self.worker],
                "valid_until": (datetime.now(UTC) + timedelta(hours=4)).isoformat(),
                **grant,
            }
            made = await self.ask("POST", "/grants", body)
            # The inventory learns of a new case within a second, which is a version too.
            return None if made.status_code == 409 else dict(succeeded(made).json())

        return await until(asked, "nobody changed the case in between")

    async def approve(self, grant: Document, id_token: str) -> Document:
        """The officer's approval; `id_token`: of the sign-in for this grant."""
        body = {"version": grant["version"], "id_token": id_token}
        path = f"/grants/{grant['grant_id']}/approve"
        call = {"role": "records_officer", "name": self.officer}
        return dict(await self.answer("POST", path, body, **call))

    async def sign_in(self, nonce: str) -> str:
        """The ID token of the officer, who signs in again in a browser without a screen."""
        return (await approval(self.county, nonce, self.officer)).id_token


def succeeded(answer: httpx.Response) -> httpx.Response:
    """:raises AssertionError: it did not; what was asked is not repeated."""
    assert answer.is_success, f"{answer.status_code} {answer.text[:300]}"
    return answer


async def at_once(items: Iterable[E], call: Callable[[E], Awaitable[R]]) -> list[R]:
    """The results for all items, some of them at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(item: E) -> R:
        async with turn:
            return await call(item)

    return await asyncio.gather(*(one(item) for item in items))


@asynccontextmanager
async def opened(county: County, record_ids: Sequence[str]) -> AsyncIterator[Desk]:
    """A case for the duration of the block."""
    desk = Desk(county)
    await desk.open(record_ids)
    try:
        yield desk
    finally:
        await desk.close()
