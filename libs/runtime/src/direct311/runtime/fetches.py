"""A vault's account of its key fetches, for the audit service to compare with the log."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from direct311.runtime.access import Caller
from direct311.runtime.api import PROBLEMS, require
from direct311.runtime.asked import AskedInstant
from direct311.runtime.errors import RefusedError
from direct311.runtime.producers import Producers
from direct311.runtime.vault import KeyStore
from direct311.schemas.model import Instant, Model

LIMIT = 10_000
AUDIT = "svc:audit"
"""Who compares them with the log, and needs them for nothing else."""


class FetchedKey(Model):
    """A key was fetched: of which record, under which access event, when."""

    record_id: str
    event_id: str
    at: Instant


class KeyFetches(Model):
    """`complete` is false where more follow: ask again, after the latest of these. `producers`: the
    processes of this service that write access events now, in all its copies."""

    fetches: tuple[FetchedKey, ...]
    complete: bool
    producers: tuple[str, ...]


def key_fetches_router(
    keys: KeyStore, producers: Producers, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """`GET /internal/key-fetches?after=`, for audit alone. No key is in the answer; it tells all
    the same which records were opened when."""
    router = APIRouter(
        tags=["internal"], responses={s: PROBLEMS[s] for s in (401, 403, 422, 429, 503)}
    )

    @router.get("/internal/key-fetches")
    async def key_fetches(
        who: Annotated[Caller, Depends(caller)],
        after: Annotated[AskedInstant, Query(description="Fetches later than this instant")],
    ) -> KeyFetches:
        """The fetches of keys since `after`, oldest first."""
        require(who, "service")
        if who.sub != AUDIT or who.via is not None:
            raise RefusedError(403, "caller", "Only audit compares key fetches with the log.")
        found = await keys.fetches_after(after, LIMIT)
        return KeyFetches(
            fetches=tuple(
                FetchedKey(record_id=each.record_id, event_id=each.event_id, at=each.at)
                for each in found
            ),
            complete=len(found) < LIMIT,
            producers=tuple(await producers.running()),
        )

    return router
