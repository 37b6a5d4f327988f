"""Clients that nobody here wrote, unchanged, against a running gateway: each call of each."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from tests.support.county import County, until
from tests.support.submissions import ANIMALS, photo, submission
from tests.wire.clients import installed

BATCH = "SIGNAL-NEW"
"""A service that answers with a token first."""

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


async def driver(command: Sequence[object]) -> Any:
    words = [str(word) for word in command]
    return await anyio.to_thread.run_sync(installed.said, words)


def base(county: County) -> str:
    return f"{county.known.services['intake']}/open311/v2/"


def key(county: County) -> str:
    return county.known.api_keys["app"]


async def listed(county: County, number: int) -> str:
    """The id of a request that the public list shows."""
    record_id = await county.accepted(submission(number))

    async def shown() -> bool:
        return (await county.request(record_id))["lat"] is not None

    await until(shown, "the request is shown")
    return record_id


def utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_boston311_reads_every_call_into_its_types(county: County) -> None:
    python = await anyio.to_thread.run_sync(installed.python_clients)
    record_id = await listed(county, 9200)
    start = datetime.now(UTC) - timedelta(days=1)
    script = installed.DRIVERS / "boston.py"
    found = await driver([python, script, base(county), record_id, ANIMALS, start.isoformat()])
    assert found["services"] == len((await county.open311("services.json")).json())
    assert found["name"] == "Stray or loose dog"
    one = found["one"]
    assert (one["service_request_id"], one["lat"], one["long"]) == (record_id, 25.666, -80.358)
    assert (one["status"], one["service_code"], one["media_url"]) == ("open", ANIMALS, None)
    assert found["every"] > 0
    assert record_id in found["some"] or len(found["some"]) == 50
    assert found["statuses"] == ["open"]
    assert set(found["closed"]) <= {"closed"}


async def test_chicagorequests_downloads_by_type_by_update_and_as_a_command(
    county: County,
) -> None:
    python = await anyio.to_thread.run_sync(installed.python_clients)
    since = datetime.now(UTC) - timedelta(minutes=1)
    record_id = await listed(county, 9201)
    script = installed.DRIVERS / "chicago.py"
    found = await driver([python, script, base(county), ANIMALS, since.isoformat()])
    (row,) = [each for each in found["by_type"] if each["service_request_id"] == record_id]
    assert {each["service_code"] for each in found["by_type"]} == {ANIMALS}
    assert row["extended_attributes"]["channel"]
    assert row["notes"] == []
    assert row["attributes"] == []
    assert record_id in found["by_update"]
    assert found["long_ago"] == []
    assert found["exit"] == 0
    assert record_id in found["command"]


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_georeport_reads_every_call_in_both_formats(county: County, form: str) -> None:
    python = await anyio.to_thread.run_sync(installed.python_clients)
    begun = datetime.now(UTC) - timedelta(hours=1)
    record_id = await listed(county, 9202)
    await listed(county, 9203)
    window = (utc(begun), utc(datetime.now(UTC) + timedelta(minutes=1)))
    script = installed.DRIVERS / "geo.py"
    found = await driver([python, script, base(county), form, record_id, ANIMALS, *window])
    assert len(found["services"]) == len((await county.open311("services.json")).json())
    codes = [each["service_code"] for each in found["services"]]
    assert ANIMALS in codes
    definition = found["definition"]
    assert definition["service_code"] == ANIMALS
    questions = definition["attributes"]
    questions = questions if form == "json" else questions["attribute"]
    assert [each["code"] for each in questions][:1] == ["SIZE"]
    assert found["one"]["service_request_id"] == record_id
    assert float(found["one"]["lat"]) == 25.666
    several = found["several"] if form == "json" else [found["several"]]
    assert [each["service_request_id"] for each in several] == [record_id]
    assert len(found["some"]) > 1
    assert {each["service_code"] for each in found["some"]} == {ANIMALS}


async def test_civicbot_checks_against_the_live_definition_and_files_a_request(
    county: County,
) -> None:
    python = await anyio.to_thread.run_sync(installed.python_clients)
    script = installed.DRIVERS / "civic.py"
    found = await driver([python, script, base(county), key(county), ANIMALS, BATCH])
    assert ANIMALS in [each["service_code"] for each in found["services"]]
    assert found["definition"]["service_code"] == ANIMALS
    assert found["dry"]["dry_run"] is True
    assert found["one"]["service_request_id"] == found["record_id"]
    assert (found["one"]["lat"], found["one"]["status"]) == (25.666, "open")
    assert found["known"]["token"] == found["token"]
    assert found["known"]["service_request_id"]
    assert found["record_id"] in [each["service_request_id"] for each in found["open"]]
    assert [e["service_request_id"] for e in found["several"]] == [found["record_id"]]
    assert found["none"] == []
    assert "SIZE" in found["refused"][0]
    assert found["forbidden"] == 403


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_three_reads_every_call_and_posts_a_photo_in_both_formats(
    county: County, form: str, tmp_path: Path
) -> None:
    three = await anyio.to_thread.run_sync(installed.three)
    picture = tmp_path / f"{form}.jpg"
    picture.write_bytes(photo(form, (25, 40, 1), (80, 20, 1)))
    discovery = f"{county.known.services['intake']}/open311/discovery.json"
    script = installed.DRIVERS / "three_calls.py"
    found = await driver(
        [*three, script, base(county), discovery, key(county), form, ANIMALS, BATCH, picture]
    )

    def rows(answer: Any, name: str) -> list[Any]:
        if form == "json":
            return list(answer)
        inner = (answer or {}).get(name, []) if isinstance(answer, dict) else []
        return inner if isinstance(inner, list) else [inner]

    # A discovery URL is read as it comes.
    assert "GeoReport_v2" in str(found["discovery"])
    services = rows(found["services"], "service")
    assert ANIMALS in [each["service_code"] for each in services]
    assert found["definition"]["service_code"] == ANIMALS
    assert found["record_id"]
    assert found["one"]["service_request_id"] == found["record_id"]
    assert float(found["one"]["lat"]) == pytest.approx(25.77, abs=0.1)
    listed_ids = [each["service_request_id"] for each in rows(found["listed"], "request")]
    assert found["record_id"] in listed_ids
    assert rows(found["between"], "request") == []
    assert found["known"]["token"] == found["token"]
    assert found["known"]["service_request_id"]
    (error,) = rows(found["refused"], "error")
    assert str(error["code"]) == "404"


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_the_npm_client_reads_every_call_and_submits_in_both_formats(
    county: County, form: str
) -> None:
    home = await anyio.to_thread.run_sync(installed.node_client)
    discovery = f"{county.known.services['intake']}/open311/discovery.{form}"
    sent = {**submission(9204 if form == "json" else 9205), "attributes": {"SIZE": "medium"}}
    program = installed.DRIVERS / "open311.js"
    command = ["node", program, base(county), discovery, key(county), form, BATCH]
    # Node looks for packages beside the program, and then where this says.
    found = await driver(["env", f"NODE_PATH={home / 'node_modules'}", *command, json.dumps(sent)])
    endpoints = found["discovery"]["endpoints"]
    assert [each["specification"] for each in endpoints] == ["http://wiki.open311.org/GeoReport_v2"]
    assert endpoints[0]["type"] == "test"
    (animals,) = [each for each in found["services"] if each["service_code"] == ANIMALS]
    assert animals["metadata"] is True
    assert found["definition"]["service_code"] == ANIMALS
    assert [value["key"] for value in found["definition"]["attributes"][0]["values"]] == [
        "small",
        "medium",
        "large",
    ]
    record_id = found["submitted"][0]["service_request_id"]
    assert found["known"]["token"] == found["token"]
    assert found["known"]["service_request_id"]
    for answer in ("one", "several"):
        (row,) = found[answer]
        assert (row["service_request_id"], row["lat"], row["long"]) == (
            record_id,
            25.666,
            -80.358,
        )
        assert row["requested_datetime"].endswith(".000Z")
    assert record_id in [each["service_request_id"] for each in found["open"]]
    assert found["refused"].endswith("404")


def test_the_clients_environments_are_not_ours() -> None:
    assert "boston311" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        __import__("boston311")
