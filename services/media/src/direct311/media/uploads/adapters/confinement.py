"""What the kernel keeps between the service and its workers, which have one user. Linux alone;
elsewhere nothing happens."""

import ctypes
import os
import sys
from typing import Final

# linux/prctl.h
_SET_DUMPABLE: Final = 4
_SET_NO_NEW_PRIVS: Final = 38


def close_to_others() -> None:
    """No other process of the same user reads this one's environment and memory or traces it
    (prctl(2), PR_SET_DUMPABLE). Who is root still does. Ends with the next exec."""
    _prctl(_SET_DUMPABLE, 0)


def gain_nothing() -> None:
    """This process and its children get no privileges by exec, as by a set-user-ID program."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    """:raises OSError: the kernel refuses."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
