"""The answer to a message on a department's topic that could not be read or handled."""

from dataclasses import dataclass

from direct311.routing.work.domain import Refusal
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import derived_id, replies_topic
from direct311.schemas import events as ev

_NAMESPACE = "0f0e6e0a-6a0e-5f61-9a39-0d3a52a6f0c1"

NOT_HANDLED = "Routing could not handle the update. An operator can repeat it; nothing is lost."


@dataclass(frozen=True, slots=True)
class Unread:
    """A message that became a dead letter: where it is, the id in its header if that is a UUID, and
    what is wrong. `code` is `malformed`, or `not_handled` if routing could read it."""

    department: str
    partition: int
    offset: int
    update_id: str | None
    code: str
    reason: str
    field: str | None


class AnswerUnread:
    """Answers each such message once."""

    def __init__(self, refusals: EventProcessor[Refusal]) -> None:
        self._refusals = refusals

    async def __call__(self, unread: Unread) -> None:
        """Store the answer, from where it is published."""
        place = f"{unread.department}:{unread.partition}:{unread.offset}"
        cause = derived_id(_NAMESPACE, place)

        async def decide(refusal: Refusal) -> Change[Refusal] | None:
            if refusal.version:
                return None
            reply = ev.UpdateRefusedV2(
                update_id=unread.update_id,
                department=unread.department,
                code=unread.code,
                reason=unread.reason,
                field=unread.field,
                partition=unread.partition,
                offset=unread.offset,
            )
            topic = replies_topic(unread.department)
            subject = unread.update_id or unread.department
            return Change(refusal, (Outgoing(reply, topic=topic, subject=subject),))

        await self._refusals.change(f"unread-{place}", cause, decide)
