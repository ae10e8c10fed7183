"""The gate before plaintext: what holds the first process inside, looked at from outside (/proc of the host).

Nothing that the process says of itself counts; who it is the kernel told with its first word.
"""

import os
from pathlib import Path
from typing import Final

from compute.sandbox import watch
from compute.sandbox.cgroup import Group
from compute.sandbox.command import Hold
from compute.sandbox.model import Json

KINDS: Final = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
_NO_CAPABILITIES: Final = "0000000000000000"


def namespaces(pid: int | str) -> dict[str, int]:
    """The namespaces of `pid` by kind. A process whose own we may not see has none."""
    found = {}
    for kind in KINDS:
        try:
            found[kind] = (Path("/proc") / str(pid) / "ns" / kind).stat().st_ino
        except OSError:
            found[kind] = 0
    return found


def look(pid: int) -> Json:
    """What /proc says of `pid`: users, capabilities, filter, namespaces, network interfaces, open descriptors."""
    status = watch.status_of(pid)
    lines = (Path("/proc") / str(pid) / "net" / "dev").read_text().splitlines()[2:]
    return {
        "pid": pid,
        "host_uids": sorted({int(word) for word in status["Uid"].split()}),
        "capabilities": {name: status[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")},
        "seccomp": int(status["Seccomp"]),
        "no_new_privileges": int(status["NoNewPrivs"]),
        "namespaces": namespaces(pid),
        "interfaces": sorted(line.partition(":")[0].strip() for line in lines),
    }


def faults(seen: Json, host: dict[str, int], hold: Hold, group: Group | None) -> list[str]:
    """What is not as walls of this level must be; empty: the gate opens."""
    found = []
    if any(value != _NO_CAPABILITIES for value in seen["capabilities"].values()):
        found.append("capabilities")
    if seen["seccomp"] != 2:
        found.append("seccomp")
    if seen["no_new_privileges"] != 1:
        found.append("new-privileges")
    if 0 in seen["host_uids"] or seen["host_uids"] != [hold.uid]:
        found.append("host-uid")
    if group and not group.holds(seen["pid"]):
        found.append("group")
    if hold.level == "thin":
        return found
    own = [kind for kind in KINDS if hold.user_namespace or kind != "user"]
    found += [f"namespace-{kind}" for kind in own if seen["namespaces"][kind] in (0, host[kind])]
    if seen["interfaces"] != ["lo"]:
        found.append("interfaces")
    return found


def host_namespaces() -> dict[str, int]:
    """Our own, taken before anything is unshared."""
    return namespaces("self")


def kernel() -> Json:
    """What certificates name of the machine."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    swaps = Path("/proc/swaps").read_text().splitlines()[1:]
    return {"kernel": os.uname().release, "boot_id": boot, "swap": "on" if swaps else "off"}
