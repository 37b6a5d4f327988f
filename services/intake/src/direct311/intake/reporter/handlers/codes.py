"""One-time codes, sent to the e-mail address of a request.

A code opens the request for whoever reads that mailbox, and allows that address to be replaced. The
address that a caller gives is compared with the request's address by its blind index and then
forgotten. No answer, and no difference in the time that it takes, tells whether the two addresses
are the same.
"""

import hmac
import os

from direct311.intake.caller import SELF
from direct311.intake.fields import CONTACT_LIMITS, WORDS, contact_wrong
from direct311.intake.indexes.ports import PersonIndexes
from direct311.intake.lifecycle.ports import Requests
from direct311.intake.reporter.handlers.mail import DIGITS, code_of
from direct311.intake.reporter.ports import Codes
from direct311.intake.request import ServiceRequest
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.links import LinkKeyError, LinkSigner, SignedLink
from direct311.runtime.access.rules import RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.vault.vault import Vault

WRONG_CODE = RefusedError(
    "code",
    "The code is wrong, expired or already used. After five tries, ask for a new one.",
    field="code",
)


class SentCodes:
    """Checks whether somebody has the code that was sent to a request's address."""

    def __init__(self, codes: Codes, clock: Clock, key: bytes) -> None:
        self._codes = codes
        self._clock = clock
        self._key = key

    async def check(self, request: ServiceRequest, code: str) -> str:
        """Count a try. Returns what the code was made from, which is needed to use the code up.

        :raises RefusedError: it is wrong, has expired or was used, or was sent to another address
            than the request now holds.
        """
        given = "".join(code.split())
        nonce = await self._codes.attempt(request.record_id, self._clock.now())
        if nonce is None or len(given) != DIGITS or not given.isascii():
            raise WRONG_CODE
        if not hmac.compare_digest(given, code_of(self._key, request, nonce)):
            raise WRONG_CODE
        return nonce

    async def use_up(self, record_id: str, nonce: str) -> None:
        """:raises RefusedError: somebody else has used it."""
        if not await self._codes.use(record_id, nonce):
            raise WRONG_CODE


class OneTimeCodes:
    """Use cases of reporters who have lost their link, or never had one."""

    def __init__(
        self,
        *,
        requests: Requests,
        codes: Codes,
        sent: SentCodes,
        indexes: PersonIndexes,
        vault: Vault,
        links: LinkSigner,
        clock: Clock,
    ) -> None:
        self._requests = requests
        self._codes = codes
        self._sent = sent
        self._indexes = indexes
        self._vault = vault
        self._links = links
        self._clock = clock

    async def ask(self, record_id: str, email: str, language: str) -> None:
        """Have a code sent if this is the request's address.

        :raises RefusedError: it is no e-mail address, or too many codes were asked for.
        """
        given = email.strip()
        if code := contact_wrong("email", given):
            detail = WORDS[code].format(field="email", most=CONTACT_LIMITS["email"])
            raise MalformedError([FieldProblem(field="email", detail=detail, code=code)])
        now = self._clock.now()
        request = await self._requests.get(record_id)
        if request is None:
            # Whether the request exists is not secret, but whose it is must stay secret.
            return
        hashed = self._indexes.person("email", given)
        same = not set(hashed).isdisjoint(request.indexes.get("email", ()))
        nonce = os.urandom(16).hex()
        again = await self._codes.ask(record_id, now, nonce if same else None, language)
        if again is not None:
            seconds = max(1, int((again - now).total_seconds()))
            raise RefusedError(
                "rate", "Too many codes were requested; try again later.", retry_after=seconds
            )

    async def redeem(self, record_id: str, code: str) -> SignedLink:
        """A signed link in exchange for the code. The id of the event that this writes identifies
        the link's uses in the access log.

        :raises RefusedError: it is wrong, has expired or was used, or the access could not be
            written to the audit log.
        """
        request = await self._requests.get(record_id)
        if request is None:
            raise WRONG_CODE
        nonce = await self._sent.check(request, code)
        access = Access(
            SELF,
            action="disclose",
            purpose="respond",
            operation="POST /v1/requests/{record_id}/codes/redeem",
            record_ids=(record_id,),
            lifecycle=request.status,
            version_seen=request.version,
            recipient="the reporter, by a code sent to the request's e-mail address",
        )
        facts = RecordFacts(record_id, request.assigned_department)
        event_id, _ = await self._vault.authorise(access, facts)
        await self._sent.use_up(record_id, nonce)
        try:
            return self._links.issue(record_id, event_id)
        except LinkKeyError:
            raise RefusedError(
                "link_key",
                "Links cannot be signed until a new key is in force.",
                retry_after=300,
            ) from None
