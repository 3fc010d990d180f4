"""`FootprintOutput`: what codecarbon measures, written into a journal of ours while it measures.

    EmissionsTracker(output_handlers=[FootprintOutput()])

A run that ends without a word is then kept up to codecarbon's last call (`api_call_interval`), listed by
`footprint runs list` and assessed as any other. Its energy is codecarbon's, with the PUE taken out; importing the
emissions.csv of the same run adds nothing.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from footprint.catalog import open_catalog
from footprint.errors import InputError
from footprint.fleet import codecarbon as importer
from footprint.fleet import emissions
from footprint.fleet.emissions import Emissions
from footprint.integrations.late import made_late
from footprint.measurement import journal
from footprint.measurement.journal import Header, JournalWriter, Tick
from footprint.measurement.tracker.boot import boot_id
from footprint.units import J_PER_KWH
from footprint.values import Meter, Sample
from footprint.version import __version__

FootprintOutput: type[OutputHooks]
"""Made on first use: codecarbon is imported then."""


class OutputHooks:
    """An output of codecarbon's trackers, one for each tracker.

    Parameters
    ----------
    folder : of runs; FOOTPRINT_FOLDER, else FOOTPRINT_HOME, else the user's data unless given
    data : a folder of the user's own tables

    Raises
    ------
    InputError
        When the folder cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, data: str | Path | None = None) -> None:
        self._catalog = open_catalog(data)
        self._folder = journal.runs_folder(os.environ, folder)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            told = f"cannot be written ({error.strerror or error})"
            raise InputError("folder", str(self._folder), told, "name a folder that you may write in") from error
        self._writer: JournalWriter | None = None
        self._starts_count = 0
        self._written_j: dict[str, float] = {}
        self._uncounted: frozenset[str] = frozenset()
        self._notes: tuple[str, ...] = ()
        self.problem = ""
        """Why nothing is written, where that is so."""

    def live_out(self, total: Any, delta: Any) -> None:
        """Called every so many measurements."""
        self._take(total)

    def out(self, total: Any, delta: Any) -> None:
        """Called by `flush` and `stop`."""
        self._take(total)

    def task_out(self, data: Sequence[Any], experiment_name: str) -> None:
        """Tasks are parts of the run; their energies are kept as notes."""
        told = tuple(f"task {task.task_name}: {task.energy_consumed:.6g} kWh in {task.duration:.1f} s" for task in data)
        self._notes = tuple(dict.fromkeys((*self._notes, *told)))

    def exit(self) -> None:
        """The tracker has stopped."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.write(Tick(time.monotonic(), notes=self._notes, end="finished"))
            writer.close()
        self._notes = ()

    def _take(self, total: Any) -> None:
        """One reading of all that codecarbon has counted so far."""
        now_s = time.monotonic()
        try:
            row = emissions.emissions(0, {name: _text(value) for name, value in total.values.items()})
        except ValueError as error:  # nothing has been counted yet
            self.problem = str(error)
            return
        found = [(_counted(meter), kwh) for meter, kwh in importer.meters(row, self._catalog, importer.SENSOR)]
        writer = self._writer or self._begin(row, [meter for meter, _ in found], now_s)
        self._written_j |= {meter.id: kwh * J_PER_KWH for meter, kwh in found}
        self._notes = (f"measured by codecarbon {row.version}", importer.their_carbon(row))
        writer.write(Tick(now_s, self._samples(now_s)))
        self.problem = writer.problem

    def _begin(self, row: Emissions, meters: Sequence[Meter], now_s: float) -> JournalWriter:
        """The journal's first lines: codecarbon tells its start by the time since it alone."""
        words, notes = importer.place_words(row, self._catalog)
        started_s = now_s - row.duration_s
        header = Header(
            run=importer.run_id(row), name=importer.run_name(row), host=platform.node(), boot=boot_id(),
            pid=os.getpid(), restart_count=self._starts_count, rank=0, started_utc_s=time.time() - row.duration_s,
            started_s=started_s, interval_s=max(row.duration_s, 1.0), meters=tuple(meters),
            project=importer.run_name(row) if row.project else "", tags=(importer.TAG,),
            words=words, version=__version__,
        )  # fmt: skip
        self._writer = writer = JournalWriter(self._folder / header.run, header)
        self._starts_count += 1
        self._written_j = {meter.id: self._written_j.get(meter.id, 0.0) for meter in meters}
        self._uncounted = frozenset(meter.id for meter in meters if not meter.has_counter)
        writer.write(Tick(started_s, self._samples(started_s), notes=notes))
        return writer

    def _samples(self, at_s: float) -> tuple[Sample, ...]:
        return tuple(
            Sample(meter, at_s, power_w=0.0)
            if meter in self._uncounted
            else Sample(meter, at_s, energy_j=joules, stale_s=0.0)
            for meter, joules in self._written_j.items()
        )


def _counted(meter: Meter) -> Meter:
    """codecarbon's sums are counters that are up to date when they are told; what it does not count draws nothing."""
    return meter if meter.origin == "default" else replace(meter, has_counter=True, period_s=0.0)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _base() -> Any:
    from codecarbon.output_methods.base_output import BaseOutput

    return BaseOutput


__getattr__ = made_late("FootprintOutput", OutputHooks, _base)
