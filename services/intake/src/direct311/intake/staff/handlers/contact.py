"""Reading sealed data: one record's fields, and the search for a person's records."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from direct311.intake.indexes.domain.persons import Persons, sorted_by_person
from direct311.intake.indexes.ports import PersonIndexes
from direct311.intake.lifecycle.ports import Requests
from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import Vault

MOST_RECORDS = 10_000
Narrow = Callable[[Sequence[str]], Awaitable[Sequence[str]]]
"""Keeps those of some records that are wanted."""


@dataclass(frozen=True, slots=True)
class PersonFound:
    """The records of a person. `search_id`: the first entry of the log about the search."""

    search_id: str
    record_ids: Sequence[str]


class Contact:
    """Use cases of staff, all through the vault."""

    def __init__(
        self, requests: Requests, vault: Vault, indexes: PersonIndexes, disclosures: Disclosures
    ) -> None:
        self._requests = requests
        self._vault = vault
        self._indexes = indexes
        self._disclosures = disclosures

    async def read(
        self,
        caller: Caller,
        record_id: str,
        *,
        purpose: str,
        fields: Sequence[str],
        reference: str | None,
        justification: str | None,
        operation: str,
    ) -> Mapping[str, str]:
        """The requested fields that are allowed and that the reporter gave.

        :raises RefusedError: it is unknown, a rule refuses, or it cannot be written to the log.
        """
        request = await self._requests.get(record_id)
        if request is None:
            raise NO_SUCH_REQUEST
        access = Access(
            caller,
            action="view",
            purpose=purpose,
            operation=operation,
            fields=tuple(fields),
            record_ids=(record_id,),
            reference=reference,
            justification=justification,
            lifecycle=request.status,
            version_seen=request.version,
            notice_version=request.policy.version if request.policy else None,
            result_count=len(request.sealed.keys() & set(fields)),
        )
        facts = await self._disclosures.facts_for(
            access, RecordFacts(record_id, request.assigned_department)
        )
        opened = await self._vault.open(under_case(access, facts), facts, request.sealed)
        return {field: value.decode() for field, value in opened.items()}

    async def records_of(
        self,
        caller: Caller,
        person: Mapping[str, str],
        *,
        purpose: str,
        reference: str | None,
        justification: str | None,
        operation: str,
    ) -> Sequence[str]:
        """Ids of the records of a person; see `search`."""
        found = await self.search(
            caller,
            person,
            purpose=purpose,
            reference=reference,
            justification=justification,
            operation=operation,
        )
        return found.record_ids

    async def search(
        self,
        caller: Caller,
        person: Mapping[str, str],
        *,
        purpose: str,
        reference: str | None,
        justification: str | None,
        operation: str,
        narrow: Narrow | None = None,
        narrowed_by: tuple[str, ...] = (),
    ) -> PersonFound:
        """The records of a person, by one of `phone`, `email`, `name`. `narrow`: keeps some of
        them, by what `narrowed_by` names.

        The search itself is an access, even if it finds nothing; the log gets the names of the
        fields, a keyed hash of the query under a monthly key, and every record found.

        :raises RefusedError: no usable value, more than `MOST_RECORDS`, refused by a rule, or not
            written to the log.
        """
        (field, value), *more = person.items()
        if more:
            raise RefusedError("malformed", "Give exactly one of phone, email and name.")
        hashed = self._indexes.person(field, value)
        if not hashed:
            raise RefusedError(
                "malformed", f"{field} cannot be used; give it in full.", field=field
            )
        found = await self._requests.with_index(field, hashed, MOST_RECORDS + 1)
        too_many = len(found) > MOST_RECORDS
        if narrow is not None and not too_many:
            found = await narrow(found)
        access = Access(
            caller,
            action="search",
            purpose=purpose,
            operation=operation,
            fields=("person_index",),
            record_ids=tuple(found),
            reference=reference,
            justification=justification,
            query_fields=(field, *narrowed_by),
            query_hmac=self._indexes.query(field, value),
            result_count=len(found),
        )
        async with self._disclosures.searching(access, "person") as facts:
            search_id, _ = await self._vault.authorise(under_case(access, facts), facts)
        if too_many:
            # A part of them would look like all of them.
            raise RefusedError(
                "too_many",
                f"More than {MOST_RECORDS} requests match. Search by telephone number or e-mail.",
                field=field,
            )
        return PersonFound(search_id, found)

    async def persons_of(
        self,
        caller: Caller,
        record_ids: Sequence[str],
        *,
        purpose: str,
        reference: str | None,
        justification: str | None,
        operation: str,
    ) -> Persons:
        """How many people these records are about: the records of each, and nothing about the
        people.

        This is an access like a search: the log gets all the records, and their number.

        :raises RefusedError: a rule refuses, or it cannot be written to the log.
        """
        found = sorted_by_person(record_ids, await self._requests.indexes_of(record_ids))
        access = Access(
            caller,
            action="search",
            purpose=purpose,
            operation=operation,
            fields=("person_index",),
            record_ids=tuple(record_ids),
            reference=reference,
            justification=justification,
            query_fields=("record_ids",),
            result_count=len(record_ids),
        )
        await self._vault.authorise(access, RecordFacts())
        return found
