"""What is stored about a record's files, and under which names."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from direct311.media.decisions import FileDecision
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Model, OnDate, replaced
from direct311.schemas import events as ev


class RejectionReason(StrEnum):
    """The closed list of reasons in `media.rejected`."""

    MISSING = "missing"
    """The bytes never arrived, or were swept before the request arrived."""
    CHANGED = "changed"
    """The bytes differ from those that intake announced (size or SHA-256)."""
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    UNSUPPORTED_TYPE = "unsupported_type"
    TYPE_MISMATCH = "type_mismatch"
    """The file's kind differs from the announced one."""
    DAMAGED = "damaged"
    """The file is cut off, or cannot be decoded within the time and memory limits."""
    BOMB = "bomb"
    """A small file that is enormous when decoded."""


class NoCopyReason(StrEnum):
    """Why an accepted file has no public copy: `reason` of a `media.stored` item without `url`."""

    NO_CLEAN_COPY_FOR_TYPE = "no_clean_copy_for_type"
    PROTECTED = "protected"
    """The record is under section 119.071(4)(d), F.S.: none of it is public."""


class CleanCopy(Model):
    """The public copy: PNG or JPEG without any metadata. `width` and `height` in pixels."""

    content_type: str
    data: bytes
    width: int
    height: int

    def __repr__(self) -> str:
        return f"CleanCopy({self.content_type}, {self.width}x{self.height})"


class PublicCopy(Model):
    """A clean copy in the public bucket. `size` in bytes, `sha256` in hex, sides in pixels."""

    name: str
    content_type: str
    size: int
    sha256: str
    width: int
    height: int


class MediaFile(Model):
    """One upload of a record and its outcome. `size`: bytes of the sealed original."""

    media_id: str
    state: Literal["stored", "rejected", "withdrawn"]
    reason: RejectionReason | NoCopyReason | None = None
    content_type: str | None = None
    size: int = 0
    public: PublicCopy | None = None

    def withdrawn(self) -> "MediaFile":
        """A copy of this without the public copy."""
        return replaced(self, state="withdrawn", reason=NoCopyReason.PROTECTED, public=None)

    def published(self, public: PublicCopy) -> "MediaFile":
        """A copy of this with the public copy."""
        return replaced(self, reason=None, public=public)

    def item(self, public_url: str) -> ev.MediaItem:
        """What events say about it."""
        public = self.public
        return ev.MediaItem(
            media_id=self.media_id,
            state=self.state,
            reason=None if self.reason is None else str(self.reason),
            content_type=self.content_type if public is None else public.content_type,
            url=None if public is None else f"{public_url}/{public.name}",
            size=None if public is None else public.size,
            sha256=None if public is None else public.sha256,
            width=None if public is None else public.width,
            height=None if public is None else public.height,
        )


class RecordMedia(RecordState):
    """All uploads of one record. `department`: who has the job now. `decisions`: what was decided
    about its files for disclosure cases, the newest last. `earlier`: decisions by which something
    was withheld from what went out, and which others have replaced."""

    protected: bool = False
    files: tuple[MediaFile, ...] = ()
    department: str | None = None
    eligible_on: OnDate | None = None
    decisions: tuple[FileDecision, ...] = ()
    earlier: tuple[FileDecision, ...] = ()

    def assigned(self, department: str) -> "RecordMedia":
        """A copy that belongs to this department."""
        return replaced(self, department=department)

    def recalled(self) -> "RecordMedia":
        """A copy that no longer belongs to any department."""
        return replaced(self, department=None)

    def expired(self, eligible_on: date) -> "RecordMedia":
        """A copy eligible for disposition from that day on."""
        return replaced(self, eligible_on=eligible_on)

    def taken_in(self, files: Iterable[MediaFile], *, protected: bool) -> "RecordMedia":
        """A copy with all its files in their current state."""
        return replaced(self, protected=protected, files=tuple(files))

    def decision(self, case_id: str, media_id: str) -> FileDecision | None:
        """What was decided about a file for a case, or `None`."""
        about = (case_id, media_id)
        found = (each for each in self.decisions if (each.case_id, each.media_id) == about)
        return next(found, None)

    def decided(self, decision: FileDecision) -> "RecordMedia":
        """A copy with this in place of what was decided before about the file for the case."""
        before = self.decision(decision.case_id, decision.media_id)
        kept = tuple(each for each in self.decisions if each is not before)
        earlier = self.earlier
        if before is not None and before.rendered:
            earlier = (*earlier, before)
        return replaced(self, decisions=(*kept, decision), earlier=earlier)

    def rendered(self, decision: FileDecision) -> "RecordMedia":
        """A copy that remembers that this decision was rendered."""
        decisions = tuple(
            each.once_rendered() if each == decision else each for each in self.decisions
        )
        return replaced(self, decisions=decisions)

    def withheld_by(self, case_id: str, media_id: str) -> Sequence[FileDecision]:
        """Every decision for the case by which something of the file is withheld, or was withheld
        when it went out."""
        return [
            each
            for each in (*self.earlier, *self.decisions)
            if (each.case_id, each.media_id) == (case_id, media_id) and each.cited
        ]

    def unknown(self, uploads: Iterable[ev.UploadRef]) -> list[ev.UploadRef]:
        """The uploads that are not known yet, each once."""
        known = {file.media_id for file in self.files}
        return [u for u in {u.upload_id: u for u in uploads}.values() if u.upload_id not in known]

    def file(self, media_id: str) -> MediaFile | None:
        """An upload whose original is sealed here, or `None`."""
        found = (file for file in self.files if file.media_id == media_id)
        return next((file for file in found if file.state != "rejected"), None)


COPY_ENDINGS: Final[Mapping[str, str]] = MappingProxyType({"image/jpeg": "jpg", "image/png": "png"})


def copy_name(token: str, content_type: str) -> str:
    """The public object's name: an unguessable token, and the extension that viewers use."""
    return f"{token}.{COPY_ENDINGS[content_type]}"


def possible_copy_names(token: str) -> list[str]:
    """Every name that a copy with this token can have."""
    return [copy_name(token, content_type) for content_type in COPY_ENDINGS]
