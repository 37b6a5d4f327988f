"""E-mail by SMTP: the only module that knows the client library."""

import ssl
from email.message import EmailMessage

import aiosmtplib

from direct311.intake.reporter.ports import UndeliverableError
from direct311.intake.settings import IntakeSettings
from direct311.runtime.errors import TransientError

SECONDS = 20.0
_FINAL = range(550, 560)
"""Replies about a recipient or a message; other 5yz replies are about our own commands and
rights."""


class SmtpMailer:
    """`Mailer` through one relay, with STARTTLS (RFC 3207), with TLS from the start, or, only for
    development, without encryption. The relay's certificate is checked."""

    def __init__(self, settings: IntakeSettings) -> None:
        if settings.smtp_host is None:
            raise ValueError("no relay is set")
        self._host = settings.smtp_host
        self._port = settings.smtp_port
        self._security = settings.smtp_security
        self._username = settings.smtp_username or None
        password = settings.smtp_password
        self._password = password.get_secret_value() if password else None
        self._tls = ssl.create_default_context(cafile=settings.smtp_ca_file)

    async def send(self, message: EmailMessage) -> None:
        try:
            await aiosmtplib.send(
                message,
                hostname=self._host,
                port=self._port,
                use_tls=self._security == "tls",
                start_tls=self._security == "starttls",
                tls_context=None if self._security == "none" else self._tls,
                username=self._username,
                password=self._password,
                timeout=SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # The relay's own text may contain the address.
            if _is_final(error):
                raise UndeliverableError("the mail relay refused the message") from None
            raise TransientError("the mail relay did not take the message") from None


def _is_final(error: Exception) -> bool:
    """Whether the recipient or the message was refused for good (RFC 5321, section 4.2.3; RFC
    7504)."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(each.code in _FINAL for each in error.recipients)
    return isinstance(error, aiosmtplib.SMTPDataError) and error.code in _FINAL
