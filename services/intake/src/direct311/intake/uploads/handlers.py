"""Files that front ends upload to the store themselves, before a request names them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from direct311.intake.clients.domain.clients import Client
from direct311.intake.lifecycle.ports import Submitted
from direct311.intake.uploads.domain import AnnouncedFile, UploadTicket
from direct311.intake.uploads.ports import Address, Uploads, UploadTickets
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError
from direct311.schemas.events import UploadRef

USABLE_FOR = timedelta(hours=20)
"""How long a request may name an upload. This is less than the media service's
`MEDIA_ABANDONED_AFTER`, so that a file that may still be named has not been swept."""
IN_HAND = timedelta(minutes=1)
"""A claim that is older and has no request comes from a submission that did not finish."""

_Problem = tuple[str, str]
"""The code of what is wrong with a file, and what would be right."""
UNKNOWN = ("unknown_file", "must be a file_id from POST /v1/uploads")
EXPIRED = ("file_expired", "has expired; ask for a new ticket and upload again")
USED = ("file_used", "was used by another request; ask for a new ticket")
NOT_UPLOADED = ("file_not_uploaded", "was not uploaded: PUT its bytes to the ticket's url first")
OTHER_BYTES = ("file_differs", "is not the file that was announced")


class Upload:
    """Gives out tickets, and accepts them back with the submission that names them."""

    def __init__(
        self, uploads: Uploads, tickets: UploadTickets, submitted: Submitted, clock: Clock
    ) -> None:
        self._uploads = uploads
        self._tickets = tickets
        self._submitted = submitted
        self._clock = clock

    async def __call__(
        self, client: Client, files: Sequence[AnnouncedFile]
    ) -> Sequence[tuple[Address, UploadTicket]]:
        """A ticket for each file, for this client.

        :raises TransientError: the media service, the store or the database does not answer.
        """
        now = self._clock.now()
        addresses = await self._uploads.addresses(files)
        found = [
            (
                address,
                UploadTicket(
                    upload_id=address.upload_id,
                    client_id=client.client_id,
                    content_type=file.content_type,
                    size=file.size,
                    sha256=file.sha256,
                    expires_at=address.expires_at,
                    usable_until=now + USABLE_FOR,
                ),
            )
            for address, file in zip(addresses, files, strict=True)
        ]
        await self._tickets.keep([ticket for _, ticket in found])
        return found

    async def take(
        self, upload_ids: Sequence[str], client_id: str | None, claim: str, record_id: str
    ) -> Sequence[UploadRef]:
        """The files that these tickets were for. They now belong to the record `record_id` and to
        no other.

        `client_id`: must have received the tickets. The same `claim` may take the files again; it
        is the submission's idempotency key, or the record's id.
        :raises MalformedError: a ticket is unknown, expired or used, or its bytes never came.
        :raises TransientError: the media service, the store or the database does not answer.
        """
        now = self._clock.now()
        known = await self._tickets.get(upload_ids)
        problems: dict[str, _Problem] = {}
        for upload_id in upload_ids:
            ticket = known.get(upload_id)
            if ticket is None or client_id not in (None, ticket.client_id):
                problems[upload_id] = UNKNOWN
            elif not ticket.usable(now):
                problems[upload_id] = EXPIRED
            elif await self._used(ticket, claim):
                problems[upload_id] = USED
        _raise(upload_ids, problems)
        came = await self._uploads.examine(upload_ids)
        for upload_id in upload_ids:
            ticket = known[upload_id]
            if upload_id not in came:
                problems[upload_id] = NOT_UPLOADED
                continue
            size, sha256 = came[upload_id]
            if size != ticket.size or ticket.sha256 not in (None, sha256):
                problems[upload_id] = OTHER_BYTES
        _raise(upload_ids, problems)
        taken: list[str] = []
        for upload_id in upload_ids:
            if not await self._tickets.claim(upload_id, claim, record_id, now):
                await self._tickets.release(taken, claim)
                _raise(upload_ids, {upload_id: USED})
            taken.append(upload_id)
        return [
            UploadRef(
                upload_id=each,
                size=known[each].size,
                sha256=came[each][1],
                content_type=known[each].content_type,
            )
            for each in upload_ids
        ]

    async def _used(self, ticket: UploadTicket, claim: str) -> bool:
        """Whether another submission has it. A claim whose request was never stored is given
        back."""
        if ticket.claim is None or ticket.claim == claim:
            return False
        begun = ticket.claimed_at
        if begun is None or ticket.record_id is None or self._clock.now() - begun < IN_HAND:
            return True
        # When several tries have the same key, the last one to claim is not always the one that was
        # stored.
        if await self._submitted.by_id(ticket.record_id) is not None:
            return True
        if await self._submitted.by_idempotency(ticket.claim) is not None:
            return True
        await self._tickets.release([ticket.upload_id], ticket.claim)
        return False


def _raise(upload_ids: Sequence[str], problems: Mapping[str, _Problem]) -> None:
    found = []
    for index, upload_id in enumerate(upload_ids):
        if upload_id in problems:
            field, (code, words) = f"file_ids.{index}", problems[upload_id]
            found.append(FieldProblem(field=field, detail=f"{field} {words}", code=code))
    if found:
        raise MalformedError(found)
