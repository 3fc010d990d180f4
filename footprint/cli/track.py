"""`footprint track`."""

from __future__ import annotations

import errno
import math
import os
import re
import select
import shlex
import signal
import sys
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from footprint.cli import output
from footprint.cli.shield import Shield
from footprint.cli.words import RUN_WORDS, SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.errors import FootprintError, InputError

if TYPE_CHECKING:
    from footprint.measurement.command import Ended, PlainRelay, Relay
    from footprint.measurement.tracker.active import ActiveRun
    from footprint.report.run_result import RunResult
    from footprint.values import Footprint


class OnBudget(StrEnum):
    """What to do when the forecast passes a budget."""

    warn = "warn"
    signal = "signal"
    stop = "stop"


_TRAINED = ("params", "active_params", "tokens", "precision", "node")
TRAINING_WORDS: dict[str, Any] = {name: RUN_WORDS[name] for name in _TRAINED} | {
    "steps": Annotated[str | None, typer.Option(help="Steps to do, for progress and forecast.", metavar="N")],
    "epochs": Annotated[str | None, typer.Option(help="Epochs to do, for progress and forecast.", metavar="N")],
}
_BUDGETS = {"budget_kwh": "kWh of the facility", "budget_kgco2e": "kg CO2e", "budget_usd": "US dollars of electricity"}
BUDGET_WORDS: dict[str, Any] = {
    name: Annotated[str | None, typer.Option(help=f"At most so many {what}, by forecast.", metavar="N")]
    for name, what in _BUDGETS.items()
}
Command = Annotated[
    list[str] | None, typer.Argument(metavar="-- COMMAND...", help="What to run, with its options.", show_default=False)
]
_ENDING = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}
_DEVICE_VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS",
)  # fmt: skip
_TICK_S = 0.2
_LONGEST_NAME = 100


@takes_words(TRAINING_WORDS, SITE_WORDS, BUDGET_WORDS)
def track(
    words: dict[str, Any],
    subject_command: Command = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Of the run; the program's by default.")] = None,
    project: Annotated[str | None, typer.Option(metavar="NAME", help="To total runs by.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="To find runs by; may be repeated.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="FILE|RUN", help="An estimate to compare with.")] = None,
    on_budget: Annotated[
        OnBudget, typer.Option(help="Over the budget: warn; send the command a signal; or SIGTERM, and end it.")
    ] = OnBudget.warn,
    budget_signal: Annotated[str, typer.Option(metavar="NAME", help="Which one, such as USR1.")] = "TERM",
    kill_after: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="With stop: SIGKILL so long after; else never.")
    ] = None,
    pid: Annotated[
        list[int] | None, typer.Option("--pid", metavar="PID", help="Measure a process that runs, until it ends.")
    ] = None,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="Between readings.")] = 1.0,
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs are kept.")] = None,
    run_id: Annotated[str | None, typer.Option(metavar="ID", help="Go on with this run.")] = None,
    keep_command: Annotated[bool, typer.Option("--keep-command", help="Keep the whole command line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary at the end.")] = False,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Measure a command while it runs: energy, CO2e, water, money.

    The command keeps its terminal, its input and output and its signals, and its exit code is the
    exit code here. The summary goes to stderr. Inside it `footprint.track` joins the same run.

    \b
    Examples:
      footprint track -- python train.py --lr 3e-4
      footprint track --name sft --region FRA -- torchrun --nproc-per-node 8 train.py
      footprint track --budget-kwh 50 --on-budget signal --budget-signal USR1 -- python train.py
      footprint track --plan plan.json --quiet --out run.json -- python train.py
      footprint track --pid 4242
    """
    command = subject_command or []
    if bool(command) == bool(pid):
        both = "give a command or --pid, not both" if pid else "name what to run: footprint track -- COMMAND"
        raise typer.BadParameter(both, param_hint="COMMAND")
    if pid and on_budget is not OnBudget.warn:
        raise typer.BadParameter("a process that is not ours is never signalled: warn", param_hint="--on-budget")
    over = _Budget(on_budget, _signal_number(budget_signal), kill_after, quiet)
    words |= {
        "name": name if name is not None else _program(command) if command else f"pid-{pid[0] if pid else 0}",
        "project": project, "tags": tuple(tag or ()), "plan": _planned(plan, data), "interval_s": interval,
        "folder": folder, "run_id": run_id, "data": data, "on_budget": over,
    }  # fmt: skip
    summary = _Summary(quiet, output.chosen(format, out), out)
    if pid:
        _attach(pid, words, summary)
    else:
        _launch(command, words, over, summary, shlex.join(command) if keep_command else "")


def _launch(command: list[str], words: dict[str, Any], over: _Budget, summary: _Summary, kept: str) -> None:
    """Run a command under a tracker, and leave with its exit code."""
    from footprint.measurement import command as commands

    program = commands.locate(command[0], os.environ)
    if program.code:
        raise _refused(command[0], program.told, program.code)
    from footprint.measurement.tracker.doors import track as tracked

    tracker = tracked(**words)
    shield = Shield(_not_measured)
    run: ActiveRun | None = None
    with commands.relay() as relay:
        over.relay = relay
        with Shield(_not_measured, lets=(InputError,)):
            run = tracker.start()
        with shield:
            if run is not None and kept:
                run.note(f"command: {kept}")
        try:
            relay.start(program, command, _environment(run, words))
        except OSError as error:
            with shield:
                tracker.stop("failed")
            told = f"cannot be started ({error.strerror or error}); check the file and its first line"
            raise _refused(command[0], told, commands.NOT_EXECUTABLE) from error
        ended = relay.wait(_Noted(run, shield), over.tick)
        with shield:
            if run is not None and ended.code:
                run.note(_ending(ended))
        with shield:
            tracker.stop("stopped" if over.has_stopped else "failed" if ended.code else "finished")
    try:
        with shield:
            if run is not None:
                summary.show(run)
    except KeyboardInterrupt:
        pass  # no time for a summary; the run is written
    _leave(ended)


def _leave(ended: Ended) -> NoReturn:
    """With the command's exit code; as it ended by Ctrl-C, we do, so that a script around us stops too."""
    if ended.by_terminal:
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    raise typer.Exit(ended.code)


def _environment(run: ActiveRun | None, words: dict[str, Any]) -> dict[str, str]:
    """Ours, with the run that the command's own tracker shall join."""
    environment = dict(os.environ)
    if run is not None:
        environment["FOOTPRINT_RUN_ID"] = run.id
    folder = words["folder"] or environment.get("FOOTPRINT_FOLDER")
    if folder:
        with suppress(OSError):  # a working directory that is gone
            environment["FOOTPRINT_FOLDER"] = os.path.abspath(folder)
    return environment


def _program(command: list[str]) -> str:
    """The program's base name: what a journal keeps of a command line."""
    return re.sub(r"[^\w.-]", "_", os.path.basename(command[0]))[:_LONGEST_NAME].strip("_") or "command"


def _planned(plan: str | None, data: Path | None) -> Footprint | None:
    """An estimate from its JSON, from a plan in YAML, or from the ledger."""
    if plan is None:
        return None
    if Path(plan).suffix in (".yaml", ".yml"):
        from footprint.estimation import doors

        return doors.estimate(plan, data=data)
    if Path(plan).is_file():
        import json

        from footprint import records
        from footprint.values import Footprint

        try:
            return records.from_plain(Footprint, json.loads(Path(plan).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            told = f"is no estimate ({error})" if not isinstance(error, InputError) else f"is no estimate: {error}"
            raise InputError("plan", plan, told, "write one: footprint estimate ... --out plan.json") from error
    from footprint.store import open_ledger_for_reading

    ledger, _ = open_ledger_for_reading()
    with ledger:
        return ledger.plan(plan)


def _ending(ended: Ended) -> str:
    if ended.signal is not None:
        return f"the command was killed by {_signal_name(ended.signal)}"
    return f"the command ended with exit code {ended.code}"


def _refused(name: str, told: str, code: int) -> typer.Exit:
    typer.echo(f"error: {InputError('command', name, *told.split('; ', 1))}", err=True)
    return typer.Exit(code)


def _attach(pids: list[int], words: dict[str, Any], summary: _Summary) -> None:
    """Measure processes until the last of them ends, or until Ctrl-C; they are not touched."""
    processes = [_Process(pid) for pid in pids]
    environment, notes = _environment_of(pids[0])
    from footprint.measurement.tracker.doors import track as tracked

    tracker = tracked(**words, environment=environment, pids=lambda: pids)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        run = tracker.start()
        for note in notes:
            run.note(note)
            _say(f"note: {note}")
        while any(process.lives() for process in processes):
            if signal.sigtimedwait(_ENDING, _TICK_S) is not None:
                run.note("tracking ended before the process did")
                break
        tracker.stop("finished")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with suppress(KeyboardInterrupt):
        summary.show(run)


class _Process:
    """Another process: whether it still is, and not another under its number."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._handle: int | None = None
        if not hasattr(os, "pidfd_open"):
            raise InputError("pid", pid, "can be measured on Linux alone", "start it by: footprint track -- COMMAND")
        try:
            self._handle = os.pidfd_open(pid)
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", errno.ESRCH) != errno.ENOSYS or not self._is_there():
                raise InputError("pid", pid, "is no process that runs", "see: ps -e") from error

    def lives(self) -> bool:
        """False once it has ended."""
        if self._handle is None:  # a kernel before 5.3
            return self._is_there()
        return not select.select([self._handle], [], [], 0)[0]

    def _is_there(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except PermissionError:
            return True  # another user's
        except (OSError, OverflowError):
            return False
        return True


def _environment_of(pid: int) -> tuple[dict[str, str], tuple[str, ...]]:
    """Ours, with the devices that a process sees by its own; what cannot be read is said."""
    environment = dict(os.environ)
    try:
        pairs = [pair.partition(b"=") for pair in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
    except OSError as error:
        told = f"the environment of process {pid} cannot be read ({error.strerror or error})"
        return environment, (f"{told}: devices are those that this shell sees",)
    theirs = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    for name in _DEVICE_VARIABLES:
        environment.pop(name, None)
        if name in theirs:
            environment[name] = theirs[name]
    return environment, ()


class _Noted:
    """Notes the signals that came, each kind once."""

    def __init__(self, run: ActiveRun | None, shield: Shield) -> None:
        self._run, self._shield, self._seen = run, shield, {int(signal.SIGCONT), int(signal.SIGTSTP)}

    def __call__(self, number: int) -> None:
        if self._run is not None and number not in self._seen:
            self._seen.add(number)
            with self._shield:
                self._run.note(f"{_signal_name(number)} came, {time.strftime('%Y-%m-%d %H:%M:%S %z')}")


class _Budget:
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
            _say(reason)
        if self.relay is None or self._action is OnBudget.warn:
            return
        self.has_stopped = self._action is OnBudget.stop
        self.relay.send(self._number)
        run.note(f"{_signal_name(self._number)} was sent to the command")
        if self.has_stopped and self._kill_after_s is not None:
            self._kill_at_s = time.monotonic() + self._kill_after_s

    def tick(self) -> None:
        """SIGKILL when its time has come, if that was asked for."""
        if self.relay is not None and time.monotonic() >= self._kill_at_s:
            self._kill_at_s = math.inf
            self.relay.send(signal.SIGKILL)


class _Summary:
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
                _not_measured(told)
            return
        if self._out is not None:
            output.write(result.to(self._format), self._out)
        if not self._quiet:
            _say(self._shown(result), start="")

    def _shown(self, result: RunResult) -> str:
        if self._out is None and self._format != output.Format.text.value:
            return result.to(self._format)
        from footprint.report import run_short

        is_colored = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return "\n" + run_short.text(result, color=is_colored)


def _signal_name(number: int) -> str:
    known = {int(one): one.name for one in signal.Signals}
    return known.get(number, f"signal {number}")


def _signal_number(name: str) -> int:
    full = "SIG" + name.upper().removeprefix("SIG")
    if full not in signal.Signals.__members__:
        raise typer.BadParameter(f"{name!r} is no signal, such as USR1", param_hint="--budget-signal")
    return int(signal.Signals[full])


def _not_measured(told: str) -> None:
    _say(f"not measured: {told}")


def _say(text: str, start: str = "footprint: ") -> None:
    """On stderr; a terminal that is gone is no reason to fail."""
    with suppress(OSError, ValueError):
        typer.echo(f"{start}{text}", err=True, nl=not text.endswith("\n"))
