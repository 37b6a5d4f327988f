"""Who fetched which keys: the accounts of the services that keep them, and the log's own."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

from direct311.audit.monitoring.domain.fetches import Fetch
from direct311.audit.monitoring.ports import FetchPage, KeyFetches
from direct311.runtime.access.producers import Producers
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.runtime.vault.vault import KeyFetch
from direct311.schemas import isoformat


class OwnKeys(Protocol):
    """The fetches of the log's own keys."""

    async def fetches_after(self, at: datetime, limit: int) -> Sequence[KeyFetch]: ...

    async def confirm(self, fetches: Sequence[KeyFetch]) -> None: ...


class OwnFetches:
    """`KeyFetches` for the log's own keys."""

    service = "audit"
    LIMIT = 10_000

    def __init__(self, keys: OwnKeys, producers: Producers) -> None:
        self._keys = keys
        self._producers = producers

    async def after(self, at: datetime) -> FetchPage:
        found = await self._keys.fetches_after(at, self.LIMIT)
        fetches = tuple(
            Fetch(service="audit", record_id=each.record_id, event_id=each.event_id, at=each.at)
            for each in found
        )
        running = tuple(await self._producers.running())
        return FetchPage(fetches, len(found) < self.LIMIT, running)

    async def confirm(self, fetches: Sequence[Fetch]) -> None:
        await self._keys.confirm(
            [KeyFetch(each.record_id, each.event_id, each.at) for each in fetches]
        )


class PeerFetches:
    """`KeyFetches` for another service, which records them itself."""

    def __init__(self, service: str, peer: Peer) -> None:
        self.service = service
        self._peer = peer

    async def after(self, at: datetime) -> FetchPage:
        """:raises TransientError: the service does not answer."""
        try:
            answer: Any = await self._peer.get(
                f"/internal/key-fetches?after={quote(isoformat(at))}"
            )
        except HttpError:
            raise TransientError(f"{self.service} does not report its key fetches") from None
        fetches = tuple(
            Fetch.model_validate({**fetch, "service": self.service}) for fetch in answer["fetches"]
        )
        return FetchPage(
            fetches, bool(answer.get("complete", True)), tuple(answer.get("producers", ()))
        )

    async def confirm(self, fetches: Sequence[Fetch]) -> None:
        """Does nothing: the service keeps its own account."""


def fetches_of(
    sealing: Iterable[str], peer: Callable[[str], Peer], own: OwnFetches
) -> Sequence[KeyFetches]:
    """The accounts of all services with a vault, `sealing`; the log's own comes last."""
    others = (name for name in sealing if name != own.service)
    return (*(PeerFetches(name, peer(name)) for name in others), own)
