"""Barriers that the kernel keeps between the service and its workers, which run as the same user.
Linux only; does nothing elsewhere."""

import ctypes
import os
import sys
from typing import Final

# linux/prctl.h
_SET_DUMPABLE: Final = 4
_SET_NO_NEW_PRIVS: Final = 38


def close_to_others() -> None:
    """Prevents other processes of the same user from reading this process's environment and memory,
    or tracing it (prctl(2), PR_SET_DUMPABLE). Root still can. Ends with the next exec."""
    _prctl(_SET_DUMPABLE, 0)


def gain_nothing() -> None:
    """Prevents this process and its children from gaining privileges by exec, for example of a
    set-user-ID program."""
    _prctl(_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    """:raises OSError: the kernel refuses."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
