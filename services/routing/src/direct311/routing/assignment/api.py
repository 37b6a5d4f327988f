"""Departments and rules, as they are in force."""

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
