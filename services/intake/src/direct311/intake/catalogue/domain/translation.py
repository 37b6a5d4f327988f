"""The catalogue in the residents' other languages. English governs; codes and keys never change."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Literal, TypeVar

from direct311.intake.catalogue.domain.types import Attribute, Catalogue, Choice, ServiceType
from direct311.schemas import Model

M = TypeVar("M", bound=Model)


class TranslatedAttribute(Model, extra="forbid"):
    """One question's words; `values`: the names of its choices by key."""

    code: str
    description: str
    datatype_description: str = ""
    values: Mapping[str, str] = {}


class TranslatedService(Model, extra="forbid"):
    """One type's words. `attributes`: the questions that the shared ones do not cover."""

    service_code: str
    service_name: str
    description: str
    keywords: tuple[str, ...]
    attributes: tuple[TranslatedAttribute, ...] = ()


class Translation(Model, extra="forbid"):
    """All words of a catalogue in one language.

    `groups`: by their English name. `shared_attributes`: the words of a question for every type
    that has this question code and no words of its own for it; a type uses only the choices it
    offers.
    """

    language: Literal["es", "ht"]
    catalogue: str
    version: str
    translations_reviewed: bool
    groups: Mapping[str, str]
    shared_attributes: tuple[TranslatedAttribute, ...] = ()
    services: tuple[TranslatedService, ...]

    def attribute(self, of: TranslatedService, code: str) -> TranslatedAttribute | None:
        """The words of a type's question: its own, or the shared ones."""
        every = (*of.attributes, *self.shared_attributes)
        return next((each for each in every if each.code == code), None)


def problems(catalogue: Catalogue, words: Translation) -> Iterator[tuple[str, str, str]]:
    """What a translation lacks, or has too much: service code, field and reason."""
    if (words.catalogue, words.version) != (catalogue.catalogue, catalogue.version):
        yield "", "version", f"is not of {catalogue.catalogue} {catalogue.version}"
    groups = {service.group for service in catalogue.services}
    for group in sorted(groups):
        if not words.groups.get(group, "").strip():
            yield "", f"groups[{group}]", "is missing"
    for group in sorted(words.groups.keys() - groups):
        yield "", f"groups[{group}]", "is not a group in the catalogue"
    by_code = {each.service_code: each for each in words.services}
    for code, times in Counter(each.service_code for each in words.services).items():
        if times > 1:
            yield code, "service_code", "translated more than once"
        if catalogue.by_code(code) is None:
            yield code, "service_code", "is not a type in the catalogue"
    shared = {each.code for each in words.shared_attributes}
    asked = {each.code for service in catalogue.services for each in service.attributes}
    for code in sorted(shared - asked):
        yield "", f"shared_attributes[{code}]", "no type asks this"
    for service in catalogue.services:
        code = service.service_code
        translated = by_code.get(code)
        if translated is None:
            yield code, "service_name", "is missing"
            yield code, "description", "is missing"
            continue
        for field, reason in _service_problems(service, translated, words):
            yield code, field, reason


def _service_problems(
    service: ServiceType, translated: TranslatedService, words: Translation
) -> Iterator[tuple[str, str]]:
    for field in ("service_name", "description"):
        if not str(getattr(translated, field)).strip():
            yield field, "is missing"
    if not any(each.strip() for each in translated.keywords):
        yield "keywords", "are missing"
    codes = [each.code for each in translated.attributes]
    for code in codes:
        if service.attribute(code) is None:
            yield f"attributes[{code}]", "is not a question of this type"
        if codes.count(code) > 1:
            yield f"attributes[{code}]", "translated more than once"
    for attribute in service.attributes:
        place = f"attributes[{attribute.code}]"
        own = words.attribute(translated, attribute.code)
        if own is None:
            yield f"{place}.description", "is missing"
            continue
        for field, reason in _attribute_problems(attribute, own):
            yield f"{place}.{field}", reason
        # A shared question may have more choices than one type offers.
        for key in own.values.keys() - {choice.key for choice in attribute.values}:
            if own in translated.attributes:
                yield f"{place}.values[{key}]", "is not a choice of this question"


def _attribute_problems(
    attribute: Attribute, own: TranslatedAttribute
) -> Iterator[tuple[str, str]]:
    if not own.description.strip():
        yield "description", "is missing"
    if attribute.datatype_description and not own.datatype_description.strip():
        yield "datatype_description", "is missing"
    for choice in attribute.values:
        if not own.values.get(choice.key, "").strip():
            yield f"values[{choice.key}]", "is missing"


def translated(catalogue: Catalogue, words: Translation) -> Catalogue:
    """The catalogue with these words instead of the English ones; nothing else differs.

    The translation must have no `problems`.
    """
    by_code = {each.service_code: each for each in words.services}
    services = tuple(
        _service(each, by_code[each.service_code], words) for each in catalogue.services
    )
    return _with(catalogue, services=services)


def _service(service: ServiceType, own: TranslatedService, words: Translation) -> ServiceType:
    return _with(
        service,
        service_name=own.service_name,
        description=own.description,
        group=words.groups[service.group],
        keywords=own.keywords,
        attributes=tuple(
            _attribute(each, words.attribute(own, each.code)) for each in service.attributes
        ),
    )


def _attribute(attribute: Attribute, own: TranslatedAttribute | None) -> Attribute:
    if own is None:
        return attribute
    return _with(
        attribute,
        description=own.description,
        datatype_description=own.datatype_description if attribute.datatype_description else "",
        values=tuple(Choice(key=each.key, name=own.values[each.key]) for each in attribute.values),
    )


def _with(model: M, **changes: object) -> M:
    """Makes a new model, because `model_copy` would keep the old one's cached lookups."""
    kept = {name: getattr(model, name) for name in type(model).model_fields}
    return type(model).model_validate(kept | changes)
