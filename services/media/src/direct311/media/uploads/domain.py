"""What an upload may be, and what happens to it.

An upload is accepted or rejected. An accepted picture has a clean copy, decoded and encoded again,
so that only the original's pixels are published. Other accepted files (P7: video, sound, documents)
are kept sealed and have no public copy.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from direct311.media.record import CleanCopy, MediaFile, RecordMedia, RejectionReason
from direct311.schemas import Instant, Model
from direct311.schemas import events as ev


class Kind(StrEnum):
    """What a file is to a reader of the record."""

    PICTURE = "picture"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


class Accepted(Model):
    """The file is what it claims to be. `clean_copy` is `None` for types without clean copies."""

    content_type: str
    clean_copy: CleanCopy | None = None


class Rejected(Model):
    """The file is not accepted."""

    reason: RejectionReason


Verdict = Accepted | Rejected
CLEANABLE: Final = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/avif"}
)
ACCEPTED: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **dict.fromkeys(sorted(CLEANABLE), Kind.PICTURE),
        "image/tiff": Kind.PICTURE,
        "image/bmp": Kind.PICTURE,
        "video/mp4": Kind.VIDEO,
        "video/quicktime": Kind.VIDEO,
        "video/3gpp": Kind.VIDEO,
        "video/3gpp2": Kind.VIDEO,
        "video/webm": Kind.VIDEO,
        "video/x-matroska": Kind.VIDEO,
        "video/x-msvideo": Kind.VIDEO,
        "video/mpeg": Kind.VIDEO,
        "audio/mpeg": Kind.AUDIO,
        "audio/mp4": Kind.AUDIO,
        "audio/aac": Kind.AUDIO,
        "audio/amr": Kind.AUDIO,
        "audio/flac": Kind.AUDIO,
        "audio/ogg": Kind.AUDIO,
        "audio/wav": Kind.AUDIO,
        "application/pdf": Kind.DOCUMENT,
        "application/rtf": Kind.DOCUMENT,
        "application/msword": Kind.DOCUMENT,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": Kind.DOCUMENT,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": Kind.DOCUMENT,
        "application/vnd.oasis.opendocument.text": Kind.DOCUMENT,
        "text/plain": Kind.DOCUMENT,
        "text/csv": Kind.DOCUMENT,
    }
)
_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "image/jpg": "image/jpeg",
        "image/pjpeg": "image/jpeg",
        "image/heif": "image/heic",
        "image/heic-sequence": "image/heic",
        "image/heif-sequence": "image/heic",
        "image/x-ms-bmp": "image/bmp",
        "video/x-m4v": "video/mp4",
        "audio/mp3": "audio/mpeg",
        "audio/m4a": "audio/mp4",
        "audio/x-m4a": "audio/mp4",
        "audio/x-hx-aac-adts": "audio/aac",
        "audio/x-wav": "audio/wav",
        "audio/vnd.wave": "audio/wav",
        "audio/x-flac": "audio/flac",
        "application/ogg": "audio/ogg",
        "text/rtf": "application/rtf",
    }
)
_MAIN_TYPES: Final[Mapping[str, Kind]] = MappingProxyType(
    {"image": Kind.PICTURE, "video": Kind.VIDEO, "audio": Kind.AUDIO}
)
_MEDIA_TYPE: Final = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
)
_UNDECLARED: Final = frozenset({"", "application/octet-stream"})
# The same containers (MP4, 3GP, WebM, Ogg) hold either, and recorders announce either.
_RECORDINGS: Final = frozenset({Kind.VIDEO, Kind.AUDIO})


def canonical(content_type: str) -> str:
    """One name for each media type: lower case, no parameters, no alias (RFC 6838, section 4.2)."""
    bare = content_type.partition(";")[0].strip().lower()
    return _ALIASES.get(bare, bare)


def upload_type(announced: str) -> str:
    """The type that an upload is sent with: the announced one, if that is a media type without
    parameters (RFC 6838, section 4.2)."""
    bare = announced.partition(";")[0].strip().lower()
    return bare if _MEDIA_TYPE.fullmatch(bare) else "application/octet-stream"


def verify_type(sniffed: str, declared: str) -> str | RejectionReason:
    """The media type as which a file is accepted, or why it is not accepted.

    The bytes decide. The announced type must be of the same kind: a phone that calls its HEIC a
    JPEG means no harm, but a PDF that calls itself a JPEG is refused.
    """
    actual = canonical(sniffed)
    kind = ACCEPTED.get(actual)
    if kind is None:
        return RejectionReason.UNSUPPORTED_TYPE
    announced = canonical(declared)
    if announced in _UNDECLARED:
        return actual
    announced_kind = ACCEPTED.get(announced) or _MAIN_TYPES.get(announced.partition("/")[0])
    if announced_kind is kind or {announced_kind, kind} <= _RECORDINGS:
        return actual
    return RejectionReason.TYPE_MISMATCH


def stored_event(
    state: RecordMedia, files: Sequence[MediaFile], public_url: str, at: Instant
) -> ev.MediaStored:
    """The complete list of the record's files after the change."""
    return ev.MediaStored(
        record_id=state.record_id,
        version=state.version + 1,
        media=tuple(file.item(public_url) for file in files),
        stored_at=at,
    )


def rejected_event(state: RecordMedia, file: MediaFile, at: Instant) -> ev.MediaRejected:
    """One file that was refused."""
    return ev.MediaRejected(
        record_id=state.record_id,
        version=state.version + 1,
        media_id=file.media_id,
        reason=str(file.reason),
        rejected_at=at,
    )
