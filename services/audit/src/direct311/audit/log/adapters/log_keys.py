"""The file with the log's keys, and the policy that says who witnesses the log."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.audit.log.handlers.log_keys import LogKey, LogKeyError, LogKeys
from direct311.verifier.note import Algorithm, Signer, VerifierKey
from direct311.verifier.policy import Policy


def read_log_keys(path: Path) -> LogKeys:
    """`{"name": origin, "private": base64 of the 32-byte seed}`, or, while keys are exchanged,
    `{"name", "keys": [{"private", "from", "until"}, …]}` with instants (ISO 8601 with offset),
    either of which may be missing. Beside either form `"retired": [vkey, …]`, the public halves of
    keys that signed before.

    :raises LogKeyError: the file is invalid; the message repeats nothing from it.
    """
    try:
        document: Any = json.loads(path.read_bytes())
        keys = document.get("keys", [document])
        retired = [_public(each) for each in document.get("retired", [])]
        return LogKeys([_key(document["name"], each) for each in keys], retired)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise LogKeyError("the file with the log's keys cannot be read") from None


def _key(name: str, document: Any) -> LogKey:
    seed = base64.b64decode(document["private"], validate=True)
    signer = Signer(name, Ed25519PrivateKey.from_private_bytes(seed))
    return LogKey(signer, _instant(document.get("from")), _instant(document.get("until")))


def _public(vkey: str) -> VerifierKey:
    key = VerifierKey.parse(vkey)
    if key.algorithm is not Algorithm.ED25519:
        raise ValueError("the key is not a log's")
    return key


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("an instant without its offset")
    return at


def read_policy(path: Path, keys: LogKeys) -> Policy:
    """The policy (c2sp.org/tlog-policy) under which `keys`' log publishes.

    :raises PolicyError: the file is not a policy. :raises LogKeyError: the policy does not name one
    of the log's keys, or its witnesses with an address cannot make its quorum.
    """
    policy = Policy.parse(path.read_bytes())
    if policy.log_keys:
        for each in keys.all:
            if each.signer.key not in policy.log_keys:
                raise LogKeyError(f"the policy does not name the log's key {each.signer.key}")
    reachable = {each.key for each in policy.witnesses if each.url}
    if not policy.quorum.reached(reachable):
        raise LogKeyError("the policy's quorum needs witnesses for which it gives no address")
    return policy
