"""Every version of the privacy policy and the e-mail notice, open to everybody."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response

from direct311.intake.catalogue.domain.policy import PolicyVersion
from direct311.intake.language import Language, preferred
from direct311.intake.submission.handlers.agreement import Agreement
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS
from direct311.runtime.http.documents import is_known
from direct311.schemas import Model

FRESH_FOR = 300
"""How many seconds an answer may be reused without asking again; a new version takes effect at
midnight."""

_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Unchanged: If-None-Match has the current ETag"}
}


class PolicyAnswer(Model):
    """A version of the policy, in one language. `changes`: what changed since the version
    before."""

    version: str
    language: str
    effective_from: str
    in_force: bool
    express_consent: bool
    title: str
    body: str
    changes: str | None
    wording: str
    translations_reviewed: bool
    email_notice_version: str
    email_notice: str
    email_notice_citation: str
    contact: dict[str, str]


class PolicyLine(Model):
    """An entry in the list of versions."""

    version: str
    effective_from: str
    in_force: bool
    express_consent: bool
    changes: str | None
    email_notice_version: str


class PoliciesAnswer(Model):
    """All versions, newest first, including those that have not taken effect yet."""

    language: str
    versions: Sequence[PolicyLine]


Wanted = Annotated[
    Language | None, Query(description="if missing, Accept-Language decides; then English")
]
Accepted = Annotated[str, Header(alias="Accept-Language")]
Seen = Annotated[str, Header(alias="If-None-Match")]


def policy_router(agreement: Agreement) -> APIRouter:
    api = APIRouter(
        prefix="/v1/policy",
        responses={**{status: PROBLEMS[status] for status in (404, 422, 429)}, **_NOT_MODIFIED},
    )

    @api.get("", response_model=PolicyAnswer)
    async def in_force(language: Wanted = None, accept: Accepted = "", seen: Seen = "") -> Response:
        """The privacy policy and the e-mail notice that are in force."""
        policy = agreement.in_force()
        if policy is None:
            raise RefusedError("not_found", "No policy is in force.")
        wanted = language or preferred(accept)
        return _cached(_policy(policy, wanted, policy), wanted, seen)

    @api.get("/versions", response_model=PoliciesAnswer)
    async def versions(language: Wanted = None, accept: Accepted = "", seen: Seen = "") -> Response:
        """Every version: past, in force, and future."""
        wanted = language or preferred(accept)
        current = agreement.in_force()
        lines = [_line(each, wanted, current) for each in agreement.policies.history()]
        return _cached(PoliciesAnswer(language=wanted, versions=lines), wanted, seen)

    @api.get("/{version}", response_model=PolicyAnswer)
    async def one(
        version: Annotated[str, Path(max_length=40)],
        language: Wanted = None,
        accept: Accepted = "",
        seen: Seen = "",
    ) -> Response:
        """A version of the privacy policy, whether or not it is in force."""
        policy = agreement.policies.by_version(version)
        if policy is None:
            raise RefusedError("not_found", "There is no such version.")
        wanted = language or preferred(accept)
        return _cached(_policy(policy, wanted, agreement.in_force()), wanted, seen)

    return api


def _cached(answer: Model, language: Language, seen: str) -> Response:
    body = answer.model_dump_json().encode()
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": etag,
        "Cache-Control": f"public, max-age={FRESH_FOR}",
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    if is_known(seen, etag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


def _line(each: PolicyVersion, language: Language, current: PolicyVersion | None) -> PolicyLine:
    return PolicyLine(
        version=each.version,
        effective_from=each.effective_from.isoformat(),
        in_force=each == current,
        express_consent=each.express_consent,
        changes=each.changes.get(language),
        email_notice_version=each.email_notice.version,
    )


def _policy(
    policy: PolicyVersion, language: Language, current: PolicyVersion | None
) -> PolicyAnswer:
    text = policy.texts[language]
    return PolicyAnswer(
        version=policy.version,
        language=language,
        effective_from=policy.effective_from.isoformat(),
        in_force=policy == current,
        express_consent=policy.express_consent,
        title=text.title,
        body=text.body,
        changes=policy.changes.get(language),
        wording=policy.wording,
        translations_reviewed=policy.translations_reviewed,
        email_notice_version=policy.email_notice.version,
        email_notice=policy.email_notice.texts[language],
        email_notice_citation=policy.email_notice.citation,
        contact=policy.contact.model_dump(),
    )
