"""A browser for the pages of the documentation: `python -m tests.support.page_browser ADDRESS`.

Python's `webbrowser` opens the program that the variable `BROWSER` names. This one fills the form
of the development issuer in, as the person and the role that the command that opened it names.
"""

import os
import sys
from pathlib import Path

import httpx

from direct311.cli.stack import find


def named(command: list[str], option: str, default: str) -> str:
    """What a command of `direct311` names in this option."""
    return command[command.index(option) + 1] if option in command else default


def command_of(process: int) -> list[str]:
    """The words with which a running process was started."""
    return Path(f"/proc/{process}/cmdline").read_text().split("\0")


def main() -> int:
    command = command_of(os.getppid())
    form = {
        "sub": named(command, "--as", "officer-1"),
        "roles": named(command, "--role", "records_officer"),
        "operator_secret": find().operator_secret,
    }
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        answer = browser.post(sys.argv[1], data=form)
    return 0 if answer.is_success else 1


if __name__ == "__main__":
    sys.exit(main())
