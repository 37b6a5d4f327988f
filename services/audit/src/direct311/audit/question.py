"""The filter for entries, as callers give it in questions and in holds."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from direct311.audit.entry import Filter
from direct311.runtime.parameters import AskedInstant, in_order
from direct311.runtime.text import Line
from direct311.schemas import Model, RecordId
from direct311.schemas import events as ev

Action = Literal[ev.AccessAction, ev.RecordAct, "certify", "case", "grant", "revoke", "release"]
Code = Annotated[str, Field(max_length=100), Line]
Name = Annotated[str, Field(max_length=200), Line]
CaseId = Annotated[str, Field(max_length=200), Line]


class Question(Model, extra="forbid"):
    """Which entries to find. Every given condition must match.

    `role` and `field`: one of the access's roles and fields. `session`: the id of the credential
    that was used. `instance`: one process of a service; `host`: the machine that the processes ran
    on. `case`: a disclosure case. `since` and `until` (both included) limit when the access
    occurred.
    """

    record: RecordId | None = None
    actor: Name | None = None
    department: Code | None = None
    role: Code | None = None
    purpose: Code | None = None
    case: CaseId | None = None
    action: Action | None = None
    outcome: ev.AccessOutcome | None = None
    field: Code | None = None
    service: Code | None = None
    instance: Name | None = None
    host: Name | None = None
    session: Name | None = None
    break_glass: bool | None = None
    since: AskedInstant | None = None
    until: AskedInstant | None = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        in_order(self.since, self.until)
        return self

    @property
    def filter(self) -> Filter:
        given = {name: getattr(self, name) for name in Question.model_fields}
        record, case = given.pop("record"), given.pop("case")
        return Filter(**given, case_id=case, record_ids=(record,) if record else ())
