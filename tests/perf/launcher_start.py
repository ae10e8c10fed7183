"""From the launcher's call to the task's first instruction, against the same bubblewrap arguments without a launcher.

    uv run --no-sync python tests/perf/launcher_start.py [RUNS]

Prints medians with machine and load. `called -> first instruction` is prepare + start of a job whose input is in place;
what the gate and the decryption take is printed apart. Budget: 1.5x, gate and decryption not counted.
"""

import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from compute.images.build import build_image, images_folder
from compute.launcher.client import Launcher
from compute.launcher.model import Input, JobSpec, Limits
from compute.sandbox import filter as calls
from compute.sandbox.cgroup import Group
from compute.sandbox.command import Hold, Room, bwrap
from connector.kit.sealed import new_key, seal_file, wrap

AAD = "perf"
#: The boot-wide clock reads the same inside and outside.
FIRST = (
    "import time, os; t = time.clock_gettime(7); open(os.environ.get('DURE_OUT', '/out') + '/t', 'w').write(repr(t))"
)


def bare(folder: Path, image: Path, group: Group | None) -> float:
    """Milliseconds from fork to the first instruction of the same program in the same room, no launcher, no entry."""
    base = Path(tempfile.mkdtemp(dir=folder))
    room = Room(image, base, 0)
    for place in (base, base / "in", base / "code", base / "out", room.tmp, room.shm):
        place.mkdir(exist_ok=True)
        place.chmod(0o777)
    (base / "code" / "task.py").write_text(FIRST)
    (base / "code" / "task.py").chmod(0o644)
    uid = os.geteuid() or 60_001
    words = bwrap(room, Hold("full", uid))
    words[words.index("--seccomp") : words.index("--seccomp") + 2] = ["--seccomp", "9"]
    (base / "bpf").write_bytes(calls.program(thin=False))
    drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if os.geteuid() == 0 else []
    enter = "".join(f"echo $$ > {folder}/cgroup.procs;" for folder in group.folders.values()) if group else ""
    line = " ".join([*drop, "bwrap", *words, "/usr/bin/python3", "-I", "/code/task.py"])
    began = time.clock_gettime(7)
    subprocess.run(["bash", "-c", f"{enter} exec {line} 9<{base}/bpf"], check=True)
    return (float((base / "out" / "t").read_text()) - began) * 1000


async def launched(launcher: Launcher, spec: JobSpec, key: bytes) -> dict[str, float]:
    """One job's milliseconds."""
    began = time.clock_gettime(7)
    prepared = await launcher.prepare(spec)
    between = time.clock_gettime(7)
    keys = {one.name: wrap(key, prepared.public_key, AAD.encode()) for one in spec.inputs}
    wrapped = time.clock_gettime(7)
    await launcher.start(spec.job, keys)
    ended = await launcher.wait(spec.job)
    await launcher.forget(spec.job)
    first = float(Path(spec.outputs, "t").read_text())
    apart = {name: ended.durations_ms[name] for name in ("gate", "decrypt")}
    return {
        "called -> walls stand": (between - began) * 1000,
        "keys in -> first instruction": (first - wrapped) * 1000,
        "together, gate and decryption apart": (first - wrapped + between - began) * 1000 - sum(apart.values()),
        "clean": ended.evidence["end"]["clean_ms"],
        **apart,
    }


# ruff: noqa: ASYNC240
async def main(runs: int) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        folder.chmod(0o755)
        image, _ = build_image(images_folder(Path.home() / ".cache" / "dure-tests"))
        key = new_key()
        (folder / "plain").write_bytes(os.urandom(1 << 20))
        sealed = seal_file(folder / "plain", folder / "cipher", key, AAD.encode())
        (folder / "task.py").write_text(FIRST)
        spec = JobSpec(
            job="",
            image=str(image.path),
            image_digest=image.digest,
            executors=[["python", "-I", "/code/task.py"]],
            outputs="",
            code={"task.py": str(folder / "task.py")},
            inputs=[Input("data", str(folder / "cipher"), sealed.sha256, sealed.bytes, AAD)],
            limits=Limits(seconds=60),
        )
        launcher = Launcher(folder / "sock", image.path)
        await launcher.open()
        level = (await launcher.walls()).level
        ours: dict[str, list[float]] = {}
        theirs: dict[str, list[float]] = {}
        for number in range(runs + 1):
            (folder / f"out{number}").mkdir()
            one = await launched(launcher, replace(spec, job=f"j{number}", outputs=str(folder / f"out{number}")), key)
            label = f"dure-perf-{os.getpid()}-{number}"
            group = Group.named(label).made(spec.limits) if level == "full" else None
            others = {"bare": bare(folder, image.path, None)}
            if group:
                others["bare, in its control group"] = bare(folder, image.path, group)
                group.remove()
            if number:  # the first one reads the image
                for what, ms in others.items():
                    theirs.setdefault(what, []).append(ms)
                for what, ms in one.items():
                    ours.setdefault(what, []).append(ms)
        await launcher.close()
    print(f"{platform.machine()}, {os.cpu_count()} cores, kernel {platform.release()}, load {os.getloadavg()[0]:.1f}")
    print(f"walls {level}, {runs} runs, milliseconds, median (min)")
    for what, values in {**theirs, **ours}.items():
        print(f"  {what:40} {statistics.median(values):7.1f} ({min(values):.1f})")
    together = statistics.median(ours["together, gate and decryption apart"])
    for what, values in theirs.items():
        print(f"together / {what}: {together / statistics.median(values):.2f} (budget 1.5)")


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
