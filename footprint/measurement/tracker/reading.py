"""Journals become a `Run`: sorted into hosts and segments, added up, assessed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from footprint import records
from footprint.accounting.metered import Measured, assess, scaled, total
from footprint.accounting.words import quantity
from footprint.catalog import Catalog, open_catalog
from footprint.errors import InputError, JournalError
from footprint.evidence import evidence
from footprint.measurement import journal
from footprint.measurement.journal import Header, Journal
from footprint.measurement.limits import limits
from footprint.measurement.tracker.progress import BEGUN, SUMMED, joined, progress_of
from footprint.measurement.tracker.segments import SegmentSum, added_up, sorted_into_segments
from footprint.measurement.tracker.words import QUANTITIES
from footprint.units import J_PER_KWH
from footprint.values import Footprint, MeterUsage, Progress, Range, Run, WindowUsage
from footprint.version import __version__

__all__ = [
    "duration_of",
    "hourly_of",
    "list_runs",
    "meters_of",
    "progress_over",
    "read_run",
    "run_of",
    "starts_of",
    "words_of",
]

PLACES = ("region", "country", "zone")
"""Words that say where: one of them over the journals' takes the place of all."""

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def list_runs(root: Path) -> list[Path]:
    """The folders of runs below a runs folder."""
    return journal.run_folders(root)


def read_run(paths: Paths, *, data: str | Path | None = None, words: Mapping[str, Any] | None = None) -> Run:
    """What journals tell of a run, while it goes on or after.

    Parameters
    ----------
    paths : a run's folder, a journal, or several of either (nodes that wrote apart); the same one twice adds nothing
    data : a folder of the user's own tables
    words : of place and model, over those in the journals: the run assessed again

    Raises
    ------
    JournalError
        When nothing there can be read.
    InputError, UnknownName
        For words that cannot be.
    """
    journals, notes = _open_all(paths)
    said = words_of([j.header for j in journals], words)
    catalog = open_catalog(data if data is not None else said.get("data"))
    segments = [added_up(own, limits(catalog)) for own in sorted_into_segments(journals)]
    return run_of(segments, said, catalog, [j.path for j in journals], notes, [j.header for j in journals])


def run_of(
    segments: Sequence[SegmentSum],
    said: Mapping[str, Any],
    catalog: Catalog,
    paths: Sequence[Path] = (),
    notes: Sequence[str] = (),
    headers: Sequence[Header] = (),
) -> Run:
    """The run that segments add up to, assessed by what was said of it."""
    headers = headers or [s.header for s in segments]
    header = min(headers, key=lambda h: h.started_utc_s)
    starts = starts_of(segments)
    wasted = _wasted(segments, starts)
    measured = Measured(
        name=header.name,
        meters=meters_of(segments),
        progress=progress_over(starts, said),
        duration_s=duration_of(segments),
        hourly_it_energy_kwh=hourly_of(segments),
    )
    usage, footprint, measured = assess(measured, said, catalog)
    stalled = [m.stalled_it_energy_kwh for m in measured.meters if m.stalled_it_energy_kwh is not None]
    told = [note for s in segments for note in s.notes]
    return Run(
        id=header.run,
        name=header.name,
        project=header.project,
        tags=tuple(dict.fromkeys(tag for h in headers for tag in h.tags)),
        status=_status(starts),
        started_utc_s=min(s.started_s + s.utc_offset_s for s in segments),
        ended_utc_s=max(s.ended_s + s.utc_offset_s for s in segments),
        hosts=tuple(dict.fromkeys(s.host for s in segments)),
        usage=usage,
        footprint=footprint,
        evidence=evidence(measured.meters).grade,
        meters=measured.meters,
        windows=_windows(segments),
        segments=tuple(s.record(w) for s, w in zip(segments, wasted, strict=True)),
        progress=measured.progress,
        mfu=next((line.mfu.mid for line in usage.lines if line.mfu is not None), None),
        wasted_it_energy_kwh=total(w for w in wasted if w is not None) if any(w is not None for w in wasted) else None,
        stalled_it_energy_kwh=sum(stalled) if stalled else None,
        hourly_it_energy_kwh=measured.hourly_it_energy_kwh,
        planned=_planned(headers),
        notes=tuple(dict.fromkeys((*notes, *told, *footprint.notes, *_told(measured.meters)))),
        journals=tuple(str(path) for path in paths),
        catalog_digest=footprint.catalog_digest,
        version=__version__,
    )


def _open_all(paths: Paths) -> tuple[list[Journal], list[str]]:
    """Every journal once, whatever it is called and however often it is given."""
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    found: dict[tuple[str, str, int, float], Journal] = {}
    notes: list[str] = []
    problem: JournalError | None = None
    for place in given:
        files = journal.files_of(Path(place))
        if not files:
            told = "holds no journal" if Path(place).is_dir() else "is not there"
            raise JournalError(Path(place), told, "give the folder of a run; see: footprint runs list")
        for file in files:
            try:
                one = journal.read(file)
            except JournalError as error:
                notes.append(str(error))
                problem = error
                continue
            header = one.header
            key = (header.host, header.boot, header.pid, header.started_s)
            if key not in found or file.stat().st_size > found[key].path.stat().st_size:
                found[key] = one
    if not found:
        assert problem is not None
        raise problem
    ids = dict.fromkeys(j.header.run for j in found.values())
    if len(ids) > 1:
        notes.append(f"joined from the runs {', '.join(ids)}")
    return sorted(found.values(), key=lambda j: (j.header.started_utc_s, j.header.rank, j.header.pid)), notes


def words_of(headers: Sequence[Header], over: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the user said of model, place and budget, the first word of each kind; with `over` it."""
    said: dict[str, Any] = {}
    for header in headers:
        for word, value in header.words.items():
            said.setdefault(word, value)
    over = {word: value for word, value in (over or {}).items() if value is not None}
    if any(word in over for word in PLACES):
        said = {word: value for word, value in said.items() if word not in PLACES}
    if "settings" in over:
        over["settings"] = {**said.get("settings", {}), **over["settings"]}
    return {word: quantity(word, value) if word in QUANTITIES else value for word, value in {**said, **over}.items()}


# one run from its segments

STEPS_BEGUN = BEGUN + "steps_count"


def starts_of(segments: Sequence[SegmentSum]) -> list[list[SegmentSum]]:
    """Segments of hosts that ran together: a host joins the start that it shares most time with, once each."""
    starts: list[list[SegmentSum]] = []
    for segment in sorted(segments, key=lambda s: s.started_s + s.utc_offset_s):
        others = [
            start
            for start in starts
            if all(s.host != segment.host for s in start)
            and start[0].header.restart_count == segment.header.restart_count
            and _shared_s(start, segment) > 0
        ]
        if others:
            max(others, key=lambda start: _shared_s(start, segment)).append(segment)
        else:
            starts.append([segment])
    return starts


def _shared_s(start: Sequence[SegmentSum], segment: SegmentSum) -> float:
    ends = [(s.started_s + s.utc_offset_s, s.ended_s + s.utc_offset_s) for s in (segment, *start)]
    begun, ended = ends[0]
    return max(min(ended, other_end) - max(begun, other_begun) for other_begun, other_end in ends[1:])


def progress_over(starts: Sequence[Sequence[SegmentSum]], said: Mapping[str, Any]) -> Progress:
    """Counts that go on from an earlier start stand as they are; those that begin anew add up over starts."""
    whole: dict[str, float] = {}
    for told in (joined(s.last for s in start) for start in starts):
        for name, value in told.items():
            adds = name in SUMMED and BEGUN + name not in told
            whole[name] = whole.get(name, 0.0) + value if adds else max(whole.get(name, 0.0), value)
    return progress_of(whole, said)


def _wasted(segments: Sequence[SegmentSum], starts: Sequence[Sequence[SegmentSum]]) -> list[Range | None]:
    """What each segment spent on steps that the next start did again; None where steps do not tell."""
    shares: dict[int, float] = {}
    told = [joined(s.last for s in start) for start in starts]
    for start, own, after in zip(starts, told, told[1:], strict=False):
        done, begun, again = own.get("steps_count"), own.get(STEPS_BEGUN, 0.0), after.get(STEPS_BEGUN)
        if again is not None and done is not None and done > begun:
            share = min(max((done - max(again, begun)) / (done - begun), 0.0), 1.0)
            shares |= {id(segment): share for segment in start}
    return [scaled(s.metered_kwh, shares[id(s)]) if id(s) in shares else None for s in segments]


def meters_of(segments: Sequence[SegmentSum]) -> tuple[MeterUsage, ...]:
    """One line a host and meter; segments of the same meter added."""
    found: dict[tuple[str, str], list[MeterUsage]] = {}
    for segment in segments:
        for one in segment.meters:
            found.setdefault((one.host, one.meter.id), []).append(one)
    return tuple(own[0] if len(own) == 1 else _added(own) for own in found.values())


def _added(own: Sequence[MeterUsage]) -> MeterUsage:
    def mean(name: str) -> float | None:
        known = [(getattr(m, name), m.duration_s) for m in own if getattr(m, name) is not None]
        weight = sum(seconds for _, seconds in known)
        return sum(value * seconds for value, seconds in known) / weight if weight else None

    stalled = [m.stalled_it_energy_kwh for m in own if m.stalled_it_energy_kwh is not None]
    attributed = [m.attributed_it_energy_kwh for m in own if m.attributed_it_energy_kwh is not None]
    peaks = [m.peak_w for m in own if m.peak_w is not None]
    return replace(
        own[-1],
        it_energy_kwh=total(m.it_energy_kwh for m in own),
        duration_s=sum(m.duration_s for m in own),
        coverage_share=mean("coverage_share") or 0.0,
        mean_w=mean("mean_w"),
        peak_w=max(peaks) if peaks else None,
        stalled_it_energy_kwh=sum(stalled) if stalled else None,
        attributed_it_energy_kwh=total(attributed) if attributed else None,
        counter_over_power_ratio=mean("counter_over_power_ratio"),
        resets_count=sum(m.resets_count for m in own),
        gaps=tuple(gap for m in own for gap in m.gaps),
    )


def _windows(segments: Sequence[SegmentSum]) -> tuple[WindowUsage, ...]:
    """Windows by name: energies of hosts add up, counts and durations are those of the host that saw most."""
    rows = []
    whole = total(s.metered_kwh for s in segments)
    low, high = (whole.low / whole.mid, whole.high / whole.mid) if whole.mid else (1.0, 1.0)
    for name in dict.fromkeys(name for s in segments for name in s.windows):
        joules, bound_j = 0.0, 0.0
        by_host: dict[str, tuple[int, float]] = {}
        for segment in (s for s in segments if name in s.windows):
            count, seconds, own_j = segment.windows[name]
            had = by_host.get(segment.host, (0, 0.0))
            by_host[segment.host] = (had[0] + count, had[1] + seconds)
            joules += own_j
            bound_j += _edge_bound(segment, max(count, 1))
        ends = (max(joules * low - bound_j, 0.0), joules, joules * high + bound_j)
        count, seconds = max(by_host.values(), key=lambda pair: pair[1])
        rows.append(WindowUsage(name, count, seconds, Range(*(end / J_PER_KWH for end in ends))))
    return tuple(rows)


def _edge_bound(segment: SegmentSum, count: int) -> float:
    """How far the straight line between two readings can be off at the two edges of windows.

    A rising curve whose slope is at most P leaves the chord of an interval of d seconds by at most P d / 4; errors of
    many windows add like a random walk.
    """
    most_j = sum(
        (m.meter.max_w or m.peak_w or 0.0) * max(segment.interval_s, m.meter.period_s or 0.0) for m in segment.meters
    )
    return 2 * most_j / 4 * math.sqrt(count)


def duration_of(segments: Sequence[SegmentSum]) -> float:
    """Seconds in which any host was at it."""
    covered, until = 0.0, float("-inf")
    for start, end in sorted((s.started_s + s.utc_offset_s, s.ended_s + s.utc_offset_s) for s in segments):
        covered += max(end - max(start, until), 0.0)
        until = max(until, end)
    return covered


def _status(starts: Sequence[Sequence[SegmentSum]]) -> str:
    """The latest start's; a node that went silent or failed speaks for all of them."""
    said = {s.status for s in starts[-1]}
    return next(s for s in ("running", "failed", "interrupted", "stopped", "finished") if s in said)


def hourly_of(segments: Sequence[SegmentSum]) -> tuple[tuple[int, float], ...]:
    """IT energy by the hour of UTC in which it was drawn."""
    summed: dict[int, float] = {}
    for segment in segments:
        for hour, joules in segment.hourly_j.items():
            summed[hour] = summed.get(hour, 0.0) + joules
    return tuple((hour, joules / J_PER_KWH) for hour, joules in sorted(summed.items()))


def _planned(headers: Sequence[Header]) -> Footprint | None:
    plain = next((h.planned for h in headers if h.planned), None)
    try:
        return None if plain is None else records.from_plain(Footprint, plain)
    except InputError:
        return None  # a plan of another version; the run stands without it


def _told(meters: Iterable[MeterUsage]) -> Iterator[str]:
    for one in meters:
        where = f"{one.meter.id} on {one.host}"
        if one.meter.note:
            yield f"{one.meter.name}: {one.meter.note}"
        if one.resets_count:
            yield f"{where}: its counter was reset {one.resets_count} times; bridged by power"
        for gap in one.gaps:
            yield f"{where}: {gap.reason} for {gap.ended_utc_s - gap.started_utc_s:.1f} s"
        if one.meter.counted_in:
            yield f"{where} is counted in run {one.meter.counted_in} already"
