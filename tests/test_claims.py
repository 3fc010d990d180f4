"""One device is counted by one tracker of a host, whatever the number of processes, and by the next one after it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from footprint.measurement.claims import FOLDER_VARIABLE, Claims, claims_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="locks of files are those of Unix")

GPU = "accelerator-GPU-5f2c9d0b"

HOLDER = """
import sys
from pathlib import Path
from footprint.measurement.claims import Claims
claims = Claims(Path(sys.argv[1]), sys.argv[2])
print(claims.claim(sys.argv[3]), flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(folder: Path, run_id: str, meter_id: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that claims a device and keeps it until its input ends or it is killed."""
    command = [sys.executable, "-c", HOLDER, str(folder), run_id, meter_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_first_to_claim_a_device_has_it_and_the_second_learns_who(tmp_path: Path) -> None:
    first, second = Claims(tmp_path, "run-1"), Claims(tmp_path, "run-2")
    assert first.claim(GPU) is None
    assert second.claim(GPU) == "run-1"
    assert first.holds(GPU)
    assert not second.holds(GPU)


def test_claiming_twice_is_claiming_once(tmp_path: Path) -> None:
    claims = Claims(tmp_path, "run-1")
    assert claims.claim(GPU) is None
    assert claims.claim(GPU) is None
    claims.release()
    assert not claims.holds(GPU)


def test_devices_are_claimed_one_by_one(tmp_path: Path) -> None:
    first, second = Claims(tmp_path, "run-1"), Claims(tmp_path, "run-2")
    assert first.claim("accelerator-0") is None
    assert second.claim("accelerator-1") is None
    assert (first.claim("accelerator-1"), second.claim("accelerator-0")) == ("run-2", "run-1")


def test_what_is_released_goes_to_the_next(tmp_path: Path) -> None:
    first, second, third = (Claims(tmp_path, f"run-{number}") for number in (1, 2, 3))
    first.claim(GPU)
    first.release()
    first.release()
    assert second.claim(GPU) is None
    assert third.claim(GPU) == "run-2"


def test_ranks_of_one_run_exclude_each_other_too(tmp_path: Path) -> None:
    first, second = Claims(tmp_path, "run-1"), Claims(tmp_path, "run-1")
    assert first.claim(GPU) is None
    assert second.claim(GPU) == "run-1"


def test_a_device_can_pass_to_another_run_with_its_holder(tmp_path: Path) -> None:
    first, second = Claims(tmp_path, "run-1"), Claims(tmp_path, "run-2")
    first.claim(GPU)
    first.rename("the-run-that-goes-on")
    assert second.claim(GPU) == "the-run-that-goes-on"


def test_processes_exclude_each_other_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    mine = Claims(tmp_path, "mine")
    with another_process(tmp_path, "theirs", GPU) as (process, answer):
        assert answer == "None"
        assert mine.claim(GPU) == "theirs"
        process.kill()
        process.wait()
        assert mine.claim(GPU) is None
    with another_process(tmp_path, "theirs", GPU) as (_, answer):
        assert answer == "mine"


def test_a_forked_child_neither_holds_what_its_parent_claimed_nor_frees_it(tmp_path: Path) -> None:
    mine, other = Claims(tmp_path, "mine"), Claims(tmp_path, "other")
    mine.claim(GPU)
    from_child, to_parent = os.pipe()
    from_parent, to_child = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            own = Claims(tmp_path, "of the child")
            told = f"{mine.holds(GPU)} {own.claim(GPU)}"
            mine.release()
            os.write(to_parent, told.encode())
            os.read(from_parent, 1)
        finally:
            os._exit(0)
    try:
        assert os.read(from_child, 100) == b"False mine"
        assert mine.holds(GPU)
        assert other.claim(GPU) == "mine"  # the child let go of its copy, the parent's lock stands
        mine.release()
        assert other.claim(GPU) is None  # though the child lives
    finally:
        os.write(to_child, b"x")
        os.waitpid(child, 0)
        for handle in (from_child, to_parent, from_parent, to_child):
            os.close(handle)


def test_a_folder_that_cannot_be_made_or_read_leaves_the_device_to_whoever_asks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none/claims")):
        first, second = Claims(folder, "run-1"), Claims(folder, "run-2")
        assert first.claim(GPU) is None
        assert second.claim(GPU) is None
        first.release()


def test_a_folder_in_place_of_a_lock_leaves_the_device_to_whoever_asks(tmp_path: Path) -> None:
    (tmp_path / f"{GPU}.lock").mkdir()
    assert Claims(tmp_path, "run-1").claim(GPU) is None


@pytest.mark.parametrize(
    "meter_id",
    [
        "../../../etc/passwd", "..", ".", "", "a/b\\c", "gpu 0\n", "\x00", "MIG-GPU-5f/1/0", "电源", "x" * 5000,
        "é" * 200, "$(rm -rf ~)", "-rf", "a\udcffb",
    ],
)  # fmt: skip
def test_any_name_of_a_meter_can_be_claimed_and_stays_in_the_folder(tmp_path: Path, meter_id: str) -> None:
    folder = tmp_path / "claims"
    claims = Claims(folder, "run-1")
    assert claims.claim(meter_id) is None
    claims.release()
    assert {path.name for path in tmp_path.iterdir()} == {"claims"}
    assert all(path.name.endswith(".lock") for path in folder.iterdir())


def test_a_link_in_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    """In a folder that every user may write to, somebody may plant one."""
    precious = tmp_path / "precious"
    precious.write_text("do not touch", encoding="utf-8")
    mode = precious.stat().st_mode
    folder = tmp_path / "claims"
    folder.mkdir()
    (folder / f"{GPU}.lock").symlink_to(precious)
    (folder / "other.lock").symlink_to(tmp_path / "not-there")
    claims = Claims(folder, "run-1")
    assert claims.claim(GPU) is None
    assert claims.claim("other") is None
    claims.release()
    assert precious.read_text(encoding="utf-8") == "do not touch"
    assert precious.stat().st_mode == mode
    assert not (tmp_path / "not-there").exists()


def test_the_folder_is_open_to_every_user_of_the_host(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "claims", "run-1")
    claims.claim(GPU)
    assert (tmp_path / "claims").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "claims" / f"{GPU}.lock").stat().st_mode & 0o666 == 0o666


def test_a_lock_that_holds_rubbish_tells_no_name(tmp_path: Path) -> None:
    first, second = Claims(tmp_path, "run-1"), Claims(tmp_path, "run-2")
    first.claim(GPU)
    (tmp_path / f"{GPU}.lock").write_bytes(b"\xff\xfe" * 5000)
    assert isinstance(second.claim(GPU), str)
    assert not second.holds(GPU)


def test_claims_lie_in_the_hosts_temporary_folder_unless_told_otherwise(tmp_path: Path) -> None:
    assert claims_folder({FOLDER_VARIABLE: str(tmp_path)}) == tmp_path
    common = claims_folder({})
    assert common.name == "footprint-claims"
    assert common == claims_folder({"TMPDIR": str(tmp_path)})
    assert common.parent in (Path("/tmp"), Path(tempfile.gettempdir()))
