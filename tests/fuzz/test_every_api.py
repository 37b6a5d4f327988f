"""Random and malformed calls against every OpenAPI document: no 5xx, no undocumented answer.

A few in `make test`; `make fuzz N=…` for more.
"""

import os
import sys
from pathlib import Path

import anyio
import pytest

from tests.support.county import County

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
PHASES = "examples,coverage,fuzzing" if EXAMPLES else "fuzzing"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)
"""What an answer must be. Whether random data were taken is for tests that know what they send."""

ROLES = {
    "intake": "custodian",
    "media": "agent",
    "geo": "admin",
    "routing": "agent",
    "retention": "custodian",
    "audit": "auditor",
}
"""Who calls: a role that gets past the door of most endpoints."""

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P20")]


@pytest.mark.parametrize("service", ROLES)
async def test_no_call_breaks_a_service_or_its_contract(
    service: str, county: County, tmp_path: Path
) -> None:
    headers = await county.session.headers(ROLES[service], "fuzz")
    # Next to the interpreter: the command of the tests' own environment.
    command = Path(sys.executable).with_name("schemathesis")
    done = await anyio.run_process(
        [
            str(command),
            "run",
            f"{county.session.stack.services[service]}/openapi.json",
            *("--header", f"Authorization: {headers['Authorization']}"),
            *("--header", f"X-Api-Key: {county.known.api_keys['app']}"),
            *("--checks", CHECKS),
            *("--max-examples", str(EXAMPLES or 3)),
            *("--phases", PHASES),
            *("--seed", "311"),
            *("--warnings", "off"),
            *("--suppress-health-check", "all"),
            "--no-color",
        ],
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()[-6000:] + done.stderr.decode()[-2000:]
