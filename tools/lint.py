"""House rules that ruff and mypy do not check: `python -m tools.lint`, a part of `make check`.

A rule is a function that takes a module's tree and returns findings. It is listed in `RULES`, with
a test in `tests/unit/tools`.
"""

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("libs/*/src/**/*.py", "services/*/src/**/*.py")
COPIER = Path("libs/schemas/src/direct311/schemas/model.py")
"""The module with `replaced`, the only place that copies a model with a dictionary."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What is wrong in a file, and on which line."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


Rule = Callable[[Path, ast.Module], Iterator[Finding]]
"""The rule's findings in the module at a path relative to the repository."""


def no_copy_by_dictionary(path: Path, module: ast.Module) -> Iterator[Finding]:
    """`model_copy(update=…)` accepts any field name; only `replaced` may use it."""
    if path == COPIER:
        return
    for call in _calls(module):
        if (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "model_copy"
            and any(keyword.arg in ("update", None) for keyword in call.keywords)
        ):
            yield Finding(
                path,
                call.lineno,
                "model_copy(update=…) hides a misspelled field; "
                "give the model a method that says what happened, made with replaced(self, …)",
            )


def replaced_in_own_methods(path: Path, module: ast.Module) -> Iterator[Finding]:
    """`replaced` is for a model's own methods, with fields by name, so that mypy checks them."""
    for call in _calls(module):
        if not (isinstance(call.func, ast.Name) and call.func.id == "replaced"):
            continue
        of = call.args[0] if call.args else None
        if not (isinstance(of, ast.Name) and of.id == "self"):
            yield Finding(
                path, call.lineno, "replaced is for the model's own methods: replaced(self, …)"
            )
        if any(keyword.arg is None for keyword in call.keywords):
            yield Finding(
                path, call.lineno, "replaced(self, **…) hides a misspelled field; name each"
            )


RULES: Sequence[Rule] = (no_copy_by_dictionary, replaced_in_own_methods)


def check(path: Path, text: str) -> list[Finding]:
    """The rules' findings in a module."""
    module = ast.parse(text)
    return sorted(finding for rule in RULES for finding in rule(path, module))


def check_all(root: Path = ROOT) -> list[Finding]:
    """The rules' findings in libraries and services."""
    return [
        finding
        for pattern in SOURCES
        for path in sorted(root.glob(pattern))
        for finding in check(path.relative_to(root), path.read_text(encoding="utf-8"))
    ]


def _calls(module: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module) if isinstance(node, ast.Call))


def main() -> int:
    findings = check_all()
    for finding in findings:
        sys.stderr.write(f"{finding}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
