"""What all charts share: colours and markers, the title that says the finding, the line of assumptions below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

INK, GREY, BAND = "#222222", "#555555", "rgba(128,128,128,0.18)"
FOOTNOTE_CHARACTERS = 165
FOOTNOTE_LINE_PX, FOOTNOTE_TOP_PX = 18, 64
TITLE_PX, DETAIL_PX = 64, 108


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of accelerator and how it is drawn."""

    name: str
    prefixes: tuple[str, ...]
    color: str
    symbol: str


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


def kind_of(accelerator: str) -> Kind:
    """The kind that an accelerator is drawn as."""
    folded = accelerator.casefold()
    return next(kind for kind in KINDS if folded.startswith(kind.prefixes))


def marker(kind: Kind, size: int = 9, opacity: float = 1.0) -> dict[str, Any]:
    """A kind's marker, outlined so that it is seen in greyscale."""
    line = {"width": 0.5, "color": "#333333"}
    return {"color": kind.color, "symbol": kind.symbol, "size": size, "opacity": opacity, "line": line}


def escaped(text: str) -> str:
    """Text from tables as plotly may show it: without markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def hover(*lines: str) -> str:
    """Lines of a point's hover text; the empty ones are left out."""
    return "<br>".join(line for line in lines if line)


def finish(
    figure: go.Figure, finding: str, detail: str, assumed: Iterable[str], catalog_digest: str, version: str
) -> go.Figure:
    """The house's look: what is found above, what it rests on below, with the version and the data's digest."""
    stamp = f"footprint {version}, catalog {catalog_digest}" if version else ""
    told = escaped(". ".join(filter(None, (*assumed, stamp))))
    lines = textwrap.wrap(told, FOOTNOTE_CHARACTERS)
    figure.update_layout(
        template="plotly_white",
        font={"size": 15, "color": INK},
        title={
            "text": finding,
            "font": {"size": 20},
            "subtitle": {"text": detail, "font": {"size": 15, "color": GREY}},
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            "pad": {"l": 12, "t": 16},
        },
        hoverlabel={"align": "left"},
        margin={
            "l": 80,
            "r": 20,
            "t": DETAIL_PX if detail else TITLE_PX,
            "b": FOOTNOTE_TOP_PX + 16 + FOOTNOTE_LINE_PX * len(lines),
        },
    )
    figure.update_xaxes(ticks="outside", linecolor=GREY, showline=True, automargin=False)
    figure.update_yaxes(ticks="outside", linecolor=GREY, showline=True)
    figure.add_annotation(
        text="<br>".join(lines), showarrow=False, align="left", font={"size": 13, "color": GREY},
        xref="paper", x=0, xanchor="left", xshift=-70, yref="paper", y=0, yanchor="top", yshift=-FOOTNOTE_TOP_PX,
    )  # fmt: skip
    return figure
