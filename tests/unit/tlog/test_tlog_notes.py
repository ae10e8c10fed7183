"""Notes, keys, cosignatures and policies."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as StrangersCheckpoint
from tlog_writing import COMPANY, HOSPITAL, LOG, NOW, ORIGIN, TWO_CAMPS, Signer, log_of, signed

from vocab.tlog import note
from vocab.tlog.broken import LogBroken, base64ed, decimal, unbase64
from vocab.tlog.note import Algorithm, Checkpoint, Key, Note, Signature
from vocab.tlog.policy import Group, Policy, policy

CHECKPOINT = Checkpoint(ORIGIN, 7, bytes(32))
SIGNED = signed(CHECKPOINT, HOSPITAL, COMPANY)


def lines(data: bytes) -> list[bytes]:
    return data.split(b"\n\n")[1].splitlines(keepends=True)


def with_lines(*kept: bytes) -> bytes:
    return str(CHECKPOINT).encode() + b"\n" + b"".join(kept)


@given(st.integers(0, (1 << 63) - 1))
def test_a_number_has_one_spelling(number):
    assert decimal(str(number)) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "01", " 1", "1 ", "1_0", "١", "1.0", str(1 << 63), "9" * 6000])
def test_another_spelling_of_a_number_is_refused(text):
    with pytest.raises(ValueError, match="decimal"):
        decimal(text)


@given(st.binary(max_size=80))
def test_base64_has_one_spelling(data):
    text = base64ed(data)
    assert unbase64(text, len(data)) == data
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for last in alphabet:
        other = text.rstrip("=")[:-1] + last + "=" * text.count("=")
        if text and other != text and base64.b64decode(other) == data:
            with pytest.raises(ValueError, match="canonical"):
                unbase64(other)


@pytest.mark.parametrize("by", [LOG, HOSPITAL], ids=["log", "witness"])
def test_a_key_reads_back_and_a_stranger_reads_it_alike(by):
    assert note.key(str(by.key)) == by.key
    theirs = Vkey.from_string(str(by.key))
    assert Vkey(theirs.name, None, theirs.sig_type, theirs.pubkey).key_id.to_bytes(4) == by.key.id


@pytest.mark.parametrize("by", [LOG, HOSPITAL, COMPANY], ids=["log", "hospital", "company"])
def test_a_stranger_verifies_our_signatures(by):
    StrangersCheckpoint.from_text(SIGNED.decode()).verify(Vkey.from_string(str(by.key)))


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        str(LOG.key).replace(ORIGIN, "other"),
        str(LOG.key).replace(ORIGIN, ""),
        str(Key("two words", Algorithm.ED25519, bytes(32))),
        str(Key("short", Algorithm.ED25519, bytes(31))),
        f"{ORIGIN}+{LOG.key.id.hex()}+{base64ed(bytes([6]) + LOG.key.public)}",
        str(LOG.key)[:-1] + "!",
        "\ud800+00000000+AQ==",
    ],
)
def test_a_malformed_key_is_refused(vkey):
    with pytest.raises(LogBroken, match="key-malformed"):
        note.key(vkey)


def test_a_note_reads_back():
    read = note.note(SIGNED)
    assert bytes(read) == SIGNED
    assert note.checkpoint(read.text) == CHECKPOINT


@given(st.text(alphabet="ab \n—é한", max_size=40).map(lambda text: text + "\n"))
def test_the_text_ends_at_the_last_empty_line(text):
    data = bytes(Note(text, (note.signed(text, LOG.key, LOG.private.sign),)))
    read = note.note(data)
    assert read.text == text
    assert list(note.signers(read, [LOG.key])) == [LOG.key]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        SIGNED[:-1],
        SIGNED + b"\n",
        SIGNED + b"rest",
        SIGNED.replace(b"\n", b"\r\n"),
        SIGNED.replace(b"7", b"7\x00"),
        b"\xff" + SIGNED,
        SIGNED.replace("—".encode(), b"-"),
        with_lines("— name AAAA\n".encode()),
        with_lines("— na+me AAAAAAAA\n".encode()),
        with_lines("— na\u00a0me AAAAAAAA\n".encode()),
        with_lines("— name  AAAAAAAA\n".encode()),
        with_lines("— name AAAAAAB=\n".encode()),
        with_lines(*lines(SIGNED)[:1] * 17),
        b"x" * (256 * 1024) + SIGNED,
    ],
)
def test_a_malformed_note_is_refused(data):
    with pytest.raises(LogBroken, match="note-malformed"):
        note.note(data)


def test_sixteen_signatures_are_read():
    own, *others = lines(SIGNED)
    assert len(TWO_CAMPS.cosigned(with_lines(own, *others * 7, own)).cosigners) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n7\n",
        f"\n7\n{base64ed(bytes(32))}\n",
        f"{ORIGIN}\n07\n{base64ed(bytes(32))}\n",
        f"{ORIGIN}\n7\n{base64ed(bytes(31))}\n",
        f"{ORIGIN}\n7\n{base64ed(bytes(32))}\n\n",
        f"{ORIGIN}\n7\n{base64ed(bytes(32))}",
    ],
)
def test_a_malformed_checkpoint_is_refused(text):
    with pytest.raises(LogBroken, match="checkpoint-malformed"):
        note.checkpoint(text)


def test_extension_lines_are_kept_and_signed():
    tree = Checkpoint(ORIGIN, 7, bytes(32), ("more", "lines"))
    read = TWO_CAMPS.cosigned(signed(tree, HOSPITAL, COMPANY)).checkpoint
    assert read == tree


def test_a_cosignature_tells_its_time_in_milliseconds():
    assert TWO_CAMPS.cosigned(SIGNED).cosigners == {"h01": NOW // 1000 * 1000, "a02": NOW // 1000 * 1000}


def test_signatures_by_strangers_are_passed_over():
    stranger = Signer("stranger.example", 9)
    assert TWO_CAMPS.cosigned(signed(CHECKPOINT, stranger, HOSPITAL, COMPANY)).cosigners.keys() == {"h01", "a02"}


def test_a_cosignature_is_no_log_signature_and_the_other_way_round():
    """One private key, two algorithms: the signed messages differ, so neither passes for the other."""
    as_witness = Signer(ORIGIN, LOG.seed)
    swapped = Signature(ORIGIN, as_witness.key.id, bytes(8) + LOG.private.sign(str(CHECKPOINT).encode()))
    with pytest.raises(LogBroken, match="signature-broken"):
        note.signers(Note(str(CHECKPOINT), (swapped,)), [as_witness.key])


def test_a_signature_of_the_wrong_length_does_not_hold():
    for extra in (b"", bytes(71), bytes(73)):
        short = Signature(HOSPITAL.name, HOSPITAL.key.id, extra)
        with pytest.raises(LogBroken, match="signature-broken"):
            note.signers(Note(str(CHECKPOINT), (short,)), [HOSPITAL.key])


def test_a_cosignature_from_beyond_all_time_does_not_hold():
    """tlog-cosignature: a time must not exceed 2^63 - 1."""
    latest, beyond = (
        Note(str(CHECKPOINT), (note.cosigned(str(CHECKPOINT), HOSPITAL.key, HOSPITAL.private.sign, seconds * 1000),))
        for seconds in ((1 << 63) - 1, 1 << 63)
    )
    assert HOSPITAL.key in note.signers(latest, [HOSPITAL.key])
    with pytest.raises(LogBroken, match="signature-broken"):
        note.signers(beyond, [HOSPITAL.key])


def test_both_camps_are_needed_and_the_missing_one_is_named():
    own, hospital, company = lines(SIGNED)
    for kept, missing in [((hospital,), "a02, companies, both"), ((company, company), "h01, hospitals, both")]:
        with pytest.raises(LogBroken) as refused:
            TWO_CAMPS.cosigned(with_lines(own, *kept))
        assert (refused.value.code, refused.value.values["missing"]) == ("quorum-missing", missing)


def test_a_checkpoint_without_its_logs_signature_is_refused():
    with pytest.raises(LogBroken, match="log-signature-missing"):
        TWO_CAMPS.cosigned(with_lines(*lines(SIGNED)[1:]))


def test_a_trusted_key_does_not_sign_for_another_origin():
    with pytest.raises(LogBroken, match="log-signature-missing"):
        TWO_CAMPS.cosigned(signed(Checkpoint("other.example", 7, bytes(32)), HOSPITAL, COMPANY))


@pytest.mark.parametrize(
    ("quorum", "cosigners", "met"),
    [
        ("none", "", True),
        ("a", "a", True),
        ("a", "b", False),
        ("two", "a b", True),
        ("two", "a c", False),
        ("two", "a unknown", False),
        ("nested", "a b d", True),
        ("nested", "a d e", False),
        ("nested", "two any", False),
    ],
)
def test_a_quorum_counts_groups_in_groups(quorum, cosigners, met):
    witnesses = {name: Signer(name, ord(name)).key for name in "abcde"}
    groups = {"two": Group(2, ("a", "b")), "any": Group(1, ("c", "d", "e")), "nested": Group(2, ("two", "any"))}
    rule = Policy((LOG.key,), witnesses, groups, quorum)
    assert rule.satisfied(cosigners.split()) is met
    assert policy(bytes(rule)) == rule


def test_groups_nested_a_thousand_deep_are_still_counted():
    text = f"log {LOG.key}\nwitness g0 {HOSPITAL.key}\n" + "".join(f"group g{n} any g{n - 1}\n" for n in range(1, 5001))
    assert policy(f"{text}quorum g5000".encode()).satisfied(["g0"])


def test_words_any_and_all_comments_tabs_and_urls_are_read():
    text = f"""
    # 한글 주석
\tlog {LOG.key} https://log.example
witness h01\t{HOSPITAL.key}  https://h01.example/
witness a02 {COMPANY.key}
group either any h01 a02
group each all either
quorum each
"""
    rule = policy(text.encode())
    assert rule.groups == {"either": Group(1, ("h01", "a02")), "each": Group(1, ("either",))}
    assert rule.satisfied(["a02"])


GOOD = bytes(TWO_CAMPS).decode()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (1, ""),
        (7, GOOD.replace("quorum both\n", "")),
        (8, GOOD + "quorum both\n"),
        (7, GOOD.replace("quorum both", "quorum unknown")),
        (8, GOOD + f"log {LOG.key}\n"),
        (8, GOOD + f"witness again {HOSPITAL.key}\n"),
        (8, GOOD + f"witness h01 {Signer('new', 9).key}\n"),
        (8, GOOD + f"witness none {Signer('new', 9).key}\n"),
        (8, GOOD + f"witness new {Signer('new', 9, Algorithm.ED25519).key}\n"),
        (8, GOOD + f"log {Signer('new', 9).key}\n"),
        (8, GOOD + "group more any h01\n"),
        (8, GOOD + "group more 0 both\n"),
        (8, GOOD + "group more 2 both\n"),
        (8, GOOD + "group more +1 both\n"),
        (8, GOOD + "group more any none\n"),
        (8, GOOD + "group more any more\n"),
        (8, GOOD + "group more any\n"),
        (8, GOOD + "require both\n"),
        (8, GOOD + "# \x00\n"),
        (8, GOOD + "log key\n"),
        (0, GOOD + "\udcff"),
    ],
)
def test_a_policy_line_that_is_not_understood_refuses_the_file(line, text):
    with pytest.raises(LogBroken) as refused:
        policy(text.encode(errors="surrogateescape"))
    assert (refused.value.code, refused.value.values["line"]) == ("policy-malformed", line)


@given(st.sampled_from([note.note, policy, note.signatures, TWO_CAMPS.cosigned]), st.data())
def test_hostile_bytes_are_refused_and_never_crash(read, data):
    """Noise, and noise in the middle of what was good: anything but a `LogBroken` fails the test."""
    good = data.draw(st.sampled_from([b"", SIGNED, bytes(TWO_CAMPS), lines(SIGNED)[1]]))
    low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(good))] * 2)))
    with contextlib.suppress(LogBroken):
        read(good[:low] + data.draw(st.binary(max_size=60)) + good[high:])


def test_the_empty_log_is_a_log():
    assert TWO_CAMPS.cosigned(log_of(0).files["checkpoint"]).checkpoint.size == 0
