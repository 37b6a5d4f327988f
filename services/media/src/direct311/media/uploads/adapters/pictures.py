"""Sniffs a file and makes the clean copy of a picture. Pure: bytes in, verdict out."""

from functools import cache

import magic

from direct311.media.pictures import (
    DamagedPictureError,
    Limits,
    PixelLimitError,
    decoded,
    encoded,
)
from direct311.media.record import RejectionReason
from direct311.media.uploads.domain import CLEANABLE, Accepted, Rejected, Verdict, verify_type


def examine(data: bytes, declared: str, limits: Limits) -> Verdict:
    """The verdict on a file that was announced as media type `declared`.

    :raises UncleanCopyError: the copy was not clean; nothing may be published.
    """
    if not data:
        return Rejected(reason=RejectionReason.EMPTY)
    content_type = verify_type(_sniffer().from_buffer(data), declared)
    if isinstance(content_type, RejectionReason):
        return Rejected(reason=content_type)
    if content_type not in CLEANABLE:
        return Accepted(content_type=content_type)
    try:
        picture = decoded(data, content_type, limits)
    except PixelLimitError:
        return Rejected(reason=RejectionReason.BOMB)
    except DamagedPictureError:
        return Rejected(reason=RejectionReason.DAMAGED)
    return Accepted(content_type=content_type, clean_copy=encoded(picture, content_type))


@cache
def _sniffer() -> magic.Magic:
    return magic.Magic(mime=True)
