"""The pictures of a page: which charts stand on it, drawn by one library that stands in the page once."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from footprint.report import page_data, page_frame, page_tables, run_tables
from footprint.report.page_parts import more, table, text
from footprint.report.tables import Table
from footprint.studies import Answer
from footprint.values import Footprint, Run

Figures = Mapping[str, Any]
"""Plotly figures by the name of their kind."""

_LEAST_HEIGHT = 420


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart ready for a page: its finding, what it assumes, its data, and the same as a table."""

    kind: str
    finding: str  # escaped
    detail: str  # escaped
    assumed: str
    figure: str  # JSON
    height: int
    table: Table


@dataclass(frozen=True, slots=True)
class Kind:
    """A chart of a page: its name, the table of its numbers, and whether there is anything to draw."""

    name: str
    table: Callable[[Any], Table]
    is_drawn: Callable[[Any], bool] = bool


OF_PLAN = (
    Kind("answer", page_tables.by_convention),
    Kind("bridge", page_tables.by_convention, lambda found: found.usage.nameplate_energy_kwh.mid > 0),
    Kind("tornado", page_tables.driving, lambda found: bool(found.sensitivities)),
)
OF_RUN = (
    Kind("components", run_tables.parts, lambda run: bool(run.meters)),
    Kind("power", page_tables.devices, lambda run: bool(run.meters and run.journals)),
    Kind("cumulative", page_tables.hours, lambda run: bool(run.meters and run.journals)),
    Kind("idle", page_tables.devices, lambda run: bool(run.stalled_it_energy_kwh)),
    Kind("planned", run_tables.against_plan, lambda run: run.planned is not None),
)
"""Which charts stand on which page, in their order."""


def of_plan(footprint: Footprint, figures: Figures, answer: Answer | None = None) -> tuple[Picture, ...]:
    """The pictures of an estimate, as far as they were drawn; beside the first its parts, where they are known."""
    beside = {} if answer is None else {"answer": page_tables.parts_of(answer)}
    return _pictures(OF_PLAN, footprint, figures, beside)


def of_run(run: Run, figures: Figures) -> tuple[Picture, ...]:
    """The pictures of a measured run, as far as they were drawn."""
    return _pictures(OF_RUN, run, figures, {})


def _pictures(kinds: Sequence[Kind], found: Any, figures: Figures, beside: Mapping[str, Table]) -> tuple[Picture, ...]:
    return tuple(
        _picture(kind, figures[kind.name], beside.get(kind.name) or kind.table(found))
        for kind in kinds
        if kind.name in figures
    )


def _picture(kind: Kind, figure: Any, beside: Table) -> Picture:
    from footprint.report.charts.narrow import both
    from footprint.report.charts.style import bare

    meta = figure.layout.meta or {}
    drawn = bare(figure)
    return Picture(
        kind=kind.name,
        finding=str(meta.get("finding", "")),
        detail=str(meta.get("detail", "")),
        assumed=str(meta.get("assumed", "")),
        figure=both(drawn),
        height=max(_LEAST_HEIGHT, int(drawn.layout.height or 0)),
        table=beside,
    )


def as_html(picture: Picture) -> str:
    """A figure with its finding as text, its alternative for those who listen, and its numbers as a table."""
    name = f"chart-{picture.kind}"
    # The finding is escaped for plotly, which shows the same entities as HTML does.
    finding = picture.finding.replace("<br>", " ")
    detail = f"<p>{picture.detail.replace('<br>', ' ')}</p>" if picture.detail else ""
    plain_finding = html.escape(html.unescape(finding))
    numbers = more("The numbers as a table", table(picture.table, f"The numbers of: {html.unescape(finding)}"))
    return (
        f'<figure id="{name}-figure"><figcaption><h3>{plain_finding}</h3>{detail}</figcaption>'
        f'<div class="chart" id="{name}" role="img" data-height="{picture.height}" '
        f'aria-label="Chart: {plain_finding}. The numbers stand in the table below." '
        f'style="height:{picture.height}px"></div>'
        f'<p class="assumed">{text(picture.assumed)}</p>{numbers}</figure>'
    )


def scripts(pictures: Sequence[Picture]) -> tuple[str, ...]:
    """What runs in a page that has pictures: the library, once, and the page's own script."""
    if not pictures:
        return ()
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().replace("</script", "<\\/script"), page_frame.SCRIPT


def data(pictures: Sequence[Picture]) -> str:
    """The figures as scripts that only hold data, and the colours that are others on a dark ground."""
    if not pictures:
        return ""
    from footprint.report.charts.style import DARK

    kind = '<script type="application/json" class="figure"'
    figures = "".join(f'{kind} data-of="chart-{one.kind}">{page_data.safe(one.figure)}</script>' for one in pictures)
    return figures + page_data.script(DARK, "dark")


def policy(running: Sequence[str]) -> str:
    """The content-security policy: nothing from outside, and no script but those with these hashes."""
    hashes = " ".join(f"'sha256-{_digest(one)}'" for one in running)
    return (
        f"default-src 'none'; script-src {hashes or _NONE}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


_NONE = "'none'"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


def told(pictures: Sequence[Picture]) -> str:
    """All pictures, one below the other."""
    return "\n".join(as_html(one) for one in pictures)
