"""The rules of SeeClickFix's validator, which walks from the discovery document to each definition.

From open311-validator's published source: `tests/discovery.rb`, `tests/services.rb`, and the
addresses that `lib/resource.rb` and `lib/session.rb` make of what they have read. A Ruby program
without a release, so its rules are written out here; both formats are read side by side.
"""

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.county import County, xml

pytestmark = [pytest.mark.wire, pytest.mark.anyio]

FORMATS = ("xml", "json")


def parsed(element: ElementTree.Element) -> Any:
    """An element as HTTParty gives it: a text, or children by name, and a list where a name
    repeats."""
    if not len(element):
        return element.text
    found: dict[str, Any] = {}
    for child in element:
        found.setdefault(child.tag, []).append(parsed(child))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def several(value: Any) -> list[Any]:
    """Ruby's `Array(…)`."""
    return value if isinstance(value, list) else [] if value is None else [value]


async def read(county: County, url: str, form: str) -> Any:
    answer = await county.http.get(url)
    assert answer.status_code == 200, answer.text
    return answer.json() if form == "json" else parsed(xml(answer))


async def discovered(county: County) -> dict[str, Any]:
    url = f"{county.known.services['intake']}/open311/discovery"
    return {form: await read(county, f"{url}.{form}", form) for form in FORMATS}


def endpoints(form: str, discovery: Any) -> list[Any]:
    found = discovery["endpoints"]
    return several(found["endpoint"] if form == "xml" else found)


def formats(form: str, endpoint: Any) -> list[str]:
    found = endpoint["formats"]["format"] if form == "xml" else endpoint["formats"]
    assert isinstance(found, list)
    return [str(each) for each in found]


async def test_discovery_keeps_the_validators_rules_in_both_formats(county: County) -> None:
    both = await discovered(county)
    for form, discovery in both.items():
        assert discovery["contact"].strip()
        assert discovery["key_service"].strip()
        assert datetime.fromisoformat(discovery["changeset"]) < datetime.now(UTC)
        assert endpoints(form, discovery)
        for endpoint in endpoints(form, discovery):
            assert endpoint["specification"].strip()
            assert endpoint["url"].strip()
            assert endpoint["type"] in ("production", "test")
            assert datetime.fromisoformat(endpoint["changeset"]) < datetime.now(UTC)
            assert "text/xml" in formats(form, endpoint)
    xml_, json_ = (both[form] for form in FORMATS)
    for name in ("changeset", "contact", "key_service"):
        assert xml_[name] == json_[name]


async def test_from_discovery_the_validator_reaches_every_service_and_definition(
    county: County,
) -> None:
    defined: dict[str, dict[str, Any]] = {}
    both = await discovered(county)
    (endpoint,) = endpoints("json", both["json"])
    assert endpoints("xml", both["xml"])[0]["url"] == endpoint["url"]
    for form in (each.split("/")[1] for each in formats("json", endpoint)):
        query = "jurisdiction_id=miamidade"
        found = await read(county, f"{endpoint['url']}/services.{form}?{query}", form)
        services = several(found["service"]) if form == "xml" else found
        assert services
        codes = [service["service_code"] for service in services]
        assert all(codes)
        assert len(set(codes)) == len(codes)
        with_questions = [
            service["service_code"]
            for service in services
            if service["metadata"] and service["metadata"] != "false"
        ]
        assert with_questions
        defined[form] = {}
        for code in with_questions:
            url = f"{endpoint['url']}/services/{code}.{form}?{query}"
            definition = await read(county, url, form)
            assert definition["service_code"] == code
            questions = definition["attributes"]
            questions = several(questions["attribute"]) if form == "xml" else questions
            defined[form][code] = [(each["code"], each["datatype"]) for each in questions]
    assert defined.keys() == set(FORMATS)
    assert defined["xml"] == defined["json"]
