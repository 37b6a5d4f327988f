"""A worker has the service's user, and still learns nothing of its environment."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from direct311.media import __main__ as media
from direct311.retention import __main__ as retention
from direct311.runtime import confinement

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's means are Linux's")

CANARY = "canary-secret"
NOBODY = 65534

# A process with a secret, and a child of the same user that wants to read it. Root could always.
FAMILY = """
import os, sys
from direct311.runtime import confinement
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
    # Who changes its user is closed to others; a service that was started as that user is not.
    confinement._prctl(confinement._SET_DUMPABLE, 1)
{step}
if os.fork() == 0:
    try:
        found = open(f"/proc/{{os.getppid()}}/environ", "rb").read()
        print("read" if b"{canary}" in found else "empty")
    except PermissionError:
        print("refused")
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""


def family(step: str) -> str:
    """What the child says, after the parent did `step`."""
    script = FAMILY.format(step=step, nobody=NOBODY, canary=CANARY)
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"MEDIA_STORE_SECRET_KEY": CANARY},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "setuid" in run.stderr or "setgroups" in run.stderr:
        pytest.skip("root without the right to become another user")
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_a_child_cannot_read_the_environment_of_who_closed_itself() -> None:
    assert family("") == "read", "control: a child of the same user reads it"
    assert family("confinement.close_to_others()") == "refused"


@pytest.mark.parametrize(
    ("service", "first"), [(media, "MediaSettings"), (retention, "RetentionSettings")]
)
def test_the_service_closes_itself_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, service: ModuleType, first: str
) -> None:
    done: list[str] = []

    def noting(name: str) -> Callable[[], None]:
        def note() -> None:
            done.append(name)
            if name == "settings":
                raise KeyboardInterrupt

        return note

    monkeypatch.setattr(service, "close_to_others", noting("closed"))
    monkeypatch.setattr(service, first, noting("settings"))
    with pytest.raises(KeyboardInterrupt):
        service.main()
    assert done == ["closed", "settings"]


def test_elsewhere_than_on_linux_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", None)
    confinement.close_to_others()
    confinement.gain_nothing()
