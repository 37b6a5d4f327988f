"""What the project publishes about its events: JSON Schemas, examples, AsyncAPI, a catalogue.

All of it is generated from the models and committed, so that a change shows in review. `generate`
refuses a change that would break an old reader or an old writer.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from direct311.schemas.asyncapi import asyncapi
from direct311.schemas.belonging import source
from direct311.schemas.codec import DecodeError, decode
from direct311.schemas.described import doc, summary
from direct311.schemas.topics import ALL, EventType

FOLDER = Path(__file__).parent / "published"
Schema = dict[str, Any]

_EXAMPLES = {
    "date-time": "2026-03-02T14:05:06.789Z",
    "date": "2026-03-02",
}
_PATTERNS = {
    r"^[A-Za-z0-9_-]{1,64}$": "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
    r"^[a-z][a-z0-9_]{1,40}$": "public_works",
    r"^[0-9a-f]{64}$": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


def schema(kind: EventType) -> Schema:
    """The JSON Schema (draft 2020-12) of an event's data, as a reader must accept it."""
    found = kind.model.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": kind.dataschema,
        **found,
    }


def example(kind: EventType, *, full: bool) -> Any:
    """An event's data: with every field, or with only the required ones."""
    document = schema(kind)
    return _example(document, document.get("$defs", {}), full)


def _example(part: Mapping[str, Any], defs: Mapping[str, Any], full: bool) -> Any:
    if "$ref" in part:
        return _example(defs[part["$ref"].removeprefix("#/$defs/")], defs, full)
    if "const" in part:
        return part["const"]
    if "examples" in part:
        return part["examples"][0]
    if "enum" in part:
        return part["enum"][0]
    if "anyOf" in part:
        return _example(part["anyOf"][0], defs, full)
    match part.get("type"):
        case "object":
            required = set(part.get("required", ()))
            members = {
                name: _example(member, defs, full)
                for name, member in part.get("properties", {}).items()
                if full or name in required
            }
            if not members and "additionalProperties" in part and full:
                return {"name": _example(part["additionalProperties"], defs, full)}
            return members
        case "array":
            if "prefixItems" in part:
                return [_example(item, defs, full) for item in part["prefixItems"]]
            return [_example(part["items"], defs, full)] if full or "minItems" in part else []
        case "integer":
            return max(1, part.get("minimum", 1))
        case "number":
            return 0.5
        case "boolean":
            return True
    if "format" in part:
        return _EXAMPLES[part["format"]]
    return _PATTERNS.get(part.get("pattern", ""), "text")


def headers(kind: EventType, data: Mapping[str, Any]) -> dict[str, str]:
    """The CloudEvents attributes of an example."""
    producer, department = kind.producers[0], str(data.get("department", ""))
    return {
        "ce_specversion": "1.0",
        "ce_id": "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c",
        "ce_type": kind.ce_type,
        "ce_source": source(producer, department),
        "ce_subject": str(data.get("record_id") or data.get("case_id") or "key"),
        "ce_time": _EXAMPLES["date-time"],
        "ce_dataschema": kind.dataschema,
        "content-type": "application/json",
    }


def files() -> dict[str, str]:
    """Everything that is published, by its path below `published`."""
    made = {}
    for kind in ALL:
        stem = f"{kind.name}.v{kind.version}"
        made[f"schemas/{stem}.json"] = _json(schema(kind))
        for name, full in (("full", True), ("minimal", False)):
            data = example(kind, full=full)
            made[f"examples/{stem}.{name}.json"] = _json(
                {"headers": headers(kind, data), "data": data}
            )
    made["asyncapi.json"] = _json(asyncapi())
    return made


def catalogue() -> str:
    """The page `docs/events.md`."""
    lines = [
        "# Events",
        "",
        "Made by `python -m direct311.schemas generate`; do not edit.",
        "",
        "| event | topic | from | signed | what it says |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{kind.label}` | `{kind.topic}` | {', '.join(kind.producers)} | "
        f"{'yes' if kind.signed else ''} | {summary(kind.model)} |"
        for kind in ALL
    ]
    for kind in ALL:
        lines += ["", f"## {kind.label}", "", doc(kind.model), "", "| field | type |", "|---|---|"]
        lines += [
            f"| `{name}` | {_type(member)} |" for name, member in schema(kind)["properties"].items()
        ]
    return "\n".join(lines) + "\n"


def _type(part: Mapping[str, Any]) -> str:
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2]
    if "anyOf" in part:
        return " or ".join(_type(each) for each in part["anyOf"])
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    kind = part.get("format") or part.get("type", "any")
    if kind == "array":
        inner = part.get("items") or {"type": "values"}
        return f"list of {_type(inner)}"
    return str(kind)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def generate(events_page: Path | None) -> Iterator[str]:
    """Write everything and return what changed. Writes nothing if a change would break a reader.

    :raises IncompatibleError: with every reason.
    """
    made = files()
    problems = list(incompatibilities())
    if problems:
        raise IncompatibleError("\n".join(problems))
    for name, content in made.items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            yield name
    if events_page is not None and (
        not events_page.exists() or events_page.read_text() != catalogue()
    ):
        events_page.write_text(catalogue())
        yield events_page.name


class IncompatibleError(Exception):
    """A schema was changed in a way that its version does not allow."""


def problems(events_page: Path | None) -> Iterator[str]:
    """What is wrong with the committed files: stale, undecodable or incompatible."""
    yield from incompatibilities()
    for name, content in files().items():
        path = FOLDER / name
        if not path.exists():
            yield f"{name} is missing: run `make schemas`"
        elif path.read_text() != content:
            yield f"{name} differs from what the models say: run `make schemas`"
    for path in sorted((FOLDER / "examples").glob("*.json")):
        golden = json.loads(path.read_text())
        try:
            decode(golden["headers"], json.dumps(golden["data"]).encode())
        except DecodeError as error:
            yield f"{path.name} no longer decodes: {error}"
    if events_page is not None and (
        not events_page.exists() or events_page.read_text() != catalogue()
    ):
        yield f"{events_page.name} is stale: run `make schemas`"


def incompatibilities() -> Iterator[str]:
    """Changes against the published schemas that only a new version may make."""
    for kind in ALL:
        path = FOLDER / "schemas" / f"{kind.name}.v{kind.version}.json"
        if path.exists():
            old = json.loads(path.read_text())
            for problem in narrowed(old, schema(kind)):
                yield f"{kind.label}: {problem}"


def narrowed(old: Schema, new: Schema) -> Iterator[str]:
    pairs = {"": (old, new)}
    for name, part in old.get("$defs", {}).items():
        other = new.get("$defs", {}).get(name)
        if other is not None:
            pairs[f"{name}."] = (part, other)
    for where, (before, after) in pairs.items():
        for name in sorted(set(after.get("required", ())) - set(before.get("required", ()))):
            yield f"{where}{name} is required now: old events lack it"
        for name, part in before.get("properties", {}).items():
            other = after.get("properties", {}).get(name)
            if other is None:
                yield f"{where}{name} was removed: old readers may need it"
            elif _shape(part) - _shape(other):
                yield f"{where}{name} accepts less than before"
        gone = set(before.get("enum", ())) - set(after.get("enum", ()))
        if gone:
            yield f"{where}{sorted(gone)} are no longer accepted values"


def _shape(part: Mapping[str, Any]) -> set[str]:
    """The alternatives of a field, as comparable words."""
    if "anyOf" in part:
        return set().union(*(_shape(each) for each in part["anyOf"]))
    if "enum" in part:
        return {f"enum:{value}" for value in part["enum"]}
    if "const" in part:
        return {f"enum:{part['const']}"}
    return {str(part.get("$ref") or part.get("format") or part.get("type"))}
