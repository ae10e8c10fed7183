"""The evidence pack: one zip that an auditor checks with tools of others. The same answer gives the same bytes."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, Final

from governance.audit.service import Answered
from vocab.words import word

#: A zip wants a date for each file; a fixed one keeps the bytes the same.
_DATE: Final = (1980, 1, 1, 0, 0, 0)
MANIFEST: Final = "manifest-sha256.txt"
COLUMNS: Final = (
    "right",
    "why",
    "study",
    "applicant",
    "permit",
    "decision",
    "agreement",
    "provider",
    "offer",
    "policy",
    "snapshot",
    "from",
    "until",
    "tasks",
    "leaves",
)


def pack(found: Answered, document: Mapping[str, Any], standing: Mapping[str, Any], more: Mapping[str, bytes]) -> bytes:
    """The zip. `standing`: the operator's signed list with everybody's keys; `more`: further files by their names."""
    files = {
        "question.json": _json({name: found.answer[name] for name in ("dataset", "on", "zone", "from", "until")}),
        "result.json": _json(document),
        "result.csv": _csv(found.answer),
        "standing.json": _json(standing),
        "log/checkpoint": found.checkpoint.encode(),
        "log/log.policy": found.policy.encode(),
        "README.ko.md": word("audit-readme", "ko").encode() + b"\n",
        "README.en.md": word("audit-readme", "en").encode() + b"\n",
        **more,
    }
    for index, data, proof in found.entries:
        files[f"leaves/{index}.json"] = data
        files[f"leaves/{index}.tlog-proof"] = proof
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())]
    files[MANIFEST] = "".join(lines).encode()
    return _zip(files)


def _zip(files: Mapping[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in sorted(files.items()):
            member = zipfile.ZipInfo(name, _DATE)
            member.external_attr = 0o644 << 16
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return held.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _csv(answer: Mapping[str, Any]) -> bytes:
    """One row a right, or what was near one; tasks outside every right in rows of their own."""
    held = io.StringIO()
    writer = csv.DictWriter(held, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for kind in ("could", "could_not"):
        for right in answer[kind]:
            row = {name: right.get(name) for name in COLUMNS if name not in ("right", "tasks", "leaves")}
            tasks = " ".join(task["task"] for task in right.get("did", ()))
            writer.writerow({**row, "right": kind, "tasks": tasks, "leaves": _numbers(right["leaves"])})
    for task in answer["did_without"]:
        writer.writerow({"right": "did_without", "tasks": task["task"], "leaves": task["leaf"]})
    return held.getvalue().encode()


def _numbers(values: list[int]) -> str:
    return " ".join(map(str, values))
