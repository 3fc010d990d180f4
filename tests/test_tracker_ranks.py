"""Many processes on the same devices: whatever launches them, however often they start, energy is counted once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from emulator import Emulator, Square
from tracked_children import Child, Nursery, accelerators, joules, only_run, truth

from footprint.measurement import journal
from footprint.measurement.claims import Claims, claims_folder
from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.tracker.reading import read_run
from footprint.store import open_ledger
from footprint.units import J_PER_KWH
from footprint.values import Meter, Sample

pytestmark = pytest.mark.slow

RANKS = 8
TRACK = 'footprint.track("t", interval_s=0.2, sensors=("nvml",))'
TRAIN = f"""
with {TRACK} as run:
    say(run.id)
    for _ in range(10):
        run.step(tokens=10)
    while not os.path.exists(os.environ["UNTIL"]):
        time.sleep(0.02)
"""
Hosts = Callable[..., Emulator]


def torchrun(rank: int, job: str = "job-7", **more: str) -> dict[str, str]:
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank % RANKS), "GROUP_RANK": str(rank // RANKS), "WORLD_SIZE": str(RANKS),
        "LOCAL_WORLD_SIZE": str(RANKS), "MASTER_ADDR": "localhost", "MASTER_PORT": "29500",
        "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_RUN_ID": job, **more,
    }  # fmt: skip


def slurm(rank: int) -> dict[str, str]:
    return {
        "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0", "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank),
        "SLURM_NTASKS": str(RANKS), "SLURM_NTASKS_PER_NODE": f"{RANKS}(x1)", "SLURM_NNODES": "1",
    }  # fmt: skip


def mpi(rank: int) -> dict[str, str]:
    return {
        "OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_LOCAL_RANK": str(rank),
        "OMPI_COMM_WORLD_SIZE": str(RANKS), "PMIX_NAMESPACE": "prterun-vm-12@1",
    }  # fmt: skip


LAUNCHERS: Mapping[str, Callable[[int], dict[str, str]]] = {
    "torchrun": torchrun,
    "torchrun, no name": lambda rank: torchrun(rank, "none"),
    "torchrun, one GPU each": lambda rank: torchrun(rank, CUDA_VISIBLE_DEVICES=str(rank)),
    "slurm": slurm,
    "mpi": mpi,
    "nothing": lambda rank: {},
}


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Emulator:
    """Eight GPUs, each with a load of its own."""
    return hosts(gpus=RANKS, wave=lambda gpu: Square(50 + 10 * gpu, 400, 0.7, phase_s=0.1 * gpu), counter_period_ms=20)


@pytest.fixture(scope="module")
def launched(nursery: Nursery, host: Emulator) -> Mapping[str, list[Child]]:
    """Eight processes by each launcher, all at once; those of one launcher share folders."""
    until = nursery.folder / "until"
    children: dict[str, list[Child]] = {}
    for name, variables in LAUNCHERS.items():
        shared = nursery.folder / name.replace(" ", "-")
        children[name] = [
            nursery.start(
                host, TRAIN, UNTIL=until, FOOTPRINT_FOLDER=shared / "runs", FOOTPRINT_CLAIMS=shared / "claims",
                **variables(rank),
            )
            for rank in range(RANKS)
        ]  # fmt: skip
    every = [child for own in children.values() for child in own]
    for child in every:
        child.wait_for(timeout_s=60)
    time.sleep(1.5)
    until.touch()
    for child in every:
        assert child.wait() == 0
        assert child.printed() == ""
    return children


def test_the_hosts_parts_are_counted_once_too(nursery: Nursery, host: Emulator) -> None:
    shared, until = nursery.folder / "whole-host", nursery.folder / "until-whole-host"
    story = TRAIN.replace(', sensors=("nvml",)', "")
    children = [
        nursery.start(
            host, story, UNTIL=until, FOOTPRINT_FOLDER=shared / "runs", FOOTPRINT_CLAIMS=shared / "claims",
            **torchrun(rank, WORLD_SIZE="4", LOCAL_WORLD_SIZE="4"),
        )
        for rank in range(4)
    ]  # fmt: skip
    for child in children:
        child.wait_for()
    time.sleep(0.8)
    until.touch()
    assert [child.wait() for child in children] == [0] * 4
    (folder,) = journal.run_folders(shared / "runs")
    meters = [m.id for file in journal.files_of(folder) for m in journal.read(file).header.meters]
    assert len(meters) == len(set(meters)) > RANKS
    run = read_run(folder)
    components = [m.meter.component for m in run.meters]
    assert {name: components.count(name) for name in ("accelerator", "ram", "node")} == {
        "accelerator": RANKS, "ram": 1, "node": 1,
    }  # fmt: skip
    assert joules(run) == truth(host, journal.files_of(folder))


def folder_of(name: str, launched: Mapping[str, list[Child]]) -> Path:
    return launched[name][0].nursery.folder / name.replace(" ", "-") / "runs"


@pytest.mark.parametrize("name", [name for name in LAUNCHERS if name != "nothing"])
def test_eight_processes_of_a_launcher_are_one_run_whose_energy_is_counted_once(
    name: str, launched: Mapping[str, list[Child]], host: Emulator
) -> None:
    ids = {told for child in launched[name] for told in child.told()}
    (folder,) = journal.run_folders(folder_of(name, launched))
    assert ids == {folder.name}
    files = journal.files_of(folder)
    assert len(files) == RANKS
    run = read_run(folder)
    assert len(accelerators(run)) == RANKS
    assert joules(run) == truth(host, files)
    assert joules(run, here=True) == joules(run)
    assert joules(run) / (len(run.hosts) * run.usage.wall_clock_h.mid) > 0  # type: ignore[union-attr]
    assert (run.status, run.progress.tokens, run.progress.steps_count) == ("finished", RANKS * 100, 10)
    assert len(run.segments) == 1


def test_each_device_is_written_by_one_process(launched: Mapping[str, list[Child]]) -> None:
    for name in LAUNCHERS:
        if name != "nothing":
            (folder,) = journal.run_folders(folder_of(name, launched))
            meters = [m.id for file in journal.files_of(folder) for m in journal.read(file).header.meters]
            assert len(meters) == len(set(meters)) == RANKS


def test_eight_processes_that_nothing_joins_are_eight_runs_and_one_counts(
    launched: Mapping[str, list[Child]], host: Emulator
) -> None:
    folders = journal.run_folders(folder_of("nothing", launched))
    runs = [read_run(folder) for folder in folders]
    assert len({run.id for run in runs}) == RANKS
    counted = [m.meter.id for run in runs for m in run.meters if m.meter.component != "node" and not m.meter.counted_in]
    assert len(counted) == len(set(counted)) == RANKS
    others = {m.meter.counted_in for run in runs for m in run.meters if m.meter.counted_in}
    assert others <= {run.id for run in runs}
    for run in runs:
        files = [Path(name) for name in run.journals]
        assert joules(run) == truth(host, files)


def test_merging_a_file_twice_or_a_folder_twice_adds_nothing(
    launched: Mapping[str, list[Child]], tmp_path: Path
) -> None:
    (folder,) = journal.run_folders(folder_of("torchrun", launched))
    once = joules(read_run(folder))
    copies = tmp_path / "copies"
    shutil.copytree(folder, copies)
    for number, file in enumerate(journal.files_of(folder)):
        shutil.copy(file, copies / f"copy-{number}.jsonl")
        half = file.read_bytes()[: file.stat().st_size // 2]
        (copies / f"half-{number}.jsonl").write_bytes(half[: half.rfind(b"\n") + 20])
    for paths in (copies, [folder, folder], [folder, copies], [*journal.files_of(folder), copies, folder]):
        run = read_run(paths)
        assert joules(run) == once
        assert run.progress.tokens == RANKS * 100
    apart = [tmp_path / "a", tmp_path / "b"]
    for number, file in enumerate(journal.files_of(folder)):
        apart[number % 2].mkdir(exist_ok=True)
        shutil.copy(file, apart[number % 2])
    assert joules(read_run(apart)) == once


# several hosts

NODE = """
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x04000000):  # CLONE_NEWUTS: a host name of its own
    raise OSError(ctypes.get_errno())
name = os.environ["NODE"].encode()
libc.sethostname(name, len(name))
platform._uname_cache = None
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a process a host name of its own")
def test_two_nodes_in_one_shared_folder_add_up(nursery: Nursery, hosts: Hosts) -> None:
    nodes = [hosts(gpus=2, wave=Square(100, 400, 0.7, phase_s=0.2 * node), counter_period_ms=20) for node in range(2)]
    for gpu in range(2):
        nodes[1].set(gpu, uuid=f"GPU-0000000{gpu}-1111-2222-3333-444444444444")
    shared = nursery.folder / "two-nodes"
    until = nursery.folder / "until-two-nodes"
    children = [
        nursery.start(
            nodes[rank // 2], NODE + TRAIN, UNTIL=until, FOOTPRINT_FOLDER=shared, NODE=f"node-{rank // 2}",
            FOOTPRINT_CLAIMS=nursery.folder / f"claims-{rank // 2}",
            **torchrun(rank, WORLD_SIZE="4", LOCAL_WORLD_SIZE="2"),
        )
        for rank in range(4)
    ]  # fmt: skip
    for child in children:
        child.wait_for()
    time.sleep(1.5)
    until.touch()
    assert [child.wait() for child in children] == [0] * 4, [child.printed() for child in children]
    (folder,) = journal.run_folders(shared)
    run = read_run(folder)
    assert set(run.hosts) == {"node-0", "node-1"}
    assert len(accelerators(run)) == 4
    files = journal.files_of(folder)
    for number, node in enumerate(nodes):
        own = [file for file in files if file.name.startswith(f"node-{number}")]
        assert joules(run, host=f"node-{number}") == truth(node, own)
    assert (run.progress.tokens, run.progress.steps_count) == (400, 10)
    longest_s = max(s.ended_utc_s for s in run.segments) - min(s.started_utc_s for s in run.segments)
    assert run.usage.wall_clock_h is not None
    assert run.usage.wall_clock_h.mid * 3600 == pytest.approx(longest_s, abs=0.01)  # side by side


@pytest.mark.clock
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a process a host name of its own")
def test_containers_that_see_the_same_devices_and_not_one_another_count_them_once(
    nursery: Nursery, host: Emulator
) -> None:
    shared, until = nursery.folder / "containers", nursery.folder / "until-containers"
    children = [
        nursery.start(
            host, NODE + TRAIN, UNTIL=until, FOOTPRINT_FOLDER=shared, NODE=f"pod-{rank}",
            FOOTPRINT_CLAIMS=nursery.folder / f"claims-of-pod-{rank}",
            **torchrun(rank, WORLD_SIZE="2", LOCAL_WORLD_SIZE="1"),
        )
        for rank in range(2)
    ]  # fmt: skip
    for child in children:
        child.wait_for()
    time.sleep(1.5)
    until.touch()
    assert [child.wait() for child in children] == [0, 0], [child.printed() for child in children]
    (folder,) = journal.run_folders(shared)
    files = journal.files_of(folder)
    assert [len(journal.read(file).header.meters) for file in files] == [RANKS, RANKS]
    run = read_run(folder)
    assert len(accelerators(run)) == RANKS
    assert joules(run) == pytest.approx(truth(host, files).expected, rel=0.05)
    assert run.progress.tokens == 200


def test_two_readers_of_a_device_whose_readings_are_not_in_order_count_it_once(tmp_path: Path) -> None:
    """One of them is held up between a reading and the clock; the other one goes on for longer."""
    meter = Meter("GPU-1", "accelerator", "NVIDIA H100", "nvml", "gpu", "measured", has_counter=True, max_w=700.0)
    for rank, (late_s, last) in enumerate(((0.0, 10), (0.4, 20))):
        header = Header("r", "t", f"pod-{rank}", "boot", 7, 0, rank, 1000.0, 0.0, 1.0, (meter,))
        writer = JournalWriter(tmp_path, header)
        for second in range(last + 1):
            at_s = second + late_s
            writer.write(Tick(at_s, (Sample("GPU-1", at_s, 1e6 + 300.0 * second, 300.0),)))
        writer.write(Tick(last + late_s, end="finished"))
    run = read_run(tmp_path)
    (one,) = accelerators(run)
    assert (one.resets_count, one.gaps) == (0, ())
    assert joules(run) == pytest.approx(20 * 300.0, rel=0.01)


# claims


def test_a_name_that_a_killed_process_left_on_a_device_is_nobodys(tmp_path: Path) -> None:
    """Whoever has locked the device since may not have signed yet."""
    file = tmp_path / "accelerator-GPU-1.lock"
    ended = subprocess.Popen(["true"])
    ended.wait()
    holder = Claims(tmp_path, "holder")
    assert holder.claim("accelerator-GPU-1") is None
    file.write_text(f"{ended.pid} killed")
    other = Claims(tmp_path, "other")
    signing = threading.Timer(0.05, lambda: holder.rename("holder"))
    signing.start()
    assert other.claim("accelerator-GPU-1") == "holder"
    signing.join()
    holder.release()
    assert file.read_text() == ""
    assert other.claim("accelerator-GPU-1") is None
    other.release()


@pytest.mark.clock
def test_who_asks_for_a_device_that_nobody_signs_waits_a_moment_in_all(tmp_path: Path) -> None:
    holder = Claims(tmp_path, "holder")
    other = Claims(tmp_path, "other")
    names = [f"accelerator-GPU-{number}" for number in range(64)]
    for name in names:
        assert holder.claim(name) is None
        (tmp_path / f"{name}.lock").write_text("")
    began_s = time.monotonic()
    assert {other.claim(name) for name in names} == {""}
    assert time.monotonic() - began_s < 2.0
    holder.release()


def test_jobs_with_temporary_folders_of_their_own_share_the_claims_of_their_host(monkeypatch: Any) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    usual = claims_folder({})
    monkeypatch.setenv("TMPDIR", "/tmp/job-7")
    assert claims_folder({}) == usual
    assert claims_folder({"FOOTPRINT_CLAIMS": "/elsewhere"}) == Path("/elsewhere")


def test_where_nothing_can_be_locked_a_device_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Claims(tmp_path / "file" / "claims", "mine").claim("accelerator-GPU-1") is None


# several trackers


def test_two_trackers_of_one_process_count_a_device_once_and_the_next_counts_it_again(
    nursery: Nursery, host: Emulator
) -> None:
    story = f"""
with {TRACK} as outer:
    time.sleep(0.4)
    with footprint.track("inner", interval_s=0.2, sensors=("nvml",)) as inner:
        time.sleep(0.6)
    time.sleep(0.3)
with footprint.track("next", interval_s=0.2, sensors=("nvml",)) as after:
    time.sleep(0.5)
say([outer.id, inner.id, after.id])
"""
    child = nursery.start(host, story)
    assert child.wait() == 0
    outer, inner, after = (read_run(child.folder / "runs" / run_id) for run_id in child.told()[0])
    assert {m.meter.counted_in for m in accelerators(inner)} == {outer.id}
    assert joules(inner, here=True) == 0.0
    for run in (outer, inner, after):
        files = [Path(name) for name in run.journals]
        assert joules(run) == truth(host, files)
    assert joules(outer, here=True) == joules(outer)
    assert joules(after, here=True) == joules(after)
    with open_ledger(child.folder / "ledger.db") as ledger:
        ledger.catch_up(child.folder / "runs", read_run)
        (total,) = ledger.totals()
    counted_kwh = outer.usage.it_energy_kwh.mid + after.usage.it_energy_kwh.mid
    assert total.it_energy_kwh.mid == pytest.approx(counted_kwh)
    assert total.counted_elsewhere_it_energy_kwh == pytest.approx(inner.usage.it_energy_kwh.mid)


def test_trackers_inside_a_tracked_command_join_its_run_and_add_no_energy(nursery: Nursery, host: Emulator) -> None:
    story = f"""
with footprint.track("command", interval_s=0.2, sensors=("nvml",)) as outer:
    os.environ["FOOTPRINT_RUN_ID"] = outer.id
    with {TRACK} as one:
        one.step(3, tokens=30); time.sleep(0.5)
        with footprint.track("nested", interval_s=0.2, sensors=("nvml",)) as two:
            with two.window("w"):
                time.sleep(0.4)
    if os.fork() == 0:
        with {TRACK} as three:
            time.sleep(0.4)
        os._exit(0)
    os.wait()
say([outer.id, one.id, two.id])
"""
    child = nursery.start(host, story)
    assert child.wait() == 0
    assert len(set(child.told()[0])) == 1
    folder = only_run(child)
    files = journal.files_of(folder)
    assert len(files) == 4
    for file in files:  # no file has two first lines
        assert sum(line.startswith(b'{"journal"') for line in file.read_bytes().splitlines()) == 1
    run = read_run(folder)
    assert len(run.segments) == 1
    assert joules(run) == truth(host, files)
    assert joules(run, here=True) == joules(run)
    assert run.progress.tokens == 30
    assert [window.name for window in run.windows] == ["w"]
    assert not any("torn" in note for note in run.notes)


def test_a_rank_that_is_killed_with_the_devices_it_counts_leaves_a_gap_that_is_told(
    nursery: Nursery, host: Emulator
) -> None:
    shared = nursery.folder / "killed"
    folders = {"FOOTPRINT_FOLDER": shared / "runs", "FOOTPRINT_CLAIMS": shared / "claims"}
    until = shared / "until"
    first = nursery.start(host, TRAIN, UNTIL=until, **folders, **torchrun(0))
    first.wait_for()
    second = nursery.start(host, TRAIN, UNTIL=until, **folders, **torchrun(1))
    second.wait_for()
    time.sleep(1.0)
    killed_s = first.kill()
    time.sleep(2.0)
    until.touch()
    silent_s = time.monotonic() - killed_s
    assert (first.wait(), second.wait()) == (-signal.SIGKILL, 0)
    (folder,) = journal.run_folders(shared / "runs")
    run = read_run(folder)
    assert run.status == "interrupted"
    assert joules(run) == truth(host, journal.files_of(folder))
    for meter in accelerators(run):
        (gap,) = meter.gaps
        assert gap.reason == "ceased to answer"
        assert gap.ended_utc_s - gap.started_utc_s == pytest.approx(silent_s, abs=0.5)
        assert meter.coverage_share == pytest.approx(1 - silent_s / meter.duration_s, abs=0.2)
    assert any("ceased to answer" in note for note in run.notes)


# starts


def restarted(first: str, second: str) -> str:
    """A run in two starts with a pause between them; the first one fails."""
    body = f"""
try:
    with {TRACK} as run:
        {first}
        raise ValueError
except ValueError:
    pass
time.sleep(1.0)
"""
    return f"{body}\n{second}"


RESTARTS = {
    "torchrun": (torchrun(0, WORLD_SIZE="1", LOCAL_WORLD_SIZE="1"), 'os.environ["TORCHELASTIC_RESTART_COUNT"] = "1"'),
    "slurm": (slurm(0), 'os.environ["SLURM_RESTART_COUNT"] = "1"'),
    "the same id": ({"FOOTPRINT_RUN_ID": "mine"}, ""),
}


@pytest.fixture(scope="module")
def again(nursery: Nursery, host: Emulator) -> Mapping[str, Child]:
    """Runs of two starts, by each way in which a start can say that it goes on."""
    made: dict[str, Child] = {}
    for name, (variables, then) in RESTARTS.items():
        story = restarted(
            "run.step(10, tokens=100); time.sleep(0.8)",
            f"{then}\nwith {TRACK} as run:\n    run.step(5, tokens=50); time.sleep(0.6)",
        )
        made[name] = nursery.start(host, story, **variables)
    absolute = restarted(
        "run.progress(steps=0); time.sleep(0.5); run.progress(steps=100); time.sleep(0.5)",
        f"with {TRACK} as run:\n    run.progress(steps=60); time.sleep(0.4); run.progress(steps=120); time.sleep(0.3)",
    )
    made["absolute"] = nursery.start(host, absolute, FOOTPRINT_RUN_ID="mine")
    loaded = restarted(
        "run.step(6); state = run.state_dict(); time.sleep(0.5); run.step(4); time.sleep(0.5)",
        f"with {TRACK} as run:\n    run.load_state_dict(state); run.step(2); time.sleep(0.5)\nsay([run.id, state])",
    )
    made["loaded"] = nursery.start(host, loaded)
    return made


@pytest.mark.parametrize("name", [*RESTARTS, "absolute", "loaded"])
def test_starts_of_one_run_are_segments_that_add_up_without_the_pause(
    name: str, again: Mapping[str, Child], host: Emulator
) -> None:
    child = again[name]
    assert child.wait() == 0, child.printed()
    folder = only_run(child)
    run = read_run(folder)
    assert len(run.segments) == 2
    assert [segment.status for segment in run.segments] == ["failed", "finished"]
    starts = [[file] for file in journal.files_of(folder)]
    assert joules(run) == truth(host, *starts)
    whole_j = sum(segment.it_energy_kwh.mid for segment in run.segments) * J_PER_KWH
    assert whole_j == pytest.approx(joules(run))
    inside_s = sum(segment.ended_utc_s - segment.started_utc_s for segment in run.segments)
    assert run.usage.wall_clock_h is not None
    assert run.usage.wall_clock_h.mid * 3600 == pytest.approx(inside_s, abs=0.01)
    assert run.segments[1].started_utc_s - run.segments[0].ended_utc_s > 0.5
    assert run.status == "finished"


@pytest.mark.parametrize("name", list(RESTARTS))
def test_counts_that_begin_anew_add_up_over_starts(name: str, again: Mapping[str, Child]) -> None:
    again[name].wait()
    run = read_run(only_run(again[name]))
    assert (run.progress.steps_count, run.progress.tokens) == (15, 150)
    assert run.wasted_it_energy_kwh is None  # nobody said where the second start went on


def test_steps_that_are_done_again_are_told_as_wasted(again: Mapping[str, Child]) -> None:
    again["absolute"].wait()
    run = read_run(only_run(again["absolute"]))
    first = run.segments[0]
    assert run.progress.steps_count == 120
    assert first.wasted_it_energy_kwh is not None
    assert first.wasted_it_energy_kwh.mid == pytest.approx(0.4 * first.it_energy_kwh.mid)
    assert run.wasted_it_energy_kwh is not None
    assert run.wasted_it_energy_kwh.mid == first.wasted_it_energy_kwh.mid


def test_a_loaded_checkpoint_goes_on_with_its_run_and_tells_what_was_lost(again: Mapping[str, Child]) -> None:
    child = again["loaded"]
    child.wait()
    ((run_id, state),) = child.told()
    assert run_id == state["run_id"] == only_run(child).name
    run = read_run(only_run(child))
    first = run.segments[0]
    assert run.progress.steps_count == 10  # 8 of them count, 2 were done again
    assert first.wasted_it_energy_kwh is not None
    assert first.wasted_it_energy_kwh.mid == pytest.approx(first.it_energy_kwh.mid * (10 - 6) / 10)


def test_a_process_of_the_same_number_does_not_write_into_an_earlier_ones_journal(
    nursery: Nursery, host: Emulator
) -> None:
    """In a container every start has the same process number, and often the same host name."""
    story = f"""
import unittest.mock
with unittest.mock.patch("os.getpid", lambda: 7):
    for _ in range(2):
        with {TRACK} as run:
            time.sleep(0.4)
        time.sleep(0.8)
"""
    child = nursery.start(host, story, FOOTPRINT_RUN_ID="mine")
    assert child.wait() == 0
    folder = only_run(child)
    assert [file.name.rpartition("-0-7")[2] for file in journal.files_of(folder)] == ["-2.jsonl", ".jsonl"]
    run = read_run(folder)
    assert len(run.segments) == 2
    assert joules(run) == truth(host, *([file] for file in journal.files_of(folder)))
