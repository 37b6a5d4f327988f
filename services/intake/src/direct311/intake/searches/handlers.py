"""Searching for a case: by one person, in sealed text, or by what is public of a request.

A search by person or in text needs a grant of the case that allows this kind of search and names
the caller, and each search counts. A search by public properties opens nothing and needs none; it
is written down all the same.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from direct311.intake.indexes.ports import PersonIndexes
from direct311.intake.request import UPDATES, WORK_NOTES
from direct311.intake.searches.domain import MOST_ANSWERED, Narrowing, SearchResult
from direct311.intake.searches.ports import Candidates
from direct311.intake.staff.handlers.contact import Contact
from direct311.redaction.fold import fold
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.ledger import MOST_RECORDS, Access
from direct311.runtime.access.reasons import as_reference
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import Vault

OPERATION = "POST /v1/cases/{case_id}/searches"
PURPOSE = "public_records"
PUBLIC = "county_business"
"""The purpose of a search that opens nothing: the case desk's own work on the case."""

WORDS = "words"
"""The kind of search in sealed text, as a grant counts it."""
TEXT = "description"
"""The field that every search in text reads."""
MORE_TEXTS = ("comments", UPDATES, WORK_NOTES)
"""The fields that it also reads, where the grant has them."""

_WORD = re.compile(r"[^\W_]+")
_SAID = frozenset({"text", "description", "note"})
"""The members of these fields' JSON in which somebody said something."""


class SearchForCase:
    """The use cases behind `POST /v1/cases/{case_id}/searches`. `most_candidates`: in how many
    requests a search looks at most."""

    def __init__(
        self,
        *,
        contact: Contact,
        candidates: Candidates,
        vault: Vault,
        indexes: PersonIndexes,
        disclosures: Disclosures,
        clock: Clock,
        most_candidates: int,
    ) -> None:
        self._contact = contact
        self._candidates = candidates
        self._vault = vault
        self._indexes = indexes
        self._disclosures = disclosures
        self._clock = clock
        self._most = most_candidates

    async def by_person(
        self, caller: Caller, case_id: str, person: Mapping[str, str], narrowing: Narrowing
    ) -> SearchResult:
        """The requests of one person, by one of `phone`, `email`, `name`.

        :raises RefusedError: the value cannot be used, there are too many, no grant allows it, or
            it cannot be written to the log.
        """
        shape = tuple(narrowing.shape())
        without_point = 0

        async def narrow(record_ids: Sequence[str]) -> Sequence[str]:
            nonlocal without_point
            without_point = await self._candidates.without_point(narrowing, self._most, record_ids)
            return await self._candidates.among(record_ids, narrowing)

        found = await self._contact.search(
            caller,
            person,
            purpose=PURPOSE,
            reference=case_id,
            justification=None,
            operation=OPERATION,
            narrow=narrow if shape else None,
            narrowed_by=shape,
        )
        return self._result(found.search_id, found.record_ids, without_point, ("person", *shape))

    async def by_words(
        self, caller: Caller, case_id: str, words: str, narrowing: Narrowing
    ) -> SearchResult:
        """The requests in whose texts all of these words are: whole words, whatever their case and
        accents.

        The texts of all candidates are opened, `MOST_RECORDS` at a time, each time after an entry
        that names them, and while the grant is still in force. A search that fails in between is
        counted, and what it opened is in the log.

        :raises RefusedError: there is no word, there are too many candidates, no grant allows it,
            or it cannot be written to the log.
        """
        sought = words_of(words)
        if not sought:
            raise RefusedError("malformed", "Say at least one word.", field=WORDS)
        shape = tuple(narrowing.shape())
        access = Access(
            caller,
            action="search",
            purpose=PURPOSE,
            operation=OPERATION,
            fields=(TEXT,),
            reference=case_id,
            query_fields=(WORDS, *shape),
            query_hmac=self._indexes.text_query(WORDS, " ".join(sorted(sought))),
        )
        # Somebody whom no grant names learns nothing, not even that there are too many.
        begun = None if await self._is_named(caller, case_id) else await self._begin(access)
        candidates = await self._candidates_of(narrowing, WORDS)
        without_point = await self._candidates.without_point(narrowing, self._most)
        search_id, access, facts = begun or await self._begin(access)
        hits: list[str] = []
        for start in range(0, len(candidates), MOST_RECORDS):
            some = candidates[start : start + MOST_RECORDS]
            texts = await self._opened(access, facts, some)
            hits += [each for each in some if each in texts and sought <= words_in(texts[each])]
        return self._result(search_id, hits, without_point, (WORDS, *shape))

    async def by_properties(
        self, caller: Caller, case_id: str, narrowing: Narrowing
    ) -> SearchResult:
        """The requests that match what is public of them. Opens nothing.

        :raises RefusedError: there are too many, the role may not, or it cannot be written to the
            log.
        """
        found = await self._candidates_of(narrowing, "received_from")
        without_point = await self._candidates.without_point(narrowing, self._most)
        shape = tuple(narrowing.shape())
        access = Access(
            caller,
            action="search",
            purpose=PUBLIC,
            operation=OPERATION,
            record_ids=tuple(found[:MOST_ANSWERED]),
            reference=case_id,
            query_fields=shape,
            result_count=len(found),
        )
        grants = await self._disclosures.grants(as_reference(case_id))
        known = under_case(access, RecordFacts(grants=grants))
        search_id, _ = await self._vault.authorise(known, RecordFacts())
        return self._result(search_id, found, without_point, shape)

    async def _begin(self, access: Access) -> tuple[str, Access, RecordFacts]:
        """Count the search, and write down that it begins, before anything is opened."""
        async with self._disclosures.searching(access, WORDS) as facts:
            allowed = facts.grants[0].fields if len(facts.grants) == 1 else frozenset[str]()
            fields = (TEXT, *(field for field in MORE_TEXTS if field in allowed))
            access = under_case(replace(access, fields=fields), facts)
            search_id, _ = await self._vault.authorise(access, facts)
        return search_id, access, facts

    async def _opened(
        self, access: Access, facts: RecordFacts, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, bytes]]:
        """The texts of these requests, if the grant is still in force."""
        sealed = await self._candidates.sealed(record_ids, access.fields)
        if not sealed:
            return {}
        used = {each.grant_id for each in facts.grants}
        now = await self._disclosures.grants(as_reference(access.reference or ""))
        checked = replace(facts, grants=tuple(each for each in now if each.grant_id in used))
        some = replace(access, record_ids=tuple(each for each in record_ids if each in sealed))
        return await self._vault.open_each(some, checked, sealed)

    async def _is_named(self, caller: Caller, case_id: str) -> bool:
        now = self._clock.now()
        return any(
            each.kind == PURPOSE
            and each.is_in_force_for(caller.sub, now)
            and each.searches.get(WORDS)
            for each in await self._disclosures.grants(as_reference(case_id))
        )

    async def _candidates_of(self, narrowing: Narrowing, field: str) -> Sequence[str]:
        found = await self._candidates.found(narrowing, self._most + 1)
        if len(found) > self._most:
            raise RefusedError(
                "too_many",
                f"More than {self._most} requests would be searched. Narrow it by time, place, "
                "type or department.",
                field=field,
            )
        return found

    def _result(
        self, search_id: str, found: Sequence[str], without_point: int, shape: tuple[str, ...]
    ) -> SearchResult:
        return SearchResult(search_id, found[:MOST_ANSWERED], len(found), without_point, shape)


def words_of(text: str) -> frozenset[str]:
    """The words of a text without case, accents and Unicode disguises."""
    return frozenset(_WORD.findall(fold(text).shadow))


def words_in(texts: Mapping[str, bytes]) -> frozenset[str]:
    """The words of a request's opened fields."""
    found: set[str] = set()
    for field, value in texts.items():
        text = value.decode()
        for each in _said(json.loads(text)) if field in MORE_TEXTS else (text,):
            found |= words_of(each)
    return frozenset(found)


def _said(value: object) -> Iterator[str]:
    """The texts in a field that is JSON: a list of comments, or an object of notes by their ids."""
    if isinstance(value, list):
        for each in value:
            yield from _said(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in _SAID and isinstance(each, str):
                yield each
            else:
                yield from _said(each)
