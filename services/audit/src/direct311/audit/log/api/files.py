"""`/log/`: the log as C2SP tlog-tiles, for auditors and witnesses. All of it is ciphertext."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from direct311.audit.log.handlers.files import LogFiles
from direct311.audit.log.handlers.log_keys import LogKeys
from direct311.audit.log.ports.log import Log, MissingTileError
from direct311.audit.log.ports.publication import Published
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.verifier.tiles import WIDTH, TileError, parse_path

_TEXT = "text/plain; charset=utf-8"
_OCTETS = "application/octet-stream"
_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_NOW = {"Cache-Control": "no-store"}


def log_router(
    log: Log,
    files: LogFiles,
    published: Published,
    keys: LogKeys,
    clock: Clock,
    caller: Callable[[Request], Awaitable[Caller]],
) -> APIRouter:
    """Checkpoint, verifier keys, tiles and entry bundles."""

    async def reader(who: Annotated[Caller, Depends(caller)]) -> None:
        require(who, "auditor", "witness")

    router = APIRouter(
        prefix="/log",
        tags=["log"],
        dependencies=[Depends(reader)],
        responses={status: PROBLEMS[status] for status in (401, 403, 429)},
    )

    def plain(description: str, media_type: str) -> dict[int | str, dict[str, object]]:
        return {200: {"description": description, "content": {media_type: {}}}}

    @router.get(
        "/checkpoint",
        response_class=Response,
        responses={**plain("A signed note", "text/plain"), 503: PROBLEMS[503]},
    )
    async def checkpoint() -> Response:
        """The published checkpoint (c2sp.org/tlog-checkpoint): the log's head, signed by the log
        and, if a policy requires it, cosigned by a quorum of witnesses
        (c2sp.org/tlog-cosignature)."""
        note = (await published.current()).note
        return Response(note, media_type=_TEXT, headers=_NOW)

    @router.get(
        "/vkey",
        response_class=Response,
        responses={**plain("One key per line", "text/plain"), 503: PROBLEMS[503]},
    )
    async def vkey() -> Response:
        """The log's current verifier keys (c2sp.org/signed-note), one per line: one key, or two
        while one replaces the other. Compare them with the published keys."""
        text = "".join(f"{each.key}\n" for each in keys.in_force(clock.now()))
        return Response(text, media_type=_TEXT, headers=_NOW)

    @router.get(
        "/tile/{path:path}",
        response_class=Response,
        responses={
            **plain("The file", "application/octet-stream"),
            404: PROBLEMS[404],
            503: PROBLEMS[503],
        },
    )
    async def tile(path: str) -> Response:
        """A hash tile (`<level>/<index>`) or bundle (`entries/<index>`), partial with `.p/<width>`
        (c2sp.org/tlog-tiles)."""
        try:
            wanted = parse_path(f"tile/{path}")
            content = await files.read(wanted, await log.head())
        except (TileError, MissingTileError):
            raise RefusedError(
                "not_found", "The log does not have this file, or does not have it yet."
            ) from None
        headers = _FOR_EVER if wanted.width == WIDTH else _NOW
        return Response(content, media_type=_OCTETS, headers=headers)

    return router
