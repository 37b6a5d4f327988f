"""What the command loads before it knows what it is asked: every command waits for it."""

import subprocess
import sys

FEW_NEED = ("aiokafka", "faststream", "joserfc", "opentelemetry", "prometheus_client", "structlog")
"""Libraries that take as long to load as everything else together."""


def test_the_command_starts_without_what_few_commands_need() -> None:
    program = (
        "import sys, direct311.cli.__main__; "
        f"print(*(each for each in {FEW_NEED!r} if each in sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.split() == []
