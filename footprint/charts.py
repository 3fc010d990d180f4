"""Charts: `footprint.charts.KIND(subject, **words)` returns a plotly Figure; the subject may be a value already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from footprint.errors import UnknownName
from footprint.estimation import doors
from footprint.report import charts as drawn
from footprint.report.charts import write
from footprint.values import Backtest, LayoutSearch, Measurements, Scaling

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["KINDS", "backtest", "draw", "layout", "scaling", "throughput", "write"]

Data: TypeAlias = str | Path | None
Plan: TypeAlias = str | Path | Mapping[str, Any] | None
"""A preset, a YAML plan, its words, or None where `**words` says it all: as for `footprint.estimate`."""


def throughput(value: Measurements | None = None, *, data: Data = None) -> Figure:
    """Predicted against measured MFU of every measured configuration."""
    return drawn.throughput(value or doors.measurements(data=data))


def backtest(value: Backtest | None = None, *, data: Data = None) -> Figure:
    """Reported against estimated hours of published runs."""
    return drawn.backtest(value or doors.backtest(data=data))


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
    return drawn.scaling(subject)


def layout(subject: Plan | LayoutSearch = None, *, stage: str | None = None, data: Data = None, **words: Any) -> Figure:
    """MFU of a plan's stage on each tensor and pipeline size."""
    if not isinstance(subject, LayoutSearch):
        subject = doors.layout_search(subject, stage=stage, data=data, **words)
    return drawn.layout(subject)


KINDS: dict[str, Callable[..., Figure]] = {
    "throughput": throughput,
    "scaling": scaling,
    "layout": layout,
    "backtest": backtest,
}
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
