"""Packaged data files, changed in one place, to check that the loader names what is wrong."""

from collections.abc import Callable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

Change = Callable[[dict[str, Any]], None]


def changed(source: Traversable, folder: Path, change: Change) -> Path:
    """A copy of `source` in `folder`, with the same name and with `change` applied to its
    content."""
    tree = yaml.load(source.read_text(encoding="utf-8"), yaml.CSafeLoader)
    change(tree)
    path = folder / source.name
    # Aliases would be written as &id001; the loader reads either.
    text = yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return path


def entry(tree: dict[str, Any], where: str, key: str, value: object) -> dict[str, Any]:
    """The entry of the list `where` whose `key` is `value`."""
    found: dict[str, Any] = next(each for each in tree[where] if each[key] == value)
    return found
