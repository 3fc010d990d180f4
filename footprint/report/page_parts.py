"""The pieces of a page: sections, tables that are read aloud well, boxes of the answer; every name escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from footprint.report.tables import Table, show_cell
from footprint.report.wording import plain, show_days, show_range
from footprint.values import Range

MOST_NAME, MOST_LINE, MOST_CELL = 120, 240, 600
"""Characters shown of a name, of a line under it and of a cell; the data inside the page have all."""

_LONG = re.compile(r"\S{30}")
"""A word so long that it may be broken anywhere."""

_INTERVAL = re.compile(r"^(.*?) \((.*)\)$")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page under a heading of its own; an empty body is left out."""

    id: str
    heading: str
    body: str


@dataclass(frozen=True, slots=True)
class Box:
    """One number of the answer: its name, its value with the interval, and what it rests on."""

    name: str
    value: str
    told: str = ""


def text(words: str, most: int = MOST_CELL) -> str:
    """Words on one line, cut where they are too long, escaped."""
    shown = plain(words)
    return html.escape(shown if len(shown) <= most else shown[: most - 1].rstrip() + "…")


def paragraph(words: str, kind: str = "", most: int | None = None) -> str:
    """A paragraph of plain words; whole, unless it is cut."""
    return f"<p{_class(kind)}>{text(words, len(words) if most is None else most)}</p>" if words else ""


def items(lines: Iterable[str]) -> str:
    """A list of plain words; nothing where there are none."""
    inner = "".join(f"<li>{text(line)}</li>" for line in lines)
    return f"<ul>{inner}</ul>" if inner else ""


def table(found: Table, caption: str, first_is_header: bool = True) -> str:
    """A table with a caption and scopes, that scrolls by itself where the screen is narrow."""
    if not found.rows:
        return ""
    right = [name in found.right for name in found.columns]
    head = "".join(
        f'<th scope="col"{_class("number" if is_right else "")}>{text(name) or _NAMELESS}</th>'
        for name, is_right in zip(found.columns, right, strict=True)
    )
    rows = []
    for row in found.rows:
        cells = []
        for place, (cell, is_right) in enumerate(zip(row, right, strict=True)):
            shown = show_cell(cell)
            kind = _class("number" if is_right else "long" if _LONG.search(shown) else "")
            is_header = place == 0 and first_is_header
            tag, scope = ("th", ' scope="row"') if is_header else ("td", "")
            cells.append(f"<{tag}{scope}{kind}>{text(shown)}</{tag}>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    told = text(caption)
    return (
        f'<div class="scroll" role="region" aria-label="{told}" tabindex="0"><table><caption>{told}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


_NAMELESS = '<span class="unseen">remark</span>'
"""A column without a name still has one for those who listen."""


def boxes(found: Sequence[Box]) -> str:
    """The answer: names, values large, intervals and what they rest on below."""
    inner = "".join(
        f"<div><dt>{text(one.name)}</dt><dd>{_large(one.value)}"
        + (f'<span class="quiet">{text(one.told)}</span>' if one.told else "")
        + "</dd></div>"
        for one in found
    )
    return f'<dl class="answer">{inner}</dl>'


def ranged(name: str, field: str, value: Range | None, told: str = "") -> Box:
    """A box of a quantity; durations in days."""
    return Box(name, show_days(value) if field == "wall_clock_h" else show_range(field, value), told)


def more(summary: str, body: str, is_open: bool = False) -> str:
    """What is unfolded on request, and in print."""
    return f"<details{' open' if is_open else ''}><summary>{text(summary)}</summary>{body}</details>" if body else ""


def code(words: str, name: str, label: str) -> str:
    """A block of text to copy: its element's name, and what it is for those who listen."""
    return f'<pre id="{name}" tabindex="0" role="region" aria-label="{html.escape(label)}">{html.escape(words)}</pre>'


def sections(found: Iterable[Section]) -> str:
    """Sections as landmarks; those without a body are left out."""
    return "\n".join(
        f'<section id="{one.id}" aria-labelledby="{one.id}-h"><h2 id="{one.id}-h">{text(one.heading)}</h2>\n'
        f"{one.body}\n</section>"
        for one in found
        if one.body
    )


def contents(found: Iterable[Section]) -> str:
    """Links to the sections."""
    links = "".join(f'<li><a href="#{one.id}">{text(one.heading)}</a></li>' for one in found if one.body)
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def _large(value: str) -> str:
    """The middle large, its interval below."""
    match = _INTERVAL.match(value)
    if match is None:
        return f"<b>{text(value)}</b>"
    return f'<b>{text(match[1])}</b><span class="interval">{text(match[2])}</span>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
