"""`footprint export`: what live runs' journals become, and how it is served, pushed and written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from export_runs import PATIENCE_S, Page, Process, aged, exporting, fetched, gpu, server
from typer.testing import CliRunner

from footprint.cli.main import app
from footprint.errors import InputError, MissingExtra, QueryError
from footprint.export import otlp
from footprint.export.metrics import FAMILIES, exposition
from footprint.export.outputs import FILE, Pushgateway, Textfile
from footprint.export.runs import LiveRuns
from footprint.export.serving import Served, address_of
from footprint.fleet.access import Access, access
from footprint.measurement.journal import Tick
from footprint.measurement.tracker.reading import read_run
from footprint.units import G_PER_KG, J_PER_KWH
from footprint.values import Meter, Sample

CPU = Meter("cpu", "cpu", "EPYC", "cpu-load", "package", "modelled", idle_w=50.0, max_w=300.0)
SECRET = "s3cr3t-of-the-gate"
ENERGY = "footprint_energy_joules_total"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def gone_pid() -> int:
    """Of a process that has ended."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def page(runs: LiveRuns) -> Page:
    return Page(exposition(runs.now())[0].decode())


def looked(root: Path, **options: Any) -> LiveRuns:
    runs = LiveRuns(root, **options)
    runs.look()
    return runs


# numbers


def test_a_live_run_is_told_as_reading_its_journals_tells_it(root: Path) -> None:
    Process(
        root, meters=(gpu(0), gpu(1)), project="llm", region="aws/us-east-1", steps=200.0, budget_kwh=0.05, ago_s=100.0
    ).go_on(100)
    run = read_run(root / "run-1")
    told = page(looked(root))
    own = {"run_id": "run-1", "run": "sft", "project": "llm"}
    facility = run.footprint.facility
    for device in ("GPU-0", "GPU-1"):
        energy = told.value(ENERGY, device=device, component="accelerator", origin="measured", **own)
        assert energy == pytest.approx(99 * 500.0, rel=1e-9)
    assert sum(told.values(ENERGY, **own)) == pytest.approx(facility.it_energy_kwh.mid * J_PER_KWH, rel=1e-3)
    for name, expected in (
        ("footprint_facility_energy_joules_total", facility.facility_energy_kwh.mid * J_PER_KWH),
        (
            "footprint_operational_location_co2e_grams_total",
            facility.operational_location_kgco2e.mid * G_PER_KG,
        ),
        ("footprint_electricity_cost_usd_total", facility.electricity_usd.mid if facility.electricity_usd else 0.0),
        ("footprint_coverage_ratio", run.usage.coverage_share),
        ("footprint_steps_total", 99.0),
        ("footprint_tokens_total", 99_000.0),
        ("footprint_progress_ratio", 99 / 200),
        ("footprint_run_active", 1.0),
        ("footprint_run_started_time_seconds", run.started_utc_s),
    ):
        assert told.value(name, **own) == pytest.approx(expected, rel=1e-3), name
    assert told.value("footprint_power_watts", device="GPU-0") == pytest.approx(500.0)
    assert told.value("footprint_utilization_ratio", device="GPU-0") == 0.9
    rest_w = told.value("footprint_power_watts", component="node", origin="assumed")
    assert told.value(ENERGY, component="node") == pytest.approx(rest_w * 99, rel=1e-6)
    used = told.value("footprint_budget_ratio", budget="energy")
    assert used == pytest.approx(facility.facility_energy_kwh.mid / 0.05, rel=1e-3)
    assert told.value("footprint_forecast_budget_ratio", budget="energy") == pytest.approx(used * 200 / 99, rel=1e-3)
    assert told.value("footprint_run_info", place="aws/us-east-1", **own) == 1.0
    assert told.value("footprint_device_info", device="GPU-0", name="NVIDIA H100 80GB HBM3", scope="gpu") == 1.0


def test_counters_go_on_over_restarts_and_never_fall(root: Path, gone_pid: int) -> None:
    Process(root, pid=gone_pid, ago_s=60.0).go_on(30).end("failed")
    runs = looked(root)
    before = page(runs)
    assert before.value(ENERGY, device="GPU-0") == 29 * 500.0
    assert before.value("footprint_run_active") == 0.0
    again = Process(root, restart=1, ago_s=20.0)
    again.go_on(1, begun_steps_count=20.0, begun_run_tokens=20_000.0, steps_count=20.0, run_tokens=20_000.0)
    runs.look()
    between = page(runs)
    assert between.value(ENERGY, device="GPU-0") == 29 * 500.0  # what was drawn in between is not its own
    assert between.value("footprint_steps_total") == 29.0  # steps that are done again are not done twice
    assert between.value("footprint_run_active") == 1.0
    for step in range(21, 36):
        again.go_on(1, steps_count=float(step), run_tokens=1000.0 * step)
        now = page(runs)
        for name in (n for n in before.names if n.endswith("_total")):
            assert sum(now.values(name)) >= sum(between.values(name)), name
        between = now
    assert between.value(ENERGY, device="GPU-0") == pytest.approx((29 + 15) * 500.0)
    assert between.value("footprint_steps_total") == 35.0
    anew = page(looked(root))  # an exporter that is started now tells the same
    assert anew.values(ENERGY) == between.values(ENERGY)
    assert anew.value("footprint_steps_total") == 35.0


def test_ranks_add_up_and_a_device_in_two_journals_counts_once(root: Path) -> None:
    shared, host = gpu(0), {"ago_s": 40.0}
    first = Process(root, meters=(shared,), rank=0, **host).go_on(20)
    other_pid = os.getppid()
    second = Process(root, meters=(shared, gpu(1)), rank=1, pid=other_pid, **host).go_on(40)
    runs = looked(root)
    assert page(runs).value(ENERGY, device="GPU-0") == pytest.approx(39 * 500.0, abs=2 * 500.0)
    assert page(runs).value(ENERGY, device="GPU-1") == 39 * 500.0
    first.go_on(20)  # older than what is told already: nothing is added twice
    assert page(runs).value(ENERGY, device="GPU-0") <= 39 * 500.0
    second.go_on(1)
    assert page(runs).value(ENERGY, device="GPU-1") == 40 * 500.0


def test_a_device_that_another_run_counts_is_told_by_that_run_alone(root: Path) -> None:
    Process(root, "one", meters=(gpu(0),)).go_on(10)
    Process(root, "two", meters=(replace(gpu(0), counted_in="one"), gpu(1))).go_on(10)
    told = page(looked(root))
    assert told.value(ENERGY, device="GPU-0", run_id="one") == 9 * 500.0
    assert told.values(ENERGY, device="GPU-0", run_id="two") == []
    assert told.value(ENERGY, device="GPU-1", run_id="two") == 9 * 500.0


def test_energy_of_devices_that_idle_is_told_as_stalled(root: Path) -> None:
    Process(root, meters=(gpu(0),)).go_on(10).go_on(5, utilization=0.0)
    told = page(looked(root))
    assert told.value("footprint_stalled_energy_joules_total", device="GPU-0") == pytest.approx(5 * 500.0, rel=1e-2)
    assert told.value("footprint_utilization_ratio", device="GPU-0") == 0.0


def test_a_device_that_answers_no_more_has_no_power(root: Path) -> None:
    made = Process(root, meters=(gpu(0), CPU)).go_on(10)
    made.meters = (CPU,)
    made.go_on(8)
    told = page(looked(root))
    assert told.values("footprint_power_watts", device="GPU-0") == []
    assert told.value("footprint_utilization_ratio", device="GPU-0") == 0.9  # it may be read as rarely as that
    assert told.value("footprint_power_watts", device="cpu", origin="modelled") == 500.0
    made.go_on(70)
    assert page(looked(root)).values("footprint_utilization_ratio", device="GPU-0") == []
    assert told.value(ENERGY, device="GPU-0") == 9 * 500.0


def test_power_is_what_the_counter_gained_and_utilization_the_last_that_was_told(root: Path) -> None:
    made = Process(root, meters=(gpu(0),)).go_on(10)
    made.watts = 300.0
    for _ in range(7):  # counters alone, as they are read between readings in full
        made.writer.write(Tick(made.now_s, (Sample("GPU-0", made.now_s, made.drawn_j),)))
        made.now_s, made.drawn_j = made.now_s + 1.0, made.drawn_j + made.watts
    told = page(looked(root))
    assert told.value("footprint_power_watts", device="GPU-0") == pytest.approx(300.0)
    assert told.value("footprint_utilization_ratio", device="GPU-0") == 0.9


def test_a_run_whose_place_no_table_knows_has_its_joules_and_the_reason_is_told(root: Path) -> None:
    said: list[str] = []
    Process(root, zone="atlantis").go_on(10)
    Process(root, "good", "good", country="FRA").go_on(10)
    runs = looked(root, tell=said.append)
    told = page(runs)
    page(runs)
    assert told.value(ENERGY, device="GPU-0", run_id="run-1") == 9 * 500.0
    assert told.values("footprint_facility_energy_joules_total", run_id="run-1") == []
    assert told.value("footprint_facility_energy_joules_total", run_id="good") > 9 * 500.0
    (line,) = said
    assert "atlantis" in line


# runs that come and go


def test_ended_runs_stay_some_minutes_and_leave_and_come_back_with_their_sums(root: Path, gone_pid: int) -> None:
    Process(root, "ended", pid=gone_pid).go_on(10).end()
    Process(root, "killed", pid=gone_pid).go_on(10)
    Process(root, "live").go_on(10)
    runs = looked(root, keep_s=300.0)
    told = page(runs)
    active = {run: told.value("footprint_run_active", run_id=run) for run in ("ended", "killed", "live")}
    assert active == {"ended": 0.0, "killed": 0.0, "live": 1.0}
    assert told.values("footprint_power_watts", run_id="ended") == []
    assert told.value(ENERGY, run_id="ended", device="GPU-0") == 9 * 500.0
    for run in ("ended", "killed"):
        aged(root / run, 400.0)
    runs.look()
    assert {s.labels["run_id"] for s in page(runs).samples if s.name == ENERGY} == {"live"}
    Process(root, "ended", restart=1, ago_s=30.0).go_on(10)
    runs.look()
    assert page(runs).value(ENERGY, run_id="ended", device="GPU-0") == 18 * 500.0


def test_a_long_journal_is_read_beside_and_told_of_when_it_is_read(root: Path) -> None:
    Process(root, "long").go_on(100)
    runs = LiveRuns(root, long_bytes=1000)
    runs.look(is_patient=True)
    assert page(runs).value(ENERGY, device="GPU-0") == pytest.approx(99 * 500.0)
    runs.look(is_patient=True)
    assert page(runs).value("footprint_exporter_runs") == 1.0


def test_only_the_run_that_is_named_is_told(root: Path) -> None:
    Process(root, "a-1", "sft").go_on(5)
    Process(root, "b-2", "other").go_on(5)
    for wanted in ("sft", "a-1", str(root / "a-1")):
        assert {run.id for run in looked(root, wanted=wanted).now().runs} == {"a-1"}
    said: list[str] = []
    assert looked(root, wanted="none", tell=said.append).now().runs == ()
    assert said == [f"no run that is called none goes on in {root}: runs are exported when they begin"]


def test_folders_that_vanish_and_files_that_are_no_journals_harm_nothing(root: Path) -> None:
    said: list[str] = []
    runs = looked(root, tell=said.append)
    assert page(runs).value("footprint_exporter_runs") == 0.0
    assert said == [f"no run goes on in {root}: runs are exported when they begin"]
    live = Process(root, "live").go_on(5)
    Process(root, "gone").go_on(5)
    (root / "empty").mkdir()
    for name, text in (("empty-file", b""), ("half", b'{"journal": 1, "run": "half", "na'), ("other", b"\x00\xff{}")):
        (root / name).mkdir()
        (root / name / "x.jsonl").write_bytes(text)
    with live.writer.path.open("ab") as file:
        file.write(b'{"t": NaN, "s": [[0, 1]]}\n{"t": 1e9, "s": [[99, 0, 1]]}\n[]\n"\xff"\n')
        file.write(b'{"t": 1e15, "s": [[0, 0, 5e9, 700]]}\n{"t": 1e300, "s": [[0, -1e300, 5e9]]}\n{"t":')
    text = live.writer.path.read_bytes()
    began = json.dumps(live.header.started_utc_s).encode()
    (root / "never").mkdir()
    (root / "never" / "x.jsonl").write_bytes(text.replace(b'"live"', b'"never"').replace(began, b"-1e308"))
    runs.look()
    assert {run.id for run in runs.now().runs} == {"live", "gone"}
    assert said[1:] == ["never: ValueError: its journals hold moments that are none"]
    shutil.rmtree(root / "gone")
    assert page(runs).value(ENERGY, run_id="live", device="GPU-0") == 4 * 500.0
    runs.look()
    assert {run.id for run in runs.now().runs} == {"live"}
    shutil.rmtree(root)
    runs.look()
    page(runs)


def test_names_from_journals_are_escaped_and_cannot_forge_a_line(root: Path) -> None:
    hostile = 'a"} 1\nfootprint_energy_joules_total{run="x\\\ud800'
    Process(root, name=hostile, project="\\", host='h"\n').go_on(5)
    told = page(looked(root))
    names = {s.labels["run"] for s in told.samples if s.name == ENERGY}
    assert names == {hostile.replace("\ud800", "�")}
    assert told.value(ENERGY, component="accelerator", project="\\", host='h"\n') == 4 * 500.0


@pytest.mark.clock
def test_a_scrape_among_hundreds_of_finished_runs_is_as_quick_as_without_them(root: Path, gone_pid: int) -> None:
    few, many = root / "few", root / "many"
    for number in range(200):
        Process(many, f"old-{number}", pid=gone_pid).go_on(3).end()
        aged(many / f"old-{number}", 4000.0)
    took: dict[Path, float] = {}
    written_s = 1.0
    for folder in (few, many):
        live = [Process(folder, f"live-{n}", meters=[gpu(i) for i in range(8)]).go_on(100) for n in range(3)]
        runs = looked(folder)
        page(runs)
        for _ in range(7):
            for one in live:
                one.go_on(15)  # between two scrapes
            begun_s = time.thread_time()
            shown = runs.now()
            read_s = time.thread_time()
            exposition(shown)
            ended_s = time.thread_time()
            took[folder] = min(took.get(folder, 10.0), ended_s - begun_s)
            written_s = min(written_s, ended_s - read_s)
        assert len(shown.runs) == 3
    assert took[many] < 3 * took[few]
    assert took[many] < 20 * written_s  # the client library's share, a yardstick: 5 ms where a scrape takes 12


# the page


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9400", ("127.0.0.1", 9400)),
        ("9400", ("127.0.0.1", 9400)),
        ("0.0.0.0:9400", ("0.0.0.0", 9400)),
        ("[::1]:9400", ("::1", 9400)),
        ("node-1.example:80", ("node-1.example", 80)),
    ],
)
def test_an_address_is_loopback_unless_another_is_named(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize(
    "text", ["", ":", "host", "http://host:9400", ":99999", "::1:9400", ":94x", "a b:1", "*:9400/"]
)
def test_what_is_no_address_is_told(text: str) -> None:
    with pytest.raises(InputError, match="is no address to listen on; write :9400"):
        address_of(text)


def test_a_port_that_is_taken_and_an_address_of_another_machine_are_told(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match=r"cannot be listened on \(Address already in use\); choose another port"):
            Served(taken.getsockname(), LiveRuns(root).now)
    elsewhere = (
        r"prometheus = '192\.0\.2\.1:9400': cannot be listened on \(Cannot assign requested address\); write :9400"
    )
    with pytest.raises(InputError, match=elsewhere):  # an address for documentation: nobody's
        Served(("192.0.2.1", 9400), LiveRuns(root).now)


def test_the_page_is_served_in_each_format_and_nothing_else_is(root: Path) -> None:
    Process(root).go_on(5)
    served = Served(("127.0.0.1", 0), looked(root).now)
    served.start()
    try:
        assert not served.is_open
        assert Page(fetched(served.link)).value(ENERGY, device="GPU-0") == 4 * 500.0
        openmetrics = fetched(served.link, Accept="application/openmetrics-text; version=1.0.0")
        assert openmetrics.endswith("# EOF\n")
        assert f'{ENERGY}{{component="accelerator"' in openmetrics
        assert fetched(served.link.replace("/metrics", "/-/healthy")) == "ok\n"
        with pytest.raises(OSError, match="404"):
            fetched(served.link.replace("/metrics", "/etc/passwd"))
    finally:
        served.stop()


def test_names_and_help_pass_the_linter_of_prometheus(root: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool: apt-get install prometheus")
    Process(root, country="FRA", steps=200.0, budget_kwh=1.0, budget_usd=1.0).go_on(50)
    told = page(looked(root))
    assert {family.sample for family in FAMILIES} == told.names
    checked = subprocess.run(["promtool", "check", "metrics"], input=told.text, text=True, capture_output=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


# the text file


def test_the_text_file_is_whole_readable_by_all_and_gone_at_the_end(root: Path, tmp_path: Path) -> None:
    Process(root).go_on(5)
    folder = tmp_path / "textfile"
    folder.mkdir()
    runs, out = looked(root), Textfile(folder)
    out.send(runs.now())
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o644
    assert Page((folder / FILE).read_text("utf-8")).value(ENERGY, device="GPU-0") == 4 * 500.0
    shutil.rmtree(root / "run-1")
    runs.look()
    out.send(runs.now())
    assert Page((folder / FILE).read_text("utf-8")).values(ENERGY) == []
    out.close()
    assert list(folder.iterdir()) == []
    with pytest.raises(InputError, match="is no folder; name the folder that node_exporter reads"):
        Textfile(tmp_path / "none")
    shutil.rmtree(folder)
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\)"):
        out.send(runs.now())


# the Pushgateway


class Heard:
    """A server that keeps what it is sent; it asks for credentials where `secret` is given."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.secret, self.status = "", 200
        heard = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                heard.requests.append((self.command, self.path, dict(self.headers.items()), body))
                sent = self.headers.get("Authorization", "")
                status = 401 if heard.secret and heard.secret not in sent else heard.status
                self.send_response(status)
                if status in (301, 307):
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(f"no: {sent}".encode())

            do_PUT = do_POST = do_DELETE = do_GET = answer

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    made.close()


@contextmanager
def pushgateway() -> Iterator[str]:
    if shutil.which("prometheus-pushgateway") is None:
        pytest.skip("needs a Pushgateway: apt-get install prometheus-pushgateway")
    own = ("--web.listen-address=127.0.0.1:PORT", "--persistence.file=FOLDER/groups")
    with server("prometheus-pushgateway", *own, ready="/-/ready") as url:
        yield url


def pushed(url: str) -> set[str]:
    return {s.labels["run_id"] for s in Page(fetched(url + "/metrics")).samples if s.name == ENERGY}


def wait_for(what: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def test_runs_are_pushed_as_groups_and_deleted_when_they_leave(root: Path) -> None:
    Process(root, "a-1", "sft").go_on(5)
    Process(root, "b 2:ü", "other", project="llm").go_on(5)
    with pushgateway() as url:
        runs, out = looked(root), Pushgateway(Access(url), instance="node-1")
        out.send(runs.now())
        there = Page(fetched(url + "/metrics"))
        for run_id, name in (("a-1", "sft"), ("b 2:ü", "other")):
            own = {"job": "footprint", "instance": "node-1", "run_id": run_id, "run": name}
            assert there.value(ENERGY, device="GPU-0", **own) == 4 * 500.0
        shutil.rmtree(root / "a-1")
        runs.look()
        out.send(runs.now())
        wait_for(lambda: pushed(url) == {"b 2:ü"})  # a deletion is answered before it is done
        out.close()
        wait_for(lambda: pushed(url) == set())
        kept = Pushgateway(Access(url), keeps=True)
        kept.send(runs.now())
        kept.close()
        assert len(Page(fetched(url + "/metrics")).values(ENERGY, device="GPU-0")) == 1


def test_credentials_are_sent_and_never_shown(root: Path, heard: Heard, tmp_path: Path) -> None:
    Process(root).go_on(5)
    heard.secret = SECRET
    shown = looked(root).now()
    (tmp_path / "token").write_text(SECRET + "\n", encoding="utf-8")
    named = access(heard.url, {"FOOTPRINT_PUSHGATEWAY_TOKEN_FILE": str(tmp_path / "token")}, "pushgateway")
    Pushgateway(named).send(shown)
    assert heard.requests[-1][2]["Authorization"] == f"Bearer {SECRET}"
    wrong = access(heard.url, {"FOOTPRINT_PUSHGATEWAY_TOKEN": "wr0ng-token"}, "pushgateway")
    with pytest.raises(QueryError, match=r"refuses \(HTTP 401\).*check the credentials") as refused:
        Pushgateway(wrong).send(shown)
    assert "wr0ng" not in str(refused.value)
    assert SECRET not in repr(named)
    heard.secret, heard.status = "", 307  # a redirect would carry them elsewhere
    with pytest.raises(QueryError, match=r"refuses \(HTTP 307\)"):
        Pushgateway(named).send(shown)
    with pytest.raises(InputError, match=r"^otlp: is no address of a server"):
        access(f"ftp://me:{SECRET}@host", {}, "otlp")


# OTLP


def test_otlp_speaks_of_hardware_by_the_conventions_of_opentelemetry(root: Path, heard: Heard) -> None:
    service = pytest.importorskip("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
    import gzip

    plug = Meter("plug", "node", "server", "ipmi", "node", "measured", has_counter=True)
    made = Process(root, meters=(gpu(0), CPU), host="node-1", country="FRA", project="llm").go_on(11)
    Process(root, "b", meters=(plug,), host="node-2").go_on(11)
    otlp.Otlp(Access(heard.url)).send(looked(root).now())
    ((method, path, headers, body),) = heard.requests
    assert (method, path, headers["Content-Type"]) == ("POST", "/v1/metrics", "application/x-protobuf")
    request = service.ExportMetricsServiceRequest.FromString(gzip.decompress(body))
    found: dict[tuple[str, str], list[tuple[dict[str, str], float, Any, Any]]] = {}
    for resource in request.resource_metrics:
        about = {a.key: a.value.string_value for a in resource.resource.attributes}
        assert about["service.name"] == "footprint"
        for metric in resource.scope_metrics[0].metrics:
            data = getattr(metric, metric.WhichOneof("data"))
            for point in data.data_points:
                told = {a.key: a.value.string_value for a in point.attributes}
                key = (about.get("host.name", ""), metric.name)
                found.setdefault(key, []).append((told, point.as_double, metric, point))
    energy = {
        told["hw.id"]: (told, value, metric, point) for told, value, metric, point in found["node-1", "hw.energy"]
    }
    told, value, metric, point = energy["GPU-0"]
    assert value == 10 * 500.0
    assert (metric.unit, metric.sum.is_monotonic, metric.sum.aggregation_temporality) == ("J", True, 2)
    assert told == {
        "hw.id": "GPU-0", "hw.type": "gpu", "hw.name": "NVIDIA H100 80GB HBM3", "footprint.origin": "measured",
        "footprint.run.id": "run-1", "footprint.run.name": "sft", "footprint.project": "llm",
    }  # fmt: skip
    assert point.start_time_unix_nano == pytest.approx(made.header.started_utc_s * 1e9, abs=1e3)
    assert point.time_unix_nano - point.start_time_unix_nano == pytest.approx(10e9, abs=1e4)
    assert {told["hw.type"] for told, *_ in energy.values()} == {"gpu", "cpu", "enclosure"}
    power = {told["hw.id"]: (value, metric.unit) for told, value, metric, _ in found["node-1", "hw.power"]}
    assert power["GPU-0"] == (pytest.approx(500.0), "W")
    (busy,) = found["node-1", "hw.gpu.utilization"]
    assert (busy[0]["hw.gpu.task"], busy[1], busy[2].unit) == ("general", 0.9, "1")
    assert ("node-2", "hw.energy") not in found  # all of a host is no part of it: nothing is added twice
    (whole,) = found["node-2", "hw.host.energy"]
    assert whole[1] == 10 * 500.0
    assert "hw.type" not in whole[0]
    assert {"footprint.facility.energy", "footprint.tokens"} <= {name for host, name in found if not host}


def test_a_collector_that_refuses_is_told_once_until_it_takes_numbers_again(root: Path, heard: Heard) -> None:
    pytest.importorskip("opentelemetry.sdk")
    from footprint.export.exporter import Exporter

    Process(root).go_on(5)
    said: list[str] = []
    exporter = Exporter(LiveRuns(root), None, [otlp.Otlp(Access(heard.url))], 1.0, said.append)
    heard.status = 503
    assert [exporter.once(), exporter.once()] == [False, False]
    heard.status = 200
    assert exporter.once()
    assert len(said) == 2
    assert "refuses (HTTP 503)" in said[0]
    assert said[1] == "otlp takes numbers again"


# the command


def test_the_command_serves_until_it_is_told_to_end(root: Path) -> None:
    live = Process(root).go_on(5)
    for number in (signal.SIGTERM, signal.SIGINT):
        with exporting("--prometheus", ":0", "--folder", root) as (process, link):
            wait_for(lambda link=link: bool(Page(fetched(link)).values(ENERGY)))  # type: ignore[misc]
            live.go_on()
            assert Page(fetched(link)).values(ENERGY, device="GPU-0") == [pytest.approx((live.count - 1) * 500.0)]
            process.send_signal(number)
            assert process.wait(timeout=PATIENCE_S) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""


def test_a_command_that_is_tracked_can_serve_its_own_metrics_meanwhile(root: Path) -> None:
    command = [sys.executable, "-m", "footprint", "track", "--name", "sft", "--export", ":0", "--folder", str(root)]
    wait = "import sys; sys.stdin.read(); sys.exit(7)"
    process = subprocess.Popen(
        [*command, "--", sys.executable, "-c", wait], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        assert told.startswith("footprint: metrics are at http://127.0.0.1:"), told
        link = told.split()[-1]
        wait_for(lambda: Page(fetched(link)).values("footprint_run_active", run="sft") == [1.0])
        assert Page(fetched(link)).value("footprint_exporter_runs") == 1.0
        process.communicate("", timeout=PATIENCE_S)
        assert process.returncode == 7
    finally:
        process.kill()
        process.wait()
    taken = ["track", "--pid", "1", "--export", ":0"]
    assert "run footprint export" in CliRunner().invoke(app, taken).output


def invoked(*arguments: str | Path) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(app, ["export", *map(str, arguments)])
    return done.exit_code, done.output, done.exception


def test_once_feeds_the_outputs_and_leaves_what_it_wrote(root: Path, tmp_path: Path, heard: Heard) -> None:
    Process(root).go_on(5)
    assert invoked("--folder", root, "--textfile", tmp_path, "--pushgateway", heard.url, "--once")[:2] == (0, "")
    assert Page((tmp_path / FILE).read_text("utf-8")).value(ENERGY, device="GPU-0") == 4 * 500.0
    assert [request[0] for request in heard.requests] == ["PUT"]
    heard.status = 500
    code, told, _ = invoked("--folder", root, "--pushgateway", heard.url, "--once")
    assert code == 1
    assert "refuses (HTTP 500)" in told


def test_a_wrong_use_is_told(root: Path, tmp_path: Path) -> None:
    code, told, _ = invoked("--folder", root)
    assert code == 2
    assert "name where to: --prometheus, --pushgateway, --textfile or --otlp" in told
    assert invoked("--textfile", tmp_path, "--interval", "0")[0] == 2
    assert invoked("--prometheus", ":0", "--once")[0] == 2
    for arguments, error in (
        (("--prometheus", "x"), "is no address to listen on"),
        (("--pushgateway", "gateway"), "is no address of a server"),
        (("--textfile", str(tmp_path / "none")), "is no folder"),
    ):
        assert error in str(invoked("--folder", root, *arguments)[2])


@pytest.mark.parametrize(
    ("package", "arguments", "told"),
    [
        ("prometheus_client", ("--prometheus", ":0"), r"to Prometheus needs prometheus-client.*footprint\[export\]"),
        ("opentelemetry", ("--otlp", "http://127.0.0.1:9"), r"by OTLP needs opentelemetry-sdk.*footprint\[otlp\]"),
    ],
)
def test_what_is_not_installed_is_named(
    package: str, arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    problem = invoked("--folder", root, *arguments)[2]
    with pytest.raises(MissingExtra, match=told):
        raise problem or AssertionError


def test_samples_that_are_no_numbers_do_not_reach_a_counter(root: Path) -> None:
    made = Process(root).go_on(5)
    for joules in (float("inf"), float("nan"), -1e300, 1e300):
        made.writer.write(
            replace(next(iter(_ticks(made))), at_s=made.now_s, samples=(Sample("GPU-0", made.now_s, joules, 1e300),))
        )
        made.now_s += 1.0
    made.go_on(3)
    energy = page(looked(root)).value(ENERGY, device="GPU-0")
    assert 4 * 500.0 <= energy < 700.0 * 20


def _ticks(made: Process) -> Iterator[Any]:
    from footprint.measurement import journal

    return journal.read(made.writer.path).ticks()
