"""Destruction: not by one person, not under a hold, not past the custodians without a trace."""

import pytest
from minio.error import S3Error

from tests.protection.traces import refusal, trace
from tests.support.county import County
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P14", "P21")]


async def test_an_agent_cannot_propose_a_destruction(county: County) -> None:
    record_id = await county.accepted(submission(760))
    body = {"record_ids": [record_id]}
    answer = await county.ask("POST", "retention", "/v1/dispositions", "agent", "shredder", body)
    assert answer.status_code == 403
    await refusal(county, "shredder", "refused:role")
    assert (await county.read_contact(record_id, "agent", "ana")).status_code == 200


async def test_a_key_removed_in_the_database_shows_at_the_next_reading(county: County) -> None:
    record_id = await county.accepted(submission(761))
    with county.database() as database:
        removed = database.intake["keys"].update_one(
            {"_id": record_id}, {"$unset": {"wrapped": ""}}
        )
        assert removed.modified_count == 1
    assert (await county.read_contact(record_id, "agent", "ana")).status_code == 410
    await trace(county, f"record={record_id}", lambda each: each["outcome"] == "error")


async def test_the_logs_files_cannot_be_removed_by_the_stores_administrator(
    county: County,
) -> None:
    store = county.store()
    name = next(
        item.object_name
        for item in store.list_objects("direct311-log", prefix="checkpoint/", recursive=True)
    )
    version = next(iter(store.list_objects("direct311-log", prefix=name, include_version=True)))
    with pytest.raises(S3Error):
        store.remove_object("direct311-log", name, version_id=version.version_id)
    # Without a version a marker hides it at most; what was written is still there.
    answer = store.get_object("direct311-log", name, version_id=version.version_id)
    assert answer.read().startswith(b"direct311")
    answer.close()
