"""What somebody adds to a request through a client: a comment, never the department's status."""

import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from direct311.intake.caller import SELF
from direct311.intake.catalogue.domain.emergency import Emergencies
from direct311.intake.clients.domain.clients import Client
from direct311.intake.request import UPDATES, Note, ServiceRequest, telling, updated
from direct311.intake.retries import done_before
from direct311.intake.updates import Comment
from direct311.redaction import mask_numbers, redact
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.vault.vault import DataKey, Vault

MOST_COMMENTS = 100
"""For one request: its document holds all its comments."""
MOST_OF_A_CLIENT = 50
MOST_AN_HOUR = 10
"""For one client and one request: strangers who write through it leave room for everybody else."""
HOUR = timedelta(hours=1)


class AddComment:
    """The use case behind `POST /servicerequestupdates`."""

    def __init__(
        self,
        *,
        processor: EventProcessor[ServiceRequest],
        vault: Vault,
        emergencies: Emergencies,
        clock: Clock,
        ids: Ids,
        content_key: bytes,
    ) -> None:
        self._processor = processor
        self._vault = vault
        self._emergencies = emergencies
        self._clock = clock
        self._ids = ids
        self._content_key = content_key

    async def __call__(self, comment: Comment, client: Client) -> str:
        """The update's id; the same one if a client sends the same update again under its own id.

        The text is redacted for the history and the department, and sealed under the record's key.
        Sealing into an existing record is an access, which is written down first. Nothing is known
        about the sender, so a reporter who wants messages is always told. Words that suggest danger
        to life flag the request for its department.

        :raises RefusedError: the public cannot see such a request, the client's id was used for
            other content, the request has too many comments, the client sent too many within an
            hour, or the access could not be written to the audit log.
        """
        by = self._hash([client.client_id])
        key_digest = self._hash([client.client_id, comment.key])
        content = self._hash([comment.record_id, comment.said, comment.text, comment.media_urls])
        state = await self._processor.read(comment.record_id)
        if (known := self._taken(state, key_digest, content, by)) is not None:
            return known
        access = Access(
            SELF,
            action="seal",
            purpose="respond",
            operation="POST /open311/v2/servicerequestupdates",
            fields=(UPDATES,),
            record_ids=(comment.record_id,),
            lifecycle=state.status,
            version_seen=state.version,
        )
        facts = RecordFacts(comment.record_id, state.assigned_department)
        update_id = self._ids.new()
        async with self._vault.unlock(access, facts) as data_key:

            async def add(now: ServiceRequest) -> Change[ServiceRequest] | None:
                # It may have changed since it was read.
                if self._taken(now, key_digest, content, by) is not None:
                    return None
                return self._added(now, comment, update_id, (key_digest, content, by), data_key)

            after = await self._processor.change(comment.record_id, self._ids.new(), add)
        return _known(after, key_digest, content) or update_id

    def _added(
        self,
        state: ServiceRequest,
        comment: Comment,
        update_id: str,
        digests: tuple[str, str, str],
        data_key: DataKey,
    ) -> Change[ServiceRequest]:
        now = self._clock.now()
        text, _ = mask_numbers(comment.text)
        note = Note(
            at=now,
            kind="comment",
            text=redact(text).text,
            update_id=update_id,
            said=comment.said,
            mark=digests[0],
            content=digests[1],
            by=digests[2],
        )
        sealed = dict(state.sealed)
        said = {"description": text, "media_url": comment.media_urls}
        if any(said.values()):
            held = _with(state.sealed, UPDATES, update_id, said, data_key)
            sealed[UPDATES] = _seal(UPDATES, held, data_key)
        after = state.commented(note, sealed, urgent=self._emergencies.suspected(text))
        after = telling(state, after, update_id, now, news=True)
        return Change(after, (updated(state, after, "text"),))

    def _taken(self, state: ServiceRequest, key_digest: str, content: str, by: str) -> str | None:
        """The id of the earlier update if this is a repeat; otherwise makes sure that there is room
        for another."""
        if (known := _known(state, key_digest, content)) is not None:
            return known
        own = [note.at for note in state.notes if note.mark and note.by == by]
        if len(own) >= MOST_OF_A_CLIENT:
            raise _too_many(f"service_request_id has {MOST_OF_A_CLIENT} of your updates")
        now = self._clock.now()
        lately = [at for at in own if now - at < HOUR]
        if len(lately) >= MOST_AN_HOUR:
            raise RefusedError(
                "too_often",
                f"service_request_id takes {MOST_AN_HOUR} of your updates in an hour",
                field="service_request_id",
                retry_after=int((lately[-MOST_AN_HOUR] + HOUR - now).total_seconds()) + 1,
            )
        return None

    def _hash(self, content: object) -> str:
        """A keyed hash, because some clients make their ids from e-mail addresses."""
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hmac.digest(self._content_key, text.encode("utf-8", "surrogatepass"), sha256).hex()


def _known(state: ServiceRequest, key_digest: str, content: str) -> str | None:
    """The id of the earlier update if this is a repeat; refuses if the request accepts no more
    updates."""
    if state.version == 0 or state.lifecycle != "active" or not state.number_is_known:
        raise RefusedError(
            "not_found", "service_request_id is not known", field="service_request_id"
        )
    comments = [note for note in state.notes if note.mark]
    found = done_before(
        comments,
        key_digest,
        content,
        field="update_id",
        detail="update_id was used for another update; send a new one.",
    )
    if found is None and len(comments) >= MOST_COMMENTS:
        raise _too_many(f"service_request_id has {MOST_COMMENTS} updates")
    return found.update_id if found is not None else None


def _too_many(what: str) -> RefusedError:
    return RefusedError("too_many", f"{what} and takes no more", field="service_request_id")


def _with(
    sealed: Mapping[str, bytes],
    field: str,
    update_id: str,
    value: Mapping[str, object],
    data_key: DataKey,
) -> dict[str, Any]:
    """The content of a sealed field, with one more update in it."""
    held = json.loads(data_key.open(field, sealed[field])) if field in sealed else {}
    return {**held, update_id: value}


def _seal(field: str, held: Mapping[str, object], data_key: DataKey) -> bytes:
    return data_key.seal(field, json.dumps(held, ensure_ascii=False).encode())
