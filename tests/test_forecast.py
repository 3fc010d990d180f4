"""What a run will have cost: its pace so far, for the rest of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from footprint.measurement.metering import HostIntegral, Limits
from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.forecasting import LEAST_SHARE, PARTS, forecast, over_budget
from footprint.measurement.tracker.words import track_words
from footprint.units import J_PER_KWH
from footprint.values import Forecast, Range

UTC_S = 1_800_000_000.0
PER_KWH = (1.2, 0.05, 0.1)
Mark = tuple[float, float, float]


def paced(duration_s: float, power_w: float, whole_s: float, started_s: float = 0.0, count: int = 50) -> list[Mark]:
    """Marks of a training that has run for `duration_s` of `whole_s`, at one pace and one power."""
    moments = [started_s + duration_s * (number + 1) / count for number in range(count)]
    return [(at_s, (at_s - started_s) / whole_s, power_w * (at_s - started_s)) for at_s in moments]


def foreseen(
    marks: list[Mark], started_s: float = 0.0, per_kwh: tuple[float, float, float | None] = PER_KWH
) -> Forecast:
    return forecast(marks, started_s, marks[-1][0], UTC_S, per_kwh)


@given(
    power_w=st.floats(1.0, 1e7), whole_s=st.floats(10.0, 1e8), done=st.floats(0.01, 1.0), count=st.integers(1, 256),
    started_s=st.floats(0.0, 1e6),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_constant_pace_is_foreseen_exactly_from_any_point_of_the_run(
    power_w: float, whole_s: float, done: float, count: int, started_s: float
) -> None:
    found = foreseen(paced(whole_s * done, power_w, whole_s, started_s, count), started_s)
    energy_kwh = power_w * whole_s / J_PER_KWH
    rel = 1e-5  # a short run begun late: its moments differ in their last digits alone
    assert found.done_share == pytest.approx(done, rel=rel)
    assert found.facility_energy_kwh.mid == pytest.approx(energy_kwh * 1.2, rel=rel)
    assert found.operational_location_kgco2e.mid == pytest.approx(energy_kwh * 0.05, rel=rel)
    assert found.electricity_usd is not None
    assert found.electricity_usd.mid == pytest.approx(energy_kwh * 0.1, rel=rel)
    assert found.ended_utc_s.mid == pytest.approx(UTC_S + whole_s * (1 - done), rel=rel)
    for value in (found.facility_energy_kwh, found.ended_utc_s):
        assert value.high - value.low <= value.mid * 1e-3


def test_a_price_that_is_not_known_stays_so() -> None:
    assert foreseen(paced(10.0, 100.0, 100.0), per_kwh=(1.2, 0.05, None)).electricity_usd is None


def test_loading_and_compiling_are_not_repeated_for_the_rest() -> None:
    """Ten minutes of start-up at 900 W, then a tenth of the training in ten minutes at 300 W."""
    marks = [(600.0 + at_s, share, 540e3 + 300.0 * at_s) for at_s, share, _ in paced(600.0, 300.0, 6000.0)]
    found = foreseen(marks)
    assert found.facility_energy_kwh.mid == pytest.approx(1.2 * (540e3 + 300.0 * 6000.0) / J_PER_KWH, rel=1e-9)
    assert found.ended_utc_s.mid == pytest.approx(UTC_S + 5400.0, rel=1e-12)


def test_the_first_step_alone_is_taken_with_all_that_went_before() -> None:
    found = foreseen([(100.0, 0.02, 5000.0)])
    assert found.facility_energy_kwh.mid == pytest.approx(1.2 * 5000.0 / 0.02 / J_PER_KWH, rel=1e-9)
    assert found.facility_energy_kwh.low == found.facility_energy_kwh.high


def test_quarters_that_differ_give_the_forecast_its_ends() -> None:
    """Half as fast at twice the power in the last quarter: that pace and the quick one bound the rest."""
    marks, at_s, share, joules = [], 0.0, 0.0, 0.0
    for number in range(41):
        marks.append((at_s, share, joules))
        step_s, power_w = (2.0, 600.0) if number >= 30 else (1.0, 300.0)
        at_s, share, joules = at_s + step_s, share + 0.01, joules + power_w * step_s
    found = foreseen(marks[:])
    drawn_j, rest = marks[-1][2], 1 - marks[-1][1]
    assert found.facility_energy_kwh.low == pytest.approx(1.2 * (drawn_j + rest * 100 * 300.0) / J_PER_KWH, rel=1e-9)
    assert found.facility_energy_kwh.high == pytest.approx(1.2 * (drawn_j + rest * 100 * 1200.0) / J_PER_KWH, rel=1e-9)
    assert found.ended_utc_s.low == pytest.approx(UTC_S + rest * 100 * 1.0, rel=1e-12)
    assert found.ended_utc_s.high == pytest.approx(UTC_S + rest * 100 * 2.0, rel=1e-12)


def test_too_few_marks_for_quarters_give_no_spread() -> None:
    marks = [(0.0, 0.1, 0.0), (1.0, 0.2, 100.0), (5.0, 0.3, 900.0)]
    assert len(marks) <= PARTS
    found = foreseen(marks)
    assert found.facility_energy_kwh.low == found.facility_energy_kwh.high


def test_what_is_done_costs_what_it_has_cost() -> None:
    for marks in ([(60.0, 1.0, 18e3)], paced(60.0, 300.0, 60.0)):
        found = foreseen(marks)
        assert found.done_share == 1.0
        assert found.facility_energy_kwh.low == found.facility_energy_kwh.high
        assert found.facility_energy_kwh.mid == pytest.approx(1.2 * 18e3 / J_PER_KWH, rel=1e-9)
        assert found.ended_utc_s.mid == pytest.approx(UTC_S, rel=1e-12)


def test_a_stretch_without_progress_costs_and_breaks_nothing() -> None:
    """An evaluation in the middle: no step is done for a while, power is drawn all the same."""
    marks = paced(100.0, 300.0, 1000.0, count=20)
    still = [(100.0 + second, 0.1, 30e3 + 300.0 * second) for second in range(1, 60)]
    later = [(160.0 + at_s, 0.1 + share, 48e3 + joules) for at_s, share, joules in paced(40.0, 300.0, 1000.0, count=8)]
    found = foreseen(marks + still + later)
    assert found.facility_energy_kwh.mid > 1.2 * 300.0 * 1000.0 / J_PER_KWH
    assert found.facility_energy_kwh.low <= found.facility_energy_kwh.mid <= found.facility_energy_kwh.high


@given(
    st.lists(st.tuples(st.floats(0.0, 1e4), st.floats(-0.1, 1.0), st.floats(0.0, 1e9)), min_size=1, max_size=40),
)
@settings(max_examples=150, deadline=None)
def test_whatever_was_marked_the_forecast_is_a_range_and_not_below_what_was_drawn(steps: list[Mark]) -> None:
    """Progress may fall: a loop that begins anew counts from nothing."""
    at_s, share, joules, marks = 0.0, 0.0, 0.0, []
    for elapsed_s, gained, drawn_j in steps:
        at_s, share, joules = at_s + elapsed_s, min(max(share + gained, 0.001), 1.0), joules + drawn_j
        marks.append((at_s, share, joules))
    found = foreseen(marks)
    assert found.facility_energy_kwh.low >= 1.2 * joules / J_PER_KWH * (1 - 1e-9)
    assert found.ended_utc_s.low >= UTC_S


# budgets


def expected(kwh: float, done_share: float = 0.5) -> Forecast:
    return Forecast(
        done_share, Range.exactly(UTC_S), Range(kwh * 0.9, kwh, kwh * 1.3), Range(0.0, kwh / 10, kwh),
        Range(0.0, kwh / 5, kwh),
    )  # fmt: skip


SPENT = {"budget_kwh": 3.0, "budget_kgco2e": 0.3, "budget_usd": 0.6}


def test_a_budget_that_holds_says_nothing() -> None:
    assert over_budget({"budget_kwh": 10.0, "budget_kgco2e": 1.0, "budget_usd": 2.0}, SPENT, expected(10.0)) is None
    assert over_budget({}, SPENT, expected(10.0)) is None
    assert over_budget({"budget_kwh": 10.0}, SPENT, None) is None


@pytest.mark.parametrize("name", sorted(SPENT))
def test_a_budget_that_is_spent_is_told_whatever_is_foreseen(name: str) -> None:
    for ahead in (None, expected(0.0), expected(1.0, done_share=0.001)):
        assert over_budget({name: SPENT[name]}, SPENT, ahead) == f"{name} of {SPENT[name]:g} is spent ({SPENT[name]:g})"


@pytest.mark.parametrize(("name", "then"), [("budget_kwh", 10.0), ("budget_kgco2e", 1.0), ("budget_usd", 2.0)])
def test_a_budget_that_will_not_do_is_told_with_what_is_foreseen(name: str, then: float) -> None:
    told = over_budget({name: then * 0.99}, SPENT, expected(10.0))
    assert told is not None
    assert told.startswith(f"{name} of {then * 0.99:g} will not do: {then:g} are expected (")
    assert over_budget({name: then * 1.01}, SPENT, expected(10.0)) is None


def test_the_first_budget_that_does_not_hold_is_told() -> None:
    told = over_budget({"budget_kwh": 100.0, "budget_usd": 0.5, "budget_kgco2e": 0.1}, SPENT, expected(10.0))
    assert told is not None
    assert told.startswith("budget_usd")


def test_a_forecast_from_the_first_hundredth_says_nothing_of_a_budget() -> None:
    budgets = {"budget_kwh": 5.0}
    assert over_budget(budgets, SPENT, expected(1000.0, done_share=LEAST_SHARE * 0.99)) is None
    assert over_budget(budgets, SPENT, expected(1000.0, done_share=LEAST_SHARE)) is not None


def test_a_budget_of_money_where_no_price_is_known_cannot_be_reached() -> None:
    assert over_budget({"budget_usd": 1e-9}, {"budget_usd": None}, None) is None


def test_a_start_that_goes_on_takes_its_pace_from_what_it_did_itself() -> None:
    """Half was done before: 10 % more in 100 s and 1,000 J leave 40 % for 400 s and 4,000 J."""
    found = forecast([(100.0, 0.6, 1000.0)], 0.0, 100.0, UTC_S, PER_KWH, begun_share=0.5)
    assert found.facility_energy_kwh.mid == pytest.approx(5000.0 / J_PER_KWH * PER_KWH[0])
    assert found.ended_utc_s.mid == pytest.approx(UTC_S + 400.0)


def test_a_start_that_goes_on_foresees_nothing_before_it_has_done_anything() -> None:
    moment = [0.0]
    run = ActiveRun("r", track_words("n", {"steps": 100}), lambda: moment[0])
    run.host = HostIntegral((), 1.0, Limits(0.05, 3.0, 0.1, 1.5), 0.0)
    run.load_state_dict({"progress": {"steps_count": 50.0}})
    moment[0] = 100.0
    assert run.forecast() is None
    run.step(10)
    found = run.forecast()
    assert found is not None
    assert found.done_share == pytest.approx(0.6)
