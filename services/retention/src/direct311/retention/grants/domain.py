"""What somebody prepares: which sealed data may be opened for a case, by whom, and until when."""

from datetime import datetime
from typing import Final

from direct311.schemas import Model
from direct311.schemas import events as ev
from direct311.schemas.codec import LONGEST_LOGGED, dump

ROOM_FOR_AN_APPROVAL: Final = 11_000
"""In bytes: the longest ID token, the provider's key, and what stands around them."""
ROOM_FOR_THE_REST: Final = 2_000
"""In bytes: what the event of a grant says besides the grant and its approvals."""


class GrantDraft(Model):
    """A grant as somebody asks for it; the case and the person complete it."""

    record_ids: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    fields: tuple[str, ...]
    searches: tuple[ev.GrantedSearch, ...] = ()
    workers: tuple[str, ...]
    valid_until: datetime

    def grant(
        self, *, grant_id: str, case_id: str, kind: ev.DisclosureKind, by: str, at: datetime
    ) -> ev.DisclosureGrant:
        """The grant that the approvers approve: each name once, in the order in which it came."""
        return ev.DisclosureGrant(
            grant_id=grant_id,
            case_id=case_id,
            kind=kind,
            record_ids=tuple(dict.fromkeys(self.record_ids)),
            file_ids=tuple(dict.fromkeys(self.file_ids)),
            fields=tuple(dict.fromkeys(self.fields)),
            searches=self.searches,
            workers=tuple(dict.fromkeys(self.workers)),
            prepared_by=by,
            prepared_at=at,
            valid_until=self.valid_until,
        )


def fits_into_the_log(grant: ev.DisclosureGrant, approvers: int) -> bool:
    """Whether the event of the approved grant will fit into an entry of the log; an owner accepts
    no other."""
    room = LONGEST_LOGGED - ROOM_FOR_THE_REST - approvers * ROOM_FOR_AN_APPROVAL
    return len(dump(grant)) <= room


def same_content(one: ev.DisclosureGrant, other: ev.DisclosureGrant) -> bool:
    """Whether they are the same grant, prepared by the same person, maybe at another time."""
    return one.model_dump(exclude={"prepared_at"}) == other.model_dump(exclude={"prepared_at"})
