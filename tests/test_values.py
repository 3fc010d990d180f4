"""Ranges and the errors that refuse them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from footprint import errors
from footprint.errors import DataError, FootprintError, InputError, MissingExtra, UnknownName, close_names
from footprint.values import ORIGINS, STAGE_KINDS, Range, UsageLine

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE, FINITE)
def test_three_rising_numbers_make_a_range_and_no_others_do(a: float, b: float, c: float) -> None:
    low, mid, high = sorted((a, b, c))
    made = Range(low, mid, high)
    assert (made.low, made.mid, made.high) == (low, mid, high)
    if low < high:
        with pytest.raises(InputError, match=r"range = .* must be finite and rising; write low:mid:high"):
            Range(high, mid, low)


@pytest.mark.parametrize(
    "ends",
    [(math.nan, 1.0, 2.0), (0.0, math.nan, 1.0), (0.0, 1.0, math.inf), (-math.inf, 0.0, 1.0), (2.0, 1.0, 3.0)],
)
def test_a_range_holds_no_infinity_no_nan_and_no_mid_outside(ends: tuple[float, float, float]) -> None:
    with pytest.raises(InputError, match="must be finite and rising"):
        Range(*ends)


@given(FINITE)
def test_a_certain_quantity_has_three_equal_values(value: float) -> None:
    assert Range.exactly(value) == Range(value, value, value)


def test_ranges_neither_add_nor_change() -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        Range.exactly(1.0) + Range.exactly(1.0)  # type: ignore[operator]
    with pytest.raises(dataclasses.FrozenInstanceError, match="mid"):
        Range.exactly(1.0).mid = 2.0  # type: ignore[misc]


def test_what_a_usage_does_not_know_is_none_not_zero() -> None:
    one = Range.exactly(1.0)
    line = UsageLine("run", "h100-sxm5-80gb", one, one, one)
    absent = {f.name for f in dataclasses.fields(line) if getattr(line, f.name) is None}
    assert absent == {"accelerator_count", "wall_clock_h", "training_flop", "tokens", "mfu", "goodput"}


def test_origins_and_kinds_are_words_without_repeats() -> None:
    assert ORIGINS == ("given", "catalog", "measured", "modelled", "default")
    assert len(set(STAGE_KINDS)) == len(STAGE_KINDS)


# errors


def test_every_error_is_a_footprint_error_and_the_tree_is_the_docstrings() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), FootprintError)
        assert name in (errors.__doc__ or "")
    assert issubclass(InputError, ValueError)
    assert issubclass(UnknownName, LookupError)
    assert issubclass(MissingExtra, ImportError)
    assert not issubclass(DataError, ValueError)


def test_an_input_error_names_field_value_bound_and_fix() -> None:
    error = InputError("mfu", 1.7, "must be at most 1", "give a share")
    assert str(error) == "mfu = 1.7: must be at most 1; give a share"
    assert (error.field, error.value, error.bound, error.fix) == ("mfu", 1.7, "must be at most 1", "give a share")


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(str(InputError("name", "x" * 500, "is too long", "shorten it"))) < 140


def test_an_unknown_name_suggests_the_nearest() -> None:
    error = UnknownName("accelerator", "h1OO-sxm", ["h100-sxm", "a100-sxm4", "tpu-v4"], "see: footprint catalog")
    assert error.suggestions[0] == "h100-sxm"
    assert "did you mean h100-sxm" in str(error)
    assert str(error).endswith("see: footprint catalog")


def test_an_unknown_name_far_from_all_suggests_none() -> None:
    error = UnknownName("accelerator", "qqqq", ["h100-sxm", "a100-sxm4"], "see: footprint catalog")
    assert error.suggestions == ()
    assert "did you mean" not in str(error)


@pytest.mark.parametrize(
    ("name", "first"),
    [("LLAMA-3.1-405B", "llama-3.1-405b"), ("llama-3.1-40b", "llama-3.1-405b"), ("405b", "llama-3.1-405b")],
)
def test_letter_case_typing_errors_and_fragments_find_a_name(name: str, first: str) -> None:
    assert close_names(name, ["gpt-3", "llama-3.1-405b", "bloom"])[0] == first


def test_a_data_error_names_file_line_and_column() -> None:
    error = DataError(Path("prices.csv"), 7, "spot_usd_per_h", "'x' is not a number")
    assert str(error) == "prices.csv, line 7, column spot_usd_per_h: 'x' is not a number"


def test_a_missing_extra_prints_the_pip_line() -> None:
    message = str(MissingExtra("kaleido", "images", "writing a PNG"))
    assert message == "writing a PNG needs kaleido; install it with: pip install 'footprint[images]'"
