"""What the county and the requester write to each other about a case."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from direct311.schemas import Instant, Model, replaced

MESSAGE: Final = "case_message"
"""The sealed field of a message, as the access rules call it."""
MOST_FROM_EACH: Final = 100
"""The most messages that each side may write in one case, so that neither fills it for the
other."""
LONGEST_MESSAGE: Final = 5_000
"""In characters."""

Sender = Literal["staff", "requester"]


class CaseMessage(Model):
    """One message; its text is sealed under the case's key. `written_by`: the subject of the token,
    also where staff wrote down what the requester said; `None` for what the requester sent by the
    case token. `asks`: a question back, which an answer ends."""

    message_id: str
    sender: Sender
    written_by: str | None = None
    at: Instant
    asks: bool = False
    sealed: bytes

    @property
    def sealed_name(self) -> str:
        """What binds its ciphertext to it; the key binds the case."""
        return message_name(self.message_id)


def message_name(message_id: str) -> str:
    """The name under which a message is sealed."""
    return f"{MESSAGE}/{message_id}"


class Notice(Model):
    """A notice under section 119.12, F.S., that the requester will sue."""

    received_at: Instant
    noted_by: str
    noted_at: Instant


class Correspondence(Model):
    """All that was written, oldest first. `acknowledged_at`: when staff told the requester that the
    request has come; a case of the gateway was acknowledged by its receipt."""

    messages: tuple[CaseMessage, ...] = ()
    acknowledged_at: Instant | None = None
    acknowledged_by: str | None = None
    notice: Notice | None = None

    def message(self, message_id: str) -> CaseMessage | None:
        """The message with this id."""
        return next((each for each in self.messages if each.message_id == message_id), None)

    def has_room(self, sender: Sender) -> bool:
        """Whether this side may write one more."""
        return sum(each.sender == sender for each in self.messages) < MOST_FROM_EACH

    @property
    def waits_for_an_answer(self) -> bool:
        """Whether the county's newest question has no answer yet."""
        for each in reversed(self.messages):
            if each.sender == "requester":
                return False
            if each.asks:
                return True
        return False

    def sent_after(self, at: datetime) -> datetime | None:
        """When the requester sent the first message after that time; `None` if there is none."""
        sent = (each.at for each in self.messages if each.sender == "requester")
        return next((each for each in sent if each > at), None)

    def written_after(self, at: datetime) -> bool:
        """Whether the county has written to the requester since then."""
        return any(each.sender == "staff" and each.at >= at for each in self.messages)

    @property
    def sealed_texts(self) -> Mapping[str, bytes]:
        """The ciphertexts by the names under which they were sealed."""
        return {each.sealed_name: each.sealed for each in self.messages}

    def acknowledged(self, by: str, at: datetime) -> "Correspondence":
        """A copy in which the receipt of the request was acknowledged."""
        return replaced(self, acknowledged_by=by, acknowledged_at=at)

    def with_message(self, message: CaseMessage) -> "Correspondence":
        """A copy with one more message."""
        return replaced(self, messages=(*self.messages, message))

    def noticed(self, notice: Notice) -> "Correspondence":
        """A copy with a notice that the requester will sue."""
        return replaced(self, notice=notice)
