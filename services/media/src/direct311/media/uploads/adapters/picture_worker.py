"""The process in which uploads are decoded: `python -m …picture_worker LIMITS`.

It gets no environment, cannot read the service's, cannot write a file, gains no privileges, and has
memory and CPU limits, so that a failing decoder takes down only itself. It runs as the same user as
the service: a compromised decoder may read the files that the service may read, and reach the
network. The frames are those of `direct311.media.workers`.
"""

import sys

from direct311.media.pictures import Limits
from direct311.media.ports import UncleanCopyError
from direct311.media.uploads.adapters.pictures import examine
from direct311.media.uploads.domain import Rejected, Verdict
from direct311.media.workers import Framed, Head, serve
from direct311.runtime.confinement import confine
from direct311.schemas import Model


class WorkerLimits(Model):
    """`memory`: bytes of address space; `cpu_seconds`: for each file, rounded up to whole ones."""

    pictures: Limits = Limits()
    memory: int = 2 * 1024**3
    cpu_seconds: int = 20


def _framed(verdict: Verdict) -> Framed:
    if isinstance(verdict, Rejected):
        return {"reason": verdict.reason.value}, b""
    copy = verdict.clean_copy
    if copy is None:
        return {"content_type": verdict.content_type}, b""
    return {
        "content_type": verdict.content_type,
        "copy": {"content_type": copy.content_type, "width": copy.width, "height": copy.height},
    }, copy.data


def main(limits: WorkerLimits) -> None:
    def answer(head: Head, data: bytes) -> Framed:
        try:
            return _framed(examine(data, head["declared"], limits.pictures))
        except UncleanCopyError:
            return {"unclean": True}, b""

    confine(limits.memory)
    serve(answer, sys.stdin.buffer, sys.stdout.buffer, limits.cpu_seconds)


if __name__ == "__main__":
    main(WorkerLimits.model_validate_json(sys.argv[1]))
