"""An alarm as it is kept."""

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import replaced


class Alarm(RecordState):
    """An alarm that was raised; `record_id` is the id of what it is about."""

    kind: str = ""

    def raised(self, kind: str) -> "Alarm":
        """Raised, of this kind."""
        return replaced(self, kind=kind)
