"""Charts: `footprint.charts.KIND(subject, **words)` returns a plotly Figure; the subject may be a value already.

Plans are told as for `footprint.estimate`; runs by a name, an id, a folder of journals or a `Run`, those of another
ledger with `ledger=` (a file or a URL).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from footprint.catalog import open_catalog
from footprint.errors import InputError, UnknownName
from footprint.estimation import doors
from footprint.report import charts as drawn
from footprint.report.charts import page, themed, write
from footprint.report.comparison import BENCHMARKS
from footprint.studies import (
    Answer,
    Backtest,
    ByCount,
    ByPlace,
    History,
    LayoutSearch,
    Measurements,
    Profile,
    ProjectMonth,
    RunSeries,
    Scaling,
    Scenarios,
)
from footprint.values import Footprint, Forecast, Run
from footprint.version import __version__

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from footprint.store.entries import Filter
    from footprint.store.ledger import Ledger

__all__ = [
    "KINDS", "RUNS", "answer", "backtest", "bridge", "compare", "components", "cumulative", "draw", "heatmap",
    "history", "hours", "idle", "layout", "page", "pareto", "planned", "power", "profile", "quality", "regions",
    "scaling", "themed", "throughput", "tornado", "world", "write",
]  # fmt: skip

Data: TypeAlias = str | Path | None
Plan: TypeAlias = str | Path | Mapping[str, Any] | None
"""A preset, a YAML plan, its words, or None where `**words` says it all: as for `footprint.estimate`."""

_MEASURED = ("run", "imported")


# one plan


def answer(subject: Plan | Footprint | Run | Answer = None, *, data: Data = None, **words: Any) -> Figure:
    """The answer with its range by part: accelerators, host, network, cooling; operational and embodied."""
    return drawn.answer(_answer(subject, data, words))


def bridge(subject: Plan | Footprint | Answer = None, *, data: Data = None, **words: Any) -> Figure:
    """From the model card's energy to the facility's."""
    return drawn.bridge(_answer(subject, data, words))


def tornado(subject: Plan | Footprint = None, *, data: Data = None, **words: Any) -> Figure:
    """How far each uncertain input moves the answer."""
    from footprint.estimation import many

    if not isinstance(subject, Footprint):
        subject = doors.estimate(subject, data=data, sensitivity=True, **words)
    return drawn.tornado(many.with_sensitivities(subject))


def hours(
    subject: Plan | ByCount = None, *, counts: Sequence[int] | None = None, data: Data = None, **words: Any
) -> Figure:
    """Accelerator-hours, days and dollars against the number of accelerators."""
    from footprint.estimation import many

    if not isinstance(subject, ByCount):
        subject = many.by_count(subject, counts, words, open_catalog(data))
    return drawn.hours(subject)


def scaling(
    subject: Plan | Scaling = None,
    *,
    stage: str | None = None,
    batch_follows: bool = False,
    data: Data = None,
    **words: Any,
) -> Figure:
    """MFU of a plan's stage on more and fewer accelerators."""
    if not isinstance(subject, Scaling):
        subject = doors.scaling(subject, stage=stage, batch_follows=batch_follows, data=data, **words)
    return _told(drawn.scaling(subject), subject.notes)


def layout(subject: Plan | LayoutSearch = None, *, stage: str | None = None, data: Data = None, **words: Any) -> Figure:
    """MFU of a plan's stage on each tensor and pipeline size."""
    if not isinstance(subject, LayoutSearch):
        subject = doors.layout_search(subject, stage=stage, data=data, **words)
    return _told(drawn.layout(subject), subject.notes)


# several plans, and what was published


def compare(*subjects: Plan | Footprint, data: Data = None, **words: Any) -> Figure:
    """Plans or models side by side, with intervals."""
    return drawn.compare(_footprints(subjects, data, words))


def quality(*subjects: Plan | Footprint, data: Data = None, **words: Any) -> Figure:
    """Published scores against tonnes; of all models with known scores, unless some are named."""
    scored = () if subjects else tuple(dict.fromkeys(str(r["model_id"]) for r in open_catalog(data).rows("scores")))
    found = _footprints(subjects or scored, data, words)
    return drawn.quality(found, {one.name: doors.scores(one.name, benchmarks=BENCHMARKS, data=data) for one in found})


def throughput(value: Measurements | None = None, *, data: Data = None) -> Figure:
    """Predicted against measured MFU of every measured configuration."""
    return drawn.throughput(value or doors.measurements(data=data))


def backtest(value: Backtest | None = None, *, data: Data = None) -> Figure:
    """Reported against estimated hours of published runs."""
    return drawn.backtest(value or doors.backtest(data=data))


# where and when


def world(
    subject: Plan | ByPlace = None, *, zones: Sequence[str] | None = None, data: Data = None, **words: Any
) -> Figure:
    """A map of the same plan by country."""
    from footprint.estimation import placing

    if not isinstance(subject, ByPlace):
        subject = placing.by_zone(subject, zones, words, open_catalog(data))
    return drawn.world(subject)


def regions(
    subject: Plan | ByPlace = None, *, providers: Sequence[str] | None = None, data: Data = None, **words: Any
) -> Figure:
    """The clouds' regions ranked by what the plan emits in them."""
    from footprint.estimation import placing

    if not isinstance(subject, ByPlace):
        subject = placing.by_region(subject, providers, words, open_catalog(data))
    return drawn.regions(subject)


def profile(subject: str | Path | Run | Profile | None = None, *, run: Run | None = None, data: Data = None) -> Figure:
    """A zone's usual intensity by hour; of a run its zone's, with the run laid on it."""
    from footprint.estimation import placing

    catalog = open_catalog(data)
    zones = {str(row["zone"]) for row in catalog.rows("grid_profiles")}
    if not isinstance(subject, Profile):
        if isinstance(subject, str) and subject in zones:
            subject = placing.profile(subject, catalog)
        else:
            run = _run(subject, data, {})
            subject = placing.profile(run.footprint.site.zone, catalog)
    return drawn.profile(subject, run)


# sweeps


def heatmap(
    subject: Plan | Scenarios = None, *, output: str = "total_location_kgco2e", data: Data = None, **words: Any
) -> Figure:
    """One quantity over two words that are given as lists, such as `count=[64, 128], tokens=['1T', '2T']`."""
    from footprint.estimation import scenarios

    if not isinstance(subject, Scenarios):
        subject = scenarios.swept(subject, words, open_catalog(data))
    return drawn.heatmap(subject, output)


def pareto(
    subject: Plan | Scenarios = None,
    *,
    accelerators: Sequence[str] | None = None,
    counts: Sequence[int] | None = None,
    regions: Sequence[str] | None = None,
    data: Data = None,
    **words: Any,
) -> Figure:
    """Dollars, tonnes and days of a plan on each accelerator, count and region named."""
    from footprint.estimation import scenarios

    if not isinstance(subject, Scenarios):
        subject = scenarios.chosen(subject, accelerators, counts, regions, words, open_catalog(data))
    return drawn.pareto(subject)


# runs


def power(subject: str | Path | Run | RunSeries | None = None, *, data: Data = None) -> Figure:
    """Power over time by device, with windows marked."""
    return drawn.power(subject if isinstance(subject, RunSeries) else _series(_run(subject, data, {})))


def components(subject: str | Path | Run | None = None, *, data: Data = None, **words: Any) -> Figure:
    """Energy by component: measured, modelled, assumed."""
    return drawn.components(_run(subject, data, words))


def cumulative(
    subject: str | Path | Run | None = None, *, forecast: Forecast | None = None, data: Data = None, **words: Any
) -> Figure:
    """CO2e so far, and the forecast's band while the run goes on."""
    from footprint.measurement.tracker import series

    run = _run(subject, data, words)
    if forecast is None and run.status == "running" and _are_there(run):
        forecast = series.forecast_of(run, _series(run))
    return drawn.cumulative(run, forecast)


def planned(subject: str | Path | Run | None = None, *, data: Data = None, **words: Any) -> Figure:
    """Planned against actual hours, time, energy, carbon and dollars."""
    run = _run(subject, data, words)
    if run.planned is None:
        raise InputError("run", run.name or run.id, "has no plan", "track it with plan=, or: footprint track --plan")
    return drawn.planned(run)


def idle(subject: str | Path | Run | None = None, *, data: Data = None, ledger: Data = None) -> Figure:
    """What each accelerator drew while idle."""
    return drawn.idle(_run(subject, data, {"ledger": ledger}))


def history(value: History | Filter | None = None, *, data: Data = None, ledger: Data = None) -> Figure:
    """Many runs over months by project, from the ledger: the file or URL that is named, or FOOTPRINT_STORE's."""
    return drawn.history(value if isinstance(value, History) else _history(value, data, ledger))


def _named(*kinds: Callable[..., Figure]) -> dict[str, Callable[..., Figure]]:
    return {kind.__name__: kind for kind in kinds}


RUNS = _named(power, components, cumulative, planned, idle)
"""Charts of one measured run."""

KINDS = _named(
    answer, bridge, tornado, hours, compare, quality, world, regions, profile, heatmap, pareto, *RUNS.values(),
    history, throughput, scaling, layout, backtest,
)  # fmt: skip
"""Every chart by its name on the command line."""


def draw(kind: str, *subject: Any, **words: Any) -> Figure:
    """A chart by its name.

    Raises
    ------
    UnknownName
        When there is no such chart.
    """
    if kind not in KINDS:
        raise UnknownName("chart", kind, KINDS, "known: " + ", ".join(KINDS))
    return KINDS[kind](*subject, **words)


def _told(figure: Figure, notes: Sequence[str]) -> Figure:
    """What the user must be told beside the picture stands in its meta data."""
    return figure.update_layout(meta={**figure.layout.meta, "notes": list(notes)})


def _answer(subject: Any, data: Data, words: Mapping[str, Any]) -> Answer:
    from footprint.estimation import parting

    if isinstance(subject, Answer):
        return subject
    if isinstance(subject, Run):
        return parting.answer_of_run(subject)
    return parting.answer(_footprint(subject, data, words))


def _footprint(subject: Any, data: Data, words: Mapping[str, Any]) -> Footprint:
    return subject if isinstance(subject, Footprint) else doors.estimate(subject, data=data, **words)


def _footprints(subjects: Sequence[Any], data: Data, words: Mapping[str, Any]) -> list[Footprint]:
    """Families as their members."""
    found = [_footprint(subject, data, words) for subject in subjects]
    return [member for one in found for member in (one.parts or (one,))]


@contextmanager
def _ledger(data: Data, place: Data) -> Iterator[Ledger]:
    """The ledger with what the journals tell now."""
    from footprint.measurement import journal
    from footprint.measurement.tracker import reading
    from footprint.store import open_ledger_for_reading

    def read(run: Path) -> Run:
        return reading.read_run(run, data=data)

    ledger, _ = open_ledger_for_reading(place)
    with ledger:
        stamp = f"{__version__} {open_catalog(data).digest()}"
        ledger.catch_up(journal.runs_folder(os.environ), read, stamp=stamp)
        yield ledger


def _run(subject: str | Path | Run | None, data: Data, words: Mapping[str, Any]) -> Run:
    """A run by its folder, its name or its id; the newest one where nothing is named. `ledger` says of which."""
    from footprint.measurement.tracker import reading

    place = words.get("ledger")
    words = {name: value for name, value in words.items() if name != "ledger"}
    if isinstance(subject, Run):
        return subject
    if subject is not None and Path(subject).exists():
        return reading.read_run(subject, data=data, words=words)
    from footprint.store.entries import Filter

    with _ledger(data, place) as ledger:
        if subject is None:
            newest = ledger.list(Filter(kinds=_MEASURED))[:1]
            if not newest:
                raise InputError("run", None, "is missing, and none is known", "record one: footprint track -- COMMAND")
            entry = newest[0]
        else:
            entry = ledger.find(str(subject), _MEASURED)
        folders = [place for place in ledger.folders_of(entry.id) if place.is_dir()]
        found = ledger.get(entry.id, _MEASURED)
    if folders and words:
        return reading.read_run(folders, data=data, words=words)
    assert isinstance(found, Run)
    return found


def _are_there(run: Run) -> bool:
    return bool(run.journals) and all(Path(path).is_file() for path in run.journals)


def _series(run: Run) -> RunSeries:
    from footprint.measurement.tracker import series

    if not _are_there(run):
        fix = "draw it where its journals are"
        raise InputError("run", run.name or run.id, "has no journals here that tell its power over time", fix)
    return series.read_series([Path(path) for path in run.journals], said=run.progress)


def _history(wanted: Filter | None, data: Data, place: Data) -> History:
    from footprint.store.entries import Filter

    wanted = wanted or Filter()
    wanted = replace(wanted, kinds=wanted.kinds or _MEASURED)
    with _ledger(data, place) as ledger:
        entries = ledger.list(wanted)
        months = tuple(
            ProjectMonth(
                month=total.key,
                project=project,
                run_count=total.run_count,
                facility_energy_kwh=total.facility_energy_kwh,
                operational_location_kgco2e=total.operational_location_kgco2e,
                total_location_kgco2e=total.total_location_kgco2e,
                electricity_usd=total.electricity_usd,
            )
            for project, totals in ledger.months_by_project(wanted).items()
            for total in totals
        )
    return History(months, len(entries), open_catalog(data).digest(), __version__)
