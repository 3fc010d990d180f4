"""`footprint track`: a command measured, as if nobody stood between it and its caller."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emulator import Constant, Emulator, Square, uuid_of

from footprint.measurement import journal
from footprint.measurement.tracker.reading import read_run

TRACK = [sys.executable, "-m", "footprint", "track"]
PATIENCE_S = 30.0

CHILD = """
import os, select, signal, sys
told, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "CONT"):
    signal.signal(getattr(signal, "SIG" + name), lambda number, frame: None)
print("ready", flush=True)
while True:
    ready, _, _ = select.select([told, 0], [], [])
    if told in ready:
        for number in os.read(told, 100):
            print(signal.Signals(number).name, flush=True)
    elif os.read(0, 100) in (b"end\\n", b""):
        sys.exit(7)
"""
"""Tells each signal that it gets, and ends with 7 when it is told to."""


@pytest.fixture
def env(emulator: Callable[..., Emulator], tmp_path: Path) -> dict[str, str]:
    """Two emulated GPUs of 300 W, and folders of the test's own."""
    given = {**emulator(gpus=2, wave=Constant(300.0)).env, "FOOTPRINT_FOLDER": str(tmp_path / "runs")}
    folders = {"FOOTPRINT_HOME": str(tmp_path / "home"), "FOOTPRINT_CLAIMS": str(tmp_path / "claims")}
    return given | folders | {"COLUMNS": "80"}


@pytest.fixture(autouse=True)
def _signals_as_in_a_shell() -> Iterator[None]:
    """A runner in the background ignores Ctrl-C, and whatever it starts inherits that."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def track(env: dict[str, str], *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TRACK, *arguments], env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **how
    )


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


class Started:
    """A command that is being tracked, in a session of its own."""

    def __init__(self, env: dict[str, str], *arguments: str, head: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*head, *TRACK, *arguments], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[int, str, str]:
        """Tell the child to end: exit code, the rest of stdout, stderr."""
        out, err = self.process.communicate("end\n", timeout=PATIENCE_S)
        return self.process.returncode, out, err


@pytest.fixture
def started(env: dict[str, str]) -> Iterator[Callable[..., Started]]:
    begun: list[Started] = []

    def start(*arguments: str, head: tuple[str, ...] = ()) -> Started:
        begun.append(Started(env, *arguments, "--", *python(CHILD), head=head))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
        with one.process:  # closes its pipes
            pass


def only_run(runs: Path) -> Path:
    (run,) = journal.run_folders(runs)
    return run


def wait_for(condition: Callable[[], Any]) -> Any:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it never happened")


# exit codes, input and output


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import os, signal; signal.signal(signal.SIGTERM, signal.SIG_DFL); os.kill(os.getpid(), 15)", 143),
    ],
)
def test_the_commands_exit_code_is_ours(env: dict[str, str], runs: Path, code: str, expected: int) -> None:
    ran = track(env, "--quiet", *python(code))
    assert (ran.returncode, ran.stdout, ran.stderr) == (expected, "", "")
    run = read_run(only_run(runs))
    assert run.status == ("finished" if expected == 0 else "failed")
    assert [m.meter.id for m in run.meters if m.meter.component == "accelerator"] == [uuid_of(0), uuid_of(1)]


def test_input_output_and_open_files_are_the_commands_own(env: dict[str, str], tmp_path: Path) -> None:
    code = """
import os, sys
sys.stdout.write(sys.stdin.read().upper())
sys.stderr.write("err\\n")
os.write(int(sys.argv[1]), b"more")
"""
    with (tmp_path / "more").open("wb") as file:
        number = file.fileno()
        command = ["--name", "sft", "--region", "aws/us-east-1", "--", *python(code, str(number))]
        ran = track(env, *command, input="in\n", pass_fds=(number,))
    assert ran.stdout == "IN\n"
    assert ran.stderr.startswith("err\n")
    assert "sft · finished" in ran.stderr
    assert "2 × h100-sxm" in ran.stderr
    assert len(ran.stderr.splitlines()) <= 42
    assert (tmp_path / "more").read_bytes() == b"more"


def test_options_after_the_command_are_the_commands(env: dict[str, str]) -> None:
    code = "import sys; print(sys.argv[1:])"
    for between in ([], ["--"]):
        ran = track(env, "--quiet", *between, *python(code, "--name", "x", "--", "--help", "-q"))
        assert ran.stdout == "['--name', 'x', '--', '--help', '-q']\n"


def test_the_result_goes_to_a_file_where_one_is_named(env: dict[str, str], tmp_path: Path) -> None:
    ran = track(env, "--quiet", "--out", str(tmp_path / "run.json"), "true")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["name"] == "true"


def test_the_command_starts_with_the_signals_of_whoever_calls(env: dict[str, str]) -> None:
    command = ["cat", "/proc/self/status"]
    seen = track(env, "--quiet", "--", *command).stdout
    alone = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    named = (1 << 31) - 1  # the C library keeps 32 and 33 to itself
    for mask in ("SigBlk", "SigIgn", "SigCgt"):
        here, there = (int(re.findall(rf"{mask}:\s(\w+)", text)[0], 16) & named for text in (seen, alone))
        assert here == there, mask


def test_a_script_without_a_first_line_runs_as_in_a_shell(env: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo $1; exit 5\n", encoding="utf-8")
    script.chmod(0o755)
    ran = track(env, "--quiet", str(script), "word")
    assert (ran.returncode, ran.stdout) == (5, "word\n")


# what is refused before anything starts


def test_a_command_that_is_not_there_is_127_and_one_that_cannot_run_126(
    env: dict[str, str], runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").touch()
    bad = tmp_path / "bad"
    bad.write_text("#!/no/such/interpreter\n", encoding="utf-8")
    bad.chmod(0o755)
    for command, code, told in (
        ("no-such-command", 127, "is not found in PATH"),
        (str(tmp_path / "none"), 127, "is not found, no such file"),
        (str(tmp_path / "data"), 126, "is not executable"),
        (str(tmp_path), 126, "is a folder"),
    ):
        ran = track(env, "--", command)
        assert (ran.returncode, ran.stdout) == (code, "")
        assert ran.stderr.startswith(f"error: command = {command!r}: {told}")
        assert ran.stderr.count("\n") == 1
    assert not runs.exists()
    ran = track(env, "--", str(bad))
    assert ran.returncode == 126
    assert "cannot be started (No such file or directory)" in ran.stderr
    assert read_run(only_run(runs)).status == "failed"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "name what to run: footprint track -- COMMAND"),
        (["--pid", "1", "true"], 2, "not both"),
        (["--nmae", "x", "true"], 2, "--nmae"),
        (["--on-budget", "explode", "true"], 2, "explode"),
        (["--budget-signal", "NOPE", "true"], 2, "'NOPE' is no signal"),
        (["--set", "pue", "true"], 2, "FIELD=VALUE"),
        (["--kill-after", "-1", "true"], 2, "-1"),
        (["--pid", "1", "--on-budget", "stop"], 2, "never signalled"),
        (["--region", "aws/us-eats-1", "true"], 1, "did you mean"),
        (["--country", "FRX", "true"], 1, "did you mean"),
        (["--budget-kwh", "-5", "true"], 1, "must be above zero"),
        (["--name", "a/b", "true"], 1, "must not hold slashes"),
        (["--tag", "a\nb", "true"], 1, "must not hold line ends"),
        (["--interval", "0", "true"], 1, "interval_s"),
        (["--folder", "/proc/none", "true"], 1, "folder"),
        (["--out", "/proc/none/x.json", "true"], 1, "out"),
        (["--plan", "no-such-plan", "true"], 1, "plan"),
        (["--pid", "999999999"], 1, "is no process that runs"),
    ],
)
def test_bad_input_is_refused_before_the_command_starts(
    run_here: Callable[..., tuple[int, str]], runs: Path, arguments: list[str], code: int, told: str
) -> None:
    found, err = run_here(*arguments)
    assert (found, told in err) == (code, True), err
    assert not list(runs.glob("*/*"))


@pytest.fixture
def run_here(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """The command line in this process, for what ends before a command starts."""
    from footprint.cli import main

    for name in ("FOOTPRINT_FOLDER", "FOOTPRINT_HOME", "FOOTPRINT_CLAIMS", "COLUMNS"):
        monkeypatch.setenv(name, env[name])

    def call(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main.run(("track", *arguments))
        return int(left.value.code or 0), " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().err).split())

    return call


# signals


def test_a_signal_to_us_reaches_the_command_once(started: Callable[..., Started]) -> None:
    one = started("--quiet")
    for name in ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "CONT"):
        one.process.send_signal(getattr(signal, f"SIG{name}"))
        assert one.line() == f"SIG{name}"
    assert one.end() == (7, "", "")


def test_a_signal_to_the_whole_group_reaches_the_command_once(started: Callable[..., Started], runs: Path) -> None:
    one = started("--quiet")
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        os.killpg(one.process.pid, number)
        assert one.line() == number.name
    time.sleep(0.2)  # what comes at once is taken for the same one
    one.process.send_signal(signal.SIGUSR1)
    assert one.line() == "SIGUSR1"
    assert one.end() == (7, "", "")
    notes = read_run(only_run(runs)).notes
    assert any(note.startswith("SIGTERM came") for note in notes)
    assert "the command ended with exit code 7" in notes


@pytest.mark.clock
def test_timeout_around_us_ends_the_command_with_one_signal(started: Callable[..., Started]) -> None:
    one = started("--quiet", head=("timeout", "--foreground", "1.5"))
    assert one.line() == "SIGTERM"
    assert one.end() == (124, "", "")


def test_a_command_that_a_signal_kills_gives_128_and_its_number(env: dict[str, str], runs: Path) -> None:
    process = subprocess.Popen([*TRACK, "--quiet", "--", "sleep", "30"], env=env, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(runs.glob("*/*.jsonl")))
    time.sleep(0.3)
    process.terminate()
    assert process.communicate(timeout=PATIENCE_S) == (None, "")
    assert process.returncode == 143
    assert "the command was killed by SIGTERM" in read_run(only_run(runs)).notes


def test_nohup_stays_in_force(env: dict[str, str]) -> None:
    code = "import os, signal; os.kill(os.getppid(), signal.SIGHUP); os.kill(os.getpid(), signal.SIGHUP); print('on')"
    ran = subprocess.run(
        ["nohup", *TRACK, "--quiet", "--", *python(code)], env=env, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (ran.returncode, ran.stdout) == (0, "on\n")


def test_the_command_outlives_our_death(started: Callable[..., Started], runs: Path) -> None:
    one = started("--quiet")
    (child,) = children(one.process.pid)
    one.process.kill()
    one.process.wait()
    os.kill(child, signal.SIGUSR1)
    assert one.line() == "SIGUSR1"
    assert read_run(only_run(runs)).status == "interrupted"
    os.kill(child, signal.SIGKILL)
    assert wait_for(lambda: not leftovers(one.process.pid))  # the listener has gone with us


def children(pid: int) -> list[int]:
    """The command, the listener left out."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(p) for p in text.split() if Path(f"/proc/{p}/comm").read_text(encoding="ascii").strip() != "cat"]


def leftovers(group: int) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,comm="], capture_output=True, text=True, check=True).stdout
    fields = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [name for pgid, state, name in fields if int(pgid) == group and not state.startswith("Z")]


# terminals


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, env: dict[str, str], *command: str) -> None:
        self.pid, self.master = pty.fork()
        if not self.pid:
            os.execve(command[0], list(command), env)
        self.seen = ""

    def read_until(self, text: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while text not in self.seen and time.monotonic() < end_s:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 4096).decode(errors="replace")
                except OSError:
                    break
        assert text in self.seen, self.seen

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def end(self) -> int:
        """The wait status."""
        with os.fdopen(self.master, "rb", buffering=0) as file:
            try:
                while data := file.read(4096):
                    self.seen += data.decode(errors="replace")
            except OSError:
                pass
        return os.waitpid(self.pid, 0)[1]


def test_a_terminal_stays_one_and_ctrl_c_reaches_the_command_once(env: dict[str, str]) -> None:
    terminal = Terminal(
        env, *TRACK, "--quiet", "--", *python("import os; print([os.isatty(i) for i in range(3)])\n" + CHILD)
    )
    terminal.read_until("[True, True, True]")
    terminal.read_until("ready")
    terminal.type(b"\x03")
    terminal.read_until("SIGINT")
    terminal.type(b"\x1c")
    terminal.read_until("SIGQUIT")
    terminal.type(b"end\n")
    status = terminal.end()
    assert os.WEXITSTATUS(status) == 7
    assert (terminal.seen.count("SIGINT"), terminal.seen.count("SIGQUIT")) == (1, 1)


def test_a_command_that_ctrl_c_kills_takes_us_with_it_as_in_a_shell(env: dict[str, str], runs: Path) -> None:
    terminal = Terminal(env, *TRACK, "--", "sh", "-c", "echo ready; exec sleep 30")
    terminal.read_until("ready")
    terminal.type(b"\x03")
    status = terminal.end()
    assert os.WIFSIGNALED(status)  # a loop in a script around us stops too
    assert os.WTERMSIG(status) == signal.SIGINT
    assert "sh · failed" in terminal.seen


def test_ctrl_z_stops_us_with_the_command_and_both_go_on(env: dict[str, str]) -> None:
    shell = """
import os, signal, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, setpgroup=0, setsigdef=[signal.SIGTTOU])
os.tcsetpgrp(0, pid)
_, status = os.waitpid(pid, os.WUNTRACED)
os.tcsetpgrp(0, os.getpgrp())
print("stopped", os.WIFSTOPPED(status), flush=True)
input()
os.tcsetpgrp(0, pid)
os.killpg(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""
    terminal = Terminal(env, *python(shell), *TRACK, "--quiet", "--", *python(CHILD))
    terminal.read_until("ready")
    terminal.type(b"\x1a")
    terminal.read_until("stopped True")
    terminal.type(b"\n")
    terminal.read_until("SIGCONT")
    terminal.type(b"end\n")
    terminal.read_until("ended 7")
    assert terminal.end() == 0
    assert terminal.seen.count("SIGCONT") == 1


# what is kept


def test_a_journal_keeps_neither_environment_nor_command_line_unless_asked(env: dict[str, str], runs: Path) -> None:
    track({**env, "TOKEN": "s3cret-env"}, "--quiet", "true", "--password", "s3cret-arg")
    text = "".join(file.read_text(encoding="utf-8") for file in journal.files_of(only_run(runs)))
    assert "s3cret" not in text
    assert read_run(only_run(runs)).name == "true"
    track(env, "--quiet", "--keep-command", "--run-id", "kept", "true", "--lr", "3e-4")
    assert "command: true --lr 3e-4" in read_run(runs / "kept").notes


def test_nothing_heavy_is_imported_before_the_command_starts(env: dict[str, str]) -> None:
    code = """
import sys
from footprint.measurement.command import Relay
before = Relay.start
heavy = ("numpy", "pandas", "sqlalchemy", "plotly", "codecarbon", "torch")
def start(self, *given):
    print([name for name in heavy if name in sys.modules])
    before(self, *given)
Relay.start = start
from footprint.cli.main import run
run(["track", "--quiet", "true"])
"""
    ran = subprocess.run(python(code), env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert ran.stdout == "[]\n"


# one run, measured once


@pytest.mark.clock
def test_a_tracker_inside_the_command_joins_the_run_and_nothing_counts_twice(
    emulator: Callable[..., Emulator], env: dict[str, str], runs: Path
) -> None:
    host = emulator(gpus=2, wave=Square(100, 400, 0.5))
    code = """
import footprint, os, time
with footprint.track("inner", tokens=1e6) as run:
    print(run.id == os.environ["FOOTPRINT_RUN_ID"], time.monotonic())
    for _ in range(10):
        time.sleep(0.1)
        run.step(tokens=1000)
print(time.monotonic())
"""
    ran = track({**env, **host.env, "CUDA_VISIBLE_DEVICES": "1"}, "--quiet", "--name", "outer", "--interval", "0.2",
                "--", *python(code))  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    joined, begun, ended = re.match(r"(\w+) (\S+)\n(\S+)", ran.stdout).groups()  # type: ignore[union-attr]
    run = read_run(only_run(runs))
    (device,) = [m for m in run.meters if m.meter.component == "accelerator"]
    assert (joined, device.meter.id, run.progress.tokens) == ("True", uuid_of(1), 10_000)
    lasted_s = device.duration_s
    assert float(ended) - float(begun) < lasted_s < float(ended) - float(begun) + 5.0
    mean_w = device.it_energy_kwh.mid * 3.6e6 / lasted_s
    assert mean_w == pytest.approx(250.0, rel=0.15)  # two GPUs, or one twice, would be 500


def test_measuring_that_fails_leaves_the_command_its_exit_code(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "constants.csv").write_text("nonsense\n1,2,3\n", encoding="utf-8")
    ran = track({**env, "FOOTPRINT_DATA": str(tmp_path / "data")}, "--", *python("print('done'); exit(4)"))
    assert (ran.returncode, ran.stdout) == (4, "done\n")
    assert "constants.csv" in ran.stderr
    assert "Traceback" not in ran.stderr


# budgets


def test_a_budget_warns_signals_or_stops(env: dict[str, str], tmp_path: Path) -> None:
    def begin(name: str, *arguments: str, code: str = CHILD) -> subprocess.Popen[str]:
        own = env | {"FOOTPRINT_FOLDER": str(tmp_path / name), "FOOTPRINT_CLAIMS": str(tmp_path / name / "claims")}
        given = [*TRACK, "--name", name, "--interval", "0.2", "--budget-kwh", "1e-7", *arguments, "--", *python(code)]
        pipe = subprocess.PIPE
        return subprocess.Popen(given, env=own, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    warned = begin("warned")
    signalled = begin("signalled", "--on-budget", "signal", "--budget-signal", "usr1", "--quiet")
    stopped = begin("stopped", "--on-budget", "stop", "--quiet", code="import time; time.sleep(60)")
    killed = begin("killed", "--on-budget", "stop", "--kill-after", "0.5", "--quiet", code=deaf)
    assert stopped.communicate(timeout=PATIENCE_S) == ("", "")
    assert stopped.returncode == 143
    assert read_run(only_run(tmp_path / "stopped")).status == "stopped"
    assert killed.communicate(timeout=PATIENCE_S) == ("ready\n", "")
    assert killed.returncode == 137
    for process, seen in ((warned, "ready\n"), (signalled, "ready\nSIGUSR1\n")):
        out, err = process.communicate("end\n", timeout=PATIENCE_S)
        assert (process.returncode, out) == (7, seen)
        assert ("budget_kwh of 1e-07 is spent" in err) is (process is warned)
    assert read_run(only_run(tmp_path / "signalled")).status == "failed"


# a process that runs already


def test_a_process_that_runs_is_measured_until_it_ends(env: dict[str, str], runs: Path) -> None:
    other = subprocess.Popen(["sleep", "1.5"], env={**env, "CUDA_VISIBLE_DEVICES": uuid_of(1)})
    ran = track({**env, "CUDA_VISIBLE_DEVICES": "0"}, "--pid", str(other.pid), "--interval", "0.2")
    assert other.wait() == 0
    assert (ran.returncode, ran.stdout) == (0, "")
    assert f"pid-{other.pid} · finished" in ran.stderr
    (device,) = [m for m in read_run(only_run(runs)).meters if m.meter.component == "accelerator"]
    assert device.meter.id == uuid_of(1)


def test_ctrl_c_ends_the_measuring_and_not_the_process(env: dict[str, str], runs: Path) -> None:
    other = subprocess.Popen(["sleep", "60"], env=env)
    try:
        process = subprocess.Popen([*TRACK, "--quiet", "--pid", str(other.pid)], env=env)
        wait_for(lambda: list(runs.glob("*/*.jsonl")))
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    assert "tracking ended before the process did" in read_run(only_run(runs)).notes


# without sigtimedwait


def test_where_the_system_lacks_sigtimedwait_codes_and_signals_pass_all_the_same(env: dict[str, str]) -> None:
    code = """
import os, sys
from footprint.measurement import command
with command.PlainRelay() as relay:
    relay.start(command.locate(sys.argv[1], os.environ), sys.argv[1:], os.environ)
    ended = relay.wait(lambda number: print("seen", number, flush=True), lambda: None, 0.05)
print(ended.code, ended.signal)
"""
    process = subprocess.Popen(
        python(code, *python(CHILD)), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGUSR1)
    assert {process.stdout.readline(), process.stdout.readline()} == {"SIGUSR1\n", "seen 10\n"}
    assert process.communicate("end\n", timeout=PATIENCE_S)[0] == "7 None\n"
