"""The people of a node: who a token belongs to, and which files are not believed."""

import json
from pathlib import Path

import pytest

from connector.web.people import People
from vocab.errors import Refusal

ROW = {"id": "kim", "name": "김하늘", "duties": ["steward"], "token": "t" * 40}


def written(tmp_path: Path, rows: object, mode: int = 0o600) -> Path:
    path = tmp_path / "people.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows), "utf-8")
    path.chmod(mode)
    return path


def test_a_token_names_its_person_and_no_other(tmp_path: Path) -> None:
    people = People.load(written(tmp_path, [ROW, {**ROW, "id": "lee", "token": "u" * 40}]))
    kim, lee = people.who("t" * 40), people.who("u" * 40)
    assert kim is not None
    assert lee is not None
    assert (kim.id, kim.duties, lee.id) == ("kim", frozenset({"steward"}), "lee")


@pytest.mark.parametrize("token", ["", "t" * 39, "t" * 41, "T" * 40, "t" * 39 + "ㅌ", "\ud800"])
def test_anything_else_is_nobody(tmp_path: Path, token: str) -> None:
    assert People.load(written(tmp_path, [ROW])).who(token) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Refusal) as refused:
        People.load(written(tmp_path, [ROW], mode))
    assert refused.value.code == "people-exposed"


@pytest.mark.parametrize(
    "rows",
    [
        "{",
        {"kim": ROW},
        [{**ROW, "token": "short"}],
        [{**ROW, "token": "t" * 39 + " "}],
        [{**ROW, "role": "admin"}],
        [{**ROW, "duties": "steward"}],
        [{**ROW, "id": "../kim"}],
        [ROW, {**ROW, "token": "u" * 40}],
        [ROW, {**ROW, "id": "lee"}],
    ],
)
def test_a_file_with_anything_unclear_is_refused_and_its_tokens_not_shown(tmp_path: Path, rows: object) -> None:
    with pytest.raises(Refusal) as refused:
        People.load(written(tmp_path, rows))
    assert refused.value.code == "people-invalid"
    assert "tttt" not in str(refused.value)
    assert "short" not in str(refused.value).replace("string_too_short", "").replace("too short", "")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="people-invalid"):
        People.load(tmp_path / "people.json")
