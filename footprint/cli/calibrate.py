"""`footprint calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from footprint.cli import output
from footprint.cli.words import Data, Out, OutFormat


def calibrate(
    runs: Annotated[
        Path | None, typer.Argument(metavar="RUNS.csv", help="One row a run; see --example.", show_default=False)
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a header and two rows to start from.")] = False,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Keep it: a folder for --data or FOOTPRINT_DATA.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Pass over rows that cannot be read, and list them.")
    ] = False,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Move predictions toward your own runs: before, after, and with each run left out.

    A row states the model (model, config, or params and active_params), its tokens, the
    accelerator, as much of count, seq_len, batch_tokens, precision, framework, layout and
    year as you know, and one measure: accelerator_hours or wall_clock_h of a whole run, or
    tokens_per_s_per_accelerator or mfu while it trains.

    \b
    Examples:
      footprint calibrate --example > my_runs.csv
      footprint calibrate my_runs.csv
      footprint calibrate my_runs.csv --write my_data
      footprint estimate llama-3.1-8b --data my_data
    """
    if example or runs is None:
        if not example:
            raise typer.BadParameter("name a file of runs, or give --example", param_hint="RUNS.csv")
        from footprint.estimation.own_rows import EXAMPLE

        output.write(EXAMPLE, out)
        return
    name = output.chosen(format, out)
    from footprint import records
    from footprint.estimation import doors
    from footprint.report import calibration

    result = doors.calibrate(runs, write=write, skip_bad=skip_bad, data=data)
    if name == "json":
        output.write(records.to_json(result), out)
    elif name == "text":
        output.write(calibration.text(result, color=out is None and output.is_colored()), out)
    else:
        output.show_table(calibration.numbers(result), name, out)
    output.notes(result.notes)
    if write is None:
        output.notes(["nothing is kept: add --write DIR, then footprint estimate ... --data DIR"])
