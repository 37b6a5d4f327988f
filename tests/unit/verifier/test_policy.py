"""Policies: the form of c2sp.org/tlog-policy, and the quorums that it can say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.verifier.checkpoint import Checkpoint, verify_checkpoint
from direct311.verifier.note import Cosigner, Note, Signer, UnverifiedNoteError
from direct311.verifier.policy import Policy, PolicyError
from tests.support.audit_log import LOG_SIGNER, ORIGIN, private_key

AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
NOTE = Checkpoint(ORIGIN, 7, bytes(32)).sign([LOG_SIGNER])
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
COSIGNERS = {name: Cosigner(f"{name}.example.org", private_key(name)) for name in NAMES}
SUCCESSOR = Signer(ORIGIN, private_key("successor"))
WITNESSES = "".join(f"witness {name} {COSIGNERS[name].key} https://{name}/\n" for name in NAMES)
TWO_LEVELS = f"""
# the county's log, while its key is exchanged
log {LOG_SIGNER.key} https://audit.example.org/log/
\tlog  {SUCCESSOR.key}
{WITNESSES}
group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def policy(text: str) -> Policy:
    return Policy.parse(text.encode())


def cosigned(names: set[str]) -> str:
    lines = (COSIGNERS[name].sign(NOTE.text, AT) for name in sorted(names))
    return str(Note(NOTE.text, (*NOTE.signatures, *lines)))


def test_a_policy_says_logs_witnesses_and_quorum() -> None:
    read = policy(TWO_LEVELS)
    assert read.log_keys == (LOG_SIGNER.key, SUCCESSOR.key)
    assert [(each.name, each.key, each.url) for each in read.witnesses] == [
        (name, COSIGNERS[name].key, f"https://{name}/") for name in NAMES
    ]


@given(st.sets(st.sampled_from(NAMES)))
def test_a_quorum_of_groups_is_what_it_says(names: set[str]) -> None:
    trust = policy(TWO_LEVELS).trust
    enough = len(names & {"X1", "X2", "X3"}) >= 2 and bool(names & {"Y1", "Y2", "Y3"})
    if enough:
        assert len(verify_checkpoint(cosigned(names), trust).seen_at) == len(names)
    else:
        with pytest.raises(UnverifiedNoteError, match="'X-and-Y' cosigned"):
            verify_checkpoint(cosigned(names), trust)


def test_what_is_missing_is_said_by_name() -> None:
    trust = policy(f"log {LOG_SIGNER.key}\n{WITNESSES}group few 3 X1 X2 Y1\nquorum few\n").trust
    with pytest.raises(UnverifiedNoteError) as error:
        verify_checkpoint(cosigned({"X1", "X3"}), trust)
    assert str(error.value) == (
        "1 of the 3 members of the quorum 'few' cosigned the checkpoint, 3 are required; "
        "missing: X2.example.org, Y1.example.org"
    )


def test_one_witness_may_be_the_quorum_and_none_may_be_asked_for() -> None:
    one = f"log {LOG_SIGNER.key}\nwitness a {COSIGNERS['X1'].key}\n"
    alone = policy(f"{one}quorum a\n").trust
    assert verify_checkpoint(cosigned({"X1"}), alone).seen_at == {"X1.example.org": AT}
    with pytest.raises(UnverifiedNoteError):
        verify_checkpoint(cosigned({"X2"}), alone)
    assert verify_checkpoint(cosigned(set()), policy(f"{one}quorum none\n").trust).seen_at == {}


A = f"witness a {COSIGNERS['X1'].key}\n"
B = f"witness b {COSIGNERS['X2'].key}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no quorum line"),
        ("quorum none", "no newline at its end"),
        ("quorum none\r\n", "control characters"),
        ("quorum none\nquorum none\n", "line 2 .* one quorum line"),
        ("quorum nobody\n", "no earlier line defines"),
        ("quorum\n", "not a log, witness"),
        ("policy 1\nquorum none\n", "line 1 .* not a log, witness"),
        (f"log {LOG_SIGNER.key} a b\nquorum none\n", "not a log, witness"),
        (f"log {COSIGNERS['X1'].key}\nquorum none\n", "not a log's"),
        (f"log {str(LOG_SIGNER.key)[:-2]}\nquorum none\n", "verifier key"),
        (f"log {LOG_SIGNER.key}\nlog {LOG_SIGNER.key}\nquorum none\n", "line 2 .* twice"),
        (f"witness a {LOG_SIGNER.key}\nquorum a\n", "not a witness's"),
        (f"{A}witness b {COSIGNERS['X1'].key}\nquorum a\n", "twice"),
        (f"{A}{B.replace(' b ', ' a ')}quorum a\n", "taken"),
        (f"{A.replace(' a ', ' none ')}quorum none\n", "taken"),
        (f"{A}group g 0 a\nquorum g\n", "between one"),
        (f"{A}group g 2 a\nquorum g\n", "between one"),
        (f"{A}group g some a\nquorum g\n", "all, any or a number"),
        (f"{A}group g \u0661 a\nquorum g\n", "all, any or a number"),
        (f"{A}group g any\nquorum g\n", "not a log, witness"),
        (f"{A}group g any a a\nquorum g\n", "two places"),
        (f"{A}{B}group g any a\ngroup h all a b\nquorum h\n", "two places"),
        (f"{A}group g any none\nquorum g\n", "no earlier line"),
        (f"group g any a\n{A}quorum g\n", "line 1 .* no earlier line"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_line(text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        policy(text)


def test_names_are_octets() -> None:
    data = A.encode().replace(b" a ", b" \xff\xfe ") + b"quorum \xff\xfe\n"
    assert len(Policy.parse(data).witnesses) == 1
