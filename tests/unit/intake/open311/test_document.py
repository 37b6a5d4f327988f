"""The OpenAPI document has the calls of GeoReport v2, as they are served."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from direct311.intake.open311.api.georeport import Gateway, GeoReport
from direct311.intake.open311.wire import document
from direct311.intake.settings import IntakeSettings


def geo_report() -> GeoReport:
    """Whose routes are looked at and never called."""
    settings = IntakeSettings.model_construct(most_files=1, largest_file=1, files_in_hand=1)
    others = (
        *("catalogues", "agreement", "admission", "failed_keys", "callers", "accept", "requests"),
        *("updates", "add_comment", "clock"),
    )
    return GeoReport(settings=settings, **{name: {"en": None} for name in others})  # type: ignore[arg-type]


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for each in schema.values():
            yield from objects(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from objects(each)


def test_every_call_that_is_served_is_in_the_document_and_no_other() -> None:
    served = {
        (route.path, method.lower())
        for route in geo_report().routes()
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, item in document.paths().items() for method in item}
    assert described == served


def test_an_answer_has_no_member_that_the_document_does_not_name() -> None:
    found = list(objects(document.schemas()))
    assert len(found) > 20
    assert all(each["additionalProperties"] is False for each in found)


def test_what_is_refused_too_often_says_when_to_come_back() -> None:
    for path, item in document.paths().items():
        for call in item.values():
            for status in ("429", "503"):
                assert call["responses"][status]["headers"]["Retry-After"]["required"], path


def test_the_document_of_the_gateway_has_both() -> None:
    app = Gateway()

    @app.get("/v1/own")
    async def own(_: Request) -> Response:
        return PlainTextResponse("own")

    for _ in range(2):
        found = app.openapi()
        assert {"/v1/own", "/open311/v2/requests.json", "/open311/v2/requests.xml"} <= set(
            found["paths"]
        )
        assert "GeoReportRequestsXml" in found["components"]["schemas"]
        assert "GeoReportKey" in found["components"]["securitySchemes"]
