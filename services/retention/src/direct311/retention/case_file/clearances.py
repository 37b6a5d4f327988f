"""What a case file keeps of leaks that stopped a build, and of those that counsel cleared.

Places, kinds, counts and hashes alone. No value and no text of the package is here.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

from direct311.schemas import Instant, Model, replaced
from direct311.schemas import events as ev
from direct311.schemas.model import Code

MOST_HITS: Final = 200
"""How many hits of one stopped build a case file keeps."""
MOST_CLEARED: Final = 1_000
"""The most clearances in one case file."""
FORM: Final = "direct311-leak-v1"


class LeakHit(Model):
    """What the leak check found in one entry of a package: all places with values of one kind that
    are withheld of one record, or an entry that cannot be searched.

    `leak_id`: the hash by which it is cleared, empty if it cannot be. `number`: the entry's number
    in the package, from 1. `entry`: its name, unless something was found in the name itself.
    `record_id`: of the record that withholds the value. `places`: how often.
    """

    leak_id: str = ""
    number: int
    entry: str | None = None
    record_id: str | None = None
    kind: str
    places: int

    def identified(self, leak_id: str) -> "LeakHit":
        """A copy with this id."""
        return replaced(self, leak_id=leak_id)


def leak_id(case_id: str, hit: LeakHit, content: str | None, decisions: str | None) -> str:
    """SHA-256 (hex) of what makes a hit the same in the next build: the entry's own name and bytes,
    and the decisions that withhold. If one of them changes, so does this, and the hit has to be
    cleared anew. Nothing in it depends on the value.

    :param content: the SHA-256 of the entry's name and bytes; without it, it cannot be cleared.
    :param decisions: the hash of the decisions by which `record_id` was rendered.
    """
    if content is None:
        return ""
    said = [FORM, case_id, content, hit.record_id, decisions, hit.kind, hit.places]
    return sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


class StoppedBuild(Model):
    """The newest build that leaks stopped. `hits`: the first ones of `leaks`. `prepared_by`:
    everybody who collected for it or built it, since they clear nothing in it."""

    hits: tuple[LeakHit, ...]
    leaks: int
    prepared_by: tuple[str, ...]
    stopped_at: Instant

    def prepared_also_by(self, people: Iterable[str]) -> "StoppedBuild":
        """A copy that these people prepared too."""
        return replaced(self, prepared_by=tuple(dict.fromkeys((*people, *self.prepared_by))))


class Clearance(Model):
    """One hit that somebody cleared: in which role, and for which reason (a code of the case
    rules)."""

    hit: LeakHit
    reason: Code
    role: str
    approval: ev.Approval


class CaseClearances(Model):
    """`stopped`: absent if no build was stopped. `cleared`: oldest first."""

    stopped: StoppedBuild | None = None
    cleared: tuple[Clearance, ...] = ()

    def clearance(self, leak: str) -> Clearance | None:
        """The clearance of the hit with this id."""
        return next((each for each in self.cleared if each.hit.leak_id == leak), None)

    def hit(self, leak: str) -> LeakHit | None:
        """The hit with this id, in the build that was stopped last."""
        hits = self.stopped.hits if self.stopped else ()
        return next((each for each in hits if leak and each.leak_id == leak), None)

    def stopping(self, hits: Iterable[LeakHit]) -> tuple[LeakHit, ...]:
        """Those of these hits that nobody has cleared."""
        cleared = {each.hit.leak_id for each in self.cleared}
        return tuple(each for each in hits if not each.leak_id or each.leak_id not in cleared)

    @property
    def open(self) -> tuple[LeakHit, ...]:
        """The hits of the stopped build that nobody has cleared since."""
        return self.stopping(self.stopped.hits) if self.stopped else ()

    def stopped_by(self, build: StoppedBuild) -> "CaseClearances":
        """A copy in which this build was stopped. Whoever prepared an earlier one that was stopped
        has prepared this one too."""
        before = self.stopped.prepared_by if self.stopped else ()
        return replaced(self, stopped=build.prepared_also_by(before))

    def with_clearance(self, clearance: Clearance) -> "CaseClearances":
        """A copy with one more."""
        return replaced(self, cleared=(*self.cleared, clearance))


def kept(hits: Sequence[LeakHit]) -> tuple[LeakHit, ...]:
    """As many of them as a case file keeps."""
    return tuple(hits[:MOST_HITS])
