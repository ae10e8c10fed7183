"""What a witness signs, and what it never signs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_writing import COMPANY, HOSPITAL, LOG, NOW, ORIGIN, MemoryLog, Signer, log_of, signed

from vocab.errors import Refusal
from vocab.tlog import note, proof, witness
from vocab.tlog.broken import LogBroken
from vocab.tlog.hash import EMPTY
from vocab.tlog.note import Checkpoint, Note
from vocab.tlog.witness import Known

BIG = log_of(700)
FORK = MemoryLog().append(b"other", *BIG.entries[1:])


def checkpoint(log: MemoryLog, size: int) -> bytes:
    return signed(Checkpoint(ORIGIN, size, log.root(size)))


def known(size: int, log: MemoryLog = BIG) -> Known:
    return Known(size, log.root(size))


def request(old: int, new: int, log: MemoryLog = BIG) -> bytes:
    return witness.request(old, proof.consistency(old, new, log.read), checkpoint(log, new))


def refusal(body: bytes, state: Known, log: note.Key | None = LOG.key) -> Refusal:
    with pytest.raises(Refusal) as refused:
        witness.agreed(witness.asked(body), log, state)
    return refused.value


@settings(deadline=None)
@given(st.integers(0, 700), st.data())
def test_a_log_that_only_grew_is_cosigned(new, data):
    old = data.draw(st.integers(0, new))
    agreed = witness.agreed(witness.asked(request(old, new)), LOG.key, known(old))
    assert (agreed.size, agreed.root) == (new, BIG.root(new))


def test_the_answer_joins_the_checkpoint_and_a_stranger_could_read_it():
    agreed = witness.agreed(witness.asked(request(5, 9)), LOG.key, known(5))
    answer = witness.cosignature(agreed, HOSPITAL.key, HOSPITAL.private.sign, NOW)
    assert answer.status == 200
    stranger = witness.cosignature(agreed, Signer("x.example", 9).key, Signer("x.example", 9).private.sign, NOW).body
    found = witness.cosignatures(agreed, answer.body + stranger, [HOSPITAL.key, COMPANY.key])
    assert [each.name for each in found] == [HOSPITAL.name]
    joined = Note(str(agreed), (*note.note(checkpoint(BIG, 9)).signatures, *found))
    assert list(note.signers(note.note(bytes(joined)), [LOG.key, HOSPITAL.key])) == [LOG.key, HOSPITAL.key]


def test_an_answer_with_a_false_signature_is_refused_by_the_log():
    agreed = Checkpoint(ORIGIN, 9, BIG.root(9))
    answer = witness.cosignature(agreed, HOSPITAL.key, COMPANY.private.sign, NOW)
    with pytest.raises(LogBroken, match="signature-broken"):
        witness.cosignatures(agreed, answer.body, [HOSPITAL.key])


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"\n" * 99, b"\xe2\x80\x94 a b\n"])
def test_an_answer_that_is_no_signature_is_refused_by_the_log(body):
    with pytest.raises(LogBroken, match="note-malformed"):
        witness.cosignatures(Checkpoint(ORIGIN, 9, BIG.root(9)), body, [HOSPITAL.key])


def test_a_witness_that_is_elsewhere_tells_its_size():
    refused = refusal(request(5, 9), known(7))
    answer = witness.refused(refused, known(7))
    assert (refused.code, answer) == ("witness-size", (409, "text/x.tlog.size", b"7\n"))
    assert witness.known_size(answer.body) == 7


@pytest.mark.parametrize("body", [b"", b"x", b"-1\n", b"1\n\n", b"\xff", b"9" * 5000])
def test_a_size_that_is_no_number_is_refused(body):
    with pytest.raises(LogBroken, match="note-malformed"):
        witness.known_size(body)


@settings(deadline=None)
@given(st.integers(1, 699), st.data())
def test_a_rewritten_history_is_never_cosigned(old, data):
    new = data.draw(st.integers(old + 1, 700))
    refused = refusal(request(old, new, FORK), known(old))
    assert (refused.code, refused.status) == ("witness-proof", 422)


def test_two_roots_of_one_size_are_a_fork():
    refused = refusal(request(9, 9, FORK), known(9))
    assert (refused.code, refused.status) == ("witness-fork", 409)
    nothing = witness.request(0, [], signed(Checkpoint(ORIGIN, 0, bytes(32))))
    assert refusal(nothing, Known()).code == "witness-fork"


def test_the_same_checkpoint_is_cosigned_again():
    assert witness.agreed(witness.asked(request(9, 9)), LOG.key, known(9)).size == 9


def test_a_first_checkpoint_needs_no_proof_and_bears_none():
    assert witness.agreed(witness.asked(request(0, 9)), LOG.key, Known(0, EMPTY)).size == 9
    with_proof = witness.request(0, [bytes(32)], checkpoint(BIG, 9))
    assert refusal(with_proof, Known()).code == "witness-proof"


def test_an_unknown_log_is_not_found():
    assert refusal(request(0, 9), Known(), None).status == 404
    assert refusal(request(0, 9), Known(), Signer("other.example", 1).key).code == "witness-log-unknown"


def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden():
    good = request(5, 9)
    unsigned = bytes(Note(str(Checkpoint(ORIGIN, 9, BIG.root(9))), note.note(checkpoint(BIG, 8)).signatures))
    for body in (witness.request(5, list(witness.asked(good).proof), unsigned), good.replace(b"\n9\n", b"\n10\n")):
        refused = refusal(body, known(5))
        assert (refused.code, refused.status) == ("witness-log-signature", 403)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff",
        b"old 0\n",
        request(5, 9).replace(b"old 5", b"old 05"),
        request(5, 9).replace(b"old 5", b"old -5"),
        request(5, 9).replace(b"old 5", b"new 5"),
        request(5, 9).replace(b"old 5", b"old 10"),
        request(5, 9).replace(b"old 5\n", b"old 5\n" + b"AAAA\n"),
        witness.request(5, [bytes(32)] * 64, checkpoint(BIG, 9)),
        request(5, 9)[:-1],
        request(5, 9).replace(b"\n9\n", b"\n09\n"),
    ],
)
def test_a_malformed_request_is_a_bad_request(body):
    with pytest.raises(Refusal) as refused:
        witness.asked(body)
    assert (refused.value.code, refused.value.status) == ("witness-request-malformed", 400)
    assert witness.refused(refused.value, Known()).status == 400


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_changed_byte_of_a_request_gets_another_tree_cosigned(data):
    body = request(300, 600)
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([body[at] ^ data.draw(st.integers(1, 255))]) + body[at + 1 :]
    with pytest.raises(Refusal):
        witness.agreed(witness.asked(changed), LOG.key, known(300))
