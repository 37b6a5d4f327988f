"""The list that a county begins with: taken whole, or refused without a word of what is in it."""

import hashlib
import json
from pathlib import Path

import pytest

from direct311.intake.clients.adapters.first_clients import ClientsFileError, read_clients
from tests.support.runtime import NOW

HASH = hashlib.sha256(b"a-key-from-before").hexdigest()
OLD = {
    "client_id": "app",
    "name": "311Direct app",
    "key_sha256": HASH.upper(),
    "flags": ["retries_without_key"],
    "jurisdictions": ["miamidade"],
}


def write(path: Path, entries: object) -> Path:
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return path


def test_a_list_from_before_is_taken_over_with_its_keys(tmp_path: Path) -> None:
    (client,) = read_clients(write(tmp_path / "c.json", [OLD]), "production", NOW)
    assert (client.client_id, client.environment) == ("app", "production")
    assert client.retries_without_key
    assert [key.sha256 for key in client.keys] == [HASH]
    again = read_clients(tmp_path / "c.json", "production", NOW)
    assert again[0].keys[0].key_id == client.keys[0].key_id
    assert read_clients(None, "production", NOW) == []


@pytest.mark.parametrize(
    "entries",
    [
        "no JSON",
        {},
        [{}],
        [OLD, OLD],
        [OLD, {**OLD, "client_id": "other"}],
        [OLD | {"client_id": "Not an id"}],
        [OLD | {"key_sha256": "short"}],
        [OLD | {"flags": ["unknown"]}],
    ],
)
def test_a_list_with_a_mistake_is_refused_without_its_content(
    tmp_path: Path, entries: object
) -> None:
    with pytest.raises(ClientsFileError) as refused:
        read_clients(write(tmp_path / "c.json", entries), "test", NOW)
    assert HASH not in str(refused.value)
    assert "c.json" in str(refused.value)


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientsFileError):
        read_clients(tmp_path / "none.json", "test", NOW)
