"""The register of disclosure cases on the running stack: what retention signed, audit can show."""

from datetime import UTC, datetime
from typing import Any

import pytest
from uuid_utils import compat

from direct311.verifier.cases_report import verify_cases_report
from direct311.verifier.policy import Policy
from tests.support import disposition
from tests.support.county import County, until

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, pytest.mark.policy("P13")]
LETTER = "Letter 12"


async def opened(county: County, kind: str, role: str, name: str) -> str:
    order = {
        "kind": kind,
        "request": "Everything about one bridge.",
        # Without bounds it would stop the destruction that other tests look for.
        "bounds": {"record_ids": [await disposition.kept(county)]},
    }
    made = await county.post("retention", "/v1/cases", order, role, name)
    return str(made["case_id"])


async def asked(county: County, path: str, role: str = "auditor", **query: Any) -> Any:
    params = {"reference": LETTER} | query
    return await county.ask("GET", "audit", path, role, "ines", params=params)


async def listed(county: County, role: str = "auditor") -> list[str]:
    found: list[str] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = (await asked(county, "/v1/cases", role, **query)).json()
        found += [each["case_id"] for each in page["cases"]]
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]


async def test_a_case_is_in_the_register_with_each_of_its_steps(county: County) -> None:
    case_id = await opened(county, "public_records", "custodian", "carla")
    path = f"/v1/cases/{case_id}"
    closing = {"outcome": "withdrawn"}
    await county.post("retention", f"{path}/close", closing, "custodian", "carla")

    async def closed() -> bool:
        answer = await asked(county, path)
        return bool(answer.status_code == 200 and answer.json()["state"] == "closed")

    await until(closed, "audit has the case's entries")
    case = (await asked(county, path)).json()
    assert (case["kind"], case["outcome"], case["exempt"]) == (
        "public_records",
        "withdrawn",
        False,
    )
    assert [each["step"] for each in case["steps"]] == ["opened", "closed"]
    assert {each["actor"] for each in case["steps"]} == {"carla"}
    for step in case["steps"]:
        entry = (await asked(county, f"/v1/entries/{step['event_id']}")).json()
        assert (entry["index"], entry["case_id"]) == (step["index"], case_id)
    assert case_id in await listed(county)

    async def written() -> bool:
        answer = await asked(county, f"/v1/entries/{case['access_event']}")
        return bool(answer.status_code == 200 and answer.json()["action"] == "log_read")

    await until(written, "the question is an entry")
    year = datetime.now(UTC).year
    report = (await asked(county, "/v1/cases-report", year=year)).json()
    public = next(each for each in report["kinds"] if each["kind"] == "public_records")
    assert public["outcomes"]["withdrawn"] >= 1
    # The log signs all of it, and the auditors' tool says so offline.
    policy = Policy.parse((county.stack.root / "audit.policy").read_bytes())
    checked = verify_cases_report(report["note"].encode(), policy.trust)
    assert checked.ok, checked.text
    wrong = report["note"].replace(f'"year":{year}', f'"year":{year - 1}')
    assert not verify_cases_report(wrong.encode(), policy.trust).ok


@pytest.mark.policy("P18")
async def test_no_list_count_or_refusal_shows_an_exempt_case(county: County) -> None:
    secret = await opened(county, "law_enforcement", "liaison", "lia")
    path = f"/v1/cases/{secret}"

    async def there() -> bool:
        return bool((await asked(county, path, "counsel")).status_code == 200)

    await until(there, "counsel sees the case")
    assert (await asked(county, path, "counsel")).json()["exempt"] is True
    assert secret in await listed(county, "counsel")
    assert secret not in await listed(county)
    unknown = await asked(county, f"/v1/cases/{compat.uuid7()}")
    hidden = await asked(county, path)
    assert (hidden.status_code, hidden.json()) == (unknown.status_code, unknown.json())
    assert hidden.status_code == 404
    for cursor in (secret, str(compat.uuid7())):
        assert (await asked(county, "/v1/cases", cursor=cursor)).status_code == 400
    year = datetime.now(UTC).year
    reports = [
        (await asked(county, "/v1/cases-report", role, year=year)).json()["kinds"]
        for role in ("auditor", "counsel")
    ]
    assert reports[0][1] == reports[1][1]
