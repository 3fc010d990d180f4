"""`footprint jobs`: months of a site by group, waste apart, each number from hours, utilization or a node's meter."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footprint.catalog import open_catalog
from footprint.cli import main
from footprint.errors import InputError
from footprint.evidence import evidence
from footprint.fleet.devices import Job
from footprint.fleet.hosts import Allocation
from footprint.fleet.jobs import job_run
from footprint.fleet.months import jobs_table
from footprint.fleet.months_held import spans
from footprint.fleet.site_file import Billing, Gres, Partition, SiteFile, read_site
from footprint.fleet.slurm import Accounting, Start, read, read_lines
from footprint.fleet.slurm_asked import FIELDS, accounting
from footprint.fleet.slurm_jobs import known_of
from footprint.fleet.slurm_rows import delimiter, lines_of
from footprint.records import from_plain, to_plain
from footprint.report import months, months_formats
from footprint.studies import JobsTable
from footprint.values import Range

COLUMNS = (
    "JobID", "JobIDRaw", "Cluster", "User", "Account", "WCKey", "Partition", "State", "Start", "End", "ElapsedRaw",
    "NNodes", "NodeList", "AllocTRES", "ConsumedEnergyRaw", "TRESUsageInTot", "AdminComment", "JobName",
)  # fmt: skip
HEADER = "|".join(COLUMNS)
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
HOUR = 3600.0
EXAMPLES = Path(__file__).parent.parent / "examples"
CATALOG = open_catalog()
H100 = CATALOG.accelerator("h100-sxm")
GPU = Partition("gpu", H100.id, 8)
SITE = SiteFile(cluster="c", words={"country": "FRA", "settings": {"pue": "1.2"}}, partitions=(GPU,))


def row(
    job: object = 1, hours: float = 1.0, since: float = OCTOBER + 10 * HOUR, count: int = 8, **cells: object
) -> str:
    usual = {
        "JobID": job, "JobIDRaw": job, "Cluster": "c", "User": "ada", "Account": "ml", "Partition": "gpu",
        "State": "COMPLETED", "Start": int(since), "End": int(since + hours * HOUR), "ElapsedRaw": int(hours * HOUR),
        "NNodes": max(count // 8, 1), "NodeList": f"gpu[01-{max(count // 8, 1):02d}]",
        "AllocTRES": f"billing=40,cpu={16 * count},gres/gpu={count},mem=500G,node=1", "JobName": "train",
    }  # fmt: skip
    return "|".join(str({**usual, **cells}.get(name, "")) for name in COLUMNS)


def table(
    *rows: str, by: str = "account", site: SiteFile = SITE, until: float = NOVEMBER, **words: object
) -> JobsTable:
    found = read("\n".join((HEADER, *rows)) + "\n", zone=UTC)
    return jobs_table(found, OCTOBER, until, by, site, CATALOG, {}, **words)  # type: ignore[arg-type]


def js1(*percents: float) -> str:
    told = {"nodes": {"gpu01": {"gpu_utilization": {str(i): p for i, p in enumerate(percents)}}}}
    return "JS1:" + base64.b64encode(gzip.compress(json.dumps(told).encode())).decode()


def accelerators(found: JobsTable) -> Range:
    return found.total.drawn[0].it_energy_kwh


# hours and rating


def test_of_allocated_hours_energy_is_a_share_of_the_rating() -> None:
    found = table(row(hours=10))
    share = CATALOG.constant("allocation_load_share")
    rated_kwh = 80 * H100.tdp_w / 1000
    (only,) = found.rows
    assert only.whole.accelerator_hours == pytest.approx(80, rel=1e-12)
    assert accelerators(found).mid == pytest.approx(rated_kwh * share.mid, rel=1e-12)
    assert accelerators(found).low == pytest.approx(rated_kwh * share.low, rel=1e-12)
    assert only.grade_share == (("D", 1.0),)
    assert (only.group, only.month, only.job_count, only.whole.start_count) == ("ml", "2026-10", 1, 1)
    assert only.whole.facility_energy_kwh.mid == pytest.approx(1.2 * only.whole.it_energy_kwh.mid, rel=1e-12)


def test_a_months_table_is_the_same_as_a_job_alone_where_there_is_one_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTPRINT_PROMETHEUS_URL", raising=False)
    (tmp_path / "said").write_text(f"{HEADER}\n{row(77, hours=10)}\n", encoding="utf-8")
    words = ["--sacct", str(tmp_path / "said"), "--accelerator", "h100-sxm", "--country", "FR", "--format", "json"]
    with pytest.raises(SystemExit):
        main.run(["job", "77", *words])
    alone = json.loads(capsys.readouterr().out)["footprint"]["facility"]
    with pytest.raises(SystemExit):
        main.run(["jobs", "--since", "2026-10", "--until", "2026-10", *words])
    whole = json.loads(capsys.readouterr().out)["total"]["whole"]
    for field in ("it_energy_kwh", "facility_energy_kwh"):
        assert whole[field]["mid"] == pytest.approx(alone[field]["mid"], rel=1e-9)
        assert whole[field]["low"] == pytest.approx(alone[field]["low"], rel=0.02)
        assert whole[field]["high"] == pytest.approx(alone[field]["high"], rel=0.02)


def test_of_a_job_across_the_months_end_each_month_has_its_part_by_time() -> None:
    found = table(row(hours=4, since=NOVEMBER - 1 * HOUR), until=DECEMBER)
    october, november = found.rows
    assert (october.month, november.month) == ("2026-10", "2026-11")
    assert november.whole.it_energy_kwh.mid == pytest.approx(3 * october.whole.it_energy_kwh.mid, rel=1e-9)
    assert (october.job_count, november.job_count, found.total.job_count) == (1, 1, 1)
    assert found.total.whole.start_count == 1
    cut = table(row(hours=4, since=NOVEMBER - 1 * HOUR))
    assert cut.total.whole.it_energy_kwh.mid == pytest.approx(october.whole.it_energy_kwh.mid, rel=1e-12)


def test_months_begin_where_the_site_is() -> None:
    zurich = spans(OCTOBER - 2 * HOUR, NOVEMBER - 1 * HOUR, ZoneInfo("Europe/Zurich"))
    assert [(one.month, one.ended_s - one.started_s) for one in zurich] == [("2026-10", (31 * 24 + 1) * HOUR)]
    assert [one.month for one in spans(OCTOBER, DECEMBER, None)] == ["2026-10", "2026-11"]
    assert spans(OCTOBER, OCTOBER, None) == ()


def test_years_without_a_job_cost_nothing() -> None:
    found = read("\n".join((HEADER, row())) + "\n", zone=UTC)
    long = jobs_table(found, -6e10, 9e10, "account", SITE, CATALOG, {})
    assert [one.month for one in long.rows] == ["2026-10"]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("user", ["bob", "ada"]),
        ("account", ["ml", "bio"]),
        ("project", ["fold", "ml"]),
        ("partition", ["gpu", "(none)"]),
        ("month", ["2026-10"]),
    ],
)
def test_rows_are_groups_the_largest_first_and_add_up_to_the_total(by: str, groups: list[str]) -> None:
    rows = (row(1), row(2, hours=2, User="bob"), row(3, Account="bio", WCKey="*fold", Partition="", hours=0.5))
    if by == "project":
        rows = (row(1), row(3, WCKey="*fold", hours=5))
    if by == "user":
        rows = rows[:2]
    found = table(*rows, by=by, model=H100.id)
    assert [one.group for one in found.rows] == groups
    for field in ("it_energy_kwh", "facility_energy_kwh", "operational_location_kgco2e", "electricity_usd"):
        parts = [getattr(one.whole, field).mid for one in found.rows]
        assert sum(parts) == pytest.approx(getattr(found.total.whole, field).mid, rel=1e-9)


# waste


def test_what_ended_early_and_what_was_idle_stand_apart_and_add_up() -> None:
    found = table(
        row(1, hours=2), row(2, State="FAILED"), row(3, State="CANCELLED by 1000"), row(4, State="TIMEOUT"),
        row(5, State="NODE_FAIL"), row(5, since=OCTOBER + 20 * HOUR), row(6, State="PREEMPTED"),
        row(7, AdminComment=js1(0, 0, 0, 0, 90, 90, 90, 90)),
    )  # fmt: skip
    total = found.total
    assert (total.job_count, total.whole.start_count) == (7, 8)
    assert sorted(one.name for one in total.ended_early) == [
        "CANCELLED", "FAILED", "NODE_FAIL", "PREEMPTED", "TIMEOUT"
    ]  # fmt: skip
    assert total.idle is not None
    for field in ("it_energy_kwh", "facility_energy_kwh", "operational_location_kgco2e"):
        parts = (total.useful, total.idle, *total.ended_early)
        whole = getattr(total.whole, field).mid
        assert sum(getattr(one, field).mid for one in parts) == pytest.approx(whole, rel=1e-9)
    idle_kwh = 4 * (H100.idle_w or 0.0) / 1000
    assert total.idle.it_energy_kwh.mid == pytest.approx(idle_kwh, rel=0.06)  # and the supply's loss on it
    assert total.idle.it_energy_kwh.mid >= idle_kwh


def test_without_a_word_on_utilization_idle_is_not_known_and_not_zero() -> None:
    found = table(row())
    assert found.total.idle is None
    assert any("nothing tells which devices were held idle" in one for one in months.remarks(found))


# utilization


def test_a_comment_of_jobstats_makes_the_energy_one_by_utilization() -> None:
    found = table(row(AdminComment=js1(*[90] * 8)))
    ratio = CATALOG.constant("utilization_load_ratio").mid
    idle_w = H100.idle_w or 0.0
    watts = 8 * (idle_w + (H100.tdp_w - idle_w) * 0.9 * ratio)
    assert accelerators(found).mid == pytest.approx(watts / 1000, rel=1e-9)
    assert found.total.grade_share == (("C", 1.0),)


def test_steps_tell_utilization_where_there_is_no_comment_each_for_its_time() -> None:
    step = row("1.0", AllocTRES="", TRESUsageInTot="cpu=00:01:00,gres/gpuutil=720")
    half = row("2.0", hours=0.5, AllocTRES="", TRESUsageInTot="gres/gpuutil=720")
    whole, part = table(row(1), step), table(row(2), half)
    assert whole.total.grade_share == part.total.grade_share == (("C", 1.0),)
    assert accelerators(whole).mid == pytest.approx(accelerators(table(row(AdminComment=js1(*[90] * 8)))).mid, rel=1e-9)
    assert accelerators(part).mid == pytest.approx(accelerators(table(row(AdminComment=js1(*[45] * 8)))).mid, rel=1e-9)


def test_a_utilization_of_zero_by_steps_is_not_known_rather_than_idle() -> None:
    found = table(row(1), row("1.0", AllocTRES="", TRESUsageInTot="cpu=00:01:00,gres/gpuutil=0"))
    assert found.total.grade_share == (("D", 1.0),)
    assert found.total.idle is None


def test_a_broken_comment_costs_the_comment_not_the_job() -> None:
    bomb = "JS1:" + base64.b64encode(gzip.compress(b"\0" * 3_000_000)).decode()
    found = table(row(AdminComment=bomb), row(2, AdminComment="JS1:xx"))
    assert found.total.job_count == 2
    assert found.total.grade_share == (("D", 1.0),)
    assert [where for where, _ in found.skipped] == ["line 2", "line 3"]
    assert "unpacks to more than" in found.skipped[0][1]


# a node's own meter


def test_a_nodes_energy_is_taken_whole_where_the_job_had_the_node() -> None:
    site = SiteFile(words=SITE.words, partitions=(GPU,), consumed_energy="node")
    found = table(row(ConsumedEnergyRaw=int(5000 * HOUR)), site=site)
    assert found.total.whole.it_energy_kwh.mid == pytest.approx(5.0, rel=1e-9)
    assert found.total.grade_share == (("B", 1.0),)
    half = table(row(hours=2, since=NOVEMBER - HOUR, ConsumedEnergyRaw=int(5000 * 2 * HOUR)), site=site)
    assert half.total.whole.it_energy_kwh.mid == pytest.approx(5.0, rel=1e-9)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"count": 4, "ConsumedEnergyRaw": int(5000 * HOUR)}, "on nodes that others may have shared"),
        ({"ConsumedEnergyRaw": int(20 * HOUR)}, "outside 50 to 15,000 W a node"),
        ({"ConsumedEnergyRaw": int(15_500 * HOUR)}, "outside 50 to 15,000 W a node"),
    ],
)
def test_a_nodes_energy_that_cannot_be_the_jobs_is_told_and_not_used(cells: dict[str, int], told: str) -> None:
    site = SiteFile(words=SITE.words, partitions=(GPU,), consumed_energy="node")
    plain = {name: value for name, value in cells.items() if name != "ConsumedEnergyRaw"}
    found, without = table(row(**cells), site=site), table(row(**plain))  # type: ignore[arg-type]
    assert found.total.whole.it_energy_kwh == without.total.whole.it_energy_kwh
    assert any(told in note for note in found.notes)


@pytest.mark.parametrize("told", ["0", "18446744073709551614", "18446744073709551615", "Unknown", ""])
def test_sentinels_are_no_energy(told: str) -> None:
    site = SiteFile(words=SITE.words, partitions=(GPU,), consumed_energy="node")
    assert table(row(ConsumedEnergyRaw=told), site=site).total.grade_share == (("D", 1.0),)


def test_processors_own_energy_takes_the_place_of_their_model() -> None:
    site = SiteFile(words=SITE.words, partitions=(GPU,), consumed_energy="rapl")
    found, without = table(row(ConsumedEnergyRaw=int(400 * HOUR)), site=site), table(row())
    assert found.total.grade_share == (("D", 1.0),)
    hosts = [one.total.drawn[1].it_energy_kwh for one in (found, without)]
    modelled = 8 * H100.tdp_w / 1000 * CATALOG.constant("processor_memory_ratio").mid
    assert hosts[1].mid - hosts[0].mid == pytest.approx(modelled - 0.4, rel=0.1)
    assert SITE.consumed_energy == "ignore"
    assert table(row(ConsumedEnergyRaw=int(400 * HOUR))).total == without.total


def test_the_sites_watts_of_a_host_stand_for_its_model() -> None:
    site = SiteFile(partitions=(Partition("gpu", H100.id, 8, Range(900, 1000, 1200)),))
    found = table(row(hours=2, count=4), site=site)
    assert found.total.drawn[1].it_energy_kwh.mid == pytest.approx(1000 * 4 / 8 * 2 / 1000, rel=1e-9)


# what is in no row


def test_starts_without_accelerators_or_without_a_name_for_them_are_listed() -> None:
    found = table(
        row(1, AllocTRES="cpu=4,node=1"), row(2, Partition="odd"), row(3, State="PENDING", Start="Unknown", End=""),
        row(4, Partition="odd", AllocTRES="gres/gpu=8,gres/gpu:strange=8"), "junk", row(5),
    )  # fmt: skip
    assert found.total.job_count == 1
    told = dict(found.skipped)
    assert told["1 start: 1"] == "without accelerators"
    assert "put odd into the site's file" in told["1 start: 2"]
    assert "put strange into the site's file" in told["1 start: 4"]
    assert told["1 job: 3"] == "did not begin yet: PENDING"
    assert "has 1 field where" in told["line 6"]


def test_parts_of_devices_count_as_parts() -> None:
    site = SiteFile(partitions=(GPU,), gres={"half": Gres(H100.id, 0.5)})
    found = table(row(count=2, AllocTRES="gres/gpu=2,gres/gpu:half=2"), site=site)
    assert found.total.whole.accelerator_hours == pytest.approx(1.0, rel=1e-12)


def test_an_exclusive_partition_without_gres_has_all_of_its_accelerators() -> None:
    site = SiteFile(partitions=(Partition("gpu", H100.id, 8, is_exclusive=True),))
    found = table(row(count=16, AllocTRES="cpu=256,node=2"), site=site)
    assert found.total.whole.accelerator_hours == pytest.approx(16, rel=1e-12)


def test_nothing_at_all_is_an_empty_table_that_says_so() -> None:
    found = table(row(AllocTRES="cpu=1"))
    assert found.rows == ()
    assert "no job with accelerators between 2026-10-01 and 2026-11-01" in months.text(found, 80)
    for write in months_formats.FORMATS.values():
        assert write(found)


def test_a_month_without_jobs_bears_the_name_that_it_has_where_the_site_is() -> None:
    zurich = replace(SITE, timezone="Europe/Zurich")
    begun, ended = (datetime(2026, month, 1, tzinfo=zurich.zone()).timestamp() for month in (9, 10))
    found = jobs_table(read(HEADER + "\n", zone=UTC), begun, ended, "account", zurich, CATALOG, {})
    shown = months.text(found, 80)
    assert shown.startswith("c, 2026-09, by account\n")
    assert "no job with accelerators between 2026-09-01 and 2026-10-01" in shown


def test_the_sum_in_words_has_the_hours_of_the_tables_total_and_counts_one_as_one() -> None:
    many, one = table(row(1, hours=500), row(2, hours=41.5)), table(row(hours=10))
    assert "2 jobs in 2 starts; 4,332 accelerator-hours" in months.text(many, 140)
    assert "4,332" in months.text(many, 140).split("total", 1)[1]
    assert "1 job in 1 start; 80 accelerator-hours" in months.text(one, 140)


def test_of_little_money_the_hundredths_are_shown_and_rows_add_up() -> None:
    little = readable_money(table(row(1, hours=0.5), row(2, hours=2, Account="bio")))
    assert all(len(one.partition(".")[2]) == 2 for one in little)
    assert sum(map(float, little[:-1])) == pytest.approx(float(little[-1]), abs=0.011)
    assert float(little[-1]) < 100
    much = readable_money(table(row(1, hours=500), row(2, hours=400, Account="bio")))
    assert all("." not in one for one in much)


def readable_money(found: JobsTable) -> list[str]:
    shown = months.readable(found)
    return [str(line[shown.columns.index("electr.\nUSD")]) for line in shown.rows]


# bills


def test_units_are_weights_times_hours_and_a_price_of_accelerators_comes_first() -> None:
    billing = Billing("standard hour", {"gres/gpu": 6.0, "cpu": 0.05}, unit_usd=0.3)
    units = 2 * (6 * 8 + 0.05 * 128)
    found = table(row(hours=2), site=SiteFile(partitions=(GPU,), billing=billing))
    assert found.total.billing_count == pytest.approx(units, rel=1e-12)
    assert found.total.charge_usd == pytest.approx(units * 0.3, rel=1e-12)
    most = table(row(hours=2), site=SiteFile(partitions=(GPU,), billing=Billing("x", billing.weights, True)))
    assert most.total.billing_count == pytest.approx(2 * 48, rel=1e-12)
    assert most.total.charge_usd is None
    own = table(row(hours=2), site=SiteFile(partitions=(GPU,), billing=Billing("x")))
    assert own.total.billing_count == pytest.approx(80, rel=1e-12)
    priced = SiteFile(partitions=(Partition("gpu", H100.id, 8, accelerator_usd_per_h=2.5),), billing=billing)
    assert table(row(hours=2), site=priced).total.charge_usd == pytest.approx(40, rel=1e-12)


def test_money_is_shown_in_the_sites_currency() -> None:
    site = SiteFile(words=SITE.words, partitions=(GPU,), currency="CHF", usd_per_currency=1.25)
    found = table(row(hours=100), site=site)
    usd = found.total.whole.electricity_usd
    assert usd is not None
    ((_, *_), total) = list(csv.DictReader(io.StringIO(months_formats.FORMATS["csv"](found))))
    assert float(total["electricity_chf"]) == pytest.approx(usd.mid / 1.25, rel=1e-12)
    assert "CHF" in months.text(found, 140)


# showing


def many() -> JobsTable:
    users = [
        row(i, User=f"user{i % 7}", hours=1 + i % 5, State=("COMPLETED", "FAILED")[i % 4 == 0]) for i in range(1, 60)
    ]
    site = SiteFile(
        cluster="tanager", words={**SITE.words, "settings": {"pue": "1.1:1.2:1.3", "market_intensity_g_per_kwh": "10"}},
        partitions=(GPU,), billing=Billing("standard hour", {"gres/gpu": 6.0}, unit_usd=0.3),
    )  # fmt: skip
    return table(*users, row(99, User="<script>alert(1)</script>\x1b[31m", hours=3), by="user", site=site)


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_text_fits_its_width_with_range_waste_and_evidence_always(width: int) -> None:
    told = months.text(many(), width)
    assert max(map(len, told.splitlines())) <= width
    head = next(line for line in told.splitlines() if line.startswith("user "))
    assert "waste" in head
    assert "evidence" in head
    assert "…" not in told.split("total")[1]
    assert "\x1b" not in told
    assert "FAILED" in told
    assert ("jobs" in head) == (width >= 100)


def test_csv_has_units_in_its_names_and_rows_that_add_up() -> None:
    *rows, total = csv.DictReader(io.StringIO(months_formats.FORMATS["csv"](many())))
    assert total["user"] == "total"
    for name in ("facility_energy_kwh", "accelerator_hours", "operational_market_kgco2e", "charge_usd"):
        assert sum(float(one[name]) for one in rows) == pytest.approx(float(total[name]), rel=1e-9)
    assert float(total["evidence_D_share"]) == 1.0
    assert float(total["ended_early_FAILED_facility_energy_kwh"]) > 0
    assert all(not one["user"].startswith(("=", "+", "-", "@")) for one in rows)


def test_the_page_stands_alone_and_escapes_names() -> None:
    page = months_formats.FORMATS["html"](many())
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "src=" not in page
    assert "held idle" in page
    data = json.loads(page.split('id="footprint">')[1].split("</script>")[0])
    assert from_plain(JobsTable, data).total.job_count == 60


def test_the_record_is_the_same_after_json() -> None:
    found = many()
    assert from_plain(JobsTable, json.loads(json.dumps(to_plain(found)))) == found


# sacct as a stream


def sacct(folder: Path, script: str) -> dict[str, str]:
    program = folder / "sacct"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_sacct_is_asked_for_the_interval_in_utc_with_the_fields_it_has(tmp_path: Path) -> None:
    known = " ".join(name for name in FIELDS if name not in ("Exclusive", "WCKey"))
    (tmp_path / "said").write_text(f"{HEADER}\n{row()}\n".replace("|", delimiter()), encoding="utf-8")
    environment = sacct(
        tmp_path,
        f'if [ "$1" = -e ]; then echo {known}; else echo "$TZ $SLURM_TIME_FORMAT $@" > {tmp_path}/asked; '
        f"cat {tmp_path}/said; fi",
    )
    found = accounting(None, environment, OCTOBER, NOVEMBER, None)
    assert [one.job.id for one in found.starts] == ["1"]
    asked = (tmp_path / "asked").read_text(encoding="utf-8")
    assert asked.startswith("UTC %s -a -D --parsable2")
    assert "-S 2026-10-01T00:00:00 -E 2026-11-01T00:00:00" in asked
    assert "AdminComment" in asked
    assert "Exclusive" not in asked


def test_a_bar_in_a_comment_is_its_own_where_we_ask(tmp_path: Path) -> None:
    said = f"{HEADER}\n{row(AdminComment='a§b', JobName='c§d')}\n".replace("|", delimiter()).replace("§", "|")
    (tmp_path / "said").write_text(said, encoding="utf-8")
    found = accounting(None, sacct(tmp_path, f"cat {tmp_path}/said"), OCTOBER, NOVEMBER, None)
    assert found.starts[0].job.name == "c|d"


def test_a_sacct_that_fails_or_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="failed with 3: no cluster; give what it wrote"):
        accounting(None, sacct(tmp_path, "echo no cluster >&2; exit 3"), OCTOBER, NOVEMBER, None)
    with pytest.raises(InputError, match="is not in PATH; give what it wrote elsewhere: --sacct FILE"):
        accounting(None, {"PATH": str(tmp_path / "none")}, OCTOBER, NOVEMBER, None)
    with pytest.raises(InputError, match="cannot be read"):
        accounting(tmp_path / "none", {}, OCTOBER, NOVEMBER, None)
    (tmp_path / "junk").write_text("hello\nworld\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"holds no start of a job: line 1: .*save it with: sacct -a -D"):
        accounting(tmp_path / "junk", {}, OCTOBER, NOVEMBER, None)


def test_a_line_without_an_end_fills_no_memory() -> None:
    lines = list(lines_of(io.StringIO("a\n" + "x" * 2_500_000 + "\nb")))
    assert [len(one) for one in lines] == [2, 1_000_000, 1]


def test_steps_that_stand_apart_from_their_job_are_its_own() -> None:
    rows = (row("1.0", TRESUsageInTot="gres/gpuutil=80"), row(2), row(1), row("2.0"), row("1.1"))
    found = read_lines([HEADER, *rows], zone=UTC)
    assert [(one.job.id, one.steps_count) for one in found.starts] == [("2", 1), ("1", 2)]
    assert found.starts[1].busy_accelerator_s == pytest.approx(0.8 * HOUR, rel=1e-12)


# any input


CELLS = st.sampled_from(
    ["1", "1.0", "2_3", "COMPLETED", "FAILED", "", "Unknown", str(int(OCTOBER)), str(int(NOVEMBER)), "gres/gpu=8",
     "gres/gpu:h100=4,mem=1G", "18446744073709551614", "gres/gpuutil=1e9", "JS1:AAAA", "gpu[1-3", "gpu", "-1", "9" * 30]
) | st.text(max_size=8)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=4))
def test_any_accounting_is_a_table(cells: list[list[str]]) -> None:
    site = SiteFile(words=SITE.words, partitions=(GPU, Partition("*", H100.id, 4)), consumed_energy="node",
                    billing=Billing("x", {"gres/gpu": 1.0}))  # fmt: skip
    found = table(row(), *("|".join(one) for one in cells), site=site, by="user")
    assert found.total.job_count >= 1
    assert months.text(found, 80)
    assert months_formats.FORMATS["csv"](found)


# the command


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main.run(["jobs", *words])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("FOOTPRINT_PROMETHEUS_URL", "FOOTPRINT_SITE"):
        monkeypatch.delenv(name, raising=False)
    rows = (row(), row(2, hours=3, User="bob", State="TIMEOUT"), row(3, since=NOVEMBER + HOUR))
    (tmp_path / "said").write_text("\n".join((HEADER, *rows)), encoding="utf-8")
    return str(tmp_path / "said")


def test_the_command_prints_writes_and_lists(saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "--since",
        "2026-10",
        "--until",
        "2026-10",
        "--sacct",
        saved,
        "--accelerator",
        "h100-sxm",
        "--country",
        "FR",
    )
    code, out, err = command(capsys, *words, "--by", "user")
    assert code == 0, err
    assert out.startswith("c, 2026-10, by user\n2 jobs in 2 starts; 32 accelerator-hours")
    assert "note: of a job only what lies inside its month is counted" in err
    page = tmp_path / "page.html"
    assert command(capsys, *words, "--out", str(page))[0] == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    code, out, err = command(capsys, *words, "--csv")
    assert out.startswith("month,account,job_count")
    code, _, err = command(capsys, *words, "--csv", "--html")
    assert code == 1
    assert "choose one of --html, --csv and --format" in err


def test_the_sites_zone_is_that_of_moments_without_one(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.yaml").write_text("timezone: Asia/Tokyo\npartitions: {gpu: {accelerator: h100-sxm}}\n", "utf-8")
    words = ("--since", "2026-11", "--until", "2026-11", "--sacct", saved, "--site", str(tmp_path / "site.yaml"))
    _, out, _ = command(capsys, *words, "--format", "json")
    found = json.loads(out)
    assert found["started_utc_s"] == NOVEMBER - 9 * HOUR
    assert found["ended_utc_s"] == DECEMBER - 9 * HOUR
    code, _, err = command(capsys, "--since", "2026-11", "--until", "2026-10", "--sacct", saved)
    assert code == 1
    assert "give --since and --until in order" in err


def test_jobs_without_accelerators_are_counted_and_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line for i in range(2, 50) for line in (row(i, AllocTRES="cpu=4,node=1"), row(f"{i}.batch"))]
    found = read_lines([HEADER, row(), *rows], zone=UTC, wanted=lambda start: bool(start.accelerators_count))
    assert [one.job.id for one in found.starts] == ["1"]
    assert (found.unwanted_count, found.unwanted_ids, found.skipped) == (48, ("2", "3", "4", "5", "6", "7"), ())
    (tmp_path / "said").write_text("\n".join((HEADER, row(), *rows)), encoding="utf-8")
    words = ("--since", "2026-10", "--until", "2026-10", "--sacct", str(tmp_path / "said"), "--accelerator", "h100-sxm")
    code, _, err = command(capsys, *words)
    assert code == 0, err
    assert "in no row: 48 starts: 2, 3, 4, 5, 6, 7 and 42 more: without accelerators" in err


def test_of_very_many_lines_that_are_skipped_the_first_are_kept_and_all_counted() -> None:
    found = read_lines([HEADER, *(["junk"] * 10_050)], zone=UTC)
    assert len(found.skipped) == 10_001
    assert found.skipped[-1].reason == "and 50 more after these"


def test_a_job_alone_takes_accelerator_place_and_prices_from_the_sites_file(
    saved: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "country: FRA\npue: 1.5\npartitions: {'g*': {accelerator: h100-sxm}}\n"
    (tmp_path / "site.yaml").write_text(told, encoding="utf-8")
    words = ["job", "1", "--sacct", saved, "--site", str(tmp_path / "site.yaml"), "--format", "json"]
    with pytest.raises(SystemExit) as ended:
        main.run(words)
    found = json.loads(capsys.readouterr().out)["footprint"]
    assert not ended.value.code
    assert found["usage"]["lines"][0]["accelerator"] == H100.id
    assert found["site"]["pue"]["mid"] == 1.5
    with pytest.raises(SystemExit):
        main.run([*words, "--set", "pue=1.1"])
    assert json.loads(capsys.readouterr().out)["footprint"]["site"]["pue"]["mid"] == 1.1


def test_a_job_alone_is_of_the_grade_that_it_has_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOOTPRINT_PROMETHEUS_URL", raising=False)
    (tmp_path / "said").write_text(f"{HEADER}\n{row(AdminComment=js1(*[90] * 8))}\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main.run(["job", "1", "--sacct", str(tmp_path / "said"), "--accelerator", "h100-sxm", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert found["evidence"] == "C"
    drawn = sum(one["it_energy_kwh"]["mid"] for one in found["meters"] if one["meter"]["component"] == "accelerator")
    assert drawn == pytest.approx(accelerators(table(row(AdminComment=js1(*[90] * 8)))).mid, rel=1e-9)


def example_starts() -> list[Start]:
    """Those with accelerators that lie inside one month."""
    told = (EXAMPLES / "sacct.txt").read_text(encoding="utf-8")
    return [one for one in read(told, zone=UTC).starts if one.accelerators_count and one.id != "4130"]


@pytest.mark.parametrize("at", range(len(example_starts())))
def test_a_job_alone_has_the_energy_of_its_hosts_and_the_grade_that_it_has_in_the_months(at: int) -> None:
    start, site = example_starts()[at], read_site(EXAMPLES / "site.yaml", CATALOG)
    since_s, until_s = (start.job.started_utc_s or 0) - HOUR, (start.job.ended_utc_s or 0) + HOUR
    (one,) = jobs_table(Accounting((start,), ()), since_s, until_s, "user", site, CATALOG, {}).rows
    known = known_of(Job(start.id, hosts=start.job.hosts), EXAMPLES / "sacct.txt", {})
    runs = known.runs(
        lambda start, job: job_run(
            job, None, CATALOG, site.under({}), model=site.device_of(start.accelerator, start.partition, CATALOG),
            utilization=start.utilization, allocation=Allocation(start, site),
        ),
        has_metrics=False,
    )  # fmt: skip
    (run,) = runs
    alone = run.footprint.facility
    assert alone.it_energy_kwh.mid == pytest.approx(one.whole.it_energy_kwh.mid, rel=1e-9)
    assert alone.facility_energy_kwh.mid == pytest.approx(one.whole.facility_energy_kwh.mid, rel=1e-9)
    for end in ("low", "high"):  # months range over what was idle apart from the rest
        expected = pytest.approx(getattr(one.whole.facility_energy_kwh, end), rel=0.05)
        assert getattr(alone.facility_energy_kwh, end) == expected
    assert one.grade_share == ((run.evidence, 1.0),)
    assert evidence(run.meters).grade == run.evidence


@pytest.mark.parametrize("covers", ["node", "rapl", "ignore"])
@pytest.mark.parametrize("host_w", [None, Range(900, 1000, 1200)])
@pytest.mark.parametrize(
    "cells",
    [
        {"count": 8},
        {"count": 4},
        {"count": 16},
        {"AdminComment": js1(*[70] * 8)},
        {"count": 2, "AllocTRES": "gres/gpu=2,gres/gpu:half=2"},
    ],
)
def test_whatever_a_site_says_of_its_nodes_a_job_alone_and_the_months_agree(
    tmp_path: Path, covers: str, host_w: Range | None, cells: dict[str, object]
) -> None:
    site = SiteFile(words=SITE.words, partitions=(Partition("gpu", "l40s", 8, host_w),), consumed_energy=covers)
    site = replace(site, gres={"half": Gres("l40s", 0.5)})
    joules = int(3000 * HOUR * max(int(str(cells.get("count", 8))) // 8, 1))
    line = row(7, ConsumedEnergyRaw=joules, **cells)  # type: ignore[arg-type]
    (tmp_path / "said").write_text(f"{HEADER}\n{line}\n", encoding="utf-8")
    (one,) = table(line, site=site).rows
    (run,) = known_of(Job("7"), tmp_path / "said", {}).runs(
        lambda start, job: job_run(
            job, None, CATALOG, site.under({}), model="l40s", utilization=start.utilization,
            allocation=Allocation(start, site),
        ),
        has_metrics=False,
    )  # fmt: skip
    assert run.footprint.facility.it_energy_kwh.mid == pytest.approx(one.whole.it_energy_kwh.mid, rel=1e-9)
    assert one.grade_share == ((run.evidence, 1.0),)
    is_told = any("on nodes that others may have shared" in note for note in run.notes)
    assert is_told == (covers != "ignore" and cells.get("count") in (2, 4))


def test_of_some_of_its_hosts_the_energy_of_all_of_its_nodes_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "said").write_text(f"{HEADER}\n{row(7, count=16, ConsumedEnergyRaw=10**8)}\n", encoding="utf-8")
    (whole,) = known_of(Job("7"), tmp_path / "said", {}).starts
    (part,) = known_of(Job("7", hosts=("gpu02",)), tmp_path / "said", {}).starts
    assert (whole.consumed_j, part.consumed_j) == (10**8, None)


@pytest.mark.clock
def test_processor_time_grows_with_jobs_and_no_faster() -> None:
    def seconds(count: int) -> float:
        rows = [row(i, since=OCTOBER + i * 60, User=f"user{i % 40}") for i in range(count)]
        begun = time.process_time()
        found = read_lines([HEADER, *rows], zone=UTC)
        jobs_table(found, OCTOBER, NOVEMBER, "user", SITE, CATALOG, {})
        return time.process_time() - begun

    seconds(100)  # tables are read, draws made
    few = min(seconds(600) for _ in range(2))
    assert seconds(2400) < 8 * few  # linear: 4
