"""Asks media for the files of a record, on behalf of the worker."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Literal

from direct311.retention.cases.domain import CaseKind
from direct311.retention.packages.adapters.owners import ask, not_rendered
from direct311.retention.packages.domain.courses import course_of
from direct311.retention.packages.domain.files import WithheldItem, rows_of
from direct311.retention.packages.ports import (
    ArrivingFile,
    BrokenOffError,
    NoFile,
    NotRendered,
    WithheldFile,
)
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError, Peer, Streamed
from direct311.schemas import Model

LONGEST_RENDERING: Final = 120.0
"""In seconds, for each part of an answer: pages are rendered before the first one."""
MOST_JSON: Final = 4 * 1024 * 1024
"""The most bytes of an answer without a file."""
_KINDS: Final[Mapping[str, Literal["original", "redacted"]]] = {
    "original": "original",
    "redacted": "redacted",
}
_GONE: Final[Mapping[int, str]] = {404: "not_found", 410: "not_readable"}
_Found = ArrivingFile | WithheldFile | NoFile | NotRendered


class _Exemptions(Model):
    media_id: str
    decisions: str
    outcome: str
    unrenderable: str | None = None
    withheld: tuple[WithheldItem, ...] = ()

    @property
    def rows(self) -> tuple[WithheldItem, ...]:
        """As the exemption log has them.

        :raises ValueError: a row is of something else.
        """
        return tuple(
            rows_of(self.media_id, ((_page(self.media_id, row), row) for row in self.withheld))
        )


class PeerFiles:
    """Implements `Files` by media's `POST /internal/cases/{case}/files/{file}/rendering` and
    `…/exemptions`."""

    def __init__(self, media: Peer) -> None:
        self._media = media

    @asynccontextmanager
    async def rendering(
        self, case_id: str, media_id: str, purpose: CaseKind, authorization: str
    ) -> AsyncIterator[_Found]:
        path = f"/internal/cases/{case_id}/files/{media_id}"
        question = {"purpose": purpose, "recipient": course_of(purpose).recipient}
        async with AsyncExitStack() as calling:
            found: _Found
            try:
                answer = await calling.enter_async_context(
                    self._media.stream(
                        f"{path}/rendering",
                        question,
                        on_behalf_of=authorization,
                        seconds=LONGEST_RENDERING,
                    )
                )
                found = await self._found(answer, path, media_id, purpose, authorization)
            except HttpError as error:
                gone = _GONE.get(error.status or 0)
                found = NoFile(gone) if gone else not_rendered(error)
            except (TransientError, KeyError, ValueError):
                # The message of an answer that cannot be read has what was answered.
                found = NotRendered("unavailable")
            yield found

    async def _found(
        self, answer: Streamed, path: str, media_id: str, purpose: CaseKind, authorization: str
    ) -> _Found:
        """:raises HttpError: it breaks off. :raises KeyError, ValueError: it is not of this
        form."""
        headers = answer.headers
        if "direct311-sha256" not in headers:
            exemptions = _Exemptions.model_validate_json(await _read(answer))
            if exemptions.media_id != media_id or exemptions.outcome != "withhold":
                return NotRendered("unavailable")
            return WithheldFile(exemptions.decisions, exemptions.rows, exemptions.unrenderable)
        outcome = _KINDS[headers["direct311-kind"]]
        decisions = headers["direct311-decisions"]
        rows: tuple[WithheldItem, ...] = ()
        if outcome == "redacted":
            told = await ask(self._media, f"{path}/exemptions", {"purpose": purpose}, authorization)
            if isinstance(told, NotRendered):
                return told
            exemptions = _Exemptions.model_validate(told)
            if exemptions.decisions != decisions:
                return NotRendered("changed")
            rows = exemptions.rows
            if not rows:
                return NotRendered("marks")
        return ArrivingFile(
            outcome=outcome,
            decisions=decisions,
            content_type=headers["content-type"].partition(";")[0],
            sha256=headers["direct311-sha256"],
            warnings=[each for each in headers["direct311-warnings"].split(",") if each],
            withheld=rows,
            content=_content(answer),
        )


async def _content(answer: Streamed) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.pieces:
            yield piece
    except HttpError:
        raise BrokenOffError("a file broke off") from None


async def _read(answer: Streamed) -> bytes:
    body = bytearray()
    async for piece in answer.pieces:
        body += piece
        if len(body) > MOST_JSON:
            raise ValueError("a longer answer")
    return bytes(body)


def _page(media_id: str, row: WithheldItem) -> int | None:
    """The page of a box, from its row at media: `file:<media id>:p<page>`."""
    item = f"file:{media_id}"
    if row.item == item:
        return None
    if not row.item.startswith(f"{item}:p"):
        raise ValueError("a row of something else")
    return int(row.item.removeprefix(f"{item}:p"))
