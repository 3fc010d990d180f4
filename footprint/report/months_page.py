"""The months of a site as one HTML file: nothing loaded from outside, the data inside, every name escaped."""

from __future__ import annotations

import html
import re
from dataclasses import replace

from footprint import records
from footprint.evidence import GRADES
from footprint.report import months, page
from footprint.report.page_parts import Box, Section, boxes, items, paragraph, ranged, table, text
from footprint.report.run_wording import percent
from footprint.report.tables import Table
from footprint.report.wording import RANGES, plain, show_range
from footprint.studies import JobsRow, JobsTable
from footprint.units import show, show_number
from footprint.values import Range

__all__ = ["document"]

_MOST_REMARKS = 1000
_GRADE = re.compile(r"\b([A-D]) (?=[\d<])")  # and its share, which belong on one line
_MOST_BARS = 40
_LINE, _BAR, _LEFT = 22, 14, 220
_WIDTH = 640
_COLORS = (("at work", "#0072b2"), ("held idle", "#e69f00"), ("ended early", "#d55e00"))


def document(found: JobsTable) -> str:
    """A whole document; the table's JSON stands in it."""
    lines = months.headline(found)
    head = page.heading(months.title(found)) + "".join(paragraph(line, "quiet") for line in lines)
    whole = found.total.whole
    answer = boxes([
        Box("Accelerator-hours", months.hours(whole.accelerator_hours), months.counted(found.total.job_count, "job")),
        ranged("Energy", "facility_energy_kwh", whole.facility_energy_kwh, f"evidence {months.grades(found.total)}"),
        ranged(
            "CO2e", "operational_location_kgco2e", whole.operational_location_kgco2e, "of operation, location-based"
        ),
        Box("Electricity", _money(whole.electricity_usd, found)),
        Box("Waste", percent(months.wasted_share(found.total)), "of the energy: ended early, or held idle"),
    ]) + paragraph(f"{RANGES}.", "quiet")  # fmt: skip
    return page.document(
        months.title(found), (head, answer, _sections(found)), page.stamp(found.version, found.catalog_digest),
        records.to_dict(found),
    )  # fmt: skip


def _sections(found: JobsTable) -> list[Section]:
    grades = Table(
        ("grade", "share", "what"),
        tuple((grade, percent(share), GRADES.get(grade, "")) for grade, share in found.total.grade_share),
        right=frozenset({"share"}),
    )
    site = Table(
        ("field", "value"),
        tuple(
            (field, show_range(field, value))
            for field, value in (
                ("pue", found.site.pue),
                ("location_intensity_g_per_kwh", found.site.location_intensity_g_per_kwh),
                ("market_intensity_g_per_kwh", found.site.market_intensity_g_per_kwh),
                ("electricity_usd_per_kwh", found.site.electricity_usd_per_kwh),
            )
        ),
    )
    sources = Table(
        ("field", "value", "origin", "source", "note"),
        tuple((one.field, _told(one.value, one.field), one.origin, one.source, one.note) for one in found.ledger),
    )
    first, rest = (months.flat(one) for one in months.halves(found))
    whole_grades = tuple((*row[:-1], _GRADE.sub("\\1\N{NO-BREAK SPACE}", str(row[-1]))) for row in first.rows)
    groups = _bars(found) + table(replace(first, rows=whole_grades), "Each group")
    groups += table(rest, "Of each group besides")
    return [
        Section("groups", f"By {plain(found.by)}", groups),
        Section("waste", "What was of use, and what was not", table(months.flat(months.waste(found)), "Of all energy")),
        Section("evidence", "How well it is known", table(grades, "Shares of the accelerators' energy")),
        Section("site", "The site", table(site, "What energy was multiplied by")),
        Section("to-know", "To know", items(months.remarks(found, _MOST_REMARKS))),
        Section("assumptions", "Assumptions and their sources", table(sources, "Each with its origin")),
    ]


def _told(value: Range | float | str | None, field: str) -> str:
    if isinstance(value, Range):
        return show_range(field, value)
    return "" if value is None else value if isinstance(value, str) else show(field, value)


def _money(value: Range | None, found: JobsTable) -> str:
    if value is None:
        return show_range("electricity_usd", None)
    low, mid, high = (show_number(end / found.currency_usd) for end in (value.low, value.mid, value.high))
    return f"{mid} {plain(found.currency)} ({low} – {high})"


# the picture


def _bars(found: JobsTable) -> str:
    """A bar a row: at work, held idle, ended early."""
    rows = found.rows[:_MOST_BARS]
    most = max((row.whole.facility_energy_kwh.mid for row in rows), default=0.0)
    if not most:
        return ""
    height = _LINE * (len(rows) + 1)
    has_months = len({row.month for row in found.rows}) > 1 and found.by != "month"
    legend = "".join(
        f'<rect x="{_LEFT + at * 120}" y="2" width="12" height="12" fill="{color}"/>'
        f'<text x="{_LEFT + at * 120 + 17}" y="12">{name}</text>'
        for at, (name, color) in enumerate(_COLORS)
    )
    names = [" ".join(one for one in (row.group, row.month if has_months else "") if one) for row in rows]
    bars = "".join(
        _bar(row, name, _LINE * (at + 1), most) for at, (row, name) in enumerate(zip(rows, names, strict=True))
    )
    told = f"Facility energy of {len(rows)} rows: at work, held idle, ended early"
    more = (
        paragraph(f"The first {_MOST_BARS} of {len(found.rows)} rows.", "quiet") if len(found.rows) > len(rows) else ""
    )
    return (
        f'<svg viewBox="0 0 {_LEFT + _WIDTH} {height}" role="img" aria-label="{told}" font-size="12" '
        f'font-family="inherit" fill="currentColor" style="width:100%;max-width:62rem;height:auto">{legend}{bars}</svg>'
        f"{more}"
    )


def _bar(row: JobsRow, called: str, top: int, most: float) -> str:
    name = html.escape(months.cut(called))
    early = sum(part.facility_energy_kwh.mid for part in row.ended_early)
    idle = row.idle.facility_energy_kwh.mid if row.idle is not None else 0.0
    at_work = max(row.whole.facility_energy_kwh.mid - early - idle, 0.0)
    out = [f'<text x="{_LEFT - 8}" y="{top + 11}" text-anchor="end">{name}</text>']
    left = float(_LEFT)
    for (kind, color), kwh in zip(_COLORS, (at_work, idle, early), strict=True):
        wide = _WIDTH * kwh / most
        out.append(
            f'<rect x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{_BAR}" fill="{color}">'
            f"<title>{name}, {kind}: {text(show('facility_energy_kwh', kwh))}</title></rect>"
        )
        left += wide
    return "".join(out)
