"""An estimate as the calculator shows it: the answer in boxes and tables, and what each input rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dash import html

from footprint.app import plans
from footprint.app.fields import FIELDS, Field, field_of
from footprint.app.parts import table
from footprint.app.plans import Pairs
from footprint.errors import FootprintError, InputError, UnknownName
from footprint.estimation import doors
from footprint.report.layout import main_layout
from footprint.report.result import Result
from footprint.report.tables import Table
from footprint.report.wording import (
    IMPACT_FIELDS,
    MONEY_FIELDS,
    STATED,
    UNKNOWN,
    Entry,
    entries,
    hardware,
    impacts,
    is_third_party,
    place,
    plain,
    show_entry,
    show_range,
    show_value,
    stated,
)
from footprint.units import read_range
from footprint.values import Assumption, Range

BOXES = (
    ("accelerator_hours", ""),
    ("wall_clock_h", ""),
    ("facility_energy_kwh", "facility"),
    ("total_location_kgco2e", ""),
    ("rental_on_demand_usd", ""),
    ("training_flop", ""),
)
"""What stands in the boxes above all else, each with its convention."""

RUNGS = {one.word: tuple(read_range(text, one.word)[1] for text in one.ladder) for one in FIELDS if one.ladder}
"""The ladders of the sliders as numbers."""

_KEPT = 256
"""So many estimates are kept: clients that look at the same plan share one."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a plan comes to, or why it comes to nothing and at which input."""

    plan: Pairs
    result: Result | None = None
    error: str = ""
    word: str = ""
    meant: tuple[str, ...] = ()
    """Names that may have been meant."""


class Answers:
    """Estimates of plans, each made once."""

    def __init__(self, data: Path | None = None) -> None:
        self._data = data
        self.of = lru_cache(maxsize=_KEPT)(self._of)

    def _of(self, plan: Pairs) -> Answered:
        try:
            words = plans.words(plan)
            return Answered(plan, doors.estimate(data=self._data, sensitivity=True, **words))
        except FootprintError as error:
            return Answered(plan, error=plain(str(error)), word=_word_of(error, plan), meant=_meant(error))


def _meant(error: FootprintError) -> tuple[str, ...]:
    return error.suggestions if isinstance(error, UnknownName) else ()


def _word_of(error: FootprintError, plan: Pairs) -> str:
    """The input at which an error is shown; '' where it is none of them."""
    if not isinstance(error, InputError):
        return ""
    given = dict(plan)
    named = [word for part in error.field.replace(".", " ").split() if (word := field_of(part))]
    alike = [word for word in (*named, *given) if given.get(word) == str(error.value)]
    known = [word for word in alike if word in named] or named or alike
    return known[0] if known else "config" if "config" in given else ""


# what is shown


def panel(side: str, result: Result) -> list[Any]:
    """The answer in boxes."""
    found = {(e.field, e.convention): e for e in entries(result)}
    where = " · ".join(words for words in (hardware(result), place(result)) if words)
    layout = main_layout(result)
    return [
        html.Div(
            [
                html.H2(plain(result.name)),
                html.Span("third-party estimate", className="mark") if is_third_party(result) else None,
            ],
            className="named",
        ),
        html.P(f"{where}. Mid values, with 5th and 95th percentiles.", className="quiet"),
        html.Dl([_box(side, found[key]) for key in BOXES], className="boxes"),
        html.P(f"Layout: {layout}", className="quiet") if layout else None,
        html.Ul([html.Li(note) for note in result.notes], className="notes") if result.notes else None,
    ]


def more(result: Result) -> list[Any]:
    """The answer in tables, and what the makers published."""
    found = {(e.field, e.convention): e for e in entries(result)}
    return [
        _members(result),
        _stages(result),
        table(_by_convention(result), caption="By energy convention"),
        table(_once(found), caption="Hardware and money"),
        _stated(result),
        html.P(f"footprint {result.version}, catalog {result.catalog_digest}", className="quiet"),
    ]


def _box(side: str, entry: Entry) -> html.Div:
    middle, space, ends = show_entry(entry).partition(" (")
    shown = [html.B(middle), html.Span(space + ends)] if ends else [html.B(middle)]
    return html.Div([html.Dt(entry.label), html.Dd(shown, id=f"{side}-value-{entry.field}")])


def _by_convention(result: Result) -> Table:
    found: dict[str, list[Entry]] = {}
    for entry in entries(result):
        if entry.convention:
            found.setdefault(entry.field, []).append(entry)
    rows = tuple((found[field][0].label, *(show_entry(e) for e in found[field])) for field in IMPACT_FIELDS)
    return Table(("quantity", *(impact.convention for impact in impacts(result))), rows)


def _once(found: dict[tuple[str, str], Entry]) -> Table:
    chosen = ("embodied_kgco2e", "total_location_kgco2e", *MONEY_FIELDS)
    return Table(
        ("quantity", "mid (5th – 95th percentile)"),
        tuple((found[field, ""].label, show_entry(found[field, ""])) for field in chosen),
    )


def _members(result: Result) -> html.Div | None:
    if not result.parts:
        return None
    rows = tuple(
        (
            plain(one.name),
            show_range("accelerator_hours", one.usage.accelerator_hours),
            show_range("facility_energy_kwh", one.facility.facility_energy_kwh),
            show_range("total_location_kgco2e", one.total_location_kgco2e),
        )
        for one in result.parts
    )
    return table(Table(("model", "accelerator-hours", "facility energy", "CO2e total"), rows), caption="Models")


def _stages(result: Result) -> html.Div | None:
    lines = result.usage.lines
    if len(lines) < 2 or result.parts:
        return None
    fields = ("accelerator_hours", "it_energy_kwh", "mfu")
    rows = tuple(
        (plain(line.name), plain(line.accelerator), *(show_range(f, getattr(line, f)) for f in fields))
        for line in lines
    )
    return table(Table(("stage", "accelerator", "hours", "IT energy", "MFU"), rows), caption="Stages")


def _stated(result: Result) -> html.Div | None:
    rows = tuple(stated(result))
    return table(Table(("model", "figures", "source"), rows), caption=STATED) if rows else None


# what the inputs rest on


def told(side: str, answered: Answered, how: str) -> dict[str, Any]:
    """For the page: what each input rests on, the errors, the texts to copy, where sliders stand."""
    plan = answered.plan
    lines = _ledger(answered.result)
    given = dict(plan)
    fields = {one.word: _told(one, given, lines, answered.result is not None) for one in FIELDS}
    return {
        "side": side,
        "how": how,
        "pairs": [list(pair) for pair in plan],
        "fields": fields,
        "error": answered.error,
        "word": answered.word,
        "meant": list(answered.meant),
        "sliders": {one.word: _place(one, given, lines) for one in FIELDS if one.ladder},
        "copies": {"cli": plans.command(plan), "python": plans.python(plan), "yaml": plans.yaml(plan)},
        "said": said(answered),
        "brief": brief(answered),
    }


def said(answered: Answered) -> str:
    """The answer in one line, for those who hear the page."""
    result = answered.result
    if result is None:
        return answered.error
    found = {(e.field, e.convention): e for e in entries(result)}
    return ", ".join(f"{found[key].label}: {show_entry(found[key])}" for key in BOXES[:4])


def brief(answered: Answered) -> str:
    """The middles of the boxes, for a narrow screen where the answer is out of sight."""
    if answered.result is None:
        return answered.error
    found = {(e.field, e.convention): e for e in entries(answered.result)}
    shown = [show_entry(found[key]).partition(" (")[0] for key in BOXES[1:5]]
    return " · ".join(text for text in shown if text != UNKNOWN)


def _ledger(result: Result | None) -> dict[str, tuple[Assumption, int]]:
    """The first line of the ledger for each word, and how many other values later stages have."""
    found: dict[str, tuple[Assumption, int]] = {}
    for line in result.ledger if result is not None else ():
        word = line.field.rsplit(".", 1)[-1]
        if word == "development_ratio":
            word = "development"
        if word not in found:
            found[word] = (line, 0)
        elif found[word][0].value != line.value:
            found[word] = (found[word][0], found[word][1] + 1)
    return found


def _told(one: Field, given: dict[str, str], lines: dict[str, tuple[Assumption, int]], is_known: bool) -> list[str]:
    """[value, origin, where it comes from] of an input."""
    told = lines.get(one.word)
    if one.word in given:
        value = show_value(one.word, told[0].value) if told else ""
        return [value, "given", ""] if value not in ("", given[one.word]) else ["", "", ""]
    if told is None:
        return ["", "", one.hint if is_known or one.hint.startswith("needed") else ""]
    line, others = told
    value = "none" if one.word == "development" else show_value(one.word, line.value)
    value += f" and {others} more" if others else ""
    if one.word == "zone" and line.origin == "given":
        return [value, "catalog", f"of {plain(line.note or given.get('country', ''))}"]
    source = "; ".join(plain(text) for text in (line.note, line.source) if text)
    return [value, line.origin, source]


def _place(one: Field, given: dict[str, str], lines: dict[str, tuple[Assumption, int]]) -> int | None:
    """Where on its ladder a slider stands: at what is given, or taken."""
    value: float | None = None
    if one.word in given:
        try:
            value = read_range(given[one.word], one.word)[1]
        except InputError:
            return None
    elif one.word in lines:
        known = lines[one.word][0].value
        value = known.mid if isinstance(known, Range) else known if isinstance(known, float) else None
        if isinstance(known, str):
            try:
                value = read_range(known, one.word)[1]
            except InputError:
                return None
    if value is None or not math.isfinite(value):
        return None
    return min(range(len(RUNGS[one.word])), key=lambda i: _apart(RUNGS[one.word][i], value))


def _apart(one: float, other: float) -> float:
    """How far apart two numbers above zero are, as a share of both."""
    return abs(one - other) / (one + other) if one + other > 0 else 0.0
