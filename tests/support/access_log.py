"""Where access events go, without a broker."""

import asyncio

from direct311.runtime.messaging.records import Entry
from direct311.schemas import decode
from direct311.schemas import events as ev


class InMemoryAccessLog:
    """`DurablePublisher`. Accepts nothing while it is `down`; never answers while it `hangs`."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.down = False
        self.hangs = False

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise TimeoutError
        self.entries.append(entry)

    def events(self) -> list[ev.PiiAccessed]:
        """Everything that was written, in order."""
        found = []
        for entry in self.entries:
            data = decode(entry.message.headers, entry.message.body).data
            assert isinstance(data, ev.PiiAccessed)
            found.append(data)
        return found

    def refusals(self) -> list[ev.PiiAccessed]:
        return [event for event in self.events() if event.outcome == "denied"]
