"""Data opens only for the job it was released to, as it was sealed, behind walls that were looked at first."""

import hashlib
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from wallkit import AAD, Jobs, left

from compute.launcher.client import Launcher
from compute.launcher.model import Input, JobSpec, Level
from connector.kit.sealed import new_key, wrap
from vocab.errors import Refusal

READ = """
import os
open(os.environ["DURE_OUT"] + "/copy", "w").write(open(os.environ["DURE_IN"] + "/data.csv").read())
"""
SECRET = "sex,age,ckd\nF,61,0\n"


def flip(cipher: Path) -> None:
    raw = bytearray(cipher.read_bytes())
    raw[-1] ^= 1
    cipher.write_bytes(raw)


async def refused(jobs: Jobs, spec: JobSpec, blob: bytes) -> str:
    """The code with which `spec` does not start; nothing may have run then."""
    await jobs.launcher.prepare(spec)
    with pytest.raises(Refusal) as refusal:
        await jobs.launcher.start(spec.job, {one.name: blob for one in spec.inputs})
    assert left(spec) == {}
    return refusal.value.code


async def test_the_right_key_opens_the_input_inside(jobs: Jobs, level: Level) -> None:
    spec = jobs.spec(READ, level, secret=SECRET)
    ended = await jobs.done(spec)
    assert ended.state == "complete"
    assert left(spec) == {"copy": SECRET}
    assert [one.name for one in ended.outputs] == ["copy"]
    assert ended.outputs[0].sha256 == hashlib.sha256(SECRET.encode()).hexdigest()


async def test_a_key_wrapped_for_another_job_opens_nothing(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    other = await launcher.prepare(jobs.spec(READ, level, secret=SECRET))
    spec = jobs.spec(READ, level, secret=SECRET)
    assert await refused(jobs, spec, wrap(jobs.key, other.public_key, AAD.encode())) == "key-not-ours"
    ended = await launcher.wait(spec.job)
    assert (ended.state, ended.reason) == ("system-error", "key-not-ours")
    assert ended.evidence["end"]["nothing_left"]


async def test_another_dataset_s_key_opens_nothing(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    spec = jobs.spec(READ, level, secret=SECRET)
    prepared = await launcher.prepare(spec)
    with pytest.raises(Refusal, match="ciphertext-broken"):
        await launcher.start(spec.job, {"data.csv": wrap(new_key(), prepared.public_key, AAD.encode())})
    assert (await launcher.wait(spec.job)).evidence["end"]["nothing_left"]


async def test_without_its_key_a_job_does_not_start(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    spec = jobs.spec(READ, level, secret=SECRET)
    await launcher.prepare(spec)
    with pytest.raises(Refusal, match="key-missing"):
        await launcher.start(spec.job, {})


async def test_a_ciphertext_of_another_context_is_not_taken_for_this_one(jobs: Jobs, level: Level) -> None:
    spec = jobs.spec(READ, level, secret=SECRET)
    moved = replace(spec, inputs=[replace(spec.inputs[0], aad="agreement-2|train")])
    prepared = await jobs.launcher.prepare(moved)
    with pytest.raises(Refusal, match="ciphertext-broken"):
        await jobs.launcher.start(moved.job, {"data.csv": wrap(jobs.key, prepared.public_key, b"agreement-2|train")})


async def test_a_flipped_byte_is_refused_before_any_key_is_asked_for(jobs: Jobs, level: Level) -> None:
    spec = jobs.spec(READ, level, secret=SECRET)
    flip(Path(spec.inputs[0].path))
    with pytest.raises(Refusal, match="input-changed"):
        await jobs.launcher.prepare(spec)


@pytest.mark.parametrize("kind", ["socket", "link", "fifo", "folder", "nothing"])
async def test_only_regular_files_come_in(jobs: Jobs, launcher: Launcher, kind: str, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    with socket.socket(socket.AF_UNIX) as one:
        make = {
            "socket": lambda: one.bind(str(odd)),
            "link": lambda: odd.symlink_to("/etc/passwd"),
            "fifo": lambda: os.mkfifo(odd),
            "folder": odd.mkdir,
            "nothing": lambda: None,
        }
        make[kind]()
        walls = (await launcher.walls()).level
        for changed in (
            {"plain": {"odd": str(odd)}},
            {"inputs": [Input("odd", str(odd), "0" * 64, 0, AAD)]},
        ):
            with pytest.raises(Refusal, match="input-changed"):
                await launcher.prepare(jobs.spec(READ, walls, **changed))


async def test_thin_walls_take_synthetic_data_only(jobs: Jobs, launcher: Launcher) -> None:
    with pytest.raises(Refusal) as refusal:
        await launcher.prepare(jobs.spec(READ, "thin", synthetic=False))
    assert (refusal.value.code, refusal.value.seen) == ("synthetic-only", "thin")
    await launcher.prepare(jobs.spec(READ, "thin", synthetic=True))


async def test_no_walls_means_no_task(jobs: Jobs, launcher: Launcher) -> None:
    with pytest.raises(Refusal, match="no-walls"):
        await launcher.prepare(jobs.spec(READ, "none"))


async def test_a_job_s_name_is_taken_once_and_its_keys_come_once(jobs: Jobs, level: Level, launcher: Launcher) -> None:
    spec = await jobs.begun(jobs.spec("import time; time.sleep(30)", level))
    with pytest.raises(Refusal, match="job-exists"):
        await launcher.prepare(spec)
    with pytest.raises(Refusal, match="job-state"):
        await launcher.start(spec.job, {})
    with pytest.raises(Refusal, match="job-unknown"):
        await launcher.start("another", {})
    await launcher.stop(spec.job, "done")


async def test_an_image_that_was_written_to_is_not_used(jobs: Jobs, launcher: Launcher, level: Level) -> None:
    with pytest.raises(Refusal, match="image-changed"):
        await launcher.prepare(jobs.spec(READ, level, image_digest="0" * 64))
