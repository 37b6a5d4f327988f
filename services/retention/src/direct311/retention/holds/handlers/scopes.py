"""Whether a hold's query names things that exist."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Final

from direct311.retention.holds.domain import UNINCORPORATED, HoldQuery, plain_name
from direct311.retention.holds.ports import HoldableRecords
from direct311.retention.schedule.domain.schedule import Assignments
from direct311.runtime.errors import FieldProblem, MalformedError

NAMED: Final = 10
"""How many problems are named at once, and how many correct values each suggests."""


class Scopes:
    """A hold on a name that nothing has (misspelled, or from another service's vocabulary) would be
    in force and hold nothing."""

    def __init__(self, inventory: HoldableRecords, assignments: Assignments) -> None:
        self._inventory = inventory
        self._assigned = {
            code
            for each in assignments.assignments
            for code in each.service_codes
            if "*" not in code
        }

    async def check(self, query: HoldQuery, *, field: str = "query", later: bool = True) -> None:
        """:param field: where the query is in what was sent.
        :param later: whether the caller may ask for records that do not exist yet.
        :raises MalformedError: a service code, municipality or department that no record has and
            the assignments do not name, with similar names."""
        problems: list[FieldProblem] = []
        if query.service_codes:
            codes = {*await self._inventory.values("service_code"), *self._assigned}
            problems += islice(
                _unknown_codes(f"{field}.service_codes", query.service_codes, codes, later=later),
                NAMED,
            )
        if query.municipality is not None:
            names = (*await self._inventory.values("municipality"), UNINCORPORATED)
            plain = {plain_name(name): name for name in names}
            if plain_name(query.municipality) not in plain:
                wanted = _wanted(plain_name(query.municipality), plain)
                problems.append(_not_a_choice(f"{field}.municipality", wanted, later=later))
        if query.department is not None:
            departments = await self._inventory.values("department")
            if query.department not in departments:
                wanted = _wanted(query.department, _folded(departments))
                problems.append(_not_a_choice(f"{field}.department", wanted, later=later))
        if problems:
            raise MalformedError(problems)


def _unknown_codes(
    field: str, asked: Collection[str], known: Collection[str], *, later: bool
) -> Iterator[FieldProblem]:
    folded = _folded(known)
    for index, code in enumerate(asked):
        if code not in known:
            yield _not_a_choice(f"{field}.{index}", _wanted(code.casefold(), folded), later=later)


def _not_a_choice(field: str, wanted: str, *, later: bool) -> FieldProblem:
    detail = f"{wanted}To hold future records, send `for_later`." if later else wanted.rstrip()
    return FieldProblem(field=field, detail=detail, code="not_a_choice")


def _folded(values: Collection[str]) -> Mapping[str, str]:
    return {each.casefold(): each for each in values}


def _wanted(asked: str, known: Mapping[str, str]) -> str:
    """Suggestions: similar names, or else all existing ones."""
    near = get_close_matches(asked, known, NAMED)
    named = [known[each] for each in near or sorted(known)[:NAMED]]
    there_is = f"{'Near it' if near else 'There is'}: {', '.join(named)}. " if named else ""
    return f"No record has it. {there_is}"
