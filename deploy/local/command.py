"""The command line of the local stack; `make` has the same commands."""

import argparse
import os
import sys
from pathlib import Path

from deploy.local.ports import NoPortError
from deploy.local.stack import Stack, StackError, default_root


def main(arguments: list[str]) -> int:
    """Runs one command; exit code 1 if it failed, or if `status` found a part that is not ready."""
    parsed = _parser().parse_args(arguments)
    root: Path = parsed.stack or default_root()
    try:
        stack = Stack.create(
            root, "free" if parsed.ephemeral_ports else "fixed", compression=not parsed.plain
        )
        stack.narrate(lambda line: print(line, flush=True))
        return _run(stack, parsed)
    except (StackError, NoPortError) as error:
        print(f"stack: {error}", file=sys.stderr)
        return 1


def _run(stack: Stack, parsed: argparse.Namespace) -> int:
    match parsed.command:
        case "up":
            stack.up(servers_only=parsed.servers_only)
            _say_where(stack)
        case "down":
            stack.down()
            print("stopped")
        case "reset":
            stack.reset()
            print("stopped, data deleted")
        case "status":
            return _status(stack)
        case "logs":
            _follow(stack, parsed.part)
        case "start":
            stack.start(parsed.part)
            stack.wait_ready(parsed.part)
        case "kill":
            stack.kill9(parsed.part)
        case "stop":
            stack.stop(parsed.part)
        case "restart":
            stack.restart(parsed.part)
    return 0


def _say_where(stack: Stack) -> None:
    for name in ("identity", *stack.services):
        print(f"  {name:<10} {stack.place.url(name)}")
    print(f"  {stack.root / 'dev.json'} has the keys and passwords")


def _status(stack: Stack) -> int:
    parts = stack.status()
    print(f"{'process':<10} {'pid':>8} {'port':>6}  health")
    for part in parts:
        print(f"{part.name:<10} {part.pid or '-':>8} {part.port:>6}  {part.health}")
    return 0 if all(part.health == "ready" for part in parts) else 1


def _follow(stack: Stack, part: str | None) -> None:
    """Shows the last lines and new ones as they arrive; ends with Ctrl-C."""
    names = [part] if part else list(stack.parts)
    files = [str(stack.log_file(name)) for name in names if stack.log_file(name).exists()]
    if not files:
        raise StackError("there is no log yet")
    os.execvp("tail", ["tail", "-n", "100", "-F", *files])  # noqa: S606


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--stack", type=Path, metavar="DIR", help="the stack's folder (.stack)")
    shared.add_argument(
        "--ephemeral-ports", action="store_true", help="a new stack uses free ports"
    )
    shared.add_argument(
        "--plain", action="store_true", help="a new stack stores everything uncompressed"
    )
    commands.add_parser("setup", help="install everything (done by `up` too)")
    commands.add_parser("lock", help="rewrite requirements.lock")
    up = commands.add_parser("up", parents=[shared], help="start everything that is not running")
    up.add_argument("--servers-only", action="store_true", help="without the six services")
    for name, text in (
        ("down", "stop everything"),
        ("reset", "stop everything and delete the data"),
        ("status", "what runs, where, and whether it is ready"),
    ):
        commands.add_parser(name, parents=[shared], help=text)
    logs = commands.add_parser("logs", parents=[shared], help="follow the logs")
    logs.add_argument("part", nargs="?", help="one process; by default all")
    for name, text in (
        ("start", "start one process"),
        ("stop", "stop one process"),
        ("kill", "kill one process at once, as a crash would"),
        ("restart", "stop and start one process"),
    ):
        commands.add_parser(name, parents=[shared], help=text).add_argument("part")
    return parser
