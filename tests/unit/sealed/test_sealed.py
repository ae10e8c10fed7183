"""Sealed files open whole, in their own context, or not at all."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.kit.sealed import Sealed, new_key, open_stream, part_key, seal_file, unwrap, wrap
from vocab.errors import Refusal

PIECE = 65_536
KEY, AAD = b"k" * 32, b"agreement-1|train"
SAME_FOLDER = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def sealed(folder: Path, content: bytes, key: bytes = KEY, aad: bytes = AAD) -> tuple[Path, Sealed]:
    plain, cipher = folder / "plain", folder / "cipher"
    cipher.unlink(missing_ok=True)
    plain.write_bytes(content)
    return cipher, seal_file(plain, cipher, key, aad)


def assert_refused(folder: Path, cipher: Path, key: bytes = KEY, aad: bytes = AAD) -> None:
    opened = folder / "opened"
    with pytest.raises(Refusal) as refusal:
        open_stream(cipher, opened, key, aad)
    assert refusal.value.code == "ciphertext-broken"
    assert not opened.exists()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 17])
def test_what_was_sealed_opens_again_at_every_edge_of_a_piece(tmp_path: Path, size: int) -> None:
    content = bytes(i * 31 & 0xFF for i in range(size))
    cipher, record = sealed(tmp_path, content)
    assert open_stream(cipher, tmp_path / "opened", KEY, AAD) == size
    assert (tmp_path / "opened").read_bytes() == content
    assert record.bytes == cipher.stat().st_size
    assert record.sha256 == hashlib.sha256(cipher.read_bytes()).hexdigest()
    assert record.plain_sha256 == hashlib.sha256(content).hexdigest()


@SAME_FOLDER
@given(content=st.binary(max_size=200_000), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_refuses_the_whole_file(
    tmp_path: Path, content: bytes, where: float, bit: int
) -> None:
    cipher, _ = sealed(tmp_path, content)
    raw = bytearray(cipher.read_bytes())
    raw[int(where * len(raw))] ^= 1 << bit
    cipher.write_bytes(raw)
    assert_refused(tmp_path, cipher)


@SAME_FOLDER
@given(content=st.binary(max_size=200_000), keep=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, content: bytes, keep: float) -> None:
    cipher, record = sealed(tmp_path, content)
    cipher.write_bytes(cipher.read_bytes()[: int(keep * record.bytes)])
    assert_refused(tmp_path, cipher)


def test_a_file_cut_between_two_pieces_is_refused(tmp_path: Path) -> None:
    cipher, _ = sealed(tmp_path, b"x" * (3 * PIECE))
    cipher.write_bytes(cipher.read_bytes()[: 80 + 2 * (PIECE + 16)])
    assert_refused(tmp_path, cipher)


def test_two_swapped_pieces_are_refused(tmp_path: Path) -> None:
    cipher, _ = sealed(tmp_path, b"x" * (4 * PIECE))
    raw, step = cipher.read_bytes(), PIECE + 16
    head, pieces = raw[:80], [raw[80 + i * step : 80 + (i + 1) * step] for i in range(4)]
    cipher.write_bytes(head + pieces[1] + pieces[0] + pieces[2] + pieces[3])
    assert_refused(tmp_path, cipher)


def test_something_added_at_the_end_is_refused(tmp_path: Path) -> None:
    cipher, _ = sealed(tmp_path, b"x" * PIECE)
    cipher.write_bytes(cipher.read_bytes() + b"y")
    assert_refused(tmp_path, cipher)


def test_another_key_or_another_context_opens_nothing(tmp_path: Path) -> None:
    cipher, _ = sealed(tmp_path, b"patients")
    assert_refused(tmp_path, cipher, key=b"j" * 32)
    assert_refused(tmp_path, cipher, aad=b"agreement-2|train")


def test_the_same_content_never_seals_to_the_same_bytes(tmp_path: Path) -> None:
    first = sealed(tmp_path, b"patients")[1]
    assert sealed(tmp_path, b"patients")[1].sha256 != first.sha256


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    cipher, _ = sealed(tmp_path, b"patients")
    (tmp_path / "opened").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        open_stream(cipher, tmp_path / "opened", KEY, AAD)
    assert (tmp_path / "opened").read_bytes() == b"mine"


def test_what_is_opened_only_its_owner_may_read(tmp_path: Path) -> None:
    cipher, _ = sealed(tmp_path, b"patients")
    open_stream(cipher, tmp_path / "opened", KEY, AAD)
    assert (tmp_path / "opened").stat().st_mode & 0o777 == 0o600


def test_the_key_of_one_part_does_not_open_another(tmp_path: Path) -> None:
    dek = new_key()
    cipher, _ = sealed(tmp_path, b"patients", key=part_key(dek, "holdout"))
    assert_refused(tmp_path, cipher, key=part_key(dek, "train"))
    assert_refused(tmp_path, cipher, key=dek)
    assert open_stream(cipher, tmp_path / "opened", part_key(dek, "holdout"), AAD) == 8


def test_a_wrapped_key_opens_only_for_its_recipient_and_context() -> None:
    private, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    blob = wrap(KEY, private.public_key().public_bytes_raw(), b"task-1")
    assert unwrap(private, blob, b"task-1") == KEY
    for holder, text, context in [
        (other, blob, b"task-1"),
        (private, blob, b"task-2"),
        (private, blob[:-1], b"task-1"),
    ]:
        with pytest.raises(Refusal) as refusal:
            unwrap(holder, text, context)
        assert refusal.value.code == "key-not-ours"


@SAME_FOLDER
@given(blob=st.binary(max_size=200))
def test_no_bytes_unwrap_by_chance(tmp_path: Path, blob: bytes) -> None:
    with pytest.raises(Refusal, match="key-not-ours"):
        unwrap(X25519PrivateKey.generate(), blob, b"")


@pytest.mark.parametrize("recipient", [b"", b"x" * 31, b"\0" * 32])
def test_a_recipient_key_that_is_no_key_is_refused(recipient: bytes) -> None:
    with pytest.raises(Refusal, match="key-invalid"):
        wrap(KEY, recipient, b"")
