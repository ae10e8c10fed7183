"""The DSP test kit itself: its settings for a connector at a port, a run of it, and the verdict on what it reports.

The kit is a stranger's program (Eclipse Dataspace TCK, Java); `tests/tools/install` fetches it. It runs in a process of
its own and reaches the connector over HTTP only.
"""

import asyncio
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from connector.conformance import scripts
from vocab.errors import Refusal
from vocab.messages.catalogue import PATH

Json = dict[str, Any]

#: What the kit runs by itself: 67, of which it disables two.
EXPECTED: Final = 65
#: A whole run takes two minutes; after this it hangs.
SECONDS: Final = 900
INSTALL: Final = "bash tests/tools/dsp-tck/install"
_PREFIX: Final = "dataspacetck.dsp.connector."
#: Where the requests of a run must have gone, and what is counted of each.
_DOORS: Final[Mapping[str, str]] = {
    "version": "/.well-known/dspace-version",
    "catalog": f"{PATH}/catalog/",
    "negotiations": f"{PATH}/negotiations/",
    "transfers": f"{PATH}/transfers/",
    "triggers": "/tck/",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario: PASS, FAIL or SKIP (the kit's own)."""

    id: str
    title: str
    verdict: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a run. `ok`: all that was expected was executed, nothing failed, and it reached the connector."""

    kit: str
    executed: int
    passed: int
    failed: int
    skipped: int
    seconds: float
    requests: Mapping[str, int]
    trouble: str | None = None
    cases: tuple[Case, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """Whether the claim holds."""
        return self.trouble is None and self.failed == 0

    def to_json(self) -> Json:
        """For scripts, without the cases."""
        return {"suite": "dsp", "ok": self.ok, **{k: v for k, v in asdict(self).items() if k != "cases"}}


def folder() -> Path:
    """Where the kit's jars lie."""
    return Path(os.environ.get("DURE_SERVERS") or Path.home() / ".cache" / "dure-servers") / "dsp-tck"


def installed() -> str | None:
    """The kit's version; None where it cannot be run here."""
    found = next(folder().glob("dsp-system-*.jar"), None)
    whole = (folder() / ".complete").exists() and shutil.which("java")
    return found.stem.removeprefix("dsp-system-") if found and whole else None


def properties(port: int, did: str, kit_port: int) -> dict[str, str]:
    """The kit's settings for the seeded connector at `port`: plain values, seconds, no trailing slashes."""
    root, own = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{kit_port}"
    who = {"region": "eu", "audience": did, "clientId": "TCK_PARTICIPANT"}
    found = {
        "dataspacetck.launcher": "org.eclipse.dataspacetck.dsp.system.DspSystemLauncher",
        "dataspacetck.dsp.local.connector": "false",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": str(kit_port),
        "dataspacetck.callback.address": own,
        "dataspacetck.dsp.default.wait": "15",
        "dataspacetck.debug": "true",
        _PREFIX + "agent.id": did,
        _PREFIX + "http.url": root + PATH,
        _PREFIX + "http.base.url": root,
        _PREFIX + "negotiation.initiate.url": f"{root}/tck/negotiations/requests",
        _PREFIX + "transfer.initiate.url": f"{root}/tck/transfers/requests",
        _PREFIX + "http.headers.authorization": json.dumps(who),
    }
    for one in scripts.NEGOTIATIONS:
        found[f"{scripts.scenario(one)}_DATASETID"] = one
        if not one.startswith("ACNC"):
            found[f"{scripts.scenario(one)}_OFFERID"] = scripts.offer_id(one)
    for one in scripts.TRANSFERS:
        found |= {f"{scripts.scenario(one)}_AGREEMENTID": one, f"{scripts.scenario(one)}_FORMAT": "HttpData-PULL"}
    shown = (*scripts.SHOWN, scripts.MISSING)
    return found | {f"CAT_01_0{number}_DATASETID": one for number, one in enumerate(shown, 1)}


def written(found: Mapping[str, str], path: Path) -> None:
    """The settings as a file that the kit and its runners read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}={value}\n" for name, value in found.items()), "utf-8")


async def run(found: Mapping[str, str], out: Path, access: Path, only: str | None = None) -> Verdict:
    """Runs the kit; the raw log, its report and settings stay in `out`. Raises `Refusal("kit-missing")`."""
    version = installed()
    if version is None:
        raise Refusal("kit-missing", install=INSTALL)
    report, log = await asyncio.to_thread(_prepared, found, out)
    command = [
        *("java", "-Xmx512m", f"@{out / 'java.args'}", "-cp", f"{folder()}/*"),
        *("org.junit.platform.console.ConsoleLauncher", "execute", "--disable-banner", "--disable-ansi-colors"),
        *("--fail-if-no-tests", "--select-package", "org.eclipse.dataspacetck.dsp.verification"),
        *("--include-classname", ".*Test", "--details", "tree", "--reports-dir", str(out)),
        *(("--include-methodname", only) if only else ()),
    ]
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*command, stdout=file, stderr=file)
        try:
            async with asyncio.timeout(SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
    return verdict(version, report, _requests(access), None if only else EXPECTED)


def _prepared(found: Mapping[str, str], out: Path) -> tuple[Path, Path]:
    """Where the report and the raw log of a run will lie: what an earlier run left is gone."""
    report = out / "TEST-junit-jupiter.xml"
    report.unlink(missing_ok=True)
    written(found, out / "tck.properties")
    (out / "java.args").write_text("".join(map(_argument, found.items())), "utf-8")
    return report, out / "tck.log"


def verdict(version: str, report: Path, requests: Mapping[str, int], expected: int | None = EXPECTED) -> Verdict:
    """What a report says. No report, or too few scenarios, is no pass; nor is one that reached nobody."""
    cases: tuple[Case, ...] = ()
    trouble = None
    try:
        cases = tuple(sorted(_cases(report), key=lambda one: one.id))
    except (OSError, ElementTree.ParseError) as error:
        trouble = f"the run left no usable report ({type(error).__name__}); see tck.log"
    count = Counter(one.verdict for one in cases)
    executed = count["PASS"] + count["FAIL"]
    if trouble is None and expected is not None:
        silent = sorted(name for name in _DOORS if not requests.get(name))
        if executed != expected:
            trouble = f"{executed} scenarios were executed, {expected} expected"
        elif silent:
            trouble = f"no request reached the connector at: {', '.join(silent)}"
    seconds = round(sum(one.seconds for one in cases), 1)
    return Verdict(
        version, executed, count["PASS"], count["FAIL"], count["SKIP"], seconds, dict(requests), trouble, cases
    )


def table(cases: Iterable[Case]) -> Iterator[str]:
    """One line a scenario."""
    for one in cases:
        yield f"{one.verdict} {one.id:<11} {one.seconds:6.2f} s  {one.reason or one.title}"


def _cases(report: Path) -> Iterator[Case]:
    root = ElementTree.parse(report).getroot()  # noqa: S314 - written by the process that we started
    for one in root.iter("testcase"):
        output = "\n".join(node.text or "" for node in one.iter("system-out"))
        named = re.search(r"^display-name: (.+)$", output, re.MULTILINE)
        test, _, title = (named[1] if named else one.get("name", "?")).partition(": ")
        word, reason = "PASS", ""
        for tag, said in (("skipped", "SKIP"), ("failure", "FAIL"), ("error", "FAIL")):
            node = one.find(tag)
            if node is not None:
                word = said
                reason = " ".join((node.get("message") or node.text or node.get("type") or "–").split())[:240]
        yield Case(test, title, word, float(one.get("time", 0)), reason)


def _requests(access: Path) -> dict[str, int]:
    """How many requests the connector's own access log holds, by door."""
    lines = [json.loads(line)["path"] for line in access.read_text("utf-8").splitlines()]
    return {name: sum(path.startswith(start) for path in lines) for name, start in _DOORS.items()} | {"all": len(lines)}


def _argument(pair: tuple[str, str]) -> str:
    """As a system property: the kit reads some of its settings from nowhere else."""
    text = "-D" + "=".join(pair)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"\n'
