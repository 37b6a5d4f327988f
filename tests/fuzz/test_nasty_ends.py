"""Times, numbers and texts from the nasty ends, in each place of each call of every API, by two
callers in turn: no 5xx, nothing of it said again, no error within.

Two of them for each place in `make test`, drawn with a seed; all of them in `make fuzz`.
"""

import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.fuzz.callers import CALLERS, LINK, SERVICE, callers
from tests.fuzz.nasty import OTHERS, nasty, places, replaced
from tests.protection.cells import example, operations
from tests.support.county import County
from tests.support.submissions import submission

WHOLE = bool(int(os.environ.get("FUZZ_EXAMPLES", "0")))
FEW = 2
LONG_ENOUGH = 12
"""What is shorter may be in an answer by chance."""
UNTOUCHED = re.compile(r"rebuild|/internal/(index|keys)|^/v1/clients/\{client_id\}|^/boundaries")
"""What keeps all others waiting, takes keys that the tests use, or replaces the county's areas."""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.e2e,
    pytest.mark.policy("P20"),
    pytest.mark.timeout(3600 if WHOLE else 580),
]


@dataclass(frozen=True)
class Call:
    """One call with something nasty in it; `sent` is that."""

    method: str
    path: str
    url: str
    query: dict[str, str]
    body: Any
    sent: Any


def _calls(document: dict[str, Any], service: str, record_id: str) -> Iterator[Call]:
    schemas = document.get("components", {}).get("schemas", {})
    chance = random.Random(f"nasty {service}")

    def drawn(schema: dict[str, Any]) -> list[Any]:
        found = [*nasty(schema), *OTHERS]
        return found if WHOLE else chance.sample(found, FEW)

    for each in operations(service, document, record_id):
        if UNTOUCHED.search(each.path):
            continue
        operation = document["paths"][each.path][each.method]
        for parameter in operation.get("parameters", []):
            for value in drawn(parameter.get("schema", {})):
                text = value if isinstance(value, str) else json.dumps(value)
                if parameter["in"] == "query":
                    query = {**each.query, parameter["name"]: text}
                    yield Call(each.method, each.path, each.url, query, each.body, value)
                elif parameter["in"] == "path" and text.strip("./"):
                    # What has dots or slashes alone is another address.
                    url = each.path.replace(f"{{{parameter['name']}}}", quote(text, safe=""))
                    url = re.sub(r"\{[^}]*\}", record_id, url)
                    yield Call(each.method, each.path, url, dict(each.query), each.body, value)
        schema = (
            operation.get("requestBody", {})
            .get("content", {})
            .get("application/json", {})
            .get("schema")
        )
        if schema is None:
            continue
        full = _filled(schema, schemas)
        for at in places(full):
            for value in drawn(_at(schema, at, schemas)):
                body = replaced(full, at, value)
                yield Call(each.method, each.path, each.url, dict(each.query), body, value)


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema that is meant, without references and without null."""
    if "$ref" in schema:
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            chosen = [part for part in schema[name] if part.get("type") != "null"]
            return _resolved(chosen[0], schemas) if chosen else schema
    return schema


def _filled(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """A value that fits, with all its members."""
    meant = _resolved(schema, schemas)
    if meant.get("type") == "object" and depth < 4:
        members = meant.get("properties", {})
        return {name: _filled(part, schemas, depth + 1) for name, part in members.items()}
    if meant.get("type") == "array" and depth < 4:
        return [_filled(meant.get("items", {}), schemas, depth + 1)]
    return example(meant, schemas)


def _at(
    schema: dict[str, Any], at: tuple[str | int, ...], schemas: dict[str, Any]
) -> dict[str, Any]:
    meant = _resolved(schema, schemas)
    if not at:
        return meant
    if isinstance(at[0], int):
        return _at(meant.get("items", {}), at[1:], schemas)
    return _at(meant.get("properties", {}).get(at[0], {}), at[1:], schemas)


async def _answer(
    county: County, service: str, call: Call, headers: dict[str, str]
) -> httpx.Response:
    url = county.known.services[service] + call.url
    body = None
    if call.body is not None:
        # As a program would that does not look: JSON has no lone surrogates here, and no NaN.
        body = json.dumps(call.body).encode()
        headers = {**headers, "Content-Type": "application/json"}
    return await county.http.request(
        call.method.upper(), url, params=call.query, content=body, headers=headers
    )


@pytest.mark.parametrize("service", CALLERS)
async def test_nothing_from_the_nasty_ends_breaks_a_call(service: str, county: County) -> None:
    (taken,) = (await county.submit({**submission(977), "extensions": "true"})).json()
    record_id, link = taken["service_request_id"], taken["extended_attributes"]["link_token"]
    document = (await county.http.get(f"{county.known.services[service]}/openapi.json")).json()
    asked: dict[str, int] = {}
    for number, call in enumerate(_calls(document, service, record_id)):
        found = callers(service, call.method, call.path)
        role = found[number % len(found)].role
        if role == LINK:
            headers = {"Authorization": f"Bearer {link}"}
        elif role.startswith(SERVICE):
            headers = await county.service_headers(role, service)
        else:
            headers = await county.session.headers(service, role, "nasty")
        headers["X-Api-Key"] = county.known.api_keys["app"]
        answer = await _answer(county, service, call, headers)
        where = (call.method, call.path, role, call.sent)
        # A machine that is busy may say "not now".
        assert answer.status_code < 500 or answer.status_code == 503, (*where, answer.text[:500])
        if answer.status_code >= 400 and isinstance(call.sent, str):
            said = call.sent.strip()
            assert len(said) < LONG_ENOUGH or said not in answer.text, where
        asked[role] = asked.get(role, 0) + 1
    assert len(asked) > 1 or service == "routing"
    log = county.stack.log_file(service)
    assert '"http.error"' not in log.read_text(errors="replace")
