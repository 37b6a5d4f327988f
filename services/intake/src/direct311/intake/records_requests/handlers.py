"""The use cases of somebody who asks for public records."""

import secrets
from collections.abc import Mapping

from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.records_requests.domain import (
    CaseEstimate,
    CaseReceipt,
    CaseStatements,
    CaseStatus,
    RecordsRequest,
)
from direct311.intake.records_requests.ports import (
    CaseDesk,
    DeskAwayError,
    EstimateDesk,
    StatementDesk,
)
from direct311.intake.retries import checked_key
from direct311.runtime.errors import RefusedError


class AddressLimit:
    """How many requests for records one network address may send in an hour. Nobody has to say who
    they are, so the address is all that can be counted; it is kept as a keyed hash, for a day."""

    def __init__(
        self, limits: ReadLimits, names: SharedNames, most: int, *, of: str = "records"
    ) -> None:
        """`of`: what is counted, apart from all else that the same limits count."""
        self._limits = limits
        self._names = names
        self._most = most
        self._of = of

    def take(self, address: str) -> int:
        """Count one; returns the hour in which it counts.

        :raises RefusedError: there were too many.
        """
        wait = self._limits.take(self._name(address), self._most)
        if wait is not None:
            raise RefusedError(
                "too_often",
                "Too many of these calls from this address in an hour; see Retry-After.",
                retry_after=wait,
            )
        return self._limits.minute

    def give_back(self, address: str, hour: int) -> None:
        """The call surely did nothing, through no fault of its sender."""
        self._limits.give_back(self._name(address), 1, hour)

    async def settle(self) -> None:
        """Exchange counts with the other copies."""
        await self._limits.settle()

    def _name(self, address: str) -> str:
        return f"{self._of}:{self._names.name(address)}"


class AskForRecords:
    """Opens a case for what somebody asks for. Nobody has to give a name or a reason."""

    def __init__(self, desk: CaseDesk, limit: AddressLimit) -> None:
        self._desk = desk
        self._limit = limit

    async def __call__(
        self, address: str, text: str, contact: Mapping[str, str], idempotency_key: str | None
    ) -> CaseReceipt:
        """The case that was opened. Nothing of the request is kept here, in any case.

        :param idempotency_key: random, as a retry under it is answered like the first call.
        :raises RefusedError: the key can be guessed, or was used for another request; the address
            sent too many; the case desk does not answer.
        """
        key = checked_key(idempotency_key) or secrets.token_hex(32)
        hour = self._limit.take(address)
        request = RecordsRequest(key, text, contact)
        try:
            try:
                return await self._desk.open_case(request)
            except DeskAwayError as error:
                if not error.unsure:
                    raise
                # The case may be open all the same: under the same key it stays one.
                return await self._desk.open_case(request)
        except DeskAwayError as error:
            # Otherwise a lost answer would let an address open cases without limit.
            if not error.unsure:
                self._limit.give_back(address, hour)
            raise


class FollowCase:
    """Tells the holder of a case token how far the case is."""

    def __init__(self, desk: CaseDesk) -> None:
        self._desk = desk

    async def __call__(self, token: str) -> CaseStatus:
        """:raises RefusedError: no case has this token, or the case desk does not answer."""
        return await self._desk.status(token)


class SeeEstimate:
    """Tells the holder of a case token what the case costs, and takes their acceptance."""

    def __init__(self, desk: EstimateDesk) -> None:
        self._desk = desk

    async def __call__(self, token: str) -> CaseEstimate:
        """:raises RefusedError: no case has this token, nothing was estimated, or the case desk
        does not answer."""
        return await self._desk.estimate(token)

    async def accept(self, token: str, version: int) -> CaseEstimate:
        """Accept the estimate with this version; may be repeated.

        :raises RefusedError: as above, there is a newer estimate, or the case is closed.
        """
        return await self._desk.accept(token, version)


class ReadStatements:
    """Gives the holder of a case token the written statement of what was denied."""

    def __init__(self, desk: StatementDesk) -> None:
        self._desk = desk

    async def __call__(self, token: str) -> CaseStatements:
        """:raises RefusedError: no case has this token, nothing of it was denied, or the case desk
        does not answer."""
        return await self._desk.statements(token)
