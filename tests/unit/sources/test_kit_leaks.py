"""The leak scan finds what is hidden, and says when it could not have."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest

from connector.kit.leaks import control, scan, search
from connector.kit.needles import Needles

#: Whom we look for; the file's other rows are others.
NEEDLES = {
    "resident_number": ["601231-9123456"],
    "phone": ["010-0000-4321"],
    "patient_id": ["H01-0004711"],
    "name": ["남궁민수", "김영수"],
}
#: Whom one file holds: nobody twice of a kind, so that each is seen to be found.
FILES = [{"resident_number": 0, "phone": 0, "patient_id": 0, "name": 0}, {"name": 1}]
WHO = [(kind, needle) for kind, needles in NEEDLES.items() for needle in needles]


def _hashed(name: str, who: str) -> str:
    return hashlib.new(name, who.encode()).hexdigest()


DISGUISES: dict[str, Callable[[str], str]] = {
    "itself": str,
    "in a sentence": lambda who: f"환자({who}), 확인함",
    "no dashes": lambda who: who.replace("-", ""),
    "other dashes": lambda who: who.replace("-", "."),
    "lower case": str.lower,
    "reversed": lambda who: who[::-1],
    "url": quote,
    "url in CP949": lambda who: quote(who.encode("cp949")),
    "JSON escapes": json.dumps,
    "base64": lambda who: base64.b64encode(who.encode()).decode(),
    "base64 of a record": lambda who: base64.b64encode(
        json.dumps({"who": who, "n": 1}, ensure_ascii=False).encode()
    ).decode(),
    "base64url": lambda who: base64.urlsafe_b64encode(f"??{who}??".encode()).decode(),
    "base64 of UTF-16": lambda who: base64.b64encode(who.encode("utf-16")).decode(),
    "hex": lambda who: who.encode().hex(),
    "HEX": lambda who: who.encode().hex().upper(),
    "hex of base64": lambda who: base64.b64encode(who.encode()).hex(),
    "md5": lambda who: _hashed("md5", who),
    "sha1": lambda who: _hashed("sha1", who),
    "sha256": lambda who: hashlib.sha256(who.encode()).hexdigest(),
    "sha256 of the bare number": lambda who: hashlib.sha256(who.replace("-", "").encode()).hexdigest(),
    "sha256 cut to 20": lambda who: hashlib.sha256(who.encode()).hexdigest()[:20],
    "sha256 in base64": lambda who: base64.b64encode(hashlib.sha256(who.encode()).digest()).decode(),
}


def parquet(path: Path, values: list[str], options: str = "COMPRESSION zstd") -> Path:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT 'row ' || i AS value FROM range(1000) r(i)")
    connection.execute("INSERT INTO t SELECT unnest(?::VARCHAR[])", [values])
    connection.execute(f"COPY (FROM t ORDER BY hash(value)) TO '{path}' (FORMAT parquet, {options})")
    return path


def csv(path: Path, values: list[str]) -> Path:
    path.write_text("value\n" + "\n".join(values) + "\n")
    return path


FORMS = {"zstd": parquet, "csv": csv}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_every_identifier_is_found_in_every_disguise(tmp_path: Path, disguise: str, form: str) -> None:
    for one in FILES:
        who = [NEEDLES[kind][place] for kind, place in one.items()]
        found, *_ = search(
            [FORMS[form](tmp_path / "file", [DISGUISES[disguise](each) for each in who])], Needles(NEEDLES)
        )
        assert {leak.kind for leak in found} == set(one), who


def test_other_peoples_data_are_not_taken_for_theirs(tmp_path: Path) -> None:
    near = ["601231-9123457", "010-0000-4322", "H01-0004712", "김영순", "0100000432", "60123191234"]
    disguised = [hide(who) for hide in DISGUISES.values() for who in near]
    findings = scan([parquet(tmp_path / "a", disguised), csv(tmp_path / "b", disguised)], NEEDLES)
    assert findings.clean
    assert findings.found == ()


def test_a_number_stored_as_a_number_is_found(tmp_path: Path) -> None:
    path = tmp_path / "numbers.parquet"
    query = "SELECT 6012319123456 AS a, CAST(1000004321 AS DOUBLE) AS b"
    duckdb.sql(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    assert {(one.kind, one.place) for one in scan([path], NEEDLES).found} >= {
        ("resident_number", "column a"),
        ("phone", "column b"),
    }


def test_metadata_and_column_names_are_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "meta", [], "KV_METADATA {made_by: '김영수'}")
    assert {(one.kind, one.place) for one in scan([path], NEEDLES).found} >= {("name", "key-value metadata")}
    path = tmp_path / "names"
    duckdb.sql(f"""COPY (SELECT 1 AS "010-0000-4321") TO '{path}' (FORMAT parquet)""")
    found = scan([path], NEEDLES).found
    assert ("phone", "column names") in {(one.kind, one.place) for one in found}
    assert "4321" not in str(found)


@pytest.mark.parametrize("charset", ["utf-8", "cp949", "utf-16-le", "utf-16-be"])
def test_bytes_in_a_column_are_read_in_every_character_set(tmp_path: Path, charset: str) -> None:
    path = tmp_path / "blob"
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT ?::BLOB AS b", ["김영수 씨".encode(charset)])
    connection.execute(f"COPY t TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    assert {one.kind for one in scan([path], NEEDLES).found} == {"name"}


def test_a_digest_stored_as_bytes_is_found(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT ?::BLOB AS b", [hashlib.sha256(b"010-0000-4321").digest()])
    connection.execute(f"COPY t TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    assert {(one.kind, one.disguise) for one in scan([path], NEEDLES).found} == {("phone", "sha256")}


def test_what_stands_between_the_pages_is_read_too(tmp_path: Path) -> None:
    path = parquet(tmp_path / "gap", [])
    content = path.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    path.write_bytes(content[:footer] + "김영수".encode() + content[footer:])
    assert {(one.kind, one.place) for one in scan([path], NEEDLES).found} == {("name", "bytes")}


def test_a_page_that_cannot_be_decoded_proves_nothing(tmp_path: Path) -> None:
    path = parquet(tmp_path / "damaged", [])
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    path.write_bytes(content)
    findings = scan([path], NEEDLES)
    assert findings.missed == ("unreadable: damaged",)
    assert not findings.clean


def test_a_search_over_bytes_would_prove_nothing_where_this_finds_all(tmp_path: Path) -> None:
    marks = [f"canary-{number:05d}-{hashlib.sha256(str(number).encode()).hexdigest()}" for number in range(2000)]
    path = parquet(tmp_path / "canaries", marks)
    content = path.read_bytes()
    assert sum(mark.encode() in content for mark in marks) <= 2  # the statistics hold the first and the last
    [finding] = [one for one in scan([path], {"canary": marks}).found if one.place == "column value"]
    assert finding.count == 2000


def test_a_mark_across_two_chunks_of_a_large_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "large.log"
    path.write_bytes(b"x" * ((1 << 20) - 5) + b"|010-0000-4321|" + b"y" * (1 << 20))
    assert scan([path], {"phone": NEEDLES["phone"]}).found


FORMATS = [("parquet", "ZSTD"), ("parquet", "SNAPPY"), ("parquet", "UNCOMPRESSED"), ("plain", "")]


@pytest.mark.parametrize(("kind", "codec"), FORMATS)
def test_the_control_finds_all_that_it_planted(kind: str, codec: str) -> None:
    planted, missed = control(kind, codec)
    assert planted >= 40
    assert missed == []


def test_the_control_has_the_format_and_codec_of_each_file(tmp_path: Path) -> None:
    one, _ = control("parquet", "ZSTD")
    files = [parquet(tmp_path / "a", []), parquet(tmp_path / "b", [], "COMPRESSION snappy"), csv(tmp_path / "c", [])]
    findings = scan(files, NEEDLES)
    assert findings.planted == 3 * one
    assert findings.clean


@pytest.mark.parametrize("seal", ["gzip", "broken parquet"])
def test_a_file_that_cannot_be_read_proves_nothing(tmp_path: Path, seal: str) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(gzip.compress("김영수".encode()) if seal == "gzip" else b"PAR1" + b"?" * 100)
    findings = scan([path], NEEDLES)
    assert not findings.found
    assert not findings.proves
    assert not findings.clean
    assert findings.missed


def test_no_files_prove_nothing() -> None:
    assert not scan([], NEEDLES).proves


def test_a_needle_that_stands_in_any_text_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least"):
        Needles({"initial": ["김"]})
