"""Who calls which operations of a service: two, in turn.

The first gets past the door: the first rule that is found for the path gives a role, or a service.
The second is of another role: one who may call too where the table of `tests/protection` has one,
and else one who may not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SERVICE = ("svc-", "dept-")
"""What the names of services and of departments' systems begin with at the issuer."""
LINK = "link"
"""In place of a role: the reporter's signed link."""

CALLERS: dict[str, tuple[tuple[str, str], ...]] = {
    "intake": (
        (r"/(follow|subject|accesses|corrections|comments|media|withdraw|notifications)$", LINK),
        (r"/disposal/approval$", "records_officer"),
        (r"/v1/protections", "custodian"),
        (r"/internal/persons/group", "svc-audit"),
        (r"/internal/work-notes", "svc-routing"),
        (r"/v1/breach-notices", "counsel"),
        (r"/v1/cases|/internal/cases", "custodian"),
        (r"/v1/clients|/internal/keys", "admin"),
        (r"/release$", "inspector"),
        (r"/internal/key-fetches", "svc-audit"),
        (r"", "agent"),
    ),
    "media": (
        (r"/internal/keys", "admin"),
        (r"/v1/cases", "custodian"),
        (r"/internal/cases", "svc-retention"),
        (r"/internal/media", "agent"),
        (r"/internal/key-fetches", "svc-audit"),
        (r"", "svc-intake"),
    ),
    "geo": ((r"/internal/normalise", "svc-intake"), (r"", "admin")),
    "routing": (
        (r"/history$", "custodian"),
        (r"/(routed|updates)$", "dept-parks"),
        (r"", "agent"),
    ),
    "retention": (
        (r"/internal/(cases|deliveries|legal-requests)", "svc-intake"),
        (r"/internal/keys", "admin"),
        (r"/internal/key-fetches", "svc-audit"),
        (r"/v1/holds/.*/release", "counsel"),
        (r"/(approve|reject)$", "records_officer"),
        (r"/v1/legal-instruments|/(legal-process|verification|refusal|exigent)$", "liaison"),
        (r"/(legal-scope|objection|notice|custody|delivery|code)$", "liaison"),
        (r"/v1/oral-disclosures", "emergency"),
        (r"/v1/referrals", "inspector"),
        (r"/v1/exemption-log", "records_officer"),
        (r"/v1/breach-letters|/clearance$", "counsel"),
        (r"", "custodian"),
    ),
    "audit": (
        (r"/internal/index", "auditor"),
        (r"/internal/keys", "admin"),
        (r"/internal/key-fetches", "svc-audit"),
        (r"/internal/subject", "svc-intake"),
        (r"/internal/cases", "svc-retention"),
        (r"/v1/holds|/v1/cases/.*/entries", "custodian"),
        (r"/v1/subject", LINK),
        (r"", "auditor"),
    ),
}

OUTSIDERS = ("auditor", "agent", "custodian")
"""Who may not call, where one of these may not."""
PARKS = "department:parks"

NOT_PAST_THE_DOOR = {
    # A rebuild of the index keeps all other questions waiting (503).
    "audit GET /internal/index/rebuild",
    "audit POST /internal/index/rebuild",
    # Only a grant of a case that names the caller opens it: tests/e2e/test_disclosure_grants.py.
    "routing POST /v1/jobs/{record_id}/history",
    # So it is with the files of a case: tests/e2e/test_file_review.py.
    "media POST /v1/cases/{case_id}/files/{media_id}/review",
    "media POST /v1/cases/{case_id}/files/{media_id}/pages/{page}",
    "media PUT /v1/cases/{case_id}/files/{media_id}/decisions",
    # Likewise: tests/e2e/test_case_review.py.
    "intake POST /v1/cases/{case_id}/records/{record_id}/review",
    "intake PUT /v1/cases/{case_id}/records/{record_id}/decisions",
    "intake POST /internal/cases/{case_id}/records/{record_id}/rendering",
    "intake POST /internal/cases/{case_id}/leaks",
}
"""Operations that a token opens, and whose callers here are all refused."""


@dataclass(frozen=True, slots=True)
class Caller:
    """`role`: a role, a service or `LINK`. `may`: whether the door lets it in."""

    role: str
    may: bool


@cache
def table() -> dict[str, Any]:
    """Who may call which operation: service, method and path."""
    matrix = Path(__file__).parents[1] / "protection" / "matrix.yaml"
    found: dict[str, Any] = yaml.safe_load(matrix.read_text())["endpoints"]
    return found


def _first(service: str, path: str) -> str:
    return next(role for rule, role in CALLERS[service] if re.search(rule, path))


@cache
def callers(service: str, method: str, path: str) -> tuple[Caller, ...]:
    """Who calls an operation, one after the other."""
    first = _first(service, path)
    allowed = table().get(f"{service} {method.upper()} {path}")
    if not isinstance(allowed, list):
        # Open to everybody, or to clients by their keys: no token makes a difference.
        return (Caller(first, True),)
    # A rule of paths may be wider than the operation's own.
    own = Caller(first, first in allowed or first.startswith(SERVICE) or first == LINK)
    also = [role for role in allowed if role != first]
    if also and own.may:
        return own, Caller(PARKS if also[0] == "department" else also[0], True)
    others = (role for role in OUTSIDERS if role != first and role not in allowed)
    return own, *(Caller(role, False) for role in list(others)[:1])


def roles(service: str) -> Iterator[str]:
    """Everybody who calls an operation of the service."""
    yield from (role for _, role in CALLERS[service])
    for name in table():
        its, method, path = name.split(" ", 2)
        if its == service:
            yield from (caller.role for caller in callers(service, method, path))
