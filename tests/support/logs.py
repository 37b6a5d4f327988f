"""The complaints of a stack's processes."""

import json
import re
from collections.abc import Iterator

from deploy.local.stack import Stack

_LINES = 12
_TAIL_BYTES = 200_000
_USUAL = ("consumer.retry", "process.waiting")
"""Warnings of a process whose servers are not up yet."""
_OUR_EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
"""Libraries log sentences, and many of them when a server is down."""


def complaints(stack: Stack) -> Iterator[tuple[str, str]]:
    """The last warnings and errors in each service's log; omits services without any."""
    for name in stack.services:
        file = stack.log_file(name)
        if not file.exists():
            continue
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        found = [line for line in lines if _complains(line)]
        if found:
            yield name, "\n".join(found[-_LINES:])


def _complains(line: str) -> bool:
    try:
        said = json.loads(line)
    except ValueError:
        return bool(line.strip())
    if not isinstance(said, dict):
        return True
    event = str(said.get("event"))
    ours = _OUR_EVENT.fullmatch(event) is not None and event not in _USUAL
    return said.get("level") not in ("info", "debug") and ours
