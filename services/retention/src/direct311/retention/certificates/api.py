"""Certificates and the yearly statement over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from direct311.retention.api import READERS, CallerOf, Id
from direct311.retention.certificates.domain import Content, Statement, digest
from direct311.retention.certificates.handlers import Certification
from direct311.retention.certificates.ports import Seal
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require


class CertificateView(Content):
    """`sha256`: of all other fields as JSON with sorted keys, no white space, UTF-8."""

    sha256: str


class StatementView(Statement):
    """`sha256` as for a certificate; `signature` (Ed25519, hex) covers its 32 bytes."""

    sha256: str
    keyid: str
    signature: str


def router(certification: Certification, seal: Seal, caller_of: CallerOf) -> APIRouter:
    """What was destroyed."""
    api = APIRouter(prefix="/v1", tags=["certificates"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/certificates/{certificate_id}", response_model_exclude_none=True)
    async def certificate(certificate_id: Id, caller: Annotated[Caller, who]) -> CertificateView:
        """A certificate of destruction, or its supplement."""
        require(caller, *READERS, "service")
        content, sha256 = await certification.certificate(certificate_id)
        return CertificateView(**content.model_dump(), sha256=sha256)

    @api.get("/compliance", response_model_exclude_none=True)
    async def compliance(
        caller: Annotated[Caller, who],
        fiscal_year: Annotated[
            int, Query(ge=2000, le=2200, description="named after the year in which it ends")
        ],
    ) -> StatementView:
        """The yearly compliance statement: what was disposed of, by item, signed."""
        require(caller, *READERS)
        statement = await certification.statement(fiscal_year, caller.sub)
        sha256 = digest(statement)
        return StatementView(
            **statement.model_dump(),
            sha256=sha256,
            keyid=seal.keyid,
            signature=seal.sign_bytes(bytes.fromhex(sha256)).hex(),
        )

    return api
