"""A measured run as one HTML file: nothing loaded from outside, the data inside, every name escaped."""

from __future__ import annotations

import html
from dataclasses import replace

from footprint import records
from footprint.report import page, tables
from footprint.report.run_sections import answer, sections
from footprint.report.run_wording import by_hours, card, remarks, subtitle, title, utc
from footprint.report.tables import Table
from footprint.report.wording import plain, show_range
from footprint.units import PERCENT_PER_SHARE, S_PER_H, show
from footprint.values import Run

_MOST_BARS = 96
_BAR_HEIGHT, _BAR_WIDTH = 60, 8


def document(run: Run) -> str:
    """A whole document; the run's JSON stands in it, so that it can be read again."""
    return page.document(title(run), fragment(run), records.to_dict(run))


def fragment(run: Run) -> str:
    """What a notebook shows."""
    told = remarks(run)
    return page.styled([
        f"<h1>{html.escape(title(run))}</h1>",
        *(f'<p class="quiet">{html.escape(line)}</p>' for line in subtitle(run)),
        f'<p class="quiet">Run {html.escape(plain(run.id))}. Mid values, with 5th and 95th percentiles.</p>',
        _answer(run),
        _section("What it cost", replace(answer(run), title="")),
        f'<p class="quiet">{html.escape(card(run))}</p>',
        _by_hour(run),
        *(_section(name, table) for name, table in sections(run)),
        "<h2>To know</h2><ul>" + "".join(f"<li>{html.escape(t)}</li>" for t in told) + "</ul>" if told else "",
        f'<p class="quiet">{html.escape(plain(f"footprint {run.version}, catalog {run.catalog_digest}"))}</p>',
    ])  # fmt: skip


def _section(name: str, table: Table) -> str:
    return f"<h2>{html.escape(name)}</h2>\n{tables.as_html(table)}" if table.rows else ""


def _answer(run: Run) -> str:
    found = run.footprint
    return page.cards((
        ("Accelerator-hours", show_range("accelerator_hours", run.usage.accelerator_hours)),
        ("IT energy", show_range("it_energy_kwh", found.facility.it_energy_kwh)),
        ("Facility energy", show_range("facility_energy_kwh", found.facility.facility_energy_kwh)),
        ("CO2e, location-based and embodied", show_range("total_location_kgco2e", found.total_location_kgco2e)),
        ("Electricity", show_range("electricity_usd", found.facility.electricity_usd)),
    ))  # fmt: skip


def _by_hour(run: Run) -> str:
    """A bar an hour, or several hours a bar where the run is long."""
    each, sums = by_hours(run, _MOST_BARS)
    if len(sums) < 2:
        return ""
    first = min(hour for hour, _ in run.hourly_it_energy_kwh)
    most = max(sums) or 1.0
    bars = "".join(
        f'<rect x="{_BAR_WIDTH * i}" y="{_BAR_HEIGHT * (1 - kwh / most):.1f}" width="{_BAR_WIDTH - 1}" '
        f'height="{_BAR_HEIGHT * kwh / most:.1f}"><title>{utc(first + int(S_PER_H) * each * i)}: '
        f"{show('it_energy_kwh', kwh)}</title></rect>"
        for i, kwh in enumerate(sums)
    )
    width = _BAR_WIDTH * len(sums)
    share = min(PERCENT_PER_SHARE, PERCENT_PER_SHARE * len(sums) / (_MOST_BARS // 2))
    told = f"IT energy every {f'{each} hours' if each > 1 else 'hour'}, at most {show('it_energy_kwh', max(sums))}"
    return (
        f'<h2>By hour</h2>\n<svg viewBox="0 0 {width} {_BAR_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'style="width:{share:.0f}%;height:4rem" fill="#0072b2"><title>{told}</title>{bars}</svg>'
        f'<p class="quiet">{told}</p>'
    )
