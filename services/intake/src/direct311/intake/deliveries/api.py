"""The gateway's calls for whoever was told a one-time code. No API key is needed."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import Field

from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.deliveries.handlers import Deliveries
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.http.downloads import Download
from direct311.schemas import Model
from direct311.schemas.model import Code

T = TypeVar("T")
LONGEST_CODE: Final = 100
AGE: Final[dict[str, Any]] = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
}


class DeliveryCodeOrder(Model, extra="forbid"):
    """`code`: as you were told; upper and lower case and hyphens do not matter."""

    code: Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]


class DeliveryReceipt(DeliveryCodeOrder):
    """`receipt`: your own code for what you received, such as a property receipt."""

    receipt: Annotated[Code, Field(examples=["SPD-1187"])]


class DeliveryReceived(Model):
    """The county has your receipt."""

    received: bool


def deliveries_router(deliveries: Deliveries, failed_codes: FailedKeys) -> APIRouter:
    """For whoever has a code."""
    api = APIRouter(
        prefix="/v1/deliveries",
        tags=["deliveries"],
        responses={status: PROBLEMS[status] for status in (400, 404, 409, 410, 422, 429, 503)},
    )

    @api.post("/download", response_class=Response, responses={200: {"content": AGE}})
    async def download(body: DeliveryCodeOrder, request: Request) -> Response:
        """What the county has encrypted for you: an age file. The code is good for one download;
        if it breaks off, ask for another code. `X-Delivery-SHA256` is the file's hash. Any code
        that opens nothing gets the same answer."""
        found = await _limited(request, failed_codes, lambda: deliveries.download(body.code))
        return Download(
            found.content,
            media_type="application/octet-stream",
            headers={
                "Cache-Control": "no-store",
                "Content-Length": str(found.size),
                "Content-Disposition": f'attachment; filename="{found.sha256}.age"',
                "X-Content-Type-Options": "nosniff",
                "X-Delivery-SHA256": found.sha256,
            },
        )

    @api.post("/receipt")
    async def receipt(body: DeliveryReceipt, request: Request) -> DeliveryReceived:
        """Say that you have received it, with the code that opened it. May be repeated."""
        await _limited(request, failed_codes, lambda: deliveries.receipt(body.code, body.receipt))
        return DeliveryReceived(received=True)

    return api


async def _limited(
    request: Request, failed_codes: FailedKeys, ask: Callable[[], Awaitable[T]]
) -> T:
    """:raises RefusedError: as `ask`, or its sender tried too many wrong codes."""
    try:
        return await ask()
    except RefusedError as error:
        wait = failed_codes.wait(request) if error.code == "unknown_code" else None
        if wait is not None:
            raise RefusedError(
                "too_often", "Too many calls without a good code.", retry_after=wait
            ) from None
        raise
