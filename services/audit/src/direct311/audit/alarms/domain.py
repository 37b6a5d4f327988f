"""A stored alarm."""

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import replaced


class Alarm(RecordState):
    """An alarm that was raised; `record_id` is the id of its subject."""

    kind: str = ""

    def raised(self, kind: str) -> "Alarm":
        """A copy that was raised with this kind."""
        return replaced(self, kind=kind)
