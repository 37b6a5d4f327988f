"""A service that kills itself at a numbered crossing between it and its servers.

`python -m tests.faults.mortal retention`: the service's own entry point, in a child of this
process. A crossing is what leaves the process: a write to the database, an event or an entry for
the log on its way to the broker, a call to the object store or to another service, an answer. Once
the file that `MORTAL` names is there, with a number in it, the child counts its crossings, and
before the one with that number it is killed (SIGKILL). Everything is loaded once, and each child
that dies is followed by another in no time, as by a supervisor.

Beside that file lie `.pid`, the child that runs, and `.deaths`, a line for each that has died: the
number, and what it was about to do.
"""

import ctypes
import functools
import importlib
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorCollection

from direct311.runtime.http.api import Application
from direct311.runtime.messaging.broker import KafkaPublisher
from direct311.runtime.peers import HttpClient
from direct311.runtime.storage.objects import ObjectStore

WRITES: Final = (
    "insert_one",
    "insert_many",
    "update_one",
    "update_many",
    "replace_one",
    "bulk_write",
    "find_one_and_update",
    "find_one_and_replace",
    "delete_one",
    "delete_many",
)
HOUSEKEEPING: Final = ("leases", "relays", "producers", "key_checks", "in_force")
"""Collections that are written whether or not anything happens."""
_PARENT_DEATH: Final = 1
"""PR_SET_PDEATHSIG (prctl(2))."""


class Crossings:
    """Counts crossings once it is told to, and ends the process at the one that was asked for."""

    def __init__(self, armed: Path) -> None:
        self._armed = armed
        self._said: str | None = None
        self._count = 0

    def crosses(self, what: str) -> None:
        try:
            said = self._armed.read_text()
        except FileNotFoundError:
            self._said = None
            return
        if said != self._said:
            self._said, self._count = said, 0
        self._count += 1
        if self._count != int(said.split()[0]):
            return
        # The next child is not meant.
        self._armed.unlink()
        with self._armed.with_suffix(".deaths").open("a") as deaths:
            deaths.write(f"{self._count} {what}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def watch(crossings: Crossings) -> None:
    """Let all that leaves the process be counted."""
    for name in WRITES:
        _before(AsyncIOMotorCollection, name, _named, crossings)
    for owner, method, what in (
        (KafkaPublisher, "publish", "announce"),
        (KafkaPublisher, "publish_one", "log"),
        (ObjectStore, "_run", "store"),
        (HttpClient, "_send", "peer"),
        (HttpClient, "post_stream", "peer"),
    ):
        _before(owner, method, functools.partial(_always, what), crossings)
    inner = Application.__call__

    async def answering(self: Application, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/health"):
            return await inner(self, scope, receive, send)

        async def said(message: Any) -> None:
            if message["type"] == "http.response.start":
                crossings.crosses("answer")
            await send(message)

        return await inner(self, scope, receive, said)

    Application.__call__ = answering  # type: ignore[assignment,method-assign]


def _always(what: str, *_: Any) -> str:
    return what


def _named(collection: Any, *_: Any) -> str | None:
    return None if collection.name in HOUSEKEEPING else f"write {collection.name}"


def _before(owner: Any, method: str, what: Callable[..., str | None], crossings: Crossings) -> None:
    inner: Callable[..., Any] = getattr(owner, method)

    @functools.wraps(inner)
    def called(self: Any, *arguments: Any, **options: Any) -> Any:
        if name := what(self):
            crossings.crosses(name)
        return inner(self, *arguments, **options)

    @functools.wraps(inner)
    async def awaited(self: Any, *arguments: Any, **options: Any) -> Any:
        if name := what(self):
            crossings.crosses(name)
        return await inner(self, *arguments, **options)

    setattr(owner, method, awaited if inspect.iscoroutinefunction(inner) else called)


def run(service: str, armed: Path) -> None:
    """Keep a child running that serves, until this process is killed, and the child with it."""
    entry = importlib.import_module(f"direct311.{service}.__main__")
    watch(Crossings(armed))
    own = os.getpid()
    while True:
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
            if os.getppid() == own:
                entry.main()
            os._exit(0)
        armed.with_suffix(".pid").write_text(str(child))
        os.waitpid(child, 0)
        # What it needs at its start may be away.
        time.sleep(0.05)


if __name__ == "__main__":
    run(sys.argv[1], Path(os.environ["MORTAL"]))
