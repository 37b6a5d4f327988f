"""The recipient says that the package came: with the code that opened it, and a receipt."""

from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork, Changed
from direct311.retention.deliveries.domain import hash_of
from direct311.retention.deliveries.handlers.delivering import coded_in, unknown_code
from direct311.retention.deliveries.ports import CodeCases
from direct311.retention.legal_process.domain import process_of
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing


class Receipts:
    """Only the gateway passes a receipt on. One that is told on the telephone is a hand-over of the
    desk's."""

    def __init__(self, work: CaseWork, cases: CodeCases) -> None:
        self._work = work
        self._cases = cases

    async def give(self, caller: Caller, code: str, receipt: str) -> None:
        """Note the receipt of what the code has opened; may be repeated. The first one brings the
        case to `receipted`.

        :param caller: the gateway.
        :param receipt: the code of the agency's receipt.
        :raises RefusedError: the code has opened nothing, or another receipt was given.
        """
        code_hash = hash_of(code)
        found = await self._cases.of_code(code_hash)
        if found is None:
            raise unknown_code()

        async def decide(current: CaseFile) -> Changed:
            state, _, delivery, used = coded_in(current, code_hash)
            if used.used_at is None:
                raise unknown_code()
            legal, sha256 = process_of(state), delivery.package
            if any((each.sha256, each.receipt) == (sha256, receipt) for each in legal.hand_overs):
                return None
            link = legal.awaits_receipt(sha256)
            if link is None:
                raise RefusedError("receipted", "Another receipt was given.", field="receipt")
            now = self._work.clock.now()
            after = state.processed(legal.handed_over(link.receipted(receipt, now)))
            if after.state == "released":
                after = after.entering("receipted")
            step = after.recorded(
                self._work.rules_of(after),
                step="receipted",
                actor=caller.sub,
                at=now,
                codes=(link.agency, link.how, receipt),
                hashes={"handed_over": sha256},
            )
            return Change(after, (Outgoing(step),))

        await self._work.change(found.record_id, decide)
