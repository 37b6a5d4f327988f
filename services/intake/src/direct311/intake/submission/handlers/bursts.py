"""Notes who sends many submissions in a short time; nothing is refused for it.

Counts are kept in memory for ten minutes, under a key of this process, without any address or
telephone number. Each copy of the gateway counts separately. A copy can therefore miss a flag, but
it never loses a request.
"""

import hashlib
import hmac
import os
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from direct311.intake.submission.domain.submission import Submission

WINDOW = timedelta(minutes=10)
MOST = 5
"""A sender who sends up to this many submissions within the window is not unusual."""
MOST_SENDERS = 20_000


class Bursts:
    """Counts submissions by sender."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._seen: OrderedDict[bytes, deque[datetime]] = OrderedDict()

    def note(
        self,
        client_id: str,
        submission: Submission,
        indexes: Mapping[str, Sequence[str]],
        at: datetime,
    ) -> bool:
        """Count a submission; returns whether its sender has sent many recently."""
        sender = self._sender(client_id, submission, indexes)
        times = self._seen.setdefault(sender, deque(maxlen=MOST + 1))
        times.append(at)
        self._seen.move_to_end(sender)
        if len(self._seen) > MOST_SENDERS:
            self._seen.popitem(last=False)
        return len(times) > MOST and at - times[0] < WINDOW

    def _sender(
        self, client_id: str, submission: Submission, indexes: Mapping[str, Sequence[str]]
    ) -> bytes:
        """The person, if the submission names one; else the device; else the place (about 100 m
        across) and type."""
        person = next((each for kind in ("phone", "email") for each in indexes.get(kind, ())), None)
        device = submission.contact.get("device_id") or submission.contact.get("account_id")
        place = submission.place
        if person or device:
            who = f"who:{person or device}"
        elif place.latitude is not None and place.longitude is not None:
            who = f"at:{submission.service_code}:{place.latitude:.3f}:{place.longitude:.3f}"
        else:
            who = f"at:{submission.service_code}:{place.address or place.address_id}"
        text = f"{client_id}|{who}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256)[:16]
