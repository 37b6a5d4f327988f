"""`direct311 rules`: the access rules, and the two people who approve them."""

import base64
import json
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.cli.screen import Screen
from direct311.runtime.access.approvals import NotApprovedError, approve
from direct311.runtime.access.rules import SUBJECT, load_access_policy
from direct311.runtime.datafile import DataFileError
from direct311.verifier.note import NoteError, Signer

app = typer.Typer(no_args_is_help=True, help=__doc__)
console = Screen(soft_wrap=True)
errors = Screen(stderr=True, soft_wrap=True)

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="the file of rules")]


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="the approver's staff id, without spaces")],
    out: Annotated[Path, typer.Option(help="the file for the private key; it must not exist yet")],
) -> None:
    """Make a person's key, and print the line for the file of approvers."""
    private = Ed25519PrivateKey.generate()
    try:
        signer = Signer(name, private)
        with out.open("x") as file:
            out.chmod(0o600)
            seed = base64.b64encode(private.private_bytes_raw()).decode()
            json.dump({"name": name, "private": seed}, file)
    except (NoteError, FileExistsError) as error:
        errors.print(str(error), style="red")
        raise typer.Exit(2) from None
    console.print(str(signer.key))


@app.command("approve")
def approve_file(
    path: File,
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="your private key")],
) -> None:
    """Sign the file. It takes effect at the next start after two people have signed."""
    document = json.loads(key.read_bytes())
    seed = base64.b64decode(document["private"])
    signer = Signer(document["name"], Ed25519PrivateKey.from_private_bytes(seed))
    try:
        load_access_policy(path, rules_only=True)
        beside = approve(SUBJECT, path, signer)
    except (DataFileError, NoteError) as error:
        errors.print(str(error), style="red")
        raise typer.Exit(1) from None
    console.print(f"{signer.key.name} approves {path.name}; see {beside.name}")


@app.command()
def check(
    path: File,
    approvers: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="who may approve")
    ] = None,
) -> None:
    """Say whether the file could take effect, and if not, what is wrong with it."""
    try:
        policy = load_access_policy(path, approvers, rules_only=approvers is None)
    except (DataFileError, NotApprovedError) as error:
        errors.print(str(error), style="red")
        raise typer.Exit(1) from None
    by = f", approved by {', '.join(policy.approved_by)}" if policy.approved_by else ""
    console.print(f"{path.name} is valid: {policy.rules.version}, SHA-256 {policy.hash}{by}")
