"""A site's months against a real Prometheus: what was drawn is known, so the table's kilowatt-hours are too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_fixture import BUSY_W, IDLE_W, Cluster, Server, busy_from, needs_prometheus, serving

from footprint.cli import main

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
HOUR = 3600.0
COLUMNS = (
    "JobID",
    "Account",
    "User",
    "Partition",
    "State",
    "Start",
    "End",
    "NNodes",
    "NodeList",
    "AllocTRES",
    "JobName",
)
UTILIZATION = "DCGM_FI_DEV_GPU_UTIL"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Three hosts: a labelled job over the month's end, a whole host in October, an idle one."""
    made = Cluster()
    since, until = NOVEMBER - 3 * HOUR, NOVEMBER + 3 * HOUR
    inside = (NOVEMBER - HOUR, NOVEMBER + 2 * HOUR)
    made.device(
        "GPU-a", "gpu01", busy_from(*inside), since, until, phase_s=7.0,
        labels=lambda at_s: ({"hpc_job": "101"} if inside[0] <= at_s <= inside[1] else {},),
    )  # fmt: skip
    for place in ("0", "1"):
        whole = busy_from(NOVEMBER - 2 * HOUR, NOVEMBER - HOUR)
        made.device(f"GPU-b{place}", "gpu02", whole, since, until, place=place, phase_s=3.0)
    made.device("GPU-c", "gpu03", ((float("-inf"), IDLE_W),), since, until, phase_s=11.0)
    for uuid, host, use in (
        ("GPU-a", "gpu01", 95.0),
        ("GPU-b0", "gpu02", 95.0),
        ("GPU-b1", "gpu02", 95.0),
        ("GPU-c", "gpu03", 0.0),
    ):
        labels = {
            "UUID": uuid,
            "Hostname": host,
            "gpu": uuid[-1] if uuid[-1].isdigit() else "0",
            "modelName": "NVIDIA H100 80GB HBM3",
        }
        at_s = since
        while at_s <= until:
            made.add(UTILIZATION, labels, at_s, use)
            at_s += 30.0
    with serving(made) as server:
        yield server


def row(job: int, begun: float, ended: float, host: str, count: int, **cells: object) -> str:
    usual = {
        "JobID": job, "Account": "ml", "User": "ada", "Partition": "gpu", "State": "COMPLETED", "Start": int(begun),
        "End": int(ended), "NNodes": 1, "NodeList": host, "AllocTRES": f"gres/gpu={count}", "JobName": "train",
    }  # fmt: skip
    return "|".join(str({**usual, **cells}[name]) for name in COLUMNS)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("FOOTPRINT_SITE", raising=False)
    minutes = range(int(NOVEMBER - 2 * HOUR), int(NOVEMBER - HOUR), 120)  # thirty jobs, one after another
    rows = (
        *(row(1000 + at, at_s, at_s + 120, "gpu02", 2, Account="short") for at, at_s in enumerate(minutes)),
        row(101, NOVEMBER - HOUR, NOVEMBER + 2 * HOUR, "gpu01", 1),
        row(102, NOVEMBER - 2 * HOUR, NOVEMBER - HOUR, "gpu02", 2, Account="bio", State="TIMEOUT"),
        row(103, NOVEMBER - HOUR, NOVEMBER, "gpu03", 1, Account="idle"),
        row(104, NOVEMBER - HOUR, NOVEMBER, "gone", 2, Account="gone"),
        row(105, NOVEMBER - 3 * HOUR, NOVEMBER - 2 * HOUR, "gpu02", 1, Account="part"),
    )
    (tmp_path / "said").write_text("\n".join(("|".join(COLUMNS), *rows)), encoding="utf-8")
    return tmp_path / "said"


def asked(saved: Path, server: Server, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict, str]:  # type: ignore[type-arg]
    site = saved.parent / "site.yaml"
    site.write_text("country: FRA\npue: 1.2\npartitions: {gpu: {accelerator: h100-sxm}}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main.run(["jobs", "--sacct", str(saved), "--site", str(site), "--prometheus", server.url, *words])
    told = capsys.readouterr()
    assert not ended.value.code, told.err
    return json.loads(told.out), told.err


@needs_prometheus
def test_each_month_has_the_energy_that_was_drawn_in_it(
    running: Server, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, err = asked(saved, running, capsys, "--since", "2026-10", "--until", "2026-11", "--format", "json")
    rows = {(one["group"], one["month"]): one for one in found["rows"]}
    drawn = {key: one["drawn"][0]["it_energy_kwh"]["mid"] for key, one in rows.items()}
    assert drawn["ml", "2026-10"] == pytest.approx(BUSY_W / 1000, rel=2e-3)
    assert drawn["ml", "2026-11"] == pytest.approx(2 * BUSY_W / 1000, rel=2e-3)
    assert drawn["bio", "2026-10"] == pytest.approx(2 * BUSY_W / 1000, rel=2e-3)
    assert drawn["idle", "2026-10"] == pytest.approx(IDLE_W / 1000, rel=2e-3)
    assert {rows[key]["grade_share"]["A"] for key in (("ml", "2026-10"), ("bio", "2026-10"))} == {1.0}
    assert rows["gone", "2026-10"]["grade_share"] == {"D": 1.0}
    assert re.search(r"1 start without metrics.*, by SLURM's word or by rating: 104\n", err)
    assert rows["part", "2026-10"]["grade_share"] == {"D": 1.0}
    assert "more devices in the metrics of their hosts than were allocated" in err
    assert found["total"]["job_count"] == 35
    assert drawn["short", "2026-10"] == pytest.approx(drawn["bio", "2026-10"], rel=2e-3)


@needs_prometheus
def test_waste_stands_apart_by_state_and_by_use(
    running: Server, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = asked(saved, running, capsys, "--since", "2026-10", "--until", "2026-10", "--format", "json")
    rows = {one["group"]: one for one in found["rows"]}
    (early,) = rows["bio"]["ended_early"]
    assert early["name"] == "TIMEOUT"
    assert early["it_energy_kwh"]["mid"] == pytest.approx(rows["bio"]["whole"]["it_energy_kwh"]["mid"], rel=1e-9)
    assert rows["idle"]["idle"]["it_energy_kwh"]["mid"] == pytest.approx(
        IDLE_W / 1000, rel=0.08
    )  # and the supply's loss
    assert rows["ml"]["idle"]["it_energy_kwh"]["mid"] == pytest.approx(0.0, abs=1e-9)
