"""Only plain files leave, and only when all of them are."""

import json
from pathlib import Path

import pytest
from wallkit import Jobs, left

from compute.launcher.model import Level

TRICKS = {
    "symlink": "os.symlink('/etc/passwd', out + '/link')",
    "hard-link": "open(out + '/a', 'w').close(); os.link(out + '/a', out + '/b')",
    "sparse": "f = open(out + '/s', 'wb'); f.truncate(8 << 20)",
    "bad-name": "open(out + '/줄\\n바꿈', 'w').close()",
    "too-deep": "os.makedirs(out + '/d' * 12)",
    "too-many": "[open(out + '/' + str(n), 'w').close() for n in range(2100)]",
    "setid": "os.close(os.open(out + '/run', os.O_CREAT | os.O_WRONLY, 0o4755))",
}


@pytest.mark.parametrize("code", TRICKS)
async def test_one_odd_file_holds_back_all_of_them(jobs: Jobs, level: Level, code: str) -> None:
    task = f"import os\nout = os.environ['DURE_OUT']\nopen(out + '/good.txt', 'w').write('1')\n{TRICKS[code]}"
    spec = jobs.spec(task, level)
    ended = await jobs.done(spec)
    assert ended.state == "complete", ended
    assert code in {one.code for one in ended.findings}
    assert ended.outputs == []
    assert left(spec) == {}


async def test_executors_share_in_and_out_and_nothing_else(jobs: Jobs, level: Level) -> None:
    code = """
import os, sys
out, tmp = os.environ["DURE_OUT"], os.environ["DURE_TMP"]
seen = ",".join(sorted(os.listdir(tmp) + os.listdir(out)))
open(f"{out}/{sys.argv[1]}", "w").write(seen)
open(f"{tmp}/left", "w").close()
"""
    spec = jobs.spec(code, level, executors=[["python", "/code/task.py", name] for name in ("one", "two")])
    ended = await jobs.done(spec)
    assert ended.exit_codes == [0, 0]
    assert left(spec) == {"one": "", "two": "one"}


async def test_after_a_failed_executor_nothing_runs_and_nothing_leaves(jobs: Jobs, level: Level) -> None:
    code = "import os, sys; open(os.environ['DURE_OUT'] + '/x', 'w').close(); sys.exit(3)"
    spec = jobs.spec(code, level, executors=[["python", "/code/task.py"]] * 2)
    ended = await jobs.done(spec)
    assert (ended.state, ended.exit_codes, ended.outputs) == ("executor-error", [3], [])
    assert left(spec) == {}


async def test_a_task_sees_the_image_and_neutral_names(jobs: Jobs, level: Level, tmp_path: Path) -> None:
    code = """
import json, os
see = {name: open(f"/proc/{name}").read() for name in ("self/mountinfo", "1/cmdline") if os.access(f"/proc/{name}", 4)}
open(os.environ["DURE_OUT"] + "/see", "w").write(json.dumps({**see, "env": dict(os.environ)}))
"""
    if level == "thin":
        return  # it sees where it lies: thin hides nothing but content
    spec = jobs.spec(code, level)
    assert (await jobs.done(spec)).state == "complete"
    seen = left(spec)["see"]
    assert json.loads(seen)["env"]["DURE_IN"] == "/in"
    for word in (str(tmp_path), spec.job):
        assert word not in seen
