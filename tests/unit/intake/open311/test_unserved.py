"""What is not served under Open311's address is refused in the format that was asked for."""

import json
from xml.etree import ElementTree

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from direct311.intake.open311.api.unserved import unserved_routes
from direct311.runtime.http.api import PlainRoute


async def served(request: Request) -> Response:
    return PlainTextResponse("served")


SERVED = [
    PlainRoute("/open311/v2/requests.json", served, methods=["GET"]),
    PlainRoute("/open311/v2/requests.json", served, methods=["POST"]),
    PlainRoute("/open311/v2/requests/{number}.xml", served, methods=["GET"]),
]
HTTP = TestClient(Starlette(routes=[*SERVED, *unserved_routes(SERVED)]))


def code(text: str, form: str) -> str:
    if form == "json":
        return str(json.loads(text)[0]["code"])
    return ElementTree.fromstring(text).findtext("error/code") or ""


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_address_is_404_in_its_format(method: str, form: str) -> None:
    answer = HTTP.request(method, f"/open311/v2/no/such.{form}")
    assert answer.status_code == 404
    assert answer.headers["content-type"].endswith(f"/{form}; charset=utf-8")
    assert code(answer.text, form) == "404"
    assert "such" not in answer.text


def test_another_method_is_405_and_says_which_are_served() -> None:
    answer = HTTP.put("/open311/v2/requests.json")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert code(answer.text, "json") == "405"
    answer = HTTP.post("/open311/v2/requests/7.xml")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert code(answer.text, "xml") == "405"


def test_what_is_served_is_served() -> None:
    assert HTTP.get("/open311/v2/requests.json").text == "served"
    assert HTTP.post("/open311/v2/requests.json").text == "served"
    assert HTTP.get("/open311/v2/requests/7.xml").text == "served"
