"""An officer, or an agency's lawyer, sends a legal process through the gateway.

It opens a case like the one that a liaison opens for a letter, and nothing more: what the sender
says about the instrument, the agency and themself is a claim, and the desk calls back the published
number. The sender gets the number of the case, and no token: nobody learns by the gateway what
becomes of the case, or whether there is one.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from direct311.retention.case_file.legal import LegalProcess
from direct311.retention.cases.domain import CaseContact, CaseFile, DocumentKind, PublicReceipt
from direct311.retention.legal_process.domain import SPOKEN
from direct311.retention.legal_process.handlers.desk import LegalDesk
from direct311.retention.legal_process.ports import Opening, Submissions
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError


@dataclass(frozen=True, slots=True)
class LegalRequest:
    """What was sent. `instrument`: as the sender calls it, by a code. `words`: which records are
    asked for. `document`: the instrument as it came, which nobody parses. All but the code is
    sealed."""

    instrument: str
    words: str
    officer: CaseContact
    document: bytes

    def __repr__(self) -> str:
        return "LegalRequest(…)"


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """`repeated`: it was received before."""

    case_id: str
    received_at: datetime
    repeated: bool


class LegalSubmissions:
    """The one thing that an agency does at the gateway."""

    def __init__(self, desk: LegalDesk, opening: Opening, submissions: Submissions) -> None:
        self._desk = desk
        self._opening = opening
        self._submissions = submissions

    async def submit(self, caller: Caller, key: str, request: LegalRequest) -> ReceivedRequest:
        """Open the case, with its instrument, in one write.

        :param caller: the gateway, which passes it on.
        :param key: chosen at random by the sender. The same request under the same key opens one
            case.
        :raises RefusedError: such an instrument is not on paper, or the key was used for another
            request.
        """
        if request.instrument in SPOKEN:
            raise RefusedError("unlisted", "Such a request is not on paper.", field="instrument")
        receipt = _receipt(key, request)
        known = await self._submissions.submitted(receipt.mark)
        if known is None:
            file = await self._opening.open_case(
                caller,
                "law_enforcement",
                request.words,
                request.officer,
                None,
                public_receipt=receipt,
                legal=LegalProcess(claimed=request.instrument),
                documents=((self._kind(request.instrument), request.document),),
            )
        elif known.exists:
            # The call that opened it may have been killed before it reached everybody.
            file = await self._opening.reached(known.record_id)
        else:
            file = known
        return _received(file, receipt, repeated=known is not None)

    def _kind(self, instrument: str) -> DocumentKind:
        """As what the desk looks for it when it calls back."""
        found = self._desk.rules.of(instrument)
        return found.documents[0] if found and found.documents else "instrument"


def _receipt(key: str, request: LegalRequest) -> PublicReceipt:
    sent = json.dumps(
        [
            request.instrument,
            request.words,
            request.officer.model_dump(exclude_none=True),
            sha256(request.document).hexdigest(),
        ],
        ensure_ascii=False,
        sort_keys=True,
    )
    return PublicReceipt(
        mark=sha256(f"legal-request:{key}".encode()).hexdigest(),
        content=hmac.digest(key.encode(), sent.encode(), "sha256").hex(),
        token_hashes=(),
    )


def _received(file: CaseFile, receipt: PublicReceipt, *, repeated: bool) -> ReceivedRequest:
    kept = file.public_receipt
    if kept is None or file.received_at is None or not file.exists:
        raise RefusedError("unknown_case", "There is no such case any more.")
    if not hmac.compare_digest(kept.content, receipt.content):
        raise RefusedError(
            "idempotency_key",
            "This key was used for something else; send a new key.",
            field="idempotency_key",
        )
    return ReceivedRequest(file.record_id, file.received_at, repeated)
