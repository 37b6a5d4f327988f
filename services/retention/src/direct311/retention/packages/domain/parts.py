"""What the owners of a record answer about it for a case, and what of it goes into a package."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from direct311.retention.case_file.packages import CollectedPart
from direct311.schemas import Instant, Model

MARK: Final = re.compile(r"\[■ ([^\[\]]{1,100})\]")
"""What stands in a text for something that is withheld; the group is the citation."""


class WithheldItem(Model):
    """One item that is withheld, as its owner tells it. `item`: the field, or its part as
    `<field>:<start>-<end>`."""

    item: str
    field: str
    code: str
    citation: str
    decided_by: str
    decided_at: Instant
    version: int


class Rendering(Model):
    """A record as it may go out. `version`: the record's. `decisions`: SHA-256 (hex) of the
    decisions by which it was rendered. `public`: what the public view has. `fields`: the texts that
    only a grant opens, with a mark in place of what is withheld."""

    record_id: str
    version: int
    decisions: str
    public: Mapping[str, Any]
    fields: Mapping[str, str]
    withheld: tuple[WithheldItem, ...] = ()


class RecordPart(Model):
    """One record as it goes into a package, with the rows of the exemption log about it."""

    rendering: Rendering
    job_history: Mapping[str, Any] | None = None

    @property
    def record_id(self) -> str:
        return self.rendering.record_id

    @property
    def content(self) -> Mapping[str, Any]:
        """What the package has about the record."""
        found = self.rendering
        return {
            "record_id": found.record_id,
            "version": found.version,
            "public": dict(found.public),
            "fields": dict(found.fields),
            "job_history": None if self.job_history is None else dict(self.job_history),
        }

    @property
    def log_rows(self) -> Iterable[Mapping[str, Any]]:
        """The rows of the exemption log, in the owner's order."""
        for each in self.rendering.withheld:
            yield {"record_id": self.record_id, **each.model_dump(mode="json")}

    @property
    def decided_at(self) -> datetime | None:
        """When the last item was decided, of those that are withheld."""
        return max((each.decided_at for each in self.rendering.withheld), default=None)

    def sealed_form(self) -> bytes:
        """The bytes that are sealed; `read` reads them."""
        return canonical(self.model_dump(mode="json"))

    @classmethod
    def read(cls, plain: bytes) -> "RecordPart":
        """What `sealed_form` wrote."""
        return cls.model_validate_json(plain)

    def collected(self, by: str, at: datetime) -> tuple[CollectedPart, bytes]:
        """What the case file keeps of it, and the bytes that are sealed."""
        plain = self.sealed_form()
        part = CollectedPart(
            record_id=self.record_id,
            version=self.rendering.version,
            decisions=self.rendering.decisions,
            sha256=sha256(plain).hexdigest(),
            size=len(plain),
            withheld=len(self.rendering.withheld),
            decided_at=self.decided_at,
            collected_by=by,
            collected_at=at,
        )
        return part, plain


def marks_agree(rendering: Rendering) -> bool:
    """Whether each field has as many marks with a citation as the exemption log has rows for it.
    A mark without a row would withhold without a reason, and a row without a mark would release."""
    marks = Counter(
        (field, citation)
        for field, text in rendering.fields.items()
        for citation in MARK.findall(text)
    )
    rows = Counter((each.field, each.citation) for each in rendering.withheld)
    return marks == rows


def canonical(value: object) -> bytes:
    """The one form of a JSON value in a package: keys sorted, no white space, UTF-8."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()
