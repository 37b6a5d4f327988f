"""The commands on a documentation page, and the answers the page shows for them."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code. `answer`: the JSON block that follows, if one does."""

    language: str
    code: str
    answer: str | None


def blocks(name: str) -> list[Block]:
    """The blocks of a page that can be run, in order."""
    found = [(match[1], match[2]) for match in _BLOCK.finditer((PAGES / name).read_text())]
    made = []
    for index, (language, code) in enumerate(found):
        if language in ("sh", "python", "javascript"):
            after = found[index + 1] if index + 1 < len(found) else ("", "")
            made.append(Block(language, code, after[1] if after[0] == "json" else None))
    return made
