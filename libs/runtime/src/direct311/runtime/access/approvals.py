"""Two people must approve every file of rules: their signatures are beside the file, and are
checked before it is loaded.

`access.yaml` is approved by `access.yaml.approvals`, a signed note (c2sp.org/signed-note) over the
file's purpose and its SHA-256. It needs the signatures of two people on the approvers' list. The
file that comes with the software has no approvals: it is reviewed with the software.
"""

from hashlib import sha256
from pathlib import Path

from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.persons import different_persons
from direct311.verifier.note import Note, NoteError, Signature, Signer, VerifierKey

NEEDED = 2
_FORM = "direct311-approval-v1"


class NotApprovedError(RuntimeFaultError):
    """A file of rules lacks the approval of two people; the message says what to do."""


def statement(subject: str, content: bytes) -> str:
    """The text to sign: the format, the file's purpose, and its SHA-256 (hex)."""
    return f"{_FORM}\n{subject}\n{sha256(content).hexdigest()}\n"


def approve(subject: str, path: Path, signer: Signer) -> Path:
    """Add one person's signature to the file's approvals, and drop signatures over earlier
    content."""
    text = statement(subject, path.read_bytes())
    others: tuple[Signature, ...] = ()
    if (beside := _beside(path)).exists():
        note = Note.parse(beside.read_text())
        if note.text == text:
            others = tuple(each for each in note.signatures if each.name != signer.key.name)
    beside.write_text(str(Note(text, (*others, signer.sign(text)))))
    return beside


def approvers_of(subject: str, path: Path, approvers: Path) -> tuple[str, ...]:
    """The people who approved the file, sorted by name.

    `approvers` has one verifier key (c2sp.org/signed-note) per line; empty lines and lines that
    begin with `#` are skipped. One person counts once, however many keys they have and however
    their name is written.

    :raises NotApprovedError: fewer than two people approved it.
    """
    try:
        lines = [line.strip() for line in approvers.read_text().splitlines()]
        keys = [VerifierKey.parse(line) for line in lines if line and not line.startswith("#")]
    except (OSError, NoteError) as error:
        raise NotApprovedError(f"{approvers.name}: {error}") from None
    beside = _beside(path)
    try:
        note = Note.parse(beside.read_text())
        if note.text != statement(subject, path.read_bytes()):
            raise NotApprovedError(f"{beside.name} approves different content of {path.name}")
        names = set(different_persons(sorted(key.name for key in note.verify(keys))))
    except FileNotFoundError:
        names = set()
    except NoteError as error:
        raise NotApprovedError(f"{beside.name}: {error}") from None
    if len(names) < NEEDED:
        raise NotApprovedError(
            f"{path.name} is approved by {len(names)} of the {NEEDED} people that it needs: each "
            f"runs `direct311 rules approve {path.name}`"
        )
    return tuple(sorted(names))


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".approvals")
