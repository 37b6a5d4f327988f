"""The log's keys: one, or two while one replaces another.

A key signs from `since` on and until `until`, both where given. While two are in force every
checkpoint carries both signatures, so that verifiers and witnesses who know only one of them go on,
and have that time to learn the other.

A key that signs no more is still known here by its public half: the checkpoints of its time lie
under lock for years, and are compared with the tree like those of today.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.runtime.errors import RuntimeFaultError, TransientError
from direct311.verifier.note import Signer, VerifierKey


class LogKeyError(RuntimeFaultError):
    """The log's keys cannot be used as they are given."""


class NoLogKeyError(TransientError):
    """No key of the log is in force: nothing is signed until one is."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key with the time in which it signs."""

    signer: Signer
    since: datetime | None = None
    until: datetime | None = None

    def signs_at(self, at: datetime) -> bool:
        started = self.since is None or self.since <= at
        return started and (self.until is None or at < self.until)


class LogKeys:
    """The keys of one log."""

    def __init__(self, keys: Sequence[LogKey], retired: Sequence[VerifierKey] = ()) -> None:
        """`retired`: those that signed before.

        :raises LogKeyError: none signs, two of one public key, or of several logs.
        """
        public = [*(each.signer.key for each in keys), *retired]
        names = {key.name for key in public}
        if not keys or len(names) != 1:
            raise LogKeyError("the log's keys need one name, which is the log's origin")
        if len(set(public)) != len(public):
            raise LogKeyError("a key of the log is given twice")
        self.all = tuple(keys)
        self.retired = tuple(retired)
        (self.origin,) = names

    def ever(self, named: Iterable[VerifierKey] = ()) -> tuple[VerifierKey, ...]:
        """Every key that signs the log or has signed it: those given here, and those that a policy
        names as this log's."""
        own = [*(each.signer.key for each in self.all), *self.retired]
        return tuple(dict.fromkeys([*own, *(key for key in named if key.name == self.origin)]))

    def in_force(self, at: datetime) -> tuple[Signer, ...]:
        """Those that sign at an instant, in the order in which they are given.

        :raises NoLogKeyError: none does.
        """
        signers = tuple(each.signer for each in self.all if each.signs_at(at))
        if not signers:
            raise NoLogKeyError("no key of the log is in force")
        return signers
