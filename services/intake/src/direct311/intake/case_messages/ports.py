"""What messages about cases need from outside."""

from typing import Protocol

from direct311.intake.case_messages.domain import CaseMessages, MessageReceipt, OwnMessage


class MessageDesk(Protocol):
    """The county's case desk, which keeps the messages. Nothing of them is kept here."""

    async def write(self, token: str, message: OwnMessage) -> MessageReceipt:
        """Write to the county in the token's case. The same message under the same key is written
        once.

        :raises RefusedError: `unknown_case` if no case has this token; `idempotency_key` if the key
            was used for another message; `full`; `too_often`; `case_desk_unavailable`.
        """
        ...

    async def read(self, token: str) -> CaseMessages:
        """All messages of the token's case.

        :raises RefusedError: `unknown_case`; `too_often`; `case_desk_unavailable`.
        """
        ...
