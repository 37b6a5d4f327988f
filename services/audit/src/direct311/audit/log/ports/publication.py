"""The published checkpoint, and the witnesses that cosign it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from direct311.audit.log.ports.log import Head
from direct311.runtime.errors import RefusedError
from direct311.verifier.note import VerifierKey
from direct311.verifier.submission import Submission


class NotPublishedError(RefusedError):
    """A quorum has not yet cosigned any checkpoint, or none that reaches that far."""

    def __init__(self) -> None:
        super().__init__(
            "not_published",
            "The log's witnesses have not cosigned that far yet; try again.",
            retry_after=2,
        )


class WitnessConflictError(Exception):
    """The witness last cosigned a different tree than expected, with `size` entries."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class WitnessRefusedError(Exception):
    """The witness does not cosign; `status` as in c2sp.org/tlog-witness."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class WitnessSilentError(Exception):
    """The witness does not answer."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A published head of the log, as `note`: signed by the log's keys and cosigned."""

    head: Head
    note: str
    at: datetime


class Published(Protocol):
    """What the log has promised to the outside."""

    async def current(self) -> Publication:
        """The published checkpoint. :raises NotPublishedError: there is none yet."""
        ...

    async def covering(self, size: int) -> Publication:
        """Waits a moment for a checkpoint over at least `size` entries; if none comes, returns the
        current one.

        :raises NotPublishedError: there is none yet.
        """
        ...


class Publications(Protocol):
    """Where the published checkpoint is stored."""

    async def latest(self) -> Publication | None: ...

    async def keep(self, publication: Publication) -> bool:
        """Make it the published one; false if the published one has a larger tree, or another tree
        of the same size."""
        ...


class Witness(Protocol):
    """Another party that cosigns the log; `name` is the policy's."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> VerifierKey: ...

    async def add_checkpoint(self, submission: Submission) -> str:
        """The witness's signature lines, unverified.

        :raises WitnessConflictError:
        :raises WitnessRefusedError:
        :raises WitnessSilentError:
        """
        ...
