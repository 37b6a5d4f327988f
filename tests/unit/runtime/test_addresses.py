"""The addresses of other services that a service needs to know."""

import pytest
from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import AddressSettings, NoAddressError
from direct311.schemas.claims import SERVICES


class DeskSettings(AddressSettings):
    model_config = SettingsConfigDict(env_prefix="DESK_", frozen=True)


def test_every_service_can_have_an_address() -> None:
    assert set(AddressSettings.model_fields) == {f"{each}_url" for each in SERVICES}


def test_an_address_that_is_needed_and_not_set_is_named() -> None:
    settings = DeskSettings(intake_url="http://intake")
    assert settings.address_of("intake") == "http://intake"
    with pytest.raises(NoAddressError, match="DESK_MEDIA_URL"):
        settings.address_of("media")
