"""What may be withheld of a public record, and by which law: `data/exemptions.yaml`.

Florida's default is release. Whatever is withheld is withheld under one of these exemptions, on a
day on which it is in force, and the answer cites it (section 119.07(1)(e), F.S.). The file is data:
the county's own file replaces it without a release of the software.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from direct311.runtime.access.approvals import NotApprovedError, approvers_of
from direct311.runtime.access.roles import ROLES
from direct311.runtime.datafile import Problem, load, packaged
from direct311.schemas import Model
from direct311.schemas.model import Code, OnDate

SUBJECT = "exemptions"
"""The purpose named in the approvals of a file of exemptions."""
COUNSEL = "counsel"

ExemptionClass = Literal["exempt", "confidential_and_exempt"]
Trigger = Literal[
    "protected_person",
    "social_security_number",
    "bank_or_card_number",
    "emergency_call",
    "other_person",
    "outside_instrument",
    "by_hand",
]
PUBLIC_RECORDS = "public_records"

_MARK = re.compile(r"\[■ ([^\]\s]+)\]")


class Exemption(Model, extra="forbid"):
    """One exemption. `citation`: the section of the Florida Statutes, such as `119.071(4)(d)`.

    `fields`: the sealed fields of which something may be withheld by it. `preset`: what is proposed
    under it counts as withheld until somebody with a role in `lifted_by` releases it.
    `effective_from` and `effective_until` are the first and the last day in force. `confirmed`:
    counsel has confirmed the entry. `kinds`: the kinds of cases that it is for; empty: all.
    """

    code: Code
    citation: Code
    title: Annotated[str, Field(min_length=1, max_length=200)]
    class_: Annotated[ExemptionClass, Field(alias="class")]
    trigger: Trigger
    fields: tuple[str, ...]
    lifted_by: tuple[str, ...]
    effective_from: OnDate
    effective_until: OnDate | None = None
    preset: bool = False
    confirmed: bool = True
    kinds: tuple[Code, ...] = ()

    @property
    def mark(self) -> str:
        """What stands in a released text in place of what is withheld. It never tells the
        length."""
        return mark_of(self.citation)

    def is_in_force(self, on: date) -> bool:
        """Whether it is in force on this day of the county's calendar."""
        return self.effective_from <= on and (
            self.effective_until is None or on <= self.effective_until
        )

    def is_for(self, kind: str) -> bool:
        """Whether something may be withheld by it in a case of this kind."""
        return not self.kinds or kind in self.kinds


class ExemptionsFile(Model, extra="forbid"):
    """The whole file."""

    exemptions: str
    version: str
    citation: str
    entries: tuple[Exemption, ...]


def mark_of(citation: str) -> str:
    """The mark of a withheld part: `[■ 119.071(4)(d)]`."""
    return f"[■ {citation}]"


def citations_in(text: str) -> Iterator[str]:
    """The citations of the marks in a text, in their order."""
    return (found[1] for found in _MARK.finditer(text))


def problems(file: ExemptionsFile) -> Iterator[Problem]:
    """What is wrong with a file of exemptions: entry, field and reason."""
    for code, times in Counter(each.code for each in file.entries).items():
        if times > 1:
            yield code, "code", "named more than once"
    for each in file.entries:
        if not each.fields:
            yield each.code, "fields", "an exemption needs the fields that it is for"
        for role in each.lifted_by:
            if role not in ROLES.people:
                yield each.code, "lifted_by", f"{role} is not a role of people"
        if not each.lifted_by:
            yield each.code, "lifted_by", "somebody must be able to lift it"
        if each.class_ == "confidential_and_exempt":
            if not each.preset:
                yield each.code, "preset", "what is confidential is withheld until it is lifted"
            if set(each.lifted_by) != {COUNSEL}:
                yield each.code, "lifted_by", "only counsel lifts what is confidential"
        until = each.effective_until
        if until is not None and until < each.effective_from:
            yield each.code, "effective_until", "is before effective_from"


class Exemptions:
    """The exemptions that the county applies. Immutable; `version` is the file's, `hash` the
    SHA-256 of its bytes, and `approved_by` names the people who approved the county's own file."""

    def __init__(
        self,
        entries: Iterable[Exemption],
        version: str,
        sha256: str,
        approved_by: tuple[str, ...] = (),
    ) -> None:
        self.entries = tuple(entries)
        self.version = version
        self.hash = sha256
        self.approved_by = approved_by
        self._by_code = {each.code: each for each in self.entries}

    def find(self, code: str) -> Exemption | None:
        """The exemption with this code, in force or not."""
        return self._by_code.get(code)

    def in_force(
        self, code: str, on: date, field: str | None = None, kind: str = PUBLIC_RECORDS
    ) -> Exemption | None:
        """The exemption with this code if it is in force on this day, is for cases of this kind
        and, where a field is named, is for this field."""
        found = self._by_code.get(code)
        if found is None or not found.is_in_force(on) or not found.is_for(kind):
            return None
        return found if field is None or field in found.fields else None

    def for_trigger(
        self, trigger: Trigger, on: date, kind: str = PUBLIC_RECORDS
    ) -> Exemption | None:
        """The first exemption in force with this trigger that is for cases of this kind."""
        for each in self.entries:
            if each.trigger == trigger and each.is_in_force(on) and each.is_for(kind):
                return each
        return None


def load_exemptions(
    path: Path | None = None,
    approvers: Path | None = None,
    *,
    local: bool,
    rules_only: bool = False,
) -> Exemptions:
    """The county's own file at `path`, or the one packaged here. `approvers`: the file of
    approvers, two of whom must have approved the county's own file. `local`: whether this is a
    local stack; elsewhere, entries that counsel has not confirmed are left out. `rules_only` checks
    only the file, for people who are about to approve it.

    :raises DataFileError: the file is invalid. :raises NotApprovedError: two people have not
    approved it.
    """
    file = load(ExemptionsFile, path or packaged("direct311.runtime", "exemptions.yaml"), problems)
    approved_by: tuple[str, ...] = ()
    if path is not None and not rules_only:
        if approvers is None:
            raise NotApprovedError(
                f"{path.name} needs a file of approvers; set …_APPROVERS_FILE too"
            )
        approved_by = approvers_of(SUBJECT, path, approvers)
    loaded = (each for each in file.content.entries if local or each.confirmed)
    return Exemptions(loaded, file.content.version, file.sha256, approved_by)
