"""Disclosure: nothing goes out without a case, and nothing public says who reported."""

import pytest

from tests.protection.traces import refusal
from tests.support.county import County
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P21")]


@pytest.mark.parametrize("purpose", ["public_records", "law_enforcement"])
async def test_without_an_approved_case_nothing_is_disclosed(county: County, purpose: str) -> None:
    fields = submission(720)
    record_id = await county.accepted(fields)
    name = f"leak-{purpose.replace('_', '-')}"
    answer = await county.read_contact(
        record_id, "counsel", name, purpose=purpose, reference="CASE-1"
    )
    assert answer.status_code == 403
    assert fields["phone"] not in answer.text
    # What shows law enforcement is withheld from auditors; counsel has the right to read it.
    entry = await refusal(county, name, "refused:disclosure_case", "counsel")
    assert entry["purpose"] == purpose


@pytest.mark.parametrize("role", ["counsel", "custodian"])
async def test_county_business_is_no_way_around_a_grant(county: County, role: str) -> None:
    fields = submission(722)
    record_id = await county.accepted(fields)
    name, why = f"around-{role}", {"purpose": "county_business", "reference": "CASE-1"}
    read = await county.read_contact(record_id, role, name, **why)
    search = await county.ask(
        "POST",
        "intake",
        "/internal/persons/resolve",
        role,
        name,
        {"phone": fields["phone"], **why},
    )
    for answer in (read, search):
        assert answer.status_code == 403
        assert answer.json()["type"].endswith("refused:fields")
        assert "needs the grant of a disclosure case" in answer.json()["detail"]
        assert fields["phone"] not in answer.text
        assert record_id not in answer.text
    entry = await refusal(county, name, "refused:fields")
    assert entry["purpose"] == "county_business"


async def test_no_public_answer_says_who_reported(county: County) -> None:
    fields = submission(721)
    record_id = await county.accepted(fields)
    await county.routed(record_id)
    for path in (f"requests/{record_id}.json", f"requests/{record_id}.xml", "requests.json"):
        answer = await county.open311(path, extensions="true")
        assert answer.status_code == 200
        assert record_id in answer.text or path == "requests.json"
        for name in ("first_name", "last_name", "email", "phone"):
            assert fields[name] not in answer.text, (path, name)
