"""`direct311 audit mirror`: copies the whole log into a folder, and verifies it on the way.

The folder holds the log as C2SP tlog-tiles (`checkpoint`, `tile/…`), as `direct311-verifier log`
reads it. A copy that broke off, or is old, resumes where it ends, because full tiles never change.
The new checkpoint is written last, once everything leads to its root.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from direct311.verifier.checkpoint import Trust, verify_checkpoint
from direct311.verifier.log import directory, verify_log
from direct311.verifier.merkle import leaf_hash
from direct311.verifier.report import Report
from direct311.verifier.tiles import (
    WIDTH,
    Tile,
    TileError,
    entry_bundles,
    hash_tiles,
    split_entries,
    split_hashes,
)

Fetch = Callable[[str], Awaitable[bytes]]
"""Returns a file of the log by its path."""
AT_ONCE = 8
"""How many files are requested at the same time."""


class MirrorError(Exception):
    """What the log sent does not match its own tiles; none of it was kept."""


async def mirror(
    fetch: Fetch, folder: Path, trust: Trust, done: Callable[[int, int], object]
) -> Report:
    """Bring the copy in `folder` up to the log's checkpoint, and verify all of it.

    `done` is called with how many files of how many are there. If the report finds something wrong,
    the files and the older checkpoint stay as evidence; begin a new copy in a new folder.

    :raises NoteError: the checkpoint is not signed as `trust` requires. :raises MirrorError: an
    entry does not match its tile.
    """
    note = (await fetch("checkpoint")).decode()
    size = verify_checkpoint(note, trust).checkpoint.size
    kept = folder / "checkpoint"
    older = [kept.read_text()] if kept.is_file() else []
    bundles, hashes = entry_bundles(size), hash_tiles(size)
    leaves = {tile.index: tile for tile in hashes if tile.level == 0}
    # Fetch an entry bundle together with the tile it is compared with.
    jobs: list[tuple[Tile, ...]] = [(bundle, leaves[bundle.index]) for bundle in bundles]
    jobs += [(tile,) for tile in hashes if tile.level > 0]
    missing = [job for job in jobs if not all((folder / tile.path).is_file() for tile in job)]
    for first in range(0, len(missing), AT_ONCE):
        done(len(jobs) - len(missing) + first, len(jobs))
        some = missing[first : first + AT_ONCE]
        await asyncio.gather(*(_copy(fetch, folder, job) for job in some))
    done(len(jobs), len(jobs))
    report = await asyncio.to_thread(verify_log, directory(folder), trust, older, checkpoint=note)
    if report.ok:
        _write(kept, note.encode())
        _forget_partial(folder, {tile.path for job in jobs for tile in job})
    return report


async def _copy(fetch: Fetch, folder: Path, job: tuple[Tile, ...]) -> None:
    contents = await asyncio.gather(*(fetch(tile.path) for tile in job))
    if len(job) > 1:
        _compare(job[0], contents[0], job[1], contents[1])
    for tile, content in zip(job, contents, strict=True):
        _write(folder / tile.path, content)


def _compare(bundle: Tile, entries: bytes, tile: Tile, hashes: bytes) -> None:
    try:
        found = [leaf_hash(entry) for entry in split_entries(entries)]
        wanted = split_hashes(tile, hashes)
    except TileError as error:
        raise MirrorError(f"{bundle.path}: {error}") from None
    if found != wanted:
        pairs = [one == other for one, other in zip(found, wanted, strict=False)]
        at = pairs.index(False) if False in pairs else len(pairs)
        index = bundle.index * WIDTH + at
        raise MirrorError(f"entry {index} of {bundle.path} is not what {tile.path} says")


def _write(path: Path, content: bytes) -> None:
    """Write the whole file or nothing: an existing file counts as complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _forget_partial(folder: Path, current: set[str]) -> None:
    """Partial tiles that the log has outgrown."""
    for path in folder.glob("tile/**/*.p/*"):
        if path.relative_to(folder).as_posix() not in current:
            path.unlink()
