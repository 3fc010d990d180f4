"""`footprint job` and what it reads of words: hosts, places, moments; grades of evidence; edges without a server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_fixture import Cluster, Server, busy_from, needs_prometheus, serving, started_at

from footprint.catalog import open_catalog
from footprint.cli import main
from footprint.errors import InputError
from footprint.evidence import evidence
from footprint.fleet.devices import Job, host_list, place_list, slices
from footprint.fleet.energy import DeviceEnergy, Walk
from footprint.fleet.jobs import job_run
from footprint.fleet.readings import Reading
from footprint.measurement.limits import limits
from footprint.store import open_ledger
from footprint.units import J_PER_KWH, S_PER_H
from footprint.values import Meter, MeterUsage, Range

START = started_at()
END = START + S_PER_H


# words


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("gpu01", ("gpu01",)),
        ("gpu[01-03,07],login1", ("gpu01", "gpu02", "gpu03", "gpu07", "login1")),
        ("r[1-2]n[09-10]", ("r1n09", "r1n10", "r2n09", "r2n10")),
        ("a,a", ("a",)),
        ("gpu[8-11]-ib", ("gpu8-ib", "gpu9-ib", "gpu10-ib", "gpu11-ib")),
    ],
)
def test_hosts_are_read_as_slurm_writes_them(text: str, hosts: tuple[str, ...]) -> None:
    assert host_list(text) == hosts


@pytest.mark.parametrize("text", ["gpu[01-16", "gpu]1[", "gpu[3-1]", "", ",", "gpu[0-999999999]", "a[1-1000]b[1-1000]"])
def test_hosts_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="host"):
        host_list(text)


@given(st.text(max_size=30))
def test_any_text_is_hosts_or_an_input_error(text: str) -> None:
    with contextlib.suppress(InputError):
        assert all(host_list(text))


def test_places_are_devices_or_instances_of_one() -> None:
    assert place_list("0-3,5") == ("0", "1", "2", "3", "5")
    assert place_list("0.7,GPU-abc") == ("0.7", "GPU-abc")
    assert place_list("MIG-GPU-1a/7/0,0x1a2b3c4d5e6f") == ("MIG-GPU-1a/7/0", "0x1a2b3c4d5e6f")


def test_slices_of_profiles() -> None:
    assert [slices(name) for name in ("1g.10gb", "3g.40gb", "1c.3g.40gb", "7g.80gb+me", "")] == [1, 3, 1, 7, 1]


# a walk over readings, without a server

METER = Meter(
    "GPU-1", "accelerator", "x", "prometheus", "gpu", "measured", has_counter=True, window_s=0.0, idle_w=70.0,
    max_w=700.0,
)  # fmt: skip


def walked(
    readings: list[Reading], started_s: float, ended_s: float, meter: Meter = METER, interval_s: float = 30.0
) -> DeviceEnergy:
    walk = Walk(meter, started_s, ended_s, interval_s, limits(open_catalog()))
    walk.take(readings)
    return walk.result("host")


def readings(power: Callable[[float], float], until_s: float = 600.0, step_s: float = 30.0) -> list[Reading]:
    """Of a device whose power is constant between readings and seen at their ends."""
    found, joules = [], 0.0
    for i in range(int(until_s / step_s) + 1):
        at_s = i * step_s
        joules += power(at_s - step_s / 2) * step_s if i else 0.0
        found.append(Reading(at_s, joules, power(at_s)))
    return found


@pytest.mark.parametrize(("started_s", "ended_s"), [(60.0, 540.0), (61.0, 539.0), (75.5, 100.0), (31.0, 59.0)])
def test_of_constant_power_any_window_is_power_times_time(started_s: float, ended_s: float) -> None:
    found = walked(readings(lambda at_s: 300.0), started_s, ended_s)
    assert found.usage.it_energy_kwh.mid * J_PER_KWH == pytest.approx(300 * (ended_s - started_s), rel=1e-9)


@given(st.floats(0, 600), st.floats(0, 600), st.floats(0, 600))
def test_parts_of_a_span_add_up_to_it_and_ranges_hold_it(a: float, b: float, c: float) -> None:
    first, middle, last = sorted((a, b, c))
    if middle - first < 1 or last - middle < 1:
        return
    seen = readings(lambda at_s: 600.0 if 200 < at_s < 400 else 70.0)
    whole, left, right = (
        walked(seen, *ends).usage.it_energy_kwh for ends in ((first, last), (first, middle), (middle, last))
    )
    assert left.mid + right.mid == pytest.approx(whole.mid, abs=2 * 30 * 530 / J_PER_KWH)
    for one in (whole, left, right):
        assert 0 <= one.low <= one.mid <= one.high


def test_a_reset_at_an_edge_is_counted_by_power() -> None:
    seen = [Reading(0.0, 1e6, 500.0), Reading(30.0, 5_000.0, 500.0), Reading(60.0, 20_000.0, 500.0)]
    for started_s, ended_s in ((10.0, 60.0), (10.0, 40.0)):
        found = walked(seen, started_s, ended_s)
        assert found.usage.it_energy_kwh.mid * J_PER_KWH == pytest.approx(500 * (ended_s - started_s), rel=0.01)
    seen = [Reading(0.0, 1e6, 500.0), Reading(30.0, 1.015e6, 500.0), Reading(60.0, 2_000.0, 70.0)]
    assert walked(seen, 0.0, 50.0).usage.it_energy_kwh.mid * J_PER_KWH == pytest.approx(25_000, rel=0.01)


def test_without_any_reading_nothing_is_known() -> None:
    found = walked([], 0.0, 100.0)
    assert found.usage.it_energy_kwh.mid == 0
    assert found.usage.coverage_share == 0


def test_after_the_last_reading_power_goes_on_for_a_scrape_and_no_longer() -> None:
    seen = readings(lambda at_s: 300.0, 300.0)
    assert walked(seen, 0.0, 320.0).usage.it_energy_kwh.mid * J_PER_KWH == pytest.approx(320 * 300.0)
    silent = walked(seen, 0.0, 600.0).usage
    assert silent.coverage_share == pytest.approx(0.5)
    assert silent.it_energy_kwh.high * J_PER_KWH > 300 * 300 + 300 * 690


# evidence


def usage(origin: str, has_counter: bool, coverage_share: float) -> MeterUsage:
    meter = Meter("a", "accelerator", "x", "prometheus", "gpu", origin, has_counter=has_counter)
    return MeterUsage("h", meter, Range.exactly(1.0), 100.0, coverage_share)


@pytest.mark.parametrize(
    ("meters", "grade"),
    [
        ([usage("measured", True, 1.0)], "A"),
        ([usage("measured", True, 0.96), usage("measured", True, 0.95)], "A"),
        ([usage("measured", True, 0.9)], "B"),
        ([usage("measured", False, 1.0)], "B"),
        ([usage("measured", True, 1.0), usage("measured", False, 1.0)], "B"),
        ([usage("measured", True, 0.4)], "C"),
        ([usage("modelled", False, 0.0)], "C"),
        ([usage("measured", True, 1.0), usage("default", False, 0.0)], "D"),
        ([], "D"),
    ],
)
def test_a_grade_is_that_of_the_worst_known_part(meters: list[MeterUsage], grade: str) -> None:
    assert evidence(meters).grade == grade
    assert str(evidence(meters)).startswith(f"evidence {grade}: ")


def test_allocated_hours_alone_have_a_wide_range() -> None:
    job = Job("7", started_utc_s=START, ended_utc_s=END, hosts=("a", "b"), devices_by_host={"a": ("0",), "b": ("0",)})
    run = job_run(job, None, open_catalog(), {"country": "FR"}, model="h100-sxm5-80gb")
    energy = run.usage.it_energy_kwh
    assert run.usage.accelerator_hours.mid == pytest.approx(2)
    assert energy.low < 0.5 * energy.mid < 1.5 * energy.mid < energy.high
    assert run.evidence == "D"


# the command


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    made = Cluster()
    for place in ("0", "1"):
        made.device(
            f"GPU-{place}", "gpu01", busy_from(START, END), START - 900, END + 900, place=place, phase_s=7.0,
            labels=lambda at_s: ({"hpc_job": "4242"} if START <= at_s <= END else {},),
        )  # fmt: skip
    with serving(made) as server:
        yield server


WINDOW = ("--from", "2026-10-26T07:33:20", "--to", "2026-10-26T08:33:20")


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.run(["job", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@needs_prometheus
def test_a_job_is_one_line_and_its_evidence(running: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = command(capsys, "4242", *WINDOW, "--prometheus", running.url, "--country", "FR")
    assert code == 0, err
    line, grade = out.strip().splitlines()
    assert line.startswith("4242: 2 × h100-sxm5-80gb, 1 h 00 min; IT ")
    assert grade.startswith("evidence A: energy counters")
    assert "note: 2 devices found by label hpc_job" in err


@needs_prometheus
def test_hosts_and_places_name_a_job_too_and_it_can_be_kept(
    running: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--host", "gpu[01]", "--gpus", "1", *WINDOW, "--prometheus", running.url, "--name", "old", "--save")
    for _ in range(2):
        code, out, err = command(capsys, *words, "--project", "llm", "--format", "json")
        assert code == 0, err
    found = json.loads(out)
    (device,) = [m for m in found["meters"] if m["meter"]["component"] == "accelerator"]
    assert device["it_energy_kwh"]["mid"] == pytest.approx(0.6, rel=0.001)
    assert "not in the metrics" not in err
    with open_ledger() as ledger:
        (entry,) = [e for e in ledger.list() if e.name == "old"]
    assert entry.kind == "imported"
    assert entry.project == "llm"


@needs_prometheus
def test_a_place_that_is_in_no_metrics_is_told_beside_those_that_are(
    running: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--host", "gpu01", "--gpus", "1,77", *WINDOW, "--prometheus", running.url)
    code, out, err = command(capsys, *words)
    assert code == 0, err
    assert out.startswith("gpu01: 1 × ")
    assert "1 device found by host" in err
    assert "gpu01: not in the metrics and not counted: 77 of --gpus" in err


@needs_prometheus
def test_a_job_that_no_series_knows_is_an_error(running: Server, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = 'x"}) or vector(1) #'
    code, _, err = command(capsys, "--pod", hostile, *WINDOW, "--prometheus", running.url)
    assert code == 1
    assert "is on no series then; give --from and --to about it" in err
    code, _, err = command(capsys, "--host", "gpu77", *WINDOW, "--prometheus", running.url)
    assert code == 1
    assert "has no devices with energy, power or utilization there" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "job: is missing; give an id"),
        (("--gpus", "0", "--pod", "a"), "are places on hosts, and there is none"),
        (("--host", "a", "--prometheus", "http://127.0.0.1:9"), "has no beginning or end; give --from and --to"),
        (("--host", "a[", *WINDOW), "brackets that do not match"),
        (("4242", "--from", "tomorrow"), "is no moment"),
        (("4242", *WINDOW), "or --accelerator, or --site with its partitions"),
        (("4242", *WINDOW, "--prometheus", "http://me:pa55@127.0.0.1:9"), "http://127.0.0.1:9: cannot be reached"),
        (("--host", "a", *WINDOW[2:], "--from", "2027-01-01", "--accelerator", "h100"), "is not after"),
        (("--host", "a", "--from", "2999-01-01", "--to", "2999-01-02", "--accelerator", "h100"), "lies ahead"),
        (("--host", "a", "--from", "2999-01-01", "--accelerator", "h100"), "lies ahead"),
        (("--host", "a", "--gpus", "x-3", *WINDOW, "--accelerator", "h100"), "'x-3', which is no place of a device"),
        (("--host", "a", "--gpus", "all", *WINDOW, "--accelerator", "h100"), "'all', which is no place of a device"),
        (("--host", "a", "--gpus", ",", *WINDOW, "--accelerator", "h100"), "names no device"),
    ],
)
def test_what_cannot_be_a_job_is_told_with_what_to_do(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTPRINT_PROMETHEUS_URL", raising=False)
    code, _, err = command(capsys, *words)
    assert code == 1
    assert told in err
    assert "pa55" not in err
