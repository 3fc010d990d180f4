"""The throughput model: its fit is the shipped table, its physics holds everywhere, its neighbours are near."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import footprint
from footprint.catalog import open_catalog
from footprint.catalog.peaks import generation_of
from footprint.errors import InputError, UnknownName
from footprint.estimation.reached import read_layout
from footprint.throughput import knots, layouts, measured, rule, whole_run
from footprint.throughput.neighbours import nearest
from footprint.throughput.setting import Setting, broadcast, ceiling_share, hardware_of, scalars, shape_of_size
from footprint.throughput.steady import PARTS, Layouts, mfu, step_parts, tokens_per_s

ROOT = Path(__file__).resolve().parent.parent
CATALOG = open_catalog()
RULE = rule.Rule(CATALOG)
CONSTANTS = RULE.constants
USABLE = CATALOG.constant("usable_memory_share").mid
DEVICES = ("h100-sxm", "a100-80gb", "b200", "gb200", "tpu-v5p", "mi300x", "v100-32gb", "rtx-4090", "h100-pcie")
SIZES = st.floats(1e8, 2e12)
COUNTS = st.integers(0, 14).map(lambda power: float(2**power))
LENGTHS = st.sampled_from([512.0, 2048.0, 8192.0, 32768.0, 131072.0])
TENSORS = st.sampled_from([1.0, 2.0, 4.0, 8.0])
PIPELINES = st.sampled_from([1.0, 2.0, 4.0, 8.0])


def setting(
    params: float = 7e9,
    active: float | None = None,
    device: str = "h100-sxm",
    precision: str | None = None,
    count: float = 512.0,
    batch: float = 4e6,
    length: float = 4096.0,
    year: float = 2025.0,
    vendor: float = 1.0,
) -> Setting:
    accelerator = CATALOG.accelerator(device)
    precision = precision or ("bf16" if dict(accelerator.peak_flop_per_s).get("bf16") else "fp16")
    hardware = hardware_of(accelerator, precision, RULE.generation_ratio(accelerator), CATALOG)
    shape = shape_of_size(params, active or params, 100_000.0, length)
    found: Setting = scalars(Setting(shape, hardware, count, max(batch, length), year, vendor, 2.0, 2.0, 12.0))
    return found


def one(tensor: float = 1.0, pipeline: float = 1.0, micro_batch: float = 1.0, zero: float = 1.0) -> Layouts:
    chunks = 2.0 if pipeline > 1 else 1.0
    return Layouts(tensor, pipeline, 1.0, 1.0, micro_batch, zero, chunks, 0.0)


def steady(given: Setting, layout: Layouts) -> float:
    return float(mfu(given, layout, RULE.constants))


def searched(given: Setting, **fixed: float) -> float:
    return layouts.fastest(given, fixed, USABLE, RULE.constants)[1]


def predicted(device: str = "h100-sxm", precision: str = "bf16", **words: Any) -> rule.Throughput:
    return rule.predict(
        setting(device=device, precision=precision, **words), CATALOG.accelerator(device), precision, {}, CATALOG
    )


# physics, over the whole input space


@given(SIZES, COUNTS, LENGTHS, st.sampled_from(DEVICES), TENSORS, PIPELINES, st.floats(1e4, 1e9))
def test_no_layout_passes_the_measured_matmul_ceiling(
    size: float, count: float, length: float, device: str, tensor: float, pipeline: float, batch: float
) -> None:
    found = steady(setting(size, device=device, count=count, length=length, batch=batch), one(tensor, pipeline))
    assert 0 < found <= ceiling_share(CATALOG.accelerator(device), CATALOG)


@given(SIZES, COUNTS, LENGTHS, st.sampled_from(DEVICES), TENSORS, PIPELINES, st.floats(1.0, 64.0))
def test_throughput_falls_with_count_at_a_fixed_batch(
    size: float, count: float, length: float, device: str, tensor: float, pipeline: float, factor: float
) -> None:
    fewer = setting(size, device=device, count=count * tensor * pipeline, length=length, batch=64 * length)
    more = replace(fewer, accelerator_count=fewer.accelerator_count * factor)
    assert steady(more, one(tensor, pipeline)) <= steady(fewer, one(tensor, pipeline)) * (1 + 1e-9)


@given(SIZES, COUNTS, LENGTHS, st.sampled_from(DEVICES), TENSORS, PIPELINES, st.floats(1.0, 64.0))
def test_throughput_rises_with_the_batch_on_the_same_devices(
    size: float, count: float, length: float, device: str, tensor: float, pipeline: float, factor: float
) -> None:
    small = setting(size, device=device, count=count * tensor * pipeline, length=length, batch=8 * length)
    large = replace(small, global_batch_tokens=small.global_batch_tokens * factor)
    for zero in (1.0, 3.0):
        layout = one(tensor, pipeline, zero=zero)
        assert steady(large, layout) >= steady(small, layout) * (1 - 1e-9)


@given(SIZES, COUNTS, LENGTHS, st.sampled_from(DEVICES), TENSORS, PIPELINES)
def test_faster_links_memory_and_network_never_slow_a_step(
    size: float, count: float, length: float, device: str, tensor: float, pipeline: float
) -> None:
    plain = setting(size, device=device, count=count * tensor * pipeline, length=length)
    before = steady(plain, one(tensor, pipeline, zero=3.0))
    for name in ("link_bytes_per_s", "network_bytes_per_s", "memory_bytes_per_s"):
        hardware = replace(plain.hardware, **{name: getattr(plain.hardware, name) * 3})
        assert steady(replace(plain, hardware=hardware), one(tensor, pipeline, zero=3.0)) >= before * (1 - 1e-9), name


@given(SIZES, LENGTHS, st.sampled_from([2.0, 4.0, 8.0, 16.0]), st.sampled_from([1.0, 2.0, 8.0]), st.floats(1.0, 64.0))
def test_no_schedule_is_faster_than_one_micro_batch_through_all_stages(
    size: float, length: float, pipeline: float, chunks: float, batches: float
) -> None:
    plain = setting(size, count=pipeline, length=length, batch=batches * length)
    parts = step_parts(plain, replace(one(1, pipeline), chunks=chunks), CONSTANTS)
    step, waiting, gradients = (
        float(np.ravel(x)[0]) for x in (sum(parts.values()), parts["waiting"], parts["gradients"])
    )
    micro_batch_s = (step - waiting - gradients) / batches
    assert step >= micro_batch_s * max(pipeline, batches) * (1 - 1e-9)


def test_before_fused_attention_scores_are_kept_and_large_models_recompute() -> None:
    """Korthikanti et al. 2022, table 2: GPT-3 on 80 GB at tp 8, pp 8 needs recomputation without its two remedies."""
    words: dict[str, Any] = {"params": 175e9, "device": "a100-80gb", "count": 64.0, "batch": 131072.0, "length": 2048.0}
    shares = []
    for year in (2022.0, 2023.0):
        found, *_ = layouts.fastest(setting(**words, year=year), {"tensor": 8.0, "pipeline": 8.0}, USABLE, CONSTANTS)
        shares.append(float(found.recomputed_share[0]))
    assert shares[0] >= shares[1] + 0.25


@given(SIZES, COUNTS, LENGTHS, TENSORS, PIPELINES, st.floats(0, 1))
def test_recomputation_costs_time_and_saves_memory(
    size: float, count: float, length: float, tensor: float, pipeline: float, share: float
) -> None:
    plain = setting(size, count=count * tensor * pipeline, length=length)
    kept = one(tensor, pipeline)
    again = replace(kept, recomputed_share=share)
    assert steady(plain, again) <= steady(plain, kept)
    assert steady(plain, again) >= steady(plain, kept) * 2 / 3 * (1 - 1e-9)  # exchanges grow by half
    arrays = [replace(x, **{f: np.array([getattr(x, f)]) for f in x.__dataclass_fields__}) for x in (kept, again)]
    taken = [float(layouts.filled(plain, x, USABLE)[2][0]) for x in arrays]
    assert taken[1] <= taken[0] * (1 + 1e-9) + 1e6 * share * length


@given(SIZES, COUNTS, st.sampled_from(["h100-sxm", "b200", "gb200"]), TENSORS)
def test_eight_bits_gain_and_never_double(size: float, count: float, device: str, tensor: float) -> None:
    rates = [
        float(
            tokens_per_s(setting(size, device=device, precision=p, count=count * tensor), one(tensor), RULE.constants)
        )
        for p in ("bf16", "fp8")
    ]
    assert rates[0] * 0.8 < rates[1] < rates[0] * 2


def test_eight_bits_gain_more_on_wider_models() -> None:
    """Measured: 1.34 at 8B, 1.34 to 1.43 at 70B, 1.56 at 405B (Megatron-Bridge, DGXC; H100).

    At this batch the 405B fills its pipeline with few micro-batches, so it gains as much as the 70B and no more.
    """
    gains = []
    for size in (1e9, 8e9, 70e9, 405e9):
        bf16, fp8 = (searched(setting(size, precision=p, count=2048, batch=8e6, length=8192)) for p in ("bf16", "fp8"))
        gains.append(fp8 / bf16)
    assert gains[:3] == sorted(gains[:3])
    assert gains[3] > 0.99 * gains[2]
    assert 1.25 < gains[1] < 1.5
    assert 1.4 < gains[3] < 1.7


def test_pcie_is_slower_than_nvlink_once_matrices_are_split() -> None:
    fast = setting(70e9, device="h100-sxm", count=64)
    slow = replace(fast, hardware=replace(fast.hardware, link_bytes_per_s=16e9, network_bytes_per_s=12.5e9))
    assert steady(slow, one(8)) < steady(fast, one(8)) / 2
    assert steady(slow, one(1)) > steady(fast, one(1)) / 2


def test_tensor_parallelism_beyond_the_node_costs_what_sweeps_measured() -> None:
    """hf-ultrascale, best of each at up to 64 H100: tp 8 inside the node 0.37, tp 16 across nodes 0.25."""
    inside, outside = (steady(setting(9e9, count=64, batch=1e6), one(tp)) for tp in (8.0, 16.0))
    assert 0.4 < outside / inside < 0.8


def test_chips_of_a_pod_exchange_over_its_fast_links() -> None:
    """Sharded over 256 chips of a v5p pod a step hardly waits; joined by eight only, it would cross the network."""
    pod = setting(30e9, device="tpu-v5p", count=256, batch=2e6)
    assert pod.hardware.domain_count >= 256
    joined = replace(pod, hardware=replace(pod.hardware, domain_count=8.0))
    together, apart = (steady(plain, one(zero=3.0)) for plain in (pod, joined))
    assert apart < together
    parts = step_parts(pod, one(zero=3.0), CONSTANTS)
    assert float(np.ravel(parts["gradients"])[0]) < 0.05 * sum(float(np.ravel(part)[0]) for part in parts.values())


def test_long_sequences_cost_attention() -> None:
    parts = [step_parts(setting(7e9, length=s), one(), RULE.constants) for s in (4096.0, 131072.0)]
    shares = [float(p["attention"] / sum(p.values())) for p in parts]
    assert shares[0] < 0.25
    assert shares[1] > 0.6


def test_a_mixture_reaches_less_than_a_dense_model_of_its_active_size() -> None:
    for device in ("h100-sxm", "b200"):
        dense = searched(setting(30e9, device=device, count=256))
        mixture = searched(setting(300e9, 30e9, device=device, count=256))
        assert 0.3 < mixture / dense < 0.95


def test_the_parts_of_a_step_are_all_there_and_none_is_negative() -> None:
    for params, active in ((7e9, 7e9), (600e9, 37e9)):
        parts = step_parts(setting(params, active, count=1024, length=8192), one(4, 4), RULE.constants)
        assert tuple(sorted(parts)) == tuple(sorted(PARTS))
        assert all(float(np.ravel(value)[0]) >= 0 for value in parts.values())


# measured slopes


def test_mlperf_405b_loses_within_a_point_of_three_percent_for_each_doubling() -> None:
    """MLPerf Training v5.0, Llama 3.1 405B in FP8 on 512 to 8,192 H100: -3 % for each doubling. 1 point."""
    rows = [r for r in CATALOG.rows("mlperf") if r["benchmark"] == "llama31_405b" and "h100" in str(r["accelerator"])]
    counts = np.log2([float(r["accelerator_count"]) for r in rows])  # type: ignore[arg-type]
    assert (counts.min(), counts.max()) == (9, 13)
    data = measured.measured(CATALOG)
    found, reached = [], []
    for row in rows:
        place = data.labels.index(str(row["id"]))
        own = scalars(layouts.at(data.settings, place))
        device = CATALOG.accelerator(str(row["accelerator"]))
        own = replace(own, hardware=replace(own.hardware, generation_ratio=RULE.generation_ratio(device)))
        found.append(math.log(searched(own)))
        reached.append(float(data.log_mfu[place]))
    slopes = [100 * (math.exp(float(np.polyfit(counts, logs, 1)[0])) - 1) for logs in (reached, found)]
    assert slopes[0] == pytest.approx(-3.2, abs=0.3)
    assert slopes[1] == pytest.approx(-3.0, abs=1.0)


def test_weak_scaling_is_nearly_flat() -> None:
    """53 measured series: -0.6 % for each doubling in the median, -1.9 % at the tenth percentile. 1.3 points."""
    logs = [math.log(searched(setting(70e9, count=n, batch=8192.0 * n))) for n in (64.0, 256.0, 1024.0, 4096.0)]
    slope = (logs[-1] - logs[0]) / 6
    assert -0.019 < slope < 0.001


# the search


@given(SIZES, COUNTS, LENGTHS, st.sampled_from(DEVICES))
@settings(max_examples=60)
def test_a_found_layout_fits_and_nothing_that_is_fixed_is_faster(
    size: float, count: float, length: float, device: str
) -> None:
    plain = setting(size, device=device, count=count, length=length)
    found, reached, taken, fits = layouts.fastest(plain, {}, USABLE, RULE.constants)
    assume(fits)
    assert taken <= USABLE * plain.hardware.memory_bytes * (1 + 1e-6)
    assert float((found.tensor * found.pipeline * found.context)[0]) <= count
    for fixed in ({"tensor": 1.0}, {"pipeline": 4.0}, {"micro_batch": 1.0}):
        if fixed.get("pipeline", 1.0) > min(count, float(plain.shape.n_layers)):
            continue
        _, other, _, still_fits = layouts.fastest(plain, fixed, USABLE, RULE.constants)
        if still_fits:
            assert other <= reached * (1 + 1e-9), fixed


def test_what_is_fixed_is_kept() -> None:
    found, *_ = layouts.fastest(
        setting(70e9, count=256), {"tensor": 4.0, "pipeline": 2.0, "recomputed_share": 0.5}, USABLE, RULE.constants
    )
    assert (found.tensor[0], found.pipeline[0], found.recomputed_share[0]) == (4.0, 2.0, 0.5)


def test_small_models_are_not_split_and_large_ones_must_be() -> None:
    small, *_ = layouts.fastest(setting(1e9, count=8), {}, USABLE, RULE.constants)
    large, *_ = layouts.fastest(setting(405e9, count=16384, batch=16e6), {}, USABLE, RULE.constants)
    assert float(small.tensor[0] * small.pipeline[0]) == 1
    assert float(large.tensor[0] * large.pipeline[0]) >= 32


def test_many_settings_at_once_are_so_many_searches() -> None:
    sizes = np.array([1e9, 7e9, 70e9, 405e9])
    together = broadcast(setting(7e9, count=1024), (4,))
    together = replace(together, shape=shape_of_size(sizes, sizes, 100_000.0, np.full(4, 4096.0)))
    found = layouts.fastest_of_many(together, {}, USABLE, RULE.constants)
    np.testing.assert_allclose(found, [searched(setting(s, count=1024)) for s in sizes], rtol=1e-12)


def test_between_knots_a_million_scenarios_are_what_each_would_be() -> None:
    """2 % between knots: layouts change in steps, their best changes little."""
    sizes = np.geomspace(1e9, 400e9, 3001)

    def reached(points: Any) -> Any:
        own = points["active_params"]
        many = broadcast(setting(7e9, count=1024), (len(own),))
        return layouts.fastest_of_many(
            replace(many, shape=shape_of_size(own, own, 100_000.0, np.full(len(own), 4096.0))),
            {}, USABLE, RULE.constants,
        )  # fmt: skip

    found = knots.over_scenarios(reached, {"active_params": sizes})
    some = slice(None, None, 300)
    np.testing.assert_allclose(found[some], reached({"active_params": sizes[some]}), rtol=0.02)


# what users fix


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tp=8,pp=16", {"tensor": 8.0, "pipeline": 16.0}),
        ("zero=3, recompute=full", {"zero_stage": 3.0, "recomputed_share": 1.0}),
        ({"micro_batch": 2, "recompute": "25%"}, {"micro_batch": 2.0, "recomputed_share": 0.25}),
    ],
)
def test_a_layout_is_read_as_people_write_it(text: Any, told: dict[str, float]) -> None:
    assert read_layout(text) == told


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("tp8", InputError, "layout = 'tp8': is not PART=NUMBER"),
        ("tpp=8", UnknownName, "did you mean"),
        ("tp=0", InputError, "must be a whole number from 1"),
        ("zero=4", InputError, "must be a whole number from 0 to 3"),
        ("recompute=2", InputError, "must be from 0 to 1"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        read_layout(text)


def test_a_layout_that_does_not_divide_the_devices_is_refused() -> None:
    with pytest.raises(InputError, match=r"8 x 3 x 1.*does not divide 512 accelerators"):
        footprint.estimate(params="7B", tokens="1T", accelerator="h100-sxm", count=512, layout="tp=8,pp=3")


def test_an_estimate_carries_its_layout_and_says_what_was_fixed() -> None:
    words: dict[str, Any] = {"params": "70B", "tokens": "2T", "accelerator": "h100-sxm", "count": 512, "year": 2025}
    free, fixed = footprint.estimate(**words), footprint.estimate(**words, layout="tp=2,recompute=full")
    assert free.plan is not None
    assert fixed.plan is not None
    found, told = free.plan.stages[0].layout, fixed.plan.stages[0].layout
    assert found is not None
    assert told is not None
    assert found.tensor * found.pipeline * found.context * found.data == 512
    assert sum(share for _, share in found.time_shares) == pytest.approx(1, abs=1e-9)
    assert (told.tensor, told.recomputed_share) == (2, 1.0)
    assert fixed.usage.accelerator_hours.mid > free.usage.accelerator_hours.mid
    assert {"pretrain.layout.tensor", "pretrain.layout.recomputed_share"} <= {a.field for a in fixed.ledger}
    assert "Layout: tp 2" in fixed.to("text")


def test_the_makers_own_stack_is_faster_and_a_named_other_is_not_taken_for_it() -> None:
    words: dict[str, Any] = {"params": "70B", "tokens": "2T", "accelerator": "h100-sxm", "count": 512, "year": 2025}
    hours = {
        name: footprint.estimate(**words, **({"framework": name} if name else {})).usage.accelerator_hours.mid
        for name in ("", "megatron-lm", "torchtitan")
    }
    assert hours[""] == hours["megatron-lm"]
    assert 1.02 < hours["torchtitan"] / hours["megatron-lm"] < 1.4


# ranges and gaps


def test_an_unmeasured_generation_has_a_wider_range_and_says_so() -> None:
    names = {str(r["id"]).removeprefix("generation:") for r in CATALOG.rows(rule.TABLE)}
    device = next(a for a in CATALOG.accelerators() if a.generation == "Turing" and dict(a.peak_flop_per_s).get("fp16"))
    assert generation_of(device) not in names
    unknown, known = predicted(device.id, "fp16", params=1e9, count=8), predicted(params=1e9, count=8)
    assert (unknown.is_measured, known.is_measured) == (False, True)
    assert unknown.note == "no training throughput of Turing devices was measured nearby: the range is wider"
    for name in ("mfu", "steady_mfu"):
        wide, narrow = getattr(unknown, name), getattr(known, name)
        assert wide.low / wide.mid < narrow.low / narrow.mid
    assert unknown.mfu.high / unknown.mfu.mid > known.mfu.high / known.mfu.mid


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"count": 131072.0}, "no training on 131,072 accelerators"),
        ({"params": 1e7}, "no training of a model of 1e+07 parameters"),
        ({"length": 4e6, "batch": 4e8}, "no training at a length of 4,000,000 tokens"),
        ({"count": 16384.0, "batch": 4096.0}, "no training with 0.25 tokens a step and accelerator"),
    ],
)
def test_what_was_never_measured_nearby_says_so_and_has_a_wider_range(words: dict[str, float], told: str) -> None:
    near, far = predicted(), predicted(**words)
    assert far.note == f"{told} was measured nearby: the range is wider"
    assert near.is_measured
    assert not far.is_measured
    assert far.steady_mfu.low / far.steady_mfu.mid < near.steady_mfu.low / near.steady_mfu.mid


def test_a_users_own_accelerator_is_predicted_from_its_peak_bandwidth_and_links(tmp_path: Path) -> None:
    with (ROOT / "data/accelerators.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    row = next(r for r in rows if r["id"] == "h100-sxm5-80gb") | {
        "id": "novel-1", "aliases": "", "nvml_names": "", "generation": "Novel", "vendor": "novel",
    }  # fmt: skip
    slow = row | {"id": "novel-2", "link_gb_per_s": "16", "memory_bandwidth_gb_per_s": "400"}
    with (tmp_path / "accelerators.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows([row, slow])
    words: dict[str, Any] = {"params": "70B", "tokens": "1T", "count": 256, "country": "FR", "data": tmp_path}
    fast, starved = (footprint.estimate(accelerator=name, **words) for name in ("novel-1", "novel-2"))
    assert any("Novel devices was measured nearby" in note for note in fast.notes)
    assert starved.usage.accelerator_hours.mid > 1.5 * fast.usage.accelerator_hours.mid


@given(SIZES, COUNTS, st.sampled_from([2020.0, 2024.0]))
@settings(max_examples=40)
def test_ranges_are_ranges_and_never_pass_the_ceiling(size: float, count: float, year: float) -> None:
    found = predicted(params=size, count=count, year=year)
    ceiling = ceiling_share(CATALOG.accelerator("h100-sxm"), CATALOG)
    for one_range in (found.mfu, found.steady_mfu):
        assert 0 < one_range.low < one_range.mid <= one_range.high <= ceiling
    assert found.mfu.mid <= found.steady_mfu.mid
    assert 0 <= found.goodput.low <= found.goodput.mid <= found.goodput.high <= 1


def test_small_runs_are_less_certain_than_large_ones() -> None:
    errors = RULE.run_errors()
    widths = [errors.at(size).high / errors.at(size).low for size in (1e9, 3e9, 1e10, 7e10, 4e11)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[-1]


def test_software_before_2023_reached_less() -> None:
    early, late = (predicted("a100-80gb", params=1e11, year=y).mfu.mid for y in (2022.0, 2023.0))
    assert 0.5 < early / late < 0.8


def test_a_precision_that_the_device_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="precision = 'fp8': a100-sxm4-80gb has no fp8 peak; choose one of"):
        predicted("a100-80gb", "fp8")


@pytest.mark.parametrize("device", ["b200", "gb200"])
def test_fewer_bits_are_never_slower(device: str) -> None:
    def hours(precision: str) -> float:
        words = {"params": "70B", "tokens": "1T", "accelerator": device, "precision": precision}
        return float(footprint.estimate(**words).usage.accelerator_hours.mid)  # type: ignore[arg-type]

    assert hours("fp4") < hours("fp8") < hours("bf16")


def test_a_precision_that_was_never_measured_says_so_and_has_a_wider_range() -> None:
    plain, other = predicted(), predicted(precision="tf32")
    assert "tf32 on Hopper" in other.note
    assert other.mfu.low / other.mfu.mid < plain.mfu.low / plain.mfu.mid


# failures


def test_goodput_falls_with_count_and_holds_what_llama_3_reported() -> None:
    """arXiv 2407.21783, section 3.3.4: over 90 % effective training time on 16,384 H100."""
    counts = np.array([8.0, 512.0, 16384.0, 131072.0])
    low, mid, high = whole_run.goodput_ends(counts, CATALOG)
    assert list(mid) == sorted(mid, reverse=True)
    assert 0.90 < mid[2] < 0.95
    assert all(low <= mid)
    assert all(mid <= high)


# neighbours


def test_neighbours_come_nearest_first_and_differ_in_source_or_model() -> None:
    found = nearest(CATALOG.accelerator("h100-sxm"), 70e9, False, "bf16", 1024, 8192, CATALOG, most=12)
    distances = [n.distance_ratio for n in found]
    assert len(found) == 12
    assert distances == sorted(distances)
    assert len({(n.source, n.model) for n in found}) == 12


def test_a_measured_configuration_is_its_own_nearest_neighbour() -> None:
    checked = 0
    for row in [r for r in measured.measured_rows(CATALOG) if r["std_causal_mfu"]][::97]:
        device = CATALOG.accelerator(str(row["accelerator"]))
        size = float(row["active_params"] or row["params"])  # type: ignore[arg-type]
        count, length = (int(row[c]) if row[c] else None for c in ("accelerator_count", "seq_len"))  # type: ignore[arg-type]
        first, *_ = nearest(device, size, bool(row["n_experts"]), str(row["precision"]), count, length, CATALOG)
        assert first.distance_ratio == 0.0, row["id"]
        assert first.accelerator == device.id
        checked += 1
    assert checked >= 5


def test_neighbours_of_another_generation_lie_farther() -> None:
    own = nearest(CATALOG.accelerator("h100-sxm"), 7e9, False, "bf16", None, None, CATALOG)[0]
    other = nearest(CATALOG.accelerator("v100-sxm2-32gb"), 7e9, False, "fp16", None, None, CATALOG)[0]
    assert own.distance_ratio < other.distance_ratio
    assert own.distance_ratio < 1.0


def test_the_prediction_lies_near_its_measured_neighbours() -> None:
    for size, count in ((7e9, 64), (70e9, 256), (405e9, 1024)):
        near = nearest(CATALOG.accelerator("h100-sxm"), size, False, "bf16", count, None, CATALOG, most=5)
        middle = float(np.median([n.mfu for n in near]))
        assert 0.75 < predicted(params=size, count=count).steady_mfu.mid / middle < 1.3


@given(
    st.sampled_from(DEVICES),
    SIZES,
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([2.0, 8.0]),
    st.sampled_from([1.0, 8.0, 64.0]),
)
def test_exchanges_hide_behind_computation_but_never_cost_less_than_nothing(
    device: str, params: float, vendor: float, tensor: float, expert: float
) -> None:
    layout = replace(one(tensor), expert=expert)
    given = setting(params, params / 8, device, vendor=vendor)
    parts = step_parts(given, layout, RULE.constants)
    bare = replace(RULE.constants, tensor_window_share=1e-9, expert_window_share=1e-9)
    without = step_parts(given, layout, bare)
    for name in ("tensor", "expert"):
        assert -1e-12 <= parts[name] <= without[name] + 1e-12
    assert parts["tensor"] < without["tensor"] * 0.99 or not vendor


def test_a_named_node_has_its_own_network() -> None:
    """AWS p4d: EFA 4 x 100 Gb/s for eight A100, against 8 x 200 of a DGX A100."""
    words: dict[str, Any] = {"params": "70B", "tokens": "1T", "accelerator": "a100-40gb", "count": 1024}
    slow, fast = (footprint.estimate(**words, node=node) for node in ("aws-p4d.24xlarge", "dgx-a100-320"))
    assert slow.usage.accelerator_hours.mid > fast.usage.accelerator_hours.mid * 1.01
    told = {line.field.split(".")[-1]: line for line in slow.ledger}
    assert (told["node"].value, told["node"].origin) == ("aws-p4d.24xlarge", "given")


def test_what_a_measured_row_states_in_part_is_kept_and_the_rest_is_searched() -> None:
    rows = {str(row["id"]): row for row in measured.measured_rows(CATALOG)}
    found = measured.stated_layout(rows["bigscience-0118"])  # its source states no batch
    assert found == {"tensor": 8.0, "pipeline": 10.0, "micro_batch": 1.0, "recomputed_share": 1.0}
    share = measured.stated_layout(rows["maxtext-tpu-0010"])["recomputed_share"]
    assert 0.7 < share < 0.9
