"""`footprint track`."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from footprint.cli import output
from footprint.cli.export import TrackedPage
from footprint.cli.shield import Shield
from footprint.cli.tracked import Budget, Noted, OnBudget, Summary, not_measured, signal_name
from footprint.cli.words import RUN_WORDS, SITE_WORDS, Data, Out, OutFormat, takes_words
from footprint.errors import InputError

if TYPE_CHECKING:
    from footprint.measurement.command import Ended
    from footprint.measurement.tracker.active import ActiveRun
    from footprint.values import Footprint


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
    export: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Serve metrics for Prometheus meanwhile, such as :9400.")
    ] = None,
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
    if pid and export is not None:
        raise typer.BadParameter("with --pid, run footprint export --prometheus beside it", param_hint="--export")
    if pid and on_budget is not OnBudget.warn:
        raise typer.BadParameter("a process that is not ours is never signalled: warn", param_hint="--on-budget")
    over = Budget(on_budget, _signal_number(budget_signal), kill_after, quiet)
    words |= {
        "name": name if name is not None else _program(command) if command else f"pid-{pid[0] if pid else 0}",
        "project": project, "tags": tuple(tag or ()), "plan": _planned(plan, data), "interval_s": interval,
        "folder": folder, "run_id": run_id, "data": data, "on_budget": over,
    }  # fmt: skip
    summary = Summary(quiet, output.chosen(format, out), out)
    if pid:
        from footprint.cli.attach import attach

        attach(pid, words, summary)
    else:
        with ExitStack() as stack:
            page = None if export is None else stack.enter_context(TrackedPage(export, quiet))
            _launch(command, words, over, summary, shlex.join(command) if keep_command else "", page)


def _launch(
    command: list[str], words: dict[str, Any], over: Budget, summary: Summary, kept: str, page: TrackedPage | None
) -> None:
    """Run a command under a tracker, and leave with its exit code."""
    from footprint.measurement import command as commands

    program = commands.locate(command[0], os.environ)
    if program.code:
        raise _refused(command[0], program.told, program.code)
    from footprint.measurement.tracker.doors import track as tracked

    tracker = tracked(**words)
    shield = Shield(not_measured)
    run: ActiveRun | None = None
    with commands.relay() as relay:
        over.relay = relay
        with Shield(not_measured, lets=(InputError,)):
            run = tracker.start()
        with shield:
            if run is not None and kept:
                run.note(f"command: {kept}")
            if run is not None and page is not None:
                page.start(run)
        try:
            relay.start(program, command, _environment(run, words))
        except OSError as error:
            with shield:
                tracker.stop("failed")
            told = f"cannot be started ({error.strerror or error}); check the file and its first line"
            raise _refused(command[0], told, commands.NOT_EXECUTABLE) from error
        ended = relay.wait(Noted(run, shield), over.tick)
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


def _planned(plan: str | None, data: Path | None) -> str | Footprint | None:
    """What the tracker reads itself, but for a plan in YAML, which is estimated."""
    if plan is None or Path(plan).suffix not in (".yaml", ".yml"):
        return plan
    from footprint.estimation import doors

    return doors.estimate(plan, data=data)


def _ending(ended: Ended) -> str:
    if ended.signal is not None:
        return f"the command was killed by {signal_name(ended.signal)}"
    return f"the command ended with exit code {ended.code}"


def _refused(name: str, told: str, code: int) -> typer.Exit:
    typer.echo(f"error: {InputError('command', name, *told.split('; ', 1))}", err=True)
    return typer.Exit(code)


def _signal_number(name: str) -> int:
    full = "SIG" + name.upper().removeprefix("SIG")
    if full not in signal.Signals.__members__:
        raise typer.BadParameter(f"{name!r} is no signal, such as USR1", param_hint="--budget-signal")
    return int(signal.Signals[full])
