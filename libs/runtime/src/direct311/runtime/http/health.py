"""Whether the process is alive, and whether it may get work."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

Check = Callable[[], Awaitable[str | None]]
"""What keeps the process from working, in a few words, or `None`."""


class Readiness:
    """The checks of one process. Each gets two seconds."""

    TIMEOUT_SECONDS = 2.0

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._optional: set[str] = set()
        self.draining = False

    def add(self, name: str, check: Check, *, required: bool = True) -> None:
        """A check. A check that is not required is reported, but does not make the process
        unready."""
        self._checks[name] = check
        if not required:
            self._optional.add(name)

    def blocking(self, problems: Mapping[str, str]) -> bool:
        """Whether any of these problems keeps the process from taking work."""
        return any(name not in self._optional for name in problems)

    async def problems(self) -> Mapping[str, str]:
        """What is wrong, by check; empty when ready."""
        if self.draining:
            return {"process": "draining"}
        results = await asyncio.gather(*(self._one(check) for check in self._checks.values()))
        return {
            name: result
            for name, result in zip(self._checks, results, strict=True)
            if result is not None
        }

    async def _one(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self.TIMEOUT_SECONDS):
                return await check()
        except TimeoutError:
            return "no answer within 2 s"
        except Exception as error:
            return type(error).__name__
