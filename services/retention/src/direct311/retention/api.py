"""What the HTTP interfaces of the capabilities share: who may read, and paging."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Path, Query, Request

from direct311.runtime.access import reasons
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import require
from direct311.schemas import Model, RecordId

READERS: Final = ROLES.records
INTAKE: Final = "svc:intake"
"""The gateway, the only service that the public calls."""
CallerOf = Callable[[Request], Awaitable[Caller]]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]
Id = Annotated[RecordId, Path()]


def only_intake(caller: Caller) -> None:
    """:raises RefusedError: the caller is not the gateway, the only service that the public
    calls."""
    require(caller, "service")
    if caller.sub != INTAKE or caller.via is not None:
        raise RefusedError("caller", "Only the intake service may pass on the public's requests.")


class Reason(Model, extra="forbid"):
    reason: reasons.Reason
