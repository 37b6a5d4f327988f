"""Theft: a copy of databases and buckets holds no name, and keys open nothing elsewhere."""

import pytest
from bson import encode

from tests.protection.traces import trace
from tests.support.county import County, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P21")]
SECRETS = {
    "first_name": "Quetzalina",
    "last_name": "Theftworthy",
    "email": "quetzalina.theftworthy@example.org",
    "phone": "+13055550771",
}


async def test_a_stolen_copy_of_everything_at_rest_tells_nothing(county: County) -> None:
    record_id = await county.accepted(submission(701) | SECRETS)
    await county.routed(record_id)
    wanted = [value.encode() for value in SECRETS.values()] + [b"3055550771"]
    # The control: the same search finds what is public.
    wanted_public, found, public = b"ANI-STRAY-DOG", [], 0
    with county.database() as database:
        for name in ("intake", "media", "geo", "routing", "retention", "audit"):
            for collection in database[name].list_collection_names():
                for document in database[name][collection].find({}):
                    stolen = encode(document)
                    found += [name for value in wanted if value.lower() in stolen.lower()]
                    public += wanted_public in stolen
    store = county.store()
    for bucket in store.list_buckets():
        for item in store.list_objects(bucket.name, recursive=True):
            answer = store.get_object(bucket.name, item.object_name)
            stolen = answer.read()
            answer.close()
            found += [bucket.name for value in wanted if value.lower() in stolen.lower()]
    assert found == []
    assert public > 0


async def test_a_stolen_wrapped_key_does_not_open_elsewhere(county: County) -> None:
    """The key document of one record under the id of another: the thief has the database."""
    mine, other = [await county.accepted(submission(number)) for number in (702, 703)]
    with county.database() as database:
        keys = database.intake["keys"]
        stolen = keys.find_one({"_id": other})
        assert stolen is not None
        keys.update_one({"_id": mine}, {"$set": {"wrapped": stolen["wrapped"]}})
    answer = await county.read_contact(mine, "agent", "thief-1")
    assert answer.status_code == 410
    await trace(county, f"record={mine}", lambda each: each["outcome"] == "error")


async def test_tries_with_a_made_up_token_are_counted_in_the_log(county: County) -> None:
    record_id = await county.accepted(submission(704))
    url = f"{county.known.services['intake']}/v1/requests/{record_id}/contact"
    for number in range(7):
        headers = {"Authorization": f"Bearer stolen-{number}"}
        assert (await county.http.post(url, headers=headers, json={})).status_code == 401

    async def counted() -> bool:
        total = 0
        for message in await county.messages("pii.accessed"):
            total += b'"sign_in"' in (message.value or b"") and b'"denied"' in (
                message.value or b""
            )
        return total > 0

    await until(counted, "the failed sign-ins are written down", seconds=150)
    entry = await trace(
        county,
        "action=sign_in&outcome=denied",
        lambda each: int(each["signed_event"]["body"]["what"]["result_count"]) >= 1,
    )
    assert "stolen-" not in str(entry)
