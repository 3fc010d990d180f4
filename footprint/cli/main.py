"""The command `footprint`: its app, its entry and the one place where errors become messages."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from footprint.cli.app import app as open_app
from footprint.cli.backtest import backtest
from footprint.cli.calibrate import calibrate
from footprint.cli.catalog import catalog
from footprint.cli.chart import chart
from footprint.cli.compare import compare
from footprint.cli.doctor import doctor
from footprint.cli.epilog import slurm_epilog
from footprint.cli.estimate import estimate
from footprint.cli.explain import explain
from footprint.cli.export import export
from footprint.cli.imports import app as imports
from footprint.cli.job import job
from footprint.cli.jobs import jobs
from footprint.cli.report import report
from footprint.cli.runs import app as runs
from footprint.cli.track import track
from footprint.cli.watch import watch
from footprint.errors import FootprintError, close_names
from footprint.version import __version__


class Commands(TyperGroup):
    """Where one of several words is asked for, the nearest to a mistyped one is told, as for names of the catalog."""

    def invoke(self, ctx: Any) -> Any:
        """A command, its words read first."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            choices = getattr(getattr(error.param, "type", None), "choices", ())
            typed = re.match(r"'(.*)' is not one of ", error.message)
            near = close_names(typed[1], map(str, choices)) if typed else []
            error.message += f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            error.ctx = None if choices else error.ctx  # one line says it all: no usage above it
            raise


app = typer.Typer(
    name="footprint",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"footprint {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it, exit.")
    ] = False,
) -> None:
    """What training a model costs: accelerator-hours, energy, CO2e, water, money.

    \b
    Examples:
      footprint estimate llama-3.1-405b
      footprint estimate --params 7B --tokens 2T --accelerator h100-sxm --count 512 --region aws/us-east-1
      footprint explain llama-3.1-405b
      footprint compare llama-3.1-405b gpt-4
      footprint catalog accelerators hopper
    """


for command in (estimate, compare, explain, backtest, calibrate, chart, report, catalog):
    app.command()(command)
app.command()(doctor)
app.command(context_settings={"allow_interspersed_args": False})(track)
app.command()(watch)
app.command()(export)
app.command("app")(open_app)
app.command()(job)
app.command()(jobs)
app.command("slurm-epilog")(slurm_epilog)
app.add_typer(imports)
app.add_typer(runs)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 1 for an error of footprint's, 2 for a wrong use."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app(args=None if arguments is None else list(arguments))
    except FootprintError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:  # a full disk, a closed pipe
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - what is buffered cannot be written
        typer.echo(f"error: cannot write the output: {error.strerror or error}", err=True)
        sys.exit(1)
