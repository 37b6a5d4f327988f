"""Asks retention's case desk."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from direct311.intake.case_desk import LONGEST_ANSWER, content_of, refused, unavailable
from direct311.intake.deliveries.domain import EncryptedFile
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError, Peer

_REFUSALS: Final[Mapping[str, str]] = {
    "unknown_code": "No delivery has this code, or it was used.",
    "not_readable": "It no longer exists.",
    "recalled": "The county has recalled this package. Ask the desk that gave you the code.",
    "receipted": "Another receipt was given.",
}


class RetentionDeliveries:
    """`DeliveryDesk` through `POST /internal/deliveries/…` of retention."""

    def __init__(self, retention: Peer) -> None:
        self._retention = retention

    async def download(self, code: str) -> EncryptedFile:
        path, question = "/internal/deliveries/download", {"code": code}
        # Leaving this closes the call; the content leaves it when it is read or closed.
        async with AsyncExitStack() as calling:
            try:
                answer = await calling.enter_async_context(
                    self._retention.stream(path, question, seconds=LONGEST_ANSWER)
                )
                return EncryptedFile(
                    sha256=answer.headers["x-delivery-sha256"],
                    size=int(answer.headers["content-length"]),
                    content=content_of(answer, calling.pop_all()),
                )
            except HttpError as error:
                raise refused(error, _REFUSALS) from None
            except (TransientError, KeyError, ValueError):
                raise unavailable() from None

    async def receipt(self, code: str, receipt: str) -> None:
        said = {"code": code, "receipt": receipt}
        try:
            await self._retention.post("/internal/deliveries/receipt", said, seconds=LONGEST_ANSWER)
        except HttpError as error:
            raise refused(error, _REFUSALS) from None
        except TransientError:
            raise unavailable() from None
