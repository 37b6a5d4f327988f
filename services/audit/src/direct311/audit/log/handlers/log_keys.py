"""The log's keys: one, or two while one replaces another.

A key signs from `since` until `until`, if given. While two keys are in force, every checkpoint has
both signatures, so that verifiers and witnesses that know only one key keep working, and have that
time to learn the other.

A retired key is still known here by its public half: its checkpoints stay locked for years, and are
compared with the tree like current ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.runtime.errors import RuntimeFaultError, TransientError
from direct311.verifier.note import Signer, VerifierKey


class LogKeyError(RuntimeFaultError):
    """The given keys of the log cannot be used."""


class NoLogKeyError(TransientError):
    """No key of the log is in force: nothing is signed until one is."""


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key with its signing period."""

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

        :raises LogKeyError: no key signs, two have the same public key, or they belong to several
        logs.
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
        names for this log."""
        own = [*(each.signer.key for each in self.all), *self.retired]
        return tuple(dict.fromkeys([*own, *(key for key in named if key.name == self.origin)]))

    def in_force(self, at: datetime) -> tuple[Signer, ...]:
        """The keys that sign at an instant, in the given order.

        :raises NoLogKeyError: none does.
        """
        signers = tuple(each.signer for each in self.all if each.signs_at(at))
        if not signers:
            raise NoLogKeyError("no key of the log is in force")
        return signers
