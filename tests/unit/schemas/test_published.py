"""What is published fits the models, and a change that breaks a reader is refused."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from direct311.schemas import ALL, EventType
from direct311.schemas import published as p
from direct311.schemas.asyncapi import asyncapi

ROOT = Path(__file__).parents[3]


def test_what_is_committed_is_what_the_models_say() -> None:
    assert list(p.problems(ROOT / "docs" / "events.md")) == []


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.label)
def test_examples_fit_the_published_schema(kind: EventType) -> None:
    stem = f"{kind.name}.v{kind.version}"
    schema = json.loads((p.FOLDER / "schemas" / f"{stem}.json").read_text())
    for name in ("full", "minimal"):
        golden = json.loads((p.FOLDER / "examples" / f"{stem}.{name}.json").read_text())
        jsonschema.validate(golden["data"], schema)


def _request_created() -> dict[str, Any]:
    return p.schema(next(kind for kind in ALL if kind.name == "request.created"))


def test_an_added_optional_field_is_compatible() -> None:
    new = _request_created()
    new["properties"]["weather"] = {"type": "string"}
    assert list(p.narrowed(_request_created(), new)) == []


def test_a_change_that_breaks_a_reader_is_named() -> None:
    old = _request_created()
    removed, required, retyped, narrowed = (deepcopy(old) for _ in range(4))
    del removed["properties"]["text"]
    required["required"].append("text")
    retyped["properties"]["text"] = {"type": "integer"}
    narrowed["properties"]["status"] = {"enum": ["received"]}
    for new, named in (
        (removed, "text was removed"),
        (required, "text is required"),
        (retyped, "text accepts less"),
        (narrowed, "status accepts less"),
    ):
        assert any(named in problem for problem in p.narrowed(old, new)), named


def test_asyncapi_names_every_event_with_a_schema_that_is_there() -> None:
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    for kind in ALL:
        message = document["components"]["messages"][kind.label]
        target = message["payload"]["schema"]["$ref"].removeprefix("./")
        assert (p.FOLDER / target).exists()


def test_asyncapi_tells_a_department_its_topics_server_headers_and_key() -> None:
    document = asyncapi()
    channels, operations = document["channels"], document["operations"]
    for name in ("routed", "updates", "replies"):
        channel = channels[f"{name}_department"]
        assert channel["address"] == f"{name}.{{department}}"
        assert "department" in channel["parameters"]
    assert set(channels["routed_department"]["messages"]) == {
        "request.routed",
        "request.recalled",
        "request.overdue",
    }
    assert "department.update.v2" in channels["updates_department"]["messages"]
    received = {name for name in operations if name.startswith("department.receives.")}
    assert len(received) == 3 + 4
    (server,) = document["servers"].values()
    assert server["protocol"] == "kafka-secure"
    headers = document["components"]["messageTraits"]["cloudevent"]["headers"]
    update = json.loads((p.FOLDER / "examples" / "department.update.v2.full.json").read_text())
    assert set(headers["required"]) <= set(update["headers"]) <= set(headers["properties"])
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


def test_asyncapi_refers_only_to_what_it_has() -> None:
    document = asyncapi()

    def refer(value: object) -> None:
        if isinstance(value, dict):
            target = value.get("$ref")
            if isinstance(target, str) and target.startswith("#/"):
                found: Any = document
                for step in target.removeprefix("#/").split("/"):
                    found = found[step]
            for each in value.values():
                refer(each)
        elif isinstance(value, list):
            for each in value:
                refer(each)

    refer(document)
