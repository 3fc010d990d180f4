"""One HTML file: nothing loaded from outside, the data inside, every name escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from footprint import records
from footprint.report import methods, page_frame, page_pictures, page_style, page_tables, quantities, tables
from footprint.report.page_data import script
from footprint.report.page_parts import MOST_NAME, Section, boxes, contents, items, paragraph, sections, text
from footprint.report.page_pictures import Picture
from footprint.report.tables import Table
from footprint.report.wording import (
    RANGES,
    STATED,
    THIRD_PARTY,
    drivers,
    hardware,
    is_third_party,
    place,
    plain,
    reach,
    show_days,
    show_range,
    title,
)
from footprint.values import Footprint

AGAIN = "Save this page and start again from it: footprint estimate page.html"


def page(footprint: Footprint, pictures: Sequence[Picture] = (), sources: methods.SourceRows | None = None) -> str:
    """A whole document; the footprint's JSON stands in it, so that it can be estimated again."""
    from footprint.report import page_plan

    rows = methods.known_sources() if sources is None else sources
    found = page_plan.sections(footprint, pictures, rows)
    where = " · ".join(words for words in (hardware(footprint), place(footprint)) if words)
    head = heading(plain(footprint.name), is_third_party(footprint), organization(footprint)) + paragraph(
        where, "quiet"
    )
    answer = boxes(page_plan.answer(footprint)) + paragraph(f"{RANGES}.", "quiet") + page_plan.loud(footprint.notes)
    return document(
        title(footprint), (head, answer, found), stamp(footprint.version, footprint.catalog_digest, footprint.words),
        records.to_dict(footprint), pictures,
    )  # fmt: skip


def heading(name: str, is_marked: bool = False, more: str = "") -> str:
    """The name, cut where it is too long, with the mark of third-party estimates."""
    mark = f' <span class="mark">{THIRD_PARTY}</span>' if is_marked else ""
    extra = f' <span class="quiet">({text(more, MOST_NAME // 2)})</span>' if more else ""
    return f"<h1><bdi>{text(name, MOST_NAME)}</bdi>{extra}{mark}</h1>"


def organization(footprint: Footprint) -> str:
    """Who made it, where the name does not say so."""
    found = footprint.plan.organization if footprint.plan else None
    return found if found and found.casefold() not in footprint.name.casefold() else ""


def stamp(version: str, digest: str, words: str = "") -> str:
    """What made the page, from which data, and how to go on from it."""
    lines = [f"footprint {version}, data {digest}. The whole record stands in this page as JSON."]
    if words:
        lines.append(AGAIN)
    return "".join(paragraph(line) for line in lines)


def document(
    name: str,
    parts: tuple[str, str, Sequence[Section]],
    foot: str,
    data: object,
    pictures: Sequence[Picture] = (),
) -> str:
    """A document of a heading, an answer and sections, around which stands what a browser must know."""
    head, answer, found = parts
    running = page_pictures.scripts(pictures)
    body = "\n".join((
        '<a class="skip" href="#main">Skip to the answer</a>',
        f"<header>{head}</header>",
        f'<main id="main" tabindex="-1">\n<section id="answer" aria-label="The answer">{answer}</section>',
        contents(found),
        sections(found),
        "</main>",
        f"<footer>{foot}</footer>",
    ))  # fmt: skip
    return page_frame.FRAME.format(
        policy=html.escape(page_pictures.policy(running), quote=True),
        title=text(name, MOST_NAME),
        style=f"<style>{page_style.PAGE}</style>",
        body=body,
        data=script(data) + page_pictures.data(pictures),
        scripts="\n".join(f"<script>{one}</script>" for one in running),
    )


def table_page(table: Table) -> str:
    """A document with one table."""
    name = table.title or "footprint"
    return page_frame.FRAME.format(
        policy=html.escape(page_pictures.policy(()), quote=True),
        title=text(name, MOST_NAME),
        style=f"<style>{page_style.PAGE}</style>",
        body=f"<main>{tables.as_html(table)}</main>",
        data="",
        scripts="",
    )


# what a notebook shows


def styled(blocks: Iterable[str]) -> str:
    """Blocks of HTML in the house's style; empty ones are left out."""
    return "\n".join(
        (f"<style>{page_style.FRAGMENT}</style>", "<main class=footprint>", *filter(None, blocks), "</main>")
    )


def fragment(footprint: Footprint) -> str:
    """What a notebook shows."""
    mark = ' <span class="mark">third-party estimate</span>' if is_third_party(footprint) else ""
    where = " · ".join(words for words in (hardware(footprint), place(footprint)) if words)
    blocks = [
        f"<h1>{html.escape(plain(footprint.name))}{mark}</h1>",
        f'<p class="quiet">{html.escape(where)}. {RANGES}.</p>',
        _answer(footprint),
        _titled("Models", page_tables.members(footprint)),
        _titled("By energy convention", page_tables.by_convention(footprint)),
        _titled("Hardware and money", page_tables.others(footprint)),
        _titled(STATED, page_tables.published(footprint)),
        _bars(footprint),
        _titled("Assumptions", quantities.ledger(footprint)),
        items(footprint.notes),
        _derivation(footprint),
        f'<p class="quiet">footprint {html.escape(footprint.version)}, '
        f"catalog {html.escape(footprint.catalog_digest)}</p>",
    ]
    return styled(blocks)


def _titled(name: str, found: Table) -> str:
    return f"<h2>{html.escape(name)}</h2>\n{tables.as_html(found)}" if found.rows else ""


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

    told = "\n".join(explain.derivation(footprint))
    return f"<details><summary>Derivation</summary><pre>{html.escape(told)}</pre></details>"
