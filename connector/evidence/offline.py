"""What anybody can check without a node, a network or an account: a log in a folder, and a certificate in a file."""

from pathlib import Path
from typing import Any

from connector.evidence import files
from vocab.errors import Refusal
from vocab.records import certificate
from vocab.records.envelope import opened
from vocab.tlog.policy import policy
from vocab.tlog.verify import check_log


def verify_log(folder: Path, policy_file: Path, old: Path | None = None) -> dict[str, Any]:
    """Checks the log in `folder`, and with `old` that it only added to that checkpoint.

    Raises `Refusal("file-unreadable")`, and `LogBroken` that names the file, entry, signature or line at fault.
    """
    trusted = policy(_bytes(policy_file))
    before = _bytes(old) if old is not None else None
    checked = check_log(lambda name: (folder / name).read_bytes(), trusted, before)
    return {
        "holds": True,
        "origin": trusted.cosigned(_bytes(folder / "checkpoint")).checkpoint.origin,
        "size": checked.size,
        "root": checked.root.hex(),
        "witnesses": dict(checked.cosigners),
        "grown_from": trusted.log_signed(before).checkpoint.size if before is not None else None,
    }


def verify_certificate(file: Path, policy_file: Path | None = None) -> dict[str, Any]:
    """Checks a certificate: both signatures, the payload they commit to, what it lists, and its place in the log.

    Without `policy_file` the log policy in the file itself is used, and `anchored` is false: then it is whole, but who
    stands behind it is for the reader to compare. Raises `Refusal` as `files.held`, `LogBroken`, or what the
    certificate's own check finds.
    """
    found = files.read(_bytes(file))
    trusted = policy(_bytes(policy_file)) if policy_file is not None else None
    held = files.held(found, trusted)
    certified = _certificate(found) if held[0].type in (certificate.TASK, certificate.CLOSING) else {}
    return {
        "holds": True,
        **certified,
        "anchored": trusted is not None,
        "type": held[0].type,
        "signed_by": sorted({did for one in held for did in one.signed_by}),
        "log": [{"receipt": one.id, "index": one.index, "size": one.size, "witnesses": one.witnesses} for one in held],
        "payload": found.payload,
    }


def _certificate(file: files.EvidenceFile) -> dict[str, Any]:
    """What a deletion certificate proves by its own evidence, the hospitals' word on their keys included."""
    body = file.payload
    certificate.check(body)
    owners = {one["key_id"]: one["provider"] for one in body["objects"]}
    for envelope in body.get("keys_destroyed", ()):
        said = [key["key_id"] for key in envelope["body"]["keys"]]
        opened(envelope, "keys-destroyed", file.keys, *sorted({owners[key] for key in said if key in owners}))
    return {"result": body["result"], "exceptions": body["exceptions"]}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refusal("file-unreadable", where=str(path), why=error.strerror or type(error).__name__) from None
