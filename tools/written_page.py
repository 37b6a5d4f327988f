"""Pages of the docs that a program writes: write one, or check that it is up to date."""

import argparse
import sys
from pathlib import Path


def write_or_check(page: Path, text: str, program: str, arguments: list[str] | None = None) -> int:
    """Write `text` to `page`; with `--check` on the command line, only compare them.

    Returns the exit status: 1 if the page is out of date.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=f"Write {page.name}.")
    parser.add_argument("--check", action="store_true", help="only tell whether it is up to date")
    if not parser.parse_args(arguments).check:
        page.write_text(text, encoding="utf-8")
        return 0
    if page.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{page.name} is out of date: run `python -m {program}`.\n")
    return 1
