"""Use: no purpose of trade can be named, loaded or signed into force."""

from pathlib import Path
from typing import Any

import pytest

from direct311.runtime.access.rules import load_access_policy
from direct311.runtime.datafile import DataFileError, packaged
from tests.protection.traces import refusal
from tests.support.county import County
from tests.support.data_files import changed, entry
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P12", "P21")]


async def test_marketing_is_no_purpose_and_the_try_is_written_down(county: County) -> None:
    fields = submission(740)
    record_id = await county.accepted(fields)
    answer = await county.read_contact(record_id, "agent", "seller-1", purpose="marketing")
    assert answer.status_code == 403
    assert fields["phone"] not in answer.text
    found = await refusal(county, "seller-1", "refused:purpose-unknown")
    # What a caller makes up is not repeated, in the log neither.
    assert found["purpose"] == "unknown"


def test_no_file_of_rules_with_a_purpose_of_trade_can_be_loaded(tmp_path: Path) -> None:
    def add(tree: dict[str, Any]) -> None:
        sold = {**entry(tree, "purposes", "purpose", "respond"), "purpose": "partner_marketing"}
        tree["purposes"].append(sold)

    path = changed(packaged("direct311.runtime", "access.yaml"), tmp_path, add)
    with pytest.raises(DataFileError, match="never used for marketing"):
        load_access_policy(path, rules_only=True)
