"""The estimator: physics of a plan, its stages, its derivation, sweeps, and what is said once."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planned import CONFIGS, LONG, PRETRAIN, estimate, flop

import footprint
from footprint import units
from footprint.errors import InputError
from footprint.estimation import doors
from footprint.formulas import compute, energy, impact
from footprint.report.layout import to_narrow
from footprint.values import ORIGINS, Range

MIXTRAL = "mixtral-8x7b"
PRESETS = ("llama-3.1-405b", "gpt-3", "bloom", "palm-540b", "deepseek-v3", MIXTRAL, "gpt-4o")
SLOWLY = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
COUNTS = st.integers(16, 16384)
TOKENS = st.floats(1e9, 2e13)
SIZES = st.floats(1e8, 2e11)


def staged(*stages: dict[str, Any], **words: Any) -> footprint.Result:
    return estimate(stages=list(stages), tokens=None, **words)


def preset(name: str) -> footprint.Result:
    """A preset; of Mixtral neither tokens nor device are published."""
    return (
        footprint.estimate(name, tokens="2T", accelerator="h100-sxm") if name == MIXTRAL else footprint.estimate(name)
    )


def ranges(record: Any, path: str = "") -> Iterator[tuple[str, Range]]:
    """Every Range in a record, with the path that leads to it."""
    if isinstance(record, Range):
        yield path, record
    elif dataclasses.is_dataclass(record):
        for field in dataclasses.fields(record):
            yield from ranges(getattr(record, field.name), f"{path}.{field.name}")
    elif isinstance(record, tuple):
        for i, item in enumerate(record):
            yield from ranges(item, f"{path}[{i}]")


# physics


@SLOWLY
@given(SIZES, TOKENS, st.floats(1.1, 8.0))
def test_more_tokens_are_as_many_times_the_flop_hours_and_energy(size: float, tokens: float, factor: float) -> None:
    once, more = (estimate(params=size, tokens=t) for t in (tokens, tokens * factor))
    for quantity in ("training_flop", "accelerator_hours", "it_energy_kwh", "wall_clock_h"):
        for end in ("low", "mid", "high"):
            one, other = (getattr(getattr(r.usage, quantity), end) for r in (once, more))
            assert other == pytest.approx(one * factor, rel=1e-9), (quantity, end)
    assert more.total_location_kgco2e.mid == pytest.approx(once.total_location_kgco2e.mid * factor, rel=1e-9)


@SLOWLY
@given(SIZES, TOKENS, COUNTS, st.sampled_from(["FR", "PL", "US"]))
def test_every_range_rises_is_finite_and_no_amount_is_negative(
    size: float, tokens: float, count: int, country: str
) -> None:
    found = list(ranges(estimate(params=size, tokens=tokens, count=max(count, 256), country=country)))
    assert len(found) > 60
    for path, value in found:
        assert 0 <= value.low <= value.mid <= value.high < math.inf, path


@SLOWLY
@given(SIZES, TOKENS, st.sampled_from(["h100-sxm", "a100", "tpu-v4", "v100-sxm2-32gb"]))
def test_the_facility_uses_at_least_what_its_computers_do(size: float, tokens: float, device: str) -> None:
    found = estimate(params=size, tokens=tokens, accelerator=device, count=None)
    for one in (found.facility, found.model_card):
        for end in ("low", "mid", "high"):
            assert getattr(one.facility_energy_kwh, end) >= getattr(one.it_energy_kwh, end)


@SLOWLY
@given(COUNTS, st.integers(2, 8))
def test_more_devices_take_fewer_days_and_as_many_hours_at_a_given_mfu(count: int, times: int) -> None:
    fixed = {"mfu": 0.4, "goodput": 0.9}
    few, many = (estimate(count=c, settings=fixed) for c in (count, count * times))
    assert few.usage.accelerator_hours == many.usage.accelerator_hours
    assert few.usage.it_energy_kwh == many.usage.it_energy_kwh
    assert few.usage.wall_clock_h is not None
    assert many.usage.wall_clock_h is not None
    assert few.usage.wall_clock_h.mid == pytest.approx(times * many.usage.wall_clock_h.mid, rel=1e-12)


def test_more_devices_take_fewer_days_and_at_a_fixed_batch_more_hours() -> None:
    """Memory frees and exchanges grow: from 256 devices on, a 7B never gains hours from more of them."""
    found = [estimate(count=c, batch_tokens="4M").usage for c in (256, 1024, 4096)]
    hours = [usage.accelerator_hours.mid for usage in found]
    assert hours == sorted(hours)
    assert hours[-1] > 1.03 * hours[0]
    days = [usage.wall_clock_h.mid for usage in found if usage.wall_clock_h]
    assert days == sorted(days, reverse=True)


@SLOWLY
@given(SIZES, TOKENS, COUNTS)
def test_estimate_sweep_and_hand_agree_to_the_last_digit(size: float, tokens: float, count: int) -> None:
    count = max(count, 256)
    words = {"accelerator": "h100-sxm", "country": "FR", "tokens": tokens, "count": count}
    one = estimate(**words, params=size)
    row = footprint.sweep(**{**words, "params": size, "tokens": [2 * tokens, tokens]}).iloc[1]
    stage = one.plan.stages[0] if one.plan else None
    assert stage is not None
    assert stage.mfu is not None
    assert stage.goodput is not None
    assert stage.power is not None
    power = {f.name: getattr(stage.power, f.name) for f in dataclasses.fields(stage.power)}
    watts = energy.accelerator_power_w(
        power["idle_node_w"].mid,
        power["max_node_w"].mid,
        energy.load_share(
            stage.goodput.mid,
            energy.training_load_share(stage.mfu.mid, power["half_load_mfu"].mid),
            power["stalled_load_share"].mid,
        ),
        power["network_w"].mid,
    )
    total = compute.stage_flop_update(tokens, 1.0, compute.training_flop_per_token_6nd(size))
    hours = energy.accelerator_hours(total, 0.0, stage.peak_flop_per_s, stage.mfu.mid, 0.15, stage.goodput.mid)
    facility = energy.facility_energy_kwh(energy.it_energy_kwh(hours, watts), one.site.pue.mid)
    carbon = impact.operational_location_kgco2e(facility, one.site.location_intensity_g_per_kwh.mid)
    assert one.usage.accelerator_hours.mid == row["accelerator_hours"] == hours
    assert one.facility.facility_energy_kwh.mid == row["facility_energy_kwh"] == facility
    assert one.facility.operational_location_kgco2e.mid == row["operational_location_kgco2e"] == carbon
    assert one.total_location_kgco2e.mid == carbon + row["embodied_kgco2e"]


@SLOWLY
@given(st.lists(SIZES, min_size=2, max_size=6))
def test_a_sweep_over_sizes_is_so_many_estimates(sizes: list[float]) -> None:
    """Each size is searched by itself; on arrays sums may differ in the last bits."""
    frame = footprint.sweep(params=sizes, tokens="1T", accelerator="h100-sxm", country="FR")
    for row, size in zip(frame.itertuples(), sizes, strict=True):
        one = estimate(params=size, count=None)
        assert row.training_flop == flop(one)
        assert row.accelerator_hours == pytest.approx(one.usage.accelerator_hours.mid, rel=1e-14)
        assert row.offsite_water_l == pytest.approx(one.facility.offsite_water_l.mid, rel=1e-14)


def test_a_given_mfu_sets_the_hours_by_hand() -> None:
    """6 x 7e9 x 1e12 / (989.4e12 x 0.4 x 0.9 x 3600) = 32,755 h."""
    found = estimate(settings={"mfu": 0.4, "goodput": 0.9})
    assert found.usage.accelerator_hours == Range.exactly(found.usage.accelerator_hours.mid)
    assert found.usage.accelerator_hours.mid == pytest.approx(4.2e22 / (989.4e12 * 0.36 * 3600), rel=1e-12)


def test_a_wider_mfu_widens_hours_energy_and_carbon() -> None:
    narrow, wide = (estimate(settings={"mfu": m}) for m in ("0.38:0.4:0.42", "0.2:0.4:0.6"))
    for quantity in (lambda r: r.usage.accelerator_hours, lambda r: r.total_location_kgco2e):
        assert quantity(wide).low < quantity(narrow).low
        assert quantity(wide).high > quantity(narrow).high
        assert quantity(wide).mid == quantity(narrow).mid


def test_the_grid_moves_carbon_in_proportion_and_hours_not_at_all() -> None:
    clean, dirty = (estimate(settings={"location_intensity_g_per_kwh": g}) for g in (50, 500))
    assert clean.usage.accelerator_hours == dirty.usage.accelerator_hours
    assert dirty.facility.operational_location_kgco2e.mid == pytest.approx(
        10 * clean.facility.operational_location_kgco2e.mid, rel=1e-12
    )
    assert clean.embodied_kgco2e == dirty.embodied_kgco2e


def test_one_node_has_no_network_and_draws_less() -> None:
    fixed = {"mfu": 0.4, "goodput": 0.9}
    within, beyond = (estimate(params="1B", count=c, settings=fixed) for c in (8, 16))
    assert within.usage.accelerator_hours == beyond.usage.accelerator_hours
    assert within.usage.it_energy_kwh.mid < beyond.usage.it_energy_kwh.mid
    assert within.plan is not None
    assert within.plan.stages[0].power is not None
    assert within.plan.stages[0].power.network_w == Range.exactly(0.0)


def test_fp8_takes_fewer_hours_than_bf16_and_more_than_half() -> None:
    bf16, fp8 = (estimate(precision=p).usage.accelerator_hours.mid for p in ("bf16", "fp8"))
    assert 0.5 < fp8 / bf16 < 1.0


def test_only_active_parameters_cost_flop() -> None:
    dense, sparse = estimate(params="13B"), estimate(params="47B", active_params="13B")
    assert flop(sparse) == flop(dense)
    assert sparse.usage.accelerator_hours.mid > dense.usage.accelerator_hours.mid  # a mixture reaches less MFU


# FLOP by architecture or by 6ND, and by kind of stage


def test_parameters_alone_mean_6nd_and_the_ledger_says_so() -> None:
    found = estimate()
    assert flop(found) == 6 * 7e9 * 1e12
    (line,) = [a for a in found.ledger if a.field == "params"]
    assert (line.origin, line.note) == ("given", "FLOP by 6 N D: no architecture given")
    assert "training_flop_per_token_6nd" in {step.field for step in found.steps}


def test_an_architecture_counts_attention_and_the_ledger_says_so() -> None:
    found = estimate(params=None, config=CONFIGS / "llama-3.1-405b.json", tokens="15.6T", seq_len=8192, count=None)
    assert flop(found) == pytest.approx(15.6e12 * 2.5240e12, rel=1e-4)
    assert "architecture" in {a.field for a in found.ledger}
    assert "attention_flop_per_token" in {step.field for step in found.steps}


def test_a_config_file_is_the_preset_of_the_same_model() -> None:
    """Meta 2024, model card and config.json of Llama 3.1 405B."""
    named = footprint.estimate("llama-3.1-405b", tokens="15.6T", seq_len=8192)
    read = footprint.estimate(
        config=CONFIGS / "llama-3.1-405b.json", tokens="15.6T", seq_len=8192, accelerator="h100-sxm", count=16384,
        country="USA", operator="meta", year=2024,
    )  # fmt: skip
    assert read.usage.accelerator_hours == named.usage.accelerator_hours
    assert read.total_location_kgco2e == named.total_location_kgco2e


def test_longer_sequences_cost_more_with_an_architecture_and_nothing_under_6nd() -> None:
    def cost(length: int, **words: Any) -> float:
        return flop(estimate(seq_len=length, count=None, **words))

    llama = {"params": None, "config": CONFIGS / "llama-7b.json"}
    assert cost(32768, **llama) > 1.3 * cost(2048, **llama)
    assert cost(32768) == cost(2048)


N, D = 7e9, 1e9


@pytest.mark.parametrize(
    ("stage", "by_hand"),
    [
        ({"kind": "pretrain"}, 6 * N * D),
        ({"kind": "sft", "repeats": 3}, 18 * N * D),
        ({"kind": "lora"}, 4 * N * D),
        ({"kind": "preference"}, 8 * N * D),
        ({"kind": "preference", "reference_passes": 0}, 6 * N * D),
        ({"kind": "distillation", "teacher_params": "70B"}, 6 * N * D + 2 * 70e9 * D),
        ({"kind": "synthetic", "kept_share": 0.25}, 2 * N * D * 4),
        ({"kind": "rl", "samples_per_prompt": 8}, 8 * D * (2 * N + 6 * N + 2 * N)),
        ({"kind": "rl", "reward_params": "1B", "value_params": "1B"}, D * (10 * N + 2e9 + 6e9)),
        ({"kind": "rl", "inner_epochs": 2, "reference_passes": 0}, D * (2 * N + 12 * N)),
    ],
)
def test_flop_of_each_kind_of_stage_by_hand(stage: dict[str, Any], by_hand: float) -> None:
    assert flop(staged({**stage, "tokens": D})) == pytest.approx(by_hand, rel=1e-12)


def test_adapters_cost_less_than_full_tuning() -> None:
    lora, sft = (staged({"kind": k, "tokens": "1B"}) for k in ("lora", "sft"))
    assert lora.usage.accelerator_hours.mid < sft.usage.accelerator_hours.mid
    assert lora.usage.accelerator_hours.mid / sft.usage.accelerator_hours.mid == pytest.approx(2 / 3, rel=1e-12)


def test_rollouts_run_at_the_mfu_of_generation() -> None:
    found = staged({"kind": "rl", "tokens": "1B", "generation_mfu": 0.1, "mfu": 0.4, "goodput": 1.0})
    by_hand = (8 * N * D / 0.4 + 2 * N * D / 0.1) / (989.4e12 * 3600)
    assert found.usage.accelerator_hours.mid == pytest.approx(by_hand, rel=1e-12)


def test_data_made_and_models_evaluated_are_no_updates() -> None:
    found = staged(
        {"kind": "pretrain", "tokens": "1T"},
        {"kind": "synthetic", "tokens": "1B"},
        {"kind": "evaluation", "tokens": "1B"},
    )
    assert found.usage.update_flop is not None
    assert found.usage.update_flop.mid == 6 * 7e9 * 1e12
    assert flop(found) == pytest.approx(6 * 7e9 * 1e12 + 2 * 7e9 * 1e9, rel=1e-12)


def test_evaluation_costs_hours_but_is_no_training_compute() -> None:
    found = staged({"kind": "evaluation", "tokens": "1B"}, settings={"mfu": 0.4, "goodput": 1})
    assert found.usage.accelerator_hours.mid == pytest.approx(2 * N * D / (989.4e12 * 0.4 * 3600), rel=1e-12)
    assert found.usage.training_flop is None


# the graph of stages


def hours_of(result: footprint.Result, name: str) -> float:
    (line,) = [line for line in result.usage.lines if line.name == name]
    assert line.wall_clock_h is not None
    return line.wall_clock_h.mid


SHORT = {"name": "short", "kind": "sft", "tokens": "10B", "after": "base"}


def test_stages_follow_each_other_unless_said() -> None:
    found = staged(PRETRAIN, {**LONG, "after": None}, {**SHORT, "after": None})
    assert found.usage.wall_clock_h is not None
    assert found.usage.wall_clock_h.mid == pytest.approx(
        sum(hours_of(found, n) for n in ("base", "long", "short")), rel=1e-12
    )


def test_of_two_parallel_stages_the_longer_counts() -> None:
    found = staged(PRETRAIN, LONG, SHORT)
    assert found.usage.wall_clock_h is not None
    assert found.usage.wall_clock_h.mid == pytest.approx(hours_of(found, "base") + hours_of(found, "long"), rel=1e-12)


def test_a_stage_after_both_waits_for_the_longer() -> None:
    last = {"name": "last", "kind": "preference", "tokens": "5B", "after": ["long", "short"]}
    found = staged(PRETRAIN, LONG, SHORT, last)
    assert found.usage.wall_clock_h is not None
    by_hand = sum(hours_of(found, n) for n in ("base", "long", "last"))
    assert found.usage.wall_clock_h.mid == pytest.approx(by_hand, rel=1e-12)


def test_parallel_or_not_the_hours_and_energy_are_the_same() -> None:
    parallel, serial = staged(PRETRAIN, LONG, SHORT), staged(PRETRAIN, LONG, {**SHORT, "after": "long"})
    assert parallel.usage.accelerator_hours == serial.usage.accelerator_hours
    assert parallel.total_location_kgco2e == serial.total_location_kgco2e


def test_stages_on_different_devices_add_up_line_by_line() -> None:
    found = staged(PRETRAIN, {**SHORT, "accelerator": "a100", "count": 64})
    assert [line.accelerator for line in found.usage.lines] == ["h100-sxm5-80gb", "a100-sxm4-80gb"]
    assert found.usage.it_energy_kwh.mid == pytest.approx(
        sum(line.it_energy_kwh.mid for line in found.usage.lines), rel=1e-12
    )


# what is known already


def test_known_hours_are_taken_and_imply_the_mfu() -> None:
    found = estimate(accelerator_hours=50_000)
    assert found.usage.accelerator_hours == Range.exactly(50_000.0)
    (line,) = found.usage.lines
    assert line.mfu is not None
    assert line.mfu.mid == pytest.approx(4.2e22 / (50_000 * 3600 * 989.4e12), rel=1e-12)


def test_hours_without_tokens_or_parameters_suffice() -> None:
    found = footprint.estimate(accelerator_hours="1M", accelerator="h100-sxm", country="FR")
    assert found.usage.accelerator_hours == Range.exactly(1e6)
    assert found.usage.training_flop is None
    assert found.sci_kgco2e_per_flop is None


def test_known_hours_of_a_plan_are_shared_out_by_flop() -> None:
    found = staged(PRETRAIN, LONG, accelerator_hours=60_000)
    base, long = found.usage.lines
    assert base.accelerator_hours.mid / long.accelerator_hours.mid == pytest.approx(25.0, rel=1e-12)
    assert found.usage.accelerator_hours.mid == pytest.approx(60_000, rel=1e-12)


def test_known_flop_is_taken() -> None:
    found = estimate(params=None, tokens=None, flop="1e25", count=None)
    assert flop(found) == 1e25
    assert "compute-optimal" in next(a.note for a in found.ledger if a.field.endswith("active_params"))


def test_hours_too_few_for_the_work_are_refused() -> None:
    with pytest.raises(InputError, match=r"gives an MFU of 11\.79 on h100-sxm5-80gb; check that they are accelerator"):
        estimate(tokens="10T", accelerator_hours=1e4)


def test_a_plan_that_cannot_fit_names_the_smallest_count_and_that_count_fits() -> None:
    with pytest.raises(InputError, match=r"count = 8: cannot hold stage [\w-]+: [\d,]+ GiB .* on 80 GiB each") as told:
        footprint.estimate("llama-3.1-405b", count=8)
    named = re.search(r"give --count (\d+) or more", str(told.value))
    assert named
    smallest = int(named.group(1))
    assert smallest % 8 == 0
    assert footprint.estimate("llama-3.1-405b", count=smallest).usage.lines[0].accelerator_count == smallest
    with pytest.raises(InputError, match=rf"give --count {smallest} or more"):
        footprint.estimate("llama-3.1-405b", count=smallest - 8)


@pytest.mark.parametrize(("optimizer", "gib"), [("adamw", "6,035"), ("adamw-fp32-gradients", "6,789")])
def test_states_of_405b_need_more_than_the_memory_of_64_devices(optimizer: str, gib: str) -> None:
    """405e9 x 16 bytes (ZeRO, arXiv 1910.02054), x 18 bytes with FP32 gradients (Megatron-LM)."""
    with pytest.raises(InputError, match=rf"cannot hold stage pretrain: {gib} GiB"):
        estimate(params="405B", count=64, optimizer=optimizer)


def test_weights_alone_are_held_in_the_precision_that_generates() -> None:
    made = {"kind": "synthetic", "tokens": "1B", "precision": "fp8"}
    fits = staged(made, params="405B", count=8)
    assert fits.usage.lines[0].accelerator_count == 8
    with pytest.raises(InputError, match="give --count 16 or more"):
        staged({**made, "precision": "bf16"}, params="405B", count=8)
    tuned = staged({"kind": "lora", "tokens": "1B", "optimizer": "qlora"}, params="70B", count=1)
    assert tuned.usage.lines[0].accelerator_count == 1


def test_a_leaner_optimizer_fits_on_fewer() -> None:
    with pytest.raises(InputError, match="count = 1: cannot hold stage pretrain"):
        estimate(count=1)
    assert staged({"kind": "lora", "tokens": "1B"}, count=1).usage.lines[0].accelerator_count == 1


# the derivation, the ledger, the sensitivities


@pytest.mark.parametrize("name", [*PRESETS, "llama-3.1"])
def test_every_step_of_the_derivation_evaluates_to_its_value(name: str) -> None:
    found = preset(name)
    assert len(found.steps) > 15
    for step in found.steps:
        assert step.reference, step.field
        left, _, right = step.equation.partition(" = ")
        assert left == step.field or step.field.startswith(left.removesuffix("_usd"))
        value = eval(right, {"__builtins__": {}}, vars(units) | dict(step.inputs))
        assert value == pytest.approx(step.value, rel=1e-12), step


@pytest.mark.parametrize("name", PRESETS)
def test_each_input_of_a_step_is_an_earlier_value_a_field_or_a_stated_number(name: str) -> None:
    """No number appears from nowhere: what an earlier step of the same part yielded is what the next one takes."""
    known: dict[tuple[str, str], float] = {}
    for step in preset(name).steps:
        for field, value in step.inputs:
            if (step.part, field) in known and field != "electricity_usd":
                assert value == known[step.part, field], (step.part, step.field, field)
        known[step.part, step.field] = step.value


@pytest.mark.parametrize("name", PRESETS)
def test_the_last_steps_are_the_answer(name: str) -> None:
    found = preset(name)
    last = {(step.part, step.field): step.value for step in found.steps}
    for one in (found.facility, found.model_card):
        for field in (
            "facility_energy_kwh", "operational_location_kgco2e", "onsite_water_l", "offsite_water_l",
            "electricity_usd",
        ):  # fmt: skip
            assert last[one.convention, field] == getattr(one, field).mid
    hours = [step.value for step in found.steps if step.field == "accelerator_hours"]
    assert found.usage.accelerator_hours.mid == hours[-1]
    if found.embodied_kgco2e is not None:
        assert last["total", "total_location_kgco2e"] == found.total_location_kgco2e.mid
    if found.sci_kgco2e_per_token is not None:
        assert last["total", "sci_kgco2e_per_token"] == found.sci_kgco2e_per_token.mid


@pytest.mark.parametrize("name", [*PRESETS, "llama-3.1"])
def test_every_line_of_the_ledger_has_an_origin_and_a_source(name: str) -> None:
    found = preset(name)
    assert len(found.ledger) > 15
    for line in found.ledger:
        assert line.origin in ORIGINS, line
        assert line.source or line.value is None, line
        assert line.origin != "given" or line.source == "user", line


def test_what_the_user_gave_is_told_as_given() -> None:
    found = estimate(settings={"mfu": "0.35:0.45", "pue": 1.1, "lifetime_h": 30000})
    given_fields = {line.field for line in found.ledger if line.origin == "given"}
    assert given_fields >= {"params", "pretrain.mfu", "pue", "lifetime_h"}
    assert "mfu" not in {line.field for line in found.ledger if line.origin == "modelled"}


def test_sensitivities_are_sorted_and_mfu_moves_hours_most() -> None:
    found = footprint.estimate("llama-3.1-405b", sensitivity=True).sensitivities
    span = [abs(s.output_at_high_ratio - s.output_at_low_ratio) for s in found]
    assert span == sorted(span, reverse=True)
    hours = [s for s in found if s.output == "accelerator_hours"]
    assert hours[0].field == "mfu"
    assert {s.field for s in found if s.output == "total_location_kgco2e"} >= {"mfu", "pue", "lifetime_h"}


def test_a_sensitivity_is_the_estimate_with_that_input_at_its_end() -> None:
    found = estimate(settings={"mfu": "0.3:0.4:0.5"}, sensitivity=True)
    (row,) = [s for s in found.sensitivities if (s.field, s.output) == ("mfu", "accelerator_hours")]
    assert row.output_at_low_ratio == pytest.approx(0.4 / 0.3, rel=1e-12)
    assert row.output_at_high_ratio == pytest.approx(0.4 / 0.5, rel=1e-12)


@pytest.mark.parametrize("words", [{}, {"settings": {"mfu": "0.4"}}, {"settings": {"mfu": "0.4", "goodput": "0.95"}}])
def test_what_is_told_to_narrow_the_range_most_does_so_when_measured(words: dict[str, Any]) -> None:
    """The input named first is given as known, and so is each other: no other makes the range of CO2e as narrow."""
    found = estimate(**words, sensitivity=True)
    movers = [s for s in found.sensitivities if s.output == "total_location_kgco2e"]
    told = to_narrow(movers).partition("square is ")[2].partition(":")[0]
    assert told == movers[0].field
    widths = {}
    for mover in movers[:5]:
        name = mover.field.rsplit(".", 1)[-1]
        mid = next(a.value for a in found.ledger if a.field.rsplit(".", 1)[-1] == name)
        exact = mid.mid if isinstance(mid, Range) else mid
        known = estimate(settings={**words.get("settings", {}), name: str(exact)})
        total = known.total_location_kgco2e
        widths[mover.field] = total.high / total.low
    assert min(widths, key=lambda field: widths[field]) == told, widths


def test_no_sensitivity_is_told_unless_asked() -> None:
    assert estimate().sensitivities == ()


def test_the_same_words_give_the_same_answer() -> None:
    assert estimate() == estimate()


def test_a_result_says_which_tables_and_which_version_it_rests_on() -> None:
    found = estimate()
    assert found.version == footprint.__version__
    assert re.fullmatch(r"[0-9a-f]{16}", found.catalog_digest)


def test_a_closed_model_is_marked_as_a_third_party_estimate() -> None:
    found = footprint.estimate("gpt-4o")
    assert found.plan is not None
    assert found.plan.third_party
    assert any("third-party estimate" in note for note in found.notes)
    open_one = footprint.estimate("bloom")
    assert open_one.plan is not None
    assert not open_one.plan.third_party


# sweeps and the other doors


def test_a_sweep_has_one_row_a_scenario_and_broadcasts() -> None:
    words = {"accelerator": "h100-sxm", "country": "FR", "params": "7B"}
    frame = footprint.sweep(**words, tokens=[1e12, 2e12], settings={"pue": [[1.1], [1.2], [1.3]]})
    assert len(frame) == 6
    np.testing.assert_allclose(frame["facility_energy_kwh"] / frame["it_energy_kwh"], frame["pue"], rtol=1e-12)
    assert set(frame["pue"]) == {1.1, 1.2, 1.3}
    assert frame.groupby("tokens")["accelerator_hours"].nunique().tolist() == [1, 1]


def test_a_sweep_names_the_scenario_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"tokens\[1\] = -1\.0: is outside"):
        footprint.sweep(params="7B", tokens=[1e12, -1], accelerator="h100-sxm", country="FR")


def test_a_sweep_of_lists_that_do_not_match_is_refused() -> None:
    with pytest.raises(InputError, match="do not broadcast; give lists of one length"):
        footprint.sweep(params=[1e9, 2e9, 3e9], tokens=[1e12, 2e12], accelerator="h100-sxm", country="FR")


def test_a_sweep_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="has no word with several values"):
        footprint.sweep(params="7B", tokens="1T", accelerator="h100-sxm", country="FR")


def test_neighbours_of_a_plan_are_measured_on_its_device_where_there_are_any() -> None:
    found = doors.neighbours(estimate())
    assert len(found) == 3
    assert found[0].accelerator == "h100-sxm5-80gb"
    assert all(0.05 < n.mfu < 0.95 for n in found)


def test_scores_are_shares_of_one() -> None:
    found = doors.scores("llama-3.1-405b")
    assert found
    assert all(0.1 < score.score_share < 1.0 for score in found)


# what is said once counts once


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"stages": [{"tokens": "1T"}]}, "tokens = '1T': is given beside stages"),
        ({"node": "dgx-a100-640"}, "node = 'dgx-a100-640': carries a100-sxm4-80gb, not h100-sxm5-80gb"),
        ({"accelerator_hours": "1M", "settings": {"mfu": 0.4}}, "mfu: is given beside accelerator_hours"),
        ({"settings": {"max_node_w": 100}}, "idle_node_w = .*: must stay below max_node_w"),
        ({"country": None, "region": "aws/us-east-1", "provider": "lambda"}, "provider = 'lambda': does not run"),
        ({"country": False}, "country = 'False': is not a name; .*quotes"),
        ({"country": "Georgia"}, "names the country and US-GA; write GEO or US-GA"),
        ({"country": "FR", "grid": "foo"}, "grid = 'foo': is not a known name"),
        ({"country": None, "grid": "foo"}, "grid = 'foo': is not a known name"),
        ({"year": 1900}, "year = 1900: is outside 2000 to 2100"),
        ({"settings": 3}, "settings = '3': is not a mapping"),
        ({"tokens": None, "stages": [{"tokens": "1T", "after": 3}]}, "after = '3': must name stages"),
        ({"flop": "1e80", "params": None, "tokens": None}, "flop = '1e80': must be finite"),
    ],
)
def test_contradictions_are_said(words: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        estimate(**words)


def test_a_preset_takes_no_other_size_and_keeps_its_length() -> None:
    with pytest.raises(InputError, match=r"params = '90B': contradicts the model llama-3\.1-8b"):
        footprint.estimate("llama-3.1-8b", params="90B")
    own = footprint.estimate("llama-3.1-8b").usage.lines[0].training_flop
    assert footprint.estimate("llama-3.1-8b", tokens="15T").usage.training_flop == own


def test_another_run_than_the_makers_is_not_held_against_theirs() -> None:
    assert footprint.estimate("llama-3.1-405b").published
    assert footprint.estimate("llama-3.1-405b", accelerator="b200").published == ()


def test_known_hours_are_shared_by_what_each_device_needs() -> None:
    """500B tokens on V100 take several times the hours of 500B on H100; equal shares would imply an MFU above 1."""
    result = staged(
        {"name": "new", "tokens": "500B"},
        {"name": "old", "tokens": "500B", "accelerator": "v100", "precision": "fp16"},
        count=None,
        accelerator_hours="300k",
    )
    new, old = result.usage.lines
    assert new.accelerator_hours.mid + old.accelerator_hours.mid == pytest.approx(300_000, rel=1e-12)
    assert old.accelerator_hours.mid / new.accelerator_hours.mid == pytest.approx(989.4 / 125, rel=0.6)
    assert new.mfu is not None
    assert old.mfu is not None
    assert max(new.mfu.mid, old.mfu.mid) < 1


def test_stages_can_start_together() -> None:
    first, second = {"name": "a", "tokens": "1T"}, {"name": "b", "tokens": "1T", "after": []}
    together, alone = staged(first, second), staged(first)
    assert together.usage.wall_clock_h is not None
    assert alone.usage.wall_clock_h is not None
    assert together.usage.wall_clock_h.mid == pytest.approx(alone.usage.wall_clock_h.mid, rel=1e-12)


def test_made_tokens_do_not_lower_the_sci_of_trained_ones() -> None:
    plain = staged({"tokens": "1T"})
    fed = staged({"name": "made", "kind": "synthetic", "tokens": "1T"}, {"name": "trained", "tokens": "1T"})
    assert fed.usage.tokens == plain.usage.tokens
    assert fed.sci_kgco2e_per_token is not None
    assert plain.sci_kgco2e_per_token is not None
    assert fed.sci_kgco2e_per_token.mid > plain.sci_kgco2e_per_token.mid


def test_every_given_word_stands_in_the_ledger() -> None:
    told = {a.field: a for a in staged({"tokens": "1T", "seq_len": 2048, "optimizer": "lion"}, count=64).ledger}
    given = {name for name, a in told.items() if a.origin == "given"}
    words = ("tokens", "seq_len", "optimizer", "count", "accelerator")
    assert {f"pretrain.{word}" for word in words} <= given


def test_hours_that_are_known_leave_no_modelled_mfu_in_the_ledger() -> None:
    told = {a.field for a in estimate(accelerator_hours="1M").ledger}
    assert not [field for field in told if field.endswith("mfu") and not field.endswith("half_load_mfu")]


def test_what_shares_out_known_hours_stands_in_the_ledger_under_its_own_name() -> None:
    told = {a.field: a for a in footprint.estimate("llama-3.1-405b", reported=True).ledger}
    assert "pretrain.mfu" not in told
    assert told["pretrain.modelled_mfu"].origin == "modelled"
    assert "share out the known hours" in told["long-context.modelled_mfu"].note


def test_the_reference_model_of_a_preference_round_is_told_as_assumed() -> None:
    told = {a.field: a for a in staged({"kind": "dpo", "tokens": "1B"}).ledger}
    assert told["preference.reference_passes"].origin == "default"
    given = {a.field: a for a in staged({"kind": "dpo", "tokens": "1B", "reference_passes": 0}).ledger}
    assert given["preference.reference_passes"].origin == "given"


SWEPT = {
    "params": ["1B", "7B"], "tokens": [1e11, 1e12], "count": [8, 1024], "pue": [1.1, 1.4], "mfu": [0.3, 0.4],
    "goodput": [0.8, 0.9], "embodied_accelerator_kgco2e": [10.0, 1000.0], "on_demand_usd_per_h": [2.0, 4.0],
    "fleet_utilization": [0.5, 1.0], "lifetime_h": [3e4, 4e4], "network_w": [0.0, 90.0], "intensity": [30.0, 400.0],
}  # fmt: skip


@pytest.mark.parametrize("word", SWEPT)
def test_each_row_of_a_sweep_is_the_estimate_of_its_words(word: str) -> None:
    usual: dict[str, Any] = {"params": "7B", "tokens": "1T", "accelerator": "h100-sxm", "count": 1024, "country": "FR"}
    table = footprint.sweep(**{**usual, word: SWEPT[word]})
    for i, value in enumerate(SWEPT[word]):
        words = {**usual, word: value} if word in usual else {**usual, "settings": {word: value}}
        alone = footprint.estimate(**words)
        row = table.iloc[i]
        assert row["accelerator_hours"] == pytest.approx(alone.usage.accelerator_hours.mid, rel=1e-12)
        assert row["embodied_kgco2e"] == pytest.approx(alone.embodied_kgco2e.mid, rel=1e-12)
        assert row["it_energy_kwh"] == pytest.approx(alone.facility.it_energy_kwh.mid, rel=1e-12)
        assert alone.rental_on_demand_usd is not None
        assert alone.ownership_usd is not None
        assert row["rental_on_demand_usd"] == pytest.approx(alone.rental_on_demand_usd.mid, rel=1e-12)
        assert row["ownership_usd"] == pytest.approx(alone.ownership_usd.mid, rel=1e-12)


def test_a_sweep_answers_dense_and_sparse_and_flop_one_by_one() -> None:
    mixed = footprint.sweep(params=[7e9, 47e9], active_params=[7e9, 13e9], tokens="1T", accelerator="h100-sxm")
    dense = footprint.estimate(params=7e9, tokens="1T", accelerator="h100-sxm")
    sparse = footprint.estimate(params=47e9, active_params=13e9, tokens="1T", accelerator="h100-sxm")
    expected = [dense.usage.accelerator_hours.mid, sparse.usage.accelerator_hours.mid]
    assert mixed["accelerator_hours"].tolist() == pytest.approx(expected, rel=1e-12)
    flop = footprint.sweep(flop=[1e21, 1e25], accelerator="h100-sxm")
    alone = [footprint.estimate(flop=f, accelerator="h100-sxm").usage.accelerator_hours.mid for f in (1e21, 1e25)]
    assert flop["accelerator_hours"].tolist() == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"params": []}, "params: is an empty list"),
        ({"accelerator": ["h100", "a100"]}, "set = 'accelerator': is not a known name"),
        ({"active_params": [1e9, 70e9]}, r"active_params\[1\] = .*must not exceed params"),
        ({"accelerator_hours": [1e6, 1.0]}, r"accelerator_hours\[1\]: gives an MFU of"),
    ],
)
def test_a_sweep_refuses_what_an_estimate_would(words: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"params": "7B", "tokens": "1T", "accelerator": "h100-sxm"}
    with pytest.raises(InputError, match=message):
        footprint.sweep(**{**usual, **words})
