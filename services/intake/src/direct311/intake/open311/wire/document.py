"""GeoReport v2 as OpenAPI 3.1 describes it, call by call in both formats.

The routes are plain, so no framework generates this from them; a test compares the two.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from direct311.intake.fields import CONTACT_LIMITS, LONGEST_DESCRIPTION
from direct311.intake.open311.wire.render import Format
from direct311.intake.open311.wire.updates import STATUSES
from direct311.intake.submission.handlers.check import (
    LONGEST_ADDRESS,
    LONGEST_URL,
    MOST_MEDIA_URLS,
)
from direct311.runtime.http.api import RETRY_AFTER, Problem

Schema = dict[str, Any]

_MEDIA_TYPES: Mapping[Format, str] = {"json": "application/json", "xml": "text/xml"}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_KEY = "GeoReportKey"


# ---------------------------------------------------------------- what is answered


def _text(*, null: bool = False, **rules: Any) -> Schema:
    return {"type": ["string", "null"] if null else "string", **rules}


def _exactly(optional: Mapping[str, Schema] | None = None, /, **members: Schema) -> Schema:
    """An object with these members, and with the optional ones: an allow-list."""
    return {
        "type": "object",
        "properties": {**members, **(optional or {})},
        "required": list(members),
        "additionalProperties": False,
    }


def _list(items: Schema, **rules: Any) -> Schema:
    return {"type": "array", "items": items, **rules}


_INSTANT = _text(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")
_INSTANT_OR_NULL = _INSTANT | {"type": ["string", "null"]}
_ID = _text(pattern=r"^[A-Za-z0-9_-]+$")
_ID_OR_NULL = _ID | {"type": ["string", "null"]}
_CHOICE = _exactly(key=_text(), name=_text())

_SCHEMAS: dict[str, Schema] = {
    "Discovery": _exactly(
        changeset=_INSTANT,
        contact=_text(null=True),
        key_service=_text(),
        endpoints=_list(
            _exactly(
                specification=_text(),
                url=_text(),
                changeset=_INSTANT,
                type=_text(enum=["production", "test"]),
                formats=_list(_text()),
            )
        ),
    ),
    "Services": _list(
        _exactly(
            service_code=_text(),
            service_name=_text(),
            description=_text(null=True),
            metadata={"type": "boolean"},
            type=_text(enum=["realtime", "batch", "blackbox"]),
            keywords=_text(null=True),
            group=_text(null=True),
        )
    ),
    "Definition": _exactly(
        service_code=_text(),
        attributes=_list(
            _exactly(
                {
                    "asked_if": _exactly(
                        code=_text(), keys=_list(_text()), required={"type": "boolean"}
                    )
                },
                variable={"type": "boolean"},
                code=_text(),
                datatype=_text(
                    enum=[
                        "string",
                        "number",
                        "datetime",
                        "text",
                        "singlevaluelist",
                        "multivaluelist",
                    ]
                ),
                required={"type": "boolean"},
                datatype_description=_text(null=True),
                order={"type": "integer"},
                description=_text(),
                values=_list(_CHOICE),
            )
        ),
    ),
    "Requests": _list(
        _exactly(
            {
                "attributes": _list(
                    _exactly(code=_text(), label=_text(), values=_list(_CHOICE)),
                ),
                "extended_attributes": _exactly(
                    channel=_text(),
                    status=_text(),
                    jurisdiction=_text(null=True),
                    district=_text(null=True),
                    duplicate_of=_ID_OR_NULL,
                    approximate={"type": ["boolean", "null"]},
                    photos=_list(_exactly(media_url=_text())),
                ),
                "notes": _list(
                    _exactly(
                        datetime=_INSTANT,
                        type=_text(),
                        summary=_text(),
                        description=_text(null=True),
                    )
                ),
            },
            service_request_id=_ID,
            status=_text(enum=["open", "closed"]),
            status_notes=_text(),
            service_name=_text(null=True),
            service_code=_text(),
            description=_text(null=True),
            agency_responsible=_text(null=True),
            service_notice=_text(null=True),
            requested_datetime=_INSTANT_OR_NULL,
            updated_datetime=_INSTANT_OR_NULL,
            expected_datetime=_INSTANT_OR_NULL,
            address=_text(null=True),
            address_id=_text(null=True),
            zipcode=_text(null=True),
            lat={"type": ["number", "null"], "minimum": -90, "maximum": 90},
            long={"type": ["number", "null"], "minimum": -180, "maximum": 180},
            media_url=_text(null=True, minLength=1),
        )
    ),
    "Accepted": _list(
        _exactly(
            {
                "service_request_id": _ID_OR_NULL,
                "token": _ID,
                "extended_attributes": _exactly(link_token=_text(), link_expires_datetime=_INSTANT),
            },
            service_notice=_text(null=True),
            account_id=_text(null=True),
        ),
        minItems=1,
        maxItems=1,
    ),
    "Token": _list(_exactly({"service_request_id": _ID}, token=_ID), minItems=1, maxItems=1),
    "Updates": _list(
        _exactly(
            update_id=_text(),
            service_request_id=_ID,
            status=_text(),
            updated_datetime=_INSTANT,
            description=_text(null=True),
            media_url=_text(null=True),
            extras=_exactly({"client_status": _text()}, kind=_text(), extended_status=_text()),
        )
    ),
    "AcceptedUpdate": _list(
        _exactly(update_id=_text(), service_notice=_text(null=True), account_id=_text(null=True)),
        minItems=1,
        maxItems=1,
    ),
    "Errors": _list(_exactly(code={"type": "integer"}, description=_text(minLength=1)), minItems=1),
}


def _in_xml(schema: Schema) -> Schema:
    """The same in XML, where every value without child elements is text, and an empty element is
    null."""
    kind = schema["type"]
    if kind == "array":
        return schema | {"type": ["array", "null"], "items": _in_xml(schema["items"])}
    if kind == "object":
        members = {name: _in_xml(each) for name, each in schema["properties"].items()}
        return schema | {"properties": members}
    if kind == "string":
        return schema
    if kind == "boolean":
        return _text(enum=["true", "false"])
    kept = {name: schema[name] for name in ("pattern", "minLength") if name in schema}
    return _text(null=True, **kept)


def _name(of: str, form: Format) -> str:
    return f"GeoReport{of}{'Xml' if form == 'xml' else ''}"


def schemas() -> dict[str, Schema]:
    """The schemas of the answers, by name."""
    found = {}
    for name, schema in _SCHEMAS.items():
        found[_name(name, "json")] = schema
        found[_name(name, "xml")] = _in_xml(schema)
    return found


SECURITY: dict[str, Schema] = {
    _KEY: {
        "type": "apiKey",
        "in": "query",
        "name": "api_key",
        "description": "The key of an API client of the county's; or the form's field `api_key`.",
    }
}

_ERRORS: Mapping[int, str] = {
    400: "What is wrong, by field",
    403: "No key that is good for this",
    404: "What is not known, by field",
    408: "The body did not arrive in time",
    413: "The body is too large",
    409: "A key of yours used for other content, or express consent is wanted",
    429: "Too often; see Retry-After",
    503: "Not now; see Retry-After",
}
_BY_THE_FRONT = (400, 404, 408, 413, 503)
"""What is refused before it is anybody's call (a path with tricks in it, two lengths, a body that
is too slow or too large) may be answered as all services do."""


# ---------------------------------------------------------------- what is sent

_TIME: Schema = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "maxLength": 0}],
    "description": "ISO 8601; without a zone it is UTC",
    "examples": ["2026-01-31T12:00:00Z"],
}
_COUNT = _text(pattern=r"^\s*([1-9][0-9]{0,2})?\s*$")
_JURISDICTION = _text(pattern=r"^\s*(miamidade(\.gov)?)?\s*$", examples=["miamidade"])
_BBOX = _text(
    description="west,south,east,north in degrees", examples=["-80.40,25.60,-80.30,25.70"]
)
_LINE = r"^[^\x00-\x1f\x7f]*$"
_EXTENSIONS = _text(description="`true`: the answer may say more than GeoReport v2 knows")


def _parameter(name: str, where: str, schema: Schema, words: str = "") -> Schema:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": schema,
        **({"description": words} if words else {}),
    }


def _query(**schemas: Schema) -> list[Schema]:
    return [_parameter(name, "query", schema) for name, schema in schemas.items()]


_LANGUAGE = _parameter("Accept-Language", "header", _text(), "English, Spanish, Haitian Creole")
_SEEN = _parameter("If-None-Match", "header", _text())
_ONCE = _parameter("Idempotency-Key", "header", _text(maxLength=200, pattern=r"^[\x20-\x7e]*$"))
_SUBMISSION_LINES = {
    name: _text(maxLength=limit, pattern=_LINE)
    for name, limit in CONTACT_LIMITS.items()
    if name != "email"
}
_MEDIA_URL: Schema = {
    "anyOf": [
        (url := _text(maxLength=LONGEST_URL, pattern=r"^\s*(https?://[^\s/?#]\S*)?\s*$")),
        _list(url, maxItems=MOST_MEDIA_URLS),
    ]
}
_WRITER: dict[str, Schema] = {
    "jurisdiction_id": _JURISDICTION,
    "email": _text(
        maxLength=CONTACT_LIMITS["email"],
        # Text without visible characters is not an address; it counts as not given.
        pattern=r"^([\s\x00-\x1f\x7f-\x9f]*|[^\s@]{1,64}@[^\s@]+\.[^\s@.]+)$",
        examples=["name@example.org"],
    ),
    **_SUBMISSION_LINES,
    "description": _text(
        maxLength=LONGEST_DESCRIPTION,
        pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$",
        description="Plain text",
    ),
    "media_url": _MEDIA_URL,
}
_VERSION = _text(pattern=r"^\s*([A-Za-z0-9][A-Za-z0-9._-]{0,39})?\s*$")
_SUBMISSION: Schema = {
    "type": "object",
    "description": (
        "A place is `lat` and `long`, `address_string` or `address_id`. Answers to the type's "
        "questions are `attribute[CODE]`, and `attribute[CODE][]` for each of several."
    ),
    "properties": {
        **_WRITER,
        "service_code": _text(minLength=1, pattern=r"\S", examples=["ANI-STRAY-DOG"]),
        "lat": {"type": "number", "minimum": -90, "maximum": 90},
        "long": {"type": "number", "minimum": -180, "maximum": 180},
        "address_string": _text(maxLength=LONGEST_ADDRESS, pattern=_LINE),
        "address_id": _text(pattern=r"^\s*([A-Za-z0-9][A-Za-z0-9._:/-]{0,99})?\s*$"),
        "client_request_id": _text(pattern=r"^\s*([\x21-\x7e]{1,200})?\s*$"),
        "policy_version": _VERSION,
        "email_notice_version": _VERSION,
        "extensions": _EXTENSIONS,
    },
    "patternProperties": {r"^attribute\[[A-Za-z0-9_-]{1,60}\](\[\])?$": {"type": "string"}},
    "required": ["service_code"],
    "dependentRequired": {"lat": ["long"], "long": ["lat"]},
    "anyOf": [
        {"required": ["lat", "long"]},
        *(
            {"required": [name], "properties": {name: {"type": "string", "pattern": r"\S"}}}
            for name in ("address_string", "address_id")
        ),
    ],
}
_FILES = _list({"type": "string", "format": "binary"}, description="Photos, each a part")
_UPDATE: Schema = {
    "type": "object",
    "properties": {
        # Nobody has to say who they are; contact data that clients send anyway are not read.
        **{name: _WRITER[name] for name in ("jurisdiction_id", "description", "media_url")},
        "service_request_id": _text(minLength=1, pattern=r"\S"),
        "update_id": _text(pattern=r"^\s*[\x21-\x7e]{1,200}\s*$"),
        "status": _text(enum=sorted(STATUSES)),
        "updated_datetime": _TIME,
    },
    "required": ["service_request_id", "update_id", "status"],
}


def _form(schema: Schema, *, files: bool) -> Schema:
    with_files = schema | {"properties": schema["properties"] | {"media": _FILES}}
    return {
        "required": True,
        "content": {
            kind: {"schema": with_files if files and kind == "multipart/form-data" else schema}
            for kind in _FORMS
        },
    }


# ---------------------------------------------------------------- the calls


def _call(
    form: Format,
    summary: str,
    answer: str,
    errors: Sequence[int],
    parameters: Sequence[Schema],
    *,
    body: Schema | None = None,
    unchanged: bool = False,
) -> Schema:
    media_type = _MEDIA_TYPES[form]

    def content(of: str) -> Schema:
        return {media_type: {"schema": {"$ref": f"#/components/schemas/{_name(of, form)}"}}}

    def refused(status: int) -> Schema:
        return content("Errors") | (
            {"application/problem+json": {"schema": Problem.model_json_schema()}}
            if status in _BY_THE_FRONT
            else {}
        )

    # The read limits and the database come before every call.
    known = sorted({*errors, *_BY_THE_FRONT, 429, 503})
    language = _LANGUAGE in parameters
    answered: Schema = {"description": "What was asked for", "content": content(answer)}
    if language:
        answered["headers"] = {
            "Content-Language": {"schema": _text(enum=["en", "es", "ht"]), "required": True}
        }
    found: Schema = {
        "tags": ["Open311"],
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            "200": answered,
            **({"304": {"description": "As the ETag that was sent"}} if unchanged else {}),
            **{
                str(status): {
                    "description": _ERRORS[status],
                    "content": refused(status),
                    **({"headers": RETRY_AFTER} if status in (429, 503) else {}),
                }
                for status in known
            },
        },
    }
    if body is not None:
        found |= {"requestBody": body, "security": [{_KEY: []}]}
    return found


def paths() -> dict[str, dict[str, Schema]]:
    """All calls, by path and method."""
    found: dict[str, dict[str, Schema]] = {}
    for form in _MEDIA_TYPES:
        found |= _paths(form)
    return found


def _paths(form: Format) -> dict[str, dict[str, Schema]]:
    v2 = "/open311/v2"
    jurisdiction = _query(jurisdiction_id=_JURISDICTION)
    discovery = _call(form, "What this server is", "Discovery", (), ())
    path_of = {
        name: _parameter(name, "path", _text(minLength=1))
        for name in ("service_code", "service_request_id", "token")
    }
    return {
        f"/open311/discovery.{form}": {"get": discovery},
        f"{v2}/discovery.{form}": {"get": discovery},
        f"{v2}/services.{form}": {
            "get": _call(
                form,
                "The types of requests",
                "Services",
                (404,),
                [*jurisdiction, _LANGUAGE, _SEEN],
                unchanged=True,
            )
        },
        f"{v2}/services/{{service_code}}.{form}": {
            "get": _call(
                form,
                "A type's questions",
                "Definition",
                (404,),
                [path_of["service_code"], *jurisdiction, _LANGUAGE, _SEEN],
                unchanged=True,
            )
        },
        f"{v2}/requests.{form}": {
            "get": _call(
                form,
                "Requests",
                "Requests",
                (400, 404),
                [
                    *jurisdiction,
                    *_query(
                        service_request_id=_text(description="With commas between, at most 1,000"),
                        service_code=_text(description="With commas between"),
                        status=_text(pattern=r"^[\s,]*((open|closed)[\s]*(,[\s,]*|$))*$"),
                        start_date=_TIME,
                        end_date=_TIME,
                        updated_after=_TIME,
                        updated_before=_TIME,
                        bbox=_BBOX,
                        page=_COUNT,
                        page_size=_COUNT,
                        extensions=_EXTENSIONS,
                    ),
                    _LANGUAGE,
                ],
            ),
            "post": _call(
                form,
                "Submit a request",
                "Accepted",
                (400, 403, 404, 409),
                [*jurisdiction, *_query(extensions=_EXTENSIONS), _ONCE, _LANGUAGE],
                body=_form(_SUBMISSION, files=True),
            ),
        },
        f"{v2}/requests/{{service_request_id}}.{form}": {
            "get": _call(
                form,
                "A request",
                "Requests",
                (400, 404),
                [
                    path_of["service_request_id"],
                    *jurisdiction,
                    *_query(extensions=_EXTENSIONS),
                    _LANGUAGE,
                ],
            )
        },
        f"{v2}/tokens/{{token}}.{form}": {
            "get": _call(
                form,
                "The request that became of a token",
                "Token",
                (404,),
                [path_of["token"], *jurisdiction],
            )
        },
        f"{v2}/servicerequestupdates.{form}": {
            "get": _call(
                form,
                "What was written to requests",
                "Updates",
                (400, 404),
                [*jurisdiction, *_query(start_date=_TIME, end_date=_TIME)],
            ),
            "post": _call(
                form,
                "Add a comment",
                "AcceptedUpdate",
                (400, 403, 404, 409),
                [*jurisdiction, _LANGUAGE],
                body=_form(_UPDATE, files=False),
            ),
        },
    }


def add_to(document: dict[str, Any]) -> None:
    """Put the calls into an OpenAPI document."""
    document["paths"] |= paths()
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas())
    components.setdefault("securitySchemes", {}).update(cast(dict[str, Any], SECURITY))
