"""A mailer that sends nothing."""

from email.message import EmailMessage

from direct311.intake.reporter.ports import UndeliverableError
from direct311.runtime.errors import TransientError


class InMemoryMailer:
    """`Mailer`; remembers what it was given. A relay that is `down` accepts nothing now; one that
    `refuses` never will."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.tried = 0
        self.down = False
        self.refuses = False

    async def send(self, message: EmailMessage) -> None:
        self.tried += 1
        if self.refuses:
            raise UndeliverableError("the mail relay refused the message")
        if self.down:
            raise TransientError("the mail relay did not take the message")
        self.sent.append(message)
