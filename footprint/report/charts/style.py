"""What all charts share: colours and markers, the title that says the finding, the line of assumptions below."""

from __future__ import annotations

import html
import json
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from footprint.errors import UnknownName
from footprint.report.wording import plain
from footprint.units import scale_for, unit_of
from footprint.values import Range

INK, GREY, FAINT, PAPER = "#222222", "#555555", "#DDDDDD", "#FFFFFF"
BAND = "rgba(128,128,128,0.18)"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
FOOTNOTE_CHARACTERS, FINDING_CHARACTERS, DETAIL_CHARACTERS = 165, 105, 150
FOOTNOTE_LINE_PX, FOOTNOTE_TOP_PX = 18, 64
TITLE_PX, TITLE_LINE_PX, DETAIL_LINE_PX = 64, 26, 22
LEGEND_PX, LEGEND_LINE_PX, LEFT_PX, LABEL_PX = 34, 20, 80, 8
WIDTH_PX = 1100
MOST_NAME_CHARACTERS = 60
MOST_TICKS = 9
_FINE = (1, 2, 5)
_ACRONYMS = ("mfu", "hfu", "pue", "wue", "tdp")

THEMES = ("light", "dark")
DARK = {
    INK: "#E8E6E3", GREY: "#B3B0AB", FAINT: "#3A3F45", PAPER: "#16191D",
    "#333333": "#D0CDC8", "#999999": "#9A9A9A", "#BBBBBB": "#5A5F66", "#777777": "#8A8F96",
    "#0072B2": "#3D9BDC", "#D55E00": "#F07D2E", "#009E73": "#2BBF94", "#CC79A7": "#DE92BB",
    BAND: "rgba(160,160,160,0.25)",
    "rgba(0,114,178,0.30)": "rgba(61,155,220,0.35)", "rgba(213,94,0,0.13)": "rgba(240,125,46,0.20)",
}  # fmt: skip
"""Every colour of a chart that is another one on a dark ground."""

_COLOR = re.compile(r'"(#[0-9A-Fa-f]{6}|rgba\([0-9.,]+\))"')


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of accelerator and how it is drawn."""

    name: str
    prefixes: tuple[str, ...]
    color: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Look:
    """How a series is told from others: by colour, and again by marker, dash and hatching where there is none."""

    color: str
    symbol: str
    dash: str
    pattern: str


# Okabe and Ito's palette, told apart with any colour vision; the marker tells kinds apart a second time.
KINDS = (
    Kind("NVIDIA V100, T4 and older", ("v100", "p100", "k80", "t4"), "#999999", "x"),
    Kind("NVIDIA Ampere", ("a100", "a800", "a40", "a6000"), "#0072B2", "circle"),
    Kind("NVIDIA Hopper", ("h100", "h200", "h800", "h20", "gh200"), "#D55E00", "square"),
    Kind("NVIDIA Blackwell", ("b200", "b300", "gb200", "gb300"), "#CC79A7", "star"),
    Kind("Google TPU", ("tpu",), "#009E73", "diamond"),
    Kind("AMD Instinct", ("mi",), "#E69F00", "triangle-up"),
    Kind("other", ("",), "#56B4E9", "cross"),
)
LOOKS = (
    Look("#0072B2", "circle", "solid", ""),
    Look("#E69F00", "square", "dash", "/"),
    Look("#009E73", "diamond", "dot", "x"),
    Look("#D55E00", "triangle-up", "dashdot", "\\"),
    Look("#56B4E9", "star", "longdash", "."),
    Look("#CC79A7", "cross", "longdashdot", "-"),
    Look("#999999", "triangle-down", "solid", "+"),
    Look("#F0E442", "hexagon", "dash", "|"),
)


def kind_of(accelerator: str) -> Kind:
    """The kind that an accelerator is drawn as."""
    folded = accelerator.casefold()
    return next(kind for kind in KINDS if folded.startswith(kind.prefixes))


def marker(kind: Kind | Look, size: int = 9, opacity: float = 1.0) -> dict[str, Any]:
    """A kind's marker, outlined so that it is seen in greyscale."""
    line = {"width": 0.5, "color": "#333333"}
    return {"color": kind.color, "symbol": kind.symbol, "size": size, "opacity": opacity, "line": line}


def look(place: int) -> Look:
    """The look of the series at that place."""
    return LOOKS[place % len(LOOKS)]


def hatched(one: Look) -> dict[str, Any]:
    """A bar's marker: hatched as well as coloured."""
    pattern = {"shape": one.pattern, "fillmode": "overlay", "fgcolor": PAPER, "solidity": 0.3, "size": 7}
    return {"color": one.color, "line": {"width": 1, "color": INK}, "pattern": pattern if one.pattern else {}}


def escaped(text: str) -> str:
    """Text from tables as plotly may show it: without markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def named(text: str, most: int = MOST_NAME_CHARACTERS) -> str:
    """A name on one line, cut where it is too long, without markup."""
    told = plain(text).strip()
    return escaped(told if len(told) <= most else told[: most - 1].rstrip() + "…")


def hover(*lines: str) -> str:
    """Lines of a point's hover text; the empty ones are left out."""
    return "<br>".join(line for line in lines if line)


def unit_for(field: str, values: Iterable[Range | float | None]) -> tuple[float, str]:
    """One divisor and unit for an axis: those in which its largest value is read most easily."""
    found = [abs(v.mid if isinstance(v, Range) else v) for v in values if v is not None]
    return scale_for(field, max(found, default=0.0))


def bars(ranges: Sequence[Range | None], divisor: float = 1.0) -> dict[str, Any]:
    """The intervals of points, as plotly draws them; none where nothing is known."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [None if r is None else (r.high - r.mid) / divisor for r in ranges],
        "arrayminus": [None if r is None else (r.mid - r.low) / divisor for r in ranges],
        "thickness": 1.5,
        "width": 4,
        "color": INK,
    }


def mids(ranges: Sequence[Range | None], divisor: float = 1.0) -> list[float | None]:
    """The middles of ranges in an axis's unit."""
    return [None if r is None else r.mid / divisor for r in ranges]


def over(value: Range | None, divisor: float) -> Range | None:
    """A range in an axis's unit."""
    return None if value is None else Range(value.low / divisor, value.mid / divisor, value.high / divisor)


def log_ticks(values: Iterable[Range | float | None], most: int = MOST_TICKS) -> dict[str, Any]:
    """An axis in powers with whole numbers at 1, 2 and 5, or at powers of ten alone where there would be too many."""
    ends = [end for v in values if v is not None for end in ((v.low, v.high) if isinstance(v, Range) else (v,))]
    found = [end for end in ends if end > 0]
    if not found:
        return {"type": "log"}
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    fine, coarse = ([step * 10.0**power for power in range(low, high + 1) for step in steps] for steps in (_FINE, (1,)))
    inside = [tick for tick in fine if min(found) <= tick <= max(found)]
    ticks = fine if len(inside) <= most else coarse
    minor = {"minor": {"dtick": "D1", "ticks": "outside", "ticklen": 3}} if ticks is coarse else {}
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,.10g}" for tick in ticks], **minor}


def field_name(field: str) -> str:
    """'network_w' as 'network (W)', 'pretrain.mfu' as 'MFU'."""
    name = field.rsplit(".", 1)[-1]
    unit = unit_of(name) or ""
    words = name.removesuffix(unit).split("_")
    told = " ".join(word.upper() if word in _ACRONYMS else word for word in words)
    return escaped(f"{told} ({scale_for(name, 1.0)[1]})" if unit else told)


def template() -> go.layout.Template:
    """The house's quiet look: thin lines, no ornaments, ticks outside, nothing that colour alone tells."""
    axis = {
        "showline": True, "linecolor": GREY, "linewidth": 1, "ticks": "outside", "tickcolor": GREY, "ticklen": 5,
        "gridcolor": FAINT, "gridwidth": 1, "zeroline": False, "title": {"standoff": 10},
        "exponentformat": "none", "separatethousands": True,
    }  # fmt: skip
    legend = {"bgcolor": "rgba(0,0,0,0)", "borderwidth": 0, "itemsizing": "constant"}
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 15, "color": INK}, "paper_bgcolor": PAPER, "plot_bgcolor": PAPER,
            "colorway": [one.color for one in LOOKS], "xaxis": axis, "yaxis": axis, "legend": legend,
            "hoverlabel": {"align": "left", "bgcolor": PAPER, "bordercolor": GREY, "font": {"color": INK}},
            "title": {"x": 0, "xanchor": "left"}, "annotationdefaults": {"font": {"color": INK}},
            "coloraxis": {"colorbar": {"outlinewidth": 0, "ticks": "outside"}},
        }
    )  # fmt: skip


def finish(
    figure: go.Figure, finding: str, detail: str, assumed: Iterable[str], catalog_digest: str, version: str
) -> go.Figure:
    """The house's look: what is found above, what it rests on below, with the version and the data's digest.

    The same words stand in `layout.meta`, for pages that set them themselves: `finding` and `detail` are escaped
    already, `assumed` is plain text.
    """
    stamp = ", ".join(filter(None, (f"footprint {version}", f"catalog {catalog_digest}" if catalog_digest else "")))
    stamp = stamp if version else ""
    below = ". ".join(filter(None, (*assumed, stamp)))
    lines = [escaped(line) for line in textwrap.wrap(below, FOOTNOTE_CHARACTERS)]
    above, details = _folded(finding, FINDING_CHARACTERS), _folded(detail, DETAIL_CHARACTERS)
    top = TITLE_PX + TITLE_LINE_PX * above.count("<br>")
    top += DETAIL_LINE_PX * (details.count("<br>") + 1) + 22 if detail else 0
    is_above = figure.layout.legend.orientation == "h"
    left = _left(figure)
    figure.update_layout(
        template=template(),
        meta={"finding": finding, "detail": detail, "assumed": below},
        title={
            "text": above,
            "font": {"size": 20},
            "subtitle": {"text": details, "font": {"size": 15, "color": GREY}},
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "pad": {"l": 12, "t": 16 + TITLE_LINE_PX // 2 * above.count("<br>")},
        },
        margin={
            "l": left,
            "r": 20,
            "t": top + (_legend_px(figure) if is_above else 0),
            "b": FOOTNOTE_TOP_PX + 16 + FOOTNOTE_LINE_PX * len(lines),
        },
    )
    figure.add_annotation(
        text="<br>".join(lines), showarrow=False, align="left", font={"size": 13, "color": GREY}, name="footnote",
        xref="paper", x=0, xanchor="left", xshift=12 - left, yref="paper", y=0, yanchor="top", yshift=-FOOTNOTE_TOP_PX,
    )  # fmt: skip
    return figure


def _legend_px(figure: go.Figure) -> int:
    """Room for a legend above: its entries stand in columns as wide as the longest."""
    names = [len(trace.name or "") for trace in figure.data if trace.showlegend is not False and trace.name]
    columns = max(WIDTH_PX // (4 * LEFT_PX // 5 + LABEL_PX * max(names, default=1)), 1)
    lines = -(-len(names) // columns)
    return LEGEND_PX + (lines - 1) * LEGEND_LINE_PX if lines else 0


def _left(figure: go.Figure) -> int:
    """Room for the labels of rows, so that what stands below the picture begins at its edge."""
    is_labelled = any(axis.automargin for axis in figure.select_yaxes())
    rows = [str(row) for trace in figure.data if is_labelled and trace.y is not None for row in trace.y]
    longest = max((len(part) for row in rows for part in html.unescape(row).split("<br>")), default=0)
    return max(LEFT_PX, 3 * LEFT_PX // 8 + LABEL_PX * longest)


def above(figure: go.Figure, **more: Any) -> None:
    """The legend in a line above the picture, which holds on a narrow screen too."""
    figure.update_layout(
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "traceorder": "normal",
            **more,
        }
    )


def bare(figure: go.Figure) -> go.Figure:
    """A copy without title and assumptions, for a page that sets them as text, which wraps on any screen."""
    found = go.Figure(figure)
    found.layout.annotations = [note for note in found.layout.annotations if note.name != "footnote"]
    has_titles = any(note.yref == "paper" and note.y == 1 for note in found.layout.annotations)
    is_above = found.layout.legend.orientation == "h"
    top = 24 + (_legend_px(found) if is_above else 0) + (LEGEND_PX if has_titles else 0)
    found.update_layout(title=None, margin={"t": top, "b": FOOTNOTE_TOP_PX + 8})
    return found


def themed(figure: go.Figure, theme: str = "light") -> go.Figure:
    """The chart on a light or a dark ground.

    Raises
    ------
    UnknownName
        For another theme.
    """
    if theme not in THEMES:
        raise UnknownName("theme", theme, THEMES, "the themes are light and dark")
    if theme == "light":
        return figure
    return go.Figure(json.loads(_COLOR.sub(lambda m: f'"{DARK.get(m[1], m[1])}"', figure.to_json())))


def _folded(text: str, characters: int) -> str:
    """On several lines where it is longer; entities of escaped names are not cut."""
    return "<br>".join(textwrap.wrap(text, characters, break_long_words=False, break_on_hyphens=False))
