"""Reading and printing of quantities: what a user may write, and what no digit may claim."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footprint import units
from footprint.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("405B", 405e9),
        ("15.6T", 15.6e12),
        ("30.84M h", 30.84e6),
        ("30.84Mh", 30.84e6),
        ("1e25", 1e25),
        ("3.8E25", 3.8e25),
        ("35%", 0.35),
        ("16,384", 16384.0),
        ("2_048", 2048.0),
        (" 7 B ", 7e9),
        ("128k", 128e3),
        ("700", 700.0),
        (".5", 0.5),
        ("-3", -3.0),
        ("2 hours", 2.0),
        (405_000_000_000, 405e9),
        (0.41, 0.41),
    ],
)
def test_quantities_are_read_as_people_write_them(text: Any, value: float) -> None:
    assert units.read_quantity(text, "params") == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", " ", "abc", "B", "nan", "inf", "--3", "1.2.3", "4x", "405 billion", "7B parameters", "1e"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"params = .* is not a number; write a number such as 405B"):
        units.read_quantity(text, "params")


@pytest.mark.parametrize("value", [True, False, None, [1.0], {"low": 1}, b"405B"])
def test_what_is_neither_text_nor_number_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"tokens.* is not a number; write a number such as 405B"):
        units.read_quantity(value, "tokens")


@pytest.mark.parametrize("value", ["1e400", "1e308T", 10**400, math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"flop = .* must be finite; write a number below 1e.60"):
        units.read_quantity(value, "flop")


@given(st.floats(min_value=1e-300, max_value=1e59))
def test_every_positive_number_reads_back_as_itself(value: float) -> None:
    assert units.read_quantity(repr(value), "params") == value
    assert units.read_quantity(value, "params") == value


@given(
    st.floats(min_value=0.001, max_value=999.0),
    st.sampled_from([("k", 1e3), ("M", 1e6), ("B", 1e9), ("G", 1e9), ("T", 1e12), ("P", 1e15), ("E", 1e18)]),
)
def test_a_letter_multiplies(number: float, letter: tuple[str, float]) -> None:
    name, factor = letter
    assert units.read_quantity(f"{number!r}{name}", "params") == pytest.approx(number * factor, rel=1e-15)


@given(st.floats(min_value=1e-3, max_value=9.99e17), st.integers(2, 4))
def test_a_shown_count_reads_back_within_its_digits(value: float, digits: int) -> None:
    shown = units.show("params", value, digits)
    if "e" not in shown:
        assert units.read_quantity(shown, "params") == pytest.approx(value, rel=0.51 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("0.4", (0.4, 0.4, 0.4)),
        (0.4, (0.4, 0.4, 0.4)),
        ("0.35:0.45", (0.35, 0.4, 0.45)),
        ("0.35:0.42:0.45", (0.35, 0.42, 0.45)),
        ("35%:45%", (0.35, 0.4, 0.45)),
        ("1B:2B:4B", (1e9, 2e9, 4e9)),
    ],
)
def test_ranges_are_low_mid_high(text: Any, ends: tuple[float, float, float]) -> None:
    assert units.read_range(text, "mfu") == pytest.approx(ends, rel=1e-14)


@pytest.mark.parametrize("text", ["0.45:0.35", "1:3:2", "1:2:3:4", "2:1:3"])
def test_a_range_that_does_not_rise_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"mfu = .* is not a range; write low:high or low:mid:high in rising order"):
        units.read_range(text, "mfu")


@pytest.mark.parametrize("text", ["0.3:", ":0.3", "a:b", ":"])
def test_a_range_with_a_hole_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"mfu = .* is not a number"):
        units.read_range(text, "mfu")


# names


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("it_energy_kwh", "_kwh"),
        ("location_intensity_g_per_kwh", "_g_per_kwh"),
        ("electricity_usd_per_kwh", "_usd_per_kwh"),
        ("wue_l_per_kwh", "_l_per_kwh"),
        ("sci_kgco2e_per_token", "_kgco2e_per_token"),
        ("peak_flop_per_s", "_flop_per_s"),
        ("peak_bf16_tflop_per_s", "_tflop_per_s"),
        ("link_gb_per_s", "_gb_per_s"),
        ("training_flop", "_flop"),
        ("accelerator_hours", "_hours"),
        ("wall_clock_h", "_h"),
        ("tdp_w", "_w"),
        ("pue", ""),
        ("generation_mfu", ""),
        ("fleet_utilization", ""),
        ("kept_share", ""),
        ("active_params", ""),
        ("name", None),
        ("energy", None),
        ("amfu", None),
        ("reshare", None),
    ],
)
def test_a_name_ends_in_its_unit(field: str, unit: str | None) -> None:
    assert units.unit_of(field) == unit


def test_no_unit_hides_behind_a_shorter_one() -> None:
    for i, unit in enumerate(units.UNITS):
        assert not any(unit.endswith(earlier) for earlier in units.UNITS[:i]), unit


# printing


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("facility_energy_kwh", 21.588e6, "21.6 GWh"),
        ("facility_energy_kwh", 4.2e9, "4.20 TWh"),
        ("it_energy_kwh", 0.25, "250 Wh"),
        ("operational_location_kgco2e", 8_942_000, "8,940 tCO2e"),
        ("operational_location_kgco2e", 390_000, "390 tCO2e"),
        ("embodied_kgco2e", 0.004, "4.00 gCO2e"),
        ("accelerator_hours", 30.84e6, "30.8 M h"),
        ("wall_clock_h", 54.0, "54.0 h"),
        ("offsite_water_l", 123e6, "123 million L"),
        ("rental_on_demand_usd", 61.7e6, "61.7 million USD"),
        ("location_intensity_g_per_kwh", 383.55, "384 g/kWh"),
        ("tdp_w", 700.0, "700 W"),
        ("max_node_w", 1300.0, "1.30 kW"),
        ("params", 405e9, "405B"),
        ("tokens", 15.6e12, "15.6T"),
        ("mfu", 0.41, "0.410"),
        ("training_flop", 3.8e25, "3.80e+25 FLOP"),
        ("market_intensity_g_per_kwh", 0.0, "0 g/kWh"),
    ],
)
def test_quantities_are_shown_in_the_unit_people_use(field: str, value: float, text: str) -> None:
    assert units.show(field, value) == text


def test_a_certain_value_has_four_digits_and_a_wide_one_two() -> None:
    assert units.significant_digits(30.84e6, 30.84e6, 30.84e6) == 4
    assert units.significant_digits(26.1e6, 30.6e6, 36.2e6) == 2
    assert units.significant_digits(0.9, 1.0, 100.0) == 2
    assert units.significant_digits(0.0, 0.0, 0.0) == 4


@given(st.floats(1e-6, 1e12), st.floats(1e-5, 0.9), st.floats(1e-5, 9.0))
def test_the_last_digit_shown_is_of_the_size_of_the_uncertainty(mid: float, below: float, above: float) -> None:
    low, high = mid * (1 - below), mid * (1 + above)
    digits = units.significant_digits(low, mid, high)
    last = 10.0 ** (math.floor(math.log10(mid)) - digits + 1)
    half_width = (high - low) / 2
    assert 2 <= digits <= 4
    if digits < 4:
        assert last <= half_width * (1 + 1e-9)
    if digits > 2:
        assert half_width < 36 * last


@given(st.floats(1e-200, 1e200), st.integers(1, 6))
def test_rounding_keeps_a_number_within_half_its_last_digit(value: float, digits: int) -> None:
    assert units.round_to(value, digits) == pytest.approx(value, rel=0.5001 * 10 ** (1 - digits))
    assert units.round_to(-value, digits) == -units.round_to(value, digits)


@pytest.mark.parametrize("value", [0.0, math.inf, -math.inf])
def test_what_has_no_digits_is_left_as_it_is(value: float) -> None:
    assert units.round_to(value, 3) == value


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1234567.0, 3, "1,230,000"),
        (0.000056, 2, "5.6e-05"),
        (0.00012345, 3, "0.000123"),
        (9.999, 3, "10.0"),
        (4.14e25, 3, "4.14e+25"),
        (0.0, 3, "0"),
        (-1500.0, 2, "-1,500"),
    ],
)
def test_numbers_are_grouped_and_claim_no_digit_too_many(value: float, digits: int, text: str) -> None:
    assert units.show_number(value, digits) == text
