"""Which topic each event travels on, and what its key is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from direct311.schemas import events
from direct311.schemas.claims import SERVICES
from direct311.schemas.model import Model

TYPE_PREFIX = "gov.miamidade.direct311."


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event. `topic` may hold `{department}`; `signed` events are refused unsigned.
    `copied`: the department it names gets a copy on its own topic."""

    name: str
    model: type[Model]
    topic: str
    producers: tuple[str, ...]
    version: int = 1
    signed: bool = False
    copied: bool = False

    @property
    def label(self) -> str:
        """The name, with the version if it is not the first."""
        return self.name if self.version == 1 else f"{self.name}.v{self.version}"

    @property
    def ce_type(self) -> str:
        return f"{TYPE_PREFIX}{self.name}.v{self.version}"

    @property
    def dataschema(self) -> str:
        return f"urn:direct311:schema:{self.name}:v{self.version}"


def _event(
    name: str,
    model: type[Model],
    *producers: str,
    topic: str | None = None,
    version: int = 1,
    signed: bool = False,
    copied: bool = False,
) -> EventType:
    return EventType(name, model, topic or name, producers, version, signed, copied)


HOLDERS = ("intake", "media", "geo", "routing", "retention", "audit")
"""The services that destroy their part of a record when retention orders it. Retention holds case
files only."""

ALL: tuple[EventType, ...] = (
    _event("request.created", events.RequestCreated, "intake"),
    _event("request.updated", events.RequestUpdated, "intake"),
    _event("location.resolved", events.LocationResolved, "geo"),
    _event("media.stored", events.MediaStored, "media"),
    _event("media.rejected", events.MediaRejected, "media"),
    _event("request.routed", events.RequestRouted, "routing", copied=True),
    _event("request.recalled", events.RequestRecalled, "routing", copied=True),
    _event("request.overdue", events.RequestOverdue, "routing", copied=True),
    _event(
        "department.update", events.DepartmentUpdate, "department", topic="updates.{department}"
    ),
    _event("update.accepted", events.UpdateAccepted, "routing", topic="replies.{department}"),
    _event("update.refused", events.UpdateRefused, "routing", topic="replies.{department}"),
    _event("work.updated", events.WorkUpdated, "routing"),
    _event(
        "department.update",
        events.DepartmentUpdateV2,
        "department",
        topic="updates.{department}",
        version=2,
    ),
    _event(
        "update.accepted",
        events.UpdateAcceptedV2,
        "routing",
        topic="replies.{department}",
        version=2,
    ),
    _event(
        "update.refused",
        events.UpdateRefusedV2,
        "routing",
        topic="replies.{department}",
        version=2,
    ),
    _event("work.updated", events.WorkUpdatedV2, "routing", version=2),
    _event("pii.accessed", events.PiiAccessed, *SERVICES, signed=True),
    _event("record.expired", events.RecordExpired, "retention"),
    _event("hold.placed", events.HoldPlaced, "retention", topic="disposition"),
    _event("hold.released", events.HoldReleased, "retention", topic="disposition"),
    _event("disposition.ordered", events.DispositionOrdered, "retention", topic="disposition"),
    _event("record.destroyed", events.RecordDestroyed, *HOLDERS, signed=True),
    _event("act.recorded", events.ActRecorded, "retention", signed=True),
    _event("disposition.certified", events.DispositionCertified, "retention", signed=True),
    _event(
        "disclosure.recorded",
        events.DisclosureRecorded,
        "retention",
        topic="disclosure",
        signed=True,
    ),
    _event(
        "disclosure.approved",
        events.DisclosureApproved,
        "retention",
        topic="disclosure",
        signed=True,
    ),
    _event(
        "disclosure.revoked",
        events.DisclosureRevoked,
        "retention",
        topic="disclosure",
        signed=True,
    ),
    _event(
        "disclosure.released",
        events.DisclosureReleased,
        "retention",
        topic="disclosure",
        signed=True,
    ),
    _event("audit.alarm", events.AuditAlarm, "audit"),
)

BY_NAME: Mapping[str, EventType] = MappingProxyType({kind.name: kind for kind in reversed(ALL)})
"""The first version of each event."""
BY_CE_TYPE: Mapping[str, EventType] = MappingProxyType({kind.ce_type: kind for kind in ALL})
BY_MODEL: Mapping[type[Model], EventType] = MappingProxyType({kind.model: kind for kind in ALL})


def routed_topic(department: str) -> str:
    """The topic one department subscribes to: copies of what routing says about its jobs."""
    return f"routed.{department}"


def updates_topic(department: str) -> str:
    """The topic one department answers on."""
    return f"updates.{department}"


def replies_topic(department: str) -> str:
    """The topic on which routing accepts or refuses a department's updates."""
    return f"replies.{department}"


def dead_letter_topic(service: str) -> str:
    """Where a service names a message it could not handle: topic, partition, offset, kind of
    error."""
    return f"deadletters.{service}"
