"""The commands for keys."""

from direct311.cli.__main__ import KeyHolder
from direct311.schemas.claims import SEALING


def test_the_commands_for_keys_know_every_service_that_has_a_vault() -> None:
    assert {each.value for each in KeyHolder} == set(SEALING)
