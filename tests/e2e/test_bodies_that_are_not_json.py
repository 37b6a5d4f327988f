"""A body that is not JSON has one status at every operation, and every API document says so."""

import pytest

from tests.fuzz.callers import CALLERS
from tests.support.county import County

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

CANARY = "Wurzelgruber-305-555-0142"


@pytest.mark.parametrize("service", CALLERS)
async def test_a_body_that_is_not_json_is_400_unreadable_as_documented(
    county: County, service: str
) -> None:
    document = (await county.ask("GET", service, "/openapi.json", None)).json()
    tried = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            kinds = operation.get("requestBody", {}).get("content", {})
            if not any("json" in kind for kind in kinds):
                continue
            assert "application/problem+json" in operation["responses"]["400"]["content"], path
            answer = await county.http.request(
                method.upper(),
                county.known.services[service] + path,
                params={"name": "zip", "source": "x"},
                content=f'{{"name": {CANARY}',
                headers={
                    "Content-Type": "application/json",
                    **await county.session.headers(service, "admin", "ana"),
                },
            )
            assert answer.status_code == 400, (path, answer.text)
            assert answer.json()["type"] == "urn:direct311:problem:unreadable", path
            assert CANARY not in answer.text
            tried += 1
    assert tried or service == "routing"
