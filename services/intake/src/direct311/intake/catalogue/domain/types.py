"""The county's request types, as residents choose them and as Open311 describes them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Literal

from direct311.schemas import Model

Datatype = Literal["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"]

_CODE = re.compile(r"[A-Z0-9_-]{1,40}")


class Choice(Model, extra="forbid"):
    """One value of a list: `key` is sent, `name` is shown."""

    key: str
    name: str


class AskedIf(Model, extra="forbid"):
    """When a question is asked: an earlier one, `code`, has one of these `values` as an answer."""

    code: str
    values: tuple[str, ...]


class Attribute(Model, extra="forbid"):
    """One question of a type, in the words of GeoReport v2's service definition.

    `variable` false: a text to read, not a question. `asked_if`: asked only then, and `required`
    holds only then. `sealed_as` names the vault field under which an answer is sealed at once; it
    then appears nowhere else.
    """

    code: str
    order: int
    datatype: Datatype
    description: str
    required: bool = False
    variable: bool = True
    datatype_description: str = ""
    values: tuple[Choice, ...] = ()
    asked_if: AskedIf | None = None
    sealed_as: Literal["reporter_address"] | None = None

    @property
    def is_list(self) -> bool:
        return self.datatype in ("singlevaluelist", "multivaluelist")


class Flags(Model, extra="forbid"):
    """How a type is treated.

    `enforcement`: held without the reporter's name and address (sections 125.69, 162.06 and 162.21,
    F.S.). `emergency_hint`: the resident is told to call 911 if somebody is in danger.
    `publish_text`: the redacted text is public. `media`: whether files are accepted; if they are
    required, a file's URL is enough. `anonymous`: work starts without a name.
    """

    enforcement: bool = False
    emergency_hint: bool = False
    publish_text: bool = False
    media: Literal["allowed", "required", "none"] = "allowed"
    anonymous: bool = True


Delivery = Literal["realtime", "batch", "blackbox"]
"""What GeoReport v2 calls a service's type. Either a request's number is returned at once; or a
token is, which gives the number once the place has been checked; or neither, and the request is
never public."""


class ServiceType(Model, extra="forbid"):
    """One request type. `county_name` is the county's exact name for it. `goal_days` counts working
    days. Without its own dates it is in force as long as the file.
    """

    service_code: str
    service_name: str
    county_name: str
    description: str
    group: str
    keywords: tuple[str, ...]
    owner: str
    department: str
    goal_days: int
    type: Delivery = "realtime"
    flags: Flags = Flags()
    attributes: tuple[Attribute, ...] = ()
    effective_from: date | None = None
    effective_until: date | None = None

    @property
    def metadata(self) -> bool:
        """Open311's word for: there are questions to ask."""
        return bool(self.attributes)

    @cached_property
    def questions(self) -> Mapping[str, Attribute]:
        """The questions, by code and in order, without texts to read."""
        ordered = sorted(self.attributes, key=lambda each: each.order)
        return {each.code: each for each in ordered if each.variable}

    def attribute(self, code: str) -> Attribute | None:
        return next((each for each in self.attributes if each.code == code), None)

    def files_wrong(
        self, files: int, addresses: int
    ) -> Literal["files_not_taken", "file_required"] | None:
        """The code of what is wrong with so many files and addresses of files, if anything is.

        Open311 clients send a URL whether it is needed or not, so it is never refused.
        """
        if self.flags.media == "none" and files:
            return "files_not_taken"
        if self.flags.media == "required" and not files and not addresses:
            return "file_required"
        return None

    def in_force(self, on: date) -> bool:
        return _within(on, self.effective_from, self.effective_until)


class Catalogue(Model, extra="forbid"):
    """All request types of one jurisdiction. `effective_until` is the last day in force."""

    catalogue: str
    version: str
    jurisdiction_id: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    shared_attributes: tuple[Attribute, ...] = ()
    services: tuple[ServiceType, ...]

    @cached_property
    def _by_code(self) -> dict[str, ServiceType]:
        return {service.service_code: service for service in self.services}

    def by_code(self, service_code: str) -> ServiceType | None:
        """The type with this code, in force or not: an old request keeps its type."""
        return self._by_code.get(service_code)

    def offered(self, service_code: str, on: date) -> ServiceType | None:
        """The type with this code, if residents may request it on this day."""
        service = self._by_code.get(service_code)
        if service is None or not _within(on, self.effective_from, self.effective_until):
            return None
        return service if service.in_force(on) else None

    def in_force(self, on: date) -> tuple[ServiceType, ...]:
        """The types that residents may request on this day, in the order of the file."""
        if not _within(on, self.effective_from, self.effective_until):
            return ()
        return tuple(service for service in self.services if service.in_force(on))


def problems(catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a catalogue: service code, field and reason."""
    if not catalogue.services:
        yield "", "services", "there are none"
    yield from _dates("", catalogue.effective_from, catalogue.effective_until)
    codes = Counter(service.service_code for service in catalogue.services)
    names = Counter(service.county_name for service in catalogue.services)
    for service in catalogue.services:
        code = service.service_code
        if codes[code] > 1:
            yield code, "service_code", "more than one type has this code"
        if names[service.county_name] > 1:
            yield code, "county_name", "more than one type has this name"
        yield from ((code, field, reason) for field, reason in _service_problems(service))


def _service_problems(service: ServiceType) -> Iterator[tuple[str, str]]:
    if not _CODE.fullmatch(service.service_code) or service.service_code == "0":
        yield "service_code", "only A-Z, 0-9, _ and -, at most 40 of them, and not 0"
    for field in ("service_name", "county_name", "description", "group", "owner", "department"):
        if not str(getattr(service, field)).strip():
            yield field, "is empty"
    if service.goal_days < 0:
        yield "goal_days", "is negative"
    for _, field, reason in _dates("", service.effective_from, service.effective_until):
        yield field, reason
    yield from _order(service.attributes)
    for attribute in service.attributes:
        place = f"attributes[{attribute.code}]"
        for field, reason in _attribute_problems(attribute):
            yield f"{place}.{field}", reason
        if attribute.asked_if is not None:
            for field, reason in _condition_problems(attribute, attribute.asked_if, service):
                yield f"{place}.{field}", reason
    if service.flags.enforcement:
        yield from _enforcement_problems(service)


def _order(attributes: tuple[Attribute, ...]) -> Iterator[tuple[str, str]]:
    if sorted(each.order for each in attributes) != list(range(1, len(attributes) + 1)):
        yield "attributes", "orders must count from 1 without a gap or a repeat"
    for code in _repeated(each.code for each in attributes):
        yield f"attributes[{code}]", "asked more than once"


def _attribute_problems(attribute: Attribute) -> Iterator[tuple[str, str]]:
    if not _CODE.fullmatch(attribute.code):
        yield "code", "only A-Z, 0-9, _ and -, at most 40 of them"
    if attribute.is_list and attribute.variable and not attribute.values:
        yield "values", "a list needs values"
    if not attribute.is_list and attribute.values:
        yield "values", "only a list has values"
    if not attribute.description.strip():
        yield "description", "is empty"
    if attribute.required and not attribute.variable:
        yield "required", "a text to read cannot be answered"
    for key in _repeated(choice.key for choice in attribute.values):
        yield f"values[{key}]", "offered more than once"
    if attribute.sealed_as and attribute.datatype not in ("string", "text"):
        yield "sealed_as", "only words can be sealed"


def _condition_problems(
    attribute: Attribute, asked_if: AskedIf, service: ServiceType
) -> Iterator[tuple[str, str]]:
    """Checks that an earlier answer can meet a condition."""
    if attribute.sealed_as:
        yield "asked_if", "a sealed question must be asked of everybody"
    other = service.attribute(asked_if.code)
    if other is None or not other.variable:
        yield "asked_if.code", "is not a question of this type"
        return
    if other.order >= attribute.order:
        yield "asked_if.code", "must come before this question"
    if not other.is_list:
        yield "asked_if.code", "must be a list, so that its answers are distinct"
    if not asked_if.values:
        yield "asked_if.values", "are none"
    keys = {choice.key for choice in other.values}
    for value in asked_if.values:
        if other.is_list and value not in keys:
            yield f"asked_if.values[{value}]", f"is not a key of {other.code}"
    for value in _repeated(asked_if.values):
        yield f"asked_if.values[{value}]", "named more than once"


def _enforcement_problems(service: ServiceType) -> Iterator[tuple[str, str]]:
    if service.flags.anonymous:
        yield "flags.anonymous", "an enforcement type cannot go to work without a name"
    if service.type != "realtime":
        yield "type", "who is to add name and address must know the request's number"
    address = next((each for each in service.attributes if each.sealed_as), None)
    if address is None:
        yield "attributes", "an enforcement type must ask for the reporter's address, sealed"
        return
    if address.required:
        yield (
            f"attributes[{address.code}].required",
            "a complaint without address is accepted and held, so it cannot be required",
        )
    if not any(not each.variable and each.order < address.order for each in service.attributes):
        yield (
            f"attributes[{address.code}].order",
            "a text to read must say before it that name and address become public record",
        )


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, times in Counter(values).items() if times > 1]


def _dates(entry: str, start: date | None, end: date | None) -> Iterator[tuple[str, str, str]]:
    if start and end and end < start:
        yield entry, "effective_until", "is before effective_from"


def _within(on: date, start: date | None, end: date | None) -> bool:
    return (start is None or start <= on) and (end is None or on <= end)
