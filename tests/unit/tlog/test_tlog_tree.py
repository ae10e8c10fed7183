"""Trees, tiles and proofs: our own promises, and a stranger's program (tlog-scales) as oracle."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tlog_scales.reader import TilesReader
from tlog_scales.tlog import ConsistencyProof, InclusionProof
from tlog_writing import TWO_CAMPS, MemoryLog, entry, log_of

from vocab.tlog import hash as tree
from vocab.tlog import proof, tiles
from vocab.tlog.broken import LogBroken

BIG = log_of(1, 100, 255, 256, 257, 600, 700)
SIZES = st.integers(1, 700)


class Files:
    """What tlog-scales asks of a backend, over our files in memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def get(self, *parts: str) -> bytes | None:
        return self.files.get("/".join(parts))


def stranger(log: MemoryLog) -> TilesReader:
    reader = TilesReader(Files(log.files))
    reader.get_checkpoint()
    return reader


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_appending_one_by_one_gives_the_root_of_all_together(entries):
    log = MemoryLog()
    for one in entries:
        log.append(one)
    assert log.root() == tree.folded([tree.leaf(one) for one in entries])
    at_once = MemoryLog().append(*entries)
    assert log.nodes == at_once.nodes
    assert log.root() == at_once.root()


@settings(deadline=None)
@given(st.integers(0, 600), st.integers(1, 300))
def test_appending_reads_only_the_peaks(size, more):
    peaks = {at: BIG.nodes[at] for at in tree.peaks(size)}
    new = tree.grown(size, lambda *at: peaks[at], map(tree.leaf, map(entry, range(size, min(size + more, 700)))))
    assert new.items() <= BIG.nodes.items()


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 511, 512, 513, 700])
def test_a_stranger_finds_the_same_root_and_entries(size):
    log = log_of(size)
    reader = stranger(log)
    assert reader.calculate_root_hash() == log.root()
    assert [reader.get_entry(number) for number in range(size)] == log.entries


@settings(deadline=None)
@given(SIZES, st.data())
def test_inclusion_proofs_agree_with_a_strangers_both_ways(size, data):
    index = data.draw(st.integers(0, size - 1))
    ours = proof.inclusion(index, size, BIG.read)
    assert ours == stranger(BIG).get_inclusion_proof(index, size).node_hashes
    InclusionProof(index, size, ours).check(tree.leaf(entry(index)), BIG.root(size))
    proof.check_inclusion(tree.leaf(entry(index)), index, size, ours, BIG.root(size))


@settings(deadline=None)
@given(SIZES, st.data())
def test_consistency_proofs_agree_with_a_strangers_both_ways(new, data):
    old = data.draw(st.integers(1, new))
    ours = proof.consistency(old, new, BIG.read)
    assert ours == stranger(BIG).get_consistency_proof(old, new).node_hashes
    ConsistencyProof(old, new, ours.copy()).check(BIG.root(old), BIG.root(new))
    proof.check_consistency(old, BIG.root(old), new, BIG.root(new), ours)


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_changed_inclusion_proof_is_refused(size, data):
    index = data.draw(st.integers(0, size - 1))
    hashes = proof.inclusion(index, size, BIG.read)
    leaf, root = tree.leaf(entry(index)), BIG.root(size)
    wrong = [
        (leaf, index, size, [*hashes, root]),
        (tree.leaf(entry(index) + b"x"), index, size, hashes),
        (leaf, size, size, hashes),
        (leaf, -1, size, hashes),
        (leaf, index, 0, hashes),
        (leaf, index, size, hashes[:-1] if hashes else [root]),
    ]
    if size > 1:
        wrong.append((leaf, (index + 1) % size, size, hashes))
    for case in wrong:
        with pytest.raises(LogBroken, match="inclusion-broken"):
            proof.check_inclusion(*case, root)


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_changed_consistency_proof_is_refused(new, data):
    old = data.draw(st.integers(1, new))
    hashes = proof.consistency(old, new, BIG.read)
    before, after = BIG.root(old), BIG.root(new)
    other = tree.leaf(b"other")
    wrong = [
        (old, other, new, after, hashes),
        (old, before, new, other, hashes),
        (old, before, new, after, [*hashes, after]),
        (new + 1, before, new, after, hashes),
    ]
    if hashes:
        flipped = data.draw(st.integers(0, len(hashes) - 1))
        wrong += [
            (old, before, new, after, hashes[:-1]),
            (old, before, new, after, [*hashes[:flipped], other, *hashes[flipped + 1 :]]),
        ]
    for case in wrong:
        with pytest.raises(LogBroken, match="consistency-broken"):
            proof.check_consistency(*case)


def test_every_tree_grows_from_the_empty_one_and_from_nothing_else_of_size_0():
    proof.check_consistency(0, tree.EMPTY, 7, BIG.root(7), proof.consistency(0, 7, BIG.read))
    proof.check_consistency(0, tree.EMPTY, 0, tree.EMPTY, [])
    for old_root, new, new_root in [(BIG.root(1), 7, BIG.root(7)), (tree.EMPTY, 0, BIG.root(1))]:
        with pytest.raises(LogBroken, match="consistency-broken"):
            proof.check_consistency(0, old_root, new, new_root, [])


@pytest.mark.parametrize(("index", "size"), [(7, 7), (-1, 7), (0, 0)])
def test_no_proof_is_made_of_what_is_not_there(index, size):
    with pytest.raises(ValueError, match="no entry"):
        proof.inclusion(index, size, BIG.read)


def test_no_proof_is_made_of_a_tree_that_shrank():
    with pytest.raises(ValueError, match="does not hold"):
        proof.consistency(8, 7, BIG.read)


@pytest.mark.parametrize(
    ("at", "path"),
    [
        ((0, 0), "tile/0/000"),
        ((2, 999, 7), "tile/2/999.p/7"),
        (("entries", 1000), "tile/entries/x001/000"),
        ((0, 1234067, 1), "tile/0/x001/x234/067.p/1"),
    ],
)
def test_tiles_lie_where_the_specification_says(at, path):
    assert tiles.path(*at) == path


def test_a_tree_of_70000_has_the_tiles_of_the_specification():
    """The example in tlog-tiles, "Partial Tiles"."""
    read = tree.leaf(b"any")
    files = tiles.growth(0, 70_000, lambda *_: read, lambda _: b"")
    partial = {"tile/0/273.p/112", "tile/entries/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert {name for name in files if ".p/" in name} == partial
    assert len(files) == 274 + 274 + 2 + 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 700), max_size=6))
def test_growth_writes_exactly_the_files_that_are_new(stops):
    stops = sorted({0, *stops})
    for old, new in itertools.pairwise(stops):
        before, after = (tiles.growth(0, size, BIG.read, entry) for size in (old, new))
        step = tiles.growth(old, new, BIG.read, entry)
        assert step == {name: after[name] for name in after.keys() - before.keys()}


@settings(deadline=None)
@given(SIZES)
def test_hashes_read_back_from_files_are_those_that_were_written(size):
    read = tiles.reader(log_of(size).files.__getitem__, size)
    for level in range(size.bit_length()):
        for index in range(size >> level):
            assert read(level, index) == BIG.nodes[level, index]


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_gives_its_entries_back(entries):
    assert tiles.unbundled(tiles.bundle(entries)) == entries


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x02a", b"\x00\x01ab"])
def test_a_bundle_that_ends_inside_an_entry_is_refused(data):
    with pytest.raises(ValueError, match="ends inside entry"):
        tiles.unbundled(data)


def test_reading_a_hostile_bundle_stops_at_one_entry_too_many():
    assert len(tiles.unbundled(bytes(1_000_000))) == 257


def test_the_longest_entry_fits_and_one_byte_more_is_refused():
    longest = bytes(65_535)
    assert tiles.unbundled(tiles.bundle([longest])) == [longest]
    with pytest.raises(LogBroken, match="entry-too-long"):
        tiles.bundle([longest + b"x"])


def test_a_proof_file_verifies_offline_and_only_for_its_entry_and_number():
    path = tuple(proof.inclusion(300, 700, BIG.read))
    data = bytes(proof.Proof(300, path, BIG.files["checkpoint"], extra=b"unsigned"))
    assert proof.proof(data).extra == b"unsigned"
    assert proof.check_proof(data, entry(300), TWO_CAMPS).checkpoint.size == 700
    for wrong, of in [(data, entry(301)), (data.replace(b"index 300", b"index 301"), entry(300))]:
        with pytest.raises(LogBroken, match="inclusion-broken"):
            proof.check_proof(wrong, of, TWO_CAMPS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(proof.Proof(0, (bytes(32),) * 64, BIG.files["checkpoint"])),
        b"\xff\xfe",
        b"c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        b"c2sp.org/tlog-proof@v1\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 00\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex -1\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nx",
        b"c2sp.org/tlog-proof@v1\nextra !\nindex 1\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex " + b"9" * 5000 + b"\n\nx",
        b"c2sp.org/tlog-proof@v1\nindex 1\n" + b"\n" * 3,
    ],
)
def test_a_malformed_proof_file_is_refused(data):
    with pytest.raises(LogBroken, match=r"proof-malformed|note-malformed"):
        proof.check_proof(data, b"", TWO_CAMPS)
