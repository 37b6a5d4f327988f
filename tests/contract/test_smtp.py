"""E-mail goes out to a real SMTP server, with STARTTLS and a password, or not at all."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from direct311.intake.reporter.adapters.smtp import SmtpMailer
from direct311.intake.reporter.ports import Mailer, UndeliverableError
from direct311.intake.settings import IntakeSettings
from direct311.runtime.errors import TransientError
from tests.support.mailer import InMemoryMailer

pytestmark = pytest.mark.anyio

USER, PASSWORD = "intake", "relay-password"


@dataclass
class Box:
    """What the server took; what it says to a message, and to its recipient."""

    answer: str = "250 OK"
    recipient: str = "250 OK"
    messages: list[tuple[list[str], bytes]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.messages.append((envelope.rcpt_tos, envelope.content))
        return self.answer


def _password(*words: Any) -> AuthResult:
    given = words[-1]
    good = isinstance(given, LoginPassword) and given == LoginPassword(
        USER.encode(), PASSWORD.encode()
    )
    # Not `handled`: the server itself says no, where otherwise nobody would answer.
    return AuthResult(success=good, handled=good)


@contextmanager
def server(box: Box, tls: ssl.SSLContext | None) -> Iterator[int]:
    options: dict[str, Any] = {}
    if tls is not None:
        options = {
            "tls_context": tls,
            "require_starttls": True,
            "authenticator": _password,
            "auth_required": True,
        }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and its key, as PEM files."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


def settings(port: int, **values: object) -> IntakeSettings:
    given: dict[str, Any] = {
        "environment": "test",
        "port": 1,
        "public_url": "http://127.0.0.1:1",
        "kafka_bootstrap": "none",
        "kafka_username": "none",
        "kafka_password": "none",
        "database_url": "none",
        "database_name": "none",
        "issuer_url": "none",
        "client_id": "none",
        "client_secret": "none",
        "signing_key_file": "none",
        "principals_file": "none",
        "index_keys_file": "none",
        "link_key_file": "none",
        "clients_file": "none",
        "media_url": "none",
        "geo_url": "none",
        "audit_url": "none",
        "retention_url": "none",
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        **values,
    }
    return IntakeSettings(**given)


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"] = "311@county.example"
    made["To"] = "zora@example.org"
    made["Subject"] = "Su código"
    made.set_content("Kòd ou: 12345678\n")
    return made


async def test_a_message_arrives_whole_under_starttls_with_a_password(
    certificate: tuple[Path, Path], tls: ssl.SSLContext
) -> None:
    box = Box()
    with server(box, tls) as port:
        mailer = SmtpMailer(
            settings(
                port,
                smtp_security="starttls",
                smtp_ca_file=certificate[0],
                smtp_username=USER,
                smtp_password=PASSWORD,
            )
        )
        await mailer.send(message())
    ((to, content),) = box.messages
    assert to == ["zora@example.org"]
    assert b"12345678" in content


@pytest.mark.parametrize(
    "values",
    [
        {"smtp_password": "another"},
        {"smtp_username": None, "smtp_password": None},
        {"smtp_ca_file": None},
        {"smtp_security": "none"},
        {"smtp_security": "tls"},
    ],
)
async def test_nothing_goes_out_to_a_relay_that_is_not_as_it_must_be(
    certificate: tuple[Path, Path], tls: ssl.SSLContext, values: dict[str, object]
) -> None:
    right = {
        "smtp_security": "starttls",
        "smtp_ca_file": certificate[0],
        "smtp_username": USER,
        "smtp_password": PASSWORD,
    }
    box = Box()
    with server(box, tls) as port:
        mailer = SmtpMailer(settings(port, **{**right, **values}))
        with pytest.raises(TransientError):
            await mailer.send(message())
    assert box.messages == []


@pytest.mark.parametrize("recipient", [True, False])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("451 later, zora@example.org", TransientError),
        ("530 first say who you are, zora@example.org", TransientError),
        ("550 no zora@example.org here", UndeliverableError),
        ("554 not this to zora@example.org", UndeliverableError),
    ],
)
async def test_a_refusal_is_an_error_that_repeats_nothing(
    answer: str, kind: type[Exception], *, recipient: bool
) -> None:
    box = Box(recipient=answer) if recipient else Box(answer)
    with server(box, None) as port, pytest.raises(kind) as caught:
        await SmtpMailer(settings(port)).send(message())
    assert "zora" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_relay_that_is_not_there_is_an_error_that_passes() -> None:
    with pytest.raises(TransientError):
        await SmtpMailer(settings(9)).send(message())


def test_production_sends_nothing_in_clear() -> None:
    with pytest.raises(ValidationError, match="starttls or tls"):
        settings(25, environment="production")
    assert "relay-password" not in repr(settings(25, smtp_password=PASSWORD))


class Relay(Protocol):
    """A mail relay, as a mailer meets it."""

    @property
    def mailer(self) -> Mailer: ...

    def answers(self, what: Literal["takes", "refuses", "is down"]) -> None: ...

    def took(self) -> int:
        """How many messages it has."""
        ...


class RelayInMemory:
    def __init__(self) -> None:
        self.mailer = self._mailer = InMemoryMailer()

    def answers(self, what: Literal["takes", "refuses", "is down"]) -> None:
        self._mailer.refuses, self._mailer.down = what == "refuses", what == "is down"

    def took(self) -> int:
        return len(self._mailer.sent)


class RelayOverSmtp:
    def __init__(self, box: Box, port: int) -> None:
        self._box = box
        self.mailer = SmtpMailer(settings(port))

    def answers(self, what: Literal["takes", "refuses", "is down"]) -> None:
        said = {"takes": "250 OK", "refuses": "550 no such mailbox", "is down": "451 later"}
        self._box.recipient = said[what]

    def took(self) -> int:
        return len(self._box.messages)


@pytest.fixture(params=["memory", "smtp"])
def relay(request: pytest.FixtureRequest) -> Iterator[Relay]:
    if request.param == "memory":
        yield RelayInMemory()
        return
    box = Box()
    with server(box, None) as port:
        yield RelayOverSmtp(box, port)


async def test_a_mailer_says_whether_the_message_was_taken_will_be_or_never(relay: Relay) -> None:
    relay.answers("is down")
    with pytest.raises(TransientError):
        await relay.mailer.send(message())
    relay.answers("refuses")
    with pytest.raises(UndeliverableError):
        await relay.mailer.send(message())
    assert relay.took() == 0
    relay.answers("takes")
    await relay.mailer.send(message())
    assert relay.took() == 1
