"""What a journal keeps comes back, whatever its last moment was; what is none is refused by name."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import handmade_runs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footprint import records
from footprint.errors import JournalError
from footprint.measurement import journal
from footprint.measurement.following import GrowingJournal
from footprint.measurement.journal import FORMAT, Header, Journal, JournalWriter, Tick
from footprint.measurement.tracker.words import track_words
from footprint.values import Meter, Range, Sample

GPU = Meter(
    "GPU-5f2c9d0b-5f2c-4e1a-9d0b-aabbccddeeff", "accelerator", "NVIDIA H100 80GB HBM3", "nvml", "gpu", "measured",
    has_counter=True, period_s=0.1, max_w=700.0, true_over_read_ratio=Range(0.9, 1.0, 1.1), memory_gb=80.0,
)  # fmt: skip
CPU = Meter("cpu", "cpu", "Xeon", "cpu-load", "package", "modelled")


def header(**changes: Any) -> Header:
    plain = Header(
        run="run-1", name="sft", host="node1", boot="boot-1", pid=4242, restart_count=0, rank=0,
        started_utc_s=1.8e9, started_s=5000.0, interval_s=1.0, meters=(GPU, CPU), words={"country": "FR"},
    )  # fmt: skip
    return replace(plain, **changes)


def written(folder: Path, ticks: Sequence[Tick], head: Header | None = None) -> Path:
    writer = JournalWriter(folder, head or header())
    for tick in ticks:
        writer.write(tick)
    writer.close()
    assert writer.problem == ""
    return writer.path


def readings(count: int, **last: Any) -> list[Tick]:
    ticks = [
        Tick(
            5000.0 + n,
            (Sample(GPU.id, 5000.0 + n, 1e6 + 300.5 * n, 300.5, 0.97), Sample(CPU.id, 5000.0 + n, None, 90.0)),
        )
        for n in range(count)
    ]
    return [*ticks[:-1], replace(ticks[-1], **last)] if last else ticks


# what is written comes back


SECONDS = st.floats(0.0, 1e7)
AMOUNTS = st.none() | st.floats(0.0, 1e12)
SHARES = st.none() | st.floats(0.0, 1.0)
TEXT = st.text(max_size=30)
WORDS = st.dictionaries(TEXT, st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT)


@st.composite
def ticks(draw: st.DrawFn) -> Tick:
    at_s = draw(SECONDS)
    samples = st.builds(
        Sample, st.sampled_from((GPU.id, CPU.id)), st.floats(-1.0, 1.0).map(lambda after_s: at_s + after_s), AMOUNTS,
        AMOUNTS, SHARES, SHARES, SHARES,
    )  # fmt: skip
    return Tick(
        at_s,
        tuple(draw(st.lists(samples, max_size=4))),
        draw(st.booleans()),
        draw(st.dictionaries(TEXT, st.tuples(st.integers(0, 10**6), st.floats(0.0, 1e5)), max_size=3)),
        draw(st.dictionaries(TEXT, st.floats(-1e15, 1e15), max_size=3)),
        tuple(draw(st.lists(TEXT, max_size=3))),
        draw(st.sampled_from(("", "finished", "failed", "stopped"))),
        draw(TEXT),
        draw(st.none() | st.floats(0.001, 1e7)),
    )


def close_to(tick: Tick) -> Tick:
    """As it is kept: moments to the microsecond."""
    samples = tuple(replace(s, at_s=pytest.approx(s.at_s, abs=3e-6)) for s in tick.samples)
    windows = {name: (count, pytest.approx(seconds, abs=1e-6)) for name, (count, seconds) in tick.windows.items()}
    return replace(tick, at_s=pytest.approx(tick.at_s, abs=1e-6), samples=samples, windows=windows)


@given(st.lists(ticks(), max_size=4))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_field_of_a_reading_comes_back(tmp_path: Path, told: list[Tick]) -> None:
    path = written(tmp_path, told)
    found = journal.read(path)
    assert list(found.ticks()) == [close_to(tick) for tick in told]
    assert found.torn_count == 0
    path.unlink()


@given(
    st.builds(
        header, run=TEXT, name=TEXT, host=TEXT, boot=TEXT, pid=st.integers(1, 2**22), restart_count=st.integers(0, 99),
        rank=st.integers(0, 10**5), started_utc_s=SECONDS, started_s=SECONDS, interval_s=st.floats(0.05, 3600.0),
        project=TEXT, tags=st.lists(TEXT, max_size=3).map(tuple), words=WORDS, planned=st.none() | WORDS, version=TEXT,
    )
)  # fmt: skip
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_field_of_the_first_line_comes_back(tmp_path: Path, head: Header) -> None:
    path = written(tmp_path, [], head)
    assert path.parent == tmp_path
    assert journal.read(path).header == head
    path.unlink()


def test_numbers_of_other_libraries_and_numbers_that_are_none_are_written_as_json(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    sample = Sample(GPU.id, numpy.float64(5000.0), numpy.float64(1e6), math.nan, math.inf)
    path = written(tmp_path, [Tick(5000.0, (sample,))])
    (tick,) = journal.read(path).ticks()
    (found,) = tick.samples
    assert (found.energy_j, found.utilization) == (1e6, math.inf)
    assert found.power_w is not None
    assert math.isnan(found.power_w)


def test_a_sample_of_a_meter_that_is_not_in_the_first_line_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, [Tick(5000.0, (Sample("other", 5000.0, 1.0), Sample(CPU.id, 5000.0, None, 2.0)))])
    ((found,),) = [tick.samples for tick in journal.read(path).ticks()]
    assert found.meter == CPU.id


def test_names_of_any_script_and_of_any_danger_stay_in_the_folder(tmp_path: Path) -> None:
    for number, host in enumerate(("узел-7", "节点", "../../etc", "a b\n", "x" * 300, "", "..", "CON")):
        head = header(host=host, name="обучение 训练", tags=("🌱",), pid=number)
        path = written(tmp_path / "runs", readings(1, notes=("läuft",)), head)
        assert path.parent == tmp_path / "runs"
        assert path.name.isascii()
        assert len(path.name) < 100
        assert journal.read(path).header == head
        assert next(iter(journal.read(path).ticks())).notes == ("läuft",)


def test_each_process_of_a_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    heads = [
        header(pid=1),
        header(pid=2),
        header(restart_count=1),
        header(host="node2"),
        header(pid=1, started_s=6000.0),
    ]
    paths = [written(tmp_path, readings(2), head) for head in heads]
    assert len(set(paths)) == len(heads)
    assert journal.files_of(tmp_path) == sorted(paths)


def test_a_reading_of_eight_devices_takes_less_than_400_bytes(tmp_path: Path) -> None:
    """31 MB a day at one reading a second, of counters that have run for a day: nothing needs to be thinned out."""
    meters = tuple(replace(GPU, id=f"GPU-{number}") for number in range(8))
    samples = tuple(
        Sample(one.id, 123456.789012 + 0.0015 * n, 98765432.123, 688.123, 0.97) for n, one in enumerate(meters)
    )
    head = header(meters=meters)
    first = written(tmp_path / "first", [], head).stat().st_size
    path = written(tmp_path / "ticks", [Tick(123456.789, samples, windows={"step": (3, 0.98)})] * 100, head)
    assert 300 < (path.stat().st_size - first) / 100 < 400


def test_a_journal_holds_nothing_of_the_environment_or_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setattr("sys.argv", ["train.py", "--api-key", "hunter2"])
    words = track_words(None, {"country": "FR", "params": "7B", "settings": {"pue": 1.1}})
    assert words.name == "train"
    path = written(tmp_path, readings(2), header(name=words.name, words=words.plain()))
    text = path.read_text(encoding="ascii")
    for private in ("hunter2", "SECRET_TOKEN", "--api-key", os.getcwd(), str(Path.home())):
        assert private not in text
    assert json.loads(text.splitlines()[0])["words"] == {
        "country": "FR",
        "params": 7e9,
        "settings": {"pue": "1.1:1.1:1.1"},
    }


# what is torn


def test_a_file_that_was_cut_at_any_byte_holds_the_readings_whose_lines_are_whole(tmp_path: Path) -> None:
    path = written(
        tmp_path, readings(4, windows={"step": (1, 0.5)}, progress={"tokens": 5.0}, notes=("é",), end="failed")
    )
    whole = path.read_bytes()
    told = list(journal.read(path).ticks())
    first_line = whole.index(b"\n") + 1
    cut = tmp_path / "cut.jsonl"
    for length in range(first_line, len(whole) + 1):
        cut.write_bytes(whole[:length])
        lines = whole[first_line:length].split(b"\n")
        is_torn = bool(lines[-1]) and whole[length : length + 1] != b"\n"
        found = journal.read(cut)
        assert list(found.ticks()) == told[: len(lines) - (1 if is_torn or not lines[-1] else 0)]
        assert found.torn_count == is_torn


def test_a_file_that_was_cut_in_its_first_line_is_no_journal(tmp_path: Path) -> None:
    path = written(tmp_path, [])
    whole = path.read_bytes()
    cut = tmp_path / "cut.jsonl"
    for length in range(0, len(whole) - 1, 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(JournalError, match="is no journal"):
            journal.read(cut)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.integers(0, 3))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rubbish_between_lines_hides_none_of_them(tmp_path: Path, rubbish: list[bytes], place: int) -> None:
    path = written(tmp_path, readings(3))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1 + place : 1 + place] = [part.replace(b"\n", b" ").replace(b"{", b"") + b"\n" for part in rubbish]
    path.write_bytes(b"".join(lines))
    assert [tick.at_s for tick in journal.read(path).ticks()] == [5000.0, 5001.0, 5002.0]
    path.unlink()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(("t", "s", "edge", "w", "p", "n", "end", "error", "from")), JSON))
@settings(max_examples=120, deadline=None)
def test_a_line_of_any_json_is_a_reading_of_numbers_or_none(line: dict[str, Any]) -> None:
    found = Journal(Path("none"), header()).tick_of(json.dumps(line).encode())
    if found is not None:
        assert math.isfinite(found.at_s)
        for sample in found.samples:
            numbers = (sample.energy_j, sample.power_w, sample.utilization, sample.stale_s, sample.attributed_share)
            assert all(number is None or isinstance(number, float) for number in numbers)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\x00" * 4096, b"{}", b"[]", b"5", b"null", b'{"t": null}', b'{"t": "5"}', b'{"t": NaN}',
        b'{"t": Infinity}', b'{"t": 1' + b"0" * 400 + b"}", b'{"t": 5, "s": [[9, 0, 1.0]]}', b'{"t": 5, "s": [[0]]}',
        b'{"t": 5, "s": [[0, 0, "many"]]}', b'{"t": 5, "s": 7}', b'{"t": 5, "w": {"step": 1}}',
        b'{"t": 5, "w": {"step": [1e999, 1]}}', b'{"t": 5, "p": {"tokens": "all"}}', b'{"t": 5, "n": 3}',
        b"[" * 100_000, b'{"t": 5, "s": ' + b"[" * 100_000, b'{"t": 1e15, "s": []}', b'{"t": 5, "s": [[0, -1e9, 1.0]]}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_reading_is_passed_over(line: bytes) -> None:
    assert Journal(Path("none"), header()).tick_of(line) is None


def test_a_line_with_numbers_that_are_not_known_yet_is_read_without_them() -> None:
    line = b'{"t": 5.0, "s": [[0, 0.5, 1.0, 2.0, 0.5, 0.004, 0.25, 77, "new"]], "later": {"x": 1}}'
    tick = Journal(Path("none"), header()).tick_of(line)
    assert tick is not None
    assert tick.samples == (Sample(GPU.id, 5.5, 1.0, 2.0, 0.5, 0.25, 0.004),)


# what is none


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", b"\x7fELF\x02\x01", b"timestamp,project_name\n2024,x\n", b"{}\n", b"[]\n", b'"journal"\n',
        b'{"run": "run-1"}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n",
    ],
    ids=["empty", "blank", "program", "csv", "object", "list", "word", "another", "no text", "deep"],
)  # fmt: skip
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"file.jsonl: is no journal; give a journal that footprint.track wrote"):
        journal.read(path)


def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"none.jsonl: cannot be read \(No such file or directory\); give"):
        journal.read(tmp_path / "none.jsonl")
    with pytest.raises(JournalError, match=r"cannot be read \(Is a directory\)"):
        journal.read(tmp_path)


@pytest.mark.parametrize("version", [FORMAT + 1, 99, "2", None, 1.5])
def test_a_newer_format_is_refused(tmp_path: Path, version: Any) -> None:
    path = written(tmp_path, [])
    first = json.loads(path.read_text(encoding="utf-8")) | {"journal": version}
    path.write_text(json.dumps(first) + "\n", encoding="utf-8")
    with pytest.raises(JournalError, match=rf"has format {version}, newer than {FORMAT}; use a newer footprint"):
        journal.read(path)


def first_line(tmp_path: Path, changes: Mapping[str, Any], without: str = "") -> Path:
    path = written(tmp_path, [])
    first = json.loads(path.read_text(encoding="utf-8")) | changes
    first.pop(without, None)
    path.write_text(json.dumps(first) + "\n", encoding="utf-8")
    return path


def test_a_first_line_with_more_in_it_is_read(tmp_path: Path) -> None:
    meter = records.to_plain(GPU) | {"temperature_k": 300.0}
    path = first_line(tmp_path, {"weather": {"sun": True}, "meters": [meter]})
    assert journal.read(path).header == header(meters=(GPU,))


@pytest.mark.parametrize(
    "name", ["boot", "rank", "meters", "project", "tags", "words", "planned", "version"]
)  # fmt: skip
def test_a_first_line_without_what_came_later_is_read(tmp_path: Path, name: str) -> None:
    assert journal.read(first_line(tmp_path, {}, without=name)).header.run == "run-1"


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        ({}, "run"), ({}, "host"), ({}, "pid"), ({}, "started_s"), ({}, "interval_s"), ({"pid": "many"}, ""),
        ({"pid": math.inf}, ""), ({"started_s": None}, ""), ({"started_s": math.nan}, ""), ({"meters": 5}, ""),
        ({"started_utc_s": math.inf}, ""), ({"meters": [{"id": "x"}]}, ""), ({"meters": "abc"}, ""), ({"tags": 5}, ""),
        ({"words": [1, 2]}, ""), ({"interval_s": {}}, ""),
    ],
)  # fmt: skip
def test_a_first_line_that_is_broken_is_refused(tmp_path: Path, changes: dict[str, Any], without: str) -> None:
    path = first_line(tmp_path, changes, without)
    with pytest.raises(JournalError, match=r"has a broken first line \(.*\); restore it from a copy"):
        journal.read(path)


def test_a_plan_is_carried_as_plain_data(tmp_path: Path) -> None:
    plan = records.to_plain(handmade_runs.footprint())
    assert journal.read(written(tmp_path, [], header(planned=plan))).header.planned == json.loads(json.dumps(plan))


# writing


def test_what_could_not_be_written_for_a_while_is_on_the_next_line_that_is(tmp_path: Path) -> None:
    """Windows add up, of progress the last counts, and counters carry the energy over."""
    folder = tmp_path / "runs"
    writer = JournalWriter(folder, header())
    writer.write(Tick(5000.0, readings(1)[0].samples))
    writer.close()
    os.rename(folder, tmp_path / "away")
    folder.write_text("in its place", encoding="utf-8")
    for number in range(1, 4):
        sample = Sample(GPU.id, 5000.0 + number, 1e6 + 300.0 * number)
        said = Tick(
            5000.0 + number,
            (sample,),
            windows={"step": (1, 0.5)},
            progress={"tokens": 10.0 * number},
            notes=(f"n{number}",),
        )
        writer.write(said)
    assert writer.problem
    folder.unlink()
    os.rename(tmp_path / "away", folder)
    writer.write(Tick(5100.0, (Sample(GPU.id, 5100.0, 1e6 + 30_000.0),), notes=("back",)))
    writer.close()
    assert writer.problem == ""
    *_, last = journal.read(writer.path).ticks()
    assert last.windows == {"step": (3, 1.5)}
    assert last.progress == {"tokens": 30.0}
    assert last.notes == ("n1", "n2", "n3", "back")
    assert [sample.energy_j for sample in last.samples] == [1e6 + 30_000.0]


def test_counters_alone_come_back_as_they_would_from_a_reading_in_full(tmp_path: Path) -> None:
    counts = [1, 999_999, 1_234_567_891_000, 2**52 + 1]
    writer = JournalWriter(tmp_path, header(started_s=0.0))
    for n, millijoules in enumerate(counts):
        writer.write(Tick(n + 0.25, (Sample(GPU.id, n + 0.25, millijoules / 1e3),)))
        writer.write_counts(n + 0.25, (GPU.id,), [millijoules], None)
    ticks = list(journal.read(writer.path).ticks())
    assert len(ticks) == 2 * len(counts)
    assert ticks[::2] == ticks[1::2]


def test_beside_counters_alone_stands_what_the_training_told(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, header())
    beside = Tick(5001.0, windows={"step": (3, 0.5)}, progress={"steps_count": 3.0}, notes=("a note",))
    writer.write_counts(5001.0, (GPU.id,), [7_000], beside)
    (tick,) = journal.read(writer.path).ticks()
    assert tick == replace(beside, samples=(Sample(GPU.id, 5001.0, 7.0),))


def test_counters_of_a_device_that_is_not_mine_are_left_out(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, header())
    writer.write_counts(5001.0, ("GPU-of-another-rank", GPU.id), [1, 7_000], None)
    (tick,) = journal.read(writer.path).ticks()
    assert tick.samples == (Sample(GPU.id, 5001.0, 7.0),)


def test_what_stood_beside_counters_that_could_not_be_written_is_on_the_next_line(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, header())
    assert writer._handle is not None
    os.close(writer._handle)
    writer.write_counts(5001.0, (GPU.id,), [1], Tick(5001.0, windows={"step": (1, 0.5)}))
    assert writer.problem != ""
    writer.write_counts(5012.0, (GPU.id,), [2_000], Tick(5012.0, windows={"step": (1, 0.25)}))
    assert writer.problem == ""
    (tick,) = journal.read(writer.path).ticks()
    assert tick == Tick(5012.0, (Sample(GPU.id, 5012.0, 2.0),), windows={"step": (2, 0.75)})


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, header())
    writer.close()
    writer.close()
    assert journal.read(writer.path).header == header()


def test_a_growing_journal_tells_each_line_once_and_waits_for_the_rest_of_one(tmp_path: Path) -> None:
    path = written(tmp_path, readings(2))
    growing = GrowingJournal(journal.read(path))
    assert [tick.at_s for tick in growing.gained()] == [5000.0, 5001.0]
    assert growing.gained() == []
    with path.open("ab") as file:
        file.write(b'{"t":5002.0}\n{"t":50')
    assert [tick.at_s for tick in growing.gained()] == [5002.0]
    with path.open("ab") as file:
        file.write(b"03.0}\n")
    assert [tick.at_s for tick in growing.gained()] == [5003.0]
    path.unlink()
    assert growing.gained() == []


def test_a_long_journal_is_read_in_pieces_and_one_that_is_begun_anew_from_its_start(tmp_path: Path) -> None:
    path = written(tmp_path, readings(200))
    growing = GrowingJournal(journal.read(path))
    pieces = [growing.gained(500)]
    while growing.has_more:
        pieces.append(growing.gained(500))
    assert [tick.at_s for piece in pieces for tick in piece] == [5000.0 + i for i in range(200)]
    assert len(pieces) > 10
    first, *_, last = path.read_bytes().splitlines(keepends=True)
    (tmp_path / "new").write_bytes(first + last + b"x" * 1200 + b"\n" + last)
    os.replace(tmp_path / "new", path)
    again = [growing.gained(500)]
    while growing.has_more:
        again.append(growing.gained(500))
    assert [tick.at_s for piece in again for tick in piece] == [5199.0, 5199.0]


# folders


def test_runs_lie_where_the_user_says_and_else_at_home(tmp_path: Path) -> None:
    given_folder = tmp_path / "given"
    environment = {"FOOTPRINT_FOLDER": "/shared/runs", "FOOTPRINT_HOME": "/home/me", "XDG_DATA_HOME": "/data"}
    assert journal.runs_folder(environment, given_folder) == given_folder
    assert journal.runs_folder(environment) == Path("/shared/runs")
    assert journal.runs_folder({"FOOTPRINT_HOME": "/home/me", "XDG_DATA_HOME": "/data"}) == Path("/home/me/runs")
    assert journal.runs_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/footprint/runs")
    assert journal.runs_folder({}) == Path.home() / ".local/share/footprint/runs"
    assert journal.home({"FOOTPRINT_HOME": ""}) == Path.home() / ".local/share/footprint"


def test_a_file_stands_for_itself_and_other_files_are_none(tmp_path: Path) -> None:
    path = written(tmp_path, readings(1))
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    assert journal.files_of(path) == [path]
    assert journal.files_of(tmp_path) == [path]
    assert journal.files_of(tmp_path / "none") == []
