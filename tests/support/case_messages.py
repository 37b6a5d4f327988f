"""The case desk's messages in memory, as intake calls it."""

from datetime import UTC, datetime

from direct311.intake.case_messages.domain import (
    CaseMessage,
    CaseMessages,
    MessageReceipt,
    OwnMessage,
)
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.runtime.errors import RefusedError

AT = datetime(2026, 3, 3, 14, tzinfo=UTC)
TOKEN = "the-token-of-case-1"


class InMemoryMessageDesk:
    """`MessageDesk` with one case, in a dictionary. `away`: it does not answer; `lost`: so many
    answers are lost."""

    def __init__(self) -> None:
        self.away = False
        self.lost = 0
        self.written: dict[str, CaseMessage] = {}

    async def write(self, token: str, message: OwnMessage) -> MessageReceipt:
        self._answer(token)
        before = self.written.get(message.key)
        if before is not None and before.text != message.text:
            raise RefusedError("idempotency_key", "Used before.", field="idempotency_key")
        message_id = before.message_id if before else f"m-{len(self.written)}"
        self.written[message.key] = CaseMessage(message_id, "requester", AT, False, message.text)
        if self.lost:
            self.lost -= 1
            raise DeskAwayError(5, unsure=True)
        return MessageReceipt("case-1", message_id, AT, before is not None)

    async def read(self, token: str) -> CaseMessages:
        self._answer(token)
        return CaseMessages("case-1", tuple(self.written.values()))

    def asks(self, text: str) -> None:
        """The county asks back."""
        self.written["county"] = CaseMessage("m-county", "county", AT, True, text)

    def _answer(self, token: str) -> None:
        if self.away:
            raise DeskAwayError(5, unsure=False)
        if token != TOKEN:
            raise RefusedError("unknown_case", "No case has this token.")
