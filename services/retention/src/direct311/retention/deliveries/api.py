"""Deliveries over HTTP: for the desk, and for the gateway on behalf of whoever has a code."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field

from direct311.retention.api import CallerOf, Id, only_intake
from direct311.retention.case_file.deliveries import Delivery
from direct311.retention.deliveries.handlers.codes import Codes
from direct311.retention.deliveries.handlers.downloads import Downloads
from direct311.retention.deliveries.handlers.encrypting import Encrypting
from direct311.retention.deliveries.handlers.receipts import Receipts
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.http.downloads import Download
from direct311.schemas import Instant, Model
from direct311.schemas.model import Code

LONGEST_CODE: Final = 100
AGE: Final[dict[str, Any]] = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
}
Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Of the package, in hex")]


class DeliveryOrder(Model, extra="forbid"):
    """To what the package is encrypted. `key`: the public key that the recipient made with
    `age-keygen`. `passphrase`: with a passphrase, which the answer says. One of the two."""

    key: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    passphrase: Annotated[bool, Field(strict=True)] = False


class DeliveryView(Model):
    """A package as it was encrypted. `sha256`, `size`: of the encrypted file. `passphrase`: only in
    the answer to the call that made it; tell it to the recipient, and write it down nowhere.
    `downloaded`: somebody has downloaded it."""

    package: str
    key: str | None = None
    sha256: str
    size: int
    encrypted_by: str
    encrypted_at: Instant
    downloaded: bool
    passphrase: str | None = None


class CodeView(Model):
    """A one-time code, and where to read it out: at the published number of the verified agency,
    and nowhere else. Nobody can see the code again."""

    code: str
    agency: str
    name: str
    number: str
    valid_until: Instant


class CodeOrder(Model, extra="forbid"):
    """`code`: as it was heard; upper and lower case and hyphens do not matter."""

    code: Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]


class CodeReceipt(CodeOrder):
    """`receipt`: the recipient's own code for it, such as a property receipt."""

    receipt: Annotated[Code, Field(examples=["SPD-1187"])]


class ReceivedView(Model):
    """The receipt is part of the case file."""

    received: bool


def router(
    encrypting: Encrypting,
    codes: Codes,
    desks: tuple[str, ...],
    packagers: tuple[str, ...],
    caller_of: CallerOf,
) -> APIRouter:
    """For the desks of cases whose packages are encrypted, and for those who approve these
    (`packagers`)."""
    api = APIRouter(
        prefix="/v1/cases/{case_id}/packages/{sha256}/delivery",
        tags=["deliveries"],
        responses=PROBLEMS,
    )
    who = Depends(caller_of)

    @api.put("", response_model_exclude_none=True)
    async def encrypt(
        case_id: Id,
        sha256: Sha256,
        body: DeliveryOrder,
        caller: Annotated[Caller, who],
        response: Response,
    ) -> DeliveryView:
        """Encrypt a package to its recipient, before somebody else releases it. The same key again
        changes nothing; every call for a passphrase makes a new one."""
        require(caller, *desks)
        if (body.key is None) is not body.passphrase:
            raise RefusedError(
                "recipient_key", "Say a key, or that it is a passphrase.", field="key"
            )
        response.headers["Cache-Control"] = "no-store"
        made = await encrypting(caller, case_id, sha256, body.key)
        return _view(made.delivery, made.passphrase)

    @api.get("", response_model_exclude_none=True)
    async def look(
        case_id: Id, sha256: Sha256, caller: Annotated[Caller, who], response: Response
    ) -> DeliveryView:
        """To what a package is encrypted, and whether somebody has downloaded it. Opens nothing."""
        require(caller, *packagers)
        response.headers["Cache-Control"] = "no-store"
        return _view(await encrypting.look(caller, case_id, sha256), None)

    @api.post("/code")
    async def tell(
        case_id: Id, sha256: Sha256, caller: Annotated[Caller, who], response: Response
    ) -> CodeView:
        """A one-time code for a released package. Each call makes another one and voids the one
        before, since nobody could see that one again."""
        require(caller, *desks)
        response.headers["Cache-Control"] = "no-store"
        told = await codes.issue(caller, case_id, sha256)
        return CodeView(
            code=told.code,
            agency=told.agency.agency,
            name=told.agency.name,
            number=told.agency.number,
            valid_until=told.told.valid_until,
        )

    return api


def gateway_router(downloads: Downloads, receipts: Receipts, caller_of: CallerOf) -> APIRouter:
    """What the recipient does at the gateway; only for intake, which passes it on."""
    api = APIRouter(prefix="/internal/deliveries", tags=["internal"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/download", response_class=Response, responses={200: {"content": AGE}})
    async def download(body: CodeOrder, caller: Annotated[Caller, who]) -> Response:
        """The encrypted package of a code, which is used up by this. The access is recorded before
        anything is opened. Any code that opens nothing gets the same answer."""
        only_intake(caller)
        found = await downloads.fetch(caller, body.code)
        return Download(
            found.content,
            media_type="application/octet-stream",
            headers={
                "Cache-Control": "no-store",
                "Content-Length": str(found.size),
                "X-Content-Type-Options": "nosniff",
                "X-Delivery-SHA256": found.sha256,
            },
        )

    @api.post("/receipt")
    async def receipt(body: CodeReceipt, caller: Annotated[Caller, who]) -> ReceivedView:
        """The receipt of what a code has opened. May be repeated."""
        only_intake(caller)
        await receipts.give(caller, body.code, body.receipt)
        return ReceivedView(received=True)

    return api


def _view(delivery: Delivery, passphrase: str | None) -> DeliveryView:
    return DeliveryView(
        package=delivery.package,
        key=delivery.key,
        sha256=delivery.sha256,
        size=delivery.size,
        encrypted_by=delivery.encrypted_by,
        encrypted_at=delivery.encrypted_at,
        downloaded=delivery.downloaded,
        passphrase=passphrase,
    )
