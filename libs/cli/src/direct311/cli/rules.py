"""`direct311 rules`: the access rules and the exemptions, and the two people who approve them."""

import base64
import json
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.cli.screen import Screen, columns
from direct311.runtime.access import exemptions, rules
from direct311.runtime.access.approvals import NotApprovedError, approve
from direct311.runtime.access.exemptions import load_exemptions
from direct311.runtime.access.rules import load_access_policy
from direct311.runtime.datafile import DataFileError
from direct311.runtime.unconfirmed import unconfirmed_in
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
        _, subject = _loaded(path, None)
        beside = approve(subject, path, signer)
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
        found, _ = _loaded(path, approvers)
    except (DataFileError, NotApprovedError) as error:
        errors.print(str(error), style="red")
        raise typer.Exit(1) from None
    by = f", approved by {', '.join(found.approved_by)}" if found.approved_by else ""
    console.print(f"{path.name} is valid: {found.version}, SHA-256 {found.sha256}{by}")


@app.command("unconfirmed")
def list_unconfirmed(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="data files"),
    ],
) -> None:
    """What counsel or a reader of the law has still to confirm in these files. Exit code 1 if there
    is anything."""
    table = columns("file", "entry", "law", "mark", whole=())
    for path in paths:
        try:
            marked = unconfirmed_in(path)
        except DataFileError as error:
            errors.print(str(error), style="red")
            raise typer.Exit(2) from None
        for each in marked:
            table.add_row(path.name, each.entry, each.citation, each.mark)
    if not table.row_count:
        console.print("Everything is confirmed.")
        return
    console.print(table)
    raise typer.Exit(1)


class _Loaded(NamedTuple):
    version: str
    sha256: str
    approved_by: tuple[str, ...]


def _loaded(path: Path, approvers: Path | None) -> tuple[_Loaded, str]:
    """The file, and the purpose named in its approvals: exemptions if its first line of content
    says so, else access rules."""
    alone = approvers is None
    if _begins_with(path, exemptions.SUBJECT):
        found = load_exemptions(path, approvers, local=True, rules_only=alone)
        return _Loaded(found.version, found.hash, found.approved_by), exemptions.SUBJECT
    policy = load_access_policy(path, approvers, rules_only=alone)
    return _Loaded(policy.rules.version, policy.hash, policy.approved_by), rules.SUBJECT


def _begins_with(path: Path, key: str) -> bool:
    """Whether the first key of a YAML file is this one."""
    lines = (line.strip() for line in path.read_text(errors="replace").splitlines())
    return next((line for line in lines if line and line[0] not in "#-%"), "").startswith(f"{key}:")
