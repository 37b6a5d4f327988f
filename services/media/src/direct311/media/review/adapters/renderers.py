"""The renderer: worker processes, and a second look at what they answer."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar, get_args

from direct311.media.decisions import Box
from direct311.media.pictures import require_bare_parts
from direct311.media.ports import UncleanCopyError
from direct311.media.review.adapters.image_pdf import require_image_pdf
from direct311.media.review.adapters.rendering import RenderLimits
from direct311.media.review.domain import (
    PDF,
    Burnt,
    FileFingerprints,
    Look,
    PageImage,
    Unrenderable,
)
from direct311.media.review.ports import RendererBusyError, UnrenderableError
from direct311.media.workers import ConfinedWorkers, Head, WorkerDiedError

T = TypeVar("T")
_WORKER = "direct311.media.review.adapters.render_worker"
_CRASHES = 2


class RendererProcesses:
    """Implements `Renderer`. At most `processes` files are rendered at a time.

    A file that kills its worker is tried once more in a new process; the second time it is
    `unreadable`. One that uses up the worker's seconds of the processor is `timed_out`. What a
    worker calls a rendering is taken apart again here, by its bytes alone.
    """

    def __init__(
        self, *, processes: int = 1, limits: RenderLimits | None = None, patience: float = 300.0
    ) -> None:
        told = (limits or RenderLimits()).model_dump_json()
        self._workers = ConfinedWorkers(_WORKER, told, processes=processes, patience=patience)

    async def look(self, data: bytes, content_type: str) -> Look:
        head = {"do": "look", "content_type": content_type}
        try:
            return await self._ask(head, data, _look)
        except UnrenderableError as error:
            return Look(unrenderable=error.reason)

    async def page(self, data: bytes, content_type: str, number: int) -> PageImage:
        head = {"do": "page", "content_type": content_type, "number": number}
        return await self._ask(head, data, _page)

    async def burn(self, data: bytes, content_type: str, boxes: Sequence[Box]) -> Burnt:
        told = [box.model_dump(mode="json") for box in boxes]
        head = {"do": "burn", "content_type": content_type, "boxes": told}
        return await self._ask(head, data, _burnt)

    async def fingerprint(
        self, data: bytes, content_type: str, record_id: str, boxes: Sequence[Box], key: bytes
    ) -> FileFingerprints:
        head = {
            "do": "fingerprint",
            "content_type": content_type,
            "record_id": record_id,
            "boxes": [box.model_dump(mode="json") for box in boxes],
            "key": key.hex(),
        }
        return await self._ask(head, data, _fingerprints)

    async def aclose(self) -> None:
        """Ends all workers. Their unfinished work is dropped."""
        await self._workers.aclose()

    async def _ask(self, head: Head, data: bytes, read: Callable[[Head, bytes], T]) -> T:
        """:raises UnrenderableError: the file cannot be rendered. :raises UncleanCopyError: what
        came holds more than pixels; nothing of it may go out."""
        for _ in range(_CRASHES):
            try:
                answer = await self._workers.ask(head, data, partial(_told, read))
            except WorkerDiedError as error:
                if error.timed_out:
                    raise UnrenderableError("timed_out") from None
            except TimeoutError:
                raise RendererBusyError("nothing was rendered in time") from None
            else:
                if isinstance(answer, UnrenderableError):
                    raise answer
                return answer
        raise UnrenderableError("unreadable")


def _told(read: Callable[[Head, bytes], T], head: Head, body: bytes) -> T | UnrenderableError:
    """What the worker says; a refusal is an honest answer, after which it lives on."""
    if head.get("unclean"):
        raise _unclean()
    if (reason := head.get("unrenderable")) is None:
        return read(head, body)
    if reason not in get_args(Unrenderable):
        raise _unclean()
    return UnrenderableError(reason)


def _look(head: Head, _: bytes) -> Look:
    return Look.model_validate(head["look"])


def _page(head: Head, body: bytes) -> PageImage:
    require_bare_parts(body, head["content_type"])
    return PageImage(content_type=head["content_type"], data=body)


def _burnt(head: Head, body: bytes) -> Burnt:
    if head["content_type"] == PDF:
        require_image_pdf(body)
    else:
        require_bare_parts(body, head["content_type"])
    return Burnt(content_type=head["content_type"], data=body)


def _fingerprints(_: Head, body: bytes) -> FileFingerprints:
    return FileFingerprints.model_validate_json(body)


def _unclean() -> UncleanCopyError:
    return UncleanCopyError("a rendering holds more than pixels")
