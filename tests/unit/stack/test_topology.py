"""What deploy/*.yaml says, and the rights that follow from it."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from deploy.local.topology import DEPLOY, AccessRule, Topology, TopologyError
from direct311.runtime.access.rules import load_access_policy
from direct311.schemas import claims
from direct311.schemas import topics as catalogue
from direct311.schemas.events import AccessAction

FORTNIGHT = timedelta(days=14)


@pytest.fixture(scope="module")
def topology() -> Topology:
    return Topology.read()


def _changed(tmp_path: Path, file: str, change: Any) -> Path:
    for name in ("topics.yaml", "principals.yaml", "buckets.yaml"):
        shutil.copy(DEPLOY / name, tmp_path / name)
    document = yaml.safe_load((tmp_path / file).read_text())
    change(document)
    (tmp_path / file).write_text(yaml.safe_dump(document))
    return tmp_path


def test_every_event_has_its_topic_and_only_its_producers_write_it(topology: Topology) -> None:
    writers: dict[str, set[str]] = {}
    for kind in catalogue.ALL:
        for department in topology.departments if "{department}" in kind.topic else ("",):
            users = {
                f"dept-{department}" if producer == "department" else producer
                for producer in kind.producers
            }
            name = kind.topic.replace("{department}", department)
            writers.setdefault(name, set()).update(users)
    # Copies for departments, and what failed, travel on topics beside the events' own.
    copies = {catalogue.routed_topic(code): {"routing"} for code in topology.departments}
    letters = {catalogue.dead_letter_topic(service.name) for service in topology.services}
    assert {topic.name: set(topic.writers) for topic in topology.topics} == (
        writers | copies | {letter: {letter.removeprefix("deadletters.")} for letter in letters}
    )


def test_who_may_speak_of_sealed_fields_is_who_seals(topology: Topology) -> None:
    assert {each.name for each in topology.services} == set(claims.SERVICES)
    assert {each.name for each in topology.services if each.seals} == set(claims.SEALING)
    fields = {each.field for each in load_access_policy().rules.fields}
    assert set(claims.HELD_BY) <= fields
    assert set(claims.HELD_BY.values()) <= {*claims.SEALING, *claims.BY_GRANT}
    assert set(claims.SEALING).isdisjoint(claims.BY_GRANT)
    assert set(claims.DONE_BY) == set(get_args(AccessAction))


def test_the_broker_forgets_before_any_retention_schedule_does(topology: Topology) -> None:
    for topic in topology.topics:
        assert topic.retention <= FORTNIGHT, topic.name
        assert topic.segment <= timedelta(days=1), topic.name
        assert topic.configuration["retention.ms"] == str(
            int(topic.retention.total_seconds()) * 1000
        )


def test_production_keeps_three_copies_two_in_sync() -> None:
    for topic in Topology.read(scale="production").topics:
        assert (topic.replication, topic.min_insync) == (3, 2), topic.name


def test_partitions_are_the_same_at_every_scale(topology: Topology) -> None:
    """The order within a key depends on them, so a copy of production must cut alike."""
    production = {
        topic.name: topic.partitions for topic in Topology.read(scale="production").topics
    }
    assert {topic.name: topic.partitions for topic in topology.topics} == production


def test_every_service_that_reads_has_a_dead_letter_topic(topology: Topology) -> None:
    services = {service.kafka for service in topology.services}
    for topic in topology.topics:
        if topic.name.startswith("deadletters."):
            assert topic.dead_letters == frozenset()
        else:
            readers = topic.readers & services
            assert topic.dead_letters == {f"deadletters.{reader}" for reader in readers}


def test_a_department_reaches_its_own_topics_and_nothing_else(topology: Topology) -> None:
    rules = {rule for rule in topology.access_rules() if rule.user == "dept-parks"}
    assert rules == {
        AccessRule("dept-parks", "read", "topic", "routed.parks"),
        AccessRule("dept-parks", "read", "topic", "replies.parks"),
        AccessRule("dept-parks", "write", "topic", "updates.parks"),
        AccessRule("dept-parks", "read", "group", "dept-parks"),
    }


def test_no_group_of_one_principal_is_open_to_another(topology: Topology) -> None:
    for rule in topology.access_rules():
        if rule.resource == "group":
            assert rule.name.rstrip(".") == rule.user
            assert rule.prefixed == rule.name.endswith(".")


def test_only_audit_reads_who_read_personal_information(topology: Topology) -> None:
    readers = {
        rule.user
        for rule in topology.access_rules()
        if rule.operation == "read" and rule.name == "pii.accessed"
    }
    assert readers == {"audit"}


def test_bucket_policies_name_each_service_apart(topology: Topology) -> None:
    who: dict[str, set[str]] = {}
    for bucket in topology.buckets:
        policy = topology.bucket_policy(bucket)
        assert policy is not None
        for statement in json.loads(policy)["Statement"]:
            principal = statement["Principal"]
            who.setdefault(bucket.name, set()).update(
                principal if principal == "*" else principal["AWS"]
            )
            if principal == "*":
                assert statement["Action"] == ["s3:GetObject"]
                assert statement["Resource"] == ["arn:aws:s3:::direct311-public/*"]
    assert who == {
        "direct311-incoming": {"media"},
        "direct311-sealed": {"media"},
        "direct311-public": {"media", "*"},
        "direct311-cases": {"retention"},
        "direct311-log": {"audit"},
    }


def test_no_service_may_change_a_policy_or_end_a_lock(topology: Topology) -> None:
    for service in topology.services:
        for on_bucket, on_objects in service.store.values():
            for action in (*on_bucket, *on_objects):
                assert "Policy" not in action
                assert "Bypass" not in action
                assert "*" not in action
                assert action != "s3:DeleteBucket"


def test_the_log_is_locked_and_the_sealed_originals_versioned(topology: Topology) -> None:
    buckets = {bucket.name: bucket for bucket in topology.buckets}
    assert buckets["direct311-log"].object_lock
    assert buckets["direct311-log"].versioned
    assert buckets["direct311-sealed"].versioned


def test_an_unknown_writer_is_refused(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        document["topics"]["request.created"]["writers"] = ["nobody"]

    folder = _changed(tmp_path, "topics.yaml", change)
    with pytest.raises(TopologyError, match="nobody"):
        Topology.read(folder)


def test_a_department_that_is_added_gets_topics_and_rules(tmp_path: Path) -> None:
    folder = _changed(
        tmp_path, "principals.yaml", lambda document: document["departments"].append("libraries")
    )
    topology = Topology.read(folder)
    names = {topic.name for topic in topology.topics}
    assert {"routed.libraries", "updates.libraries", "replies.libraries"} <= names
    assert AccessRule("dept-libraries", "read", "topic", "routed.libraries") in (
        topology.access_rules()
    )


def test_rights_on_an_unknown_bucket_are_refused(tmp_path: Path) -> None:
    def change(document: Any) -> None:
        del document["buckets"]["direct311-log"]

    folder = _changed(tmp_path, "buckets.yaml", change)
    with pytest.raises(TopologyError, match="direct311-log"):
        Topology.read(folder)
