"""Past jobs on a real Prometheus: a cluster whose energy is known by construction, and what is found of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from prometheus_fixture import (
    BUSY_W,
    ENERGY,
    IDLE_W,
    POWER,
    SCRAPE_S,
    Cluster,
    Labels,
    Server,
    busy_from,
    joules,
    needs_prometheus,
    serving,
    started_at,
)

from footprint.catalog import open_catalog
from footprint.fleet.access import Access
from footprint.fleet.devices import Job
from footprint.fleet.jobs import Found, job_run, measured_job
from footprint.fleet.prometheus import Prometheus
from footprint.fleet.readings import slices_of
from footprint.units import J_PER_KWH, S_PER_H
from footprint.values import MeterUsage

pytestmark = needs_prometheus

START = started_at()
END = START + S_PER_H
SINCE, UNTIL = START - S_PER_H / 2, END + S_PER_H / 2
TRUTH_KWH = 0.6
LONG_END = START + 30 * S_PER_H
HUNDRED_S = 100.0


def marked(name: str, value: str, begun_s: float = START, ended_s: float = END) -> object:
    """Bears a label while a job runs."""
    return lambda at_s: ({name: value} if begun_s <= at_s <= ended_s else {},)


def mig(at_s: float) -> Iterable[Labels]:
    """Four instances, a job each, and the whole device's counter on all of them."""
    for i, job in zip((7, 8, 9, 10), ("61", "62", "63", "64"), strict=True):
        own = {"hpc_job": job} if START <= at_s <= END else {}
        yield {"GPU_I_ID": str(i), "GPU_I_PROFILE": "1g.10gb", **own}


def shared(at_s: float) -> Iterable[Labels]:
    """Two jobs on one device: a series each."""
    return ({"hpc_job": "51"}, {"hpc_job": "52"}) if START <= at_s <= END else ({},)


def half_shared(at_s: float) -> Iterable[Labels]:
    """One job all the time, another in its second half."""
    if not START <= at_s <= END:
        return ({},)
    return ({"hpc_job": "53"}, {"hpc_job": "54"}) if at_s > START + S_PER_H / 2 else ({"hpc_job": "53"},)


def driver(reset_s: float) -> object:
    """A new driver's label from a reset on."""
    return lambda at_s: ({"DCGM_FI_DRIVER_VERSION": "580.1" if at_s >= reset_s else "570.2"},)


def cluster() -> Cluster:
    made = Cluster()
    hour = busy_from(START, END)

    def device(host: str, steps: object = hour, place: str = "0", **more: object) -> None:
        made.device(f"GPU-{host}-{place}", host, steps, SINCE, UNTIL, place=place, **more)  # type: ignore[arg-type]

    device("gpu01", phase_s=11.3, labels=marked("hpc_job", "4242"))
    device("gpu01", place="1", phase_s=11.3, labels=marked("hpc_job", "4242"))
    device("gpu01", place="2", phase_s=11.3, steps=busy_from(START, END, 300.0))
    device("gpu02", phase_s=2.9, resets=(START + 1805.0,), labels=driver(START + 1805.0), host_label="hostname")
    device("gpu03", phase_s=17.0, gaps=((START + 1200.0, START + 1800.0),))
    device("gpu04", phase_s=4.0, labels=mig)
    device("gpu05", phase_s=8.0, labels=shared)
    device("gpu06", phase_s=1.0)
    device("gpu06", phase_s=8.0, clock_s=3.0, scraper="dcgm-again", gaps=((START, START + 600.0),))
    taken = {"pod": "dcgm-exporter-x", "namespace": "monitoring"}
    own = {"exported_pod": "train-0", "exported_namespace": "ml"}
    device("gpu07", phase_s=9.0, labels=lambda at_s: ({**taken, **(own if START <= at_s <= END else {})},))
    device("gpu08", phase_s=9.0, labels=marked("pod", "train-1"))
    device("gpu09", steps=busy_from(START + 5.0, START + 25.0), phase_s=0.0)
    device("gpu10", steps=busy_from(START + 13.0, START + 58.0), phase_s=0.0)
    device("gpu11", names=("dcgm_total_energy_consumption", "dcgm_power_usage"), uuid_label="uuid", phase_s=3.0)
    device("gpu12", names=(None, POWER), phase_s=3.0)
    device("gpu13", names=("DCGM_FI_DEV_GPU_UTIL", None), phase_s=3.0, per_j=0.0)
    device("gpu14", phase_s=5.0)
    made.add(ENERGY, _labels("gpu14"), START + 1234.0, 9223372036854775794.0)
    device("gpu15", phase_s=6.0, names=("gpu_energy_consumed", "gpu_package_power"), per_j=1e6,
           uuid_label="serial_number", host_label="hostname")  # fmt: skip
    device("gpu16", phase_s=6.0, gaps=((SINCE, START + 1440.0),))
    device("gpu17", phase_s=6.0, labels=half_shared)
    device("gpu18", names=(None, POWER), phase_s=3.0, gaps=((START + 1200.0, START + 1800.0),))
    for metric, value in (("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", 0.4), ("DCGM_FI_DEV_SM_CLOCK", 1755.0)):
        for i in range(120):
            made.add(metric, _labels("gpu01"), START + 11.3 + SCRAPE_S * i, value)
            made.add(
                metric, {**_labels("gpu01"), "UUID": "GPU-gpu01-1", "gpu": "1"}, START + 11.3 + SCRAPE_S * i, value
            )
    for i in range(240):
        at_s = SINCE + SCRAPE_S * i + 1.0
        made.add("ipmi_dcmi_power_consumption_watts", {"instance": "gpu12:9290"}, at_s, 1100.0)
        made.add("ceems_redfish_current_watts", {"hostname": "gpu03"}, at_s, 640.0)
    skewed = busy_from(START, START + 10 * S_PER_H)
    made.device("GPU-skewed", "gpu20", skewed, SINCE, START + 11 * S_PER_H, clock_s=90.0, phase_s=20.0,
                labels=marked("hpc_job", "4300", START, START + 10 * S_PER_H))  # type: ignore[arg-type]  # fmt: skip
    _long(made)
    return made


def _labels(host: str) -> dict[str, str]:
    return {"UUID": f"GPU-{host}-0", "Hostname": host, "gpu": "0", "modelName": "NVIDIA H100 80GB HBM3", "job": "dcgm",
            "instance": f"{host}:9400"}  # fmt: skip


def _long(made: Cluster) -> None:
    """Thirty hours: plain, with a reset under another driver, with a gap, shared for an hour, and power alone."""
    long = busy_from(START, LONG_END)
    reset_s = START + 40_007.0

    def device(host: str, **more: object) -> None:
        made.device(f"GPU-{host}", host, long, SINCE, LONG_END + S_PER_H, **more)  # type: ignore[arg-type]

    device("long1", phase_s=7.0)
    device("long2", phase_s=7.0, resets=(reset_s,), labels=driver(reset_s))
    device("long3", phase_s=7.0, gaps=((START + 50_000.0, START + 50_600.0),), resets=(START + 80_000.0,))
    busy = (START + 20_000.0, START + 20_000.0 + S_PER_H)
    device("long4", phase_s=7.0, labels=lambda at_s: (
        ({"hpc_job": "71"}, {"hpc_job": "72"}) if busy[0] < at_s <= busy[1] else ({"hpc_job": "71"},)
    ))  # fmt: skip
    device("long5", phase_s=7.0, names=(None, POWER))
    for scraper, phase_s in (("dcgm", 7.0), ("dcgm-again", 19.0)):
        device("long6", phase_s=phase_s, scraper=scraper, clock_s=phase_s / 10, labels=lambda at_s: tuple(
            {"GPU_I_ID": str(i), "GPU_I_PROFILE": f"{i}g.{i}0gb", "hpc_job": str(80 + i)} for i in (3, 4)
        ))  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving(cluster()) as server:
        yield server


@pytest.fixture
def client(running: Server) -> Prometheus:
    return Prometheus(Access(running.url))


def found_on(client: Prometheus, host: str, places: tuple[str, ...] | None = None, **job: object) -> Found:
    """What is found of a job on one host."""
    words: dict[str, object] = {"started_utc_s": START, "ended_utc_s": END, **job}
    by_host = {} if places is None else {host: places}
    return measured_job(
        Job(hosts=(host,), devices_by_host=by_host, **words), client, open_catalog(), words={}  # type: ignore[arg-type]
    )  # fmt: skip


def devices(found: Found) -> list[MeterUsage]:
    return [one for one in found.meters if one.meter.component == "accelerator"]


def kwh(found: Found) -> float:
    return sum(one.it_energy_kwh.mid for one in devices(found))


def near(kwh: float, share: float = 0.001) -> object:
    return pytest.approx(kwh, rel=share)


# the truth, case by case


def test_plain_devices_by_host_and_place(client: Prometheus) -> None:
    found = found_on(client, "gpu01", ("0", "1"))
    assert [one.meter.id for one in devices(found)] == ["GPU-gpu01-0", "GPU-gpu01-1"]
    assert kwh(found) == near(2 * TRUTH_KWH)
    assert found.evidence.grade == "A"
    assert all(one.coverage_share == 1 for one in devices(found))


def test_a_host_without_a_word_on_its_devices_had_all_of_them(client: Prometheus) -> None:
    assert kwh(found_on(client, "gpu01")) == near(2 * TRUTH_KWH + 0.3)


def test_the_label_of_a_job_finds_its_devices_alone(client: Prometheus) -> None:
    job = Job("4242", started_utc_s=START, ended_utc_s=END)
    found = measured_job(job, client, open_catalog(), words={})
    assert [one.meter.id for one in devices(found)] == ["GPU-gpu01-0", "GPU-gpu01-1"]
    assert kwh(found) == near(2 * TRUTH_KWH)


def test_a_job_without_times_lasted_as_long_as_its_label(client: Prometheus) -> None:
    found = measured_job(Job("4242", ended_utc_s=END), client, open_catalog(), words={})
    assert found.interval.started_s == pytest.approx(START, abs=SCRAPE_S)
    assert kwh(found) == near(2 * TRUTH_KWH, SCRAPE_S / S_PER_H)


def test_a_reset_under_a_new_driver_is_bridged_with_power(client: Prometheus) -> None:
    found = found_on(client, "gpu02")
    assert kwh(found) == near(TRUTH_KWH)
    assert devices(found)[0].resets_count == 1


def test_a_counter_goes_on_through_a_gap_of_ten_minutes(client: Prometheus) -> None:
    found = found_on(client, "gpu03")
    assert kwh(found) == near(TRUTH_KWH)
    assert any("largest gap between readings 10 min" in note for note in found.notes), found.notes


@pytest.mark.parametrize("job", ["61", "62", "63", "64"])
def test_an_instance_of_one_slice_has_a_seventh_of_the_one_counter(client: Prometheus, job: str) -> None:
    found = found_on(client, "gpu04", id=job)
    assert kwh(found) == near(TRUTH_KWH / 7)
    assert devices(found)[0].meter.note.endswith("3 of 7 slices of GPU-gpu04-0 are no instance's")


def test_four_instances_are_four_slices_and_the_rest_is_nobodys(client: Prometheus) -> None:
    assert kwh(found_on(client, "gpu04", ("0.7", "0.8", "0.9", "0.10"))) == near(TRUTH_KWH * 4 / 7)
    assert kwh(found_on(client, "gpu04", ("0.7", "0.8"))) == near(TRUTH_KWH * 2 / 7)
    assert kwh(found_on(client, "gpu04")) == near(TRUTH_KWH)


@pytest.mark.parametrize(
    ("model", "slices"), [("NVIDIA A30", 4), ("NVIDIA A100-SXM4-80GB", 7), ("NVIDIA RTX PRO 6000 Blackwell", 4)]
)
def test_all_slices_of_a_device_are_its_models(model: str, slices: int) -> None:
    assert slices_of(model) == slices


@pytest.mark.parametrize("job", ["51", "52"])
def test_a_device_shared_by_two_jobs_is_parted_evenly(client: Prometheus, job: str) -> None:
    assert kwh(found_on(client, "gpu05", id=job)) == near(TRUTH_KWH / 2)


def test_parts_of_a_device_shared_for_a_while_add_up_to_the_whole(client: Prometheus) -> None:
    first, second = (
        kwh(found_on(client, "gpu17", id="53")),
        kwh(found_on(client, "gpu17", id="54", started_utc_s=START + S_PER_H / 2)),
    )
    assert first == near(0.75 * TRUTH_KWH, 0.005)
    assert first + second == near(TRUTH_KWH, 0.005)


def test_two_scrapes_of_one_exporter_with_clocks_apart_are_one(client: Prometheus) -> None:
    found = found_on(client, "gpu06")
    assert kwh(found) == near(TRUTH_KWH)
    assert devices(found)[0].resets_count == 0


@pytest.mark.parametrize(("pod", "namespace"), [("train-0", "ml"), ("train-1", "")])
def test_a_pod_is_found_whether_or_not_its_labels_are_exported(client: Prometheus, pod: str, namespace: str) -> None:
    job = Job(pod=pod, namespace=namespace, started_utc_s=START, ended_utc_s=END)
    found = measured_job(job, client, open_catalog(), words={})
    assert kwh(found) == near(TRUTH_KWH, SCRAPE_S / S_PER_H)
    assert devices(found)[0].meter.share == 1


def test_hosts_with_labels_of_two_versions_are_found_and_those_without_metrics_are_told(client: Prometheus) -> None:
    job = Job(hosts=("gpu02", "gpu03", "gpu99"), started_utc_s=START, ended_utc_s=END)
    found = measured_job(job, client, open_catalog(), words={})
    assert kwh(found) == near(2 * TRUTH_KWH)
    assert any("1 of 3 hosts are in no metrics and not counted: gpu99" in note for note in found.notes)
    rated = measured_job(job, client, open_catalog(), words={}, model="h100-sxm5-80gb")
    assert rated.evidence.grade == "D"
    assert kwh(rated) > 3 * TRUTH_KWH


def test_a_pod_ran_while_its_label_was_there_whatever_the_bounds_of_the_search(client: Prometheus) -> None:
    job = Job(pod="train-0", namespace="ml", started_utc_s=START - S_PER_H, ended_utc_s=END + 2 * S_PER_H)
    found = measured_job(job, client, open_catalog(), words={})
    assert found.interval.duration_s == pytest.approx(S_PER_H, abs=SCRAPE_S)
    assert found.evidence.grade == "A"


def test_a_job_between_two_scrapes_is_what_the_counter_moved_beyond_idle(client: Prometheus) -> None:
    found = found_on(client, "gpu09", started_utc_s=START + 5.0, ended_utc_s=START + 25.0)
    truth_j = 20 * BUSY_W
    one = devices(found)[0].it_energy_kwh
    assert one.mid * J_PER_KWH == pytest.approx(truth_j, rel=0.001)
    assert one.low * J_PER_KWH <= truth_j - 1 or one.high * J_PER_KWH >= truth_j + 1
    assert any("edges lie between readings" in note for note in found.notes)


def test_a_job_with_one_scrape_inside_is_within_a_scrape_at_each_edge_and_says_so(client: Prometheus) -> None:
    found = found_on(client, "gpu10", started_utc_s=START + 13.0, ended_utc_s=START + 58.0)
    assert kwh(found) * J_PER_KWH == pytest.approx(45 * BUSY_W, abs=2 * SCRAPE_S * (BUSY_W - IDLE_W))
    assert any("edges lie between readings" in note for note in found.notes)


def test_the_old_namespace_and_small_labels_are_read(client: Prometheus) -> None:
    assert kwh(found_on(client, "gpu11")) == near(TRUTH_KWH)


def test_power_alone_is_evidence_b(client: Prometheus) -> None:
    found = found_on(client, "gpu12")
    assert kwh(found) == near(TRUTH_KWH)
    assert found.evidence.grade == "B"


def test_a_gap_in_power_widens_the_range_and_is_no_coverage(client: Prometheus) -> None:
    found = found_on(client, "gpu18")
    (one,) = devices(found)
    assert one.it_energy_kwh.mid == near(TRUTH_KWH)
    assert one.coverage_share == pytest.approx(5 / 6, abs=0.02)
    assert one.it_energy_kwh.high - one.it_energy_kwh.low > TRUTH_KWH / 10


def test_utilization_alone_is_evidence_c(client: Prometheus) -> None:
    found = found_on(client, "gpu13")
    assert found.evidence.grade == "C"
    assert devices(found)[0].meter.origin == "modelled"


def test_a_blank_sentinel_is_no_reading(client: Prometheus) -> None:
    found = found_on(client, "gpu14")
    assert kwh(found) == near(TRUTH_KWH)
    assert devices(found)[0].resets_count == 0


def test_amd_counts_microjoules(client: Prometheus) -> None:
    assert kwh(found_on(client, "gpu15")) == near(TRUTH_KWH)


def test_where_retention_begins_inside_the_job_the_rest_is_filled_in_and_told(client: Prometheus) -> None:
    found = found_on(client, "gpu16")
    (one,) = devices(found)
    assert one.coverage_share == pytest.approx(0.6, abs=0.02)
    assert one.it_energy_kwh.mid == near(TRUTH_KWH)
    assert one.it_energy_kwh.low < 0.7 * TRUTH_KWH
    assert found.evidence.grade == "B"
    assert any("did not answer yet" in note for note in found.notes)
    assert "the server has nothing of the job's beginning: it keeps 10y" in found.notes


def test_a_clock_that_is_ahead_shows_in_the_label(client: Prometheus) -> None:
    truth = 10 * S_PER_H * BUSY_W / J_PER_KWH
    job = Job("4300", started_utc_s=START, ended_utc_s=START + 10 * S_PER_H)
    found = measured_job(job, client, open_catalog(), words={})
    assert kwh(found) == near(truth)
    assert any("clock is" in note and "ahead of the job's" in note for note in found.notes)
    told = measured_job(job, client, open_catalog(), words={}, clock_skew_s=90.0)
    assert kwh(told) == near(truth, 1e-6)


def test_a_hosts_own_meter_tells_the_rest_once_it_is_said_what_it_sees(client: Prometheus) -> None:
    def rest(host: str, *, has_accelerators: bool) -> MeterUsage:
        job = Job(hosts=(host,), started_utc_s=START, ended_utc_s=END)
        found = measured_job(job, client, open_catalog(), words={}, node_has_accelerators=has_accelerators)
        (node,) = [one for one in found.meters if one.meter.component != "accelerator"]
        return node

    eighth = 1 / 8  # the job has one accelerator of the eight of such a host
    assert rest("gpu12", has_accelerators=False).it_energy_kwh.mid == near(1.1 * eighth)
    assert rest("gpu03", has_accelerators=False).it_energy_kwh.mid == near(0.64 * eighth)
    assert rest("gpu12", has_accelerators=True).it_energy_kwh.mid == 0  # the meter's eighth is less than the device
    assert "are they in it?" in rest("gpu12", has_accelerators=True).meter.note
    assert rest("gpu12", has_accelerators=False).meter.origin == "measured"


# long jobs: sums are the server's

LONG_KWH = 30 * S_PER_H * BUSY_W / J_PER_KWH


@pytest.mark.parametrize("host", ["long1", "long2", "long3", "long5"])
def test_a_long_job_is_the_truth_with_few_readings(running: Server, host: str) -> None:
    client = Prometheus(Access(running.url))
    found = found_on(client, host, ended_utc_s=LONG_END)
    assert kwh(found) == near(LONG_KWH)
    raw = 2 * 30 * S_PER_H / SCRAPE_S
    assert client.samples_count < (0.2 * raw if host != "long5" else 1.2 * raw)
    assert devices(found)[0].resets_count == (host in ("long2", "long3"))


def test_an_hour_in_which_a_long_job_shared_its_device_counts_half(client: Prometheus) -> None:
    job = Job("71", started_utc_s=START, ended_utc_s=LONG_END)
    found = measured_job(job, client, open_catalog(), words={})
    assert kwh(found) == near(LONG_KWH * (1 - 0.5 / 30))


@pytest.mark.parametrize(("job", "slices"), [("83", 3), ("84", 4)])
def test_instances_of_a_device_that_two_servers_scrape_have_their_slices_of_a_long_job(
    running: Server, job: str, slices: int
) -> None:
    client = Prometheus(Access(running.url))
    found = measured_job(Job(job, started_utc_s=START, ended_utc_s=LONG_END), client, open_catalog(), words={})
    assert kwh(found) == near(LONG_KWH * slices / 7)
    assert devices(found)[0].resets_count == 0
    assert client.samples_count < 1000


def test_counter_and_power_of_a_long_job_are_held_against_each_other(client: Prometheus) -> None:
    (one,) = devices(found_on(client, "long1", ended_utc_s=LONG_END))
    assert one.counter_over_power_ratio == pytest.approx(1, abs=0.001)


# work


def test_tensor_activity_and_clock_tell_flop_and_mfu_with_their_error(client: Prometheus) -> None:
    job = Job("4242", started_utc_s=START, ended_utc_s=END)
    run = job_run(job, client, open_catalog(), {"country": "FR"})
    peak = dict(open_catalog().accelerator("h100-sxm").peak_flop_per_s)["bf16"]
    assert run.usage.training_flop is not None
    assert run.usage.training_flop.mid == pytest.approx(2 * S_PER_H * 0.4 * peak, rel=0.01)
    assert run.mfu == pytest.approx(0.4, rel=0.01)
    (line,) = run.usage.lines
    assert line.mfu is not None
    assert line.mfu.low < 0.35 < 0.45 < line.mfu.high


def test_what_was_drawn_is_the_fixtures_truth() -> None:
    assert joules(busy_from(START, END), START, END) / J_PER_KWH == TRUTH_KWH
