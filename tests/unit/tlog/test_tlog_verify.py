"""The whole log: a foreign one holds, each way to tamper is refused under its own name, no changed byte passes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_writing import COMPANY, HOSPITAL, LOG, ORIGIN, TWO_CAMPS, MemoryLog, Signer, entry, log_of, signed

from vocab.errors import LANGUAGES, catalogue, render
from vocab.tlog import note, proof, tiles
from vocab.tlog.broken import LogBroken
from vocab.tlog.hash import EMPTY, leaf
from vocab.tlog.note import Algorithm, Checkpoint, Note
from vocab.tlog.policy import policy
from vocab.tlog.verify import check_log

SAMPLE = Path(__file__).parent / "sample"
SAMPLE_POLICY = policy((SAMPLE / "policy.txt").read_bytes())
SAMPLE_OLD = (SAMPLE / "old-checkpoint").read_bytes()
SAMPLE_ENTRY = (SAMPLE / "entry-123").read_bytes()
Files = dict[str, bytes]


@pytest.fixture
def sample() -> Files:
    """The log that Tessera wrote and two litewitnesses cosigned."""
    root = SAMPLE / "log"
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def test_a_log_by_a_foreign_writer_holds(sample):
    checked = check_log(sample.__getitem__, SAMPLE_POLICY, SAMPLE_OLD)
    assert (checked.size, set(checked.cosigners)) == (300, {"hosp1", "comp1"})


def test_a_proof_by_a_foreign_writer_holds_offline():
    proof_file = (SAMPLE / "entry-123.tlog-proof").read_bytes()
    assert proof.check_proof(proof_file, SAMPLE_ENTRY, SAMPLE_POLICY).checkpoint.size == 300
    assert bytes(proof.proof(proof_file)) == proof_file


def test_a_proof_made_from_foreign_tiles_is_the_foreign_proof(sample):
    path = proof.inclusion(123, 300, tiles.reader(sample.__getitem__, 300))
    assert tuple(path) == proof.proof((SAMPLE / "entry-123.tlog-proof").read_bytes()).path


def cut(files: Files, keep: Callable[[list[bytes]], list[bytes]]) -> None:
    text, signatures = files["checkpoint"].split(b"\n\n")
    files["checkpoint"] = text + b"\n\n" + b"".join(keep(signatures.splitlines(keepends=True)))


def edit(files: Files, name: str, change: Callable[[bytes], bytes]) -> None:
    files[name] = change(files[name])


#: The manipulations of tests/interop/tlog/tamper on files, each with what must be said about it.
TAMPERED = {
    "one bit in an entry": (
        lambda files: edit(files, "tile/entries/000", lambda data: flipped(data, 5)),
        "entry-broken",
        {"entry": 0, "path": "tile/entries/000"},
    ),
    "one bit in a hash tile": (
        lambda files: edit(files, "tile/0/000", lambda data: flipped(data, 7)),
        "tile-broken",
        {"path": "tile/0/000"},
    ),
    "size in the checkpoint edited": (
        lambda files: edit(files, "checkpoint", lambda data: data.replace(b"\n300\n", b"\n299\n")),
        "signature-broken",
        {"by": ORIGIN},
    ),
    "the log's own signature removed": (
        lambda files: cut(files, lambda lines: lines[1:]),
        "log-signature-missing",
        {"origin": ORIGIN},
    ),
    "all cosignatures removed": (
        lambda files: cut(files, lambda lines: lines[:1]),
        "quorum-missing",
        {"missing": "hosp1, comp1, hospitals, companies, both"},
    ),
    "one witness signs twice, the others not": (
        lambda files: cut(files, lambda lines: [lines[0], lines[-1], lines[-1]]),
        "quorum-missing",
        {"missing": "comp1, companies, both"},
    ),
    "an entry bundle is missing": (
        lambda files: files.pop("tile/entries/000"),
        "log-file-missing",
        {"path": "tile/entries/000"},
    ),
    "a bit in a tile above": (
        lambda files: edit(files, "tile/1/000.p/1", lambda data: flipped(data, 31)),
        "tile-broken",
        {"path": "tile/1/000.p/1"},
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_copy_is_refused_and_the_fault_is_named(how, sample):
    change, code, values = TAMPERED[how]
    change(sample)
    with pytest.raises(LogBroken) as refused:
        check_log(sample.__getitem__, SAMPLE_POLICY, SAMPLE_OLD)
    assert (refused.value.code, refused.value.values) == (code, values)


def test_of_several_broken_entries_the_first_is_named(sample):
    edit(sample, "tile/entries/001.p/44", lambda data: flipped(data, len(data) - 1))
    edit(sample, "tile/entries/000", lambda data: flipped(data, len(data) - 1))
    with pytest.raises(LogBroken) as refused:
        check_log(sample.__getitem__, SAMPLE_POLICY)
    assert refused.value.values == {"entry": 255, "path": "tile/entries/000"}


def test_a_log_rolled_back_to_an_older_checkpoint_is_refused(sample):
    newest, sample["checkpoint"] = sample["checkpoint"], SAMPLE_OLD
    with pytest.raises(LogBroken, match="log-shrank"):
        check_log(sample.__getitem__, SAMPLE_POLICY, newest)


def test_another_entry_claimed_at_the_index_is_refused(sample):
    path = proof.inclusion(123, 300, tiles.reader(sample.__getitem__, 300))
    root = SAMPLE_POLICY.cosigned(sample["checkpoint"]).checkpoint.root
    proof.check_inclusion(leaf(SAMPLE_ENTRY), 123, 300, path, root)
    with pytest.raises(LogBroken, match="inclusion-broken"):
        proof.check_inclusion(leaf(SAMPLE_ENTRY + b"x"), 123, 300, path, root)


@pytest.mark.parametrize("old", [0, 1, 255, 256, 257, 511, 512, 513, 600])
def test_a_log_that_only_grew_holds_from_every_size(old):
    log = log_of(600)
    kept = signed(Checkpoint(ORIGIN, old, log.root(old)))
    assert check_log(log.files.__getitem__, TWO_CAMPS, kept).size == 600


@pytest.mark.parametrize("old", [1, 256, 300, 513])
def test_a_forked_history_is_refused_though_all_its_signatures_hold(old):
    kept = log_of(old).files["checkpoint"]
    fork = MemoryLog().append(b"other", *(entry(number) for number in range(1, 600)))
    assert check_log(fork.files.__getitem__, TWO_CAMPS).size == 600
    with pytest.raises(LogBroken) as refused:
        check_log(fork.files.__getitem__, TWO_CAMPS, kept)
    assert (refused.value.code, refused.value.values) == ("log-rewritten", {"size": old})


def test_an_empty_log_with_another_root_is_refused():
    log = log_of(0)
    assert check_log(log.files.__getitem__, TWO_CAMPS).root == EMPTY
    log.files["checkpoint"] = signed(Checkpoint(ORIGIN, 0, bytes(32)), HOSPITAL, COMPANY)
    with pytest.raises(LogBroken, match="root-broken"):
        check_log(log.files.__getitem__, TWO_CAMPS)


def test_files_of_another_history_under_a_signed_checkpoint_are_refused():
    log, other = log_of(300), MemoryLog().append(*(b"%d" % number for number in range(300)))
    with pytest.raises(LogBroken, match="root-broken"):
        check_log((other.files | {"checkpoint": log.files["checkpoint"]}).__getitem__, TWO_CAMPS)


def test_an_older_checkpoint_of_another_log_is_refused():
    other = Signer("other.example", 9, Algorithm.ED25519)
    text = str(Checkpoint(other.name, 1, leaf(entry(0))))
    kept = bytes(Note(text, (note.signed(text, other.key, other.private.sign),)))
    both = replace(TWO_CAMPS, logs=(LOG.key, other.key))
    with pytest.raises(LogBroken, match="log-other"):
        check_log(log_of(3).files.__getitem__, both, kept)


def test_partial_tiles_may_be_gone_once_the_full_ones_are_there():
    log = log_of(600)
    kept = {name: data for name, data in log_of(600, 1024).files.items() if ".p/" not in name}
    files = kept | {"checkpoint": log.files["checkpoint"], "tile/1/000": kept["tile/0/000"]}
    with pytest.raises(LogBroken, match="tile-broken"):
        check_log(files.__getitem__, TWO_CAMPS)
    files |= {"tile/1/000.p/2": log.files["tile/1/000.p/2"]}
    assert check_log(files.__getitem__, TWO_CAMPS).size == 600


SMALL = log_of(300)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_changed_byte_of_any_file_passes(data):
    name = data.draw(st.sampled_from(sorted(SMALL.files)))
    at = data.draw(st.integers(0, len(SMALL.files[name]) - 1))
    changed = flipped(SMALL.files[name], at, data.draw(st.integers(1, 255)))
    with pytest.raises(LogBroken) as refused:
        check_log((SMALL.files | {name: changed}).__getitem__, TWO_CAMPS)
    shown = {render(refused.value, language).what for language in LANGUAGES}
    assert refused.value.code in catalogue()
    assert len(shown) == len(LANGUAGES)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damaged_file_passes_or_crashes_the_check(data):
    """Truncated, lengthened, empty, replaced by noise, not UTF-8, huge, or gone."""
    name = data.draw(st.sampled_from(sorted(SMALL.files)))
    good = SMALL.files[name]
    damaged = data.draw(
        st.one_of(
            st.integers(0, len(good) - 1).map(lambda at: good[:at]),
            st.binary(min_size=1, max_size=50).map(lambda more: good + more),
            st.binary(max_size=200),
            st.just(b"\xff" * len(good)),
            st.just(bytes(20_000_000)),
            st.none(),
        ).filter(lambda other: other != good)
    )
    files = {key: value for key, value in (SMALL.files | {name: damaged}).items() if value is not None}
    with pytest.raises(LogBroken) as refused:
        check_log(files.__getitem__, TWO_CAMPS)
    assert refused.value.code in catalogue()


def test_a_folder_that_cannot_be_read_is_a_missing_file(tmp_path):
    with pytest.raises(LogBroken, match="log-file-missing"):
        check_log(lambda name: (tmp_path / name).read_bytes(), TWO_CAMPS)
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(LogBroken, match="log-file-missing"):
        check_log(lambda name: (tmp_path / name).read_bytes(), TWO_CAMPS)
