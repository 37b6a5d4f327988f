"""`python -m direct311.schemas generate|check [--events-page docs/events.md]`."""

import argparse
import sys
from pathlib import Path

from direct311.schemas.published import IncompatibleError, generate, problems


def main() -> int:
    """0: done, or everything is in order. 1: something must be fixed; standard error names it."""
    parser = argparse.ArgumentParser(prog="python -m direct311.schemas", description=__doc__)
    parser.add_argument("command", choices=("generate", "check"))
    parser.add_argument("--events-page", type=Path, help="the catalogue of events to keep")
    arguments = parser.parse_args()
    if arguments.command == "generate":
        try:
            for name in generate(arguments.events_page):
                sys.stdout.write(f"wrote {name}\n")
        except IncompatibleError as error:
            sys.stderr.write(f"{error}\nAdd a new version of the event beside the old one.\n")
            return 1
        return 0
    found = list(problems(arguments.events_page))
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    if not found:
        sys.stdout.write("schemas: all events match what is published\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
