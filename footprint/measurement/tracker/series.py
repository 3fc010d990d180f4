"""A run's journals as series for the eye: power of each meter, windows and progress in equal pieces of time."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from footprint.measurement import journal
from footprint.measurement.journal import Journal
from footprint.measurement.tracker.forecasting import Mark, forecast
from footprint.measurement.tracker.progress import progress_of
from footprint.report.run_wording import done_share
from footprint.studies import MeterSeries, RunSeries, WindowSeries
from footprint.units import J_PER_KWH
from footprint.values import Forecast, Meter, Progress, Range, Run
from footprint.version import __version__

__all__ = ["forecast_of", "read_series"]

MOST_PIECES = 2000
_TAIL_BYTES = 65_536
_MOST_PERIODS = 3
"""Between two readings of a model: a longer time is a hole."""

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(slots=True)
class _Pieces:
    """One meter's readings, sorted into pieces of time."""

    meter: Meter
    sums: list[float]
    counts: list[int]
    lows: list[float]
    highs: list[float]
    buffer: list[float] = field(default_factory=list)  # watts of the piece that is being read
    last: tuple[float, float] | None = None  # moment and joules of the counter, where it alone tells
    place: int | None = None  # of a model's last reading

    def flush(self, place: int) -> None:
        """Sort the buffer into a piece."""
        if not self.buffer:
            return
        self.sums[place] += sum(self.buffer)
        self.counts[place] += len(self.buffer)
        self.lows[place] = min(self.lows[place], min(self.buffer))
        self.highs[place] = max(self.highs[place], max(self.buffer))
        self.buffer.clear()

    def counted(self, moment_s: float, joules: float) -> None:
        """Watts of a meter that tells no power: the counter's move since the reading before."""
        if self.last is not None and moment_s > self.last[0] and joules >= self.last[1]:
            self.buffer.append((joules - self.last[1]) / (moment_s - self.last[0]))
        self.last = (moment_s, joules)

    def modelled(self, place: int, watts: float, most: int) -> None:
        """A model is read more rarely than counters: its watts are the mean since its reading before."""
        before = place if self.place is None or place - self.place > most else self.place
        for between in range(before + 1, place):
            if not self.counts[between]:
                self.sums[between], self.counts[between] = watts, 1
                self.lows[between] = self.highs[between] = watts
        self.place = place

    def series(self, host: str) -> MeterSeries:
        share = self.meter.share
        seen = [count > 0 for count in self.counts]

        def column(values: Sequence[float]) -> tuple[float | None, ...]:
            return tuple(value * share if there else None for value, there in zip(values, seen, strict=True))

        means = [total / count if count else 0.0 for total, count in zip(self.sums, self.counts, strict=True)]
        return MeterSeries(host, self.meter, column(means), column(self.lows), column(self.highs))


@dataclass(slots=True)
class _Reader:
    """What the journals of a run hold, in pieces of time."""

    started_utc_s: float
    piece_s: float
    count: int
    meters: dict[tuple[str, str], _Pieces] = field(default_factory=dict)
    windows: dict[str, list[float]] = field(default_factory=dict)
    progress: list[dict[str, float]] = field(default_factory=list)
    shares: list[float | None] = field(default_factory=list)
    sample_count: int = 0

    def pieces_of(self, host: str, meter: Meter) -> _Pieces:
        key = (host, meter.id)
        if key not in self.meters:
            zeros, none = [0.0] * self.count, [0] * self.count
            self.meters[key] = _Pieces(meter, zeros, none, [math.inf] * self.count, [0.0] * self.count)
        return self.meters[key]

    def place(self, utc_s: float) -> int:
        return min(max(int((utc_s - self.started_utc_s) / self.piece_s), 0), self.count - 1)

    def read(self, one: Journal, has_windows: bool, said: Progress) -> None:
        """Every line once; samples are not made records, since there may be a million of them."""
        header = one.header
        offset_s = header.started_utc_s - header.started_s
        pieces = [self.pieces_of(header.host, meter) for meter in header.meters]
        for one_pieces in pieces:
            one_pieces.last = one_pieces.place = None  # another start: its counter may have begun anew
        progress: dict[str, float] = {}
        self.progress.append(progress)
        place = 0
        for told in _lines(one.path):
            try:
                at_s = float(told["t"]) + offset_s
                now = self.place(at_s)
                if now != place:
                    for own in pieces:
                        own.flush(place)
                    place = now
                if not told.get("edge"):
                    self._add(told.get("s", ()), at_s, pieces)
                if has_windows and "w" in told:
                    self._add_windows(told["w"], place)
                if "p" in told:
                    progress.update({str(name): float(value) for name, value in told["p"].items()})
                    self._mark(place, said)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError):
                continue  # a torn line
        for own in pieces:
            own.flush(place)

    def _add(self, samples: Sequence[Any], at_s: float, pieces: Sequence[_Pieces]) -> None:
        self.sample_count += len(samples)
        for packed in samples:
            watts = packed[3] if len(packed) > 3 else None
            if watts is not None:
                own = pieces[packed[0]]
                own.buffer.append(watts)
                if packed[2] is not None:
                    own.last = (at_s + packed[1], packed[2])
                elif own.meter.origin == "modelled" and own.meter.period_s is not None:
                    own.modelled(self.place(at_s), watts, math.ceil(_MOST_PERIODS * own.meter.period_s / self.piece_s))
            elif len(packed) > 2 and packed[2] is not None:
                pieces[packed[0]].counted(at_s + packed[1], packed[2])

    def _add_windows(self, told: Any, place: int) -> None:
        for name, (_, seconds) in told.items():
            shares = self.windows.setdefault(str(name), [0.0] * self.count)
            shares[place] += float(seconds) / self.piece_s

    def _mark(self, place: int, said: Progress) -> None:
        whole: dict[str, float] = {}
        for one in self.progress:
            for name, value in one.items():
                whole[name] = whole.get(name, 0.0) + value if name == "tokens" else max(whole.get(name, 0.0), value)
        totals = {
            "steps": said.total_steps_count, "tokens": said.total_tokens, "epochs": said.total_epochs_count,
        }  # fmt: skip
        share = done_share(progress_of(whole, {name: value for name, value in totals.items() if value is not None}))
        if share is not None:
            self.shares[place] = share


def read_series(paths: Paths, points: int = MOST_PIECES, said: Progress | None = None) -> RunSeries:
    """The power of each meter in at most so many pieces of time, with the lowest and the highest reading in each.

    Parameters
    ----------
    paths : a run's folder, a journal, or several of either
    points : pieces of time at most; none is shorter than the usual time between readings
    said : totals of steps, tokens or epochs, where the journals do not tell them

    Raises
    ------
    JournalError
        When a journal cannot be read.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files = dict.fromkeys(file for place in given for file in journal.files_of(Path(place)))
    journals = sorted((journal.read(file) for file in files), key=lambda j: (j.header.started_utc_s, j.header.rank))
    if not journals:
        return RunSeries("", "", 0.0, 1.0, 0, (), version=__version__)
    first = journals[0].header
    started_s = min(one.header.started_utc_s for one in journals)
    span_s = max(max(_last_utc_s(one) for one in journals) - started_s, 0.0)
    piece_s = max(span_s / max(points, 1), max(one.header.interval_s for one in journals))
    count = max(math.ceil(span_s / piece_s), 1)
    reader = _Reader(started_s, piece_s, count, shares=[None] * count)
    lead = min(journals, key=lambda one: (one.header.rank, one.header.host)).header
    for one in journals:
        has_windows = (one.header.host, one.header.rank) == (lead.host, lead.rank)
        reader.read(one, has_windows, said or Progress())
    return RunSeries(
        run_id=first.run,
        name=first.name,
        started_utc_s=started_s,
        piece_s=piece_s,
        sample_count=reader.sample_count,
        meters=tuple(own.series(host) for (host, _), own in reader.meters.items()),
        windows=tuple(WindowSeries(n, tuple(min(s, 1.0) for s in shares)) for n, shares in reader.windows.items()),
        progress_share=tuple(reader.shares),
        version=__version__,
    )


def forecast_of(run: Run, series: RunSeries) -> Forecast | None:
    """What a run that goes on will have cost, by its pace so far; None where nobody told how far it is."""
    impact = run.footprint.facility
    drawn_kwh = impact.it_energy_kwh.mid
    known = [(place, share) for place, share in enumerate(series.progress_share) if share]
    if run.status != "running" or not known or not drawn_kwh:
        return None
    curve = _joules(series)
    whole = curve[-1] or 1.0
    scale = drawn_kwh * J_PER_KWH / whole
    marks: list[Mark] = [
        (series.started_utc_s + (place + 1) * series.piece_s, share, curve[place] * scale) for place, share in known
    ]
    marks.append((run.ended_utc_s, marks[-1][1], drawn_kwh * J_PER_KWH))
    dollars = impact.electricity_usd
    per_kwh = (
        impact.facility_energy_kwh.mid / drawn_kwh,
        impact.operational_location_kgco2e.mid / drawn_kwh,
        dollars.mid / drawn_kwh if dollars is not None else None,
    )
    found = forecast(marks, run.started_utc_s, run.ended_utc_s, run.ended_utc_s, per_kwh)
    return replace(
        found,
        facility_energy_kwh=_as_sure(impact.facility_energy_kwh, found.facility_energy_kwh),
        operational_location_kgco2e=_as_sure(impact.operational_location_kgco2e, found.operational_location_kgco2e),
        electricity_usd=None
        if dollars is None or found.electricity_usd is None
        else _as_sure(dollars, found.electricity_usd),
    )


def _as_sure(so_far: Range, end: Range) -> Range:
    """A forecast is no surer than what was measured so far: its ends go as far from the mid at least."""
    if not so_far.mid:
        return end
    return Range(
        min(end.low, end.mid * so_far.low / so_far.mid), end.mid, max(end.high, end.mid * so_far.high / so_far.mid)
    )


def _joules(series: RunSeries) -> list[float]:
    """Energy of all meters up to the end of each piece, as the thinned series has it."""
    total = 0.0
    found = []
    for place in range(len(series.progress_share)):
        total += sum((one.mean_w[place] or 0.0) for one in series.meters) * series.piece_s
        found.append(total)
    return found or [0.0]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        file.readline()
        for line in file:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict):
                yield told


def _last_utc_s(one: Journal) -> float:
    """When the last whole line was written."""
    offset_s = one.header.started_utc_s - one.header.started_s
    with one.path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _TAIL_BYTES, 0))
        lines = file.read().splitlines()
    for line in reversed(lines):
        tick = one.tick_of(line)
        if tick is not None:
            return tick.at_s + offset_s
    return one.header.started_utc_s
