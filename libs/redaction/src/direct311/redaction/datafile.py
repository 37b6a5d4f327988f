"""This package's data: YAML files in `data`, each read completely and checked.

Words are written as one text with spaces between them, so that no word needs quotes: `no`, `on` and
`yes` are words here, but YAML would read them as booleans.
"""

from collections.abc import Callable, Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ValidationError

Problem = tuple[str, str, str]
"""Entry, field, reason."""


class Data(BaseModel, frozen=True, extra="forbid"):
    """The content of a file, or part of it."""


D = TypeVar("D", bound=Data)


class DataFileError(Exception):
    """A data file was refused; the message gives every reason."""


def _split(text: Any) -> Any:
    return text.split() if isinstance(text, str) else text


Words = Annotated[frozenset[str], BeforeValidator(_split)]
"""The words of a text as a set."""
Ordered = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""The words of a text, in order."""


def packaged(name: str) -> Traversable:
    """The file `name` of this package's `data`."""
    return files("direct311.redaction") / "data" / name


def load(
    model: type[D],
    source: Path | Traversable,
    check: Callable[[D], Iterable[Problem]] = lambda _: (),
) -> D:
    """The content of a file. `check` checks what types cannot express.

    :raises DataFileError: the model or the check rejects it.
    """
    name = source.name
    try:
        tree = yaml.load(source.read_bytes(), Loader=_OneKeyOnce)  # noqa: S506 - safe, only stricter
        content = model.model_validate(tree)
    except yaml.YAMLError as error:
        raise DataFileError(f"{name}: {error}") from None
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise _refused(
            name, [("", ".".join(map(str, each["loc"])), each["msg"]) for each in details]
        ) from None
    if problems := list(check(content)):
        raise _refused(name, problems)
    return content


def plain_list(source: Traversable) -> frozenset[str]:
    """The words of a plain list. Lines that begin with # give its source."""
    lines = source.read_text(encoding="ascii").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _refused(name: str, problems: Iterable[Problem]) -> DataFileError:
    lines = (": ".join(part for part in (name, *problem) if part) for problem in problems)
    return DataFileError("\n".join(lines))


class _OneKeyOnce(yaml.CSafeLoader):
    """Refuses a mapping with a duplicate key, which YAML readers usually accept."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, "the same key twice", key_node.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep)
