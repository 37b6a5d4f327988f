"""The page of all problem codes, `docs/problem-codes.md`: `python -m tools.problem_codes`.

What a code means and with which status it is answered is said by the table of the edge
(`direct311.runtime.http.problem_codes`); where it comes from is read in the code.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from direct311.runtime.http.problem_codes import PROBLEMS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "problem-codes.md"
SOURCES = ("libs/runtime/src/**/*.py", "services/*/src/**/*.py")
_CALLED = ("RefusedError", "BodyRefusedError", "problem")
EVERY = "every service"
_HEAD = """\
# Problem codes

<!-- Written by `python -m tools.problem_codes`. -->

Every refusal is `application/problem+json` (RFC 9457). `type` is `urn:direct311:problem:` and one
of these codes, which do not change; `title` is the code in words; `detail` is for people. GeoReport
v2 answers the same refusals in its own form, with the status as its code; where GeoReport v2 has
another status, it stands in parentheses.

`refused:<rule>` is what the access rules say (`access.yaml`): 403; 422 where only a reason is
missing; 429 for `refused:rate`. Where several statuses stand below, the first is the usual one.

| code | status | meaning | where from |
|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Named:
    """A code where the code base names it, with the status where that is named too."""

    code: str
    status: int | None
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
        given = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
        status = given[0] if given and type(given[0]) is int else None
        code = given[1] if status is not None and len(given) > 1 else next(iter(given), None)
        if isinstance(code, str):
            yield Named(code, status, path, node.lineno)


def _makes_a_refusal(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in _CALLED
    # `super().__init__(409, "consent", …)` of a refusal of its own kind.
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
        statuses = ", ".join(str(status) for status in (kind.status, *kind.elsewhere))
        if kind.georeport is not None:
            statuses += f" ({kind.georeport})"
        lines.append(f"| `{code}` | {statuses} | {kind.meaning} | {'; '.join(where)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
