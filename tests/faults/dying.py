"""Intake that kills itself at one step between reading a submission and answering it.

`python -m tests.faults.dying STEP`: the service's own entry point, with one call of one class
watched: the process is killed (SIGKILL) before that call begins, or after it has done its work. It
dies where the environment's `DYING` file exists, so that it can start and be ready first.
"""

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from direct311.intake.__main__ import main
from direct311.intake.open311.wire import views
from direct311.intake.submission.adapters.inserts import BatchedSubmissions
from direct311.intake.submission.adapters.recent import RecentContents
from direct311.intake.submission.handlers.submit import Submit
from direct311.intake.uploads.adapters.media import MediaUploads
from direct311.runtime.messaging.broker import KafkaPublisher
from direct311.runtime.messaging.relay import Relay

WATCHED: dict[str, tuple[Any, str]] = {
    "submit": (Submit, "__call__"),
    "keep-key": (BatchedSubmissions, "keep"),
    "like": (RecentContents, "first"),
    "upload": (MediaUploads, "put"),
    "insert": (BatchedSubmissions, "_insert"),
    "offer": (Relay, "offer"),
    "publish": (KafkaPublisher, "publish"),
    "answer": (views, "accepted"),
}
STEPS = tuple(f"{when}-{name}" for name in WATCHED for when in ("before", "after"))


def watch(step: str, armed: Path) -> None:
    """Let the process die at this step, once `armed` is there."""
    when, _, name = step.partition("-")
    owner, method = WATCHED[name]
    inner: Callable[..., Any] = getattr(owner, method)

    def die(now: str) -> None:
        if now == when and armed.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(inner)
    async def awaited(*arguments: Any, **options: Any) -> Any:
        die("before")
        answer = await inner(*arguments, **options)
        die("after")
        return answer

    @functools.wraps(inner)
    def called(*arguments: Any, **options: Any) -> Any:
        die("before")
        answer = inner(*arguments, **options)
        die("after")
        return answer

    setattr(owner, method, awaited if inspect.iscoroutinefunction(inner) else called)


if __name__ == "__main__":
    watch(sys.argv[1], Path(os.environ["DYING"]))
    main()
