"""Records whose disposition was certified."""

from typing import Final, get_args

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant
from direct311.schemas import events as ev

ANSWERING: Final = frozenset(get_args(ev.Holder)) - {"audit"}
"""The holders whose receipts stand behind every certificate; audit is last."""


class AuditedRecord(RecordState):
    """A record whose disposition was certified, or that is held.

    `destroy_at` is when audit destroys its own part: last, when the broker has forgotten too.
    """

    destroy_at: Instant | None = None
