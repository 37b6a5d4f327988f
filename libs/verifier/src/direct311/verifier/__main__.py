"""The auditor's command: check a receipt, a bundle, a whole log, a released package or a report of
cases, offline."""

import argparse
import sys
from collections.abc import Sequence
from errno import ENOTDIR
from pathlib import Path

from direct311.verifier.bundle import verify_bundle, verify_receipt
from direct311.verifier.cases_report import verify_cases_report
from direct311.verifier.checkpoint import Quorum, Trust
from direct311.verifier.event import EventError, EventKey, decode_json, parse_event_keys
from direct311.verifier.log import directory, verify_log
from direct311.verifier.note import Algorithm, NoteError, VerifierKey
from direct311.verifier.package.bag import SIGNED_BY
from direct311.verifier.package.check import verify_package
from direct311.verifier.policy import Policy, PolicyError
from direct311.verifier.report import Report

GOOD, WRONG, USAGE = 0, 1, 2
_SIGNER = "retention"
"""The service whose key signs packages."""

_EPILOG = (
    "Exits with 0 if everything is correct, 1 if something is wrong (the report says what and "
    "where), and 2 if the command was not understood or a file cannot be read."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        report: Report = options.run(options)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except (NoteError, EventError, PolicyError, UnicodeDecodeError) as error:
        parser.error(str(error))
    _say(report.text)
    return GOOD if report.ok else WRONG


def _say(text: str) -> None:
    sys.stdout.write(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="direct311-verifier",
        description="Check what was taken from Direct311's audit log, or released, offline.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    trust = argparse.ArgumentParser(add_help=False)
    trust.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="keys of the log, witnesses and quorum in one file (c2sp.org/tlog-policy), from a "
        "source that you trust",
    )
    trust.add_argument(
        "--vkey",
        action="append",
        default=[],
        metavar="KEY",
        help="key of the log (name+id+base64), from a source that you trust; may be repeated",
    )
    trust.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="KEY",
        help="key of a witness that cosigns checkpoints; may be repeated",
    )
    trust.add_argument(
        "--quorum",
        type=int,
        default=0,
        metavar="N",
        help="how many of the witnesses must have cosigned (default: 0)",
    )
    producers = argparse.ArgumentParser(add_help=False)
    producers.add_argument(
        "--producers",
        type=Path,
        metavar="FILE",
        help=(
            "the published public keys of the services that sign events; without this, the keys in "
            "the file are used and the report says so"
        ),
    )

    for name, run, what in (
        ("bundle", _bundle, "a bundle: many entries with their proofs, under one checkpoint"),
        ("receipt", _receipt, "a receipt: one entry with its proof"),
    ):
        command = commands.add_parser(
            name,
            parents=[trust, producers],
            help=f"check {what}",
            description=f"Check {what}.",
            epilog=_EPILOG,
        )
        command.add_argument("file", type=Path, metavar="FILE")
        command.set_defaults(run=run)

    package = commands.add_parser(
        "package",
        parents=[trust, producers],
        help="check a released package of a disclosure case",
        description="Check a package: the zip, its manifests, the note of retention, and the marks "
        "in the records against the exemption log. With the log's key, also the proof in it that "
        "the case's entries are in the log, and with --receipt, that it is the package that was "
        "released.",
        epilog=_EPILOG,
    )
    package.add_argument("file", type=Path, metavar="FILE")
    package.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="KEY",
        help=f"key of {SIGNED_BY} (name+id+base64), from a source that you trust; may be repeated; "
        "not needed with --producers",
    )
    package.add_argument(
        "--receipt",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a receipt of the package's release; may be repeated",
    )
    package.set_defaults(run=_package)

    report = commands.add_parser(
        "report",
        parents=[trust],
        help="check the yearly report of disclosure cases",
        description="Check a report of disclosure cases: the signature of the log, the form, and "
        "that its numbers agree. Cosignatures do not apply to it.",
        epilog=_EPILOG,
    )
    report.add_argument("file", type=Path, metavar="FILE")
    report.set_defaults(run=_report)

    log = commands.add_parser(
        "log",
        parents=[trust],
        help="check a whole log, entry by entry",
        description="Check a whole log in a directory: checkpoint, tile/…, "
        "tile/entries/… as in c2sp.org/tlog-tiles.",
        epilog=_EPILOG,
    )
    log.add_argument("directory", type=Path, metavar="DIR")
    log.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="check up to this checkpoint (default: the file 'checkpoint' of the log)",
    )
    log.add_argument(
        "--old",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a checkpoint that you kept from an earlier day: the log must begin with it; "
        "may be repeated",
    )
    log.set_defaults(run=_log)
    return parser


def _trust(options: argparse.Namespace) -> Trust:
    log_keys = tuple(VerifierKey.parse(key) for key in options.vkey)
    witnesses = tuple(VerifierKey.parse(key) for key in options.witness)
    if any(key.algorithm is not Algorithm.ED25519 for key in log_keys):
        raise NoteError("--vkey takes a log's key; --witness takes a witness's")
    if any(key.algorithm is not Algorithm.COSIGNATURE_V1 for key in witnesses):
        raise NoteError("--witness takes a witness's key; --vkey takes a log's")
    quorum = Quorum("given", options.quorum, witnesses)
    if options.policy is not None:
        if witnesses or options.quorum:
            raise NoteError("--policy names the witnesses: leave out --witness and --quorum")
        policy = Policy.parse(options.policy.read_bytes())
        log_keys = (*log_keys, *policy.trust.log_keys)
        witnesses, quorum = policy.trust.witnesses, policy.trust.quorum
    if not log_keys:
        raise NoteError("a key of the log is required: give --vkey, or a policy with a log line")
    return Trust(log_keys, witnesses, quorum)


def _producers(options: argparse.Namespace) -> tuple[EventKey, ...] | None:
    if options.producers is None:
        return None
    return parse_event_keys(decode_json(options.producers.read_bytes()))


def _bundle(options: argparse.Namespace) -> Report:
    return verify_bundle(options.file.read_bytes(), _trust(options), _producers(options))


def _receipt(options: argparse.Namespace) -> Report:
    return verify_receipt(options.file.read_bytes(), _trust(options), _producers(options))


def _package(options: argparse.Namespace) -> Report:
    producers = _producers(options)
    keys = [VerifierKey.parse(key) for key in options.key]
    if any((key.name, key.algorithm) != (SIGNED_BY, Algorithm.ED25519) for key in keys):
        raise NoteError(f"--key takes a key of {SIGNED_BY}")
    keys += [
        VerifierKey(SIGNED_BY, key.public) for key in producers or () if key.service == _SIGNER
    ]
    if not keys:
        raise NoteError(f"a key of {SIGNED_BY} is required: give --key, or --producers with one")
    receipts = {str(path): path.read_bytes() for path in options.receipt}
    trust = _trust(options) if receipts or options.vkey or options.policy else None
    with options.file.open("rb") as file:
        return verify_package(file, keys, receipts=receipts, trust=trust, producers=producers)


def _report(options: argparse.Namespace) -> Report:
    return verify_cases_report(options.file.read_bytes(), _trust(options))


def _log(options: argparse.Namespace) -> Report:
    trust = _trust(options)
    if not options.directory.is_dir():
        raise NotADirectoryError(ENOTDIR, "not a directory", str(options.directory))
    checkpoint = None if options.checkpoint is None else _note(options.checkpoint)
    older = [_note(path) for path in options.old]
    return verify_log(directory(options.directory), trust, older, checkpoint=checkpoint)


def _note(path: Path) -> str:
    return path.read_bytes().decode()


if __name__ == "__main__":
    sys.exit(main())
