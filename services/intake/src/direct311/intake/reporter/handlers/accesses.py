"""Who has seen a request: reporters ask, and the access log answers."""

from direct311.intake.reporter.handlers.reporter import must_hold
from direct311.intake.reporter.ports import AccessLog, SeenAccesses
from direct311.runtime.access.rules import Caller


class WhoSaw:
    """The use case. The log decides what the subject may see of an access."""

    def __init__(self, log: AccessLog) -> None:
        self._log = log

    async def __call__(
        self, caller: Caller, record_id: str, link: str, *, limit: int, cursor: str | None
    ) -> SeenAccesses:
        """Who has seen the request that `link` opens; `caller` came with that link. The log also
        answers for a destroyed request, as long as it keeps the entries.

        :raises RefusedError: the caller has not come by the link of this request; and as
            `AccessLog.seen`.
        """
        must_hold(caller, record_id)
        return await self._log.seen(link, limit=limit, cursor=cursor)
