"""Something that waits for an approval."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from direct311.retention.cases.domain import CaseKind

What = Literal["grant", "denial", "package", "leaks", "release", "hold_release"]
"""`leaks`: what stopped the newest build, and is to be cleared or reviewed. `release`: a package
that is approved. `hold_release`: a hold that its case need not keep any longer."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that a person may approve now. `number`: of the grant, the denial or the hold, or
    the hash of the package. `roles`: in which of their roles. `since`: when it was prepared; for a
    release when the last approval was given, for a hold when it became free to be released. A hold
    does not say of which kind its case is."""

    what: What
    case_id: str | None
    since: datetime
    number: str | None = None
    kind: CaseKind | None = None
    roles: tuple[str, ...] = ()
    prepared_by: str | None = None
