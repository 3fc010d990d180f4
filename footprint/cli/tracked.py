"""What stands around a run that is tracked from the command line: its budget, its notes of signals, its summary."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from footprint.cli import output
from footprint.cli.shield import Shield
from footprint.errors import FootprintError, InputError

if TYPE_CHECKING:
    from footprint.measurement.command import PlainRelay, Relay
    from footprint.measurement.tracker.active import ActiveRun
    from footprint.report.run_result import RunResult


class OnBudget(StrEnum):
    """What to do when the forecast passes a budget."""

    warn = "warn"
    signal = "signal"
    stop = "stop"


class Noted:
    """Notes the signals that came, each kind once."""

    def __init__(self, run: ActiveRun | None, shield: Shield) -> None:
        self._run, self._shield, self._seen = run, shield, {int(signal.SIGCONT), int(signal.SIGTSTP)}

    def __call__(self, number: int) -> None:
        if self._run is not None and number not in self._seen:
            self._seen.add(number)
            with self._shield:
                self._run.note(f"{signal_name(number)} came, {time.strftime('%Y-%m-%d %H:%M:%S %z')}")


class Budget:
    """What happens when a budget is spent, or will be by the forecast; called by the sampler, ticked by who waits."""

    def __init__(self, action: OnBudget, number: int, kill_after_s: float | None, quiet: bool) -> None:
        self._action, self._quiet = action, quiet
        self._number = signal.SIGTERM if action is OnBudget.stop else number
        self._kill_after_s, self._kill_at_s = kill_after_s, math.inf
        self.relay: Relay | PlainRelay | None = None
        self.has_stopped = False

    def __call__(self, run: ActiveRun, reason: str) -> None:
        """Once a run."""
        if not self._quiet:
            say(reason)
        if self.relay is None or self._action is OnBudget.warn:
            return
        self.has_stopped = self._action is OnBudget.stop
        self.relay.send(self._number)
        run.note(f"{signal_name(self._number)} was sent to the command")
        if self.has_stopped and self._kill_after_s is not None:
            self._kill_at_s = time.monotonic() + self._kill_after_s

    def tick(self) -> None:
        """SIGKILL when its time has come, if that was asked for."""
        if self.relay is not None and time.monotonic() >= self._kill_at_s:
            self._kill_at_s = math.inf
            self.relay.send(signal.SIGKILL)


class Summary:
    """The end of a run: on stderr, and in a file where one is named."""

    def __init__(self, quiet: bool, format: str, out: Path | None) -> None:
        self._quiet, self._format, self._out = quiet, format, out
        if out is not None:  # what cannot be written is told before hours of training, not after
            place = out if out.exists() else out.absolute().parent
            if out.is_dir() or not os.access(place, os.W_OK):
                raise InputError("out", str(out), "cannot be written", "name a file in a folder that you may write in")

    def show(self, run: ActiveRun) -> None:
        """Read the run's journals, assess it and tell it."""
        if self._quiet and self._out is None:
            return
        try:
            result = run.result
        except FootprintError as error:
            for told in (*run.notes, str(error)):
                not_measured(told)
            return
        if self._out is not None:
            output.write(result.to(self._format), self._out)
        if not self._quiet:
            say(self._shown(result), start="")

    def _shown(self, result: RunResult) -> str:
        if self._out is None and self._format != output.Format.text.value:
            return result.to(self._format)
        from footprint.report import run_short

        is_colored = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return "\n" + run_short.text(result, color=is_colored)


def signal_name(number: int) -> str:
    known = {int(one): one.name for one in signal.Signals}
    return known.get(number, f"signal {number}")


def not_measured(told: str) -> None:
    say(f"not measured: {told}")


def say(text: str, start: str = "footprint: ") -> None:
    """On stderr; a terminal that is gone is no reason to fail."""
    with suppress(OSError, ValueError):
        typer.echo(f"{start}{text}", err=True, nl=not text.endswith("\n"))
