"""Random and malformed calls against every OpenAPI document: no 5xx, nothing undocumented, no leak.

A few in `make test`; `make fuzz` runs every phase, and asserts how many cases it took.
"""

import json
import os
import sys
from pathlib import Path

import anyio
import pytest

from tests.fuzz.callers import (
    CALLERS,
    LINK,
    NOT_PAST_THE_DOOR,
    SERVICE,
    callers,
    roles,
    table,
)
from tests.support.canaries import Canary, Search
from tests.support.county import County

USUAL = 250
"""Examples for each operation of `make fuzz`, unless it is told otherwise."""
SHARE = {"audit": 0.2}
"""Of them for a service whose calls take longer: each question to audit is an entry of its log."""
LEAST = 20_000
"""Cases that `make fuzz` takes at least."""
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
PHASES = "examples,coverage,fuzzing,stateful" if EXAMPLES else "fuzzing"
CANARY = "Tlahuizcalpantecuhtli"
"""The reporter's name: in no answer but that of the vault's door, and in no log."""
CANARIES = Search([Canary("the reporter's name", CANARY)])
SERVICE_CODE = "ANI-STRAY-DOG"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.e2e,
    pytest.mark.policy("P20"),
    pytest.mark.timeout(7200 if EXAMPLES else 600),
]


@pytest.fixture(scope="module")
def ran() -> dict[str, int]:
    """Cases that were run, by service."""
    return {}


async def _given(service: str, county: County) -> str:
    """What the hooks must know, in JSON."""
    answer = await county.submit(
        {
            "service_code": SERVICE_CODE,
            "lat": "25.6789",
            "long": "-80.3456",
            "first_name": CANARY,
            "phone": "305-555-0142",
            "email": "fuzz@example.org",
            "extensions": "true",
        }
    )
    assert answer.status_code == 200, answer.text
    (taken,) = answer.json()
    tokens = {LINK: f"{taken['extended_attributes']['link_token']}"}
    for role in set(roles(service)) - {LINK}:
        headers = await (
            county.service_headers(role, service)
            if role.startswith(SERVICE)
            else county.session.headers(service, role, "fuzz")
        )
        tokens[role] = headers["Authorization"].removeprefix("Bearer ")
    return json.dumps(
        {
            "service": service,
            "tokens": tokens,
            "api_key": county.known.api_keys["app"],
            "record_id": taken["service_request_id"],
            "service_code": SERVICE_CODE,
            "canary": CANARY,
        }
    )


@pytest.mark.parametrize("service", CALLERS)
async def test_no_call_breaks_a_service_or_its_contract(
    service: str,
    county: County,
    tmp_path: Path,
    ran: dict[str, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = Path(__file__).parent
    report = tmp_path / "report.json"
    # Next to the interpreter: the command of the tests' own environment.
    command = Path(sys.executable).with_name("schemathesis")
    done = await anyio.run_process(
        [
            str(command),
            *("--config-file", str(here / "schemathesis.toml")),
            "run",
            f"{county.known.services[service]}/openapi.json",
            *("--checks", "all"),
            # `found_by_its_maker` of the hooks asks it where it is so.
            *("--exclude-checks", "ensure_resource_availability"),
            *("--max-examples", str(int(EXAMPLES * SHARE.get(service, 1)) or 3)),
            *("--phases", PHASES),
            *("--warnings", "off"),
            *("--wait-for-schema", "60"),
            *("--report", "json", "--report-json-path", str(report)),
            "--no-color",
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "FUZZ": await _given(service, county),
            "PYTHONPATH": str(here.parents[1]),
            "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        },
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()[-60_000:] + done.stderr.decode()[-2000:]
    ran[service] = json.loads(report.read_bytes())["test_cases"]["generated"]
    with capsys.disabled():
        sys.stdout.write(f"\n{service}: {ran[service]:,} cases ")
        sys.stdout.flush()
    # The service has noted what went wrong inside it, and nothing of the reporter.
    log = county.stack.log_file(service)
    assert '"http.error"' not in log.read_text(errors="replace")
    found = [
        each
        for file in log.parent.glob(f"{service}.*")
        for each in CANARIES.in_file(file, log.parent)
    ]
    assert not found


def test_two_call_every_operation_that_a_token_opens() -> None:
    opened = [name for name, allowed in table().items() if isinstance(allowed, list)]
    found = [callers(*name.split(" ", 2)) for name in opened]
    assert all(len({caller.role for caller in each}) == 2 for each in found)
    refused = {
        name
        for name, each in zip(opened, found, strict=True)
        if not any(caller.may for caller in each)
    }
    assert refused == NOT_PAST_THE_DOOR


async def test_all_together_were_enough(
    ran: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    total = sum(ran.values())
    with capsys.disabled():
        sys.stdout.write(f"\n{total:,} cases in all ")
    whole = EXAMPLES >= USUAL and set(ran) == set(CALLERS)
    assert total >= (LEAST if whole else len(ran))
