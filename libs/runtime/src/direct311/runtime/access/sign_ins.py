"""Sign-ins and failed sign-ins as events of the access log.

The identity provider checks passwords; what a service sees is a token. The first use of a person's
token in this process is a sign-in. Calls without a valid token are counted by minute and source, so
that somebody who tries a million tokens makes one event per minute. Neither is an access to
personal information: both are written shortly afterwards, and a killed process loses those it had
not yet written.
"""

import hashlib
import hmac
import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from ipaddress import ip_address, ip_network

from direct311.runtime.access.ledger import Access, Ledger
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.clock import Clock

MOST_SESSIONS = 10_000
MOST_SOURCES = 1_000
"""The most sources counted separately in one minute; the rest are counted together."""

_MINUTE = timedelta(minutes=1)


class Sources:
    """Keyed hashes of network addresses, under a key that lives for a day and is never stored."""

    def __init__(self, clock: Clock, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random = random
        self._key = random(32)
        self._day = clock.now().date()

    def adopt(self, key: bytes, day: date) -> None:
        """Use a given key for this day, which others have too."""
        self._key, self._day = key, day

    def name(self, address: str | None) -> str | None:
        """16 hex digits that stand for the address until midnight UTC; `None` for no address. All
        addresses of a 64-bit IPv6 network count as one, because one user has them all."""
        if not address:
            return None
        address = network_of(address)
        today = self._clock.now().date()
        if today != self._day:
            self._key, self._day = self._random(32), today
        return hmac.digest(self._key, address.encode(), hashlib.sha256).hex()[:16]


class SignIns:
    """Collects sign-ins, and writes them when `flush` is called, every few seconds."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.sources = Sources(clock)
        self._ledger = ledger
        self._clock = clock
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._sessions: list[tuple[Caller, datetime]] = []
        self._failures: Counter[tuple[datetime, str | None]] = Counter()

    def came(self, caller: Caller) -> None:
        """Note a valid token. Services sign in all the time, and are not noted."""
        token = caller.token_id
        if token is None or caller.authentication != "oidc":
            return
        known = token in self._seen
        self._seen[token] = None
        self._seen.move_to_end(token)
        if not known:
            self._sessions.append((caller, self._clock.now()))
        while len(self._seen) > MOST_SESSIONS:
            self._seen.popitem(last=False)

    def failed(self, source: str | None) -> None:
        """Note a call without a token that is valid here."""
        minute = self._clock.now().replace(second=0, microsecond=0)
        if (minute, source) not in self._failures and len(self._failures) >= MOST_SOURCES:
            source = None
        self._failures[minute, source] += 1

    async def flush(self, *, ending: bool = False) -> None:
        """Write what is new, and the counts of past minutes; if `ending`, of the current one too.

        :raises AuditUnavailableError: not now; nothing is forgotten.
        """
        while self._sessions:
            caller, at = self._sessions[0]
            await self._ledger.write(_access(caller, at), _decision(True), "success")
            self._sessions.pop(0)
        over = self._clock.now() - (timedelta() if ending else _MINUTE)
        for minute, source in sorted(
            (key for key in self._failures if key[0] <= over), key=lambda key: key[0]
        ):
            nobody = Caller("unknown", authentication="none", address=source)
            count = self._failures[minute, source]
            await self._ledger.write(_access(nobody, minute, count), _decision(False), "denied")
            del self._failures[minute, source]


def network_of(address: str) -> str:
    """What counts as one caller: an IPv4 address, or an IPv6 address's 64-bit network."""
    if ":" not in address:
        return address
    try:
        at = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if at.version == 6 and at.ipv4_mapped is not None:
        return str(at.ipv4_mapped)
    return str(ip_network((at, 64), strict=False)) if at.version == 6 else address


def _access(caller: Caller, at: datetime, count: int = 1) -> Access:
    return Access(
        caller,
        action="sign_in",
        purpose=None,
        operation="sign-in",
        result_count=count,
        count=count if count > 1 else None,
        occurred_at=at,
    )


def _decision(allowed: bool) -> Decision:
    return Decision(
        allowed=allowed,
        rule_id="token" if allowed else "refused:token",
        needed="" if allowed else "A valid token.",
        fields=(),
        obligations=(),
        policy_hash="",
        legal_basis=None,
    )
