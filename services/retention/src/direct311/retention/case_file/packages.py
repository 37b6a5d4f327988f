"""What a case file keeps of what was collected and packaged for it.

Numbers, codes, hashes and times alone. What was collected, and the packages, are sealed in the
store.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

from direct311.schemas import Instant, Model, replaced
from direct311.schemas import events as ev

PACKAGE: Final = "case_package"
"""The sealed field of what was collected for a case, and of its packages."""
MOST_PARTS: Final = 10_000
"""The most records that are collected for one case."""
MOST_PACKAGES: Final = 100
"""The most packages in one case file."""
MOST_RECALLED: Final = 10_000
"""How many records of recalled packages a case file remembers, so that it fits into its document.
A recall is never refused for it: it forgets the oldest."""
PackageState = Literal["built", "approved", "released", "replaced"]


def build_name(build: str) -> str:
    """Under which name the pieces of a package are sealed. Its hash is not known before."""
    return f"{PACKAGE}/build/{build}"


class WithheldOfFile(Model):
    """A file of which something does not go out. `decisions`: SHA-256 (hex) of the decision.
    `whole`: nothing of it goes out."""

    media_id: str
    decisions: str
    whole: bool


class CollectedPart(Model):
    """What the owners answered about one record, sealed in the store.

    `version`: the record's. `decisions`: SHA-256 (hex) of the decisions by which it was rendered.
    `sha256`, `size`: of what was sealed. `withheld`: how many items are withheld, the newest one
    `decided_at`. `files`, `files_size`: how many of its files go out, and their bytes.
    `withheld_files`: those of which something is withheld. `released_in`: the package (SHA-256,
    hex) in which it went out.
    """

    record_id: str
    version: int
    decisions: str
    sha256: str
    size: int
    withheld: int
    files: int = 0
    files_size: int = 0
    withheld_files: tuple[WithheldOfFile, ...] = ()
    decided_at: Instant | None = None
    collected_by: str
    collected_at: Instant
    released_in: str | None = None

    @property
    def sealed_name(self) -> str:
        """What binds its ciphertext to it; the key binds the case."""
        return f"{PACKAGE}/part/{self.sha256}"

    def is_as(self, other: "CollectedPart") -> bool:
        """Whether the owners answered the same."""
        return (self.version, self.decisions, self.sha256) == (
            other.version,
            other.decisions,
            other.sha256,
        )

    def released(self, package: str) -> "CollectedPart":
        """A copy that went out in this package."""
        return replaced(self, released_in=package)


class PackageApproval(Model):
    """One person's approval of a package, and in which role it was given."""

    role: str
    approval: ev.Approval


class BuiltPackage(Model):
    """A package, from its building on. `sha256` (hex) and `size` are those of its bytes; that hash
    is what others approve. `built_from`: the version of the case that the person who built it had
    seen. `partial`: not everything was collected yet. `records`, `withheld`: how many records it
    has, and how many items are withheld in them. `cleared`: how many leaks were found in it that
    somebody had cleared. `build`: under which id its pieces are sealed; `None` for one that was
    sealed as a whole, under its hash."""

    sha256: str
    size: int
    built_by: str
    built_at: Instant
    built_from: int
    partial: bool
    records: int
    withheld: int
    cleared: int = 0
    build: str | None = None
    approvals: tuple[PackageApproval, ...] = ()
    recalled_by: str | None = None
    recalled_at: Instant | None = None
    released_by: str | None = None
    released_at: Instant | None = None

    @property
    def sealed_name(self) -> str:
        """What binds its ciphertext to it; the key binds the case."""
        if self.build is not None:
            return build_name(self.build)
        return f"{PACKAGE}/package/{self.sha256}"

    @property
    def counts(self) -> dict[str, int]:
        """What the steps about it say."""
        cleared = {"cleared": self.cleared} if self.cleared else {}
        return {"records": self.records, "withheld": self.withheld, **cleared}

    @property
    def acts(self) -> Iterable[datetime]:
        """When somebody did something about it."""
        yield self.built_at
        yield from (each.approval.approved_at for each in self.approvals)
        if self.recalled_at is not None:
            yield self.recalled_at
        if self.released_at is not None:
            yield self.released_at

    def needed(self, releasers: Sequence[str], exemption_releasers: Sequence[str]) -> list[str]:
        """The roles in which somebody must approve it."""
        asserted = self.withheld or self.cleared
        roles = [*releasers, *(exemption_releasers if asserted else ())]
        return list(dict.fromkeys(roles))

    def recalled(self, by: str, at: datetime) -> "BuiltPackage":
        """A copy that the county takes back."""
        return replaced(self, recalled_by=by, recalled_at=at)

    def missing(self, needed: Collection[str]) -> tuple[str, ...]:
        """The roles, of those needed, in which nobody has approved it yet."""
        given = {each.role for each in self.approvals}
        return tuple(role for role in needed if role not in given)

    def approved_by(self, approval: PackageApproval) -> "BuiltPackage":
        """A copy with one more approval."""
        return replaced(self, approvals=(*self.approvals, approval))

    def released(self, by: str, at: datetime) -> "BuiltPackage":
        """A copy that went out."""
        return replaced(self, released_by=by, released_at=at)


class PinnedProof(Model):
    """The audit log's proof of the case's entries, as it goes into every build of the same records
    with the same decisions. `of`: the SHA-256 (hex) of these; `sha256`, `size`: of the proof.
    `pinned_from`: the version of the case that it was pinned in."""

    of: str
    sha256: str
    size: int
    pinned_from: int

    @property
    def sealed_name(self) -> str:
        """What binds its ciphertext to it; the key binds the case."""
        return f"{PACKAGE}/proof/{self.sha256}"


class CasePackages(Model):
    """All that was collected and packaged for a case. `parts`: one for each record, by its id.
    `recalled_parts`: those of recalled packages in which something is withheld, oldest first.
    `packages`: oldest first; only the newest can be approved and released. `proof`: what is pinned
    for the newest build."""

    parts: tuple[CollectedPart, ...] = ()
    recalled_parts: tuple[CollectedPart, ...] = ()
    packages: tuple[BuiltPackage, ...] = ()
    proof: PinnedProof | None = None

    def part(self, record_id: str) -> CollectedPart | None:
        """What was collected of this record."""
        return next((each for each in self.parts if each.record_id == record_id), None)

    @property
    def pending(self) -> tuple[CollectedPart, ...]:
        """What was collected and has not gone out."""
        return tuple(each for each in self.parts if each.released_in is None)

    @property
    def went_out_in(self) -> dict[str, str]:
        """The records that went out, each with the package (SHA-256, hex) that it was in."""
        return {each.record_id: each.released_in for each in self.parts if each.released_in}

    @property
    def newest(self) -> BuiltPackage | None:
        """The newest package, unless it went out."""
        last = self.packages[-1] if self.packages else None
        return last if last is not None and last.released_at is None else None

    @property
    def released(self) -> tuple[BuiltPackage, ...]:
        """What went out, oldest first."""
        return tuple(each for each in self.packages if each.released_at is not None)

    @property
    def objects(self) -> int:
        """How many sealed objects there are at least."""
        files = sum(each.files for each in self.parts)
        return len(self.parts) + files + len(self.packages) + (self.proof is not None)

    @property
    def size(self) -> int:
        """The bytes of these, before they were sealed."""
        parts = sum(each.size + each.files_size for each in self.parts)
        packages = sum(each.size for each in self.packages)
        return parts + packages + (self.proof.size if self.proof else 0)

    @property
    def acts(self) -> Iterable[datetime]:
        """When somebody did something about it."""
        yield from (each.collected_at for each in self.parts)
        for package in self.packages:
            yield from package.acts

    def package(self, sha256: str) -> BuiltPackage | None:
        """The package with this hash; if there are two, the newer one."""
        found = (each for each in reversed(self.packages) if each.sha256 == sha256)
        return next(found, None)

    def recalled(self, package: BuiltPackage) -> "CasePackages":
        """A copy in which this package is recalled. Its records count as not collected. What was
        withheld in them stays known."""
        packages = tuple(
            package
            if (each.sha256, each.released_at) == (package.sha256, package.released_at)
            else each
            for each in self.packages
        )
        parts = tuple(each for each in self.parts if each.released_in != package.sha256)
        gone = (each for each in self.parts if each.released_in == package.sha256)
        recalled = (*self.recalled_parts, *(each for each in gone if each.withheld))
        return replaced(
            self, packages=packages, parts=parts, recalled_parts=recalled[-MOST_RECALLED:]
        )

    def remaining(self, record_ids: Iterable[str]) -> tuple[str, ...]:
        """Those of these records that were not collected."""
        known = {each.record_id for each in self.parts}
        return tuple(each for each in record_ids if each not in known)

    def collected(self, fresh: Iterable[CollectedPart]) -> "CasePackages":
        """A copy with these parts. What went out stays as it went out."""
        parts = {each.record_id: each for each in self.parts}
        for each in fresh:
            known = parts.get(each.record_id)
            if known is None or not (known.released_in or known.is_as(each)):
                parts[each.record_id] = each
        return replaced(self, parts=tuple(parts[each] for each in sorted(parts)))

    def without_pending(self) -> "CasePackages":
        """A copy without what was collected and has not gone out."""
        kept = tuple(each for each in self.parts if each.released_in is not None)
        return replaced(self, parts=kept)

    def proved_by(self, proof: PinnedProof) -> "CasePackages":
        """A copy in which this proof is pinned."""
        return replaced(self, proof=proof)

    def seen(self, version: int, now: int) -> int:
        """The version of the case that somebody has seen who has seen this one. A pinned proof is
        no change for whoever builds from before it.

        :param now: the version that the case has.
        """
        pinned = self.proof is not None and self.proof.pinned_from == version
        return now if pinned and now == version + 1 else version

    def with_package(self, package: BuiltPackage) -> "CasePackages":
        """A copy with this package as the newest."""
        return replaced(self, packages=(*self.packages, package))

    def with_newest(self, package: BuiltPackage) -> "CasePackages":
        """A copy in which the newest package is as given."""
        return replaced(self, packages=(*self.packages[:-1], package))

    def went_out(self, package: BuiltPackage) -> "CasePackages":
        """A copy in which the newest package, as given, went out with all that was pending."""
        parts = tuple(
            each.released(package.sha256) if each.released_in is None else each
            for each in self.parts
        )
        return replaced(self, packages=(*self.packages[:-1], package), parts=parts)
