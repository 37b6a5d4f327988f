"""A mail server for development: accepts every message by SMTP and stores it in a folder (Maildir).

It stands for the outside world: nothing is delivered to anybody. It refuses to start anywhere
except in a local or test stack.

python -m deploy.local.mail
"""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox


class NotDevelopmentError(Exception):
    """The mail server was started where real people's messages may be."""


def main(environ: Mapping[str, str] = os.environ) -> None:
    """Serve until told to end (SIGTERM)."""
    if environ.get("DIRECT311_ENVIRONMENT") not in ("local", "test"):
        raise NotDevelopmentError("only in a local or test stack")
    folder = Path(environ["MAIL_FOLDER"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = Controller(
        Mailbox(folder / "box"),
        hostname=environ["MAIL_HOST"],
        port=int(environ["MAIL_PORT"]),
        ident="Direct311 development",
    )
    server.start()
    ended.wait()
    server.stop()


if __name__ == "__main__":
    try:
        main()
    except NotDevelopmentError as error:
        sys.exit(str(error))
