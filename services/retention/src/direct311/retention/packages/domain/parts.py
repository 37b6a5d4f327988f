"""What the owners of a record answer about it for a case, and what of it goes into a package."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal

from direct311.retention.case_file.packages import CollectedPart, WithheldOfFile
from direct311.retention.packages.domain.files import CollectedFile, WithheldItem
from direct311.schemas import Model, replaced
from direct311.schemas.model import RecordId

MARK: Final = re.compile(r"\[■ ([^\[\]]{1,100})\]")
"""What stands in a text for something that is withheld; the group is the citation."""


class FileOfRecord(Model):
    """A file that came with a record. `kept`: media has it. `rejected`: media did not take it, for
    a `reason`. `arriving`: media has not said yet."""

    media_id: RecordId
    state: Literal["kept", "rejected", "arriving"]
    reason: str | None = None


class Rendering(Model):
    """A record as it may go out. `version`: the record's. `decisions`: SHA-256 (hex) of the
    decisions by which it was rendered. `public`: what the public view has. `fields`: the texts that
    only a grant opens, with a mark in place of what is withheld. `files`: those that came with
    it."""

    record_id: str
    version: int
    decisions: str
    public: Mapping[str, Any]
    fields: Mapping[str, str]
    withheld: tuple[WithheldItem, ...] = ()
    files: tuple[FileOfRecord, ...] = ()


class RecordPart(Model):
    """One record as it goes into a package, with the rows of the exemption log about it. `files`:
    what goes out of its files."""

    rendering: Rendering
    job_history: Mapping[str, Any] | None = None
    files: tuple[CollectedFile, ...] = ()

    @property
    def record_id(self) -> str:
        return self.rendering.record_id

    @property
    def content(self) -> Mapping[str, Any]:
        """What the package has about the record."""
        found = self.rendering
        content = {
            "record_id": found.record_id,
            "version": found.version,
            "public": dict(found.public),
            "fields": dict(found.fields),
            "job_history": None if self.job_history is None else dict(self.job_history),
        }
        if self.files:
            content["files"] = [dict(each.shown(self.record_id)) for each in self.files]
        return content

    def with_files(self, files: Iterable[CollectedFile]) -> "RecordPart":
        """A copy with what goes out of its files."""
        return replaced(self, files=tuple(files))

    @property
    def files_out(self) -> Sequence[CollectedFile]:
        """The files whose bytes go out."""
        return [each for each in self.files if each.goes_out]

    @property
    def withheld_files(self) -> tuple[WithheldOfFile, ...]:
        """The files of which something does not go out."""
        return tuple(
            WithheldOfFile(
                media_id=each.media_id,
                decisions=each.decisions,
                whole=each.outcome == "withheld",
            )
            for each in self.files
            if each.outcome in ("redacted", "withheld") and each.decisions is not None
        )

    @property
    def withheld(self) -> Sequence[WithheldItem]:
        """What is withheld of the record and of its files, in the owners' order."""
        return (*self.rendering.withheld, *(row for each in self.files for row in each.withheld))

    @property
    def log_rows(self) -> Iterable[Mapping[str, Any]]:
        """The rows of the exemption log, in the owners' order."""
        for each in self.withheld:
            yield {"record_id": self.record_id, **each.model_dump(mode="json")}

    @property
    def decided_at(self) -> datetime | None:
        """When the last item was decided, of those that are withheld."""
        return max((each.decided_at for each in self.withheld), default=None)

    def sealed_form(self) -> bytes:
        """The bytes that are sealed; `read` reads them. What came later is left out where it is
        empty, so that the same answers give the same bytes as before it came."""
        written = self.model_dump(mode="json")
        if not self.files:
            del written["files"]
        if not self.rendering.files:
            del written["rendering"]["files"]
        return canonical(written)

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
            withheld=len(self.withheld),
            files=sum(each.goes_out for each in self.files),
            files_size=sum(each.size for each in self.files),
            withheld_files=self.withheld_files,
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
