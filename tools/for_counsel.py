"""The list for counsel of everything marked unconfirmed, `docs/for-counsel.md`: `python -m
tools.for_counsel`.

It reads every data file that comes with the software. `direct311 rules unconfirmed` makes the same
list of a county's own files.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from direct311.runtime.unconfirmed import Unconfirmed, unconfirmed_in
from tools.written_page import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "for-counsel.md"
SOURCES = ("libs/*/src/**/data/*.yaml", "services/*/src/**/data/*.yaml")
UNTIL_THEN = {
    "exemptions.yaml": "It does not load outside the local stack, so nothing is withheld by it.",
    "breach.yaml": "It is switched off, so nobody counts on the longer time.",
    "agencies.yaml": "It does not load outside the local stack, so nobody there can be called "
    "back. Whoever confirms it reads the agency's own published page and writes the day.",
    "cases.yaml": "It applies: what was shown once cannot be hidden again.",
    "fees.yaml": "It is charged, and each estimate and invoice says that it is not confirmed. The "
    "threshold and the pay are examples until the county sets its own.",
    "instruments.yaml": "It does not load outside the local stack, so nothing is granted by it. "
    "This covers its classes of fields, number of people, approvers, hours and notice.",
    "breach_letter.yaml": "The letters and the notices are made on the local stack only.",
    "calendar.yaml": "It is switched off, so a due date can only come a day earlier.",
}
"""What happens with the entries of a file until somebody has confirmed them."""
_HEAD = """\
# For counsel: what is not confirmed yet

<!-- Written by `python -m tools.for_counsel`. -->

The law in this software is data. An entry that somebody still has to confirm says so itself:
`confirmed: false` where counsel decides, `verify: true` where nobody has read the primary source.
This page lists every such entry of the files that come with the software. Samples for the local
stack are left out, because nobody ever confirms them.

To confirm an entry, a county copies the file, changes the mark, and names its own file in the
service's settings ([operations](operations.md)). `direct311 rules unconfirmed FILE…` prints
what is left in a file."""
_TABLE = """
| entry | law | what it says | mark |
|---|---|---|---|"""


def found(root: Path = ROOT) -> Iterator[tuple[Path, list[Unconfirmed]]]:
    """The files that have such entries, relative to the repository, with the entries."""
    for pattern in SOURCES:
        for path in sorted(root.glob(pattern)):
            if marked := unconfirmed_in(path):
                yield path.relative_to(root), marked


def page() -> str:
    """What `docs/for-counsel.md` says."""
    lines = [_HEAD]
    for path, marked in found():
        lines += [f"\n## {path.name}\n", f"`{path.as_posix()}`. {UNTIL_THEN[path.name]}", _TABLE]
        lines += [
            f"| {each.entry or 'the whole file'} | {each.citation} | {each.says} | `{each.mark}` |"
            for each in marked
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    return write_or_check(PAGE, page(), "tools.for_counsel")


if __name__ == "__main__":
    sys.exit(main())
