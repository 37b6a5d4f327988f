"""The page of all problem codes, `docs/problem-codes.md`: `python -m tools.problem_codes`.

The table in `direct311.runtime.http.problem_codes` has the meaning and the status of each code.
This program finds in the code where each one comes from.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from direct311.runtime.http.fields import FIELD_CODES
from direct311.runtime.http.problem_codes import PROBLEMS
from tools.written_page import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "problem-codes.md"
SOURCES = ("libs/runtime/src/**/*.py", "services/*/src/**/*.py")
_CALLED = ("RefusedError", "BodyRefusedError", "problem")
EVERY = "every service"
_HEAD = """\
# Problem codes

<!-- Written by `python -m tools.problem_codes`. -->

Every refusal is `application/problem+json` (RFC 9457). `type` is `urn:direct311:problem:` and one
of these codes. A code does not change and always has the same status. `title` is the code in words;
`detail` is for people. GeoReport v2 answers the same refusals in its own form, with the status as
its code. A status in parentheses is the one in GeoReport v2, where it is different.

Two kinds of codes are not in the table:

- `refused:<rule>` comes from the access rules (`access.yaml`) and has status 403, or 422 if only
  a reason is missing.
- `http` is a refusal by the web framework that no other code fits. It has the framework's status.

| code | status | meaning | where from |
|---|---|---|---|"""
_FIELDS = """
## Codes of single errors

A `malformed` problem lists everything that is wrong in `errors`. Each error has a `field`, a
`detail` for people, and a `code`. `field` is the member's path in the body (`files.0.size`) or the
parameter's name; it is empty if the body as a whole is wrong. Nothing that the caller sent is
repeated, except the names of members that the API declares. These codes are the same everywhere;
[the app developers' guide](app-developers.md#what-can-go-wrong) lists the further codes of a
submission.

| code | meaning |
|---|---|"""


@dataclass(frozen=True, slots=True)
class Named:
    """A code where the code base names it."""

    code: str
    path: Path
    line: int

    @property
    def where(self) -> str:
        """The service and its capability, or that it may be any."""
        parts = self.path.parts
        if parts[0] == "libs":
            return EVERY
        service, inside = parts[1], parts[5:]
        return f"{service}: {inside[0]}" if len(inside) > 1 else service


def named(root: Path = ROOT) -> list[Named]:
    """Every code that a refusal is made with."""
    return [
        each
        for pattern in SOURCES
        for path in sorted(root.glob(pattern))
        for each in _in_module(path.relative_to(root), ast.parse(path.read_text("utf-8")))
    ]


def _in_module(path: Path, module: ast.Module) -> Iterator[Named]:
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and _makes_a_refusal(node)):
            continue
        code = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if isinstance(code, str):
            yield Named(code, path, node.lineno)


def _makes_a_refusal(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in _CALLED
    # `super().__init__("consent", …)` of a refusal of its own kind.
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("__init__", "_refuse")
        and len(call.args) > 1
    )


def page() -> str:
    """What `docs/problem-codes.md` says."""
    found = named()
    lines = [_HEAD]
    for code, kind in sorted(PROBLEMS.items()):
        where = sorted({each.where for each in found if each.code == code})
        if EVERY in where or not where:
            where = [EVERY]
        status = str(kind.status)
        if kind.georeport is not None:
            status += f" ({kind.georeport})"
        lines.append(f"| `{code}` | {status} | {kind.meaning} | {'; '.join(where)} |")
    lines.append(_FIELDS)
    lines += [f"| `{code}` | {meaning} |" for code, meaning in sorted(FIELD_CODES.items())]
    return "\n".join(lines) + "\n"


def main() -> int:
    return write_or_check(PAGE, page(), "tools.problem_codes")


if __name__ == "__main__":
    sys.exit(main())
