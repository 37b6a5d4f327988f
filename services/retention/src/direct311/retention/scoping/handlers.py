"""The use cases of scoping: say what to look for, write down searches and minutes, show the
timeline.

The values that name a person, an address or words are sealed under the case's key, so setting and
reading them is an access. What is written down of a search has codes and numbers alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from direct311.retention.case_file.scope import SCOPE, CaseScope, OpenScope, SealedScope, set_scope
from direct311.retention.case_file.searches import MOST_SEARCHES, MinutesEntry, SearchEntry
from direct311.retention.case_file.steps import StepNote
from direct311.retention.cases.domain import CaseFile
from direct311.retention.cases.work import CaseWork, Changed, check_open, check_version
from direct311.retention.holds.domain import Bounds
from direct311.retention.scoping.domain import bounds_of
from direct311.retention.scoping.ports import Bounding
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import Change, Outgoing


@dataclass(frozen=True, slots=True)
class ScopeDraft:
    """A scope as somebody sets it. `complete`: nothing is to be found out any more, so collecting
    begins. `as_bounds`: it also says within what the case stops destruction."""

    open: OpenScope
    sealed: SealedScope
    complete: bool = False
    as_bounds: bool = False

    def __repr__(self) -> str:
        return "ScopeDraft(…)"


@dataclass(frozen=True, slots=True)
class OpenedScope:
    """A scope with what was sealed."""

    case: CaseFile
    scope: CaseScope
    sealed: SealedScope

    def __repr__(self) -> str:
        return f"OpenedScope({self.case.record_id})"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every step, oldest first. `age_days`, `days_without_act`: whole days since the receipt, and
    since the county's last act."""

    case: CaseFile
    age_days: int
    days_without_act: int
    steps: Sequence[StepNote]


class Scoping:
    """:param bounding: what an open case stops."""

    def __init__(self, work: CaseWork, bounding: Bounding) -> None:
        self._work = work
        self._bounding = bounding

    async def set_scope(
        self, caller: Caller, case_id: str, version: int, draft: ScopeDraft
    ) -> CaseFile:
        """Say what to look for; the case becomes `scoping`, or `collecting` if that is complete.
        The same scope from the same version is set once.

        :param version: the case's, as the caller has seen it.
        :raises RefusedError: the caller's desk has no such case, it is in a later state, somebody
            has changed it, or such a scope makes no bounds.
        :raises MalformedError: it names, as bounds, what no record has.
        :raises AuditUnavailableError: it could not be recorded; nothing was set.
        """
        state = await self._work.found(caller, case_id)
        self._work.records_case(state)
        bounds = await self._bounds(draft)
        plain = _plain(draft.sealed)
        before = state.scope
        revision = before.revision + 1 if before else 1
        sealed: bytes | None = None
        same = before is not None and before.repeats(
            version, caller.sub, draft.open, complete=draft.complete
        )
        if plain is not None or (before is not None and before.sealed is not None):
            operation = "PUT /v1/cases/{case_id}/scope"
            async with self._work.unlock(caller, state, "seal", operation, (SCOPE,)) as key:
                if before is not None and before.sealed is not None and same:
                    same = key.open(SCOPE, before.sealed, before.revision) == plain
                elif before is not None:
                    same = same and plain is None
                if plain is not None:
                    sealed = key.seal(SCOPE, plain, revision)
        if same:
            return await self._bounding.opened(case_id)

        async def decide(state: CaseFile) -> Changed:
            check_open(state)
            check_version(state, version)
            now = self._work.clock.now()
            scope = set_scope(
                draft.open,
                draft.sealed,
                sealed,
                complete=draft.complete,
                version=version,
                by=caller.sub,
                at=now,
            ).after(state.scope)
            after = state if state.state == "scoping" else state.entering("scoping")
            if draft.complete:
                after = after.entering("collecting")
            after = after.scoped(scope)
            codes = (*scope.criteria, *(("complete",) if draft.complete else ()))
            told = after.recorded(
                self._work.rules_of(after), step="scope_set", actor=caller.sub, at=now, codes=codes
            )
            bounded = self._bounding.bounded(caller, after, bounds) if bounds else None
            if bounded is None:
                return Change(after, (Outgoing(told),))
            return Change(bounded.state, (Outgoing(told), *bounded.events))

        await self._work.change(case_id, decide)
        return await self._bounding.opened(case_id)

    async def _bounds(self, draft: ScopeDraft) -> Bounds | None:
        """The bounds that the draft asks for.

        :raises RefusedError: it looks for a person, or for any record.
        """
        if not draft.as_bounds:
            return None
        bounds = (
            None
            if draft.sealed.personal
            else bounds_of(draft.open, also_by_sealed=bool(draft.sealed.criteria))
        )
        if bounds is None:
            raise RefusedError(
                "scope_bounds",
                "As bounds, a scope names no person, and a record, type, municipality, department "
                "or time.",
                field="as_bounds",
            )
        await self._bounding.check(bounds)
        return bounds

    async def read_scope(self, caller: Caller, case_id: str) -> OpenedScope:
        """The scope of a case with what was sealed.

        :raises RefusedError: the caller's desk has no such case, or it has no scope yet.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._work.found(caller, case_id)
        scope = state.scope
        if scope is None:
            raise RefusedError("not_found", "This case has no scope yet.")
        operation = "GET /v1/cases/{case_id}/scope"
        async with self._work.unlock(caller, state, "view", operation, (SCOPE,)) as key:
            if scope.sealed is None:
                return OpenedScope(state, scope, SealedScope())
            plain = key.open(SCOPE, scope.sealed, scope.revision)
        return OpenedScope(state, scope, SealedScope.model_validate_json(plain))

    # -- the search log

    async def write_search(self, caller: Caller, case_id: str, search: SearchEntry) -> CaseFile:
        """Write down a search, also one outside of this system. The same one is written once.

        :raises RefusedError: the caller's desk has no such case, it is closed or full, the id was
            used for another search, or a code is not of the list.
        """
        self._work.records_case(await self._work.found(caller, case_id))
        rules = self._work.rules
        _check_code("where", (search.where,), rules.places)
        _check_code("shape", search.shape, rules.criteria)

        async def decide(state: CaseFile) -> Changed:
            log = state.searches
            before = log.search(search.search_id)
            if before is not None:
                _check_same(before.same_as(search))
                return None
            check_open(state)
            _check_room(len(log.searches))
            after = state.searching(log.searched(search))
            told = after.recorded(
                self._work.rules_of(after),
                step="searched",
                actor=caller.sub,
                at=search.at,
                codes=(search.where, *search.shape),
                counts={"hits": search.hits, "minutes": search.minutes},
            )
            return Change(after, (Outgoing(told),))

        return await self._work.change(case_id, decide)

    async def write_minutes(self, caller: Caller, case_id: str, note: MinutesEntry) -> CaseFile:
        """Write down for how many minutes somebody worked on the case. The same note is written
        once.

        :raises RefusedError: the caller's desk has no such case, it is closed or full, the id was
            used for another note, or the kind of work is not of the list.
        """
        self._work.records_case(await self._work.found(caller, case_id))
        _check_code("work", (note.work,), self._work.rules.work)

        async def decide(state: CaseFile) -> Changed:
            log = state.searches
            before = log.note(note.note_id)
            if before is not None:
                _check_same(before.same_as(note))
                return None
            check_open(state)
            _check_room(len(log.minutes))
            after = state.searching(log.worked(note))
            told = after.recorded(
                self._work.rules_of(after),
                step="minutes_noted",
                actor=caller.sub,
                at=note.at,
                codes=(note.work,),
                counts={"minutes": note.minutes},
            )
            return Change(after, (Outgoing(told),))

        return await self._work.change(case_id, decide)

    async def look(self, caller: Caller, case_id: str) -> CaseFile:
        """The case, for its search log. Opens nothing.

        :raises RefusedError: the caller's desk has no such case.
        """
        return await self._work.found(caller, case_id)

    async def timeline(self, caller: Caller, case_id: str) -> Timeline:
        """Every step of a case. Opens nothing.

        :raises RefusedError: the caller's desk has no such case.
        """
        state = await self._work.found(caller, case_id)
        now = self._work.clock.now()
        received, step = state.received_at or now, state.last_step
        return Timeline(
            state,
            (now - received).days,
            (now - step[1]).days if step else 0,
            state.timeline,
        )


def _plain(scope: SealedScope) -> bytes | None:
    """What is sealed of a scope; `None` if that is nothing."""
    said = scope.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(said, sort_keys=True, ensure_ascii=False).encode() if said else None


def _check_code(field: str, codes: Sequence[str], known: Sequence[str]) -> None:
    """:raises RefusedError: one of the codes is not of the list; repeats none of them."""
    if not {*codes} <= {*known}:
        raise RefusedError("search_code", f"{field} takes: {', '.join(known)}.", field=field)


def _check_same(same: bool) -> None:
    """:raises RefusedError: the id was used for something else."""
    if not same:
        raise RefusedError("exists", "This id was used for something else; send a new id.")


def _check_room(number: int) -> None:
    if number >= MOST_SEARCHES:
        raise RefusedError("full", f"A case has at most {MOST_SEARCHES} of these.")
