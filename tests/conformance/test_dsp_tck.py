"""The Dataspace Protocol test kit finds nothing to object to: a stranger, over HTTP, against the real connector."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector.conformance import kit, scripts
from connector.conformance.profile import role, settings
from connector.kit.settings import Settings
from connector.node import build, roles
from tests.conftest import need
from vocab.errors import Refusal

DISABLED_BY_THE_KIT = {"TP:02-04", "TP_C:02-04"}


@pytest.mark.timeout(900)
def test_the_kit_passes_whole_and_all_of_it_reached_the_connector(tmp_path: Path) -> None:
    need(kit.installed(), kit.INSTALL)
    command = [str(Path(sys.executable).with_name("dure")), "conformance", "run", "dsp", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    print(done.stdout)
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert done.returncode == 0, done.stdout + done.stderr
    assert (verdict["executed"], verdict["passed"], verdict["failed"]) == (65, 65, 0)
    assert verdict["kit"] == "1.0.0-RC6"
    lines = [json.loads(line) for line in (tmp_path / "access.jsonl").read_text().splitlines()]
    assert len(lines) == verdict["requests"]["all"] > verdict["executed"]
    started = [one for one in lines if one["path"].startswith("/tck/")]
    consumed = [one for one in (*scripts.NEGOTIATIONS, *scripts.TRANSFERS) if one.startswith(("ACNC", "ATPC"))]
    assert len(started) == len(consumed) - 1  # one transfer is the kit's own disabled scenario
    assert {one["status"] for one in lines if "request" in one["path"].rsplit("/", 1)[-1]} <= {200, 201, 400}
    log = (tmp_path / "tck.log").read_text()
    assert "65 tests successful" in log
    assert "2 tests skipped" in log


def test_a_run_that_reached_nobody_is_no_pass(tmp_path: Path) -> None:
    """The kit can test itself: 65 of 65, and no request of it arrives here."""
    report = tmp_path / "TEST-junit-jupiter.xml"
    cases = "".join(
        f'<testcase name="t{n}"><system-out>display-name: CN:0{n}: x</system-out></testcase>' for n in range(65)
    )
    report.write_text(f"<testsuite>{cases}</testsuite>")
    everywhere = dict.fromkeys(("version", "catalog", "negotiations", "transfers", "triggers"), 1)
    assert kit.verdict("x", report, everywhere).ok
    assert not kit.verdict("x", report, {**everywhere, "triggers": 0}).ok
    assert not kit.verdict("x", report, {}).ok


@pytest.mark.parametrize("content", [None, "", "<testsuite>", '<testsuite><testcase name="one"/></testsuite>'])
def test_no_report_and_too_few_scenarios_are_no_pass(tmp_path: Path, content: str | None) -> None:
    report = tmp_path / "TEST-junit-jupiter.xml"
    if content is not None:
        report.write_text(content)
    everywhere = dict.fromkeys(("version", "catalog", "negotiations", "transfers", "triggers"), 1)
    assert not kit.verdict("x", report, everywhere).ok


def test_the_kits_settings_name_every_scenario_of_the_script() -> None:
    found = kit.properties(8080, "did:web:x", 8083)
    assert found["CN_01_02_OFFERID"] == "CD123:ACN0102:456"
    assert found["TP_C_03_06_AGREEMENTID"] == "ATPC0306"
    assert (found["CAT_01_01_DATASETID"], found["CAT_01_03_DATASETID"]) == ("CAT0101", "CAT0103")
    assert sum(name.endswith("_DATASETID") for name in found) == len(scripts.NEGOTIATIONS) + 3
    assert sum(name.endswith("_AGREEMENTID") for name in found) == len(scripts.TRANSFERS)
    assert not any(value.endswith("/") for value in found.values())


def test_no_setting_switches_the_profile_on(tmp_path: Path) -> None:
    own = settings(8080, tmp_path)
    assert "conformance" not in {one.name for one in roles(own)}
    with pytest.raises(Refusal, match="role-unknown"):
        build(own.model_copy(update={"development": False}), also=(role,))
    path = tmp_path / "settings.toml"
    path.write_text(f'''
name = "h"
did = "did:web:h"
url = "https://h"
port = 8080
roles = ["conformance"]
[organisation]
ko = "h"
en = "h"
camp = "hospital"
[authority]
did = "did:web:op"
url = "https://op"
key = "{"0" * 64}"
''')
    with pytest.raises(Refusal):
        Settings.load(path)
