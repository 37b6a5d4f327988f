"""What becomes of uploads, in every order of events and after a crash at every step."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from direct311.media.lifecycle.handlers import SHARDS, shard_of_the_minute
from direct311.media.ports import UncleanCopyError
from direct311.media.record import possible_copy_names
from direct311.media.sealing import sealed_name
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import HeldError
from direct311.runtime.vault.vault import VaultError
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support import pictures
from tests.support.media import (
    PUBLIC_URL,
    START,
    KilledError,
    MediaProcess,
    MediaStores,
    created,
    hold,
    ordered,
    recalled,
    routed,
    updated,
    upload,
)

pytestmark = pytest.mark.anyio

RECORD = "0195-record"
PHOTO = pictures.jpeg()
PDF = b"%PDF-1.7\n%%EOF\n"
AGENT = Caller("maria", roles=("agent",))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def brought(media: MediaStores, *files: tuple[str, bytes, str]) -> list[ev.UploadRef]:
    for upload_id, data, _ in files:
        media.incoming.bring(upload_id, data)
    return [upload(*file) for file in files]


def last_stored(media: MediaStores) -> ev.MediaStored:
    stored = [e.data for e in media.said(RECORD) if isinstance(e.data, ev.MediaStored)]
    return stored[-1]


def rejections(media: MediaStores) -> list[tuple[str, str]]:
    found = [e.data for e in media.said(RECORD) if isinstance(e.data, ev.MediaRejected)]
    return [(data.media_id, data.reason) for data in found]


async def read_original(process: MediaProcess, media: MediaStores, media_id: str) -> bytes:
    access = Access(
        AGENT, "view", "respond", "test", fields=("media_original",), record_ids=(RECORD,)
    )
    async with process.vault.unlock(access, RecordFacts(RECORD)) as key:
        return key.open(sealed_name(media_id), await media.originals.get(RECORD, media_id))


# ---------------------------------------------------------------- taking in


async def test_a_photo_is_sealed_published_told_and_no_longer_waits() -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, "image/jpeg"))
    assert await process.handle(created(RECORD, uploads)) == []

    (item,) = last_stored(media).media
    assert item.state == "stored"
    assert item.reason is None
    assert item.url is not None
    name = item.url.removeprefix(PUBLIC_URL + "/")
    copy, _ = media.copies.objects[name]
    assert (item.size, item.width, item.height) == (len(copy.data), copy.width, copy.height)
    assert media.incoming.objects == {}
    assert await read_original(process, media, "u1") == PHOTO
    assert last_stored(media).version == media.state(RECORD).version == 1


async def test_nothing_of_the_original_is_readable_outside_the_vault() -> None:
    media = MediaStores()
    await media.started().handle(
        created(RECORD, brought(media, ("u1", PHOTO, "image/jpeg"), ("u2", PDF, "")))
    )
    sealed = [version for versions in media.originals.versions.values() for version, _ in versions]
    public = [copy.data for copy, _ in media.copies.objects.values()]
    said = [e.message.body for e in media.records.documents[RECORD].outbox]
    for form in pictures.spellings():
        assert form in PHOTO
        assert not any(form in data for data in (*sealed, *public, *said))
    assert not any(PDF in data for data in sealed)


async def test_public_names_cannot_be_told_from_ids_and_differ() -> None:
    media = MediaStores()
    uploads = brought(media, ("u1", PHOTO, ""), ("u2", PHOTO, ""))
    await media.started().handle(created(RECORD, uploads))
    names = list(media.copies.objects)
    assert len(set(names)) == 2
    assert not any(RECORD in name or "u1" in name for name in names)


async def test_files_without_a_clean_copy_are_kept_and_say_why() -> None:
    media = MediaStores()
    process = media.started()
    await process.handle(created(RECORD, brought(media, ("u1", PDF, "application/pdf"))))
    (item,) = last_stored(media).media
    assert (item.state, item.reason, item.url) == ("stored", "no_clean_copy_for_type", None)
    assert item.content_type == "application/pdf"
    assert media.copies.objects == {}
    assert await read_original(process, media, "u1") == PDF


async def test_what_is_refused_is_told_with_its_reason_and_stops_nothing_else() -> None:
    media = MediaStores()
    uploads = brought(
        media,
        ("bad", PHOTO[:3000], "image/jpeg"),
        ("exe", b"MZ" + bytes(100), "image/jpeg"),
        ("pdf", PDF, "image/png"),
        ("none", b"", "image/png"),
        ("good", PHOTO, "image/jpeg"),
    )
    uploads.append(upload("gone", b"never came"))
    uploads.append(upload("big", b"x").model_copy(update={"size": 10_000_001}))
    changed = upload("changed", PHOTO)
    media.incoming.bring("changed", PHOTO + b"!")
    process = media.started()
    assert await process.handle(created(RECORD, [*uploads, changed])) == []
    assert rejections(media) == [
        ("bad", "damaged"),
        ("exe", "unsupported_type"),
        ("pdf", "type_mismatch"),
        ("none", "empty"),
        ("gone", "missing"),
        ("big", "too_large"),
        ("changed", "changed"),
    ]
    states = {item.media_id: item.state for item in last_stored(media).media}
    assert states.pop("good") == "stored"
    assert set(states.values()) == {"rejected"}
    assert set(media.originals.versions) == {(RECORD, "good")}
    assert media.incoming.objects == {}
    assert process.outcomes.count("stored") == 1


async def test_a_record_with_refused_files_alone_gets_no_key() -> None:
    media = MediaStores()
    uploads = brought(media, ("u1", b"MZ" + bytes(100), ""))
    await media.started().handle(created(RECORD, uploads))
    assert media.keys.keys == {}
    assert [item.state for item in last_stored(media).media] == ["rejected"]


async def test_several_photos_have_one_key_and_need_no_key_use() -> None:
    media = MediaStores()
    uploads = brought(media, *((f"u{i}", PHOTO, "") for i in range(3)))
    await media.started().handle(created(RECORD, uploads))
    assert list(media.keys.keys) == [RECORD]
    assert media.access_log.entries == []


async def test_a_request_without_files_leaves_nothing() -> None:
    media = MediaStores()
    await media.started().handle(created(RECORD, []), updated(RECORD, 2))
    assert media.records.documents == {}


async def test_files_that_come_later_use_the_key_that_is_there_and_say_so_first() -> None:
    media = MediaStores()
    process = media.started()
    first = brought(media, ("u1", PHOTO, ""))
    await process.handle(created(RECORD, first))
    second = brought(media, ("u2", PDF, ""))
    await process.handle(updated(RECORD, 2, uploads=[*first, *second]))
    (access,) = media.access_log.events()
    assert (access.action, access.outcome, access.agent.id) == ("seal", "success", "svc:media")
    assert access.what.record_ids == (RECORD,)
    assert [fetch.record_id for fetch in media.keys.fetches] == [RECORD]
    assert [item.media_id for item in last_stored(media).media] == ["u1", "u2"]
    assert await read_original(process, media, "u2") == PDF


async def test_without_the_log_no_key_is_used_and_the_batch_comes_again() -> None:
    media = MediaStores()
    process = media.started()
    await process.handle(created(RECORD, brought(media, ("u1", PHOTO, ""))))
    more = brought(media, ("u2", PDF, ""))
    media.access_log.down = True
    with pytest.raises(TransientError):
        await process.handle(updated(RECORD, 2, uploads=more))
    assert media.keys.fetches == []
    assert list(media.incoming.objects) == ["u2"]
    media.access_log.down = False
    assert await process.handle(updated(RECORD, 2, uploads=more)) == []
    assert [item.media_id for item in last_stored(media).media] == ["u1", "u2"]


async def test_an_unclean_copy_is_never_published_and_the_bytes_stay_for_a_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, ""))

    async def unclean(data: bytes, declared: str) -> None:
        raise UncleanCopyError

    monkeypatch.setattr(process.cleaner, "clean", unclean)
    failed = await process.handle(created(RECORD, uploads))
    assert [type(error) for _, error in failed] == [UncleanCopyError]
    assert media.copies.objects == {}
    assert list(media.incoming.objects) == ["u1"]


async def test_redelivery_changes_nothing() -> None:
    media = MediaStores()
    event = created(RECORD, brought(media, ("u1", PHOTO, "")))
    process = media.started()
    await process.handle(event)
    before = (media.state(RECORD), dict(media.copies.objects), len(media.said(RECORD)))
    await process.handle(event)
    await media.started().handle(event, event)
    assert (media.state(RECORD), dict(media.copies.objects), len(media.said(RECORD))) == before
    assert process.cleaner.calls == 1


async def test_the_update_may_come_before_the_creation() -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, ""))
    await process.handle(updated(RECORD, 2, uploads=uploads))
    await process.handle(created(RECORD, uploads))
    assert [item.state for item in last_stored(media).media] == ["stored"]
    assert len(media.said(RECORD)) == 1


# ---------------------------------------------------------------- protection


async def test_protection_takes_copies_away_and_keeps_originals() -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, ""), ("u2", PDF, ""))
    await process.handle(created(RECORD, uploads))
    assert len(media.copies.objects) == 1
    await process.handle(updated(RECORD, 2, uploads=uploads, protected=True))
    assert media.copies.objects == {}
    photo, document = last_stored(media).media
    assert (photo.state, photo.reason, photo.url) == ("withdrawn", "protected", None)
    assert (document.state, document.url) == ("stored", None)
    assert await read_original(process, media, "u1") == PHOTO


async def test_a_record_known_as_protected_publishes_nothing() -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, ""))
    await process.handle(updated(RECORD, 2, protected=True))
    await process.handle(created(RECORD, uploads))
    assert media.copies.objects == {}
    (item,) = last_stored(media).media
    assert (item.state, item.reason, item.url) == ("withdrawn", "protected", None)


async def test_an_older_update_does_not_lift_protection() -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, ""))
    await process.handle(
        created(RECORD, uploads), updated(RECORD, 3, protected=True), updated(RECORD, 2)
    )
    assert media.state(RECORD).protected
    assert media.copies.objects == {}


# ---------------------------------------------------------------- whose job it is


async def test_the_department_follows_routing_in_any_order() -> None:
    media = MediaStores()
    process = media.started()
    await process.handle(created(RECORD, brought(media, ("u1", PHOTO, ""))))
    await process.handle(routed(RECORD, 1, "parks"))
    assert media.state(RECORD).department == "parks"
    await process.handle(recalled(RECORD, 2, "parks"))
    assert media.state(RECORD).department is None
    await process.handle(routed(RECORD, 4, "parks"), recalled(RECORD, 3, "parks"))
    assert media.state(RECORD).department == "parks"
    await process.handle(recalled(RECORD, 5, "public_works"))
    assert media.state(RECORD).department == "parks"


async def test_a_recall_that_overtakes_its_routing_is_not_forgotten() -> None:
    for uploads, protected in (((), True), ((("u1", PHOTO, ""),), False)):
        media = MediaStores()
        process = media.started()
        await process.handle(created(RECORD, brought(media, *uploads)))
        await process.handle(recalled(RECORD, 7, "parks"))
        await process.handle(routed(RECORD, 5, "parks", protected=protected))
        assert media.state(RECORD).department is None
        # A move is a recall and a routing of one version.
        await process.handle(routed(RECORD, 7, "solid_waste", protected=protected))
        assert media.state(RECORD).department == "solid_waste"


async def test_the_department_is_known_of_a_protected_records_files_that_come_late() -> None:
    """No revision comes with them: they are in no announcement."""
    media = MediaStores()
    process = media.started()
    await process.handle(created(RECORD, []), updated(RECORD, 2, protected=True))
    await process.handle(routed(RECORD, 1, "parks", protected=True))
    assert media.said(RECORD) == []
    uploads = brought(media, ("u1", PHOTO, ""))
    await process.handle(updated(RECORD, 3, uploads=uploads, protected=True))
    assert media.state(RECORD).department == "parks"
    assert await read_original(process, media, "u1") == PHOTO


# ---------------------------------------------------------------- a crash at any step


def files_of(media: MediaStores) -> tuple[Sequence[str], set[str], set[tuple[str, str]], set[str]]:
    return (
        sorted(media.incoming.objects),
        set(media.copies.objects),
        set(media.originals.versions),
        set(media.keys.keys),
    )


async def run(process: MediaProcess, batches: Sequence[Event[Model]]) -> None:
    for event in batches:
        await process.handle(event)
    await process.destroyer.step()


def script(media: MediaStores, *, end: bool) -> list[Event[Model]]:
    uploads = brought(
        media, ("u1", PHOTO, ""), ("u2", PDF, ""), ("u3", PHOTO[:99], ""), ("u4", PHOTO, "")
    )
    events = [
        created(RECORD, uploads[:3]),
        routed(RECORD, 1, "parks"),
        updated(RECORD, 2, uploads=uploads),
    ]
    return [*events, ordered(RECORD, 1)] if end else events


async def points_of(*, end: bool) -> int:
    media = MediaStores()
    await run(media.started(), script(media, end=end))
    return media.fate.points


@pytest.mark.parametrize("end", [False, True], ids=["kept", "destroyed"])
async def test_a_crash_at_any_step_ends_as_if_there_had_been_none(*, end: bool) -> None:
    calm = MediaStores()
    await run(calm.started(), script(calm, end=end))
    told = [(e.id, e.data) for e in calm.said(RECORD)]
    assert not calm.incoming.objects
    points = await points_of(end=end)
    assert points > 20
    for point in range(1, points + 1):
        media = MediaStores()
        events = script(media, end=end)
        media.fate.kill_at = point
        with pytest.raises(KilledError):
            await run(media.started(), events)
        await run(media.started(), events)
        assert files_of(media) == files_of(calm), point
        assert {e.id for e in media.said(RECORD)} == {event_id for event_id, _ in told}, point
        if end:
            assert media.state(RECORD).lifecycle == "destroyed"
        else:
            assert [(e.id, e.data) for e in media.said(RECORD)] == told, point


async def test_an_order_after_a_crash_at_any_step_leaves_nothing() -> None:
    """The order comes before the interrupted event does again: what was half done goes too."""
    for point in range(1, await points_of(end=False) + 1):
        media = MediaStores()
        events = script(media, end=False)
        media.fate.kill_at = point
        with pytest.raises(KilledError):
            await run(media.started(), events)
        process = media.started()
        await run(process, [ordered(RECORD, 1), *events])
        assert media.copies.objects == {}, point
        assert media.originals.versions == {}, point
        assert media.keys.keys == {}, point
        assert media.incoming.objects == {}, point
        receipt = media.said(RECORD)[-1].data
        assert isinstance(receipt, ev.RecordDestroyed)


async def test_protection_after_a_crash_at_any_step_leaves_no_copy() -> None:
    for point in range(1, await points_of(end=False) + 1):
        media = MediaStores()
        events = script(media, end=False)
        uploads = [upload("u1", PHOTO, ""), upload("u4", PHOTO, "")]
        media.fate.kill_at = point
        with pytest.raises(KilledError):
            await run(media.started(), events)
        await run(media.started(), [updated(RECORD, 9, uploads=uploads, protected=True), *events])
        assert media.copies.objects == {}, point


# ---------------------------------------------------------------- the end


async def test_destruction_removes_every_version_and_says_what_went() -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, ""), ("u2", PDF, ""))
    await process.handle(created(RECORD, uploads))
    await media.originals.put(RECORD, "u1", b"an older version")
    await process.handle(ordered(RECORD, 1))
    await process.destroyer.step()
    assert files_of(media) == ([], set(), set(), set())
    receipt = media.said(RECORD)[-1].data
    assert isinstance(receipt, ev.RecordDestroyed)
    assert (receipt.holder, receipt.documents, receipt.fields) == ("media", 1, 2)
    assert (receipt.objects, receipt.keys) == (4, 1)
    assert receipt.bytes > len(PHOTO) + len(PDF)
    assert receipt.recoverable_until == START + timedelta(days=30)


async def test_a_holder_of_nothing_answers_with_zero() -> None:
    media = MediaStores()
    process = media.started()
    await process.handle(ordered(RECORD, 1))
    await process.destroyer.step()
    receipt = media.said(RECORD)[-1].data
    assert isinstance(receipt, ev.RecordDestroyed)
    counts = (receipt.documents, receipt.fields, receipt.objects, receipt.bytes, receipt.keys)
    assert counts == (0, 0, 0, 0, 0)


async def test_a_record_of_which_the_department_alone_is_kept_goes_too() -> None:
    media = MediaStores()
    process = media.started()
    await process.handle(routed(RECORD, 1, "parks", protected=True), ordered(RECORD, 1))
    await process.destroyer.step()
    receipt = media.said(RECORD)[-1].data
    assert isinstance(receipt, ev.RecordDestroyed)
    counts = (receipt.documents, receipt.fields, receipt.objects, receipt.bytes, receipt.keys)
    assert counts == (1, 0, 0, 0, 0)
    await process.handle(routed(RECORD, 2, "parks"))
    assert media.state(RECORD).lifecycle == "destroyed"


async def test_a_late_event_brings_nothing_back() -> None:
    media = MediaStores()
    process = media.started()
    event = created(RECORD, brought(media, ("u1", PHOTO, "")))
    await process.handle(event, ordered(RECORD, 1))
    await process.destroyer.step()
    media.incoming.bring("u1", PHOTO)
    await process.handle(event, updated(RECORD, 5, uploads=[upload("u1", PHOTO)]))
    assert files_of(media) == ([], set(), set(), set())
    with pytest.raises(VaultError):
        await read_original(process, media, "u1")


async def test_what_is_held_is_not_destroyed() -> None:
    media = MediaStores()
    process = media.started()
    await process.handle(created(RECORD, brought(media, ("u1", PHOTO, ""))), hold(RECORD, 1))
    failed = await process.handle(ordered(RECORD, 2))
    await process.destroyer.step()
    assert [type(error) for _, error in failed] == [HeldError]
    assert await read_original(process, media, "u1") == PHOTO


# ---------------------------------------------------------------- the sweep


async def test_the_sweep_takes_what_nobody_will_ask_for_and_nothing_else() -> None:
    media = MediaStores()
    process = media.started()
    uploads = brought(media, ("u1", PHOTO, ""))
    await process.handle(created(RECORD, uploads))
    media.incoming.bring("u1", PHOTO)
    media.incoming.bring("abandoned", PHOTO)
    assert await process.sweep.waiting() == 1
    assert list(media.incoming.objects) == ["abandoned"]
    media.clock.at += timedelta(hours=23)
    media.incoming.bring("young", PHOTO)
    assert await process.sweep.waiting() == 0
    media.clock.at += timedelta(hours=2)
    assert await process.sweep.waiting() == 1
    assert list(media.incoming.objects) == ["young"]


async def test_the_sweep_finds_copies_without_document_and_originals_of_the_dead() -> None:
    media = MediaStores()
    process = media.started()
    await process.handle(created(RECORD, brought(media, ("u1", PHOTO, ""))))
    copy, _ = next(iter(media.copies.objects.values()))
    stray = possible_copy_names(await media.tokens.token("dead", "x"))[0]
    await media.copies.put(stray, copy)
    await media.originals.put("dead", "x", b"ciphertext")
    swept = [await process.sweep.shard(shard) for shard in range(SHARDS)]
    assert sum(swept) == 0
    media.clock.at += timedelta(days=1, minutes=1)
    swept = [await process.sweep.shard(shard) for shard in range(SHARDS)]
    assert sum(swept) == 2
    assert stray not in media.copies.objects
    assert len(media.copies.objects) == 1
    assert list(media.originals.versions) == [(RECORD, "u1")]


def test_every_shard_has_its_turn() -> None:
    turns = {shard_of_the_minute(START + timedelta(minutes=i)) for i in range(SHARDS)}
    assert turns == set(range(SHARDS))
