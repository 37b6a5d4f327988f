"""The process in which files under review are rendered: `python -m …render_worker LIMITS`.

Confined like the one in which uploads are decoded, and a process of its own, because the library
for PDFs is not thread-safe and may crash.
"""

import sys

from direct311.media.decisions import Box
from direct311.media.ports import UncleanCopyError
from direct311.media.review.adapters.rendering import RenderLimits, burn, look, page
from direct311.media.review.domain import PageImage
from direct311.media.review.ports import UnrenderableError
from direct311.media.workers import Framed, Head, serve
from direct311.runtime.confinement import confine


def _answer(head: Head, data: bytes, limits: RenderLimits) -> Framed:
    content_type = head["content_type"]
    if head["do"] == "look":
        return {"look": look(data, content_type, limits).model_dump(mode="json")}, b""
    if head["do"] == "page":
        return _image(page(data, content_type, head["number"], limits))
    boxes = [Box.model_validate(each) for each in head["boxes"]]
    return _image(burn(data, content_type, boxes, limits))


def _image(made: PageImage) -> Framed:
    return {"content_type": made.content_type}, made.data


def main(limits: RenderLimits) -> None:
    def answer(head: Head, data: bytes) -> Framed:
        try:
            return _answer(head, data, limits)
        except UnrenderableError as error:
            return {"unrenderable": error.reason}, b""
        except UncleanCopyError:
            return {"unclean": True}, b""

    confine(limits.memory)
    serve(answer, sys.stdin.buffer, sys.stdout.buffer, limits.cpu_seconds)


if __name__ == "__main__":
    main(RenderLimits.model_validate_json(sys.argv[1]))
