"""The use cases of somebody who asks for public records."""

import secrets
from collections.abc import Mapping

from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.records_requests.domain import (
    CaseEstimate,
    CaseReceipt,
    CaseStatus,
    RecordsRequest,
)
from direct311.intake.records_requests.ports import CaseDesk, EstimateDesk
from direct311.intake.retries import unguessable
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError


class AddressLimit:
    """How many requests for records one network address may send in an hour. Nobody has to say who
    they are, so the address is all that can be counted; it is kept as a keyed hash, for a day."""

    def __init__(self, limits: ReadLimits, names: SharedNames, most: int) -> None:
        self._limits = limits
        self._names = names
        self._most = most

    def take(self, address: str) -> int:
        """Count one; returns the hour in which it counts.

        :raises RefusedError: there were too many.
        """
        wait = self._limits.take(self._name(address), self._most)
        if wait is not None:
            raise RefusedError(
                "too_often",
                "Too many requests for records from this address in an hour; see Retry-After.",
                retry_after=wait,
            )
        return self._limits.minute

    def give_back(self, address: str, hour: int) -> None:
        """The call opened no case through no fault of its sender."""
        self._limits.give_back(self._name(address), 1, hour)

    async def settle(self) -> None:
        """Exchange counts with the other copies."""
        await self._limits.settle()

    def _name(self, address: str) -> str:
        return f"records:{self._names.name(address)}"


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
        if idempotency_key is not None and not unguessable(idempotency_key):
            # Anybody who guesses it could ask under it.
            raise MalformedError(
                [
                    FieldProblem(
                        field="idempotency_key",
                        detail="Idempotency-Key must be a random UUID, or 32 or more random"
                        " hexadecimal digits.",
                        code="wrong_format",
                    )
                ]
            )
        hour = self._limit.take(address)
        key = idempotency_key or secrets.token_hex(32)
        try:
            return await self._desk.open_case(RecordsRequest(key, text, contact))
        except RefusedError as error:
            if error.code == "case_desk_unavailable":
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
