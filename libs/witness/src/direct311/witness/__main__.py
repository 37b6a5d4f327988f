"""The witness's command: make a key, serve."""

import argparse
import base64
import json
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.verifier.note import Cosigner, NoteError
from direct311.verifier.policy import Policy, PolicyError
from direct311.witness.app import WitnessApp
from direct311.witness.memory import ForgottenError, Memory
from direct311.witness.witness import Witness


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except (NoteError, PolicyError, ForgottenError, ValueError) as error:
        parser.error(str(error))
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="direct311-witness",
        description="Cosign the checkpoints of transparency logs (c2sp.org/tlog-witness).",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    keygen = commands.add_parser(
        "keygen",
        help="make the witness's key",
        description=(
            "Make the witness's key and print its public half (a vkey), which goes into the policy "
            "of everyone who trusts this witness."
        ),
    )
    keygen.add_argument("name", help="name of the witness: a URL without its scheme")
    keygen.add_argument("file", type=Path, metavar="FILE", help="where the private key is kept")
    keygen.set_defaults(run=_keygen)

    serve = commands.add_parser(
        "serve",
        help="answer add-checkpoint",
        description="Answer add-checkpoint at http://HOST:PORT/add-checkpoint until told to stop.",
    )
    serve.add_argument("--key", type=Path, required=True, metavar="FILE", help="as keygen made it")
    serve.add_argument(
        "--policy",
        type=Path,
        required=True,
        metavar="FILE",
        help="the logs to cosign for: log lines of c2sp.org/tlog-policy",
    )
    serve.add_argument(
        "--memory",
        type=Path,
        required=True,
        metavar="FILE",
        help=(
            "the file of what was cosigned; must not be lost or rolled back while the key is in use"
        ),
    )
    serve.add_argument(
        "--begin",
        action="store_true",
        help="begin with an empty memory if there is none (a new key's first start)",
    )
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8321)
    serve.set_defaults(run=_serve)
    return parser


def _keygen(options: argparse.Namespace) -> int:
    private = Ed25519PrivateKey.generate()
    cosigner = Cosigner(options.name, private)
    seed = base64.b64encode(private.private_bytes_raw()).decode()
    # Never overwrites an existing key; only its owner can read it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(options.file, flags, 0o600), "w") as file:
        json.dump({"name": options.name, "private": seed}, file)
    print(cosigner.key)
    return 0


def _cosigner(path: Path) -> Cosigner:
    """Read `{"name", "private": base64 of the 32-byte seed}`."""
    try:
        document = json.loads(path.read_bytes())
        seed = base64.b64decode(document["private"], validate=True)
        return Cosigner(document["name"], Ed25519PrivateKey.from_private_bytes(seed))
    except (KeyError, TypeError, ValueError):
        # The message repeats nothing from the file.
        raise ValueError(f"{path} holds no key made by keygen") from None


def _serve(options: argparse.Namespace) -> int:
    cosigner = _cosigner(options.key)
    policy = Policy.parse(options.policy.read_bytes())
    if not policy.log_keys:
        raise PolicyError(f"{options.policy} names no log")
    origins = {key.name for key in policy.log_keys}
    memory = Memory(options.memory, sorted(origins), begin=options.begin)
    witness = Witness(policy.log_keys, cosigner, memory, lambda: datetime.now(UTC))
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
    config = uvicorn.Config(
        WitnessApp(witness),
        host=options.host,
        port=options.port,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
