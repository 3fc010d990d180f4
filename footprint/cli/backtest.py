"""`footprint backtest`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from footprint.cli import output
from footprint.cli.chart import draw
from footprint.cli.words import Data, Out, OutFormat

_WIDE = 110


def backtest(
    chart: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it: .html, .json, or an image with kaleido.")
    ] = None,
    data: Data = None,
    format: OutFormat = None,
    out: Out = None,
) -> None:
    """Hold estimates against the accelerator-hours that published runs reported.

    \b
    Examples:
      footprint backtest
      footprint backtest --out backtest.csv --chart backtest.html
    """
    name = output.chosen(format, out)
    from footprint import records
    from footprint.estimation import doors
    from footprint.report import comparison

    result = doors.backtest(data=data)
    if chart is not None:
        draw("backtest", result, chart, "chart")
    if name == "json":
        output.write(records.to_json(result), out)
    elif name == "csv":
        output.show_table(comparison.backtest_numbers(result), name, out)
    elif name == "text":
        is_wide = shutil.get_terminal_size().columns >= _WIDE
        output.show_tables(
            [
                comparison.backtest_rows(result, organizations=is_wide),
                comparison.backtest_skipped(result),
                comparison.steady_groups(result),
                comparison.backtest_groups(result),
            ],
            out,
            cut="model",
        )
    else:
        output.show_table(comparison.backtest_rows(result), name, out)
