"""``python -m deploy.local <command>``: sets the project up if needed, then runs the command.

Runs under any Python from 3.11 on, with nothing installed; once the project's own environment
exists, it continues in that.
"""

import os
import sys
from pathlib import Path

from deploy.local import bootstrap


def main() -> int:
    arguments = sys.argv[1:]
    try:
        if arguments[:1] in (["lock"], ["dist"]):
            (bootstrap.lock if arguments[0] == "lock" else bootstrap.dist)()
            return 0
        if not arguments or arguments[0] in ("setup", "up"):
            bootstrap.setup()
        elif not bootstrap.environment_is_current():
            bootstrap.create_environment()
    except bootstrap.SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    if arguments[:1] == ["setup"]:
        return 0
    python = bootstrap.environment() / "bin" / "python"
    if Path(sys.prefix).resolve() != bootstrap.environment().resolve():
        os.execv(python, [str(python), "-m", "deploy.local", *arguments])  # noqa: S606
    from deploy.local import command

    return command.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
