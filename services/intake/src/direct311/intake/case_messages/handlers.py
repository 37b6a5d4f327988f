"""The use cases of a requester who writes to the county, and reads."""

import secrets

from direct311.intake.case_messages.domain import CaseMessages, MessageReceipt, OwnMessage
from direct311.intake.case_messages.ports import MessageDesk
from direct311.intake.records_requests.handlers import AddressLimit
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.intake.retries import checked_key


class WriteToTheCounty:
    """Hands a message to the case desk. Nothing of it is kept here, in any case."""

    def __init__(self, desk: MessageDesk, limit: AddressLimit) -> None:
        self._desk = desk
        self._limit = limit

    async def __call__(
        self, address: str, token: str, text: str, idempotency_key: str | None
    ) -> MessageReceipt:
        """The message that was written.

        :param idempotency_key: random, as a retry under it is answered like the first call.
        :raises RefusedError: the key can be guessed, or was used for another message; the address
            sent too many; no case has this token; the case desk does not answer.
        """
        key = checked_key(idempotency_key) or secrets.token_hex(32)
        hour = self._limit.take(address)
        message = OwnMessage(key, text)
        try:
            try:
                return await self._desk.write(token, message)
            except DeskAwayError as error:
                if not error.unsure:
                    raise
                # It may have come all the same: under the same key it is written once.
                return await self._desk.write(token, message)
        except DeskAwayError as error:
            if not error.unsure:
                self._limit.give_back(address, hour)
            raise


class ReadMessages:
    """Shows the holder of a case token what was written."""

    def __init__(self, desk: MessageDesk) -> None:
        self._desk = desk

    async def __call__(self, token: str) -> CaseMessages:
        """:raises RefusedError: no case has this token, or the case desk does not answer."""
        return await self._desk.read(token)
