"""The platform's services as the identity provider knows them: each one's client id and audience.

They are listed in `services` in the principals file, one list for all. A token is made for one
service, its audience, and is valid nowhere else. A service is identified by its client id. The list
also says which services have a vault. `departments` in the same file lists the departments' own
systems.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from direct311.runtime.access.links import LINK
from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.persons import reads_as, same_person
from direct311.schemas.claims import SEALING
from direct311.schemas.model import DepartmentCode

PREFIX = "svc:"
"""The prefix of a service's name in the log; no person's `sub` begins with it."""
UNKNOWN = "unknown"
"""The name in the log for an unknown caller."""
BEGINNINGS = (PREFIX, "svc-", LINK)
"""Prefixes that no person's `sub` has: those of services and of residents' links."""
_DEPARTMENT: TypeAdapter[str] = TypeAdapter(DepartmentCode)


class ServicesError(RuntimeFaultError):
    """The list of services, or a setting, would accept a token at a service it was not made for.
    The message says what to set."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `subject`: the `sub` of its own tokens, the client id by default (RFC 9068,
    section 2.2). `for_people`: the services that it calls for a person. `scope`: the scope to
    request from the provider for a token for this service, if the audience is not enough. `seals`:
    whether it has a vault."""

    name: str
    client_id: str
    audience: str
    subject: str
    for_people: frozenset[str] = frozenset()
    scope: str | None = None
    seals: bool = False

    @property
    def actor(self) -> str:
        """Its name in the access log and in rules."""
        return PREFIX + self.name


@dataclass(frozen=True, slots=True)
class DepartmentSystem:
    """A department's own system, which calls routing with tokens for its client (client
    credentials). `subject`: their `sub`, the client id by default."""

    client_id: str
    subject: str
    department: str


class Services:
    """All services, seen from one of them, `own`, and the departments' systems.

    :raises ServicesError: the list lacks something, or has a duplicate.
    """

    def __init__(
        self, own: str, listed: Iterable[Service], systems: Iterable[DepartmentSystem] = ()
    ) -> None:
        known, of_departments = tuple(listed), tuple(systems)
        if problem := next(_problems(own, known), None):
            raise ServicesError(problem)
        if problem := next(_system_problems(known, of_departments), None):
            raise ServicesError(problem)
        self._systems = {each.client_id: each for each in of_departments}
        self._by_name = {each.name: each for each in known}
        self._by_client = {each.client_id: each for each in known}
        self._names = frozenset(
            [name for each in known for name in (each.client_id, each.subject)]
            + [name for each in of_departments for name in (each.client_id, each.subject)]
        )
        self.own = self._by_name[own]
        self.audiences = frozenset(each.audience for each in known)
        self.sealing = tuple(each.name for each in known if each.seals)
        """The services with a vault, in the order of the list."""

    @classmethod
    def from_file(cls, path: Path, own: str) -> "Services":
        """The list of a principals file, for the service `own`.

        :raises ServicesError: the list is invalid or missing.
        """
        listed = json.loads(path.read_bytes()).get("services")
        if not isinstance(listed, list):
            raise ServicesError(
                "the principals file needs `services`: for each service its `service`, `client_id` "
                "and `audience`; one audience for all is no longer accepted"
            )
        systems = json.loads(path.read_bytes()).get("departments", [])
        if not isinstance(systems, list):
            raise ServicesError("`departments` in the principals file is not a list")
        return cls(own, map(_service, listed), map(_system, systems))

    def with_settings(self, client_id: str, audience: str | None, link_audience: str) -> "Services":
        """The same list, after checking that the service's own settings do not contradict it.

        :raises ServicesError: they do.
        """
        name = self.own.name.upper()
        if client_id != self.own.client_id:
            raise ServicesError(f"{name}_CLIENT_ID is not the client id in the principals file")
        if audience is not None and audience != self.own.audience:
            raise ServicesError(
                f"{name}_AUDIENCE is not the audience in the principals file; leave it out, or set "
                "the same value"
            )
        if not link_audience.strip() or link_audience in self.audiences:
            raise ServicesError(f"{name}_LINK_AUDIENCE must differ from every service's audience")
        if link_audience in self._by_client or link_audience in self._systems:
            raise ServicesError(f"{name}_LINK_AUDIENCE must not be a client id")
        return self

    def at(self, name: str) -> Service:
        """The service of this name.

        :raises ServicesError: it is not listed.
        """
        found = self._by_name.get(name)
        if found is None:
            raise ServicesError(f"the principals file lists no service {name}")
        return found

    def of_client(self, client_id: object) -> Service | None:
        """The service with this client id."""
        return self._by_client.get(client_id) if isinstance(client_id, str) else None

    def system_of(self, client_id: object) -> DepartmentSystem | None:
        """The department's system with this client id."""
        return self._systems.get(client_id) if isinstance(client_id, str) else None

    def of_actor(self, act: Mapping[str, Any]) -> Service | None:
        """The service that an `act` claim names (RFC 8693, section 4.1), by its client id or else
        by its tokens' subject."""
        if "client_id" in act:
            return self.of_client(act["client_id"])
        sub = act.get("sub")
        return next((each for each in self._by_name.values() if each.subject == sub), None)

    def reserves(self, sub: str) -> bool:
        """Whether no person may have this `sub`, because the log would show it as a service, a
        department's system, a resident's link or an unknown caller."""
        return is_reserved(sub) or any(same_person(sub, name) for name in self._names)


def is_reserved(sub: str) -> bool:
    """Whether a reader of the log could mistake this `sub` for a name that the log itself
    assigns."""
    return reads_as(sub, BEGINNINGS) or same_person(sub, UNKNOWN)


def _service(entry: Any) -> Service:
    try:
        client_id, for_people = entry["client_id"], entry.get("for_people", [])
        found = Service(
            entry["service"],
            client_id,
            entry["audience"],
            entry.get("subject", client_id),
            frozenset(for_people),
            entry.get("scope"),
            # A file from before vaults were listed says nothing about them.
            entry.get("seals", entry["service"] in SEALING),
        )
    except (KeyError, TypeError, AttributeError):
        raise ServicesError(
            "an entry of `services` in the principals file needs service, client_id and audience"
        ) from None
    texts = (found.name, found.client_id, found.audience, found.subject, found.scope or "-")
    if not all(isinstance(text, str) for text in texts) or isinstance(for_people, str):
        raise ServicesError("`services` in the principals file has a value that is not text")
    if found.seals is not (found.name in SEALING):
        # Nobody would compare the key fetches of a vault that the list leaves out with the log.
        raise ServicesError(
            f"{found.name}: `seals` in the principals file must say whether the service has a vault"
        )
    return found


def _system(entry: Any) -> DepartmentSystem:
    try:
        client_id = entry["client_id"]
        found = DepartmentSystem(client_id, entry.get("subject", client_id), entry["department"])
    except (KeyError, TypeError, AttributeError):
        raise ServicesError(
            "an entry of `departments` in the principals file needs client_id and department"
        ) from None
    if not all(isinstance(text, str) for text in (client_id, found.subject, found.department)):
        raise ServicesError("`departments` in the principals file has a value that is not text")
    return found


def _system_problems(
    services: tuple[Service, ...], systems: tuple[DepartmentSystem, ...]
) -> Iterator[str]:
    taken = {name for each in services for name in (each.client_id, each.subject, each.audience)}
    clients = [each.client_id for each in systems]
    subjects = [each.subject for each in systems]
    if len(set(clients)) < len(clients) or len(set(subjects)) < len(subjects):
        yield "two entries of `departments` in the principals file have one client_id or subject"
    for each in systems:
        for text in (each.client_id, each.subject):
            if not text or text.split() != [text]:
                yield "a client_id of `departments` is empty, or contains spaces"
            if text in taken:
                yield "a client_id or subject of `departments` is a service's"
            if is_reserved(text):
                # The log would show it as a service or a resident's link.
                yield "a client_id or subject of `departments` begins like a service's or a link's"
        if not is_department(each.department):
            yield "a department of `departments` in the principals file is not a code"


def is_department(department: object) -> bool:
    """Whether this is a department's code."""
    try:
        _DEPARTMENT.validate_python(department, strict=True)
    except ValidationError:
        return False
    return True


def _problems(own: str, listed: tuple[Service, ...]) -> Iterator[str]:
    if own not in {each.name for each in listed}:
        yield f"the principals file lists no service {own}"
    clients: Mapping[str, Service] = {each.client_id: each for each in listed}
    for each in listed:
        for what, text in (("client_id", each.client_id), ("audience", each.audience)):
            if not text or text.split() != [text]:
                yield f"{each.name}: {what} in the principals file is empty, or contains spaces"
        if each.audience in clients:
            # An ID token has a client id for its audience (OpenID Connect Core 1.0, section 2).
            yield f"{each.name}: the audience in the principals file is a client id"
    for what, many in (
        ("name", [each.name for each in listed]),
        ("client_id", [each.client_id for each in listed]),
        ("subject", [each.subject for each in listed]),
        ("audience", [each.audience for each in listed]),
    ):
        if len(set(many)) < len(many):
            yield f"two services in the principals file have one {what}"
    names = {each.name for each in listed}
    for each in listed:
        if not each.for_people <= names - {each.name}:
            yield f"{each.name}: for_people in the principals file names no other service"
