"""What packages need from outside."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, Protocol

from direct311.retention.case_file.packages import WithheldOfFile
from direct311.retention.cases.domain import CaseFile, CaseKind
from direct311.retention.packages.domain.files import WithheldItem
from direct311.retention.packages.domain.letter import LetterFacts
from direct311.retention.packages.domain.parts import Rendering
from direct311.runtime.errors import TransientError


@dataclass(frozen=True, slots=True)
class NotRendered:
    """Why an owner does not answer with a record now, as a code: `not_reviewed`, `changed`,
    `unknown_record`, `not_granted`, `marks` or `unavailable`."""

    reason: str


@dataclass(frozen=True, slots=True)
class ArrivingFile:
    """A file as it may go out, while it arrives. `decisions`: SHA-256 (hex) of the decision.
    `sha256`: of its bytes, as the owner says. `warnings`: what goes out with it and shows on no
    page. `withheld`: a row for each box burnt in. Reading `content` raises `BrokenOffError`."""

    outcome: Literal["original", "redacted"]
    decisions: str
    content_type: str
    sha256: str
    warnings: Sequence[str]
    withheld: Sequence[WithheldItem]
    content: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class WithheldFile:
    """A file of which nothing goes out. `reason`: why, if it was to be redacted and could not
    be."""

    decisions: str
    withheld: Sequence[WithheldItem]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NoFile:
    """The owner has no such file any more. `reason`: as a code."""

    reason: str


class BrokenOffError(TransientError):
    """A file did not arrive whole."""


class IdentifiedRecords(Protocol):
    """The records that a request is about."""

    async def of_case(self, case_id: str) -> Sequence[str]:
        """Those that were held for the case in time, by id."""
        ...


class Owners(Protocol):
    """The owners of a record. They check the grant again, for the person with this bearer header,
    and write the access into the log."""

    async def rendering(
        self, case_id: str, record_id: str, recipient: str, authorization: str
    ) -> Rendering | NotRendered:
        """The record as it may go out.

        :param recipient: the class of whoever gets it.
        :raises RefusedError: the owner does not accept the person's token.
        """
        ...

    async def job_history(
        self, case_id: str, record_id: str, purpose: str, authorization: str
    ) -> Mapping[str, Any] | NotRendered | None:
        """The history of its job; `None` if it has no job.

        :raises RefusedError: the owner does not accept the person's token.
        """
        ...


class Files(Protocol):
    """The owner of the files of a record, as `Owners` for the rest."""

    def rendering(
        self, case_id: str, media_id: str, purpose: CaseKind, authorization: str
    ) -> AbstractAsyncContextManager[ArrivingFile | WithheldFile | NoFile | NotRendered]:
        """What goes out of a file; it is read inside the block.

        :raises RefusedError: the owner does not accept the person's token.
        """
        ...


@dataclass(frozen=True, slots=True)
class Leak:
    """What of a package has something that was withheld, or cannot be searched: the number of its
    entry from 1, the entry's name unless that is the place, a kind of value, the record that
    withholds it, and in how many places. `content`: the SHA-256 (hex) of the entry's name and
    bytes; `None` if it does not unpack. The value is never here."""

    number: int
    entry: str | None
    kind: str
    record_id: str | None
    places: int
    content: str | None


@dataclass(frozen=True, slots=True)
class WithheldOfCase:
    """What is withheld of a case's records: `record_ids` and `files` of those in the package.
    `released`: records that went out before, each with the hash of the decisions by which it was
    rendered; `released_files`: of these. What they withheld is looked for too."""

    case_id: str
    kind: CaseKind
    record_ids: Sequence[str]
    files: Sequence[WithheldOfFile]
    released: Mapping[str, str]
    released_files: Sequence[WithheldOfFile]


class Withheld(Protocol):
    """What the owners of records and files withhold, without the values: they answer with
    fingerprints under a key that is made for one package and dropped."""

    async def leaks(
        self, package: BinaryIO, withheld: WithheldOfCase, authorization: str
    ) -> Sequence[Leak]:
        """Where the package has something that is withheld. It is read in a thread, here and there.

        :raises RefusedError: an owner does not answer, or does not accept the person's token, or
            no grant in force names a record that went out before.
        """
        ...


class Proofs(Protocol):
    """The audit log's proof of a case's own entries."""

    async def bundle(self, case_id: str) -> bytes:
        """A bundle (`direct311-bundle-v1`) of the entries that the case's events have now.

        :raises RefusedError: audit does not answer.
        """
        ...


class Papers(Protocol):
    """The papers of a package as PDF: the same bytes for the same facts."""

    @property
    def organization(self) -> str:
        """Who releases."""
        ...

    def letter(self, facts: LetterFacts) -> bytes:
        """The letter."""
        ...

    def exemption_log(self, case_id: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """The exemption log."""
        ...


class Notary(Protocol):
    """Retention's signature on notes."""

    def sign(self, text: str) -> str:
        """The signed note (c2sp.org/signed-note) of a text."""
        ...


class TokenCases(Protocol):
    """Cases by the tokens of their requesters."""

    async def of_token(self, token_hash: str) -> CaseFile | None:
        """The case file with this token (SHA-256, hex), if it is not destroyed or being
        destroyed."""
        ...
