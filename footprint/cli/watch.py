"""`footprint watch`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from footprint.cli import output
from footprint.errors import InputError, JournalError, UnknownName

if TYPE_CHECKING:
    from footprint.measurement.following import Follower
    from footprint.measurement.tracker.outlook import Outlook
    from footprint.report.live import Now
    from footprint.report.live_power import Screen
    from footprint.values import Run

_LEAST_INTERVAL_S = 0.1
_NEWEST = 20
"""So many runs are looked at for one that goes on."""

_READING_SHARE = 1 / 10
"""Of the time at most, for adding a whole journal up; what meters show is read from its end each time."""

_BUDGETS = {
    "budget_kwh": "facility_energy_kwh",
    "budget_kgco2e": "operational_location_kgco2e",
    "budget_usd": "electricity_usd",
}


def watch(
    subject_run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Its id, name or folder; else the newest.", show_default=False)
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once, as plain text.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="Between looks.")] = 1.0,
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs are kept.")] = None,
) -> None:
    """Show a run while it goes on: progress, power, energy, CO2e, money, forecast.

    Ctrl-C leaves it; the run does not notice.

    \b
    Examples:
      footprint watch
      footprint watch sft-7b --interval 5
      footprint watch --once
    """
    if not _LEAST_INTERVAL_S <= interval < float("inf"):
        raise typer.BadParameter(f"{interval} is not at least {_LEAST_INTERVAL_S} seconds", param_hint="--interval")
    from footprint.measurement import journal

    watched = Watched(find_run(journal.runs_folder(os.environ, folder), subject_run))
    if once or not sys.stdout.isatty():
        from footprint.report import live

        output.write(live.text(watched.now(), _screen(), color=output.is_colored()), None)
        return
    with suppress(KeyboardInterrupt):
        _show(watched, interval)


def _show(watched: Watched, interval_s: float) -> None:
    """On the terminal, until the run ends."""
    from rich.console import Console
    from rich.live import Live

    from footprint.report import live
    from footprint.report.live_power import Screen

    console = Console(highlight=False, markup=False, emoji=False)
    is_ascii = not (console.encoding or "").startswith("utf")
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as display:
        while True:
            now = watched.now()
            ends = now.run.status != "running"
            height = None if ends else console.height
            display.update(live.view(now, Screen(console.width, height, is_ascii)), refresh=True)
            if ends:
                return
            time.sleep(interval_s)


def _screen() -> Screen:
    import shutil

    from footprint.report.live_power import Screen

    return Screen(shutil.get_terminal_size().columns, None, not (sys.stdout.encoding or "").lower().startswith("utf"))


def find_run(root: Path, wanted: str | None) -> Path:
    """The folder of a run by path, id, name or the beginning of its id; by default the newest, one that goes on first.

    Raises
    ------
    UnknownName
        With the nearest ids and names.
    InputError
        Where there is no run at all, or where several begin so.
    """
    from footprint.measurement import journal

    if wanted and os.sep in wanted and Path(wanted).exists():
        return Path(wanted)
    runs = sorted(journal.run_folders(root), key=_changed, reverse=True)
    if not runs:
        raise InputError("folder", str(root), "holds no run", "start one: footprint track -- COMMAND; or give --folder")
    if wanted is None:
        from footprint.measurement.following import Follower

        going_on = (run for run in runs[:_NEWEST] if not Follower(run).has_ended)
        return next(going_on, runs[0])
    by_id = [run for run in runs if run.name == wanted]
    names = {run: _name(run) for run in runs} if not by_id else {}
    found = by_id or [run for run in runs if names[run] == wanted]
    if found:
        return found[0]
    begun = [run for run in runs if run.name.startswith(wanted)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise InputError("run", wanted, f"{len(begun)} runs begin so", "give more of the id; see: footprint runs list")
    raise UnknownName("run", wanted, [*(run.name for run in runs), *names.values()], "see: footprint runs list")


def _changed(run: Path) -> float:
    from footprint.measurement import journal

    return max((file.stat().st_mtime for file in journal.files_of(run)), default=0.0)


def _name(run: Path) -> str:
    from footprint.measurement import journal

    for file in journal.files_of(run):
        try:
            return journal.read(file).header.name
        except JournalError:
            continue
    return ""


class Watched:
    """A run that is looked at again and again: power from the ends of its journals, totals from all of them."""

    def __init__(self, run: Path) -> None:
        from footprint.measurement.following import Follower
        from footprint.measurement.tracker.outlook import Outlook

        self._folder = run
        self._follower: Follower = Follower(run)
        self._run: Run | None = None
        self._read_at_s, self._cost_s = 0.0, 0.0
        self._outlook: Outlook = Outlook()

    def now(self) -> Now:
        """How it stands.

        Raises
        ------
        JournalError
            Where nothing there can be read.
        """
        from footprint.report.live import Now
        from footprint.report.live_power import MeterNow
        from footprint.units import J_PER_KWH, S_PER_H

        shown = self._follower.refresh()
        run = self._totals()
        meters = tuple(MeterNow(m.host, m.meter, m.power_w, m.utilization, tuple(m.trace_w)) for m in shown)
        watts = [m.power_w for m in meters if m.power_w is not None]
        tokens = run.progress.tokens
        hours = run.usage.wall_clock_h
        return Now(
            run=run,
            at_utc_s=time.time(),
            meters=meters,
            facility_power_w=sum(watts) * _facility_ratio(run) if watts else None,
            forecast=self._outlook.look(run, time.time()),
            tokens_per_s=tokens / (hours.mid * S_PER_H) if tokens and hours and hours.mid else None,
            joules_per_token=run.usage.it_energy_kwh.mid * J_PER_KWH / tokens if tokens else None,
            budgets=self._budgets(),
        )

    def _totals(self) -> Run:
        """The run as its journals tell it; not so often that reading them takes its share of a core."""
        from footprint.measurement.tracker.reading import read_run

        begun_s = time.monotonic()
        is_due = begun_s - self._read_at_s >= self._cost_s / _READING_SHARE
        if self._run is None or is_due or self._follower.has_ended:
            self._run = read_run(self._folder)
            self._read_at_s = time.monotonic()
            self._cost_s = self._read_at_s - begun_s
        return self._run

    def _budgets(self) -> tuple[tuple[str, float], ...]:
        words = self._follower.words
        given = ((field, words.get(word)) for word, field in _BUDGETS.items())
        return tuple((field, float(most)) for field, most in given if isinstance(most, (int, float)))


def _facility_ratio(run: Run) -> float:
    """Facility energy over what meters read: the rest of the servers and the PUE."""
    metered = sum(m.it_energy_kwh.mid for m in run.meters if m.meter.origin != "default")
    return run.footprint.facility.facility_energy_kwh.mid / metered if metered else run.footprint.site.pue.mid
