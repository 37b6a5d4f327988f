"""What schemathesis must know of the services: who calls, how XML is read, and what may not leak.

Loaded by its command, in a process of its own, which finds tokens and keys in its environment.
"""

import json
import os
import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import schemathesis
from schemathesis.specs.openapi.checks import ensure_resource_availability

from tests.fuzz.callers import callers

_GIVEN: dict[str, Any] = json.loads(os.environ["FUZZ"])
_SERVICE: str = _GIVEN["service"]
_CANARY: str = _GIVEN["canary"]

OPENS = re.compile(r"/(subject|contact)$")
"""What may answer with personal information: the vault's door."""


_called: Counter[tuple[str, str]] = Counter()


# Kept for no time: one token that is kept would be that of all calls.
@schemathesis.auth(refresh_interval=None)
class Token:
    """Gives each call the token of one of its callers, in turn, and the key of a client, as its
    operation says."""

    def get(self, case: Any, _: Any) -> str:
        operation = (case.method, case.operation.path)
        found = callers(_SERVICE, *operation)
        _called[operation] += 1
        return str(_GIVEN["tokens"][found[_called[operation] % len(found)].role])

    def set(self, case: Any, token: str, _: Any) -> None:
        for parameter in case.operation.security.iter_parameters():
            if parameter.name == "Authorization":
                case.headers["Authorization"] = f"Bearer {token}"
            elif parameter.name == "X-Api-Key":
                case.headers["X-Api-Key"] = _GIVEN["api_key"]
            elif parameter.name == "api_key":
                case.query["api_key"] = _GIVEN["api_key"]


LISTS = re.compile(r"^/open311/v2/requests\.(json|xml)$")
KEPT = ("app", "legacy")
"""Clients that the fuzz itself calls as, and other tests after it: it may not take their keys."""


@schemathesis.hook
def map_case(_: Any, case: Any) -> Any:
    """Leads good calls to a record and a type that there are, in a person's name."""
    if case.path_parameters and case.path_parameters.get("client_id") in KEPT:
        case.path_parameters["client_id"] = "fuzzed"
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive:
        if (
            case.method == "GET"
            and LISTS.match(case.operation.path)
            and isinstance(case.query, dict)
        ):
            # Ids override all filters, in which nothing can be wrong then.
            case.query.pop("service_request_id", None)
        return case
    if case.path_parameters and "record_id" in case.path_parameters:
        case.path_parameters["record_id"] = _GIVEN["record_id"]
    if case.operation.path.startswith("/v1/departments/{department}/"):
        case.path_parameters["department"] = "parks"
        if isinstance(case.body, dict):
            case.body["department"] = "parks"
        if case.query:
            # Nothing comes while it waits.
            case.query.pop("wait", None)
    if case.path_parameters and "service_request_id" in case.path_parameters:
        case.path_parameters["service_request_id"] = _GIVEN["record_id"]
    if isinstance(case.body, dict):
        for name in ("first_name", "last_name"):
            if isinstance(case.body.get(name), str):
                case.body[name] = _CANARY
        if "service_code" in case.body:
            case.body["service_code"] = _GIVEN["service_code"]
        if "service_request_id" in case.body:
            case.body["service_request_id"] = _GIVEN["record_id"]
    return case


@schemathesis.check
def no_leak(_: Any, response: Any, case: Any) -> None:
    """The name that was planted is in no answer but the vault's door's."""
    if OPENS.search(case.operation.path) and response.status_code == 200:
        return
    assert _CANARY.encode() not in response.content, "The answer has the planted name."


@schemathesis.check
def no_way_in(_: Any, response: Any, case: Any) -> None:
    """Who may not call is refused, whatever is sent; and nothing breaks by it."""
    sent = (_sent_by(response) or "").removeprefix("Bearer ")
    for caller in callers(_SERVICE, case.method, case.operation.path):
        if not caller.may and sent == _GIVEN["tokens"][caller.role]:
            assert 400 <= response.status_code < 500, "Somebody who may not call was let in."


@schemathesis.check
def found_by_its_maker(context: Any, response: Any, case: Any) -> None:
    """What a call has just made is there for the same caller.

    Schemathesis' own check knows one caller. Here two call in turn, and for a desk that does not
    keep a case, it does not exist (404), however new it is.
    """
    made = context.internals.find_parent(case_id=case.id)
    answer = context.internals.find_response(case_id=made.id) if made is not None else None
    if answer is not None and _sent_by(answer) == _sent_by(response):
        ensure_resource_availability(context, response, case)


def _sent_by(response: Any) -> str | None:
    """The token of who called."""
    sent: str | None = response.request.headers.get("Authorization")
    return sent


@schemathesis.deserializer("text/xml")
def read_xml(_: Any, response: Any) -> Any:
    """A GeoReport document as its schema describes it: all that has no element within is text, or
    null where it is empty."""
    return _tree(ElementTree.fromstring(response.content))


_LISTS = {
    "service_requests",
    "services",
    "attributes",
    "values",
    "keys",
    "endpoints",
    "formats",
    "errors",
    "notes",
    "photos",
    "service_request_updates",
}


def _tree(element: ElementTree.Element) -> Any:
    if element.tag in _LISTS and len(element):
        return [_tree(each) for each in element]
    if len(element):
        return {each.tag: _tree(each) for each in element}
    return element.text or None
