"""A driver that fails under a training, words that cannot be, budgets and windows: the training goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from emulator import Constant, Emulator, Square
from tracked_children import Child, Nursery, accelerators, joules, only_run, runs_of, spans_of, truth

import footprint
from footprint.errors import FootprintError, InputError, UnknownName
from footprint.measurement import journal
from footprint.measurement.tracker.reading import read_run
from footprint.units import J_PER_KWH
from footprint.values import Run

pytestmark = pytest.mark.slow

TRACK = 'footprint.track("t", interval_s=0.2, sensors=("nvml",))'
PATIENCE_S = 2.0
PATIENCE_OF_A_BUSY_MACHINE_S = 120.0  # all of them read their results at once
Hosts = Callable[..., Emulator]

TRAIN = f"""
import footprint.measurement.tracker.recorder as recorder
recorder.OPEN_PATIENCE_S = 1.0
before_s = time.monotonic()
tracker = {TRACK}
run = tracker.start()
began_s = time.monotonic()
say(began_s)
longest_s = steps = 0
last_s = time.monotonic()
while not os.path.exists("enough"):
    time.sleep(0.005)
    run.step(tokens=1)
    steps += 1
    now_s = time.monotonic()
    longest_s, last_s = max(longest_s, now_s - last_s), now_s
stopping_s = time.monotonic()
tracker.stop()
say({{"start_s": began_s - before_s, "stop_s": time.monotonic() - stopping_s, "longest_s": longest_s,
     "notes": run.notes, "steps": steps}})
try:
    run.result
except footprint.FootprintError as error:
    say(str(error))
else:
    say("")
"""


@dataclass
class Trouble:
    """A training on two GPUs, the first of which has trouble from `at_s` on, and how it came out."""

    host: Emulator
    child: Child
    at_s: float = 0.0
    ended_s: float = 0.0

    @property
    def told(self) -> dict[str, Any]:
        return self.child.told()[1]  # type: ignore[no-any-return]

    @property
    def run(self) -> Run:
        return read_run(only_run(self.child))

    @property
    def files(self) -> list[Path]:
        return journal.files_of(only_run(self.child))


Cause = Callable[[Emulator, float], Any]


def in_readings(host: Emulator, **fault: Any) -> None:
    """Trouble of the calls that tell energy and power."""
    for function in ("nvmlDeviceGetFieldValues", "nvmlDeviceGetTotalEnergyConsumption"):
        host.fault(function, **fault)


AT_START: Mapping[str, Cause] = {
    "hangs as it is opened": lambda host, at_s: host.fault("nvmlDeviceGetCount", hang=True),
    "hangs as it is opened, and lets go after the end": lambda host, at_s: host.fault("nvmlDeviceGetCount", hang=True),
    "takes 50 ms a call": lambda host, at_s: host.fault("nvmlDeviceGet*", delay_us=50_000),
    "hides a GPU": lambda host, at_s: host.fault("nvmlDeviceGetUUID", gpu=0, error="unknown"),
    "cannot be initialised": lambda host, at_s: host.fault("nvmlInit*", error="unknown"),
    "knows no energy": lambda host, at_s: host.set(counter=False, total_energy_field=False, energy_field=False),
}
IN_MIDDLE: Mapping[str, Cause] = {
    "nothing": lambda host, at_s: None,
    "is loaded again": lambda host, at_s: host.reset_counter(at_s=at_s),
    "loses a GPU": lambda host, at_s: host.lose(0, at_s=at_s),
    "loses both GPUs": lambda host, at_s: [host.lose(gpu, at_s=at_s) for gpu in range(2)],
    "fails at random": lambda host, at_s: host.fault("nvmlDeviceGet*", error="unknown", probability=0.3, from_s=at_s),
    "fails for a while": lambda host, at_s: in_readings(host, error="unknown", from_s=at_s, until_s=at_s + 1.2),
    "hangs": lambda host, at_s: in_readings(host, hang=True, from_s=at_s),
    "hangs for a while": lambda host, at_s: in_readings(host, hang=True, from_s=at_s),
    "is shut down by another": lambda host, at_s: in_readings(
        host, error="uninitialized", from_s=at_s, until_s=at_s + 0.5
    ),
    "stands still": lambda host, at_s: host.set(0, counter_stuck_at_s=at_s),
    "has absurd counters": lambda host, at_s: host.set(0, counter_gain=1e6),
}
AT_END: Mapping[str, Cause] = {
    "hangs at the end": lambda host, at_s: in_readings(host, hang=True),
    "hangs as it is shut down": lambda host, at_s: host.fault("nvmlShutdown", hang=True),
}
BEFORE_S, AFTER_S = 1.2, 2.4


@pytest.fixture(scope="module")
def troubled(nursery: Nursery, hosts: Hosts) -> Iterator[Mapping[str, Trouble]]:
    """All trainings at once."""
    found: dict[str, Trouble] = {}
    for name in (*AT_START, *IN_MIDDLE, *AT_END):
        host = hosts(gpus=2, wave=Constant(300.0), counter_period_ms=20)
        if name in AT_START:
            AT_START[name](host, 0.0)
        found[name] = Trouble(host, nursery.start(host, TRAIN))
    for trouble in found.values():
        trouble.child.wait_for()
    at_s = time.monotonic() + BEFORE_S
    for name, cause in IN_MIDDLE.items():
        found[name].at_s = at_s
        cause(found[name].host, at_s)
    time.sleep(max(at_s + AFTER_S / 2 - time.monotonic(), 0))
    found["hangs for a while"].host.clear_faults()
    time.sleep(max(at_s + AFTER_S - time.monotonic(), 0))
    for name, cause in AT_END.items():
        cause(found[name].host, 0.0)
    for trouble in found.values():
        trouble.ended_s = time.monotonic()
        (trouble.child.folder / "enough").touch()
    yield found
    for trouble in found.values():
        trouble.host.clear_faults()


ALL = [*AT_START, *IN_MIDDLE, *AT_END]


@pytest.mark.clock
@pytest.mark.parametrize("name", ALL)
def test_a_training_goes_on_and_ends_whatever_the_driver_does(name: str, troubled: Mapping[str, Trouble]) -> None:
    trouble = troubled[name]
    if name == "hangs as it is opened, and lets go after the end":
        trouble.child.wait_for(2)
        trouble.host.clear_faults()
    assert trouble.child.wait(PATIENCE_OF_A_BUSY_MACHINE_S) == 0
    assert trouble.child.printed() == ""
    told = trouble.told
    assert told["stop_s"] <= PATIENCE_S + 1.5  # a busy machine
    assert told["start_s"] <= 1.0 + 1.5
    assert told["longest_s"] <= 1.0
    assert trouble.child.told()[2] == ""
    assert trouble.run.status == "finished"
    assert trouble.run.progress.steps_count == told["steps"]


def measured(run: Run, gpu: int, host: Emulator) -> float:
    (own,) = [m for m in accelerators(run) if m.meter.id == host.setting(gpu, "uuid")]
    return own.it_energy_kwh.mid * J_PER_KWH


@pytest.mark.parametrize(
    "name",
    [
        "nothing", "is loaded again", "fails at random", "fails for a while", "hangs for a while",
        "takes 50 ms a call", "is shut down by another", "hangs at the end", "hangs as it is shut down",
        "knows no energy", "hides a GPU",
    ],
)  # fmt: skip
def test_what_could_be_measured_is_measured(name: str, troubled: Mapping[str, Trouble]) -> None:
    trouble = troubled[name]
    trouble.child.wait(PATIENCE_OF_A_BUSY_MACHINE_S)
    whole = truth(trouble.host, trouble.files)
    assert joules(trouble.run) == pytest.approx(whole.expected, rel=0.01, abs=whole.abs)


def test_a_counter_that_stands_still_is_bridged_but_for_the_interval_in_which_it_stopped(
    troubled: Mapping[str, Trouble],
) -> None:
    trouble = troubled["stands still"]
    trouble.child.wait(PATIENCE_OF_A_BUSY_MACHINE_S)
    whole = truth(trouble.host, trouble.files)
    assert joules(trouble.run) == pytest.approx(whole.expected, rel=0.01, abs=whole.abs + 0.4 * 300.0)


def test_what_a_lost_gpu_drew_before_it_was_lost_stands_and_the_rest_is_told(
    troubled: Mapping[str, Trouble],
) -> None:
    trouble = troubled["loses a GPU"]
    trouble.child.wait(PATIENCE_OF_A_BUSY_MACHINE_S)
    run, spans = trouble.run, spans_of(trouble.files)
    for gpu in range(2):
        span = spans[str(trouble.host.setting(gpu, "uuid"))]
        true_j = trouble.host.true_energy_j(gpu, span.begun_s, span.ended_s)
        assert measured(run, gpu, trouble.host) == pytest.approx(true_j, rel=0.01, abs=12.0 + span.cut_s * 300)
    lost = next(m for m in accelerators(run) if m.meter.id == trouble.host.setting(0, "uuid"))
    (gap,) = lost.gaps
    assert gap.reason == "ceased to answer"
    assert gap.ended_utc_s - gap.started_utc_s == pytest.approx(trouble.ended_s - trouble.at_s, abs=0.5)
    assert any("it fell off the bus" in note for note in run.notes)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hangs as it is opened", "sensors have not answered within 1 s"),
        ("hangs as it is opened", "no answer of sensor or disk within 2 s at the end"),
        ("hides a GPU", "device 0 cannot be read: NVML error 999"),
        ("cannot be initialised", "nvml is not measured: NVML error 999"),
        ("is loaded again", "its counter was reset"),
        ("loses both GPUs", "it fell off the bus"),
        ("fails for a while", "NVML error 999"),
        ("hangs", "no answer of sensor or disk within 2 s at the end"),
        ("hangs", "ceased to answer"),
        ("hangs at the end", "no answer of sensor or disk within 2 s at the end"),
        ("stands still", "the counter stood still"),
    ],
)
def test_what_went_wrong_is_told(name: str, told: str, troubled: Mapping[str, Trouble]) -> None:
    trouble = troubled[name]
    trouble.child.wait(PATIENCE_OF_A_BUSY_MACHINE_S)
    assert any(told in note for note in (*trouble.run.notes, *trouble.told["notes"]))


def test_nothing_is_told_where_nothing_goes_wrong(troubled: Mapping[str, Trouble]) -> None:
    trouble = troubled["nothing"]
    trouble.child.wait(PATIENCE_OF_A_BUSY_MACHINE_S)
    assert trouble.told["notes"] == []
    for meter in accelerators(trouble.run):
        assert (meter.gaps, meter.resets_count) == ((), 0)
        assert meter.coverage_share == 1.0


def test_where_the_driver_hangs_the_other_sensors_go_on_and_the_end_waits_for_nothing(
    nursery: Nursery, hosts: Hosts
) -> None:
    host = hosts(gpus=1, counter_period_ms=20)
    story = """
import functools
import footprint.measurement.tracker.recorder as recorder
recorder.Pace = functools.partial(recorder.Pace, hang_s=0.4)
tracker = footprint.track("t", interval_s=0.2, sensors=("nvml", "cpu-load"))
run = tracker.start()
say(time.monotonic())
while not any("no answer for 0.4 s" in note for note in run.notes):
    time.sleep(0.01)
time.sleep(1.0)
tracker.stop()
"""
    child = nursery.start(host, story)
    child.wait_for()
    in_readings(host, hang=True)
    assert child.wait(PATIENCE_OF_A_BUSY_MACHINE_S) == 0
    run = read_run(only_run(child))
    gpu, cpu = (meter for name in ("accelerator", "cpu") for meter in run.meters if meter.meter.component == name)
    assert run.status == "finished"
    assert gpu.gaps[-1].reason == "ceased to answer"
    assert (cpu.gaps, cpu.coverage_share) == ((), 1.0)
    assert any(note.startswith("nvml: gave no answer") for note in run.notes)
    assert not any("at the end" in note for note in run.notes)
    host.clear_faults()


def test_a_driver_that_answers_after_the_end_claims_nothing_and_writes_nothing(
    troubled: Mapping[str, Trouble], nursery: Nursery, hosts: Hosts
) -> None:
    host = hosts(gpus=1)
    host.fault("nvmlDeviceGetCount", hang=True)
    story = f"""
import footprint.measurement.tracker.recorder as recorder
recorder.OPEN_PATIENCE_S = 0.3
with {TRACK} as run:
    pass
say(1)
while threading.active_count() > 1:
    time.sleep(0.01)
with footprint.track("next", interval_s=0.2, sensors=("nvml",)) as own:
    time.sleep(0.3)
"""
    child = nursery.start(host, story)
    child.wait_for()
    host.clear_faults()
    assert child.wait(15) == 0
    first, second = sorted(runs_of(child), key=lambda folder: folder.name.startswith("next"))
    assert len(journal.files_of(first)) == 1
    assert read_run(first).meters == ()
    assert {m.meter.counted_in for m in accelerators(read_run(second))} == {""}


def test_no_thread_of_ours_is_inside_the_driver_as_it_is_shut_down(troubled: Mapping[str, Trouble]) -> None:
    for name, trouble in troubled.items():
        trouble.child.wait(PATIENCE_OF_A_BUSY_MACHINE_S)
        assert trouble.host.counts.shutdowns_in_flight == 0, name


# sensors and functions of the user's that raise

FAULTY = """
import types
from footprint.measurement.tracker import recorder
from footprint.measurement.sensors import detect
from footprint.measurement.tracker.words import track_words

class Faulty:
    name, period_s, count = "faulty", None, 0
    def __getattr__(self, name):
        raise KeyError(name)
    def open(self):
        raise ZeroDivisionError("of the driver's own")

def found(environment, clock, wanted, **more):
    sensors, findings = detect(environment, clock, ("nvml",), **more)
    return [Faulty(), *sensors], findings

def pids():
    raise OSError("no such file")

options = recorder.Options(environment=dict(os.environ), detect=found, pids=pids)
own = recorder.Recorder(track_words("t", {"interval_s": 0.2}), options)
run = own.start()
run.step(tokens=[1, 2]); run.step("x"); run.step(tokens=10**400); run.progress(steps=object(), tokens="many")
run.step(tokens=float("nan")); run.load_state_dict({"progress": 5}); run.load_state_dict(None); run.note(object())
time.sleep(0.5)
own.stop("finished")
say([run.notes, run.live().tokens])
"""


def test_a_fault_of_one_sensor_or_of_the_users_own_function_is_a_note(nursery: Nursery, hosts: Hosts) -> None:
    host = hosts(gpus=1, processes="self:100:0.5:0:0,1:100:0.5:0:0")
    child = nursery.start(host, FAULTY)
    assert child.wait() == 0, child.printed()
    ((notes, tokens),) = child.told()
    assert tokens == 0
    assert any("of the driver's own" in note for note in notes)
    assert any("pids raised OSError" in note for note in notes)
    run = read_run(only_run(child))
    assert joules(run) == truth(host, journal.files_of(only_run(child)))
    assert run.progress.steps_count == 3  # one of them a word


# at entry

REFUSED: list[tuple[dict[str, Any], type[FootprintError], str]] = [
    ({"region": "us-eest-1"}, UnknownName, r"region = 'us-eest-1': is not a known name; did you mean .*us-east-1"),
    ({"country": "Germny"}, UnknownName, "did you mean Germany"),
    ({"zone": "XX-YY"}, UnknownName, "zone = 'XX-YY': is not a known name"),
    ({"provider": "awz"}, UnknownName, "did you mean aws"),
    ({"grid": "nowhere"}, UnknownName, "grid = 'nowhere'"),
    ({"node": "dgx-h1000"}, UnknownName, "did you mean dgx-h100"),
    ({"node": 5}, UnknownName, "node = '5'"),
    ({"sensors": ("nvlm",)}, UnknownName, "did you mean nvml"),
    ({"precision": "bf17"}, UnknownName, "did you mean bf16"),
    ({"settings": {"puee": 1.1}}, UnknownName, "did you mean pue"),
    ({"settings": {"pue": 0.5}}, InputError, "must be at least 1"),
    ({"settings": "pue"}, InputError, "is not a mapping"),
    ({"data": "/nowhere"}, InputError, "is not a folder"),
    ({"budget_kwh": -1}, InputError, "must be above zero"),
    ({"budget_usd": float("nan")}, InputError, "must be finite"),
    ({"budget_kgco2e": "lots"}, InputError, "is not a number"),
    ({"on_budget": "explode"}, InputError, "must be one of warn, signal, stop, or a function"),
    ({"name": "a/b"}, InputError, "must not hold slashes"),
    ({"name": "a\nb"}, InputError, "line ends or control characters"),
    ({"name": "a\x1b[2Jb"}, InputError, "line ends or control characters"),
    ({"name": "x" * 10_000}, InputError, "is 10000 characters long; keep it to 200"),
    ({"name": ""}, InputError, "must be text"),
    ({"project": "../x"}, InputError, "must not hold slashes"),
    ({"tags": ["a\0b"]}, InputError, "control characters"),
    ({"tags": 5}, InputError, "must be words"),
    ({"run_id": "../../x"}, InputError, "must not hold slashes"),
    ({"interval_s": 0}, InputError, "must be above zero"),
    ({"interval_s": 1e9}, InputError, "must be from 0.05 to 3600 seconds"),
    ({"interval_s": "soon"}, InputError, "is not a number"),
    ({"params": "7X"}, InputError, "is not a number"),
    ({"tokens": -1}, InputError, "must be above zero"),
    ({"plan": "/nowhere/plan.json"}, InputError, "cannot be read"),
    ({"pids": (1, 2)}, InputError, "must be a function"),
    ({"environment": 5}, InputError, "must be a mapping"),
    ({"folder": 5}, InputError, "must be a path"),
    ({"folder": ""}, InputError, "must be a path"),
    ({"folder": "/dev/null/runs"}, InputError, r"folder = '/dev/null/runs': cannot be written \(Not a directory\)"),
]


@pytest.mark.parametrize(("words", "kind", "told"), REFUSED)
def test_words_that_cannot_be_are_refused_at_entry_and_leave_nothing_behind(
    words: dict[str, Any], kind: type[FootprintError], told: str, tmp_path: Path
) -> None:
    import threading

    before = threading.enumerate()
    given: dict[str, Any] = {"folder": tmp_path / "runs", **words}
    with pytest.raises(kind, match=told):
        footprint.track(**given).start()
    assert list(tmp_path.iterdir()) == []
    assert threading.enumerate() == before


def test_a_tracker_is_started_once(tmp_path: Path) -> None:
    tracker = footprint.track("t", folder=tmp_path, sensors=())
    tracker.start()
    with pytest.raises(InputError, match="has been started already"):
        tracker.start()
    tracker.stop()
    tracker.stop()
    tracker.start()
    tracker.stop()
    assert len(journal.run_folders(tmp_path)) == 2


# budgets

BUDGET = """
import footprint.measurement.tracker.recorder as recorder
recorder.COMPANIONS_S = 0.2
calls = []
def ask(run, reason):
    calls.append([reason, threading.current_thread() is threading.main_thread()])
    {of_the_call}
with footprint.track("t", interval_s=0.2, sensors=("nvml",), {words}) as run:
    until_s = time.monotonic() + {seconds}
    while time.monotonic() < until_s and not run.should_stop:
        run.step()
        time.sleep(0.02)
say({{"calls": calls, "reached": run.budget_reached, "stop": run.should_stop, "notes": run.notes,
     "energy": run.live().facility_energy_kwh}})
"""
ON_BUDGET = {
    "warn": ("budget_kwh=1e-5", "", 1.5, 0, "finished"),
    "in time": ("budget_kwh=1.0, steps=75", "", 1.5, 0, "finished"),
    "expected": ("budget_kwh=0.002, steps=2000", "", 1.5, 0, "finished"),
    "dollars": ("budget_usd=1e-6, settings={'electricity_usd_per_kwh': 0.2}", "", 1.5, 0, "finished"),
    "carbon": ("budget_kgco2e=1e-6", "", 1.5, 0, "finished"),
    "stop": ("budget_kwh=1e-5, on_budget='stop'", "", 20.0, 0, "stopped"),
    "signal": ("budget_kwh=1e-5, on_budget='signal'", "", 20.0, -15, "interrupted"),
    "call": ("budget_kwh=1e-5, on_budget=ask", "pass", 1.5, 0, "finished"),
    "call that raises": ("budget_kwh=1e-5, on_budget=ask", "raise ValueError('ours')", 1.5, 0, "finished"),
    "call that exits": ("budget_kwh=1e-5, on_budget=ask", "sys.exit(9)", 1.5, 0, "finished"),
    "call that takes its time": ("budget_kwh=1e-5, on_budget=ask", "time.sleep(60)", 1.5, 0, "finished"),
    "call that stops the run": ("budget_kwh=1e-5, on_budget=ask", "tracker.stop()", 1.5, 0, "finished"),
}


@pytest.fixture(scope="module")
def budgeted(nursery: Nursery, hosts: Hosts) -> Mapping[str, tuple[Emulator, Child]]:
    found = {}
    for name, (words, of_the_call, seconds, *_) in ON_BUDGET.items():
        host = hosts(gpus=1, wave=Constant(400.0), counter_period_ms=20)
        story = BUDGET.format(words=words, of_the_call=of_the_call or "pass", seconds=seconds)
        if "tracker" in of_the_call:
            story = story.replace("with footprint", "tracker = footprint").replace(
                ") as run:", ")\nrun = tracker.start()\nif 1:"
            )
            story = story.replace("say({", "tracker.stop()\nsay({")
        found[name] = (host, nursery.start(host, story))
    return found


@pytest.mark.parametrize("name", list(ON_BUDGET))
def test_a_budget_is_told_once_and_does_what_was_asked_for(
    name: str, budgeted: Mapping[str, tuple[Emulator, Child]]
) -> None:
    *_, code, status = ON_BUDGET[name]
    host, child = budgeted[name]
    assert child.wait() == code, child.printed()
    assert child.printed() == ""
    run = read_run(only_run(child))
    assert run.status == status
    spent = [note for note in run.notes if "budget_" in note and ("spent" in note or "will not do" in note)]
    assert len(spent) == (0 if name == "in time" else 1)
    assert joules(run) == truth(host, journal.files_of(only_run(child)))
    if name == "signal":
        return
    (told,) = child.told()
    assert told["reached"] is (name != "in time")
    assert told["stop"] is (name == "stop")
    assert [is_main for _, is_main in told["calls"]] == ([False] if "call" in name else [])
    if name == "call that raises":
        assert "on_budget raised ValueError: ours" in told["notes"]
    if name == "expected":
        assert "will not do" in spent[0]


EARLIER = """
import footprint.measurement.tracker.recorder as recorder
recorder.COMPANIONS_S = 0.2
told = []
for start in range(3):
    os.environ["FOOTPRINT_RUN_ID"] = "one" if {is_one} else f"run-{{start}}"
    with footprint.track("t", interval_s=0.2, sensors=("nvml",), budget_kwh=3.4e-4, on_budget="stop") as run:
        until_s = time.monotonic() + 1.2  # 480 J of 1,224 J
        while time.monotonic() < until_s and not run.should_stop:
            time.sleep(0.01)
    told.append([run.budget_reached, time.monotonic() - until_s])
    time.sleep(0.8)
say(told)
"""


@pytest.mark.clock
def test_a_budget_counts_what_earlier_starts_of_the_run_have_drawn(nursery: Nursery, hosts: Hosts) -> None:
    host = hosts(gpus=1, wave=Constant(400.0), counter_period_ms=20)
    apart, together = (nursery.start(host, EARLIER.format(is_one=is_one)) for is_one in (False, True))
    assert (apart.wait(), together.wait()) == (0, 0), together.printed()
    assert [reached for reached, _ in apart.told()[0]] == [False, False, False]
    assert [reached for reached, _ in together.told()[0]] == [False, False, True]
    run = read_run(only_run(together))
    assert [segment.status for segment in run.segments] == ["finished", "finished", "stopped"]
    (note,) = [note for note in run.notes if "is spent" in note]
    assert "budget_kwh of 0.00034 is spent" in note


# windows

WINDOWS = """
import contextlib
with footprint.track("t", interval_s=0.2, sensors=("nvml",)) as run:
    with run.window("load"):
        time.sleep(0.5)
    for epoch in range(2):
        with run.window("epoch"):
            for step in range(3):
                with run.window("step"):
                    time.sleep(0.2)
            with contextlib.suppress(ValueError), run.window("evaluate"):
                time.sleep(0.1)
                raise ValueError
    with run.window("rest"):
        time.sleep(0.7)
again = footprint.track("many", interval_s=0.2, sensors=("nvml",))
run = again.start()
same = run.window("same")
def dive(depth):
    if depth:
        with same:
            dive(depth - 1)
dive(3)
def work():
    for _ in range(2000):
        with run.window("thread"):
            with run.window("inner"):
                pass
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
began_s = time.thread_time()
for _ in range(100_000):
    with run.window("cheap"):
        pass
cheap_us = (time.thread_time() - began_s) / 100_000 * 1e6
forgotten = run.window("forgotten")
forgotten.__enter__()
time.sleep(0.3)
def name():
    for number in range(3000):
        with run.window(f"name {number}"):
            pass
naming = threading.Thread(target=name)
naming.start()
naming.join()
again.stop()
forgotten.__exit__(None, None, None)
say(cheap_us)
"""


@pytest.fixture(scope="module")
def windows(nursery: Nursery, hosts: Hosts) -> tuple[Emulator, Child]:
    host = hosts(gpus=2, wave=Square(100, 400, 1.4), counter_period_ms=20)
    return host, nursery.start(host, WINDOWS)


def named(child: Child, prefix: str) -> Run:
    child.wait(60)
    assert child.code == 0, child.printed()
    (folder,) = [folder for folder in runs_of(child) if folder.name.startswith(prefix)]
    return read_run(folder)


def test_windows_that_follow_one_another_add_up_to_the_run(windows: tuple[Emulator, Child]) -> None:
    run = named(windows[1], "t-")
    found = {window.name: window for window in run.windows}
    assert {name: window.window_count for name, window in found.items()} == {
        "load": 1, "epoch": 2, "epoch/step": 6, "epoch/evaluate": 2, "rest": 1,
    }  # fmt: skip
    whole_kwh = sum(meter.it_energy_kwh.mid for meter in accelerators(run))
    assert sum(found[name].it_energy_kwh.mid for name in ("load", "epoch", "rest")) == pytest.approx(
        whole_kwh, rel=0.03
    )
    nested_kwh = found["epoch/step"].it_energy_kwh.mid + found["epoch/evaluate"].it_energy_kwh.mid
    assert nested_kwh == pytest.approx(found["epoch"].it_energy_kwh.mid, rel=0.03)
    assert found["load"].duration_s == pytest.approx(0.5, abs=0.2)


def test_a_windows_energy_is_what_was_drawn_in_it(windows: tuple[Emulator, Child]) -> None:
    host, child = windows
    run = named(child, "t-")
    (file,) = [Path(name) for name in run.journals]
    begun_s = min(span.begun_s for span in spans_of([file]).values())
    load = next(window for window in run.windows if window.name == "load")
    true_j = host.true_energy_j(None, begun_s, begun_s + load.duration_s)
    swing_j = 2 * 300.0 * 0.2 / 4 * 2  # a straight line between readings, at two edges, on two GPUs
    assert load.it_energy_kwh.mid * J_PER_KWH == pytest.approx(true_j, abs=swing_j + 30.0)
    assert load.it_energy_kwh.low * J_PER_KWH <= true_j <= load.it_energy_kwh.high * J_PER_KWH


@pytest.mark.clock
def test_windows_of_many_threads_and_a_hundred_thousand_of_them_are_counted_and_cheap(
    windows: tuple[Emulator, Child],
) -> None:
    run = named(windows[1], "many-")
    found = {window.name: window for window in run.windows}
    assert (found["same"].window_count, found["same/same/same"].window_count) == (1, 1)
    assert (found["thread"].window_count, found["thread/inner"].window_count) == (16_000, 16_000)
    assert found["cheap"].window_count == 100_000
    assert windows[1].told()[0] < 40.0  # microseconds; 3 on a quiet machine
    assert len(run.windows) <= 1001
    assert sum(window.window_count for window in run.windows if window.name.startswith(("name", "others"))) == 3000
    assert 0.3 <= found["forgotten"].duration_s <= 1.5
