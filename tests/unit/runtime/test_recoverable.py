"""For how long what was destroyed can still be found: the latest of three places."""

from datetime import timedelta

import pytest

from deploy.local.topology import Topology
from direct311.runtime.settings import ServiceSettings

DAY = timedelta(days=1)


def settings(**values: object) -> ServiceSettings:
    return ServiceSettings.model_validate(
        {
            "port": 1,
            "public_url": "http://127.0.0.1:1",
            "kafka_bootstrap": "k",
            "kafka_username": "u",
            "kafka_password": "p",
            "database_url": "mongodb://d",
            "database_name": "d",
            "issuer_url": "http://127.0.0.1:2",
            "client_id": "c",
            "client_secret": "s",
            "signing_key_file": "f",
            "principals_file": "f",
            **values,
        }
    )


@pytest.mark.parametrize("longest", ["database_log_kept", "backups_kept", "topics_kept"])
def test_the_latest_of_the_three_counts(longest: str) -> None:
    assert settings(**{longest: "P90D"}).recoverable_for == 90 * DAY
    assert settings(**{longest: "7776000"}).recoverable_for == 90 * DAY


def test_none_of_the_others_makes_it_shorter() -> None:
    assert settings(database_log_kept="P1D", topics_kept="P1D").recoverable_for == 35 * DAY


def test_what_is_said_of_the_topics_is_what_they_are_made_with() -> None:
    kept = max(topic.retention + topic.segment for topic in Topology.read().topics)
    assert settings().topics_kept >= kept
