"""Barriers that the kernel keeps between a service and its workers, which run as the same user.
Only Linux has those of prctl(2)."""

import ctypes
import os
import resource
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


def confine(memory: int) -> None:
    """What a worker does before it reads a stranger's bytes: it gains no privileges, writes no
    file, leaves no core dump, and has at most `memory` bytes of address space."""
    gain_nothing()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def allow_cpu(seconds: int) -> None:
    """Ends this process once it has used that many more seconds of the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(
        resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard)
    )


def _prctl(option: int, value: int) -> None:
    """:raises OSError: the kernel refuses."""
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
