"""A message about a case. Its text is passed on and kept nowhere here, so it is in no
representation."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """What the requester sends. `key`: random, so that a repeat is written once."""

    key: str
    text: str

    def __repr__(self) -> str:
        return "OwnMessage(…)"


@dataclass(frozen=True, slots=True)
class MessageReceipt:
    """A message that the case desk has. `repeated`: it was written before."""

    case_id: str
    message_id: str
    at: datetime
    repeated: bool


@dataclass(frozen=True, slots=True)
class CaseMessage:
    """A message of either side. `asks`: a question of the county's."""

    message_id: str
    sender: str
    at: datetime
    asks: bool
    text: str

    def __repr__(self) -> str:
        return f"CaseMessage({self.message_id})"


@dataclass(frozen=True, slots=True)
class CaseMessages:
    """All messages of a case, oldest first."""

    case_id: str
    messages: tuple[CaseMessage, ...]
