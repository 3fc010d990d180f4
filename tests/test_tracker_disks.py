"""Disks that are full, read-only, gone or silent: the training goes on, the notes say it, memory stays bounded."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from emulator import Emulator, Square
from tracked_children import Child, Nursery, joules, only_run, runs_of, truth

import footprint
from footprint.errors import InputError
from footprint.measurement import journal
from footprint.measurement.journal import RETRY_S, SYNC_S, Header, JournalWriter, Tick
from footprint.measurement.tracker.reading import read_run
from footprint.measurement.tracker.recorder import Options, Recorder
from footprint.measurement.tracker.words import track_words
from footprint.units import J_PER_KWH
from footprint.values import Meter, Sample

Hosts = Callable[..., Emulator]
IS_ROOT = os.name == "posix" and os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root may mount a small disk, or become another user")

# the writer, without waiting: the time of a reading is what it says

GPU = Meter("GPU-1", "accelerator", "NVIDIA H100", "nvml", "gpu", "measured", has_counter=True, max_w=700.0)
HEADER = Header("r-1", "t", "h", "b", 7, 0, 0, 1000.0, 0.0, 1.0, (GPU,))


def tick(at_s: float, **more: object) -> Tick:
    return Tick(at_s, (Sample("GPU-1", at_s, 300.0 * at_s, 300.0),), **more)  # type: ignore[arg-type]


def counted_j(path: Path) -> float:
    read = [sample.energy_j or 0.0 for one in journal.read(path).ticks() for sample in one.samples]
    return read[-1] - read[0]


def test_a_file_that_is_deleted_is_begun_anew_from_the_first_reading(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "run", HEADER)
    for second in range(3):
        writer.write(tick(float(second)))
    writer.path.unlink()
    for second in range(3, 20):
        writer.write(tick(float(second)))
    assert counted_j(writer.path) == pytest.approx(19 * 300.0)
    assert writer.is_begun_anew


def test_a_folder_that_is_deleted_is_made_anew(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "runs" / "run", HEADER)
    writer.write(tick(0.0))
    writer.path.unlink()
    writer.path.parent.rmdir()
    writer.path.parent.parent.rmdir()
    for second in range(1, 20):
        writer.write(tick(float(second), windows={"w": (1, 0.5)}, progress={"steps_count": float(second)}))
    assert counted_j(writer.path) == pytest.approx(19 * 300.0)
    ticks = list(journal.read(writer.path).ticks())
    assert ticks[-1].progress == {"steps_count": 19.0}
    lost_count = int(SYNC_S)  # windows of the readings that went to the file that is gone
    assert sum(one.windows["w"][0] for one in ticks if one.windows) >= 19 - lost_count


def test_a_folder_that_cannot_be_made_anew_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer = JournalWriter(folder, HEADER)
    writer.write(tick(0.0))
    writer.path.unlink()
    folder.rmdir()
    folder.write_text("a file stands in its place")
    for second in range(1, 30):
        writer.write(tick(float(second), progress={"steps_count": float(second)}))
    assert writer.problem in ("File exists", "Not a directory")
    folder.unlink()
    for second in range(30, 60):
        writer.write(tick(float(second), windows={"w": (1, 0.5)}))
    assert writer.problem == ""
    assert counted_j(writer.path) == pytest.approx(59 * 300.0)
    ticks = list(journal.read(writer.path).ticks())
    assert max(one.progress.get("steps_count", 0.0) for one in ticks) == 29.0
    assert sum(one.windows["w"][0] for one in ticks if one.windows) == 30


def test_a_mount_that_comes_back_is_written_again(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "run", HEADER)
    for second in range(7):
        writer.write(tick(float(second)))
    away = tmp_path / "away"
    (tmp_path / "run").rename(away)  # what the path leads to now is another file system
    for second in range(7, 20):
        writer.write(tick(float(second)))
    (tmp_path / "run").rename(tmp_path / "beneath")
    away.rename(tmp_path / "run")
    for second in range(20, 40):
        writer.write(tick(float(second)))
    assert writer.path.parent == tmp_path / "run"
    assert counted_j(writer.path) == pytest.approx(39 * 300.0)
    (own,) = journal.files_of(tmp_path / "run")
    run_ids = {journal.read(path).header.run for path in (own, *journal.files_of(tmp_path / "beneath"))}
    assert run_ids == {"r-1"}


def test_two_trackers_of_one_process_and_run_have_two_files(tmp_path: Path) -> None:
    writers = [JournalWriter(tmp_path, replace(HEADER, started_s=float(number))) for number in range(3)]
    for number, writer in enumerate(writers):
        writer.write(tick(float(number)))
    assert [writer.path.name for writer in writers] == ["h-0-7.jsonl", "h-0-7-2.jsonl", "h-0-7-3.jsonl"]
    assert [len(list(journal.read(writer.path).ticks())) for writer in writers] == [1, 1, 1]


@pytest.mark.parametrize("kept_bytes", [0, 1, 20])
def test_a_line_that_was_half_written_is_ended_before_the_next(
    kept_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(tmp_path, HEADER)
    writer.write(tick(0.0))
    written = os.write

    def full(handle: int, line: bytes) -> int:
        if kept_bytes == 0:
            raise OSError(28, "No space left on device")
        return written(handle, line[:kept_bytes])

    monkeypatch.setattr(os, "write", full)
    for second in range(1, 5):
        writer.write(tick(float(second)))
    monkeypatch.undo()
    assert writer.problem == "No space left on device"
    for second in range(5, 5 + int(RETRY_S)):
        writer.write(tick(float(second)))
    read = journal.read(writer.path)
    assert counted_j(writer.path) > 300.0 * RETRY_S
    assert len(list(read.ticks())) == 5
    assert read.torn_count == (1 if kept_bytes else 0)


def test_a_disk_that_is_full_at_the_start_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int, line: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    writer = JournalWriter(tmp_path, HEADER)
    writer.write(tick(0.0))
    monkeypatch.undo()
    assert writer.problem == "No space left on device"
    assert journal.files_of(tmp_path) == []  # no file without a first line
    for second in range(1, 30):
        writer.write(tick(float(second)))
    assert counted_j(writer.path) == pytest.approx((29 - RETRY_S) * 300.0, abs=301.0)


def test_memory_stays_bounded_however_long_a_disk_fails(tmp_path: Path) -> None:
    meters = tuple(replace(GPU, id=f"GPU-{number}") for number in range(8))
    writer = JournalWriter(tmp_path / "run", replace(HEADER, meters=meters))
    writer.path.unlink()
    (tmp_path / "run").rmdir()
    (tmp_path / "run").write_text("")

    def write(begin: int, end: int) -> None:
        for second in range(begin, end):
            at_s = float(second)
            samples = tuple(Sample(meter.id, at_s, 300.0 * at_s, 300.0, 0.5) for meter in meters)
            windows = {f"w{number}": (1, 0.1) for number in range(20)}
            notes = (f"remark {second}",)
            writer.write(Tick(at_s, samples, windows=windows, progress={"steps_count": at_s}, notes=notes))

    write(0, 1000)
    tracemalloc.start()
    write(1000, 2000)
    before_bytes, _ = tracemalloc.get_traced_memory()
    write(2000, 6000)
    after_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after_bytes - before_bytes < 20_000
    (tmp_path / "run").unlink()
    write(6000, 6020)
    assert writer.problem == ""
    ticks = list(journal.read(writer.path).ticks())
    assert sum(one.windows["w0"][0] for one in ticks if one.windows) >= 6020 - SYNC_S
    assert len([note for one in ticks for note in one.notes]) < 100


# at entry


@pytest.mark.parametrize("place", ["a file", "/dev/null", "below a file", "/proc/footprint"])
def test_a_folder_that_is_named_and_cannot_be_written_is_an_error_at_entry(place: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    folder = {"a file": file, "below a file": file / "runs"}.get(place, Path(place))
    with pytest.raises(InputError, match=r"folder = .*: cannot be written \(.*; name a folder that you may write in"):
        footprint.track("t", folder=folder, sensors=()).start()
    with pytest.raises(InputError, match="folder = "):
        footprint.track("t", sensors=(), environment={"FOOTPRINT_FOLDER": str(folder)}).start()
    assert list(tmp_path.iterdir()) == [file]


# real disks, in real processes

TRACK = 'footprint.track("t", interval_s=0.2, sensors=("nvml",))'
PRELUDE = """
import ctypes, shutil, subprocess
from footprint.measurement import journal
journal.RETRY_S = journal.SYNC_S = 0.4
def mount(*words):
    subprocess.run(["mount", *words], check=True)
if os.geteuid() == 0 and ctypes.CDLL(None).unshare(0x00020000):  # CLONE_NEWNS: mounts that nobody else sees
    raise OSError("no mounts of our own")
if os.geteuid() == 0:
    mount("--make-rprivate", "/")
def fill(folder):
    with open(folder + "/ballast", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
os.mkdir("disk")
"""
SMALL = 'mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", "disk")'
BODY = """
    for _ in range(20):
        time.sleep(0.05)
        run.step(tokens=1); run.note(os.urandom(200).hex())
"""
TELL = """
say({"notes": run.notes, "energy": run.result.usage.it_energy_kwh.mid, "tokens": run.live().tokens})
if os.path.exists("disk/runs"):
    shutil.copytree("disk/runs", "runs", dirs_exist_ok=True)
"""

DISKS = {
    "fills up and is emptied": f"""
{SMALL}
with {TRACK} as run:
{BODY}
    fill("disk")
{BODY}
    os.unlink("disk/ballast")
{BODY}
{TELL}
""",
    "is full to the end": f"""
{SMALL}
with {TRACK} as run:
{BODY}
    fill("disk")
{BODY}
{TELL}
""",
    "is full from the start": f"""
{SMALL}
fill("disk")
with {TRACK} as run:
{BODY}
{TELL}
""",
    "becomes read-only": f"""
{SMALL}
with {TRACK} as run:
{BODY}
    ctypes.CDLL(None).umount2(b"disk", 2)  # MNT_DETACH: as umount -l
    mount("-t", "tmpfs", "-o", "ro,size=4k", "tmpfs", "disk")
{BODY}
{TELL}
""",
    "vanishes": f"""
{SMALL}
with {TRACK} as run:
{BODY}
    ctypes.CDLL(None).umount2(b"disk", 2)  # MNT_DETACH: as umount -l
{BODY}
{TELL}
""",
    "loses its files": f"""
with {TRACK} as run:
{BODY}
    shutil.rmtree("disk/runs")
{BODY}
{TELL}
""",
    "allows files of a size": f"""
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with {TRACK} as run:
{BODY}
    size = max(file.stat().st_size for file in __import__("pathlib").Path("disk").rglob("*.jsonl"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
{BODY}
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
{BODY}
{TELL}
""",
}
NEED_ROOT = {name for name, story in DISKS.items() if "mount(" in story.replace("def mount", "")}
RECOVERING = ("fills up and is emptied", "allows files of a size", "loses its files")


@pytest.fixture(scope="module")
def host(hosts: Hosts) -> Emulator:
    return hosts(gpus=2, wave=Square(100, 400, 0.7), counter_period_ms=20)


@pytest.fixture(scope="module")
def troubled(nursery: Nursery, host: Emulator) -> Mapping[str, Child]:
    return {
        name: nursery.start(host, PRELUDE + story, FOOTPRINT_FOLDER="disk/runs")
        for name, story in DISKS.items()
        if IS_ROOT or name not in NEED_ROOT
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", list(DISKS))
def test_a_training_goes_on_whatever_its_disk_does(name: str, troubled: Mapping[str, Child], host: Emulator) -> None:
    if name not in troubled:
        pytest.skip("only root may mount a small disk")
    child = troubled[name]
    assert child.wait() == 0, child.printed()
    assert child.printed() == ""
    (told,) = child.told()
    assert told["tokens"] >= 20
    assert told["energy"] > 0
    if name not in ("vanishes", "loses its files"):
        assert any("the journal cannot be written" in note for note in told["notes"])
    else:
        assert any("was gone in mid-run" in note for note in told["notes"])
    if name in RECOVERING:
        run = read_run(only_run(child))
        assert joules(run) == truth(host, journal.files_of(only_run(child)))
        assert run.status == "finished"
        assert run.progress.tokens == told["tokens"]
        assert run.usage.it_energy_kwh.mid == pytest.approx(told["energy"], rel=0.02)


@pytest.mark.clock
@pytest.mark.slow
def test_a_disk_that_never_answers_holds_up_neither_training_nor_end(nursery: Nursery, host: Emulator) -> None:
    story = f"""
from footprint.measurement import journal
own, is_silent = os.write, threading.Event()
def write(handle, data):
    if is_silent.is_set() and b'"t":' in data[:9]:
        time.sleep(999)
    return own(handle, data)
os.write = write
with {TRACK} as run:
    time.sleep(0.5)
    is_silent.set()
    longest_s = 0
    for _ in range(100):
        began_s = time.monotonic()
        time.sleep(0.005); run.step()
        with run.window("w"):
            run.live()
        longest_s = max(longest_s, time.monotonic() - began_s)
    began_s = time.monotonic()
    run.load_state_dict({{"run_id": "other", "progress": {{}}}})
    stopping_s = time.monotonic()
os.write = own
say([longest_s, stopping_s - began_s, time.monotonic() - stopping_s, run.notes])
"""
    child = nursery.start(host, story)
    assert child.wait() == 0, child.printed()
    ((longest_s, rejoin_s, stop_s, notes),) = child.told()
    assert longest_s < 1.0
    assert rejoin_s < 2.0
    assert stop_s < 4.5
    assert any("no answer of sensor or disk" in note for note in notes)
    assert read_run(only_run(child)).status == "interrupted"


@pytest.mark.slow
@needs_root
def test_the_usual_folder_gives_way_where_it_cannot_be_written_and_a_note_says_so(
    nursery: Nursery, host: Emulator
) -> None:
    story = f"""
for name in ("FOOTPRINT_FOLDER", "FOOTPRINT_HOME", "XDG_DATA_HOME"):
    os.environ.pop(name, None)
os.environ["HOME"] = os.path.abspath("home")
os.environ["TMPDIR"] = os.path.abspath("temporary")
import tempfile
tempfile.tempdir = None
os.mkdir("home"); os.mkdir("temporary"); os.chmod("home", 0o500); os.chmod("temporary", 0o1777)
os.chmod(".", 0o777)
with footprint.track("warm", folder="warm", sensors=()) as run:
    pass
str(run.result)  # whatever is imported or read late is here before the rights to it are gone
os.setgid(65534); os.setuid(65534)
with {TRACK} as run:
    time.sleep(0.4)
say([run.notes, str(run.result.journals)])
"""
    child = nursery.start(host, story)
    parents = [folder for folder in (child.folder, *child.folder.parents) if str(folder) not in ("/", "/tmp")]
    modes = {folder: folder.stat().st_mode for folder in parents}
    for folder in parents:
        folder.chmod(0o777)
    try:
        assert child.wait() == 0, child.printed()
    finally:
        for folder, mode in modes.items():
            folder.chmod(mode)
    ((notes, journals),) = child.told()
    assert any("cannot be written: the journal is in" in note and "FOOTPRINT_FOLDER" in note for note in notes)
    assert "temporary/footprint-65534/runs" in journals


@pytest.mark.slow
def test_nobody_can_write_and_the_run_is_kept_in_memory(nursery: Nursery, host: Emulator) -> None:
    story = f"""
for name in ("FOOTPRINT_FOLDER", "FOOTPRINT_HOME", "XDG_DATA_HOME"):
    os.environ.pop(name, None)
os.environ["HOME"] = "/dev/null"
import tempfile
tempfile.tempdir = "/dev/null"
with {TRACK} as run:
    with run.window("w"):
        time.sleep(0.6)
    run.step(tokens=5)
result = run.result
names = [window.name for window in result.windows]
say([run.notes, result.usage.it_energy_kwh.mid, result.progress.tokens, names, result.status])
"""
    child = nursery.start(host, story)
    assert child.wait() == 0, child.printed()
    ((notes, energy, tokens, names, status),) = child.told()
    assert any("no journal: " in note for note in notes)
    assert energy > 0
    assert (tokens, names, status) == (5, ["w"], "finished")
    assert runs_of(child) == []


def test_a_tracker_whose_disk_and_sensor_fail_for_long_takes_no_more_memory(tmp_path: Path) -> None:
    environment = {"FOOTPRINT_CLAIMS": str(tmp_path / "claims")}
    options = Options(folder=tmp_path / "runs", environment=environment, detect=lambda *_: ([], []))
    recorder = Recorder(track_words("t", {"budget_kwh": 1e9, "steps": 1e9}), options)
    recorder._begin((GPU,))
    (journals,) = (tmp_path / "runs").iterdir()
    shutil.rmtree(journals)
    journals.write_text("")
    run = recorder.run

    def take(begin: int, end: int) -> None:
        for second in range(begin, end):
            recorder._sampler.problems[GPU.id] = f"error {second}"
            run.step(1, tokens=100)
            run.note(f"remark {second}")
            with run.window(f"step {second}"):
                pass
            samples = () if second % 3 == 0 else (Sample(GPU.id, float(second), 300.0 * second, 300.0 + second % 7),)
            recorder._take(float(second), samples, False)

    take(0, 4000)
    tracemalloc.start()
    take(4000, 5000)
    before_bytes, _ = tracemalloc.get_traced_memory()
    take(5000, 9000)
    after_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after_bytes - before_bytes < 50_000
    recorder.stop("finished")
    assert run.live().it_energy_kwh == pytest.approx(8999 * 300.0 / J_PER_KWH, rel=0.01)
    assert len(run.notes) <= 200
