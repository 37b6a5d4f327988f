"""The county's own words of its catalogue are nobody's: answers from lists travel as they are."""

from collections.abc import Iterator

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.redaction import redact


def words() -> Iterator[str]:
    for service in load_catalogue().content.services:
        yield from (service.service_name, service.county_name, service.description)
        yield from service.keywords
        for attribute in service.attributes:
            yield from (text for value in attribute.values for text in (value.key, value.name))


def test_no_name_or_key_of_the_catalogue_is_taken_for_something_personal() -> None:
    found = list(words())
    assert len(found) > 500
    assert [text for text in found if redact(text).text != text] == []
