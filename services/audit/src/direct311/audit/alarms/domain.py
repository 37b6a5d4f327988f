"""An alarm as it is kept."""

from direct311.runtime.messaging.state import RecordState


class Alarm(RecordState):
    """An alarm that was raised; `record_id` is the id of what it is about."""

    kind: str = ""
