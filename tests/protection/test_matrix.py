"""Role x endpoint, role x purpose: every cell is as the table says, and leaves its event.

The endpoints come from the OpenAPI documents of the running services; who may use them stands in
`matrix.yaml`. An endpoint that is not in the table fails, so that a new one is decided on and not
forgotten. Each refusal must be in the access log under the name of its own cell.
"""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.stack import Stack
from tests.protection.cells import Operation, operations
from tests.support.county import County, entering
from tests.support.submissions import submission

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.e2e,
    pytest.mark.policy("P21"),
    pytest.mark.timeout(600),
]

TABLE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("matrix.yaml").read_text())
ROLES: tuple[str, ...] = tuple(TABLE["roles"])
PARKS = "department:parks"
LAST = ("/internal/index/rebuild", "/internal/keys")
"""What changes how a service works is called when all else has been."""


@pytest.fixture(scope="module")
async def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def own(disposable: Stack) -> AsyncIterator[County]:
    """Not the county that all share: administrators do here what they may."""
    async with entering(disposable) as county:
        yield county


async def _operations(county: County, record_id: str) -> list[Operation]:
    found: list[Operation] = []
    for service in county.stack.services:
        url = f"{county.known.services[service]}/openapi.json"
        document = (await county.http.get(url)).json()
        for each in operations(service, document, record_id):
            body = TABLE["bodies"].get(f"{service} {each.name}", each.body)
            found.append(replace(each, body=body))
    return sorted(found, key=lambda each: (each.path.startswith(LAST), each.service, each.name))


def _caller(role: str) -> str:
    return PARKS if role == "department" else role


async def _refusals(county: County) -> set[str]:
    """The actors of all refusals that were written down."""
    found = set()
    for message in await county.messages("pii.accessed"):
        data = json.loads(message.value or b"{}")
        if data["outcome"] == "denied":
            found.add(data["agent"]["id"])
    return found


async def _form_without_key(county: County, operation: Operation, role: str | None) -> int:
    headers = (
        await county.session.headers(operation.service, _caller(role), "nobody") if role else {}
    )
    url = county.known.services[operation.service] + operation.url
    return (await county.http.post(url, data={"status": "OPEN"}, headers=headers)).status_code


async def test_every_endpoint_takes_the_roles_of_the_table_and_no_other(own: County) -> None:
    record_id = await own.accepted(submission(790))
    await own.routed(record_id)
    found = await _operations(own, record_id)
    table: dict[str, list[str]] = TABLE["endpoints"]
    names = {f"{each.service} {each.name}" for each in found}
    if os.environ.get("MATRIX_PRINT"):
        print("\n".join(sorted(names)))  # noqa: T201 - for whoever adds an endpoint
    assert names == set(table)

    wrong: list[str] = []
    cells: list[str] = []
    for operation in found:
        name = f"{operation.service} {operation.name}"
        allowed = table[name]
        if "everybody" in allowed:
            continue
        if "forms" in allowed:
            wrong += [
                f"{name}: {role} without a key gets {status}"
                for role in (None, *ROLES)
                if (status := await _form_without_key(own, operation, role)) != 403
            ]
            continue
        if "clients" in allowed:
            # No token opens it, so there is no role to refuse and nobody to write down.
            for role in (None, *ROLES):
                caller = _caller(role) if role else None
                answer = await own.ask(
                    operation.method.upper(),
                    operation.service,
                    operation.url,
                    caller,
                    "nobody",
                    operation.body,
                )
                if answer.status_code != 401:
                    wrong.append(f"{name}: {role} without a key gets {answer.status_code}")
            continue
        answer = await own.ask(
            operation.method.upper(),
            operation.service,
            operation.url,
            None,
            body=operation.body,
            params=operation.query,
        )
        if answer.status_code != 401:
            wrong.append(f"{name}: nobody gets {answer.status_code}")
        for role in sorted(ROLES, key=lambda each: each in allowed):
            cell = f"cell-{len(cells)}"
            answer = await own.ask(
                operation.method.upper(),
                operation.service,
                operation.url,
                _caller(role),
                cell,
                operation.body,
                params=operation.query,
            )
            refused = answer.status_code in (401, 403)
            if refused is (role in allowed):
                wrong.append(f"{name}: {role} gets {answer.status_code}")
            if refused:
                cells.append(cell)
            else:
                cells.append("")
    assert not wrong, "\n".join(wrong)
    written = await _refusals(own)
    assert [cell for cell in cells if cell and cell not in written] == []
    assert len([cell for cell in cells if cell]) > 300


async def test_every_purpose_opens_contact_data_for_the_roles_of_the_table_alone(
    own: County,
) -> None:
    fields = submission(791)
    record_id = await own.accepted(fields)
    wrong: list[str] = []
    cells: list[str] = []
    for purpose, allowed in TABLE["contact"].items():
        for role in ROLES:
            cell = f"purpose-{len(cells)}"
            cells.append(cell)
            answer = await own.read_contact(
                record_id,
                _caller(role),
                cell,
                purpose=purpose,
                reference="REF-1",
                justification="a reason that is long enough",
            )
            expected = 200 if role in allowed else 403
            if answer.status_code != expected:
                wrong.append(f"{purpose}: {role} gets {answer.status_code}")
            if (fields["phone"] in answer.text) is not (expected == 200):
                wrong.append(f"{purpose}: {role} sees or misses the telephone")
    assert not wrong, "\n".join(wrong)
    written = {
        json.loads(message.value or b"{}")["agent"]["id"]
        for message in await own.messages("pii.accessed")
    }
    assert [cell for cell in cells if cell not in written] == []
