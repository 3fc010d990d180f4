"""`footprint chart`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footprint.cli import output
from footprint.cli.words import RUN_WORDS, SITE_WORDS, Data, takes_words
from footprint.errors import InputError, UnknownName

if TYPE_CHECKING:
    from footprint.values import Backtest, LayoutSearch, Measurements, Scaling

OF_ALL, OF_PLAN = ("throughput", "backtest"), ("scaling", "layout")
"""Kinds that show all that was measured, and kinds that show a plan."""


@takes_words(RUN_WORDS, SITE_WORDS)
def chart(
    words: dict[str, Any],
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="throughput, scaling, layout or backtest.", show_default=False)
    ],
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL | PLAN.yaml]", help="For scaling and layout.", show_default=False),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which stage of the plan; the first unless named.")
    ] = None,
    batch_follows: Annotated[
        bool, typer.Option("--batch-follows", help="scaling: tokens a step grow with the count.")
    ] = False,
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to draw: .html, .json, or an image with kaleido."),
    ] = None,
) -> None:
    """Draw what was measured, or what a plan would reach.

    \b
    throughput  predicted against measured MFU of all measured configurations
    scaling     MFU of a plan on more and fewer accelerators
    layout      MFU of a plan on each tensor and pipeline size
    backtest    reported against estimated hours of published runs

    \b
    Examples:
      footprint chart throughput --out throughput.html
      footprint chart scaling llama-3.1-405b --out scaling.html
      footprint chart scaling --params 7B --tokens 2T --accelerator h100-sxm --count 512 --batch-follows --out s.html
      footprint chart layout llama-3.1-405b --out layout.png
    """
    if kind not in OF_ALL + OF_PLAN:
        raise UnknownName("chart", kind, OF_ALL + OF_PLAN, "known: " + ", ".join(OF_ALL + OF_PLAN))
    if out is None:
        raise InputError("out", None, "is missing", f"give a file, such as --out {kind}.html (or .json .png .svg .pdf)")
    if kind in OF_ALL and (subject is not None or words or stage is not None):
        told = subject or stage or next(iter(words))
        raise InputError("chart", kind, f"shows all that was measured and takes no {told}", f"leave {told} out")
    if batch_follows and kind != "scaling":
        raise InputError("chart", kind, "has no batch that follows", "leave out --batch-follows")
    result = _result(kind, subject, stage, batch_follows, data, words)
    draw(kind, result, out)
    output.notes(getattr(result, "notes", ()))


def _result(
    kind: str, subject: str | None, stage: str | None, batch_follows: bool, data: Path | None, words: dict[str, Any]
) -> Measurements | Scaling | LayoutSearch | Backtest:
    from footprint.estimation import doors

    if kind == "throughput":
        return doors.measurements(data=data)
    if kind == "scaling":
        return doors.scaling(subject, stage=stage, batch_follows=batch_follows, data=data, **words)
    if kind == "layout":
        return doors.layout_search(subject, stage=stage, data=data, **words)
    return doors.backtest(data=data)


def draw(kind: str, result: Any, path: Path, field: str = "out") -> None:
    """Draw a result of that kind into a file."""
    from footprint.report import charts

    try:
        charts.write(charts.CHARTS[kind](result), path)
    except OSError as error:
        raise output.unwritable(field, path, error) from error
