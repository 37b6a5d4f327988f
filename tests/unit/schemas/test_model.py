"""`replaced`: the one way to a model with other values."""

from typing import Any

import pytest

from direct311.schemas.model import Model, replaced


class Dog(Model):
    name: str
    legs: int = 4


def test_other_values_and_all_the_rest_as_it_was() -> None:
    before = Dog(name="Rex")
    assert replaced(before, legs=3) == Dog(name="Rex", legs=3)
    assert before == Dog(name="Rex")


def test_what_was_replaced_counts_as_given() -> None:
    assert replaced(Dog(name="Rex"), legs=3).model_dump(exclude_unset=True) == {
        "name": "Rex",
        "legs": 3,
    }


def test_a_field_that_the_model_does_not_have_is_an_error() -> None:
    misspelled: dict[str, Any] = {"leg": 3}
    with pytest.raises(TypeError, match="Dog has no field 'leg'"):
        replaced(Dog(name="Rex"), **misspelled)
