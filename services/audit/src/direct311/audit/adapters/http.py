"""What audit asks of other services."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from direct311.audit.domain import Fetch
from direct311.audit.ports import (
    FetchPage,
    Persons,
    WitnessConflictError,
    WitnessRefusedError,
    WitnessSilentError,
)
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpClient, HttpError, Peer
from direct311.schemas import isoformat
from direct311.verifier.note import VerifierKey
from direct311.verifier.submission import PATH, Submission

LONGEST_ANSWER = 30.0
"""Seconds. Whose a hundred thousand records are takes intake some time."""
LARGEST_LINES = 64 * 1024
"""Bytes that are read of a witness's answer: its lines have a few hundred."""

_REFUSALS = {
    400: "The person was not given as intake needs it.",
    401: "Intake does not accept the token.",
    403: "Intake refuses the search; it was written down there.",
    422: "The person was not given as intake needs it.",
    429: "Intake asks to wait: too many searches in a short time.",
}


class IntakePeople:
    """`People`, by intake's blind indexes."""

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
                raise RefusedError(error.status, "intake", _REFUSALS[error.status]) from None
            raise TransientError("intake does not answer") from None


class PeerFetches:
    """`KeyFetches` of another service, which keeps them itself."""

    def __init__(self, service: str, peer: Peer) -> None:
        self.service = service
        self._peer = peer

    async def after(self, at: datetime) -> FetchPage:
        """:raises TransientError: the service does not answer."""
        try:
            answer: Any = await self._peer.get(
                f"/internal/key-fetches?after={quote(isoformat(at))}"
            )
        except HttpError:
            raise TransientError(f"{self.service} does not tell its key fetches") from None
        fetches = tuple(
            Fetch.model_validate({**fetch, "service": self.service}) for fetch in answer["fetches"]
        )
        return FetchPage(
            fetches, bool(answer.get("complete", True)), tuple(answer.get("producers", ()))
        )

    async def confirm(self, fetches: Sequence[Fetch]) -> None:
        """Nothing: the service keeps its own account."""


class HttpWitness:
    """`Witness`, as c2sp.org/tlog-witness; `url` is its submission prefix."""

    def __init__(self, name: str, key: VerifierKey, url: str, http: HttpClient) -> None:
        self.name = name
        self.key = key
        self._url = f"{url.rstrip('/')}/{PATH}"
        self._http = http

    async def add_checkpoint(self, submission: Submission) -> str:
        try:
            body = str(submission).encode()
            return (await self._http.post_bytes(self._url, body, most=LARGEST_LINES)).decode()
        except HttpError as error:
            # The size in an answer 409 is a number and a newline, which is JSON too.
            size = error.problem
            if error.status == 409 and type(size) is int and 0 <= size < 2**63:
                raise WitnessConflictError(size) from None
            if error.status is None or error.status >= 500:
                raise WitnessSilentError from None
            if error.status < 300:
                return ""
            raise WitnessRefusedError(error.status) from None
        except UnicodeDecodeError:
            return ""
