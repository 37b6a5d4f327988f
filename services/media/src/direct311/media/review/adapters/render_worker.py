"""The process in which files under review are rendered: `python -m …render_worker LIMITS`.

Confined like the one in which uploads are decoded, and a process of its own, because the library
for PDFs is not thread-safe and may crash. It also makes the fingerprints of what is withheld of a
file, so that no text leaves it.
"""

import sys
from collections.abc import Sequence

from direct311.media.decisions import Box
from direct311.media.ports import UncleanCopyError
from direct311.media.review.adapters.rendering import RenderLimits, burn, look, page
from direct311.media.review.domain import FileFingerprint, FileFingerprints, PageImage
from direct311.media.review.ports import UnrenderableError
from direct311.media.workers import Framed, Head, serve
from direct311.runtime.confinement import confine


def answer(head: Head, data: bytes, limits: RenderLimits) -> Framed:
    """What one frame asks for.

    :raises UnrenderableError: the file cannot be rendered.
    :raises UncleanCopyError: the result holds more than pixels.
    """
    content_type = head["content_type"]
    if head["do"] == "look":
        return {"look": look(data, content_type, limits).model_dump(mode="json")}, b""
    if head["do"] == "page":
        return _image(page(data, content_type, head["number"], limits))
    boxes = [Box.model_validate(each) for each in head["boxes"]]
    if head["do"] == "fingerprint":
        return _fingerprinted(head, data, boxes, limits)
    return _image(burn(data, content_type, boxes, limits))


def _fingerprinted(head: Head, data: bytes, boxes: Sequence[Box], limits: RenderLimits) -> Framed:
    # The rules of redaction take memory and half a second, which whoever renders does not need.
    from direct311.media.review.adapters.withheld import fingerprinted

    key = bytes.fromhex(head["key"])
    about = data, head["content_type"], head["record_id"], boxes, key, limits
    found, files = fingerprinted(*about)
    told = FileFingerprints(
        fingerprints=tuple(
            FileFingerprint(
                record_id=each.record_id,
                kind=each.kind,
                length=each.length,
                window=each.window,
                rolling=f"{each.rolling:016x}",
                mac=each.mac.hex(),
                own=each.own,
            )
            for each in found
        ),
        files=tuple(each.hex() for each in files),
    )
    return {}, told.model_dump_json().encode()


def _image(made: PageImage) -> Framed:
    return {"content_type": made.content_type}, made.data


def main(limits: RenderLimits) -> None:
    def answered(head: Head, data: bytes) -> Framed:
        try:
            return answer(head, data, limits)
        except UnrenderableError as error:
            return {"unrenderable": error.reason}, b""
        except UncleanCopyError:
            return {"unclean": True}, b""

    confine(limits.memory)
    serve(answered, sys.stdin.buffer, sys.stdout.buffer, limits.cpu_seconds)


if __name__ == "__main__":
    main(RenderLimits.model_validate_json(sys.argv[1]))
