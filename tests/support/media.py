"""The media service's stores in memory, and a way to kill what uses them at any step."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.media.decisions import Box
from direct311.media.lifecycle import consumers as lifecycle_events
from direct311.media.lifecycle.handlers import DestroyMedia, Sweep
from direct311.media.pictures import Limits
from direct311.media.record import CleanCopy, RecordMedia
from direct311.media.review.adapters import render_worker, rendering
from direct311.media.review.adapters.rendering import RenderLimits
from direct311.media.review.domain import Burnt, FileFingerprints, Look, PageImage
from direct311.media.review.ports import UnrenderableError
from direct311.media.uploads.adapters.pictures import examine
from direct311.media.uploads.adapters.seals import VaultSeals
from direct311.media.uploads.consumers import handlers, taking
from direct311.media.uploads.domain import Verdict
from direct311.media.uploads.handlers import TakeUploads
from direct311.runtime.disposition import Destroyer
from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.records import Entry, Stored, Write
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.keys import FileKeyProvider
from direct311.runtime.vault.vault import RecordKey
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from direct311.schemas.topics import BY_MODEL
from tests.support.access_log import InMemoryAccessLog
from tests.support.keys import InMemoryKeys
from tests.support.memory import InMemoryRecords
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest

START = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
PUBLIC_URL = "https://media.example/direct311-public"


class KilledError(BaseException):
    """The process died here. Not an `Exception`, so that nothing can handle it."""


class Fate:
    """Counts steps that touch the outside world, and kills the process at one of them."""

    def __init__(self) -> None:
        self.points = 0
        self.kill_at: int | None = None

    def point(self) -> None:
        self.points += 1
        if self.points == self.kill_at:
            raise KilledError


class InMemoryIncoming:
    def __init__(self, fate: Fate, clock: SetClock) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self._fate = fate
        self._clock = clock

    def bring(self, upload_id: str, data: bytes) -> None:
        self.objects[upload_id] = (data, self._clock.now())

    async def ticket(
        self, upload_id: str, expires: timedelta, content_type: str, size: int
    ) -> tuple[str, Mapping[str, str]]:
        url = f"https://incoming.example/{upload_id}?expires={int(expires.total_seconds())}"
        return url, {"Content-Type": content_type, "If-None-Match": "*"}

    async def fetch(self, upload_id: str) -> bytes | None:
        self._fate.point()
        found = self.objects.get(upload_id)
        return found[0] if found else None

    async def discard(self, upload_id: str) -> None:
        self._fate.point()
        self.objects.pop(upload_id, None)
        self._fate.point()

    async def waiting(self) -> Sequence[tuple[str, datetime]]:
        return [(name, at) for name, (_, at) in self.objects.items()]


class InMemoryOriginals:
    def __init__(self, fate: Fate, clock: SetClock) -> None:
        self.versions: dict[tuple[str, str], list[tuple[bytes, datetime]]] = {}
        self._fate = fate
        self._clock = clock

    async def put(self, record_id: str, media_id: str, sealed: bytes) -> None:
        self._fate.point()
        self.versions.setdefault((record_id, media_id), []).append((sealed, self._clock.now()))
        self._fate.point()

    async def get(self, record_id: str, media_id: str) -> bytes:
        try:
            return self.versions[record_id, media_id][-1][0]
        except KeyError:
            raise MissingObjectError("no such object") from None

    async def of_record(self, record_id: str) -> Sequence[str]:
        self._fate.point()
        return [media_id for record, media_id in self.versions if record == record_id]

    async def remove_all(self, record_id: str) -> tuple[int, int]:
        self._fate.point()
        gone = [key for key in self.versions if key[0] == record_id]
        removed = [version for key in gone for version in self.versions.pop(key)]
        self._fate.point()
        return len(removed), sum(len(sealed) for sealed, _ in removed)

    async def records_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        return sorted(
            {
                record_id
                for (record_id, _), versions in self.versions.items()
                if hashlib.sha256(record_id.encode()).digest()[0] == shard
                and versions[-1][1] < older_than
            }
        )


class InMemoryCopies:
    def __init__(self, fate: Fate, clock: SetClock) -> None:
        self.objects: dict[str, tuple[CleanCopy, datetime]] = {}
        self._fate = fate
        self._clock = clock

    async def put(self, name: str, copy: CleanCopy) -> None:
        self._fate.point()
        self.objects[name] = (copy, self._clock.now())
        self._fate.point()

    async def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._fate.point()
            self.objects.pop(name, None)
        self._fate.point()

    async def names_of_shard(self, shard: int, older_than: datetime) -> Sequence[str]:
        return [
            name
            for name, (_, at) in self.objects.items()
            if name.startswith(f"{shard:02x}") and at < older_than
        ]


class FixedTokens:
    async def token(self, record_id: str, media_id: str) -> str:
        about = f"{record_id}\0{media_id}".encode()
        return hmac.new(b"secret", about, hashlib.sha256).hexdigest()[:40]


class DirectCleaner:
    """Examines in this process; counts how often."""

    def __init__(self, fate: Fate) -> None:
        self.calls = 0
        self._fate = fate

    async def clean(self, data: bytes, declared: str) -> Verdict:
        self._fate.point()
        self.calls += 1
        return examine(data, declared, Limits())


class FragileRecords(InMemoryRecords[RecordMedia]):
    """Records whose writer may die before or after the write."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    async def load(self, record_ids: Sequence[str]) -> Mapping[str, Stored[RecordMedia]]:
        self._fate.point()
        return await super().load(record_ids)

    async def commit(self, writes: Sequence[Write[RecordMedia]]) -> set[str]:
        self._fate.point()
        conflicts = await super().commit(writes)
        self._fate.point()
        return conflicts


class FragileKeys(InMemoryKeys):
    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    async def insert(self, keys: Sequence[RecordKey]) -> set[str]:
        self._fate.point()
        known = await super().insert(keys)
        self._fate.point()
        return known

    async def destroy(self, record_id: str) -> bool:
        self._fate.point()
        gone = await super().destroy(record_id)
        self._fate.point()
        return gone


class InMemoryHoldings:
    def __init__(self, records: InMemoryRecords[RecordMedia]) -> None:
        self._records = records

    async def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        states = [state for state in self._records.states() if state.lifecycle == "active"]
        known = {file.media_id for state in states for file in state.files}
        return known & set(upload_ids)

    async def named_copies(self, names: Sequence[str]) -> set[str]:
        named = {
            f.public.name
            for s in self._records.states()
            for f in s.files
            if f.public and s.lifecycle == "active"
        }
        return named & set(names)

    async def living_records(self, record_ids: Sequence[str]) -> set[str]:
        living = {s.record_id for s in self._records.states() if s.lifecycle != "destroyed"}
        return living & set(record_ids)


class InMemoryFilesById:
    def __init__(self, records: InMemoryRecords[RecordMedia]) -> None:
        self._records = records

    async def record_of(self, media_id: str) -> str | None:
        for state in self._records.states():
            known = {file.media_id for file in state.files}
            if state.lifecycle == "active" and media_id in known:
                return state.record_id
        return None


class DirectRenderer:
    """Renders in this process; remembers what was asked of it."""

    def __init__(self, limits: RenderLimits | None = None) -> None:
        self.limits = limits or RenderLimits()
        self.asked: list[str] = []

    async def look(self, data: bytes, content_type: str) -> Look:
        self.asked.append("look")
        try:
            return rendering.look(data, content_type, self.limits)
        except UnrenderableError as error:
            return Look(unrenderable=error.reason)

    async def page(self, data: bytes, content_type: str, number: int) -> PageImage:
        self.asked.append("page")
        return rendering.page(data, content_type, number, self.limits)

    async def burn(self, data: bytes, content_type: str, boxes: Sequence[Box]) -> Burnt:
        self.asked.append("burn")
        return rendering.burn(data, content_type, boxes, self.limits)

    async def fingerprint(
        self, data: bytes, content_type: str, record_id: str, boxes: Sequence[Box], key: bytes
    ) -> FileFingerprints:
        self.asked.append("fingerprint")
        head = {"do": "fingerprint", "content_type": content_type, "record_id": record_id}
        told = [box.model_dump(mode="json") for box in boxes]
        _, body = render_worker.answer({**head, "boxes": told, "key": key.hex()}, data, self.limits)
        return FileFingerprints.model_validate_json(body)


class FragileAccessLog(InMemoryAccessLog):
    """An access log whose writer may die before or after the write."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    async def publish_one(self, entry: Entry, seconds: float) -> None:
        self._fate.point()
        await super().publish_one(entry, seconds)
        self._fate.point()


def _seed(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@dataclass
class MediaStores:
    """What survives a crash: buckets, documents, keys, the access log."""

    fate: Fate = field(default_factory=Fate)
    clock: SetClock = field(default_factory=lambda: SetClock(START))

    def __post_init__(self) -> None:
        self.incoming = InMemoryIncoming(self.fate, self.clock)
        self.originals = InMemoryOriginals(self.fate, self.clock)
        self.copies = InMemoryCopies(self.fate, self.clock)
        self.records = FragileRecords(self.fate)
        self.keys = FragileKeys(self.fate)
        self.access_log = FragileAccessLog(self.fate)
        self.tokens = FixedTokens()

        self.state, self.said = self.records.state, self.records.said

    def started(self) -> "MediaProcess":
        return MediaProcess(self)


class MediaProcess(ServiceUnderTest):
    """The service's consumer and jobs over its stores, as `create_app` wires them."""

    def __init__(self, media: MediaStores, max_bytes: int = 10_000_000) -> None:
        super().__init__(
            "media",
            clock=media.clock,
            signer=Signer("media-test", Ed25519PrivateKey.from_private_bytes(_seed("media"))),
            access_log=media.access_log,
            keys=media.keys,
            provider=FileKeyProvider("kek-1", {"kek-1": _seed("kek")}),
            mask=lambda _: "withheld",
        )
        self.cleaner = DirectCleaner(media.fate)
        self.outcomes: list[str] = []
        self.take = TakeUploads(
            incoming=media.incoming,
            cleaner=self.cleaner,
            seals=VaultSeals(self.vault, "svc:media"),
            originals=media.originals,
            copies=media.copies,
            tokens=media.tokens,
            clock=media.clock,
            public_url=PUBLIC_URL,
            max_bytes=max_bytes,
            count=self.outcomes.append,
        )
        every = {**handlers(self.take), **lifecycle_events.handlers()}
        self.processor = self.processor_of(media.records, RecordMedia, every)
        self._process = taking(self.processor, self.take.discard, 4)
        self.destroyer: Destroyer[RecordMedia] = Destroyer(
            holder="media",
            processor=self.processor,
            destroying=media.records.destroying,
            remove=DestroyMedia(media.originals, media.copies, media.tokens),
            keys=media.keys,
            clock=media.clock,
            recoverable_for=timedelta(days=30),
        )
        self.sweep = Sweep(
            incoming=media.incoming,
            originals=media.originals,
            copies=media.copies,
            holdings=InMemoryHoldings(media.records),
            clock=media.clock,
            abandoned_after=timedelta(hours=24),
        )

    async def handle(self, *batch: Event[Model]) -> list[tuple[Event[Model], Exception]]:
        received = [Received(event, {}, b"", event.name, 0, 0) for event in batch]
        return list(await self._process(received))


# ---------------------------------------------------------------- events


def upload(upload_id: str, data: bytes, content_type: str = "image/jpeg") -> ev.UploadRef:
    digest = hashlib.sha256(data).hexdigest()
    return ev.UploadRef(
        upload_id=upload_id, size=len(data), sha256=digest, content_type=content_type
    )


def event(data: Model, number: int = 1) -> Event[Model]:
    """An event with an id that is the same for the same kind, record and number."""
    record_id = str(getattr(data, "record_id", "none"))
    digest = hashlib.md5(
        f"{type(data).__name__}{record_id}{number}".encode(), usedforsecurity=False
    )
    raw = digest.hexdigest()
    event_id = f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-8{raw[17:20]}-{raw[20:32]}"
    producer = BY_MODEL[type(data)].producers[0]
    return Event(event_id, f"/direct311/{producer}", record_id, START, data)


def created(record_id: str, uploads: Sequence[ev.UploadRef], version: int = 1) -> Event[Model]:
    data = ev.RequestCreated(
        record_id=record_id,
        version=version,
        jurisdiction_id="miamidade",
        service_code="POTHOLE",
        received_at=START,
        place=ev.Place(),
        uploads=tuple(uploads),
        policy=ev.PolicyAgreement(version="1", agreed="accepted"),
    )
    return event(data, version)


def updated(
    record_id: str,
    version: int,
    *,
    uploads: Sequence[ev.UploadRef] = (),
    protected: bool = False,
) -> Event[Model]:
    data = ev.RequestUpdated(
        record_id=record_id,
        version=version,
        changed=("place_checked",),
        service_code="POTHOLE",
        status="received",
        updated_at=START,
        received_at=START,
        place=ev.Place(),
        place_checked=True,
        protected=protected,
        uploads=tuple(uploads),
    )
    return event(data, version)


def routed(
    record_id: str, version: int, department: str, *, protected: bool = False
) -> Event[Model]:
    data = ev.RequestRouted(
        record_id=record_id,
        version=version,
        request_version=1,
        department=department,
        revision=version,
        service_code="POTHOLE",
        place=ev.Place(),
        protected=protected,
        received_at=START,
        routed_at=START,
        rule_id="r",
        rules_version="1",
        reason="test",
    )
    return event(data, version)


def recalled(record_id: str, version: int, department: str) -> Event[Model]:
    data = ev.RequestRecalled(
        record_id=record_id,
        version=version,
        department=department,
        reason="moved",
        recalled_at=START,
    )
    return event(data, version)


def hold(record_id: str, version: int) -> Event[Model]:
    data = ev.HoldPlaced(
        record_id=record_id,
        version=version,
        hold_id="hold-1",
        kind="litigation",
        authority="court",
        placed_at=START,
    )
    return event(data, version)


def ordered(record_id: str, version: int) -> Event[Model]:
    data = ev.DispositionOrdered(
        record_id=record_id,
        version=version,
        order_id=base64.b16encode(_seed(record_id)[:16]).decode(),
        items=("270",),
        holders=("intake", "media"),
        custodian="a",
        records_officer="b",
        ordered_at=START,
    )
    return event(data, version)
