"""C2SP tlog-policy: which logs, which witnesses, what quorum, in a file.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<number> <name> ...
    quorum <name>|none

Names refer to witnesses and groups on earlier lines, and mean nothing outside the file. A log that
is changing its key has a line for each key. Source: c2sp.org/tlog-policy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from direct311.verifier.checkpoint import Quorum, Trust
from direct311.verifier.note import Algorithm, NoteError, VerifierKey

NONE = "none"
"""The predefined quorum that requires no cosignature."""


class PolicyError(ValueError):
    """The file is not a policy; the message names the line."""


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness of the policy; `url` is its submission prefix (c2sp.org/tlog-witness)."""

    name: str
    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Policy:
    """The content of a policy file."""

    log_keys: tuple[VerifierKey, ...]
    witnesses: tuple[PolicyWitness, ...]
    quorum: Quorum

    @property
    def trust(self) -> Trust:
        return Trust(self.log_keys, tuple(each.key for each in self.witnesses), self.quorum)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a policy file. Raises `PolicyError`."""
        if any((byte < 0x20 and byte not in b"\t\n") or byte == 0x7F for byte in data):
            raise PolicyError("the policy contains control characters")
        if data and not data.endswith(b"\n"):
            raise PolicyError("the policy's last line has no newline at its end")
        reader = _Reader()
        # Names are opaque octets: bytes that are not UTF-8 stay as they are.
        for number, line in enumerate(data.decode(errors="surrogateescape").split("\n"), 1):
            words = line.replace("\t", " ").split(" ")
            if (words := [word for word in words if word]) and not words[0].startswith("#"):
                try:
                    reader.take(*words)
                except (NoteError, PolicyError) as error:
                    raise PolicyError(f"line {number} of the policy: {error}") from None
        if reader.quorum is None:
            raise PolicyError("the policy has no quorum line")
        return cls(tuple(reader.log_keys), tuple(reader.witnesses), reader.quorum)


class _Reader:
    """Reads a policy's lines in order."""

    def __init__(self) -> None:
        self.log_keys: list[VerifierKey] = []
        self.witnesses: list[PolicyWitness] = []
        self.quorum: Quorum | None = None
        self._names: dict[str, VerifierKey | Quorum] = {}
        self._members: set[str] = set()

    def take(self, *words: str) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._log(vkey)
            case ["witness", name, vkey, *url] if len(url) < 2:
                self._witness(name, vkey, url[0] if url else None)
            case ["group", name, least, *names] if names:
                self._group(name, least, names)
            case ["quorum", name]:
                self._quorum(name)
            case _:
                raise PolicyError("it is not a log, witness, group or quorum line")

    def _log(self, vkey: str) -> None:
        key = VerifierKey.parse(vkey)
        if key.algorithm is not Algorithm.ED25519:
            raise PolicyError("the key is not a log's")
        _refuse_double(key, self.log_keys)
        self.log_keys.append(key)

    def _witness(self, name: str, vkey: str, url: str | None) -> None:
        key = VerifierKey.parse(vkey)
        if key.algorithm is not Algorithm.COSIGNATURE_V1:
            raise PolicyError("the key is not a witness's")
        _refuse_double(key, (each.key for each in self.witnesses))
        self._define(name, key)
        self.witnesses.append(PolicyWitness(name, key, url))

    def _group(self, name: str, least: str, names: Sequence[str]) -> None:
        numbers = {"all": len(names), "any": 1}
        if least not in numbers and not (least.isascii() and least.isdecimal() and len(least) < 9):
            raise PolicyError("a group needs all, any or a number before its members")
        number = numbers[least] if least in numbers else int(least)
        if not 1 <= number <= len(names):
            raise PolicyError("a group's number must be between one and the number of its members")
        members = []
        for each in names:
            if each in self._members:
                raise PolicyError("a member appears in two places")
            members.append(self._named(each))
            self._members.add(each)
        self._define(name, Quorum(name, number, tuple(members)))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise PolicyError("a policy has only one quorum line")
        if name == NONE:
            self.quorum = Quorum()
            return
        rule = self._named(name)
        self.quorum = rule if isinstance(rule, Quorum) else Quorum(name, 1, (rule,))

    def _named(self, name: str) -> VerifierKey | Quorum:
        if name not in self._names:
            raise PolicyError("it names a witness or group that no earlier line defines")
        return self._names[name]

    def _define(self, name: str, what: VerifierKey | Quorum) -> None:
        if name in self._names or name == NONE:
            raise PolicyError("its name is taken")
        self._names[name] = what


def _refuse_double(key: VerifierKey, others: Iterable[VerifierKey]) -> None:
    if any(other.public == key.public for other in others):
        raise PolicyError("the key appears twice")
