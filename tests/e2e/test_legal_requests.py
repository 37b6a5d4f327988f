"""An officer sends a legal process at the gateway, and the liaison has it at the desk; nobody else
learns of it."""

import base64
from hashlib import sha256
from typing import Any

import httpx
import pytest
from uuid_utils import compat

from tests.support.county import County

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, pytest.mark.policy("P18")]

WARRANT = b"%PDF-1.7 canary quodlibet warrant" * 200_000
"""Of 6.6 MB: it passes both services' limits."""
FORM: dict[str, Any] = {
    "agency": "Quodlibet Police Department",
    "instrument": "warrant",
    "request": "Who reported the fire at Peregrine-Quodlibet Canal.",
    "officer": {"name": "Q. Quodlibet", "badge": "4711", "phone": "+1 305 555 0111"},
    "document": base64.b64encode(WARRANT).decode(),
}


async def test_the_liaison_has_it_at_the_desk_and_nobody_else_learns_of_it(county: County) -> None:
    url = county.known.services["intake"] + "/v1/legal-requests"
    headers = {"Idempotency-Key": str(compat.uuid4())}
    answer = await county.http.post(url, json=FORM, headers=headers)
    assert answer.status_code == 201, answer.text
    case_id = answer.json()["receipt"]
    path = f"/v1/cases/{case_id}"
    desk = ("liaison", "lars")
    try:
        again = await county.http.post(url, json=FORM, headers=headers)
        assert (again.status_code, again.json()["receipt"]) == (200, case_id)

        read = await county.get("retention", path, *desk)
        assert (read["state"], read["kind"]) == ("received", "law_enforcement")
        assert read["request"] == FORM["request"]
        assert read["contact"] == FORM["officer"] | {"agency": FORM["agency"]}
        legal = await county.get("retention", f"{path}/legal-process", *desk)
        assert (legal["claimed"], legal.get("instrument"), legal["calls"]) == ("warrant", None, [])
        digest = sha256(WARRANT).hexdigest()
        document = await county.http.get(
            f"{county.known.services['retention']}{path}/documents/{digest}",
            headers=await county.session.headers("retention", *desk),
        )
        assert document.content == WARRANT

        # What law enforcement asks for is in clear nowhere, and no token leads to it.
        with county.database() as database:
            stored = repr(database["retention"]["cases"].find_one({"_id": case_id}))
            counted = repr(list(database["intake"]["reads"].find()))
        for secret in ("Quodlibet", "4711", "0111"):
            assert secret not in stored
        assert "legal" not in counted
        status = f"{county.known.services['intake']}/v1/records-requests/status"
        unknown = await county.http.get(status, headers={"Authorization": f"Bearer {case_id}"})
        assert unknown.status_code == 404
        for role in ("custodian", "counsel", "agent"):
            asked = await county.ask("GET", "retention", path, role, "nosy")
            assert asked.status_code in (403, 404)
        for service in ("intake", "retention"):
            metrics = await county.http.get(f"{county.known.services[service]}/metrics")
            assert "legal" not in metrics.text
    finally:
        await county.post("retention", f"{path}/close", {"outcome": "withdrawn"}, *desk)


async def test_a_form_that_is_not_whole_opens_nothing(county: County) -> None:
    url = county.known.services["intake"] + "/v1/legal-requests"
    form: httpx.Response = await county.http.get(f"{url}/form")
    assert "warrant" in form.json()["instruments"]
    changes: list[dict[str, Any]] = [
        {"instrument": "exigent_request"},
        {"document": "%%%"},
        {"officer": {}},
    ]
    for change in changes:
        answer = await county.http.post(url, json=FORM | change)
        assert answer.status_code == 422
        assert "uodlibet" not in answer.text
