"""An Eclipse EDC connector of our own: started from its published jars, driven through its management API (version 3).

`bash tests/tools/install-edc VERSION` fetches the jars. Identity is EDC's mock: JSON in clear, which proves nothing.
"""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

Json = dict[str, Any]

#: Not `edc`: EDC reads that as the prefix of its own names, and answers 400 to an agreement with it.
NAME = "edc-peer"
NEGOTIATIONS, TRANSFERS = "contractnegotiations", "transferprocesses"
_EDC = "https://w3id.org/edc/v0.0.1/ns/"
_ODRL = "http://www.w3.org/ns/odrl.jsonld"
_PROTOCOL = "dataspace-protocol-http:2025-1"
_ENDED = {"TERMINATED", "COMPLETED", "FINALIZED", "DEPROVISIONED"}
#: EDC may leave a process lying for 60 s (its lease).
PATIENCE = 100.0
#: Ports in the settings, in this order.
_DOORS = ("", "control", "management", "protocol", "version", "public")


class EdcError(Exception):
    """EDC refused, or a process ended elsewhere than awaited."""


def folder(version: str) -> Path:
    """Where the jars of a version lie."""
    return _cache() / f"edc-{version}"


def installed(version: str) -> bool:
    """Whether this version can be started here."""
    return (folder(version) / ".complete").exists() and shutil.which("java") is not None


def install(version: str) -> str:
    """The command that installs it."""
    return f"bash tests/tools/install-edc {version}"


class Edc:
    """A running connector, as provider and consumer. `peer`: the participant that it speaks with, and its address."""

    def __init__(self, version: str, ports: dict[str, int]) -> None:
        self.version = version
        self.address = f"http://127.0.0.1:{ports['protocol']}/protocol/2025-1"
        self.peer, self.peer_address = "", ""
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{ports['management']}/management/v3/", timeout=60)

    def close(self) -> None:
        """Lets go of the connection."""
        self._client.close()

    def call(self, method: str, path: str, body: Json | None = None) -> Any:
        """The answer to a management request. Raises `EdcError`."""
        given = None if body is None else {"@context": {"@vocab": _EDC}, **body}
        answer = self._client.request(method, path, json=given)
        if not answer.is_success:
            raise EdcError(f"{method} {path}: {answer.status_code} {answer.text[:400]}")
        return answer.json() if answer.content else None

    # as provider

    def offer(self, asset: str, url: str, policy: Json | None = None) -> None:
        """An asset served from `url`, and the policy under which everybody may have it."""
        source = {"@type": "DataAddress", "type": "HttpData", "baseUrl": url}
        self.call("POST", "assets", {"@id": asset, "properties": {"name": asset}, "dataAddress": source})
        rules = policy or {"permission": [{"action": "use"}]}
        whole = {"@context": _ODRL, "@type": "Set", **rules}
        self.call("POST", "policydefinitions", {"@id": f"policy-{asset}", "policy": whole})
        only = {"@type": "Criterion", "operandLeft": f"{_EDC}id", "operator": "=", "operandRight": asset}
        definition = {"accessPolicyId": f"policy-{asset}", "contractPolicyId": f"policy-{asset}"}
        self.call("POST", "contractdefinitions", {"@id": f"offer-{asset}", **definition, "assetsSelector": [only]})

    # as consumer

    def catalogue(self) -> list[Json]:
        """The datasets that the peer shows."""
        query = {"@type": "QuerySpec", "offset": 0, "limit": 1000}
        found = self.call("POST", "catalog/request", {**self._to("CatalogRequest"), "querySpec": query})
        return _many(found.get("dataset"))

    def dataset(self, name: str) -> Json:
        """One of them. Raises `EdcError` when it is not shown."""
        for one in self.catalogue():
            if one["@id"] == name:
                return one
        raise EdcError(f"the catalogue does not show {name}")

    def negotiate(self, dataset: Json, **changed: Any) -> str:
        """Asks for the first offer of a dataset; `changed`: members of it that are not as they were offered."""
        policy = {"@context": _ODRL, **_many(dataset["hasPolicy"])[0], "assigner": self.peer, "target": dataset["@id"]}
        body = {**self._to("ContractRequest"), "policy": {**policy, **changed}}
        return str(self.call("POST", NEGOTIATIONS, body)["@id"])

    def transfer(self, agreement: str, kind: str = "HttpData-PULL", to: str | None = None) -> str:
        """Asks for the data of an agreement, for a push at the URL `to`."""
        body = {**self._to("TransferRequest"), "contractId": agreement, "transferType": kind}
        if to is not None:
            body["dataDestination"] = {"@type": "DataAddress", "type": "HttpData", "baseUrl": to}
        return str(self.call("POST", TRANSFERS, body)["@id"])

    def source(self, transfer: str) -> Json:
        """Where the data of a started transfer are fetched."""
        address = self.call("GET", f"edrs/{transfer}/dataaddress")
        return {name.removeprefix(_EDC): _plain(value) for name, value in address.items() if name != "@context"}

    # as either; `kind` is NEGOTIATIONS or TRANSFERS

    def get(self, kind: str, process: str) -> Json:
        """A process as this side sees it."""
        found: Json = self.call("GET", f"{kind}/{process}")
        return found

    def wait(self, kind: str, process: str, *states: str) -> Json:
        """The process once it is in one of `states`. Raises `EdcError` when it ends elsewhere, or never gets there."""
        end = time.monotonic() + PATIENCE
        while (state := self.call("GET", f"{kind}/{process}/state")["state"]) not in states:
            if state in _ENDED or time.monotonic() > end:
                why = self.get(kind, process).get("errorDetail", "")
                raise EdcError(f"{kind} is {state} instead of {' or '.join(states)}: {why}")
            time.sleep(0.05)
        return self.get(kind, process)

    def known_as(self, kind: str, theirs: str) -> str:
        """The id here of the process that the peer knows as `theirs`."""
        same = {"@type": "Criterion", "operandLeft": "correlationId", "operator": "=", "operandRight": theirs}
        end = time.monotonic() + PATIENCE
        while not (found := self.call("POST", f"{kind}/request", {"@type": "QuerySpec", "filterExpression": [same]})):
            if time.monotonic() > end:
                raise EdcError(f"no process known to the peer as {theirs}")
            time.sleep(0.05)
        return str(found[0]["@id"])

    def suspend(self, transfer: str, reason: str) -> None:
        """Suspends a transfer."""
        self.call("POST", f"{TRANSFERS}/{transfer}/suspend", {"@type": "SuspendTransfer", "reason": reason})

    def resume(self, transfer: str) -> None:
        """Resumes a transfer."""
        self.call("POST", f"{TRANSFERS}/{transfer}/resume")

    def terminate(self, kind: str, process: str, reason: str) -> None:
        """Ends a process."""
        name = "TerminateTransfer" if kind == TRANSFERS else "TerminateNegotiation"
        self.call("POST", f"{kind}/{process}/terminate", {"@type": name, "@id": process, "reason": reason})

    def _to(self, kind: str) -> Json:
        peer = {"counterPartyAddress": self.peer_address, "counterPartyId": self.peer, "protocol": _PROTOCOL}
        return {"@type": kind, **peer}


@contextlib.contextmanager
def running(version: str, log: Path) -> Iterator[Edc]:
    """An EDC on free ports of 127.0.0.1, with its default waits. Raises `EdcError` when it does not start."""
    ports = _free(_DOORS)
    config = log.with_suffix(".properties")
    config.write_text("\n".join(f"{name}={value}" for name, value in _settings(ports).items()))
    env = dict(os.environ)
    if (shim := _cache() / "loopback.so").exists():
        env["LD_PRELOAD"] = str(shim)
    main = "org.eclipse.edc.boot.system.runtime.BaseRuntime"
    command = ["java", "-Xmx256m", f"-Dedc.fs.config={config}", "-cp", f"{folder(version)}/*", main]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)
    try:
        _ready(process, log)
        with contextlib.closing(Edc(version, ports)) as found:
            yield found
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


def _ready(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Returns when it says so. One that fails while it starts may linger: its log tells."""
    end = time.monotonic() + 120
    while b" ready" not in (said := log.read_bytes()):
        if process.poll() is not None or b"Error booting" in said or time.monotonic() > end:
            raise EdcError(f"EDC did not start: {said[-2000:].decode(errors='replace')}")
        time.sleep(0.1)


def _settings(ports: dict[str, int]) -> dict[str, str]:
    private, public = _token_keys()
    doors = {f"web.http.{name}.port".replace("..", "."): str(port) for name, port in ports.items()}
    paths = {f"web.http.{name}.path".replace("..", "."): f"/{name or 'api'}" for name in ports}
    return {
        "edc.participant.id": NAME,
        "edc.participant.context.id": NAME,
        "edc.component.id": NAME,
        "edc.hostname": "127.0.0.1",
        "edc.policy.validation.enabled": "false",  # else it takes no policy with a clause at all
        **doors,
        **paths,
        "edc.dsp.callback.address": f"http://127.0.0.1:{ports['protocol']}/protocol",
        "edc.dataplane.api.public.baseurl": f"http://127.0.0.1:{ports['public']}/public",
        "edc.transfer.proxy.token.signer.privatekey.alias": "private-key",
        "edc.transfer.proxy.token.verifier.publickey.alias": "public-key",
        "private-key": json.dumps(private),
        "edc.iam.publickeys.token.id": "public-key",
        "edc.iam.publickeys.token.value": json.dumps(public),
    }


def _token_keys() -> tuple[Json, Json]:
    """A key of its own for the tokens of its data: private and public, as JSON Web Keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.private_numbers()
    x, y = numbers.public_numbers.x, numbers.public_numbers.y
    public = {"kty": "EC", "crv": "P-256", "kid": "public-key", "x": _text(x), "y": _text(y)}
    return {**public, "d": _text(numbers.private_value)}, public


def _text(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def _free(names: tuple[str, ...]) -> dict[str, int]:
    with contextlib.ExitStack() as open_:
        found = [open_.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        return {name: int(one.getsockname()[1]) for name, one in zip(names, found, strict=True)}


def _cache() -> Path:
    return Path(os.environ.get("DURE_SERVERS") or Path.home() / ".cache" / "dure-servers")


def _many(value: Any) -> list[Any]:
    """Compaction turns a list of one into its element."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _plain(value: Any) -> Any:
    """The value inside JSON-LD's expanded forms."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.get("@value", value.get("@id", value)) if isinstance(value, dict) else value
