"""Draws: slot 0 is the plain calculation, the percentiles are the range, the seed is the field's name."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footprint.uncertainty import DRAWS, draw, draws, mids, one_at_a_time, summarise, summarise_record
from footprint.values import Power, Range, Site

SITE = Site(
    zone="FRA",
    pue=Range(1.08, 1.25, 1.56),
    location_intensity_g_per_kwh=Range(31.0, 44.18, 56.04),
    intensity_basis="lifecycle",
    intensity_scope="production",
    wue_l_per_kwh=Range(0.0, 0.36, 1.8),
    water_intensity_l_per_kwh=Range.exactly(3.7),
    lifetime_h=Range(26280.0, 43800.0, 52560.0),
    fleet_utilization=Range(0.5, 0.8, 1.0),
    server_cost_ratio=Range.exactly(1.64),
    network_cost_share=Range.exactly(0.19),
    depreciation_share=Range(0.28, 0.32, 0.37),
)
POWER = Power(
    tdp_w=Range.exactly(700.0),
    idle_node_w=Range(200.0, 237.0, 250.0),
    max_node_w=Range.exactly(1275.0),
    training_load_share=None,
    half_load_mfu=Range(0.118, 0.198, 0.383),
    generation_load_share=Range.exactly(0.6),
    stalled_load_share=Range(0.0, 0.3, 0.6),
    network_w=Range(20.0, 45.0, 90.0),
)
POSITIVE = st.tuples(*[st.floats(1e-3, 1e6)] * 3).map(sorted).map(lambda x: Range(*x))


@given(POSITIVE)
def test_slot_0_is_the_mid_to_the_last_digit(value: Range) -> None:
    drawn = draws("training_flop", value)
    first = drawn if isinstance(drawn, float) else drawn[0]
    assert first == value.mid


@settings(deadline=None)
@given(POSITIVE.filter(lambda r: r.low < r.high))
def test_five_per_cent_of_draws_lie_below_and_five_above_the_range(value: Range) -> None:
    drawn = draws("accelerator_hours", value)
    assert isinstance(drawn, np.ndarray)
    assert drawn.shape == (DRAWS + 1,)
    low, high = np.quantile(drawn[1:], [0.05, 0.95])
    assert low == pytest.approx(value.low, rel=5e-3 * max(1.0, np.log(value.mid / value.low)))
    assert high == pytest.approx(value.high, rel=5e-3 * max(1.0, np.log(value.high / value.mid)))


@given(POSITIVE.filter(lambda r: r.low * (1 + 1e-9) < r.mid < r.high))  # nearer than that, draws round to the mid
def test_half_of_the_draws_lie_on_each_side_of_the_mid(value: Range) -> None:
    drawn = draws("accelerator_hours", value)
    assert isinstance(drawn, np.ndarray)
    assert abs(int((drawn[1:] < value.mid).sum()) - DRAWS // 2) <= 1


def test_a_range_that_touches_zero_never_falls_below_it() -> None:
    drawn = draws("wue_l_per_kwh", Range(0.0, 0.36, 1.8))
    assert isinstance(drawn, np.ndarray)
    assert drawn.min() == 0.0
    assert np.quantile(drawn[1:], 0.95) == pytest.approx(1.8, rel=5e-3)


@pytest.mark.parametrize("field", ["mfu", "goodput", "stalled_load_share", "fleet_utilization", "generation_mfu"])
def test_shares_never_exceed_one(field: str) -> None:
    drawn = draws(field, Range(0.3, 0.9, 1.0))
    assert isinstance(drawn, np.ndarray)
    assert drawn.max() == 1.0
    assert (drawn == 1.0).mean() < 0.06


def test_pue_never_falls_below_one() -> None:
    drawn = draws("pue", Range(1.0, 1.1, 1.5))
    assert isinstance(drawn, np.ndarray)
    assert drawn.min() == 1.0
    assert (drawn == 1.0).mean() < 0.06


def test_ratios_may_exceed_one() -> None:
    drawn = draws("server_cost_ratio", Range(0.8, 0.9, 1.0))
    assert isinstance(drawn, np.ndarray)
    assert drawn.max() > 1.03


@given(st.floats(-1e9, 1e9))
def test_what_is_certain_stays_one_number(value: float) -> None:
    assert draws("pue", Range.exactly(value)) == value
    assert summarise(value) == Range.exactly(value)


def test_a_fields_draws_depend_on_its_name_alone() -> None:
    """One PUE draw serves carbon, water and cost alike, in whatever record it stands."""

    @dataclass(frozen=True)
    class Smaller:
        pue: Range

    @dataclass(frozen=True)
    class Larger:
        new_share: Range
        pue: Range

    pue = Range(1.08, 1.25, 1.56)
    small, large = draw(Smaller(pue)), draw(Larger(Range(0.1, 0.2, 0.3), pue))
    np.testing.assert_array_equal(small.pue, large.pue)
    np.testing.assert_array_equal(small.pue, draw(SITE).pue)


def test_different_fields_are_drawn_independently() -> None:
    drawn = draw(SITE)
    for other in (drawn.lifetime_h, drawn.location_intensity_g_per_kwh, drawn.fleet_utilization):
        correlation = np.corrcoef(np.asarray(drawn.pue)[1:], np.asarray(other)[1:])[0, 1]
        assert abs(correlation) < 0.08  # 2048 draws: 3.6 standard deviations of none


def test_draws_are_the_same_every_time() -> None:
    np.testing.assert_array_equal(draws("pue", SITE.pue), draws("pue", SITE.pue))


def test_drawing_swaps_ranges_only_and_reaches_nested_records() -> None:
    @dataclass(frozen=True)
    class Outer:
        name: str
        powers: tuple[Power, ...]
        power: Power | None

    drawn = draw(Outer("x", (POWER,), POWER))
    assert drawn.name == "x"
    assert drawn.power is not None
    for power in (drawn.powers[0], drawn.power):
        assert power.tdp_w == 700.0
        assert power.max_node_w == 1275.0
        assert np.shape(power.network_w) == (DRAWS + 1,)


@given(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=500))
def test_summarise_rises_and_keeps_slot_0(values: list[float]) -> None:
    found = summarise(np.array(values))
    assert found.low <= found.mid <= found.high
    assert found.mid == values[0]


@given(POSITIVE.filter(lambda r: r.low < r.high))
def test_summarising_draws_gives_the_range_back(value: Range) -> None:
    found = summarise(draws("training_flop", value))
    assert found.mid == value.mid
    assert found.low == pytest.approx(value.low, rel=5e-3 * max(1.0, np.log(value.mid / value.low)))
    assert found.high == pytest.approx(value.high, rel=5e-3 * max(1.0, np.log(value.high / value.mid)))


def test_summarising_a_drawn_record_gives_the_record_back() -> None:
    back = summarise_record(draw(SITE))
    assert isinstance(back.pue, Range)
    assert back.water_intensity_l_per_kwh == SITE.water_intensity_l_per_kwh
    assert (back.pue.low, back.pue.mid, back.pue.high) == pytest.approx((1.08, 1.25, 1.56), rel=5e-3)
    assert mids(back) == mids(SITE)


def test_one_at_a_time_moves_one_input_a_slot() -> None:
    names, (site,) = one_at_a_time((SITE,))
    assert names == sorted(names)
    assert names == [
        "depreciation_share", "fleet_utilization", "lifetime_h", "location_intensity_g_per_kwh", "pue", "wue_l_per_kwh",
    ]  # fmt: skip
    for name in names:
        value, original = np.asarray(getattr(site, name)), getattr(SITE, name)
        slot = 2 * names.index(name) + 1
        assert value.shape == (2 * len(names) + 1,)
        assert (value[slot], value[slot + 1]) == (original.low, original.high)
        assert np.delete(value, (slot, slot + 1)).tolist() == [original.mid] * (2 * len(names) - 1)
    assert site.water_intensity_l_per_kwh == 3.7


def test_one_at_a_time_moves_a_field_in_every_record_that_has_it() -> None:
    other = replace(SITE, pue=Range(1.0, 1.1, 1.2))
    names, (first, second) = one_at_a_time((SITE, other))
    slot = 2 * names.index("pue") + 1
    assert (np.asarray(first.pue)[slot], np.asarray(second.pue)[slot]) == (1.08, 1.0)


def test_mids_are_the_plain_calculation() -> None:
    plain = mids(SITE)
    assert (plain.pue, plain.lifetime_h, plain.zone) == (1.25, 43800.0, "FRA")
