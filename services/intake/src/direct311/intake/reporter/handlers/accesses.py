"""Who has seen a request: the reporter's question, which the access log answers."""

from direct311.intake.reporter.handlers.reporter import must_hold
from direct311.intake.reporter.ports import AccessLog, SeenAccesses
from direct311.runtime.access.rules import Caller


class WhoSaw:
    """The use case. What a subject may see of an access is decided by the log."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log

    async def __call__(
        self, caller: Caller, record_id: str, link: str, *, limit: int, cursor: str | None
    ) -> SeenAccesses:
        """Who has seen the request that `link` opens, by which `caller` has come. The log answers
        for a request that was destroyed too, as long as it keeps the entries.

        :raises RefusedError: the caller has not come by the link of this request; and as
            `AccessLog.seen`.
        """
        must_hold(caller, record_id)
        return await self._log.seen(link, limit=limit, cursor=cursor)
