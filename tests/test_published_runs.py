"""Published runs against estimates that never saw their hours: the citation and the tolerance stand in each test."""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

import footprint
from footprint.catalog import Catalog, open_catalog
from footprint.estimation import doors
from footprint.estimation.backtesting import run_backtest
from footprint.estimation.plan import drafts
from footprint.studies import Backtest
from footprint.throughput import calibrate, whole_run
from footprint.throughput.published import batches_of_runs, published_rows, run_setting
from footprint.throughput.rule import rule_of
from footprint.values import Range

CONFIGS = Path(__file__).parent / "configs"
CATALOG = open_catalog()
UNSEEN = "karpathy"
RUNS = {str(row["id"]): row for row in CATALOG.rows("runs")}


def reported(run: str, column: str = "accelerator_hours") -> float:
    value = RUNS[run][column]
    assert isinstance(value, float), (run, column)
    return value


def inside(value: float, interval: Range) -> bool:
    return interval.low <= value <= interval.high


def model_card_tonnes(result: footprint.Result) -> Range:
    value = result.model_card.operational_location_kgco2e
    return Range(value.low / 1000, value.mid / 1000, value.high / 1000)


# Llama 3.1


def test_llama_3_1_405b_from_its_shape_and_tokens_is_within_a_tenth_of_the_reported_hours() -> None:
    """Meta 2024, model card of Llama 3.1: 30.84M H100 hours, 15.6T tokens (arXiv 2407.21783, section 3.2). 10 %."""
    found = footprint.estimate(
        config=CONFIGS / "llama-3.1-405b.json", tokens="15.6T", seq_len=8192, accelerator="h100-sxm", count=16384
    ).usage.accelerator_hours
    assert found.mid == pytest.approx(30.84e6, rel=0.10)
    assert inside(30.84e6, found)


def test_llama_3_1_405b_from_parameters_and_tokens_alone_is_within_an_eighth() -> None:
    """Meta 2024, model card of Llama 3.1: 30.84M hours, by 6 N D on a usual shape with its year's software. 12.5 %."""
    words = {"params": "405B", "tokens": "15.6T", "accelerator": "h100-sxm", "year": 2024}
    found = footprint.estimate(**words).usage.accelerator_hours
    assert found.mid == pytest.approx(30.84e6, rel=0.125)
    assert inside(30.84e6, found)


def test_the_405b_preset_is_within_a_tenth_of_the_reported_hours() -> None:
    """Meta 2024, model card of Llama 3.1: 30.84M H100 hours. 10 %.

    The preset adds 0.8T tokens of long context (recalled, their lengths unpublished) to the 15.6T of pretraining,
    which alone are 5 % below the report: the rest is what they add.
    """
    found = footprint.estimate("llama-3.1-405b").usage.accelerator_hours
    assert reported("llama3.1-405b") == 30.84e6
    assert found.mid == pytest.approx(30.84e6, rel=0.10)
    assert inside(30.84e6, found)


def test_the_405b_model_cards_tonnes_follow_from_its_hours() -> None:
    """Meta 2024, model card: 8,930 t CO2eq location-based from 30.84M hours at 700 W. 5 %."""
    found = model_card_tonnes(footprint.estimate("llama-3.1-405b", reported=True))
    assert found.mid == pytest.approx(8_930, rel=0.05)
    assert inside(8_930, found)


def test_the_405b_model_cards_tonnes_from_scratch() -> None:
    """Meta 2024, model card: 8,930 t CO2eq, with hours, PUE and grid estimated. 13 %."""
    found = model_card_tonnes(footprint.estimate("llama-3.1-405b"))
    assert found.mid == pytest.approx(8_930, rel=0.13)
    assert inside(8_930, found)


def test_the_llama_3_1_family_from_reported_hours() -> None:
    """Meta 2024, model card: 39.3M hours (0.5 %) and 11,390 t (5 %) for 8B, 70B and 405B together."""
    found = footprint.estimate("llama-3.1", reported=True)
    assert found.usage.accelerator_hours.mid == pytest.approx(39.3e6, rel=0.005)
    assert model_card_tonnes(found).mid == pytest.approx(11_390, rel=0.05)
    assert inside(11_390, model_card_tonnes(found))


def test_the_llama_3_1_family_from_scratch() -> None:
    """Meta 2024, model card: 39.3M hours and 11,390 t. 15 %, and inside the interval."""
    found = footprint.estimate("llama-3.1")
    assert found.usage.accelerator_hours.mid == pytest.approx(39.3e6, rel=0.15)
    assert model_card_tonnes(found).mid == pytest.approx(11_390, rel=0.15)
    assert inside(39.3e6, found.usage.accelerator_hours)
    assert inside(11_390, model_card_tonnes(found))


def test_the_familys_tonnes_beside_the_405bs_hours_are_a_quarter_too_many() -> None:
    """Meta 2024, model card: 11,390 t go with 39.3M hours. Beside 30.84M they overstate by 27.5 % (0.2 points)."""
    hours, tonnes = reported("llama3.1-405b"), reported("llama3.1-405b", "reported_kgco2e") / 1000
    family_hours = sum(reported(f"llama3.1-{size}") for size in ("8b", "70b", "405b"))
    assert (hours, tonnes) == (30.84e6, 8_930)
    assert family_hours == pytest.approx(39.3e6, rel=1e-3)
    right, also_right, wrong = 11_390 / family_hours, tonnes / hours, 11_390 / hours
    assert 100 * (wrong / right - 1) == pytest.approx(27.5, abs=0.2)
    assert 100 * (11_390 / tonnes - 1) == pytest.approx(27.5, abs=0.2)
    assert also_right == pytest.approx(right, rel=0.002)
    own = footprint.estimate("llama-3.1-405b", reported=True)
    kg_per_hour = own.model_card.operational_location_kgco2e.mid / own.usage.accelerator_hours.mid
    assert 1000 * right == pytest.approx(kg_per_hour, rel=0.005)
    assert abs(1000 * wrong / kg_per_hour - 1) > 0.25


def test_the_8b_and_70b_are_far_off_and_shown_as_they_are() -> None:
    """Meta 2024, model card: 1.46M and 7.0M hours, of which the 8B's are twice what its size explains.

    The estimate is not bent to meet them: it stays below 0.7 of the 8B's, and both stay inside the interval.
    """
    for size, low, high in (("8b", 0.4, 0.7), ("70b", 0.7, 0.95)):
        result = footprint.estimate(f"llama-3.1-{size}")
        found, stated = result.usage.accelerator_hours, reported(f"llama3.1-{size}")
        assert low < found.mid / stated < high
        assert inside(stated, found)
        assert stated in {p.accelerator_hours for p in result.published}


# others


@pytest.mark.parametrize(
    ("preset", "run"),
    [
        pytest.param("gpt-3", "gpt3-175b", id="GPT-3: Brown 2020, arXiv 2005.14165; Patterson 2021, arXiv 2104.10350"),
        pytest.param("bloom", "bloom-176b", id="BLOOM: Luccioni 2022, arXiv 2211.02001, 1.08M A100 hours"),
        pytest.param("opt-175b", "opt-175b", id="OPT-175B: Zhang 2022, arXiv 2205.01068, 992 A100"),
        pytest.param("llama-2-70b", "llama2-70b", id="Llama 2 70B: Touvron 2023, arXiv 2307.09288, 1.72M A100 hours"),
        pytest.param("palm-540b", "palm-540b", id="PaLM 540B: Chowdhery 2022, arXiv 2204.02311, 6144 TPU v4"),
        pytest.param("deepseek-v3", "deepseek-v3-pretrain", id="DeepSeek-V3: arXiv 2412.19437, 2.664M H800 hours"),
        pytest.param("deepseek-v3", "deepseek-v3-full", id="DeepSeek-V3: arXiv 2412.19437, 2.788M with post-training"),
    ],
)
def test_published_hours_lie_inside_the_interval_and_within_a_factor_of_one_and_a_half(preset: str, run: str) -> None:
    """The citation is in the test's name; runs.csv holds the hours with their source. Inside, and factor 1.5.

    A run that is only the pretraining is held against the preset's pretraining.
    """
    usage, stated = footprint.estimate(preset).usage, reported(run)
    found = usage.lines[0].accelerator_hours if run.endswith("-pretrain") else usage.accelerator_hours
    assert inside(stated, found)
    assert abs(math.log(found.mid / stated)) < math.log(1.5)


@pytest.mark.parametrize(
    ("run", "hours"),
    [
        ("llama3.1-405b", 30.84e6),
        ("llama2-70b", 1_720_320),
        ("deepseek-v3-full", 2.788e6),
        ("bloom-176b", 1_082_990),
        ("opt-175b", 809_472),
        ("palm-540b", 8_404_992),
    ],
)
def test_the_table_holds_what_the_authors_state(run: str, hours: float) -> None:
    """Hours as printed in each model's card or report; see the row's source. Exact."""
    assert reported(run) == hours


# no planted constant


def copied(tmp_path: Path, prefix: str, times: float) -> Path:
    """A folder of tables in which every preset stands again under another name, with so many times its tokens."""
    folder = tmp_path / prefix
    folder.mkdir()
    names = {}
    for table, changes in (("models", ("id",)), ("stages", ("model",))):
        rows = [dict(row) for row in CATALOG.rows(table)]
        for row in rows:
            for column in changes:
                names[row[column]] = f"{prefix}-{row[column]}"
                row[column] = names[row[column]]
            row.update({k: f"{prefix} {row[k]}" for k in ("name", "family") if row.get(k)})
            row.update({k: "" for k in ("aliases", "run_ids") if k in row})
            if row.get("tokens"):
                row["tokens"] = row["tokens"] * times
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def estimable() -> list[str]:
    """Presets whose tokens (or FLOP) and device are published."""
    known: dict[str, bool] = {}
    for row in CATALOG.rows("stages"):
        known[str(row["model"])] = known.get(str(row["model"]), True) and row["accelerator"] is not None
    return sorted(name for name, complete in known.items() if complete)


def test_renaming_every_preset_changes_no_estimate(tmp_path: Path) -> None:
    """Nothing hangs on a model's name: the same shape, tokens and device give the same hours to the last digit."""
    folder = copied(tmp_path, "renamed", 1.0)
    names = estimable()
    assert len(names) > 40
    for name in names:
        own, other = footprint.estimate(name), footprint.estimate(f"renamed-{name}", data=folder)
        assert other.published == ()
        assert other.usage == own.usage, name
        assert other.total_location_kgco2e == own.total_location_kgco2e, name


def test_twice_the_tokens_is_twice_the_hours_of_every_preset(tmp_path: Path) -> None:
    """One rule for all: no preset's hours are its published ones in disguise. 1e-9, or 25 % where no count is
    published: twice the tokens are then taken to run on more devices.
    """
    folder = copied(tmp_path, "doubled", 2.0)
    by_flop = {str(r["model"]) for r in CATALOG.rows("stages") if r["training_flop"] is not None}
    names = [name for name in estimable() if name not in by_flop]
    counted = {str(r["model"]) for r in CATALOG.rows("stages")} - {
        str(r["model"]) for r in CATALOG.rows("stages") if r["accelerator_count"] is None
    }
    assert len(names) > 40
    assert len(counted & set(names)) > 20
    for name in names:
        own = footprint.estimate(name).usage.accelerator_hours.mid
        assert footprint.estimate(f"doubled-{name}", data=folder).usage.accelerator_hours.mid == pytest.approx(
            2 * own, rel=1e-9 if name in counted else 0.25
        ), name


def test_hours_that_authors_report_never_enter_an_estimate(tmp_path: Path) -> None:
    """With every published hour of the table multiplied by ten, the estimates stay where they are."""
    rows = [dict(row) for row in CATALOG.rows("runs")]
    for row in rows:
        if row["accelerator_hours"]:
            row["accelerator_hours"] = float(row["accelerator_hours"]) * 10
    write(tmp_path / "runs.csv", rows)
    for name in ("llama-3.1-405b", "gpt-3", "deepseek-v3"):
        changed = footprint.estimate(name, data=tmp_path)
        assert changed.usage == footprint.estimate(name).usage
        assert changed.published[0].accelerator_hours == pytest.approx(
            10 * (footprint.estimate(name).published[0].accelerator_hours or 0), rel=1e-12
        )


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# the backtest


@pytest.fixture(scope="module")
def backtest() -> Backtest:
    return footprint.backtest()


def group(found: Backtest, name: str) -> Any:
    (one,) = [g for g in found.groups if g.name == name]
    return one


def test_about_nine_tenths_of_comparable_runs_lie_inside_and_half_within_a_third(backtest: Backtest) -> None:
    """All tier A and B runs of runs.csv, each organization unseen: 80 to 97 % inside, median error at most x1.35."""
    found = group(backtest, "comparable runs")
    assert found.run_count >= 50
    assert 0.80 <= found.inside_share <= 0.97
    assert 1.0 < found.median_error_ratio <= 1.35
    assert 0.85 < found.median_bias_ratio < 1.18


def test_groups_count_their_own_rows(backtest: Backtest) -> None:
    plain = [row for row in backtest.rows if not row.note]
    assert group(backtest, "all runs").run_count == len(backtest.rows)
    assert group(backtest, "comparable runs").run_count == len(plain)
    for prefix in ("accelerator", "kind", "tier"):
        assert sum(g.run_count for g in backtest.groups if g.name.startswith(prefix + ": ")) == len(plain)
    for kind in ("dense", "moe"):
        rows = [row for row in plain if row.kind == kind]
        found = group(backtest, f"kind: {kind}")
        assert found.run_count == len(rows)
        assert found.inside_share == pytest.approx(sum(row.inside for row in rows) / len(rows), rel=1e-12)
        ratios = [row.estimated_accelerator_hours.mid / row.reported_accelerator_hours for row in rows]
        assert found.median_error_ratio == pytest.approx(statistics.median(max(r, 1 / r) for r in ratios), rel=1e-12)
        assert found.median_error_ratio <= found.p90_error_ratio


def test_every_row_is_inside_exactly_when_its_interval_says_so(backtest: Backtest) -> None:
    for row in backtest.rows:
        assert row.inside == inside(row.reported_accelerator_hours, row.estimated_accelerator_hours), row.run_id
        assert row.reported_accelerator_hours == reported(row.run_id)


def test_every_tier_a_and_b_run_is_estimated_or_its_reason_is_told(backtest: Backtest) -> None:
    expected = {name for name, row in RUNS.items() if row["tier"] in ("A", "B")}
    rows, skipped = {row.run_id for row in backtest.rows}, {name for name, _ in backtest.skipped}
    assert rows | skipped == expected
    assert not rows & skipped
    assert all(len(reason) > 8 for _, reason in backtest.skipped)


def test_runs_left_out_of_the_fit_stay_in_the_backtest_with_their_reason(backtest: Backtest) -> None:
    excluded = {str(row["id"]): str(row["reason"]) for row in CATALOG.rows("fit_exclusions")}
    noted = {row.run_id: row.note for row in backtest.rows if row.note}
    assert len(noted) >= 5
    assert all(excluded[name] == note for name, note in noted.items())


def with_hours_of(organization: str, factor: float, folder: Path) -> Catalog:
    """The tables as if an organization had reported so many times its hours, the runs' part of the rule fitted anew.

    The other part, the steady throughput, is fitted to measured configurations: no run is among them.
    """
    rows = [dict(row) for row in CATALOG.rows("runs")]
    for row in rows:
        if row["organization"] == organization:
            for column, power in (("accelerator_hours", 1), ("implied_6n_mfu", -1), ("implied_causal_mfu", -1)):
                if row[column]:
                    row[column] = float(row[column]) * factor**power
    runs_only, refit = folder / f"runs x{factor:g}", folder / f"refit x{factor:g}"
    for one in (runs_only, refit):
        one.mkdir()
        write(one / "runs.csv", rows)
    rule = {str(row["id"]): row for row in CATALOG.rows("throughput_rule")}
    usable = CATALOG.constant("usable_memory_share").mid
    runs = whole_run.run_layer(open_catalog(runs_only), rule_of(CATALOG).steady(), usable)
    found_layout = float(rule["found_layout"]["ratio"])  # type: ignore[arg-type]
    for row in calibrate.run_rows(runs, whole_run.unseen_organizations(runs), found_layout):
        rule[row["id"]] = row
    write(refit / "throughput_rule.csv", list(rule.values()))
    return open_catalog(refit)


def test_an_organizations_own_reports_do_not_move_its_estimates(tmp_path: Path) -> None:
    """Their hours tripled: the estimates of their runs stay (1e-4: the rule's printed digits), others' move."""
    stated = [r for r in published_rows(CATALOG) if r["organization"] == UNSEEN]
    assert len(stated) >= 3
    before, after = (
        {row.run_id: row for row in run_backtest(with_hours_of(UNSEEN, factor, tmp_path)).rows} for factor in (1.0, 3.0)
    )
    assert set(before) == set(after)
    moved = []
    for name, row in before.items():
        one, other = row.estimated_accelerator_hours, after[name].estimated_accelerator_hours
        if row.organization == UNSEEN:
            assert after[name].reported_accelerator_hours == pytest.approx(
                3 * row.reported_accelerator_hours, rel=1e-12
            )
            assert (other.low, other.mid, other.high) == pytest.approx((one.low, one.mid, one.high), rel=1e-4)
        else:
            moved.append(abs(math.log(other.mid / one.mid)))
    assert statistics.median(moved) > 1e-3


def test_the_backtest_uses_no_more_of_a_run_than_its_facts_before_it_ran(backtest: Backtest) -> None:
    """GPT-3's row by hand: the same words give the same mid but for the share its organization's absence shifts."""
    (row,) = [r for r in backtest.rows if r.run_id == "gpt3-175b"]
    run = RUNS["gpt3-175b"]
    words = {
        "params": run["params"], "tokens": run["tokens"], "accelerator": run["accelerator"],
        "count": run["accelerator_count"], "year": run["year"], "seq_len": run["seq_len"],
        "batch_tokens": batches_of_runs(CATALOG)["gpt3-175b"],
    }  # fmt: skip
    _, (draft,) = drafts(words, {}, CATALOG)
    assert draft.plan.stages[0].mfu is not None
    usable = CATALOG.constant("usable_memory_share").mid
    runs = whole_run.run_layer(CATALOG, rule_of(CATALOG).steady(), usable)
    kept = whole_run.without_each(runs)["OpenAI"].kept_ratio(run_setting(run, CATALOG))
    by_words = footprint.estimate(**words).usage.accelerator_hours.mid / kept
    assert row.estimated_accelerator_hours.mid == pytest.approx(by_words, rel=0.05)  # attention adds to 6 N D


def test_published_figures_are_shown_beside_never_inside() -> None:
    found = footprint.estimate("llama-3.1-405b")
    (shown,) = found.published
    assert (shown.accelerator_hours, shown.location_kgco2e) == (30.84e6, 8_930_000)
    assert shown.run_id == "llama3.1-405b"
    assert not [line for line in found.ledger if line.value == Range.exactly(30.84e6)]
    told = footprint.estimate("llama-3.1-405b", reported=True)
    assert [line.note for line in told.ledger if line.value == Range.exactly(30.84e6)] == [
        "reported, run llama3.1-405b"
    ]


def test_members_of_a_family_are_the_presets_of_that_family() -> None:
    assert doors.members("llama-3.1") == ("llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b")
    assert doors.members("gpt3") == ("gpt-3",)
