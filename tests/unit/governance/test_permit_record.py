"""The permit as a signed document: what is not exactly a permit of this issuer is refused."""

import base64
import json
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from governance.boards.permits import es256
from vocab.errors import Refusal
from vocab.records.attestations import ATTESTATIONS, missing, word_key
from vocab.records.permit import TYPE, Covered, Permit, issued, verified
from vocab.words import known

OP = "did:web:op.example"
KEY = generate_private_key(SECP256R1())
POINT = KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
PERMIT = Permit(
    id="urn:uuid:1",
    issuer=OP,
    study="urn:uuid:2",
    applicant="did:web:a02.example",
    datasets=(Covered("D-H01-DM", "did:web:h01.example", ("age", "sex")),),
    purpose="https://w3id.org/p",
    legal_purpose="https://w3id.org/l",
    disease=("E11",),
    code_digests=("sha256:" + "0" * 64,),
    image_digests=("sha256:" + "1" * 64,),
    zone="did:web:p01.example",
    begins=1_800_000_000_000,
    until=1_800_000_015_000,
    irb_decision="approved",
    irb_until=1_900_000_000_000,
    drb="approved",
    outcome_reward=1_000_000,
    max_jobs=20,
    decision_digest="ab" * 32,
)
JWS = issued(PERMIT, es256(KEY))


def forged(header=None, claims=None, key=KEY):
    def b64(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    head = {"alg": "ES256", "kid": f"{OP}#token", "typ": TYPE, **(header or {})}
    text = f"{b64(head)}.{b64({**PERMIT.claims(), **(claims or {})})}"
    signature = base64.urlsafe_b64encode(es256(key)(text.encode())).rstrip(b"=").decode()
    return f"{text}.{signature}"


def test_a_permit_reads_back_as_it_was_issued():
    assert verified(JWS, OP, POINT) == PERMIT
    assert PERMIT.dataset("D-H01-DM").columns == ("age", "sex")
    assert PERMIT.dataset("D-H03-LAB") is None


def test_a_foreign_library_reads_it():
    claims = jwt.decode(JWS, KEY.public_key(), algorithms=["ES256"], options={"verify_exp": False})
    assert claims == PERMIT.claims()
    assert jwt.get_unverified_header(JWS)["typ"] == "dure-permit+jwt"


@pytest.mark.parametrize(
    "change",
    [
        {"until": "1800000015000"},
        {"until": 1_800_000_000_000},
        {"from": True},
        {"surprise": 1},
        {"drb": "conditional"},
        {"datasets": []},
        {"datasets": [{"id": "D", "provider": "did:web:x", "columns": []}]},
        {"datasets": [{"id": "D", "provider": "did:web:x", "columns": ["a"], "rows": 3}]},
        {"datasets": [{"id": "D", "provider": "did:web:x", "columns": ["a"]}] * 2},
        {"irb": {"decision": "pending", "until": 1}},
        {"iss": "did:web:other.example"},
        {"outcome_reward": 1.5},
        {"outcome_reward": -1},
    ],
)
def test_a_signed_claim_that_is_not_a_permits_is_refused(change):
    with pytest.raises(Refusal, match="permit-invalid"):
        verified(forged(claims=change), OP, POINT)


@pytest.mark.parametrize(
    "change", [{"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"kid": "did:web:other#token"}, {"jku": "https://x"}]
)
def test_another_header_is_refused(change):
    with pytest.raises(Refusal, match="permit-invalid"):
        verified(forged(header=change), OP, POINT)


def test_another_key_another_byte_another_shape_is_refused():
    head, claims, signature = JWS.split(".")
    other = base64.urlsafe_b64encode(
        base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)).replace(b"age", b"bge")
    ).rstrip(b"=")
    unsigned = [
        forged(key=generate_private_key(SECP256R1())),
        f"{head}.{other.decode()}.{signature}",
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{head}.{claims}.{signature}.x",
        "",
        "é.é.é",
        f"{head}.%%%.{signature}",
    ]
    for jws in unsigned:
        with pytest.raises(Refusal, match="permit-invalid"):
            verified(jws, OP, POINT)
    with pytest.raises(Refusal, match="permit-invalid"):
        verified(JWS, "did:web:other.example", POINT)


def test_a_permit_names_each_provider_once():
    more = replace(PERMIT, datasets=(*PERMIT.datasets, Covered("D2", "did:web:h01.example", ("a",))))
    assert more.providers == ("did:web:h01.example",)


def test_every_attestation_has_its_sentence():
    assert all(known(word_key(code)) for code in ATTESTATIONS)
    assert missing([]) == list(ATTESTATIONS)
    assert missing(list(ATTESTATIONS[1:])) == [ATTESTATIONS[0]]
