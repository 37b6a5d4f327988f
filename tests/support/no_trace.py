"""Searches everything that people without the right can see for traces of law enforcement.

A test plants words that only a secret access has (its actor, its case, its purpose, its role),
takes every view, and asks where they are.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

WORDS = (
    "law_enforcement",
    "law enforcement",
    "fuerzas del orden",
    "lapolis",
    "liaison",
    "subpoena",
    "warrant",
)
"""What any view would call it, in the languages of the views."""


def traces_in(views: Mapping[str, object], traces: Iterable[str]) -> list[tuple[str, str]]:
    """The views that show a trace, each with the trace; in order.

    A view is text, bytes, or anything that JSON or `repr` can write. Upper and lower case are the
    same, and a trace is also found where JSON escapes its characters.
    """
    wanted = [each.casefold() for each in traces]
    found = []
    for name, view in views.items():
        text = _text(view)
        found += [(name, each) for each in wanted if each in text]
    return found


def files_under(folder: Path) -> dict[str, bytes]:
    """Each file below a folder, such as the log files of a stack, as a view."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _text(view: object) -> str:
    if isinstance(view, bytes):
        return view.decode(errors="replace").casefold()
    if isinstance(view, str):
        return view.casefold()
    try:
        return json.dumps(view, ensure_ascii=False).casefold()
    except TypeError:
        return repr(view).casefold()
