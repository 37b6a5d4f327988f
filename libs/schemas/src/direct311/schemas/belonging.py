"""Where an event belongs: on which topics it travels, and who may say it.

The broker shows who may write a topic, and nothing else: not who wrote a message, nor that its type
is one of that topic's. So what is not signed is as true as its topic, and an event counts only
where it belongs. Who writes one topic says no more than that topic is for.
"""

from direct311.schemas.codec import Event
from direct311.schemas.model import Model
from direct311.schemas.topics import EventType, routed_topic

DEPARTMENT = "department"
"""The producer that stands for every department."""


_ANY_DEPARTMENT = "/direct311/department"
"""As the published example of an update had it until 2026: it names no service, and no other
department. The topic says which one it was."""


def source(producer: str, department: str = "") -> str:
    """The `ce_source` of a service, or of a department."""
    if producer == DEPARTMENT:
        return f"/department/{department}"
    return f"/direct311/{producer}"


def topics(kind: EventType, department: str = "") -> tuple[str, ...]:
    """Where an event of this kind travels, that names this department or none."""
    own = kind.topic.replace("{department}", department)
    return (own, routed_topic(department)) if kind.copied else (own,)


def misplaced(event: Event[Model], topic: str) -> str | None:
    """Why an event is not to be taken from `topic`; `None` where it belongs there.

    In words that repeat nothing of the event.
    """
    kind = event.kind
    department: str = getattr(event.data, "department", None) or ""
    if topic not in topics(kind, department):
        return "it does not travel on this topic, or names another department than the topic's"
    allowed = {source(producer, department) for producer in kind.producers}
    if DEPARTMENT in kind.producers:
        allowed.add(_ANY_DEPARTMENT)
    if event.source not in allowed:
        return "its source is none that may say it here"
    return None
