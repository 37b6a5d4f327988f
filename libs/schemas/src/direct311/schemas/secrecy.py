"""How long what shows that law enforcement asked is exempt from inspection.

While a case is active, the request, the answer, and everything that shows that they asked are
exempt (section 119.071(2)(c), F.S.). A delayed notice always has an end: at most 90 days after the
document that orders or certifies it, and each extension needs another document (section 934.25(1)
and (4), F.S.; 18 U.S.C. 2705(a)(1) and (4)).
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from direct311.schemas.model import Instant, Model

LAW_ENFORCEMENT = "law_enforcement"
"""The purpose of an access for law enforcement."""

LIAISON = "liaison"
"""The role of staff who answer law enforcement."""

NO_END = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of an exemption whose end nobody knows yet."""

LONGEST_DELAY = timedelta(days=90)
"""How long one document may delay the notice."""


def shows_law_enforcement(purpose: str | None, roles: Collection[str]) -> bool:
    """Whether an access shows that law enforcement asked: by its purpose, or because it is the work
    of somebody who has no other role than the liaison's."""
    return purpose == LAW_ENFORCEMENT or {*roles} == {LIAISON}


class NoticeError(ValueError):
    """A case prolongs a delayed notice without a document. The message repeats nothing from it."""


class DelayedNotice(Model):
    """A delay of the notice to the subject, until an instant.

    `document`: SHA-256 (hex) of the order or certification. `dated_at`: when it was given.
    """

    document: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    dated_at: Annotated[Instant, Field(examples=["2026-03-01T09:00:00Z"])]
    until: Instant

    @model_validator(mode="after")
    def _within_the_limit(self) -> Self:
        if not self.dated_at < self.until <= self.dated_at + LONGEST_DELAY:
            raise ValueError("a notice is delayed by at most 90 days from its document")
        return self

    def extended(self, later: "DelayedNotice") -> "DelayedNotice":
        """The delay after an extension.

        :raises NoticeError: the extension has no document of its own, or its document is older.
        """
        if later.document == self.document or later.dated_at < self.dated_at:
            raise NoticeError("an extension of the delay needs a new document")
        return later
