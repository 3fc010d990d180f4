"""A live run as numbers: its journals as they grow, added up and assessed by the lines that assess a finished run."""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from footprint.accounting.metered import Measured, coverage, per_kwh, with_rest_of_nodes
from footprint.accounting.profile import at_its_hours
from footprint.accounting.site import site as make_site
from footprint.accounting.site import site_words
from footprint.catalog import Catalog, open_catalog
from footprint.errors import FootprintError
from footprint.export.joined import Joined, Start
from footprint.export.snapshot import Budget, DeviceNow, HostNow, RunNow
from footprint.measurement.limits import limits
from footprint.measurement.tracker.forecasting import Mark, forecast
from footprint.measurement.tracker.reading import (
    duration_of,
    hourly_of,
    meters_of,
    progress_over,
    starts_of,
    words_of,
)
from footprint.report.run_wording import done_share
from footprint.uncertainty import mids
from footprint.units import G_PER_KG, J_PER_KWH, S_PER_H, W_PER_KW
from footprint.values import Forecast, MeterUsage, Progress, Range, Site

__all__ = ["Followed"]

_MOST_MARKS = 256
_BUDGETS = {"energy": "budget_kwh", "co2e": "budget_kgco2e", "cost": "budget_usd"}
_ORIGINS = {"default": "assumed"}
_PLACES = ("region", "zone", "country")
Shown = tuple[float | None, float | None]
"""Watts and utilization."""

_NOTHING: Shown = (None, None)
_MOST_UTC_S = 2.0**33
_HALF = re.compile("[\ud800-\udfff]")
Record = TypeVar("Record", RunNow, DeviceNow, HostNow)
_NOT_A_RUN = (FootprintError, OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError)
"""What journals that hold nonsense may raise; one run's is not the others'."""


class Followed:
    """One run, read as it grows.

    Parameters
    ----------
    folder : of the run
    data : a folder of the user's own tables, over the one that its journals name
    """

    def __init__(self, folder: Path, data: Path | None = None) -> None:
        self.folder, self._data = folder, data
        self.problem = ""
        self._joined = Joined(folder, limits(open_catalog(data)))
        self._site: tuple[str, Site] | None = None
        self._marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self._most: dict[tuple[str, ...], float] = {}

    @property
    def has_started(self) -> bool:
        """Whether any journal of it could be opened."""
        return bool(self._joined.starts)

    @property
    def is_live(self) -> bool:
        """Whether a process may still write."""
        return any(file.is_written for file in self._joined.files())

    def refresh(self) -> None:
        """Read what its journals have gained."""
        try:
            self._joined.refresh()
        except _NOT_A_RUN as error:
            self.problem = _told(error)

    def now(self, utc_s: float | None = None) -> RunNow | None:
        """Its numbers; None where there are none yet, `problem` says why."""
        if not self._joined.starts:
            return None
        try:
            return _sound(self._now(time.time() if utc_s is None else utc_s))
        except _NOT_A_RUN as error:
            self.problem = _told(error)
            return None

    def _now(self, utc_s: float) -> RunNow:
        starts = self._joined.starts
        segments = [start.summed() for start in starts]
        said = words_of([file.header for file in self._joined.files()])
        catalog = self._catalog(said)
        progress = progress_over(starts_of(segments), said)
        measured = Measured(
            segments[0].header.name, meters_of(segments), progress, duration_of(segments), hourly_of(segments)
        )
        power = _power(starts) if self.is_live else {}
        power |= _rest_power(measured, power, said, catalog)
        measured, _ = with_rest_of_nodes(measured, said, catalog)
        first = min((start.header for start in starts), key=lambda h: h.started_utc_s)
        found = RunNow(
            id=first.run,
            name=first.name,
            project=first.project,
            is_live=self.is_live,
            started_utc_s=first.started_utc_s,
            place=str(next((said[word] for word in _PLACES if said.get(word)), "")),
            version=starts[-1].header.version,
            hosts=tuple(_hosts(starts)),
            devices=tuple(self._device(one, power.get((one.host, one.meter.id), _NOTHING)) for one in measured.meters),
            coverage_ratio=coverage(measured.meters),
            steps_count=self._never_less(("steps",), progress.steps_count) or None,
            tokens=self._never_less(("tokens",), progress.tokens) or None,
            done_ratio=done_share(progress),
        )
        try:
            return self._priced(found, measured, said, catalog, utc_s)
        except FootprintError as error:  # a place that no table knows: joules stand all the same
            self.problem = _told(error)
            return found

    def _device(self, one: MeterUsage, shown: Shown) -> DeviceNow:
        meter, key = one.meter, (one.host, one.meter.id)
        stalled = one.stalled_it_energy_kwh
        return DeviceNow(
            host=one.host,
            id=meter.id,
            component=meter.component,
            name=meter.name,
            scope=meter.scope,
            origin=_ORIGINS.get(meter.origin, meter.origin),
            energy_j=self._never_less(("energy", *key), one.it_energy_kwh.mid * J_PER_KWH),
            power_w=shown[0],
            utilization=shown[1],
            stalled_j=None if stalled is None else self._never_less(("stalled", *key), stalled * J_PER_KWH),
        )

    def _priced(
        self, run: RunNow, measured: Measured, said: Mapping[str, Any], catalog: Catalog, utc_s: float
    ) -> RunNow:
        site, _ = at_its_hours(self._place(said, catalog), measured.hourly_it_energy_kwh, catalog)
        factors = facility, carbon, dollars = per_kwh(mids(site))
        drawn_kwh = sum(device.energy_j for device in run.devices) / J_PER_KWH
        watts = [device.power_w for device in run.devices if device.power_w is not None]
        facility_kwh = self._never_less(("facility",), drawn_kwh * facility)
        carbon_kg = self._never_less(("carbon",), drawn_kwh * carbon)
        cost_usd = None if dollars is None else self._never_less(("cost",), drawn_kwh * dollars)
        end = self._forecast(run, drawn_kwh, factors, utc_s) if run.is_live else None
        spent = {"energy": facility_kwh, "co2e": carbon_kg, "cost": cost_usd}
        dollars_then = end.electricity_usd if end else None
        return replace(
            run,
            facility_energy_j=facility_kwh * J_PER_KWH,
            facility_power_w=sum(watts) * facility if watts else None,
            operational_location_co2e_g=carbon_kg * G_PER_KG,
            electricity_usd=cost_usd,
            forecast_facility_energy_j=end.facility_energy_kwh.mid * J_PER_KWH if end else None,
            forecast_operational_location_co2e_g=end.operational_location_kgco2e.mid * G_PER_KG if end else None,
            forecast_electricity_usd=dollars_then.mid if dollars_then else None,
            forecast_end_utc_s=end.ended_utc_s.mid if end else None,
            budgets=tuple(_budgets(said, spent, end)),
        )

    def _forecast(
        self, run: RunNow, drawn_kwh: float, factors: tuple[float, float, float | None], utc_s: float
    ) -> Forecast | None:
        """From how far it is and what it has drawn, at each look since this one began."""
        share, joules = run.done_ratio, drawn_kwh * J_PER_KWH
        if not share or not joules:
            return None
        reading_utc_s = max(host.reading_utc_s for host in run.hosts)
        mark = (reading_utc_s, share, joules)
        marks = self._marks
        pause_s = (reading_utc_s - run.started_utc_s) / _MOST_MARKS
        if not marks or (share > marks[-1][1] and reading_utc_s - marks[-1][0] >= pause_s):
            marks.append(mark)
        return forecast([*marks, mark], run.started_utc_s, reading_utc_s, utc_s, factors)

    def _never_less(self, key: tuple[str, ...], value: float) -> float:
        """A counter: what was told once is not taken back."""
        before = self._most.get(key, 0.0)
        self._most[key] = value if before < value < math.inf else before
        return self._most[key]

    def _catalog(self, said: Mapping[str, Any]) -> Catalog:
        """The tables that the run names, if they are there."""
        try:
            return open_catalog(self._data if self._data is not None else said.get("data"))
        except FootprintError as error:
            self.problem = _told(error)
            return open_catalog(None)

    def _place(self, said: Mapping[str, Any], catalog: Catalog) -> Site:
        told = repr(sorted(said.items(), key=lambda pair: pair[0]))
        if self._site is None or self._site[0] != told:
            self._site = (told, make_site(site_words(said), (), catalog)[0])
        return self._site[1]


def _hosts(starts: Sequence[Start]) -> Iterator[HostNow]:
    latest: dict[str, float] = {}
    for start in starts:
        latest[start.header.host] = max(latest.get(start.header.host, 0.0), start.reading_utc_s)
    return (HostNow(name, at_s) for name, at_s in latest.items())


def _power(starts: Sequence[Start]) -> dict[tuple[str, str], Shown]:
    """What each device draws now and how busy it is, as far as it answers; my share of it."""
    found: dict[tuple[str, str], Shown] = {}
    for start in starts:
        for one in start.host.by_meter.values() if start.is_written else ():
            found[start.header.host, one.meter.id] = (start.power_w(one), start.utilization(one))
    return found


def _rest_power(
    measured: Measured, power: Mapping[tuple[str, str], Shown], said: Mapping[str, Any], catalog: Catalog
) -> dict[tuple[str, str], Shown]:
    """What the rest of each node draws now, by the model that tells its energy: an hour's at the power of now."""
    hour = [
        replace(one, it_energy_kwh=Range.exactly(watts / W_PER_KW), duration_s=S_PER_H)
        for one in measured.meters
        if (watts := power.get((one.host, one.meter.id), _NOTHING)[0]) is not None
    ]
    whole, _ = with_rest_of_nodes(Measured("", tuple(hour), Progress(), S_PER_H), said, catalog)
    rest = whole.meters[len(hour) :]
    return {(one.host, one.meter.id): (one.it_energy_kwh.mid * W_PER_KW, None) for one in rest}


def _budgets(said: Mapping[str, Any], spent: Mapping[str, float | None], end: Forecast | None) -> Iterator[Budget]:
    then = {} if end is None else {
        "energy": end.facility_energy_kwh, "co2e": end.operational_location_kgco2e, "cost": end.electricity_usd,
    }  # fmt: skip
    for name, word in _BUDGETS.items():
        most, used, will = said.get(word), spent[name], then.get(name)
        if isinstance(most, (int, float)) and most > 0 and used is not None:
            yield Budget(name, used / most, None if will is None else will.mid / most)


def _sound(run: RunNow) -> RunNow:
    """The same with text that can be sent.

    Raises
    ------
    ValueError
        Where a moment is none, or a number has no end.
    """
    moments = [run.started_utc_s, *(host.reading_utc_s for host in run.hosts)]
    if not all(0 <= moment < _MOST_UTC_S for moment in moments):
        raise ValueError("its journals hold moments that are none")
    numbers = [value for one in (run, *run.devices, *run.budgets) for value in _fields(one) if type(value) is float]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("its journals hold numbers without an end")
    return replace(_plain(run), hosts=tuple(map(_plain, run.hosts)), devices=tuple(map(_plain, run.devices)))


def _fields(record: Any) -> Iterator[Any]:
    return (getattr(record, field.name) for field in fields(record))


def _plain(record: Record) -> Record:
    """Halves of characters, which JSON can hold, are none that could be sent."""
    told = {field.name: getattr(record, field.name) for field in fields(record)}
    texts = {name: _HALF.sub("\ufffd", value) for name, value in told.items() if isinstance(value, str)}
    plain: Record = type(record)(**{**told, **texts})
    return plain


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, FootprintError) else f"{type(error).__name__}: {error}"
