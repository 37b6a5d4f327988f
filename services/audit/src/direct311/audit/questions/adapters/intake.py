"""Whose records are whose, according to intake."""

from collections.abc import Mapping, Sequence
from typing import Any

from direct311.audit.questions.ports import Persons
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer

LONGEST_ANSWER = 30.0
"""In seconds. Intake needs some time to find out whose a hundred thousand records are."""

_REFUSALS = {
    401: ("intake_token", "Intake does not accept the token."),
    403: ("intake", "Intake refused the search, and wrote the refusal to the log."),
    422: ("intake_person", "Intake cannot search for this person: check what you gave."),
    429: ("intake_rate", "Intake had too many searches in a short time. Wait a minute."),
}
"""The code and detail for each status of intake's."""
A_MINUTE = 60


class IntakePeople:
    """Implements `People` with intake's blind indexes."""

    def __init__(self, intake: Peer) -> None:
        self._intake = intake

    async def resolve(
        self, person: Mapping[str, str], reference: str, authorization: str
    ) -> Sequence[str]:
        """:raises RefusedError: intake refuses. :raises TransientError: it does not answer."""
        answer = await self._ask("resolve", person, reference, authorization)
        return [str(record_id) for record_id in answer["record_ids"]]

    async def group(self, record_ids: Sequence[str], reference: str, authorization: str) -> Persons:
        """:raises RefusedError: intake refuses. :raises TransientError: it does not answer."""
        question = {"record_ids": list(record_ids)}
        answer = await self._ask("group", question, reference, authorization)
        return Persons(answer["persons"], answer["without_contact"], answer.get("senders", {}))

    async def _ask(
        self, what: str, question: Mapping[str, object], reference: str, authorization: str
    ) -> Any:
        body = {**question, "purpose": "authorised_audit", "reference": reference}
        try:
            return await self._intake.post(
                f"/internal/persons/{what}",
                body,
                on_behalf_of=authorization,
                seconds=LONGEST_ANSWER,
            )
        except HttpError as error:
            if error.status in _REFUSALS:
                code, detail = _REFUSALS[error.status]
                wait = A_MINUTE if error.status == 429 else None
                raise RefusedError(code, detail, retry_after=wait) from None
            raise TransientError("intake does not answer") from None
