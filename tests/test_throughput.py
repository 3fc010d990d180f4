"""The throughput rule: its fit is the shipped table, its physics holds, its neighbours are near."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import footprint
from footprint.catalog import open_catalog
from footprint.errors import InputError
from footprint.throughput import calibrate, rule
from footprint.throughput.neighbours import nearest

ROOT = Path(__file__).resolve().parent.parent
CATALOG = open_catalog()
H100 = CATALOG.accelerator("h100-sxm")
RULE = rule.Rule(CATALOG)
SIZES = st.floats(1e7, 1e13)


@pytest.fixture(scope="module")
def refit() -> tuple[list[dict[str, str]], list[str]]:
    return calibrate.calibrate(CATALOG)


def mfu(params: float, precision: str = "bf16", moe: bool = False, device: str = "h100-sxm", year: int = 2025) -> float:
    mid, _ = rule.predict(CATALOG.accelerator(device), precision, params, moe, year, CATALOG)
    return float(mid)


# the fit


def test_refitting_gives_the_shipped_rule_to_the_last_printed_digit(
    refit: tuple[list[dict[str, str]], list[str]],
) -> None:
    with (ROOT / "data/throughput_rule.csv").open(newline="", encoding="utf-8") as file:
        assert refit[0] == list(csv.DictReader(file))


def test_the_command_writes_the_shipped_file_byte_for_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "throughput_rule.csv"
    assert calibrate.main(["--write", str(written)]) == 0
    assert written.read_bytes() == (ROOT / "data/throughput_rule.csv").read_bytes()
    assert "unseen organizations" in capsys.readouterr().out


def test_cross_validation_states_both_layers_and_the_methodology_repeats_it(
    refit: tuple[list[dict[str, str]], list[str]],
) -> None:
    steady, whole, kept, interval = refit[1]
    pattern = r"\((\d+) \w+ \w+ of (\d+) \w+\): median ([\d.]+)%, 90th percentile x([\d.]+)$"
    numbers = []
    for line in (steady, whole):
        found = re.search(pattern, line)
        assert found, line
        numbers += found.groups()
    numbers += re.findall(r"\d\.\d{3}", kept) + re.findall(r"x(\d\.\d\d)", interval)
    assert len(numbers) == 13
    methodology = ROOT / "METHODOLOGY.md"
    text = methodology.read_text(encoding="utf-8") if methodology.is_file() else "\n".join(refit[1])
    missing = [n for n in numbers if not re.search(rf"(?<![\d.]){re.escape(n)}(?![\d])", text)]
    assert missing == [], "METHODOLOGY.md states other numbers than `make calibrate` prints"


def test_unseen_errors_are_those_that_the_range_was_made_of(refit: tuple[list[dict[str, str]], list[str]]) -> None:
    """Nine of ten unseen organizations lie in the 90 % interval of the whole-run layer, by their weights."""
    rows = calibrate.kept_layer(CATALOG, calibrate.run_layer(CATALOG), calibrate.fit(calibrate.steady_layer(CATALOG)))
    errors = calibrate.unseen(rows)
    low, high = (
        float(np.exp(-x)) for x in (calibrate.quantile(errors.residual, errors.weight, q) for q in (0.95, 0.05))
    )
    ratio = np.exp(-errors.residual)
    inside = errors.weight[(ratio >= low * 0.999) & (ratio <= high * 1.001)].sum() / errors.weight.sum()
    assert inside == pytest.approx(0.90, abs=0.04)
    assert f"x{low:.2f} to x{high:.2f}" in refit[1][3]


def test_an_organization_left_out_is_unseen() -> None:
    found = calibrate.without_each_organization(CATALOG)
    organizations = {str(r["organization"]) for r in calibrate.published_rows(CATALOG)}
    assert set(found) == organizations | {""}
    moved = [o for o in organizations if found[o].kept_ratio != 1.0]
    assert len(moved) >= 0.9 * len(organizations)
    assert max(abs(np.log(found[o].kept_ratio)) for o in organizations) < np.log(1.25)


def test_what_is_left_out_of_the_fit_has_a_reason_and_is_left_out() -> None:
    excluded = {str(r["id"]): str(r["reason"] or "") for r in CATALOG.rows("fit_exclusions")}
    assert all(len(reason) > 10 for reason in excluded.values())
    assert not {str(r["id"]) for r in calibrate.published_rows(CATALOG)} & set(excluded)


def test_a_line_is_fitted_exactly_and_an_outlier_does_not_move_it() -> None:
    """Least absolute deviations: one point a factor of e^5 off leaves the base where it was."""
    log_mfu = np.log(np.full(41, 0.4))
    rows = calibrate.Rows(np.ones((41, 1)), log_mfu, np.ones(41), ("a",) * 41, ("",) * 41)
    assert np.exp(calibrate.fit(rows)[0]) == pytest.approx(0.4, rel=1e-9)
    log_mfu[7] += 5
    assert np.exp(calibrate.fit(rows)[0]) == pytest.approx(0.4, rel=0.02)


def test_weighted_quantiles_by_hand() -> None:
    values, weight = np.array([3.0, 1.0, 2.0]), np.ones(3)
    assert calibrate.quantile(values, weight, 0.5) == 2.0
    assert calibrate.quantile(values, weight, 0.0) == 1.0
    assert calibrate.quantile(values, np.array([1e9, 1.0, 1.0]), 0.5) == pytest.approx(3.0, rel=1e-6)


# the rule


@given(SIZES, st.booleans(), st.sampled_from(["bf16", "fp8"]), st.sampled_from([2020, 2024]))
def test_mfu_lies_above_zero_and_never_above_the_ceiling(size: float, moe: bool, precision: str, year: int) -> None:
    mid, found = rule.predict(H100, precision, size, moe, year, CATALOG)
    ceiling = RULE.known("ceiling").mid
    assert 0.02 < found.mfu.low < found.mfu.mid <= ceiling
    assert found.mfu.high <= ceiling
    assert found.mfu.mid == mid


@given(SIZES, st.floats(1.01, 100.0))
def test_larger_models_reach_no_less(size: float, factor: float) -> None:
    assert mfu(size * factor) >= mfu(size) * (1 - 1e-12)


def test_size_has_no_effect_outside_the_measured_bound() -> None:
    bound = RULE.known("params_bound")
    assert mfu(bound.high) == mfu(10 * bound.high)
    assert mfu(bound.low) == mfu(bound.low / 10)
    assert mfu(bound.high) > 1.1 * mfu(bound.low)


@given(SIZES)
def test_fp8_is_faster_than_bf16_and_never_twice_as_fast(size: float) -> None:
    bf16, fp8 = (mfu(size, p) * rule.peak_flop_per_s(H100, p) for p in ("bf16", "fp8"))
    assert 1.0 < fp8 / bf16 < 2.0


@given(SIZES)
def test_a_mixture_of_experts_reaches_less_than_a_dense_model_of_its_active_size(size: float) -> None:
    assert 0.3 < mfu(size, moe=True) / mfu(size) < 1.0


def test_software_before_2023_reached_less() -> None:
    early = RULE.known("software_before_2023").mid
    assert mfu(1e11, year=2022) / mfu(1e11, year=2023) == pytest.approx(early, rel=1e-12)
    assert 0.4 < early < 1.0


def test_an_unmeasured_generation_has_a_wider_range_and_says_so() -> None:
    measured = {name.removeprefix("generation:") for r in CATALOG.rows(rule.TABLE) if (name := str(r["id"]))}
    device = next(a for a in CATALOG.accelerators() if a.generation == "Turing" and dict(a.peak_flop_per_s).get("fp16"))
    assert rule.generation_of(device) not in measured
    _, unknown = rule.predict(device, "fp16", 7e9, False, 2025, CATALOG)
    _, known = rule.predict(H100, "bf16", 7e9, False, 2025, CATALOG)
    assert (unknown.is_measured, known.is_measured) == (False, True)
    assert unknown.note == "no training throughput of Turing devices was measured nearby: the range is wider"
    assert unknown.mfu.low / unknown.mfu.mid < known.mfu.low / known.mfu.mid
    assert unknown.mfu.high / unknown.mfu.mid > known.mfu.high / known.mfu.mid


def test_arrays_of_sizes_give_what_single_sizes_give() -> None:
    sizes = np.array([1e8, 7e9, 70e9, 405e9, 1e12])
    together, first = rule.predict(H100, "bf16", sizes, False, 2025, CATALOG)
    np.testing.assert_allclose(together, [mfu(s) for s in sizes], rtol=1e-14)
    assert first.mfu.mid == together[0]


def test_a_precision_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="precision = 'fp8': a100-sxm4-80gb has no fp8 peak; choose one of"):
        rule.predict(CATALOG.accelerator("a100"), "fp8", 7e9, False, 2025, CATALOG)


# neighbours


def test_neighbours_come_nearest_first_and_differ_in_source_or_model() -> None:
    found = nearest(H100, 70e9, False, "bf16", 1024, 8192, CATALOG, most=12)
    distances = [n.distance_ratio for n in found]
    assert len(found) == 12
    assert distances == sorted(distances)
    assert len({(n.source, n.model) for n in found}) == 12


def test_a_measured_configuration_is_its_own_nearest_neighbour() -> None:
    checked = 0
    for row in [r for r in calibrate.measured_rows(CATALOG) if r["std_causal_mfu"]][::97]:
        device = CATALOG.accelerator(str(row["accelerator"]))
        size = float(row["active_params"] or row["params"])
        count, length = (int(row[c]) if row[c] else None for c in ("accelerator_count", "seq_len"))
        first, *_ = nearest(device, size, bool(row["n_experts"]), str(row["precision"]), count, length, CATALOG)
        assert first.distance_ratio == 0.0, row["id"]
        assert first.accelerator == device.id
        checked += 1
    assert checked >= 5


def test_neighbours_of_another_generation_lie_farther() -> None:
    own = nearest(H100, 7e9, False, "bf16", None, None, CATALOG)[0]
    other = nearest(CATALOG.accelerator("v100-sxm2-32gb"), 7e9, False, "fp16", None, None, CATALOG)[0]
    assert own.distance_ratio < other.distance_ratio
    assert own.distance_ratio < 1.0


def test_the_rule_lies_within_a_factor_of_two_of_the_measured_neighbours() -> None:
    """Tuned tables over the share that whole runs keep: the rule is below them, not far below."""
    for size in (7e9, 70e9, 405e9):
        near = nearest(H100, size, False, "bf16", None, None, CATALOG, most=5)
        middle = float(np.median([n.mfu for n in near]))
        assert 0.5 < mfu(size) / middle < 1.5


@pytest.mark.parametrize("device", ["b200", "gb200", "mi355x"])
def test_fewer_bits_are_never_slower_and_unmeasured_precisions_gain_nothing(device: str) -> None:
    def hours(precision: str) -> float:
        words = {"params": "70B", "tokens": "1T", "accelerator": device, "precision": precision}
        return float(footprint.estimate(**words).usage.accelerator_hours.mid)  # type: ignore[arg-type]

    assert hours("fp4") < hours("fp8") < hours("bf16")


def test_a_precision_that_was_never_measured_has_the_share_of_its_own_peak_and_says_so() -> None:
    def mfu(precision: str) -> footprint.Result:
        return footprint.estimate(params="7B", tokens="1T", accelerator="h100-sxm", precision=precision)

    plain, half = mfu("bf16"), mfu("tf32")
    assert plain.usage.lines[0].mfu is not None
    assert half.usage.lines[0].mfu is not None
    assert half.usage.lines[0].mfu.mid == pytest.approx(plain.usage.lines[0].mfu.mid, rel=1e-12)
    assert any("tf32 on Hopper was measured nearby" in note for note in half.notes)
