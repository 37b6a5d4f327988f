"""Collecting: a worker asks the owners for the records of a case and their files, some at a time.

What an owner answers is sealed in the store before the case file names it, so a kill loses at most
answers that are asked for again. A file is sealed while it arrives. Nothing that is withheld ever
comes here.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from direct311.retention.case_file.packages import MOST_PARTS, CasePackages, CollectedPart
from direct311.retention.cases.domain import CaseFile, KindRules
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.cases.work import CaseWork, Changed, check_open, check_unopposed
from direct311.retention.packages.domain.case_work import is_unpaid
from direct311.retention.packages.domain.courses import course_of
from direct311.retention.packages.domain.parts import RecordPart, marks_agree
from direct311.retention.packages.handlers.file_collecting import (
    SECONDS,
    FileCollecting,
    Granted,
    Later,
    NotCollected,
)
from direct311.retention.packages.handlers.seen import at_desk, unlocked
from direct311.retention.packages.ports import (
    IdentifiedRecords,
    NotRendered,
    Owners,
)
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.vault.vault import DataKey
from direct311.schemas import events as ev

AT_A_TIME: Final = 50
"""How many records one call asks for."""
AT_ONCE: Final = 8
"""How many of them at the same time."""
JOB_HISTORY: Final = "job_history"
"""The field of a grant that opens the history of a job."""
OPERATION: Final = "POST /v1/cases/{case_id}/collection"


@dataclass(frozen=True, slots=True)
class Collected:
    """What one call did. `asked`: how many records it asked for; `fresh`: of how many it has
    something new. `collected`, `remaining`: of all records of the case. `next`: where the next call
    goes on; `None` once all records were asked for."""

    case: CaseFile
    asked: int
    fresh: int
    collected: int
    remaining: int
    next: str | None
    not_collected: Sequence[NotCollected]


class Collecting:
    """Collects the identified records of a case, by id."""

    def __init__(
        self,
        work: CaseWork,
        records: IdentifiedRecords,
        owners: Owners,
        files: FileCollecting,
        sealed: SealedDocuments,
    ) -> None:
        self._work = work
        self._records = records
        self._owners = owners
        self._files = files
        self._sealed = sealed

    async def __call__(
        self,
        caller: Caller,
        authorization: str,
        case_id: str,
        *,
        after: str | None = None,
        again: bool = False,
    ) -> Collected:
        """Ask for the next records; may be repeated.

        :param authorization: the caller's bearer header, for which the owners get tokens of their
            own.
        :param after: go on after this record.
        :param again: ask also for those that were collected before and have not gone out. What was
            decided anew takes the place of what was collected.
        :raises RefusedError: the caller's desk has no such case, its state does not allow it, no
            grant in force names the caller, or an owner does not accept the caller's token.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was sealed.
        """
        state, rules = await at_desk(self._work, caller, case_id)
        begun(state)
        granted = _granted(state, caller, self._work)
        if not granted:
            raise RefusedError("no_grant", "No grant in force for this case names you.")
        identified = await self._records.of_case(case_id)
        waiting = [
            each
            for each in identified
            if (after is None or each > after) and _is_wanted(state.packages, each, again=again)
        ]
        chosen = waiting[:AT_A_TIME]
        answers = await self._ask(state, rules, granted, chosen, authorization)
        missing = [each for each in answers if isinstance(each, NotCollected)]
        parts = [each for each in answers if isinstance(each, RecordPart)]
        if any(self._files.asks(each, granted[each.record_id]) for each in parts):
            # A file is sealed while it arrives, so the key comes first.
            async with unlocked(self._work, caller, state, "seal", OPERATION, rules.desks) as key:
                whole = await self._with_files(key, state, rules, granted, parts, authorization)
                fresh = self._fresh(caller, state, whole)
                await self._seal(key, state, fresh)
        else:
            whole = await self._with_files(None, state, rules, granted, parts, authorization)
            fresh = self._fresh(caller, state, whole)
            if fresh:
                async with unlocked(
                    self._work, caller, state, "seal", OPERATION, rules.desks
                ) as key:
                    await self._seal(key, state, fresh)
        missing += [each for each in whole if isinstance(each, NotCollected)]
        found = await self._note(caller, case_id, [part for part, _ in fresh], identified)
        remaining = found.packages.remaining(identified)
        return Collected(
            case=found,
            asked=len(chosen),
            fresh=len(fresh),
            collected=len(identified) - len(remaining),
            remaining=len(remaining),
            next=_next(waiting, chosen, whole),
            not_collected=missing,
        )

    async def _ask(
        self,
        state: CaseFile,
        rules: KindRules,
        granted: Mapping[str, Granted],
        record_ids: Sequence[str],
        authorization: str,
    ) -> Sequence[RecordPart | NotCollected]:
        turn = asyncio.Semaphore(AT_ONCE)
        recipient = course_of(state.kind).recipient

        async def one(record_id: str) -> RecordPart | NotCollected:
            opened = granted.get(record_id)
            if opened is None:
                return NotCollected(record_id, "not_granted")
            async with turn:
                rendering = await self._owners.rendering(
                    state.record_id, record_id, recipient, authorization
                )
                if isinstance(rendering, NotRendered):
                    return NotCollected(record_id, rendering.reason)
                if not marks_agree(rendering):
                    return NotCollected(record_id, "marks")
                history: Mapping[str, Any] | NotRendered | None = None
                if JOB_HISTORY in opened.fields:
                    history = await self._owners.job_history(
                        state.record_id, record_id, rules.kind, authorization
                    )
            if isinstance(history, NotRendered):
                return NotCollected(record_id, history.reason)
            return RecordPart(rendering=rendering, job_history=history)

        return await asyncio.gather(*(one(each) for each in record_ids))

    async def _with_files(
        self,
        key: DataKey | None,
        state: CaseFile,
        rules: KindRules,
        granted: Mapping[str, Granted],
        parts: Sequence[RecordPart],
        authorization: str,
    ) -> Sequence[RecordPart | NotCollected | Later]:
        until = asyncio.get_running_loop().time() + SECONDS
        asking = (each for each in parts if self._files.asks(each, granted[each.record_id]))
        first = next(asking, None)
        return await asyncio.gather(
            *(
                self._files(
                    key,
                    state,
                    rules.kind,
                    each,
                    granted[each.record_id],
                    authorization,
                    # Each call gets on, however slow the owner is.
                    math.inf if each is first else until,
                )
                for each in parts
            )
        )

    def _fresh(
        self, caller: Caller, state: CaseFile, parts: Sequence[RecordPart | NotCollected | Later]
    ) -> Sequence[tuple[CollectedPart, bytes]]:
        now = self._work.clock.now()
        collected = [
            each.collected(caller.sub, now) for each in parts if isinstance(each, RecordPart)
        ]
        return [each for each in collected if _is_new(state.packages, each[0])]

    async def _seal(
        self, key: DataKey, state: CaseFile, fresh: Sequence[tuple[CollectedPart, bytes]]
    ) -> None:
        for part, plain in fresh:
            sealed = key.seal(part.sealed_name, plain)
            await self._sealed.put(state.record_id, part.sealed_name, sealed)

    async def _note(
        self,
        caller: Caller,
        case_id: str,
        fresh: Sequence[CollectedPart],
        identified: Sequence[str],
    ) -> CaseFile:
        """Note in the case file what is in the store now."""

        async def decide(state: CaseFile) -> Changed:
            after = begun(state)
            decided = course_of(state.kind).decided
            packages = after.packages.collected(fresh)
            if len(packages.parts) > MOST_PARTS:
                raise RefusedError("full", f"A case has at most {MOST_PARTS} collected records.")
            changed = packages != after.packages
            remaining = packages.remaining(identified)
            after = after.packaging(packages)
            if after.state == "collecting" and packages.pending and not remaining:
                after = after.entering(decided)
            elif after.state in ("packaged", "approved") and changed:
                # What was built is not what would be built now.
                after = after.entering(decided)
            if after == state:
                return None
            step = after.recorded(
                self._work.rules_of(after),
                step="collected",
                actor=caller.sub,
                at=self._work.clock.now(),
            )
            counts = {
                **step.counts,
                "collected": len(packages.parts),
                "remaining": len(remaining),
                "fresh": len(fresh),
            }
            return Change(after, (Outgoing(with_counts(step, counts)),))

        return await self._work.change(case_id, decide)


def begun(state: CaseFile) -> CaseFile:
    """A copy in which records are collected.

    :raises RefusedError: its state does not allow it, somebody objects, or something must be paid
        first.
    """
    check_open(state)
    check_unopposed(state)
    begins = course_of(state.kind).begins
    if state.state not in begins:
        raise RefusedError("case_state", "The state of the case does not allow this.")
    if state.state == "awaiting_payment" and is_unpaid(state):
        raise RefusedError("unpaid", "Something must be paid first.")
    for each in begins[state.state]:
        state = state.entering(each)
    return state


def with_counts(
    step: ev.DisclosureRecorded,
    counts: Mapping[str, int],
    hashes: Mapping[str, str] | None = None,
) -> ev.DisclosureRecorded:
    """The step with these counts and hashes."""
    said = {**dict(step), "counts": dict(counts), "hashes": dict(hashes or {})}
    return ev.DisclosureRecorded.model_validate(said)


def _granted(state: CaseFile, caller: Caller, work: CaseWork) -> Mapping[str, Granted]:
    """What the caller may open by grants in force, for each record. Its owner checks this again."""
    now = work.clock.now()
    found: dict[str, Granted] = {}
    for each in state.grants:
        if each.state(now) == "approved" and caller.sub in each.grant.workers:
            for record_id in each.grant.record_ids:
                before = found.get(record_id, Granted())
                found[record_id] = before.more(each.grant.fields, each.grant.file_ids)
    return found


def _next(
    waiting: Sequence[str],
    chosen: Sequence[str],
    answers: Sequence[RecordPart | NotCollected | Later],
) -> str | None:
    """After which record the next call goes on."""
    later = [each.record_id for each in answers if isinstance(each, Later)]
    if later:
        # The first record that has files is never left for later, so there is one before.
        return chosen[max(0, chosen.index(min(later)) - 1)]
    return chosen[-1] if len(waiting) > len(chosen) else None


def _is_wanted(packages: CasePackages, record_id: str, *, again: bool) -> bool:
    known = packages.part(record_id)
    return known is None or (again and known.released_in is None)


def _is_new(packages: CasePackages, part: CollectedPart) -> bool:
    known = packages.part(part.record_id)
    return known is None or not known.is_as(part)
