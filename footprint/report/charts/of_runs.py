"""What charts of runs share: their names, moments and sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from footprint.report.charts.style import finish, named
from footprint.report.run_wording import subtitle, utc
from footprint.values import Range, Run

MOST_CHARACTERS = 240


def of_run(figure: go.Figure, finding: str, run: Run, assumed: Sequence[str]) -> go.Figure:
    """The house's look, with who, where and when."""
    detail = named(" · ".join(subtitle(run)[:2]), MOST_CHARACTERS)
    return finish(figure, finding, detail, assumed, run.catalog_digest, run.version)


def name_of(run: Run) -> str:
    """A run's name, without markup."""
    return named(run.name or run.id)


def moment(utc_s: float) -> str:
    """A moment as plotly reads it, UTC."""
    return utc(utc_s).removesuffix("Z")


def added(ranges: Iterable[Range]) -> Range:
    """Ranges added up as if all erred the same way."""
    found = list(ranges)
    return Range(sum(r.low for r in found), sum(r.mid for r in found), sum(r.high for r in found))
