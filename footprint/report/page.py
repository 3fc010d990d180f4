"""One HTML file: nothing loaded from outside, the data inside, every name escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable

from footprint import records
from footprint.report import quantities, tables
from footprint.report.tables import Table
from footprint.report.wording import (
    IMPACT_FIELDS,
    MONEY_FIELDS,
    OTHER_FIELDS,
    STATED,
    Entry,
    drivers,
    entries,
    hardware,
    impacts,
    is_third_party,
    place,
    plain,
    reach,
    show_days,
    show_range,
    stated,
    title,
)
from footprint.values import Footprint

_STYLE = """
.footprint { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
.footprint h1 { font-size: 1.5rem; margin: 0 0 .2rem; } .footprint h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.footprint table { border-collapse: collapse; width: 100%; }
.footprint caption { text-align: left; opacity: .75; padding: .2rem 0; }
.footprint th { text-align: left; font-weight: 600; border-bottom: 2px solid #8888; }
.footprint th, .footprint td { padding: .25rem .8rem .25rem 0; vertical-align: top; overflow-wrap: anywhere; }
@media (min-width: 48rem) { .footprint th, .footprint td:not(:last-child) { white-space: nowrap; } }
.footprint tbody tr { border-bottom: 1px solid #8883; } .footprint .number { text-align: right; }
.footprint td { font-variant-numeric: tabular-nums; } .footprint .quiet { opacity: .75; }
.footprint .answer { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1rem 0; padding: 0; }
.footprint .answer div { flex: 1 1 10rem; border: 1px solid #8886; border-radius: .4rem; padding: .6rem .8rem; }
.footprint .answer dt { opacity: .75; } .footprint .answer dd { margin: 0; font-size: 1.15rem; font-weight: 600; }
.footprint .mark { background: #e69f00; color: #000; border-radius: .3rem; padding: 0 .4rem; font-size: .85rem; }
.footprint .bar { position: relative; height: 1em; min-width: 14rem; background: linear-gradient(#8886 0 0) 50% / 1px; }
.footprint .bar { background-repeat: no-repeat; }
.footprint .bar i { position: absolute; top: .1em; height: .8em; background: #0072b2; }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
{body}
{data}
</body>
</html>
"""


def page(footprint: Footprint) -> str:
    """A whole document; the footprint's JSON stands in it, so that it can be read again."""
    return document(title(footprint), fragment(footprint), records.to_dict(footprint))


def table_page(table: Table) -> str:
    """A document with one table."""
    return document(table.title or "footprint", styled([tables.as_html(table)]))


def document(name: str, body: str, data: object = None) -> str:
    """A document around what is HTML already; data stand in it as JSON."""
    plain_data = json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    script = "" if data is None else f'<script type="application/json" id="footprint">{plain_data}</script>'
    return _PAGE.format(title=html.escape(name), body=body, data=script)


def styled(blocks: Iterable[str]) -> str:
    """Blocks of HTML in the house's style; empty ones are left out."""
    return "\n".join((f"<style>{_STYLE}</style>", "<main class=footprint>", *filter(None, blocks), "</main>"))


def fragment(footprint: Footprint) -> str:
    """What a notebook shows."""
    mark = ' <span class="mark">third-party estimate</span>' if is_third_party(footprint) else ""
    where = " · ".join(words for words in (hardware(footprint), place(footprint)) if words)
    blocks = [
        f"<h1>{html.escape(plain(footprint.name))}{mark}</h1>",
        f'<p class="quiet">{html.escape(where)}. Mid values, with 5th and 95th percentiles.</p>',
        _answer(footprint),
        _members(footprint),
        "<h2>By energy convention</h2>",
        tables.as_html(_by_convention(footprint)),
        "<h2>Hardware and money</h2>",
        tables.as_html(_others(footprint)),
        _stated(footprint),
        _bars(footprint),
        "<h2>Assumptions</h2>" + tables.as_html(quantities.ledger(footprint)) if footprint.ledger else "",
        "".join(f'<p class="quiet">Note: {html.escape(note)}</p>' for note in footprint.notes),
        _derivation(footprint),
        f'<p class="quiet">footprint {html.escape(footprint.version)}, '
        f"catalog {html.escape(footprint.catalog_digest)}</p>",
    ]
    return styled(blocks)


def _answer(footprint: Footprint) -> str:
    usage = footprint.usage
    return cards(
        [
            ("Accelerator-hours", show_range("accelerator_hours", usage.accelerator_hours)),
            ("Duration", show_days(usage.wall_clock_h)),
            ("Facility energy", show_range("facility_energy_kwh", footprint.facility.facility_energy_kwh)),
            ("CO2e, location-based and embodied", show_range("total_location_kgco2e", footprint.total_location_kgco2e)),
            ("Rental on demand", show_range("rental_on_demand_usd", footprint.rental_on_demand_usd)),
            ("Training FLOP", show_range("training_flop", usage.training_flop)),
        ]
    )


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """The answer in boxes: a name and a value each."""
    inner = "".join(f"<div><dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd></div>" for k, v in pairs)
    return f'<dl class="answer">{inner}</dl>'


def _members(footprint: Footprint) -> str:
    if not footprint.parts:
        return ""
    rows = tuple(
        (
            title(member),
            show_range("accelerator_hours", member.usage.accelerator_hours),
            show_range("facility_energy_kwh", member.facility.facility_energy_kwh),
            show_range("total_location_kgco2e", member.total_location_kgco2e),
            show_range("rental_on_demand_usd", member.rental_on_demand_usd),
        )
        for member in footprint.parts
    )
    columns = ("model", "accelerator-hours", "facility energy", "CO2e total", "rental on demand")
    return "<h2>Models</h2>\n" + tables.as_html(Table(columns, rows))


def _by_convention(footprint: Footprint) -> Table:
    found: dict[str, list[Entry]] = {}
    for entry in entries(footprint):
        if entry.convention:
            found.setdefault(entry.field, []).append(entry)
    rows = tuple(
        (found[field][0].label, *(show_range(field, e.value) for e in found[field])) for field in IMPACT_FIELDS
    )
    return Table(("quantity", *(impact.convention for impact in impacts(footprint))), rows)


def _others(footprint: Footprint) -> Table:
    found = {e.field: e for e in entries(footprint)}
    chosen = [f for f in OTHER_FIELDS if found[f].value is not None or f in MONEY_FIELDS]
    return Table(
        ("quantity", "mid (5th – 95th percentile)"),
        tuple((found[f].label, show_range(f, found[f].value)) for f in chosen),
    )


def _stated(footprint: Footprint) -> str:
    rows = tuple(stated(footprint))
    columns = ("model", "figures", "source")
    return f"<h2>{STATED}</h2>\n" + tables.as_html(Table(columns, rows)) if rows else ""


def _bars(footprint: Footprint) -> str:
    label, movers = drivers(footprint)
    if not movers:
        return ""
    longest = reach(movers[0])
    rows = []
    for s in movers:
        low, high = sorted((s.output_at_low_ratio - 1, s.output_at_high_ratio - 1))
        left, right = 50 + 50 * min(low, 0) / longest, 50 + 50 * max(high, 0) / longest
        style = f"left:{left:.1f}%;width:{right - left:.1f}%"
        rows.append(
            f"<tr><td>{html.escape(s.field)}</td><td class=number>{low:+.0%}</td>"
            f'<td><div class=bar><i style="{style}"></i></div></td><td>{high:+.0%}</td></tr>'
        )
    return f"<h2>What drives {html.escape(label)}</h2>\n<table><tbody>{''.join(rows)}</tbody></table>"


def _derivation(footprint: Footprint) -> str:
    if not footprint.steps:
        return ""
    from footprint.report import explain

    text = "\n".join(explain.derivation(footprint))
    return f"<details><summary>Derivation</summary><pre>{html.escape(text)}</pre></details>"
