"""The departments and rules in force, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends

from direct311.routing.api import CallerOf
from direct311.routing.assignment.domain.rules import Rulebook
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Model


class DepartmentView(Model):
    department: str
    name: str
    alias: str
    topic: str


class RuleView(Model):
    rule: str
    department: str
    reason: str
    due_working_days: int | None


class RulesView(Model):
    """The rules in force, in the order in which they are tried."""

    version: str
    citation: str
    rules: tuple[RuleView, ...]


def router(rulebook: Rulebook, caller_of: CallerOf) -> APIRouter:
    """What decides."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.get("/departments")
    async def departments(caller: Annotated[Caller, who]) -> list[DepartmentView]:
        """Who takes requests, and on which topic."""
        return [
            DepartmentView.model_validate(each.model_dump())
            for each in rulebook.departments.values()
        ]

    @api.get("/rules")
    async def rules(caller: Annotated[Caller, who]) -> RulesView:
        """The rules in force."""
        return RulesView(
            version=rulebook.rules.version,
            citation=rulebook.rules.citation,
            rules=tuple(
                RuleView(
                    rule=rule.rule,
                    department=rule.then.department,
                    reason=rule.reason,
                    due_working_days=rule.then.due_working_days,
                )
                for rule in rulebook.rules.rules
            ),
        )

    return api
