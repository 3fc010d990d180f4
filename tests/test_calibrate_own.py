"""A user's own runs: how far they move a prediction, what is refused, what is written."""

from __future__ import annotations

import csv
import inspect
import io
import json
import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import footprint
from footprint import DataError, InputError, units
from footprint.catalog import open_catalog
from footprint.cli import main
from footprint.derivation import description
from footprint.estimation.calibrating import run_calibration
from footprint.estimation.own_rows import COLUMNS, EXAMPLE, read_runs
from footprint.formulas import shrinkage
from footprint.studies import Calibration
from footprint.throughput import own_runs
from footprint.throughput.own_runs import NORMAL_SCORE, Observed, Spreads, learn, own_levels
from footprint.values import Range

ROOT = Path(__file__).resolve().parent.parent
CATALOG = open_catalog()
STEADY, RUNS = own_runs.steady_spreads(CATALOG), own_runs.run_spreads(CATALOG)
DEVICE = {"accelerator": "h100-sxm", "framework": "megatron-lm", "year": 2025, "precision": "bf16"}
PLANS: tuple[dict[str, Any], ...] = tuple(
    {"params": params, "tokens": tokens, "count": count, "seq_len": seq_len, "batch_tokens": batch, **DEVICE}
    for params, tokens, count, seq_len, batch in (
        ("1B", "1T", 64, 4096, "1M"),
        ("3B", "2T", 128, 4096, "2M"),
        ("7B", "2T", 256, 4096, "4M"),
        ("13B", "2T", 512, 8192, "4M"),
        ("30B", "3T", 1024, 8192, "8M"),
        ("70B", "5T", 2048, 8192, "16M"),
        ("8B", "15T", 1024, 8192, "8M"),
        ("34B", "1T", 512, 4096, "4M"),
        ("5B", "1T", 32, 2048, "1M"),
        ("20B", "2T", 256, 4096, "4M"),
    )
)
LEVELS = st.floats(0.3, 2.0)


@pytest.fixture(autouse=True)
def _shipped_data_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOOTPRINT_DATA", raising=False)


@pytest.fixture(scope="module")
def predicted() -> tuple[float, ...]:
    """Hours of the plans, by the shipped rule."""
    return tuple(footprint.estimate(**plan).usage.accelerator_hours.mid for plan in PLANS)


def whole(
    predicted: tuple[float, ...], places: list[int], truth: float, noise: float = 0.0, seed: int = 0
) -> list[Any]:
    """Runs of the plans at these places on a cluster of so much of the predicted throughput."""
    drawn = np.random.default_rng(seed).standard_normal(len(PLANS))
    return [
        {**PLANS[i], "name": f"run {i}", "accelerator_hours": predicted[i] / (truth * math.exp(noise * drawn[i]))}
        for i in places
    ]


def steady(mfu: float = 0.4, **changes: Any) -> dict[str, Any]:
    return {**PLANS[2], "mfu": mfu, **changes}


def ratios(found: Calibration) -> dict[str, Range]:
    return {row.id: row.after_ratio for row in found.rows}


def written(tmp_path: Path, text: str | bytes, name: str = "my.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


# the equations


FORMULAS: list[Callable[..., Any]] = [getattr(shrinkage, name) for name in shrinkage.__all__]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda f: f.__name__)
def test_shrinkage_computes_the_equation_that_its_docstring_states(formula: Callable[..., Any]) -> None:
    equation, reference = description(formula)
    generator = np.random.default_rng(7)
    names = inspect.signature(formula).parameters
    arrays = {
        name: generator.uniform(0.2, 0.9, 5) if name.endswith("_share") else generator.uniform(1.5, 2.5, 5)
        for name in names
    }
    arrays |= {"steady_spread_log": generator.uniform(0.1, 1.0, 5)} if "steady_spread_log" in names else {}
    together = formula(**arrays)
    for i in range(5):
        one = {name: float(values[i]) for name, values in arrays.items()}
        value = eval(equation.partition(" = ")[2], {"__builtins__": {}}, vars(units) | one)
        assert formula(**one) == pytest.approx(value, rel=1e-12)
        assert together[i] == pytest.approx(value, rel=1e-12)
    assert reference


def test_methodology_states_every_equation_of_shrinkage() -> None:
    text = (ROOT / "METHODOLOGY.md").read_text(encoding="utf-8")
    missing = [equation for equation, _ in map(description, FORMULAS) if f"\n{equation}\n" not in text]
    assert missing == []


# the level


@given(LEVELS)
def test_one_run_moves_the_level_by_the_share_that_two_normal_laws_give(ratio: float) -> None:
    """By hand: posterior mean = y tau^2 / (tau^2 + sigma^2)."""
    found = learn(Observed((math.log(ratio),), ("a",)), RUNS)
    tau, sigma = RUNS.between_log**2, RUNS.within_log**2
    assert found.level_log == pytest.approx(math.log(ratio) * tau / (tau + sigma), abs=1e-12)
    assert found.unlearned_share == pytest.approx(sigma / (tau + sigma), rel=1e-12)


@given(LEVELS, st.sampled_from([STEADY, RUNS]))
def test_more_runs_move_the_level_further_and_never_beyond_what_was_measured(ratio: float, known: Spreads) -> None:
    log = math.log(ratio)
    moved = [learn(Observed((log,) * n, tuple(range(n))), known).level_log / log if log else n for n in (1, 2, 5, 50)]
    assert all(0.1 < low < high for low, high in zip(moved, [*moved[1:], math.inf], strict=True))
    if log:
        assert moved[0] < 0.7
        assert 0.9 < moved[-1] < 1.0


@given(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_runs_does_not_change_the_level_by_a_digit(logs: list[float], shuffler: random.Random) -> None:
    pairs = [(log, i % 4) for i, log in enumerate(logs)]
    shuffled = list(pairs)
    shuffler.shuffle(shuffled)
    one, other = (learn(Observed(*map(tuple, zip(*p, strict=True))), RUNS) for p in (pairs, shuffled))
    assert one == other


@given(st.floats(-0.5, 0.5), st.sampled_from([-2.5, 2.5]))
def test_one_odd_run_among_seven_hardly_moves_the_level(log: float, away: float) -> None:
    """A factor of twelve would move a plain mean of seven by e^(2.5 / 7), 43 %."""
    plain = learn(Observed((log,) * 6, tuple(range(6))), RUNS)
    odd = learn(Observed((log,) * 6 + (log + away,), tuple(range(7))), RUNS)
    assert abs(odd.centre_log - plain.centre_log) < 0.06
    assert odd.unlearned_share > plain.unlearned_share


def test_the_same_configuration_ten_times_counts_once() -> None:
    once, often = (learn(Observed((-0.4,) * n, ("a",) * n), RUNS) for n in (1, 10))
    assert often.level_log == pytest.approx(once.level_log, rel=1e-12)
    assert often.unlearned_share == pytest.approx(once.unlearned_share, rel=1e-12)
    assert (often.run_count, often.configuration_count) == (10, 1)


@given(st.lists(st.floats(-0.8, 0.8), min_size=1, max_size=12))
def test_the_scatter_of_the_next_run_is_never_below_that_of_other_clusters(logs: list[float]) -> None:
    found = learn(Observed(tuple(logs), tuple(range(len(logs)))), RUNS)
    assert found.scatter_log >= RUNS.within_log


def test_runs_that_scatter_more_than_others_widen_their_own_interval() -> None:
    found = learn(Observed((-0.9, 0.9, -0.8, 0.8, -0.7, 0.7), tuple(range(6))), RUNS)
    assert found.scatter_log > 1.5 * RUNS.within_log


@given(st.floats(0.01, 3.0), st.floats(0.0, 1.0), st.floats(0.01, 1.0))
def test_an_end_lies_between_the_shipped_one_and_the_scatter(end: float, left: float, scatter: float) -> None:
    found = float(shrinkage.error_end_log(end, left, scatter, NORMAL_SCORE))
    low, high = sorted((end, NORMAL_SCORE * scatter))
    assert low * (1 - 1e-9) <= found <= high * (1 + 1e-9)


def test_steady_and_whole_runs_together_add_up_to_the_level_of_whole_runs() -> None:
    """Many of both: the steady level takes its part, what is kept takes the rest."""
    many = tuple(range(200))
    found = own_levels(Observed((math.log(0.9),) * 200, many), Observed((math.log(0.6),) * 200, many), STEADY, RUNS)
    assert math.exp(found.steady.level_log) == pytest.approx(0.9, rel=0.01)
    assert math.exp(found.run_log) == pytest.approx(0.6, rel=0.01)
    assert found.run_unlearned_share < 0.02


def test_steady_measurements_alone_leave_most_of_the_spread_of_whole_runs() -> None:
    found = own_levels(Observed((math.log(0.9),) * 50, tuple(range(50))), Observed((), ()), STEADY, RUNS)
    assert found.kept.level_log == 0
    assert found.run_log == found.steady.level_log
    assert 0.5 < found.run_unlearned_share < 1


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("known", [STEADY, RUNS], ids=["steady", "whole"])
def test_nine_of_ten_next_runs_lie_in_the_interval_where_the_prior_holds(count: int, known: Spreads) -> None:
    """Clusters and runs drawn from the spreads that the rule holds; the shipped end is that of both together."""
    generator = np.random.default_rng(count)
    shipped = NORMAL_SCORE * math.hypot(known.between_log, known.within_log)
    inside, before, after = 0, [], []
    for _ in range(400):
        level = known.between_log * generator.standard_normal()
        *own, following = level + known.within_log * generator.standard_normal(count + 1)
        found = learn(Observed(tuple(own), tuple(range(count))), known)
        end = shrinkage.error_end_log(shipped, found.unlearned_share, found.scatter_log, NORMAL_SCORE)
        inside += abs(following - found.level_log) <= end
        before.append(abs(following))
        after.append(abs(following - found.level_log))
    assert 0.86 <= inside / 400 <= 0.96
    assert np.mean(after) < np.mean(before)


def test_three_configurations_of_a_measured_source_bring_its_others_closer() -> None:
    """Every source of the calibration with ten configurations or more, each held against a rule without it."""
    by_source: dict[str, list[float]] = {}
    for row in CATALOG.rows(own_runs.UNSEEN):
        log = math.log(float(row["measured_mfu"]) / float(row["searched_mfu"]))  # type: ignore[arg-type]
        by_source.setdefault(str(row["source_id"]), []).append(log)
    generator = np.random.default_rng(0)
    before, after, inside = [], [], []
    sources = [np.array(logs) for logs in by_source.values() if len(logs) >= 10]
    assert len(sources) >= 8
    for logs in sources:
        for _ in range(60):
            order = generator.permutation(len(logs))
            found = learn(Observed(tuple(logs[order[:3]]), (0, 1, 2)), STEADY)
            rest = logs[order[3:]]
            end = NORMAL_SCORE * math.hypot(STEADY.between_log * math.sqrt(found.unlearned_share), found.scatter_log)
            before.append(np.median(np.abs(rest)))
            after.append(np.median(np.abs(rest - found.level_log)))
            inside.append(np.mean(np.abs(rest - found.level_log) <= end))
    assert np.mean(after) < 0.9 * np.mean(before)
    assert 0.85 <= np.mean(inside) <= 0.98


# the door


def test_runs_that_agree_with_the_rule_leave_it_where_it_is(predicted: tuple[float, ...]) -> None:
    found = footprint.calibrate(whole(predicted, [0, 3, 5], 1.0))
    assert ratios(found)["production"].mid == pytest.approx(
        next(r.before_ratio.mid for r in found.rows if r.id == "production"), rel=1e-4
    )
    assert found.levels[0].median_error_before_ratio == pytest.approx(1, abs=1e-6)


def test_a_cluster_at_four_fifths_is_found_and_runs_not_yet_seen_get_closer(
    predicted: tuple[float, ...], tmp_path: Path
) -> None:
    own, unseen = [0, 2, 4, 6, 8], [1, 3, 5, 7, 9]
    found = footprint.calibrate(whole(predicted, own, 0.8, noise=0.1), write=tmp_path / "data")
    assert 0.78 < found.levels[0].level_ratio.mid < 0.9
    before, after, inside = [], [], 0
    for run in whole(predicted, unseen, 0.8, noise=0.1):
        measured = run.pop("accelerator_hours")
        old, new = (footprint.estimate(**run, data=data).usage.accelerator_hours for data in (None, tmp_path / "data"))
        before.append(abs(math.log(old.mid / measured)))
        after.append(abs(math.log(new.mid / measured)))
        inside += new.low <= measured <= new.high
        assert new.high / new.low < old.high / old.low
    assert np.median(after) < 0.5 * np.median(before)
    assert inside >= 4


def test_one_run_moves_part_of_the_way_and_six_most_of_it(predicted: tuple[float, ...]) -> None:
    one, six = (
        footprint.calibrate(whole(predicted, places, 0.7)).levels[0].level_ratio for places in ([2], [0, 2, 3, 4, 5, 8])
    )
    assert 0.7 < six.mid < 0.76 < 0.8 < one.mid < 0.9
    assert six.high / six.low < one.high / one.low


def test_after_is_what_an_estimate_with_the_written_folder_gives(predicted: tuple[float, ...], tmp_path: Path) -> None:
    runs = [*whole(predicted, [1, 5], 0.75), {**PLANS[3], "tokens_per_s_per_accelerator": 4000.0}]
    found = footprint.calibrate(runs, write=tmp_path / "data")
    result = footprint.estimate(**PLANS[5], data=tmp_path / "data")
    assert found.runs[1].after_accelerator_hours == result.usage.accelerator_hours
    assert result.plan is not None
    again = footprint.estimate(**PLANS[3], data=tmp_path / "data").plan
    assert again is not None
    before = footprint.estimate(**PLANS[3]).plan
    assert before is not None
    moved = again.stages[0].steady_mfu.mid / before.stages[0].steady_mfu.mid  # type: ignore[union-attr]
    assert moved == pytest.approx(found.levels[0].level_ratio.mid, rel=1e-4)


def test_the_order_of_rows_changes_no_written_digit(predicted: tuple[float, ...]) -> None:
    runs = [*whole(predicted, [0, 2, 4, 6], 0.8, noise=0.3), steady(0.3), steady(0.5, params="13B")]
    first = footprint.calibrate(runs)
    second = footprint.calibrate(runs[::-1])
    assert first.rows == second.rows
    assert first.levels == second.levels


def test_calibrating_again_with_the_written_folder_gives_the_same_file(
    predicted: tuple[float, ...], tmp_path: Path
) -> None:
    runs, folder = whole(predicted, [0, 3, 7], 0.7), tmp_path / "data"
    first = footprint.calibrate(runs, write=folder)
    content = (folder / "throughput_rule.csv").read_bytes()
    second = footprint.calibrate(runs, data=folder, write=folder)
    assert (folder / "throughput_rule.csv").read_bytes() == content
    assert second.runs == first.runs
    assert second.levels == first.levels
    assert any("without the own runs" in note for note in second.notes)
    assert any("replaced the rows of an earlier calibration" in note for note in second.notes)


def test_a_rule_that_the_user_overrides_by_hand_is_the_one_that_is_moved(
    predicted: tuple[float, ...], tmp_path: Path
) -> None:
    header = "id,low_ratio,ratio,high_ratio,provenance,source,as_of,note\n"
    hand = tmp_path / "hand"
    hand.mkdir()
    written(hand, header + "production,0.5,0.5,0.5,derived,me,2026,my own\n", "throughput_rule.csv")
    runs = whole(predicted, [0, 3], 1.0)
    found = footprint.calibrate(runs, data=hand)
    row = next(r for r in found.rows if r.id == "production")
    assert row.before_ratio.mid == 0.5
    assert row.after_ratio.mid > 0.5
    content = (hand / "throughput_rule.csv").read_bytes()
    with pytest.raises(InputError, match="holds rows that no calibration wrote: production; take them out"):
        footprint.calibrate(runs, data=hand, write=hand)
    assert (hand / "throughput_rule.csv").read_bytes() == content


def test_rows_of_the_user_that_do_not_clash_are_kept_and_it_is_said(
    predicted: tuple[float, ...], tmp_path: Path
) -> None:
    header = "note,id,low_ratio,ratio,high_ratio,provenance,source,as_of\n"
    written(tmp_path, header + "mine,bubble_ratio,0.5,0.5,0.5,derived,me,2026\n", "throughput_rule.csv")
    found = footprint.calibrate(whole(predicted, [0], 0.8), write=tmp_path)
    assert any("kept 1 other row" in note for note in found.notes)
    rows = {str(r["id"]): r for r in open_catalog(tmp_path).rows("throughput_rule")}
    assert (rows["bubble_ratio"]["ratio"], rows["bubble_ratio"]["note"]) == (0.5, "mine")
    assert str(rows["production"]["note"]).startswith("own runs: production x")


def test_a_folder_that_data_could_not_be_read_from_is_refused(predicted: tuple[float, ...], tmp_path: Path) -> None:
    runs = whole(predicted, [0], 0.8)
    path = written(tmp_path, EXAMPLE)
    with pytest.raises(InputError, match="holds the runs themselves"):
        footprint.calibrate(path, write=tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        footprint.calibrate(runs, write=path)
    with pytest.raises(DataError, match=r"my\.csv: is not a known table"):
        footprint.calibrate(runs, write=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["my.csv"]


def test_only_levels_and_intervals_change_however_many_runs_there_are(predicted: tuple[float, ...]) -> None:
    """No slope is fitted: sizes and counts that differ move the same two rows."""
    everything = [
        *whole(predicted, list(range(10)), 0.8, noise=0.3),
        *(steady(m, params=f"{m * 20:.0f}B") for m in (0.2, 0.3, 0.5)),
    ]
    levels = {"found_layout", "production"}
    for runs, allowed in (
        (everything, levels),
        (whole(predicted, [1], 0.8), {"production"}),
        ([steady()], {"found_layout"}),
    ):
        rows = ratios(footprint.calibrate(runs))
        assert {name for name, value in rows.items() if value.mid != 1} == allowed
        assert all(name.startswith(("run_error:", "steady_error:")) for name in rows if name not in levels)


def test_whole_runs_say_nothing_of_steady_throughput(predicted: tuple[float, ...]) -> None:
    assert not [name for name in ratios(footprint.calibrate(whole(predicted, [1, 2], 0.5))) if "steady" in name]


def test_a_run_left_out_is_held_against_the_others_alone(predicted: tuple[float, ...]) -> None:
    pair = footprint.calibrate(whole(predicted, [1, 5], 0.7))
    alone = footprint.calibrate(whole(predicted, [5], 0.7))
    first = pair.runs[0]
    assert first.left_out_ratio == pytest.approx(first.before_ratio / alone.levels[0].level_ratio.mid, rel=1e-6)
    assert alone.runs[0].left_out_ratio is None
    repeats = footprint.calibrate([*whole(predicted, [5], 0.7), *whole(predicted, [5], 0.7)])
    assert [run.left_out_ratio for run in repeats.runs] == [None, None]


def test_measures_of_one_thing_agree() -> None:
    """Tokens/s and the MFU that they are; accelerator-hours and wall-clock times count."""
    one = footprint.calibrate([steady(0.4)])
    rate = one.runs[0].measured_accelerator_tokens_per_s
    other = footprint.calibrate([{**PLANS[2], "tokens_per_s_per_accelerator": rate}])
    assert other.runs[0].before_ratio == pytest.approx(one.runs[0].before_ratio, rel=1e-12)
    stated = footprint.estimate(**PLANS[2]).plan
    assert stated is not None
    assert one.runs[0].before_ratio == pytest.approx(stated.stages[0].steady_mfu.mid / 0.4, rel=1e-9)  # type: ignore[union-attr]
    hours, days = ({**PLANS[2], name: value} for name, value in (("accelerator_hours", 64000), ("wall_clock_h", 250)))
    assert footprint.calibrate([hours]).rows == footprint.calibrate([days]).rows


def test_a_preset_is_measured_with_the_stages_that_it_has() -> None:
    (run,) = footprint.calibrate([{"model": "llama-3.1-405b", "accelerator_hours": "30.84M"}]).runs
    assert run.before_accelerator_hours == footprint.estimate("llama-3.1-405b").usage.accelerator_hours
    assert (run.name, run.accelerator) == ("llama-3.1-405b", "h100-sxm5-80gb")


def test_the_ledger_tells_that_own_runs_moved_the_rule(predicted: tuple[float, ...], tmp_path: Path) -> None:
    path = tmp_path / "runs" / "cluster-a.csv"
    path.parent.mkdir()
    _write_csv(path, [*whole(predicted, [0, 1], 0.8), steady(0.35)])
    footprint.calibrate(path, write=tmp_path / "data")
    ledger = {a.field: a for a in footprint.estimate(**PLANS[0], data=tmp_path / "data").ledger}
    for field in ("pretrain.mfu", "pretrain.steady_mfu"):
        assert ledger[field].source == "throughput_rule.csv; cluster-a.csv"
        assert "own runs: found_layout x" in ledger[field].note
    assert "own runs: production x" in ledger["pretrain.mfu"].note
    plain = {a.field: a for a in footprint.estimate(**PLANS[0]).ledger}
    assert plain["pretrain.mfu"].source == "throughput_rule.csv"


def test_written_rows_carry_where_they_come_from(predicted: tuple[float, ...]) -> None:
    rows = run_calibration(whole(predicted, [0], 0.8), CATALOG, as_of="2026-12-01").rows
    assert {(row.source, row.as_of) for row in rows} == {("own runs", "2026-12-01")}


# reading


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def test_the_example_can_be_calibrated_on_and_lies_near_the_rule(tmp_path: Path) -> None:
    found = footprint.calibrate(written(tmp_path, EXAMPLE))
    assert [run.is_steady for run in found.runs] == [False, True]
    assert all(run.inside_before and 0.5 < run.before_ratio < 2 for run in found.runs)


HEAD = "params,tokens,accelerator,count,accelerator_hours,mfu\n"
GOOD = "7B,2T,h100-sxm,256,64k,\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: is empty; footprint calibrate --example"),
        ("\n\n", "line 1: is empty"),
        (HEAD, "has no runs; footprint calibrate --example"),
        ("parms,accelerator,mfu\n", "line 1, column parms: is not a known column; did you mean params"),
        ("params,params,mfu\n7B,7B,0.4\n", "line 1, column params: params stands twice"),
        ("params,,mfu\n7B,,0.4\n", "line 1: a column has no name"),
        ("params,tokens,accelerator\n7B,2T,h100-sxm\n", "line 1: has no column of what was reached; add one of"),
        (HEAD + GOOD + "7B,2T,h100-sxm,256,64k\n", "line 3: has 5 cells, the header has 6"),
        (HEAD + GOOD + "7B,2T,h100-sxm,256,,\n", "line 3: states nothing that was reached; fill one of"),
        (HEAD + "7B,2T,h100-sxm,256,64k,0.4\n", "line 2, column mfu: is given beside accelerator_hours; keep one"),
        (HEAD + "7B,2T,h100-sxn,256,64k,\n", "line 2, column accelerator: 'h100-sxn' is not a known name; did you"),
        (HEAD + "7B,2T,,256,64k,\n", "line 2, column accelerator: is empty; name one such as h100-sxm"),
        (HEAD + ",2T,h100-sxm,256,64k,\n", "line 2, column params: is empty; give params such as 7B"),
        (HEAD + "7B,,h100-sxm,256,64k,\n", "line 2, column tokens: is empty, and accelerator_hours tells of a whole"),
        (HEAD + "7B,2T,h100-sxm,256,-64k,\n", "line 2, column accelerator_hours: '-64k' must be above zero"),
        (HEAD + "7B,2T,h100-sxm,256,0,\n", "line 2, column accelerator_hours: '0' must be above zero"),
        (HEAD + "7B,2T,h100-sxm,256,nan,\n", "line 2, column accelerator_hours: 'nan' is not a number"),
        (HEAD + "-7B,2T,h100-sxm,256,64k,\n", "line 2, column params: '-7B' must be above 0"),
        (HEAD + "7B,2T,h100-sxm,25.5,64k,\n", "line 2, column count: '25.5' must be a whole number"),
        (HEAD + "7B,2T,h100-sxm,256,,1.4\n", "line 2, column mfu: 1.4 must be at most 1"),
        (HEAD + "7B,2T,h100-sxm,256,64,\n", "column accelerator_hours: 64 gives an MFU of 368 on h100"),
        (HEAD + '7B,"1,5T",h100-sxm,256,64k,\n', "line 2, column tokens: '1,5T' has a comma; write a point"),
        (HEAD + "700B,2T,h100-sxm,8,64k,\n", "line 2, column count: 8 cannot hold stage pretrain"),
        ("model,params,mfu\nllama-3.1-8b,7B,0.4\n", "line 2, column params: '7B' contradicts the model"),
        ("model,mfu\nllama-3.1,0.4\n", "line 2, column model: 'llama-3.1' is a family of models; name one of"),
        ("model,mfu\nllama-3.9-8b,0.4\n", "line 2, column model: 'llama-3.9-8b' is not a known name; did you mean"),
        ("params,tokens,accelerator,wall_clock_h\n7B,2T,h100-sxm,64\n", "line 2, column count: is empty; wall_clock_h"),
        ("params,accelerator,precision,mfu\n7B,a100,fp8,0.4\n", "line 2, column precision: 'fp8'"),
        ("params,accelerator,count,layout,mfu\n7B,a100,8,tp=3,0.4\n", "line 2, column layout: "),
        ("params;accelerator;mfu\n7B;h100-sxm;0,4\n", "line 2, column mfu: '0,4' has a comma; write a point"),
        ('params,accelerator,mfu\n7B,"h100-sxm,0.4\n', r"is not CSV \(.*\); check the quotes"),
        ("params,accelerator,mfu\n7B,h100-sxm,0.4\n".encode("utf-16"), "line 1: is UTF-16; save it as CSV in UTF-8"),
        (b"params,accelerator,mfu\n7B,h100-sxm,0.4\xff\n", "line 2: is not UTF-8; save it as CSV in UTF-8"),
        (b"PK\x03\x04\0\0", "is not text; save it as CSV"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_line_column_value_and_fix(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        footprint.calibrate(path)
    assert str(caught.value).startswith(str(path))
    assert "--tokens" not in str(caught.value)


@pytest.mark.parametrize("path", ["absent.csv", "."])
def test_a_file_that_is_none_is_an_input_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        footprint.calibrate(tmp_path / path)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + HEAD + GOOD,
        (HEAD + GOOD).replace("\n", "\r\n"),
        (HEAD + GOOD).replace("\n", "\r"),
        (HEAD + GOOD).replace(",", ";"),
        (HEAD + GOOD).replace(",", "\t"),
        "\n" + HEAD + "\n,,,,,\n" + GOOD + "\n",
        HEAD.upper().replace("_", " ") + '7B, 2T ,H100-SXM,256,"64,000",\n',
        HEAD.replace("accelerator_hours", "GPU-hours").replace("count", "accelerator_count") + GOOD,
        HEAD + "7e9,2e12,h100-sxm,256,64000 h,\n",
    ],
)
def test_tables_that_other_programs_write_are_read_alike(tmp_path: Path, text: str) -> None:
    (row,) = read_runs(written(tmp_path, text)).rows
    assert not isinstance(row, DataError), row
    assert (row.measure, row.value) == ("accelerator_hours", 64000)
    assert footprint.calibrate(written(tmp_path, text)).levels[0].run_count == 1


def test_bad_rows_are_passed_over_where_asked_and_each_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + GOOD + "7B,2T,h100-sxn,256,64k,\n7B,2T\n13B,2T,h100-sxm,256,-3,\n" + GOOD)
    found = footprint.calibrate(path, skip_bad=True)
    assert [run.line for run in found.runs] == [2, 6]
    assert [place for place, _ in found.skipped] == [
        "line 3, column accelerator",
        "line 4",
        "line 5, column accelerator_hours",
    ]
    assert sum("is passed over" in note for note in found.notes) == 3
    with pytest.raises(DataError, match=r"has no row that can be used; line 2: has 1 cells"):
        footprint.calibrate(written(tmp_path, HEAD + "7B\n"), skip_bad=True)


def test_a_wrong_table_of_the_users_data_is_no_bad_row(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    written(folder, "id,nonsense\n", "models.csv")
    with pytest.raises(DataError, match=r"models\.csv, line 1, column nonsense"):
        footprint.calibrate([{"model": "llama-3.1-8b", "mfu": 0.4}], data=folder, skip_bad=True)


def test_a_run_a_hundredfold_off_is_questioned(predicted: tuple[float, ...]) -> None:
    notes = footprint.calibrate([{**PLANS[0], "accelerator_hours": predicted[0] * 100}]).notes
    assert any("measured 100 times more than predicted; is accelerator_hours in its unit" in note for note in notes)


CELLS = st.one_of(
    st.text(max_size=12), st.sampled_from(["7B", "2T", "h100-sxm", "0.4", "64k", "-1", "1e400", "llama-3.1-8b", "tp=8"])
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(COLUMNS), CELLS, max_size=6))
def test_no_row_whatever_is_in_it_breaks_other_than_by_a_told_error(cells: dict[str, str]) -> None:
    cells.pop("config", None)
    told = "own runs, line 1"
    try:
        footprint.calibrate([cells])
    except DataError as error:
        told = str(error)
    assert told.startswith("own runs, line 1")


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.binary(max_size=80), st.text(alphabet=',;\t\n\r" .7B\ufeffparamsmfu-_', max_size=80).map(str.encode))
)
def test_no_file_whatever_is_in_it_breaks_other_than_by_a_told_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), content, "any.csv")
    told = str(path)
    try:
        footprint.calibrate(path)
    except DataError as error:
        told = str(error)
    assert told.startswith(str(path))


# the command


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main.run(arguments)
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture
def table(predicted: tuple[float, ...], tmp_path: Path) -> Path:
    path = tmp_path / "cluster.csv"
    _write_csv(path, [*whole(predicted, [0, 2, 4, 6, 8], 0.8, noise=0.05), steady(0.35, name="one hour")])
    return path


def test_the_command_shows_before_after_and_left_out_and_keeps_nothing(run: Any, table: Path) -> None:
    code, out, err = run("calibrate", str(table))
    assert code == 0
    for header in ("measured", "before", "after", "left out", "throughput_rule.csv"):
        assert header in out
    line = " ".join(out.split("\n\n")[-1].split())
    number = r"[\d.]+"
    assert re.search(
        rf"whole runs: throughput level x{number} \({number} to {number}\) from 5 runs; "
        rf"median error {number} % before, {number} % after \(each run left out: {number} %\)", line,
    )  # fmt: skip
    assert "note: nothing is kept: add --write DIR" in err
    assert [p.name for p in table.parent.iterdir()] == ["cluster.csv"]


def test_csv_and_json_of_the_command_carry_the_same_numbers(run: Any, table: Path) -> None:
    data = json.loads(run("calibrate", str(table), "-f", "json")[1])
    rows = list(csv.DictReader(io.StringIO(run("calibrate", str(table), "-f", "csv")[1])))
    assert [float(row["after_ratio"]) for row in rows] == [one["after_ratio"] for one in data["runs"]]
    assert data["schema_version"] == 1
    assert {row["quantity"] for row in rows} == {"accelerator_hours", "accelerator_tokens_per_s"}


@pytest.mark.parametrize("name", ["markdown", "latex", "html"])
def test_the_command_speaks_every_format(run: Any, table: Path, name: str) -> None:
    code, out, _ = run("calibrate", str(table), "-f", name)
    assert code == 0
    assert "one hour" in out


def test_what_the_command_writes_moves_the_next_estimate(
    run: Any, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = table.parent / "data"
    words = [
        "estimate",
        "--params",
        "7B",
        "--tokens",
        "2T",
        "--accelerator",
        "h100-sxm",
        "--count",
        "256",
        "-f",
        "json",
    ]
    before = json.loads(run(*words)[1])["usage"]["accelerator_hours"]
    _, _, err = run("calibrate", str(table), "--write", str(folder))
    assert f"note: wrote 7 rows to {folder / 'throughput_rule.csv'}" in err
    assert "nothing is kept" not in err
    after = json.loads(run(*words, "--data", str(folder))[1])["usage"]["accelerator_hours"]
    assert 1.1 < after["mid"] / before["mid"] < 1.35
    monkeypatch.setenv("FOOTPRINT_DATA", str(folder))
    assert json.loads(run(*words)[1])["usage"]["accelerator_hours"] == after


def test_the_example_is_printed_and_a_missing_file_is_a_wrong_use(run: Any) -> None:
    assert run("calibrate", "--example") == (0, EXAMPLE, "")
    code, _, err = run("calibrate")
    assert code == 2
    assert "name a file of runs, or give --example" in err


def test_a_wrong_row_is_one_line_on_stderr(run: Any, tmp_path: Path) -> None:
    code, out, err = run("calibrate", str(written(tmp_path, HEAD + "7B,2T,h100-sxn,256,64k,\n")))
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_help_of_the_command_has_examples(run: Any) -> None:
    code, out, _ = run("calibrate", "--help")
    assert code == 0
    assert "footprint calibrate my_runs.csv --write my_data" in out.split("Examples:")[1]
