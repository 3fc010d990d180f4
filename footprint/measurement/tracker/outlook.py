"""What a run will have cost, for who looks on: from how far it is and what it has drawn at each look."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from footprint.measurement.tracker.forecasting import forecast
from footprint.report.run_wording import done_share
from footprint.units import J_PER_KWH
from footprint.values import Forecast, Impact, Range, Run

__all__ = ["Outlook"]

_MOST_MARKS = 600


class Outlook:
    """One run's looks so far. The pace is taken between them, so that a run's start is not repeated in its end."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, float, float]] = deque(maxlen=_MOST_MARKS)

    def look(self, run: Run, now_utc_s: float) -> Forecast | None:
        """The forecast by all looks with this one; None where nobody told how much there is to do."""
        impact, share = run.footprint.facility, done_share(run.progress)
        drawn_kwh = impact.it_energy_kwh.mid
        if not share or not drawn_kwh or run.status != "running":
            return None
        mark = (run.ended_utc_s, share, drawn_kwh * J_PER_KWH)
        if not self._marks or mark[1] > self._marks[-1][1]:
            self._marks.append(mark)
        dollars = impact.electricity_usd
        per_kwh = (
            impact.facility_energy_kwh.mid / drawn_kwh,
            impact.operational_location_kgco2e.mid / drawn_kwh,
            dollars.mid / drawn_kwh if dollars else None,
        )
        found = forecast([*self._marks, mark], run.started_utc_s, run.ended_utc_s, now_utc_s, per_kwh)
        return _as_sure_as(impact, found)


def _as_sure_as(impact: Impact, found: Forecast) -> Forecast:
    """A forecast is no surer than what was measured so far: its ends go as far from the mid at least."""

    def widened(so_far: Range | None, end: Range) -> Range:
        if so_far is None or not so_far.mid:
            return end
        return Range(end.low * so_far.low / so_far.mid, end.mid, end.high * so_far.high / so_far.mid)

    return replace(
        found,
        facility_energy_kwh=widened(impact.facility_energy_kwh, found.facility_energy_kwh),
        operational_location_kgco2e=widened(impact.operational_location_kgco2e, found.operational_location_kgco2e),
        electricity_usd=found.electricity_usd and widened(impact.electricity_usd, found.electricity_usd),
    )
