"""Reads the rules, and builds what decides with them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from direct311.routing.api import CallerOf
from direct311.routing.assignment.adapters import load_rules
from direct311.routing.assignment.api import router
from direct311.routing.assignment.domain.rules import Rulebook
from direct311.routing.assignment.handlers import Routing
from direct311.routing.job import Job, Why
from direct311.routing.settings import RoutingSettings
from direct311.routing.states import States
from direct311.routing.steps import Steps
from direct311.runtime.messaging.records import Handler
from direct311.runtime.messaging.state import Change
from direct311.runtime.process import Resources
from direct311.schemas.model import Model


@dataclass(frozen=True, slots=True)
class Assignment:
    """`rulebook`, `states` and `steps`: what is in force. `handed_over`: gives a job to another
    department."""

    rulebook: Rulebook
    states: States
    steps: Steps
    handed_over: Callable[[Job, str, Why], Change[Job]]
    handlers: Mapping[type[Model], Handler[Any]]
    router: APIRouter


def wire(settings: RoutingSettings, resources: Resources, caller_of: CallerOf) -> Assignment:
    """:raises DataFileError: a file is invalid."""
    files = load_rules(settings.rules_folder)
    routing = Routing(files.rulebook, files.states, resources.clock)
    return Assignment(
        files.rulebook,
        files.states,
        files.steps,
        routing.handed_over,
        routing.handlers(),
        router(files.rulebook, caller_of),
    )
