"""How callers are identified."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from direct311.runtime.access.rules import Caller

CallerOf = Callable[[Request], Awaitable[Caller]]
