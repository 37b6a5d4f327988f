"""The process in which strangers' files are decoded: `python -m …picture_worker LIMITS`.

It gets no environment, cannot read the service's, cannot write a file, gains no privileges, and has
memory and CPU limits, so that a failing decoder takes down only itself. It runs as the same user as
the service: a compromised decoder may read the files that the service may read, and reach the
network. Frames on standard input and output: 4 bytes of length (big endian), a JSON head, then as
many bytes as the head's `size`.
"""

import json
import resource
import sys
from typing import Any, BinaryIO

from direct311.media.uploads.adapters.confinement import gain_nothing
from direct311.media.uploads.adapters.pictures import Limits, examine
from direct311.media.uploads.domain import Rejected, Verdict
from direct311.media.uploads.ports import UncleanCopyError
from direct311.schemas import Model


class WorkerLimits(Model):
    """`memory`: bytes of address space; `cpu_seconds`: for each file, rounded up to whole ones."""

    pictures: Limits = Limits()
    memory: int = 2 * 1024**3
    cpu_seconds: int = 20


def write_frame(stream: BinaryIO, head: dict[str, Any], body: bytes) -> None:
    stream.write(frame(head, body))
    stream.flush()


def frame(head: dict[str, Any], body: bytes) -> bytes:
    text = json.dumps({**head, "size": len(body)}).encode()
    return len(text).to_bytes(4) + text + body


def _read(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    length = stream.read(4)
    if len(length) < 4:
        return None
    head = json.loads(stream.read(int.from_bytes(length)))
    return head, stream.read(head["size"])


def _confine(limits: WorkerLimits) -> None:
    gain_nothing()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))


def _allow_cpu(seconds: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard)
    )


def _answer(verdict: Verdict) -> tuple[dict[str, Any], bytes]:
    if isinstance(verdict, Rejected):
        return {"reason": verdict.reason.value}, b""
    copy = verdict.clean_copy
    if copy is None:
        return {"content_type": verdict.content_type}, b""
    return {
        "content_type": verdict.content_type,
        "copy": {"content_type": copy.content_type, "width": copy.width, "height": copy.height},
    }, copy.data


def serve(limits: WorkerLimits, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers frames until the input ends."""
    while (request := _read(requests)) is not None:
        head, data = request
        _allow_cpu(limits.cpu_seconds)
        try:
            write_frame(answers, *_answer(examine(data, head["declared"], limits.pictures)))
        except UncleanCopyError:
            write_frame(answers, {"unclean": True}, b"")


if __name__ == "__main__":
    given = WorkerLimits.model_validate_json(sys.argv[1])
    _confine(given)
    serve(given, sys.stdin.buffer, sys.stdout.buffer)
