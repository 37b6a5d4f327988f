"""Lists of requests and single requests, for the staff who may see them."""

from direct311.intake.county import day_of
from direct311.intake.lifecycle.ports import Requests
from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.intake.request import ServiceRequest
from direct311.intake.work.domain.listing import WorkQuery
from direct311.intake.work.ports import Page, WorkList
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import TIED, Caller, works_for
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError

DEPARTMENT_FIRST = "A list is of your own department's requests."


def sees_all(caller: Caller) -> bool:
    """Whether a role of the caller may see the requests of every department."""
    return not set(caller.roles).isdisjoint(set(ROLES.work) - TIED)


class ReadWork:
    """Reads requests without opening anything: none of it is personal, so no entry is written to
    the log."""

    def __init__(self, requests: Requests, listed: WorkList, clock: Clock) -> None:
        self._requests = requests
        self._listed = listed
        self._clock = clock

    async def page(self, caller: Caller, query: WorkQuery) -> Page:
        """One page of a list. Who works for a department gets only what the department has now.

        :raises RefusedError: the caller's department is unknown, or another one was asked for.
        """
        if not sees_all(caller):
            if not works_for(caller, query.department):
                raise RefusedError("department", DEPARTMENT_FIRST, field="department")
            query = query.without_withdrawn()
        return await self._listed.page(query, day_of(self._clock.now()))

    async def one(self, caller: Caller, record_id: str) -> ServiceRequest:
        """:raises RefusedError: there is no such request, or the caller's department does not have
        it now."""
        request = await self._requests.get(record_id)
        return visible(caller, request)


def visible(caller: Caller, request: ServiceRequest | None) -> ServiceRequest:
    """:raises RefusedError: there is no such request, or this caller may not know of it."""
    if request is None or request.version == 0 or request.lifecycle != "active":
        raise NO_SUCH_REQUEST
    if not sees_all(caller) and not works_for(caller, request.assigned_department):
        raise NO_SUCH_REQUEST
    return request
