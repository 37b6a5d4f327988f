"""Where alarms are raised for operators."""

from typing import Protocol


class Alarms(Protocol):
    """Where alarms are raised for operators."""

    async def raise_alarm(self, kind: str, about: str, detail: str) -> None:
        """Raise an alarm once per `kind` and `about`, however often this is called."""
        ...
