"""Routes of a service with a vault: its keys for administrators, its key fetches for audit."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from direct311.runtime.access.producers import Producers
from direct311.runtime.access.reasons import Reference
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.parameters import AskedInstant
from direct311.runtime.storage.jobs import Progress
from direct311.runtime.vault.rotation import KeyRotation, KeyState
from direct311.runtime.vault.vault import KeyStore
from direct311.schemas.model import Instant, Model

LIMIT = 10_000
AUDIT = "svc:audit"
"""The role that compares key fetches with the log, and uses them for nothing else."""


class FetchedKey(Model):
    """A key fetch: which record, under which access event, and when."""

    record_id: str
    event_id: str
    at: Instant


class KeyFetches(Model):
    """`complete` is false if more follow: ask again, after the latest of these. `producers`: the
    processes of this service that are writing access events now, in all its copies."""

    fetches: tuple[FetchedKey, ...]
    complete: bool
    producers: tuple[str, ...]


def key_fetches_router(
    keys: KeyStore, producers: Producers, caller: Callable[[Request], Awaitable[Caller]]
) -> APIRouter:
    """`GET /internal/key-fetches?after=`, only for audit. The answer contains no keys, but it does
    show which records were opened and when."""
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
            raise RefusedError("caller", "Only the audit service may read the key fetches.")
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


class KeyCommand(Model, extra="forbid"):
    """`reference`: the number of the work order or ticket for it."""

    reference: Reference


def keys_router(rotation: KeyRotation, caller: Callable[[Request], Awaitable[Caller]]) -> APIRouter:
    """`/internal/keys`, for administrators. No key is in any answer."""
    router = APIRouter(
        tags=["internal"],
        responses={s: PROBLEMS[s] for s in (400, 401, 403, 408, 413, 422, 429, 503)},
    )

    @router.get("/internal/keys")
    async def keys(who: Annotated[Caller, Depends(caller)]) -> KeyState:
        """Which key-encryption keys are in use, and the progress of the key jobs."""
        require(who, "admin")
        return await rotation.state()

    @router.post("/internal/keys/{job}/start", status_code=202, responses={404: PROBLEMS[404]})
    async def start(
        job: str, command: KeyCommand, who: Annotated[Caller, Depends(caller)]
    ) -> Progress:
        """Begin a job, or resume it where it was stopped."""
        require(who, "admin")
        return await rotation.command(who, job, "start", command.reference)

    @router.post("/internal/keys/{job}/stop", responses={404: PROBLEMS[404]})
    async def stop(
        job: str, command: KeyCommand, who: Annotated[Caller, Depends(caller)]
    ) -> Progress:
        """Begin no further batch; finished batches stay done."""
        require(who, "admin")
        return await rotation.command(who, job, "stop", command.reference)

    return router
