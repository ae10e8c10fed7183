"""The leak scan of a snapshot: none of the source's identifiers may stand in a file that leaves."""

from collections.abc import Iterable
from pathlib import Path

from connector.kit.leaks import Findings, scan
from connector.sources.eligible import identifiers
from vocab.errors import Refusal


def scan_snapshot(source: Path, files: Iterable[Path]) -> Findings:
    """Search `files` for every identifier of `source`. Raises `Refusal("source-unreadable")`."""
    return scan(files, identifiers(source))


def accepted(findings: Findings) -> Findings:
    """`findings`, if they are clean. Raises `Refusal`: `leak-found`, `scan-proves-nothing`."""
    if findings.found:
        first = findings.found[0]
        place = f"{first.file}, {first.place}"
        seen = sum(finding.count for finding in findings.found)
        raise Refusal("leak-found", kind=first.kind, view=first.disguise, place=place, needed=0, seen=seen)
    if not findings.proves:
        raise Refusal("scan-proves-nothing", missed="; ".join(findings.missed) or "–", rule="positive control")
    return findings
