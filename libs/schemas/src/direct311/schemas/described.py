"""What the events' docstrings say, for the published pages."""

import inspect

from direct311.schemas.model import Model


def summary(model: type[Model]) -> str:
    """The first sentence of a model's docstring."""
    return doc(model).split(". ")[0].rstrip(".") + "."


def doc(model: type[Model]) -> str:
    """A model's own docstring on one line."""
    own = model.__dict__.get("__doc__")
    text = inspect.cleandoc(own).replace("\n", " ") if own else model.__name__
    return " ".join(text.split())
