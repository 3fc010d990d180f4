"""The tracker in real processes over emulated GPUs: however they end, and whatever they fork.

What a process does is a story, a few lines of Python. Those that need nobody's hand are all started at once.
"""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from emulator import Emulator, Square
from tracked_children import Child, Nursery, accelerators, joules, only_run, runs_of, spans_of, step_j, truth

from footprint.errors import JournalError
from footprint.measurement import journal
from footprint.measurement.tracker.reading import read_run

pytestmark = pytest.mark.slow

INTERVAL_S = 0.2
TRACK = f'footprint.track("t", interval_s={INTERVAL_S}, sensors=("nvml",))'

Hosts = Callable[..., Emulator]


@pytest.fixture(scope="module")
def wavy(hosts: Hosts) -> Emulator:
    """Two GPUs whose load goes up and down."""
    return hosts(gpus=2, wave=Square(100, 400, period_s=0.7), counter_period_ms=20)


# ends of a process

ENDS = {
    "goes out of the block": ("time.sleep(1)", 0, "finished", ""),
    "sys.exit(0)": ("time.sleep(1); sys.exit(0)", 0, "finished", ""),
    "sys.exit(1)": ("time.sleep(1); sys.exit(1)", 1, "failed", "SystemExit"),
    "an exception": ("time.sleep(1); raise ZeroDivisionError('loss')", 1, "failed", "ZeroDivisionError"),
    "Ctrl-C": ("time.sleep(1); os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", -2, "failed", "KeyboardInterrupt"),
    "SIGTERM": ("time.sleep(1); os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", -15, "interrupted", ""),
    "SIGTERM, handled": (
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); time.sleep(1)\n"
        "    os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)", 143, "failed", "SystemExit",
    ),
    "SIGHUP": ("time.sleep(1); os.kill(os.getpid(), signal.SIGHUP); time.sleep(9)", -1, "interrupted", ""),
    "os._exit": ("time.sleep(1); os._exit(3)", 3, "interrupted", ""),
    "os.abort": ("time.sleep(1); os.abort()", -6, "interrupted", ""),
    "a segmentation fault": ("import ctypes; time.sleep(1); ctypes.string_at(0)", -11, "interrupted", ""),
}  # fmt: skip
FORGOTTEN = {
    "a forgotten stop": ("time.sleep(1)", 0, "finished", ""),
    "a forgotten stop and an exception": ("time.sleep(1); raise OSError('disk')", 1, "failed", "OSError"),
    "a forgotten stop and Ctrl-C": ("time.sleep(1); raise KeyboardInterrupt", -2, "failed", "KeyboardInterrupt"),
    "a forgotten stop after an error that was seen": (
        "time.sleep(1)\nsys.last_value = None", 0, "finished", "",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ended(nursery: Nursery, wavy: Emulator) -> Mapping[str, Child]:
    """A process for each end, all at once."""
    stories = {name: f"with {TRACK} as run:\n    {body}" for name, (body, *_) in ENDS.items()}
    stories |= {name: f"tracker = {TRACK}\ntracker.start()\n{body}" for name, (body, *_) in FORGOTTEN.items()}
    return {name: nursery.start(wavy, story) for name, story in stories.items()}


@pytest.mark.parametrize("name", [*ENDS, *FORGOTTEN])
def test_however_a_process_ends_its_run_is_there_and_says_how(
    name: str, ended: Mapping[str, Child], wavy: Emulator
) -> None:
    _, code, status, error = (ENDS | FORGOTTEN)[name]
    child = ended[name]
    assert child.wait() == code
    folder = only_run(child)
    run = read_run(folder)
    assert run.status == status
    assert [note for note in run.notes if "ended by" in note] == ([f"ended by {error}"] if error else [])
    assert joules(run) == truth(wavy, journal.files_of(folder))
    assert run.usage.wall_clock_h is not None
    (own,) = [journal.read(file) for file in journal.files_of(folder)]
    last_s = max(tick.at_s for tick in own.ticks() if not tick.is_edge)
    assert last_s - own.header.started_s >= 0.5  # of a second, on a busy machine
    if status == "finished" or error in ("", "SystemExit"):
        assert child.printed() == ""
    else:
        assert child.printed().rstrip().splitlines()[-1].startswith(error)


@pytest.mark.clock
def test_fifty_processes_killed_at_random_moments_lose_an_interval_at_most(nursery: Nursery, wavy: Emulator) -> None:
    story = f"say('here')\nwith {TRACK} as run:\n    time.sleep(60)"
    children = [nursery.start(wavy, story) for _ in range(50)]
    began_s = time.monotonic()
    chance = random.Random(4)
    killed_s: dict[int, float] = {}
    for after_s, number in sorted((chance.uniform(0.3, 2.5), number) for number in range(50)):
        time.sleep(max(began_s + after_s - time.monotonic(), 0.0))
        killed_s[number] = children[number].kill()
    assert {child.wait() for child in children} == {-signal.SIGKILL}
    lost_j: list[float] = []
    for number, child in enumerate(children):
        assert child.printed() == ""
        for folder in runs_of(child):
            run = read_run(folder)
            assert run.status == "interrupted"
            (own,) = [journal.read(file) for file in journal.files_of(folder)]
            if not (spans := spans_of([own.path])):
                continue  # killed between the journal's first line and the first reading
            begun_s = min(span.begun_s for span in spans.values())
            whole_j = wavy.true_energy_j(None, begun_s, killed_s[number])
            unknown_j = wavy.gpus * step_j(wavy) + sum(span.cut_s for span in spans.values()) * 300.0
            assert joules(run) - whole_j <= unknown_j
            lost_j.append(max(whole_j - joules(run) - unknown_j, 0.0))
    assert len(lost_j) >= 40  # those that were killed before they began have nothing to tell
    interval_j = INTERVAL_S * 400.0 * wavy.gpus
    assert sorted(lost_j)[len(lost_j) * 9 // 10] <= interval_j
    assert max(lost_j) <= 3 * interval_j  # a machine too busy to read in time


def test_a_process_that_is_stopped_and_goes_on_has_drawn_energy_all_the_while(nursery: Nursery, wavy: Emulator) -> None:
    child = nursery.start(wavy, f"with {TRACK} as run:\n    say(1); time.sleep(2.2)")
    child.wait_for()
    time.sleep(0.3)
    child.kill(signal.SIGSTOP)
    time.sleep(1.2)
    child.kill(signal.SIGCONT)
    assert child.wait() == 0
    run = read_run(only_run(child))
    assert joules(run) == truth(wavy, journal.files_of(only_run(child)))


@pytest.fixture(scope="module")
def whole_journal(ended: Mapping[str, Child]) -> Path:
    child = ended["goes out of the block"]
    child.wait()
    return journal.files_of(only_run(child))[0]


def test_a_power_cut_at_any_byte_of_the_tail_leaves_a_run_that_can_be_read(
    whole_journal: Path, tmp_path: Path, wavy: Emulator
) -> None:
    whole = whole_journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    begin = len(whole) - sum(len(line) for line in lines[-3:])
    folder = tmp_path / "run"
    folder.mkdir()
    torn = folder / whole_journal.name
    counts = []
    for length in range(begin, len(whole) + 1):
        torn.write_bytes(whole[:length])
        read = journal.read(torn)
        counts.append(len(list(read.ticks())))
        assert read.torn_count <= 1
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (len(lines) - 4, len(lines) - 1)
    for length in (begin, begin + 1, (begin + len(whole)) // 2, len(whole) - 2, len(whole)):
        torn.write_bytes(whole[:length])
        run = read_run(folder)
        assert joules(run) == truth(wavy, [torn])
        assert run.status == ("finished" if length == len(whole) else "interrupted")


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\xff\xfe{]", b'{"t": "soon"}\n', b"[]\n5\nnull\n", b'{"s": []}\n'])
def test_what_a_power_cut_leaves_behind_a_journal_is_passed_over(
    whole_journal: Path, tmp_path: Path, tail: bytes
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / whole_journal.name).write_bytes(whole_journal.read_bytes() + tail)
    run = read_run(folder)
    assert joules(run) == pytest.approx(joules(read_run(whole_journal.parent)))
    assert any("torn lines were passed over" in note for note in run.notes)


def test_a_journal_of_no_line_is_told_and_hides_no_other(whole_journal: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "h-0-1.jsonl").write_bytes(b"")
    with pytest.raises(JournalError, match="is no journal"):
        read_run(folder)
    shutil.copy(whole_journal, folder)
    run = read_run(folder)
    assert joules(run) == pytest.approx(joules(read_run(whole_journal.parent)))


# forks

FORKS = {
    "a child that goes on": f"""
with {TRACK} as run:
    time.sleep(0.4)
    pid = os.fork()
    if pid == 0:
        run.step(7, tokens=70); run.epoch(); run.progress(steps=99); run.note("of the child")
        with run.window("of the child"):
            run.live(), run.metrics(), run.forecast(), run.state_dict()
        run.load_state_dict({{"run_id": "other", "progress": {{"steps_count": 5}}}})
    else:
        run.step(2, tokens=20)
        os.waitpid(pid, 0)
        time.sleep(0.5)
say([os.getpid() == pid or pid == 0, [t.name for t in threading.enumerate()]])
""",
    "a child that ends at once": f"""
with {TRACK} as run:
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    time.sleep(0.5)
""",
    "children that train on while threads of the parent speak": """
tracker = footprint.track("t", interval_s=0.05, sensors=("nvml",))
run = tracker.start()
run.live()
is_over = False
def speak():
    while not is_over:
        run.step(1, tokens=1)
        run.note(str(time.monotonic()))
        with run.window("w"):
            pass
threads = [threading.Thread(target=speak) for _ in range(3)]
for thread in threads:
    thread.start()
failed = 0
for _ in range(100):
    pid = os.fork()
    if pid == 0:
        signal.alarm(5)
        run.step(1, tokens=1); run.note("child"); run.state_dict(); run.live()
        with run.window("w"):
            pass
        tracker.stop()
        os._exit(0)
    failed += os.waitpid(pid, 0)[1] != 0
is_over = True
for thread in threads:
    thread.join()
tracker.stop()
say(failed)
""",
    "a child with a run of its own": f"""
with {TRACK} as run:
    time.sleep(0.3)
    pid = os.fork()
    if pid == 0:
        with footprint.track("c", interval_s={INTERVAL_S}, sensors=("nvml",)) as own:
            time.sleep(0.5)
        say([run.id, own.id])
        os._exit(0)
    os.waitpid(pid, 0)
    time.sleep(0.2)
""",
    "a tracker that the child starts again": f"""
tracker = {TRACK}
first = tracker.start()
time.sleep(0.3)
pid = os.fork()
if pid == 0:
    second = tracker.start()
    time.sleep(0.3)
    tracker.stop()
    say([first.id, second.id])
    os._exit(0)
os.waitpid(pid, 0)
tracker.stop()
""",
    "workers": f"""
import math, multiprocessing
with {TRACK} as run:
    found = []
    for how in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(how).Pool(2) as pool:
            found.append(pool.map(math.sqrt, [1, 4, 9]))
    say(found)
""",
    "loaders of data": f"""
import multiprocessing, queue
def load(batches, run, is_over):
    while not is_over.wait(0.01):
        with run.window("load"):
            batches.put(1)
context = multiprocessing.get_context("fork")
with {TRACK} as run:
    for epoch in range(2):
        batches, is_over = context.Queue(8), context.Event()
        workers = [context.Process(target=load, args=(batches, run, is_over), daemon=True) for _ in range(3)]
        for worker in workers:
            worker.start()
        for _ in range(20):
            batches.get(timeout=5)
            run.step()
        if epoch:
            is_over.set()
            while any(worker.is_alive() for worker in workers):
                try:
                    batches.get(timeout=0.01)
                except queue.Empty:
                    pass
        else:
            for worker in workers:
                worker.terminate()
        for worker in workers:
            worker.join(5)
        say([worker.exitcode for worker in workers])
""",
}


@pytest.fixture(scope="module")
def forked(nursery: Nursery, wavy: Emulator) -> Mapping[str, Child]:
    return {name: nursery.start(wavy, story) for name, story in FORKS.items()}


@pytest.mark.parametrize("name", list(FORKS))
def test_a_run_is_not_harmed_by_the_children_of_its_process(
    name: str, forked: Mapping[str, Child], wavy: Emulator
) -> None:
    child = forked[name]
    assert child.wait(60) == 0
    assert child.printed() == ""
    own = next(folder for folder in runs_of(child) if journal.read(journal.files_of(folder)[0]).header.pid == child.pid)
    run = read_run(own)
    assert len(run.journals) == 1
    assert run.status == "finished"
    assert joules(run) == truth(wavy, journal.files_of(own))
    assert not any("child" in note for note in run.notes)
    assert "of the child" not in {window.name for window in run.windows}


def test_what_a_forked_child_says_of_its_parents_run_goes_nowhere(forked: Mapping[str, Child]) -> None:
    child = forked["a child that goes on"]
    child.wait()
    run = read_run(only_run(child))
    assert (run.progress.steps_count, run.progress.tokens, run.progress.epochs_count) == (2, 20, 0)
    assert child.told() == [[True, ["MainThread"]], [False, ["MainThread"]]]


def test_no_child_waits_for_a_lock_that_a_thread_of_its_parent_held(forked: Mapping[str, Child]) -> None:
    child = forked["children that train on while threads of the parent speak"]
    child.wait(60)
    assert child.told() == [0]


@pytest.mark.parametrize("name", ["a child with a run of its own", "a tracker that the child starts again"])
def test_a_forked_childs_own_run_counts_no_device_that_its_parent_counts(
    name: str, forked: Mapping[str, Child], wavy: Emulator
) -> None:
    child = forked[name]
    child.wait()
    ((parents, childs),) = child.told()
    folders = {folder.name: folder for folder in runs_of(child)}
    assert set(folders) == {parents, childs}
    run = read_run(folders[childs])
    assert {m.meter.counted_in for m in accelerators(run)} == {parents}
    assert joules(run) == truth(wavy, journal.files_of(folders[childs]))
    assert joules(run, here=True) == 0.0


def test_workers_of_any_kind_do_their_work_under_a_tracker(forked: Mapping[str, Child]) -> None:
    forked["workers"].wait(60)
    assert forked["workers"].told() == [[[1, 2, 3]] * 3]
    forked["loaders of data"].wait(60)
    assert forked["loaders of data"].told() == [[-15] * 3, [0] * 3]


def test_no_child_uses_a_driver_that_its_parent_has_started(forked: Mapping[str, Child], wavy: Emulator) -> None:
    for child in forked.values():
        child.wait(60)
    assert wavy.counts.uninitialized_calls == 0
    assert wavy.counts.shutdowns_in_flight == 0


def test_a_child_that_outlives_its_parent_holds_no_device(nursery: Nursery, hosts: Hosts) -> None:
    host = hosts(gpus=2)
    story = f"""
{TRACK}.start()
if os.fork() == 0:
    time.sleep(3)
    os._exit(0)
time.sleep(0.3)
os.kill(os.getpid(), signal.SIGKILL)
"""
    first = nursery.start(host, story)
    first.wait()
    again = nursery.start(host, f"with {TRACK}:\n    time.sleep(0.3)", FOOTPRINT_CLAIMS=first.folder / "claims")
    assert again.wait() == 0
    assert {m.meter.counted_in for m in read_run(only_run(again)).meters} == {""}


# what a process is left with

QUIET = f"""
import faulthandler, logging, warnings

def seen():
    return {{
        "signals": {{str(n): repr(signal.getsignal(n)) for n in sorted(signal.valid_signals())}},
        "mask": sorted(str(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "wakeup": signal.set_wakeup_fd(-1),
        "timers": [signal.getitimer(signal.ITIMER_REAL), signal.getitimer(signal.ITIMER_PROF)],
        "loggers": [repr(logging.root), repr(logging.root.handlers), logging.root.manager.disable,
                    sorted(name for name in logging.root.manager.loggerDict if "footprint" in name)],
        "warnings": repr(warnings.filters),
        "hooks": [repr(sys.excepthook), repr(threading.excepthook), repr(sys.unraisablehook), repr(sys.displayhook)],
        "streams": [repr(sys.stdout), repr(sys.stderr), repr(sys.stdin)],
        "traced": [repr(sys.gettrace()), repr(sys.getprofile()), repr(threading.gettrace()), sys.getswitchinterval()],
        "environment": dict(os.environ), "path": sys.path[:], "argv": sys.argv[:], "folder": os.getcwd(),
        "faults": faulthandler.is_enabled(), "recursion": sys.getrecursionlimit(),
    }}

def left():
    files = sorted(os.readlink(f"/proc/self/fd/{{n}}") for n in os.listdir("/proc/self/fd") if n.isdigit()
                   and os.path.islink(f"/proc/self/fd/{{n}}"))
    tasks = [f"/proc/self/task/{{task}}/children" for task in os.listdir("/proc/self/task")]
    return {{"threads": [t.name for t in threading.enumerate()], "files": [f for f in files if "/proc/" not in f],
            "children": [open(task).read() for task in tasks if os.path.exists(task)]}}

signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGTERM, lambda *_: None)
heard = []
signal.signal(signal.SIGALRM, lambda *_: heard.append(1))
logging.basicConfig(level=logging.WARNING, filename="log")
before, left_before = seen(), left()
for _ in range(3):
    with {TRACK} as run:
        inside = seen()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        time.sleep(0.3)
        with run.window("w"):
            run.step(tokens=5)
        run.live(), run.metrics(), run.notes
    run.result.to_json(), str(run.result)
    after, left_after = seen(), left()
say([before == inside, before == after, left_before == left_after, len(heard)])
say([left_before, left_after, {{k: (before[k], after[k]) for k in before if before[k] != after[k]}}])
"""


@pytest.mark.parametrize("story", [QUIET, QUIET.replace(', sensors=("nvml",)', "")], ids=["nvml", "all sensors"])
def test_a_process_is_left_as_it_was(story: str, nursery: Nursery, wavy: Emulator) -> None:
    child = nursery.start(wavy, story)
    assert child.wait() == 0
    verdict, *told = child.told()
    assert verdict == [True, True, True, 3], told
    assert child.printed() == ""
    assert (child.folder / "log").read_text() == ""


def test_a_handler_that_speaks_in_the_midst_of_a_step_waits_for_nobody(nursery: Nursery, wavy: Emulator) -> None:
    story = f"""
with {TRACK} as run:
    def speak(*_):
        run.step(tokens=1); run.note("preempted soon")
        with run.window("w"):
            run.state_dict()
    signal.signal(signal.SIGALRM, speak)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    until_s = time.monotonic() + 1
    while time.monotonic() < until_s:
        run.step(tokens=1); run.note("on")
        with run.window("w"):
            run.progress(epochs=1)
    signal.setitimer(signal.ITIMER_REAL, 0)
"""
    child = nursery.start(wavy, story)
    assert child.wait(15) == 0
    assert child.printed() == ""


def test_a_handler_may_stop_the_run_that_is_being_stopped(nursery: Nursery, wavy: Emulator) -> None:
    story = f"""
tracker = {TRACK}
run = tracker.start()
signal.signal(signal.SIGALRM, lambda *_: tracker.stop("failed"))
time.sleep(0.4)
signal.setitimer(signal.ITIMER_REAL, 0.002)
tracker.stop()
time.sleep(0.1)
tracker.stop("failed")
"""
    child = nursery.start(wavy, story)
    assert child.wait(15) == 0
    assert read_run(only_run(child)).status == "finished"


def test_ctrl_c_while_sensors_are_awaited_leaves_nothing_running(nursery: Nursery, hosts: Hosts) -> None:
    host = hosts(gpus=1)
    host.fault("nvmlDeviceGetCount", delay_us=1_500_000)
    story = f"""
try:
    with {TRACK} as run:
        say("inside")
except KeyboardInterrupt:
    say([t.name for t in threading.enumerate() if t.name == "footprint-sampler"])
"""
    child = nursery.start(host, story)
    time.sleep(0.7)
    child.kill(signal.SIGINT)
    assert child.wait(15) == 0
    assert child.told() == [[]]


def test_a_command_that_inherits_everything_holds_none_of_our_files(nursery: Nursery, wavy: Emulator) -> None:
    story = f"""
import subprocess
with {TRACK} as run:
    say(subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout)
"""
    child = nursery.start(wavy, story)
    assert child.wait() == 0
    (listed,) = child.told()
    assert "/dev/null" in listed
    assert not any(name in listed for name in (".jsonl", ".lock"))


def test_a_run_that_goes_on_is_read_by_others_as_running(nursery: Nursery, wavy: Emulator) -> None:
    child = nursery.start(wavy, f"with {TRACK} as run:\n    run.step(3); say(1); time.sleep(30)")
    child.wait_for()
    time.sleep(0.8)
    seen = Path(shutil.copytree(only_run(child), child.folder / "seen"))  # it grows while it is read
    run = read_run(seen)
    assert run.status == "running"
    assert joules(run) == truth(wavy, journal.files_of(seen))
    child.kill()
    child.wait()
    assert read_run(only_run(child)).status == "interrupted"


@pytest.mark.clock
def test_a_forgotten_stop_under_a_driver_that_hangs_does_not_hold_up_the_exit(nursery: Nursery, hosts: Hosts) -> None:
    host = hosts(gpus=1)
    child = nursery.start(host, f"{TRACK}.start()\nsay(1)\nwhile not os.path.exists('enough'): time.sleep(0.01)")
    child.wait_for()
    host.fault("nvmlDeviceGetFieldValues", hang=True)
    time.sleep(0.5)
    ending_s = time.monotonic()
    (child.folder / "enough").touch()
    assert child.wait() == 0
    assert time.monotonic() - ending_s < 4.0  # 2 s for the driver, none for the disk, and a busy machine
    host.clear_faults()
    assert read_run(only_run(child)).status == "finished"
