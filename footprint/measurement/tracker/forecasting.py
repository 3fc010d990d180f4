"""What a run will have cost when it is done, and whether that is more than it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from footprint.units import J_PER_KWH
from footprint.values import Forecast, Range

__all__ = ["forecast", "over_budget"]

PARTS = 4
"""Pieces of the run so far whose pace is compared: their spread is the forecast's."""

LEAST_SHARE = 0.01
"""Below it a forecast says nothing about a budget."""

Mark = tuple[float, float, float]
"""Moment in seconds, share done, joules drawn."""


def forecast(
    marks: Sequence[Mark],
    started_s: float,
    now_s: float,
    now_utc_s: float,
    per_kwh: tuple[float, float, float | None],
    begun_share: float = 0.0,
) -> Forecast:
    """The rest at the pace so far: all of it for the mid, the slowest and the quickest quarter for the ends.

    energy at the end = energy now + rest share x energy per share; likewise for time. The first mark after the start
    is where pace is taken from, so that loading and compiling are not repeated in the forecast.

    Parameters
    ----------
    marks : (moment, share done, joules), rising; the last is now
    started_s, now_s, now_utc_s : seconds
    per_kwh : facility kWh, kg CO2e and dollars of one kWh of IT energy
    begun_share : done by earlier starts of the run, whose energy is not in the marks
    """
    _, share, joules = marks[-1]
    rest = max(1.0 - share, 0.0)
    from_start = [(started_s, begun_share, 0.0), *marks]
    begun = marks if len(marks) > 1 and marks[-1][1] > marks[0][1] else from_start
    energy_pace = _paces(begun, 2)
    time_pace = _paces(begun, 0)
    energy_j = [joules + rest * pace for pace in energy_pace]
    end_s = [now_utc_s + rest * pace for pace in time_pace]
    facility, carbon, dollars = per_kwh
    kwh = [value / J_PER_KWH for value in energy_j]
    return Forecast(
        done_share=share,
        ended_utc_s=Range(*end_s),
        facility_energy_kwh=Range(*(value * facility for value in kwh)),
        operational_location_kgco2e=Range(*(value * carbon for value in kwh)),
        electricity_usd=None if dollars is None else Range(*(value * dollars for value in kwh)),
    )


def _paces(marks: Sequence[Mark], column: int) -> tuple[float, float, float]:
    """Seconds (column 0) or joules (2) per whole run: the quickest quarter's, the mean, the slowest quarter's."""
    first, last = marks[0], marks[-1]
    mean = (last[column] - first[column]) / (last[1] - first[1]) if last[1] > first[1] else 0.0
    found = [mean]
    count = len(marks)
    if count > PARTS:
        edges = [marks[round(i * (count - 1) / PARTS)] for i in range(PARTS + 1)]
        for before, after in pairwise(edges):
            if after[1] > before[1]:
                found.append((after[column] - before[column]) / (after[1] - before[1]))
    return min(found), mean, max(found)


def over_budget(
    budgets: Mapping[str, float], spent: Mapping[str, float | None], expected: Forecast | None,
    earlier: Mapping[str, float | None] = MappingProxyType({}),
) -> str | None:  # fmt: skip
    """The first budget that is spent, or that the forecast's mid goes beyond, in words; None where all hold.

    What `earlier` starts have spent is in `spent`, and comes on top of what is expected of this one.
    """
    if expected is not None and expected.done_share < LEAST_SHARE:
        expected = None
    ahead: dict[str, Range | None] = {
        "budget_kwh": expected.facility_energy_kwh if expected else None,
        "budget_kgco2e": expected.operational_location_kgco2e if expected else None,
        "budget_usd": expected.electricity_usd if expected else None,
    }
    for name, most in budgets.items():
        now, then = spent.get(name), ahead.get(name)
        if now is not None and now >= most:
            return f"{name} of {most:g} is spent ({now:.4g})"
        if then is not None and (before := earlier.get(name)):
            then = Range(then.low + before, then.mid + before, then.high + before)
        if then is not None and then.mid > most:
            return f"{name} of {most:g} will not do: {then.mid:.4g} are expected ({then.low:.4g} to {then.high:.4g})"
    return None
