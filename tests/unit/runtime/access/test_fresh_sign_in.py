"""An approval is a fresh sign-in: whose, of what, when, and with which key."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from direct311.runtime.access.fresh_sign_in import (
    ApprovalError,
    Approvals,
    canonical,
    nonce_of,
    thumbprint_of,
)
from direct311.schemas import events as ev
from tests.support.disclosures import CLIENT, ISSUER, InMemorySeenKeys, Provider, provider_key
from tests.support.runtime import NOW

pytestmark = pytest.mark.anyio

APPROVALS = Approvals(ISSUER, CLIENT)
CONTENT = {"case_id": "case-1", "record_ids": ["a", "b"], "number": 2}
NONCE = nonce_of("disclosure-grant", CONTENT)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def provider() -> Provider:
    return Provider()


def refusal(approval: ev.Approval, nonce: str = NONCE) -> str:
    with pytest.raises(ApprovalError) as refused:
        APPROVALS.check(approval, nonce)
    return str(refused.value)


# ---------------------------------------------------------------- what is approved


def test_the_canonical_form_does_not_depend_on_order_or_blanks() -> None:
    # RFC 8785, section 3.2: members sorted, no blanks, characters as they are.
    given = json.loads('{ "b" : [1, true, null], "a": "\\u00e9\\n\\u000f" }')
    assert canonical(given) == '{"a":"é\\n\\u000f","b":[1,true,null]}'.encode()


@pytest.mark.parametrize("value", [1.5, {"é": 1}, 2**53, "\ud800", {"a": [0.1]}, float("nan")])
def test_what_has_no_canonical_form_cannot_be_approved(value: object) -> None:
    with pytest.raises(ApprovalError):
        canonical(value)


def test_the_nonce_is_a_hash_of_what_is_approved_and_of_what_kind_it_is() -> None:
    assert len(NONCE) == 43
    assert nonce_of("disclosure-grant", dict(reversed(CONTENT.items()))) == NONCE
    assert nonce_of("disclosure-package", CONTENT) != NONCE
    assert nonce_of("disclosure-grant", CONTENT | {"number": 3}) != NONCE


# ---------------------------------------------------------------- whose and when


def test_a_fresh_sign_in_over_this_hash_is_an_approval(provider: Provider) -> None:
    APPROVALS.check(provider.approval("carla", NONCE, NOW), NONCE)


def test_an_audience_may_be_a_list_of_one(provider: Provider) -> None:
    APPROVALS.check(provider.approval("carla", NONCE, NOW, aud=[CLIENT], azp=CLIENT), NONCE)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://another.test"}, "another identity provider's"),
        ({"iss": None}, "another identity provider's"),
        ({"aud": "svc-intake"}, "another client"),
        ({"aud": [CLIENT, "svc-intake"]}, "another client"),
        ({"aud": None}, "another client"),
        ({"azp": "svc-intake"}, "another client"),
        ({"sub": "olga"}, "another person's"),
        ({"sub": "CARLA"}, "another person's"),
        ({"sub": None}, "another person's"),
        ({"nonce": "n" * 43}, "something else"),
        ({"nonce": None}, "something else"),
        ({"nonce": 7}, "something else"),
        ({"auth_time": None}, "no auth_time"),
        ({"auth_time": "1"}, "no auth_time"),
        ({"auth_time": True}, "no auth_time"),
        ({"iat": None}, "no iat"),
        ({"exp": None}, "no exp"),
        ({"exp": int(NOW.timestamp()) - 60}, "time that cannot be"),
        ({"iat": int(NOW.timestamp()) + 60}, "time that cannot be"),
        ({"iat": int(NOW.timestamp()) - 60}, "time that cannot be"),
        ({"head": {"typ": "at+jwt"}}, "not an ID token"),
        ({"head": {"typ": "direct311-link+jwt"}}, "not an ID token"),
    ],
)
def test_no_other_token_is_an_approval(
    provider: Provider, changes: dict[str, Any], why: str
) -> None:
    assert why in refusal(provider.approval("carla", NONCE, NOW, **changes))


@pytest.mark.parametrize(
    ("later", "good"),
    [
        (timedelta(), True),
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, seconds=1), False),
        (timedelta(hours=8), False),
        (timedelta(seconds=-31), False),
    ],
)
def test_fresh_means_within_five_minutes_of_the_sign_in(
    provider: Provider, later: timedelta, good: bool
) -> None:
    at: datetime = NOW + later
    ends = int((NOW + timedelta(days=1)).timestamp())
    approval = provider.approval("carla", NONCE, NOW, exp=ends)
    approval = approval.model_copy(update={"approved_at": at})
    if good:
        APPROVALS.check(approval, NONCE)
    else:
        assert "five minutes" in refusal(approval)


def test_an_expired_id_token_approves_nothing(provider: Provider) -> None:
    approval = provider.approval("carla", NONCE, NOW, exp=int(NOW.timestamp()) + 60)
    late = approval.model_copy(update={"approved_at": NOW + timedelta(minutes=3)})
    assert "expired" in refusal(late)


# ---------------------------------------------------------------- with which key


def test_a_token_that_the_kept_key_did_not_sign_is_refused(provider: Provider) -> None:
    approval = provider.approval("carla", NONCE, NOW)
    other = dict(provider_key("idp-1").as_dict(private=False))
    assert "not signed" in refusal(approval.model_copy(update={"key": other}))
    head, claims, signature = approval.id_token.split(".")
    for token in (f"{head}.{claims}.", f"{head}.{claims}.{signature[::-1]}", "", "x", "a.b.c"):
        assert "not signed" in refusal(approval.model_copy(update={"id_token": token}))


def test_a_secret_is_no_providers_key(provider: Provider) -> None:
    """Whoever keeps the approval could make such a token."""
    secret = OctKey.import_key("x" * 32)
    claims = {"iss": ISSUER, "aud": CLIENT, "sub": "carla", "nonce": NONCE}
    token = jwt.encode({"alg": "HS256"}, claims, secret)
    key = {"kty": "oct", "k": str(secret.as_dict(private=True)["k"])}
    approval = ev.Approval(approver="carla", approved_at=NOW, id_token=token, key=key)
    assert "not a public key" in refusal(approval)
    private = dict(provider.key.as_dict(private=True))
    approval = provider.approval("carla", NONCE, NOW).model_copy(update={"key": private})
    assert "not a public key" in refusal(approval)


@pytest.mark.parametrize("key", [{}, {"kty": "OKP"}, {"kty": "none"}, {"kty": "RSA", "n": "x"}])
def test_what_is_no_key_is_refused_without_being_shown(
    provider: Provider, key: dict[str, str]
) -> None:
    approval = provider.approval("carla", NONCE, NOW).model_copy(update={"key": key})
    assert "key" in refusal(approval)


async def test_on_receipt_the_provider_must_publish_the_key(provider: Provider) -> None:
    approval = provider.approval("carla", NONCE, NOW)
    found = await APPROVALS.check_on_receipt(approval, NONCE, provider, InMemorySeenKeys(), NOW)
    assert found == thumbprint_of(approval.key)
    provider.published = [provider_key("idp-2")]
    with pytest.raises(ApprovalError, match="does not publish"):
        await APPROVALS.check_on_receipt(approval, NONCE, provider, InMemorySeenKeys(), NOW)
    # Years later, offline, it is still the approval that it was.
    APPROVALS.check(approval, NONCE)


async def test_a_forger_with_a_key_of_their_own_approves_nothing(provider: Provider) -> None:
    forger = Provider()
    forged = forger.approval("carla", NONCE, NOW)
    APPROVALS.check(forged, NONCE)
    with pytest.raises(ApprovalError, match="does not publish"):
        await APPROVALS.check_on_receipt(forged, NONCE, provider, InMemorySeenKeys(), NOW)


async def test_an_id_token_becomes_an_approval_with_the_key_that_signed_it(
    provider: Provider,
) -> None:
    provider.published = [provider_key("idp-0"), provider.key]
    token = provider.id_token("carla", NONCE, NOW)
    approval = await APPROVALS.approved(token, NONCE, NOW, provider)
    assert (approval.approver, approval.approved_at) == ("carla", NOW)
    assert thumbprint_of(approval.key) == provider.key.thumbprint()
    assert "d" not in approval.key
    provider.published = [provider_key("idp-0")]
    with pytest.raises(ApprovalError, match="does not publish"):
        await APPROVALS.approved(token, NONCE, NOW, provider)


# ---------------------------------------------------------------- the principals file


def test_the_principals_file_names_the_client(tmp_path: Path) -> None:
    path = tmp_path / "principals.json"
    path.write_text(json.dumps({"approvals": {"client_id": CLIENT}, "services": []}))
    assert Approvals.from_file(path, ISSUER) == APPROVALS
    path.write_text("{}")
    assert Approvals.from_file(path, ISSUER) is None


@pytest.mark.parametrize(
    "approvals", [{}, [], {"client_id": ""}, {"client_id": 7}, {"client_id": "svc-intake"}]
)
def test_a_services_client_approves_nothing(tmp_path: Path, approvals: object) -> None:
    services = [{"service": "intake", "client_id": "svc-intake", "audience": "urn:x"}]
    path = tmp_path / "principals.json"
    path.write_text(json.dumps({"approvals": approvals, "services": services}))
    with pytest.raises(ApprovalError):
        Approvals.from_file(path, ISSUER)
