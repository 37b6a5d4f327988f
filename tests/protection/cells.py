"""Cells of the matrix role x endpoint, made from the services' own OpenAPI documents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
OPEN_PATHS = ("/health/", "/metrics", "/docs", "/openapi.json")
TEXTS = {
    "uuid": "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b",
    "date-time": "2026-03-02T14:05:06.789Z",
    "date": "2026-03-02",
    "duration": "PT1H",
    "uri": "https://example.org/",
}
PATTERNS = {
    r"^[A-Za-z0-9_-]{1,64}$": TEXTS["uuid"],
    r"^[a-z][a-z0-9_]{1,40}$": "public_works",
    r"^[0-9a-f]{64}$": "0" * 64,
    r"^[a-z0-9][a-z0-9-]{0,39}$": "matrix",
}

Document = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One operation of a service, with an input that is as the document says."""

    service: str
    method: str
    path: str
    url: str
    query: Mapping[str, str]
    body: Any

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"


def operations(service: str, document: Document, record_id: str) -> Iterator[Operation]:
    """All operations but those that are open by purpose: health, metrics, documents."""
    schemas = document.get("components", {}).get("schemas", {})
    for path, item in document["paths"].items():
        if path.startswith(OPEN_PATHS):
            continue
        for method in METHODS:
            if method not in item:
                continue
            parameters = item[method].get("parameters", [])
            url = path
            query = {}
            for each in parameters:
                value = _text(example(each.get("schema", {}), schemas))
                if each["in"] == "path":
                    chosen = (
                        record_id if each["name"] in ("record_id", "service_request_id") else value
                    )
                    url = url.replace(f"{{{each['name']}}}", chosen)
                elif each["in"] == "query" and each.get("required"):
                    query[each["name"]] = value
            # Paths of files have more than one segment, and are no parameters of the document's.
            content = item[method].get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            body = None if schema is None else example(schema, schemas)
            yield Operation(service, method, path, url, query, body)


def example(schema: Document, schemas: Document) -> Any:
    """A value that fits, with no more members than must be there."""
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "const" in schema:
        return schema["const"]
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if examples := schema.get("examples"):
        return examples[0]
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            chosen = [each for each in schema[name] if each.get("type") != "null"]
            return example(chosen[0], schemas) if chosen else None
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            members = schema.get("properties", {})
            return {name: example(members[name], schemas) for name in required if name in members}
        case "array":
            least = schema.get("minItems", 0)
            return [example(schema.get("items", {}), schemas) for _ in range(least)]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "null":
            return None
    if "format" in schema:
        return TEXTS.get(schema["format"], "text")
    text = PATTERNS.get(schema.get("pattern", ""), "text of ten letters")
    return text[: schema.get("maxLength", len(text))]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
