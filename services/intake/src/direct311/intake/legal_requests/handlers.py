"""The use case of an agency: send a legal process to the case desk."""

import secrets
from collections.abc import Mapping

from direct311.intake.legal_requests.domain import LegalForm, LegalReceipt, LegalRequest
from direct311.intake.legal_requests.ports import LegalDesk
from direct311.intake.records_requests.handlers import AddressLimit
from direct311.intake.records_requests.ports import DeskAwayError
from direct311.intake.retries import checked_key
from direct311.runtime.errors import FieldProblem, MalformedError


class SendLegalRequest:
    """Passes a legal process on, and keeps nothing of it.

    :param limit: that of requests for public records. With one of its own, what is counted in the
        database would say that law enforcement asked.
    """

    def __init__(self, desk: LegalDesk, form: LegalForm, limit: AddressLimit) -> None:
        self._desk = desk
        self._instruments = frozenset(form.instruments)
        self._limit = limit

    async def __call__(
        self,
        address: str,
        instrument: str,
        text: str,
        officer: Mapping[str, str],
        document: str,
        idempotency_key: str | None,
    ) -> LegalReceipt:
        """The receipt.

        :param instrument: a code of the form.
        :param document: the instrument in base64.
        :param idempotency_key: random, as a retry under it is answered like the first call.
        :raises MalformedError: the form has no such instrument, or the key can be guessed.
        :raises RefusedError: the key was used for another request, the address sent too many, or
            the case desk does not answer.
        """
        if instrument not in self._instruments:
            raise MalformedError(
                [
                    FieldProblem(
                        field="instrument",
                        detail="The form has no such kind of instrument.",
                        code="not_a_choice",
                    )
                ]
            )
        key = checked_key(idempotency_key) or secrets.token_hex(32)
        hour = self._limit.take(address)
        request = LegalRequest(key, instrument, text, officer, document)
        try:
            try:
                return await self._desk.submit(request)
            except DeskAwayError as error:
                if not error.unsure:
                    raise
                # The case may be open all the same: under the same key it stays one.
                return await self._desk.submit(request)
        except DeskAwayError as error:
            # Otherwise a lost answer would let an address open cases without limit.
            if not error.unsure:
                self._limit.give_back(address, hour)
            raise
