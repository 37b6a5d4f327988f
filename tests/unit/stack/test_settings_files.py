"""What each process is told, and who else may read it."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.local import database, environment, secret
from deploy.local.environment import FIXED_PORTS, Place
from deploy.local.kafka import configuration
from deploy.local.stack import Stack, StackError
from deploy.local.topology import Topology
from direct311.audit.log.adapters.log_keys import read_log_keys, read_policy
from direct311.runtime.messaging.signing import Principals, Signer
from direct311.runtime.settings import ServiceSettings, StoreSettings

SERVICES = ("intake", "media", "geo", "routing", "retention", "audit")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return Stack.create(tmp_path_factory.mktemp("stacks") / "one", kind="test")


def _environment(stack: Stack, name: str) -> dict[str, str]:
    return environment.from_file((stack.place.env / f"{name}.env").read_text())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_read_its_settings(
    stack: Stack, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in _environment(stack, name).items():
        monkeypatch.setenv(variable, value)

    class Settings(ServiceSettings, env_prefix=f"{name.upper()}_"):
        pass

    settings = Settings()
    assert settings.environment == "test"
    assert settings.port == FIXED_PORTS[name]
    assert settings.kafka_username == name
    assert settings.database_url.get_secret_value().startswith(f"mongodb://{name}:")
    assert settings.database_url.get_secret_value().endswith(
        f"/{name}?directConnection=true&authSource={name}"
    )
    signer = Signer.from_file(settings.signing_key_file)
    assert signer.keyid.startswith(f"{name}-")
    assert Principals.from_file(settings.principals_file) is not None


@pytest.mark.parametrize("name", ["media", "audit"])
def test_who_keeps_objects_has_an_account_of_its_own(
    stack: Stack, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in _environment(stack, name).items():
        monkeypatch.setenv(variable, value)

    class Settings(StoreSettings, env_prefix=f"{name.upper()}_"):
        pass

    settings = Settings()
    assert settings.store_access_key == name
    assert settings.store_secret_key.get_secret_value() == stack.credentials.store[name]
    assert settings.store_secure is False


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_told_no_secret_of_another(stack: Stack, name: str) -> None:
    text = "\n".join(_environment(stack, name).values())
    credentials = stack.credentials
    own = {name, f"svc-{name}"}
    for secrets in (
        credentials.kafka,
        credentials.database,
        credentials.store,
        credentials.clients,
    ):
        for owner, value in secrets.items():
            assert (value in text) == (owner in own)
    assert credentials.operator not in text


def test_only_who_seals_has_a_key_encryption_key(stack: Stack) -> None:
    sealing = {name for name in SERVICES if f"{name.upper()}_KEK_FILE" in _environment(stack, name)}
    assert sealing == {"intake", "media", "retention", "audit"}
    for name in sealing:
        document = json.loads((stack.place.keys / f"{name}-kek.json").read_text())
        assert len(base64.b64decode(document["keys"][document["current"]])) == 32


def test_nobody_else_can_read_a_stack(stack: Stack) -> None:
    assert stack.root.stat().st_mode & 0o777 == 0o700
    for folder in (stack.place.env, stack.place.keys, stack.place.data, stack.place.log):
        assert folder.stat().st_mode & 0o777 == 0o700
    secrets = [*stack.place.env.iterdir(), *stack.place.keys.iterdir(), *stack.root.glob("*.json")]
    assert secrets
    for path in secrets:
        assert path.stat().st_mode & 0o777 == 0o600, path.name


def test_public_keys_fit_the_private_ones_and_are_valid_now(stack: Stack) -> None:
    document = json.loads((stack.root / "principals.json").read_text())
    entries: dict[str, dict[str, Any]] = {
        f"{entry['service']}-signing": entry for entry in document["keys"]
    }
    assert set(entries) == {f"{service}-signing" for service in SERVICES}
    # The key of residents' links signs no event.
    (entries["intake-link"],) = document["link_keys"]
    now = datetime.now(UTC)
    for name, entry in entries.items():
        private = json.loads((stack.place.keys / f"{name}.json").read_text())
        assert entry["keyid"] == private["keyid"]
        assert entry["public"] == secret.public_of(private["private"])
        before, after = (datetime.fromisoformat(entry[it]) for it in ("not_before", "not_after"))
        assert before <= now < after


def test_the_gateway_knows_api_keys_by_their_hash_alone(stack: Stack) -> None:
    clients = json.loads((stack.root / "clients.json").read_text())
    keys = stack.dev["api_keys"]
    assert {client["client_id"] for client in clients} == {"app", "legacy"}
    for client in clients:
        key = keys[client["client_id"]]
        assert client["key_sha256"] == hashlib.sha256(key.encode()).hexdigest()
        assert key not in json.dumps(clients)
        assert ("retries_without_key" in client["flags"]) == (client["client_id"] == "legacy")


def test_opening_a_stack_again_changes_no_secret(stack: Stack) -> None:
    def secrets() -> dict[str, bytes]:
        files = [
            *stack.place.keys.iterdir(),
            *stack.place.env.iterdir(),
            *stack.root.glob("*.json"),
        ]
        return {path.name: path.read_bytes() for path in files}

    before = secrets()
    again = Stack(stack.root)
    assert secrets() == before
    assert again.credentials == stack.credentials


def test_a_new_department_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    topology = Topology.read()
    path = tmp_path / "credentials.json"
    few = Topology(
        topology.services,
        topology.approvals,
        topology.departments[:1],
        topology.admin,
        topology.buckets,
        topology.topics,
    )
    first = secret.Credentials.keep(path, few)
    second = secret.Credentials.keep(path, topology)
    assert set(second.kafka) - set(first.kafka) == {f"dept-{it}" for it in topology.departments[1:]}
    assert first.kafka.items() <= second.kafka.items()


def test_a_second_stack_shares_no_port_and_no_secret(tmp_path: Path, stack: Stack) -> None:
    other = Stack.create(tmp_path / "two", ports="free", kind="test")
    assert not set(other.place.ports.values()) & set(stack.place.ports.values())
    assert len(set(other.place.ports.values())) == len(FIXED_PORTS)
    assert not set(other.credentials.kafka.values()) & set(stack.credentials.kafka.values())


def test_the_policy_names_the_logs_key_and_asks_for_two_of_three_witnesses(stack: Stack) -> None:
    values = _environment(stack, "audit")
    keys = read_log_keys(Path(values["AUDIT_LOG_KEY_FILE"]))
    policy = read_policy(Path(values["AUDIT_POLICY_FILE"]), keys)
    assert policy.log_keys == tuple(each.signer.key for each in keys.all)
    assert [(each.name, each.url) for each in policy.witnesses] == [
        (f"witness-{number}", f"http://127.0.0.1:832{number}") for number in (1, 2, 3)
    ]
    assert (policy.quorum.least, len(policy.quorum.members)) == (2, 3)


def test_a_stack_from_before_a_part_was_added_gives_it_its_usual_port(tmp_path: Path) -> None:
    older = Stack.create(tmp_path / "older", kind="test").root / "stack.json"
    document = json.loads(older.read_text())
    del document["ports"]["witness-2"]
    older.write_text(json.dumps(document))
    assert Stack(older.parent).place.ports["witness-2"] == FIXED_PORTS["witness-2"]


def test_a_stack_that_was_never_made_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="there is no stack"):
        Stack(tmp_path)


def test_an_unknown_part_is_named_with_those_that_exist(stack: Stack) -> None:
    with pytest.raises(StackError, match=r"no part 'mailer'.*kafka.*audit"):
        stack.start("mailer")


def test_nothing_runs_in_a_new_stack(stack: Stack) -> None:
    assert {part.health for part in stack.status()} == {"stopped"}
    assert {part.pid for part in stack.status()} == {None}


def test_the_broker_denies_by_default_and_nobody_is_anonymous(stack: Stack) -> None:
    lines = configuration(stack.place, stack.credentials).splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert properties["super.users"] == "User:broker;User:admin"
    assert properties["listener.security.protocol.map"] == (
        "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    )
    assert properties["auto.create.topics.enable"] == "false"
    assert properties["compression.type"] == "producer"


def test_a_plain_stack_compresses_nothing(tmp_path: Path) -> None:
    plain = Stack.create(tmp_path / "plain", ports="free", kind="test", compression=False)
    assert "compression.type=uncompressed\n" in configuration(plain.place, plain.credentials)
    words = database.command(plain.place)
    assert words[words.index("--block-compressor") + 1] == "none"


def test_containers_find_each_other_by_name_and_people_find_them_on_loopback(
    tmp_path: Path,
) -> None:
    stack = Stack.create(tmp_path / "c", containers=True)
    values = _environment(stack, "media")
    assert values["MEDIA_HOST"] == "0.0.0.0"
    assert values["MEDIA_PUBLIC_URL"] == "http://127.0.0.1:8312"
    assert values["MEDIA_INTAKE_URL"] == "http://intake:8311"
    assert values["MEDIA_KAFKA_BOOTSTRAP"] == "kafka:19092"
    assert values["MEDIA_STORE_ENDPOINT"] == "store:19311"
    properties = configuration(stack.place, stack.credentials)
    assert "listeners=CLIENTS://0.0.0.0:19092,CONTROLLER://127.0.0.1:19093\n" in properties
    assert "advertised.listeners=CLIENTS://kafka:19092\n" in properties


def test_a_database_url_names_where_its_user_is_known() -> None:
    place = Place(Path("/stack"), FIXED_PORTS)
    assert place.database_url("root", "pw", "admin") == (
        "mongodb://root:pw@127.0.0.1:27311/?directConnection=true&authSource=admin"
    )
