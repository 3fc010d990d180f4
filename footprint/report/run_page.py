"""A measured run as one HTML file: nothing loaded from outside, the data inside, every name escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace

from footprint import records
from footprint.report import methods, page, page_pictures, page_plan, page_tables, run_tables, tables
from footprint.report.page_parts import MOST_LINE, Box, Section, boxes, items, more, paragraph, ranged, table
from footprint.report.page_pictures import Picture
from footprint.report.run_sections import answer, sections
from footprint.report.run_wording import (
    by_hours,
    card,
    duration,
    is_by_accelerators,
    lasted,
    measured_share,
    percent,
    remarks,
    subtitle,
    title,
    utc,
)
from footprint.report.tables import Table
from footprint.report.wording import RANGES, plain, show_range
from footprint.units import PERCENT_PER_SHARE, S_PER_H, show
from footprint.values import Run

_MOST_BARS = 96
_BAR_HEIGHT, _BAR_WIDTH = 60, 8
_MOST_REMARKS = 100


def document(run: Run, pictures: Sequence[Picture] = (), sources: methods.SourceRows | None = None) -> str:
    """A whole document; the run's JSON stands in it, so that it can be read again."""
    name, _, status = title(run).rpartition(" · ")
    head = page.heading(name, more=status) + "".join(paragraph(line, "quiet", MOST_LINE) for line in subtitle(run))
    told = boxes(_boxes(run)) + paragraph(f"{RANGES}. Run {plain(run.id)}.", "quiet", MOST_LINE)
    found = _sections(run, pictures, methods.known_sources() if sources is None else sources)
    foot = page.stamp(run.version, run.catalog_digest, run.planned.words if run.planned else "")
    return page.document(title(run), (head, told, found), foot, records.to_dict(run), pictures)


def _boxes(run: Run) -> list[Box]:
    """Hours, energy, carbon, water and money, with what each rests on."""
    found = run.footprint
    facility = found.facility
    share = measured_share(run)
    read = "" if share is None else f"{percent(share)} of IT energy measured"
    starts = len({segment.restart_count for segment in run.segments})
    onsite = show_range("onsite_water_l", facility.onsite_water_l, bounds=False)
    hours = lasted(run).mid
    return [
        Box("Accelerator-hours", show_range("accelerator_hours", run.usage.accelerator_hours)),
        Box("Duration", duration(hours * S_PER_H), f"in {starts} starts" if starts > 1 else ""),
        ranged("Energy", "facility_energy_kwh", facility.facility_energy_kwh, read),
        ranged(
            "CO2e", "total_location_kgco2e", found.total_location_kgco2e,
            f"location-based, embodied; "
            f"{show_range('location_intensity_g_per_kwh', found.site.location_intensity_g_per_kwh, bounds=False)}",
        ),
        ranged("Water", "offsite_water_l", facility.offsite_water_l, f"at power stations; on site {onsite}"),
        page_plan.money(found),
    ]  # fmt: skip


def _sections(run: Run, pictures: Sequence[Picture], sources: methods.SourceRows) -> list[Section]:
    plan = table(run_tables.against_plan(run), "Each quantity, and where it lies in the planned interval")
    head = "Planned, and so far" if run.status == "running" else "Planned, and measured"
    whole = table(replace(answer(run), title=""), "Each quantity, and what it rests on") + paragraph(card(run), "quiet")
    windows = table(run_tables.windows(run), "Windows, nested ones under those around them")
    starts = table(run_tables.starts(run), "Starts, on each host")
    return [
        Section("cost", "What it cost", whole),
        Section("pictures", "In pictures", page_pictures.told(pictures) + _by_hour(run)),
        Section("plan", head, plan),
        Section("parts", "Where the energy went", table(run_tables.parts(run), "IT energy by part")),
        Section("spent", "Of this energy", table(run_tables.spent(run), "What trained nothing, and what was shared")),
        Section("coverage", "Coverage and gaps", _coverage(run)),
        Section("windows", "Windows", windows),
        Section("starts", "Starts", starts),
        Section("to-know", "To know", items(remarks(run, _MOST_REMARKS))),
        page_plan.conventions(run.footprint),
        page_plan.money_and_embodied(run.footprint),
        page_plan.derivation(run.footprint),
        page_plan.assumptions(run.footprint),
        page_plan.methods_of(methods.of_run(run), run.footprint, sources),
    ]


def _coverage(run: Run) -> str:
    """What each meter knows, and when it was not read."""
    share = measured_share(run)
    told = "" if share is None else f"Of the IT energy, sensors read {percent(share)} without a gap."
    gaps = table(page_tables.gaps(run), "Gaps, the longest first", first_is_header=False)
    return (
        paragraph(told)
        + table(page_tables.meters(run), "Every meter")
        + (more("Gaps", gaps, is_open=True) if gaps else paragraph("No gaps.", "quiet") if run.meters else "")
    )


# what a notebook shows


def fragment(run: Run) -> str:
    """What a notebook shows."""
    told = remarks(run)
    return page.styled([
        f"<h1>{html.escape(title(run))}</h1>",
        *(f'<p class="quiet">{html.escape(line)}</p>' for line in subtitle(run)),
        f'<p class="quiet">Run {html.escape(plain(run.id))}. {RANGES}.</p>',
        _answer(run),
        _section("What it cost", replace(answer(run), title="")),
        f'<p class="quiet">{html.escape(card(run))}</p>',
        f"<h2>By hour</h2>\n{bars}" if (bars := _by_hour(run)) else "",
        *(_section(name, found) for name, found in sections(run)),
        "<h2>To know</h2><ul>" + "".join(f"<li>{html.escape(t)}</li>" for t in told) + "</ul>" if told else "",
        f'<p class="quiet">{html.escape(plain(f"footprint {run.version}, catalog {run.catalog_digest}"))}</p>',
    ])  # fmt: skip


def _section(name: str, found: Table) -> str:
    return f"<h2>{html.escape(name)}</h2>\n{tables.as_html(found)}" if found.rows else ""


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
    what = "IT energy of the accelerators" if is_by_accelerators(run) else "IT energy"
    told = f"{what} every {f'{each} hours' if each > 1 else 'hour'}, at most {show('it_energy_kwh', max(sums))}"
    return (
        f'<svg class="hours" viewBox="0 0 {width} {_BAR_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{told}" style="width:{share:.0f}%;height:4rem" fill="#0072b2">{bars}</svg>'
        f'<p class="quiet">{told}</p>'
    )
