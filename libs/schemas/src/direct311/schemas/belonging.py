"""Where an event belongs: which topics it travels on, and who may publish it.

The broker controls who may write to a topic, and nothing else. It does not show who wrote a
message, or check that the message's type belongs on that topic. So an unsigned event can be trusted
only as far as its topic can, and an event counts only where it belongs. Whoever may write to one
topic may say only what that topic is for.
"""

from functools import lru_cache

from direct311.schemas.codec import Event
from direct311.schemas.model import Model
from direct311.schemas.topics import EventType, routed_topic

DEPARTMENT = "department"
"""The producer name that stands for every department."""

WRONG_TOPIC = "it does not travel on this topic, or it names a department other than the topic's"
WRONG_SOURCE = "its source is none that may say it here"

_ANY_DEPARTMENT = "/direct311/department"
"""The source in the published example of an update until 2026. It names no service and no
particular department; the topic says which department sent the update."""


def source(producer: str, department: str = "") -> str:
    """The `ce_source` of a service, or of a department."""
    if producer == DEPARTMENT:
        return f"/department/{department}"
    return f"/direct311/{producer}"


def topics(kind: EventType, department: str = "") -> tuple[str, ...]:
    """The topics for an event of this kind that names this department, or no department."""
    own = kind.topic.replace("{department}", department)
    return (own, routed_topic(department)) if kind.copied else (own,)


def misplaced(event: Event[Model], topic: str) -> str | None:
    """Why an event must not be accepted from `topic`; `None` if it belongs there. The reason
    repeats nothing from the event.
    """
    kind = event.kind
    department: str = getattr(event.data, "department", None) or ""
    belongs, allowed = _belonging(kind, department)
    if topic not in belongs:
        return WRONG_TOPIC
    if event.source not in allowed:
        return WRONG_SOURCE
    return None


@lru_cache(maxsize=512)
def _belonging(kind: EventType, department: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """The topics for such an event, and the sources that may publish it."""
    allowed = {source(producer, department) for producer in kind.producers}
    if DEPARTMENT in kind.producers:
        allowed.add(_ANY_DEPARTMENT)
    return topics(kind, department), frozenset(allowed)
