"""Law is data: versioned YAML files, checked whole at start, replaceable without a release.

A file is read into one frozen model. A file that does not fit is refused with the names of the
file, the entry and the field, and with all problems at once, so that its editor can fix it without
reading the code.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import ValidationError

from direct311.runtime.errors import RuntimeFaultError
from direct311.schemas import Model

M = TypeVar("M", bound=Model)

Problem = tuple[str, str, str]
"""Entry, field, reason. The entry is empty if the whole file is meant."""


class DataFileError(RuntimeFaultError):
    """A data file was refused; `problems` gives every reason."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{name}: {_line(problem)}" for problem in self.problems))


@dataclass(frozen=True, slots=True)
class DataFile(Generic[M]):
    """An accepted file. `sha256` (hex) is the hash of its bytes, as `sha256sum` prints it."""

    name: str
    content: M
    sha256: str


def packaged(package: str, name: str) -> Traversable:
    """The file `name` that `package` carries in its `data` folder."""
    return files(package) / "data" / name


def load(
    model: type[M],
    source: Path | Traversable,
    check: Callable[[M], Iterable[Problem]] = lambda _: (),
) -> DataFile[M]:
    """Reads, validates and checks one file; raises `DataFileError`.

    `check` checks what types cannot express: duplicates, references, ranges. A list entry is named
    by the value of its first key.
    """
    try:
        raw = source.read_bytes()
        tree = parsed(raw)
    except OSError as error:
        raise DataFileError(source.name, [("", "", f"cannot be read: {error.strerror}")]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        problem = ("", f"line {line}", error.problem or "not YAML")
        raise DataFileError(source.name, [problem]) from None
    except yaml.YAMLError:
        raise DataFileError(source.name, [("", "", "not YAML")]) from None
    try:
        content = model.model_validate(tree)
    except ValidationError as error:
        problems = [
            (*_named(tree, detail["loc"]), detail["msg"])
            for detail in error.errors(include_input=False, include_url=False)
        ]
        raise DataFileError(source.name, problems) from None
    if problems := list(check(content)):
        raise DataFileError(source.name, problems)
    return DataFile(source.name, content, sha256(raw).hexdigest())


def parsed(raw: bytes) -> Any:
    """The tree of a YAML text; nobody changes it. Raises `yaml.YAMLError`."""
    return yaml.load(raw, Loader=_OneKeyOnce)  # noqa: S506 - a safe, stricter loader


def _line(problem: Problem) -> str:
    return ": ".join(part for part in problem if part)


def _named(tree: Any, loc: tuple[int | str, ...]) -> tuple[str, str]:
    """The entry and the field that `loc` points at, list positions replaced by names."""
    entry, field = "", ""
    for step in loc:
        tree = _child(tree, step)
        if isinstance(step, str):
            field = f"{field}.{step}" if field else step
            continue
        name = str(next(iter(tree.values()), step)) if isinstance(tree, dict) else str(step)
        if entry:
            field = f"{field}[{name}]"
        else:
            entry, field = name, ""
    return entry, field


def _child(tree: Any, step: int | str) -> Any:
    try:
        return tree[step]
    except (KeyError, IndexError, TypeError):
        return None


class _OneKeyOnce(yaml.CSafeLoader):
    """Refuses a mapping with a duplicate key, which YAML readers usually accept."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key that is neither text nor a whole number", key_node.start_mark
                )
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, "the same key twice", key_node.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep)
