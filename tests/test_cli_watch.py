"""`footprint watch`: finding a run, showing it on a terminal and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from footprint.cli.watch import find_run
from footprint.errors import InputError, UnknownName
from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.tracker.boot import boot_id
from footprint.values import Meter, Sample

WATCH = [sys.executable, "-m", "footprint", "watch"]
PATIENCE_S = 30.0
GPU = Meter(
    "GPU-1", "accelerator", "NVIDIA H100 80GB HBM3", "nvml", "gpu", "measured",
    has_counter=True, period_s=0.1, max_w=700.0, memory_gb=80.0,
)  # fmt: skip


class Training:
    """A journal that grows: 500 W, a step and a thousand tokens a second."""

    def __init__(self, root: Path, run_id: str = "run-1", name: str = "sft", seconds: int = 100) -> None:
        import socket

        self.now_s = time.monotonic() - seconds
        header = Header(
            run_id, name, socket.gethostname(), boot_id(), os.getpid(), 0, 0, time.time() - seconds, self.now_s, 1.0,
            (GPU,), words={"region": "aws/us-east-1", "steps": 200.0, "params": 1e9, "budget_kwh": 0.02},
        )  # fmt: skip
        self.writer = JournalWriter(root / run_id, header)
        self.count = 0
        for _ in range(seconds):
            self.go_on()

    def go_on(self, watts: float = 500.0) -> None:
        self.count += 1
        self.now_s += 1.0
        sample = Sample("GPU-1", self.now_s, 500.0 * self.count, watts, 0.9)
        progress = {"steps_count": float(self.count), "run_tokens": 1000.0 * self.count, "absolute": 1.0}
        self.writer.write(Tick(self.now_s, (sample,), progress=progress))

    def end(self) -> None:
        self.writer.write(Tick(self.now_s, end="finished"))
        self.writer.close()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def watch(runs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FOOTPRINT_FOLDER": str(runs), "COLUMNS": "80"}
    return subprocess.run(
        [*WATCH, *arguments], env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_in_a_pipe_the_newest_run_that_goes_on_is_shown_once_as_plain_text(runs: Path) -> None:
    Training(runs, "going", "pretrain")
    Training(runs, "newer", "eval").end()
    ran = watch(runs)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("pretrain · running · 1 min")
    assert "\x1b" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80
    for told in (
        "50.0 %", "step 100 of 200 · 100,000 tokens", "0 H100 80GB HBM3", "500 W", "90%", "so far", "in the end",
        "Budget energy", "1,000 tokens/s", "J/token",
    ):  # fmt: skip
        assert told in ran.stdout, told
    drawn = re.search(r"IT energy +(\S+) Wh", ran.stdout)
    assert drawn
    assert float(drawn[1]) > 500.0 * 99 / 3600


def test_a_run_is_found_by_id_name_beginning_or_folder(runs: Path) -> None:
    Training(runs, "sft-20260101-aa", "sft", 2).end()
    Training(runs, "sft-20260102-bb", "sft", 2).end()
    Training(runs, "other-cc", "pretrain", 2).end()
    assert find_run(runs, "pretrain") == find_run(runs, "other") == find_run(runs, "other-cc") == runs / "other-cc"
    assert find_run(runs, "sft") == runs / "sft-20260102-bb"
    assert find_run(runs, str(runs / "sft-20260101-aa")) == runs / "sft-20260101-aa"
    assert find_run(runs, None) == runs / "other-cc"
    with pytest.raises(InputError, match="2 runs begin so; give more of the id"):
        find_run(runs, "sft-2026")
    with pytest.raises(UnknownName, match="did you mean pretrain"):
        find_run(runs, "pretrian")


def test_without_any_run_it_says_how_to_start_one(runs: Path) -> None:
    ran = watch(runs)
    assert ran.returncode == 1
    assert "holds no run; start one: footprint track -- COMMAND" in ran.stderr
    assert watch(runs, "--interval", "0").returncode == 2


def test_a_run_that_has_ended_shows_its_final_state(runs: Path) -> None:
    Training(runs).end()
    ran = watch(runs, "--once")
    assert ran.stdout.startswith("sft · finished")
    assert "in the end" not in ran.stdout


def test_a_name_from_a_hostile_journal_steers_no_terminal(runs: Path) -> None:
    Training(runs, name="\x1b[2J\x1b]0;owned\x07[bold]x[/bold]\n", seconds=3)
    ran = watch(runs)
    assert not {"\x1b", "\x07"} & set(ran.stdout)
    assert "[bold]x[/bold]" in ran.stdout.splitlines()[0]


class Screen:
    """`footprint watch` on a terminal of its own."""

    def __init__(self, runs: Path, *arguments: str) -> None:
        env = {**os.environ, "FOOTPRINT_FOLDER": str(runs), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        self.pid, self.master = pty.fork()
        if not self.pid:
            os.execve(WATCH[0], [*WATCH, *arguments], env)
        self.seen = ""

    def read_until(self, pattern: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not re.search(pattern, self.seen) and time.monotonic() < end_s:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    break
        assert re.search(pattern, self.seen), self.seen
        self.seen = re.split(pattern, self.seen, maxsplit=1)[1]

    def end(self) -> int:
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            if not data:
                break
            self.seen += data.decode(errors="replace")
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def training(runs: Path) -> Iterator[Training]:
    made = Training(runs)
    yield made
    made.writer.close()


def test_on_a_terminal_it_follows_the_run_and_leaves_when_it_ends(training: Training, runs: Path) -> None:
    screen = Screen(runs, "--interval", "0.1")
    screen.read_until("step 100 of 200")
    screen.read_until("500 W")
    training.go_on(watts=612.0)
    screen.read_until("612 W")
    training.go_on(watts=613.0)
    screen.read_until("613 W")
    training.end()
    screen.read_until("finished")
    assert screen.end() == 0
    assert screen.seen.rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_ctrl_c_leaves_it_without_an_error(training: Training, runs: Path) -> None:
    screen = Screen(runs, "--interval", "0.1")
    screen.read_until("500 W")
    os.write(screen.master, b"\x03")
    assert screen.end() == 0
    assert "Traceback" not in screen.seen


def test_a_run_whose_folder_goes_is_an_error_and_no_traceback(training: Training, runs: Path) -> None:
    import shutil

    screen = Screen(runs, "--interval", "0.1")
    screen.read_until("500 W")
    shutil.rmtree(runs)
    assert screen.end() == 1
    assert "error:" in screen.seen
    assert "Traceback" not in screen.seen
