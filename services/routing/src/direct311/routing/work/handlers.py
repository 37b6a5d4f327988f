"""A department's update, taken or refused."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from direct311.redaction import redact_reference
from direct311.routing.job import Job
from direct311.routing.work.domain import Refusal
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.text import cleaned
from direct311.schemas import Event, replies_topic
from direct311.schemas import events as ev

CLOCKS_APART = timedelta(hours=1)
"""So far a department's clock may be ahead. A time within it counts as the present."""
LONGEST_BEFORE = timedelta(days=366)
"""So long before a report came its work may have been done."""


def _may_repeat(job: Job, record_id: str) -> bool:
    """Whether a job can be a duplicate of this: an id as ours are written, and not its own."""
    try:
        return str(UUID(record_id)) == record_id != job.record_id
    except ValueError:
        return False


def _number(work_reference: str | None) -> str | None:
    """The number of a department's work as others may see it."""
    return redact_reference(cleaned(work_reference or ""), of_people=True).text or None


async def refuse_unknown(
    refusal: Refusal, event: Event[ev.DepartmentUpdate]
) -> Change[Refusal] | None:
    """The answer to an update of a request that routing does not know; once for each update."""
    if refusal.version:
        return None
    reply = refused(event.data, event.id, "unknown_record", "There is no such request here.")
    return Change(refusal, (reply,))


def refused(update: ev.DepartmentUpdate, update_id: str, code: Any, reason: str) -> Outgoing:
    """The reply that an update was not taken."""
    reply = ev.UpdateRefused(
        record_id=update.record_id,
        update_id=update_id,
        department=update.department,
        code=code,
        reason=reason,
    )
    return Outgoing(reply, topic=replies_topic(update.department))
