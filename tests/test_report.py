"""What shows values: the same numbers in every format, nothing that a name could smuggle in, one screen."""

from __future__ import annotations

import csv
import io
import json
import re
import types
import typing
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import handmade
import jsonschema
import pytest

from footprint import records, studies, units, values
from footprint.errors import InputError, MissingExtra, UnknownName
from footprint.report import (
    charts,
    comparison,
    explain,
    formats,
    listing,
    page,
    quantities,
    tables,
    terminal,
    text,
)
from footprint.report.result import Result
from footprint.report.wording import exact, show_days, show_range
from footprint.studies import Score
from footprint.values import Assumption, Range

SCREEN_LINES = 45
FOOTPRINTS = {
    "plain": handmade.footprint(),
    "third party": handmade.footprint("gpt-4", third_party=True),
    "family": handmade.family(),
    "sensitivities": handmade.with_sensitivities(),
}


def schema(kind: typing.Any) -> dict[str, typing.Any]:
    """The JSON Schema of a value's type, from the dataclass alone."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [schema(a) for a in arguments]}
    if origin is tuple:
        item = arguments[0]
        if typing.get_origin(item) is tuple:
            return {"type": "object", "additionalProperties": schema(typing.get_args(item)[1])}
        return {"type": "array", "items": schema(item)}
    if is_dataclass(kind):
        name = typing.cast(type, kind).__name__
        return {"$ref": f"#/$defs/{name}"}
    names = {str: "string", float: "number", int: "integer", bool: "boolean", type(None): "null"}
    return {"type": names[kind]}


def definitions() -> dict[str, typing.Any]:
    found = {}
    for name, kind in {**vars(values), **vars(studies)}.items():
        if is_dataclass(kind) and isinstance(kind, type):
            hints = typing.get_type_hints(kind)
            found[name] = {
                "type": "object",
                "properties": {f.name: schema(hints[f.name]) for f in fields(kind)},
                "required": [f.name for f in fields(kind)],
                "additionalProperties": False,
            }
    return found


@pytest.mark.parametrize("footprint", FOOTPRINTS.values(), ids=FOOTPRINTS)
def test_json_has_a_version_and_exactly_the_field_names(footprint: values.Footprint) -> None:
    data = json.loads(formats.json(footprint))
    assert data.pop("schema_version") == records.SCHEMA_VERSION
    assert list(data) == [f.name for f in fields(values.Footprint)]
    jsonschema.validate(data, {"$ref": "#/$defs/Footprint", "$defs": definitions()})


def test_json_of_a_backtest_follows_the_values_too() -> None:
    data = json.loads(records.to_json(handmade.backtest()))
    assert data.pop("schema_version") == records.SCHEMA_VERSION
    jsonschema.validate(data, {"$ref": "#/$defs/Backtest", "$defs": definitions()})


def test_json_keeps_ranges_whole_and_absent_as_null() -> None:
    data = Result.of(handmade.footprint()).to_dict()
    assert data["usage"]["accelerator_hours"] == {"low": 26.1e6, "mid": 30.6e6, "high": 36.2e6}
    assert data["rental_spot_usd"] is None
    assert data["steps"][1]["inputs"] == {"it_energy_kwh": 32.13e6, "pue": 1.09}


def test_csv_numbers_come_back_as_they_went() -> None:
    footprint = handmade.footprint()
    rows = list(csv.DictReader(io.StringIO(formats.csv(footprint))))
    energy = next(r for r in rows if r["quantity"] == "facility_energy_kwh" and r["convention"] == "facility")
    known = footprint.facility.facility_energy_kwh
    assert (float(energy["low"]), float(energy["mid"]), float(energy["high"])) == (known.low, known.mid, known.high)
    assert energy["unit"] == "kWh"
    spot = next(r for r in rows if r["quantity"] == "rental_spot_usd")
    assert spot["low"] == spot["mid"] == spot["high"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_cannot_become_a_spreadsheet_formula(start: str) -> None:
    footprint = handmade.footprint(name=f'{start}HYPERLINK("http://x","y")')
    rows = list(csv.reader(io.StringIO(formats.csv(footprint), newline="")))
    assert {row[0] for row in rows[1:]} == {f"'{footprint.name}"}


def test_a_negative_number_stays_a_number_in_csv() -> None:
    table = tables.Table(("name", "latitude"), (("-5", -5.5),))
    assert tables.as_csv(table) == "name,latitude\n'-5,-5.5\n"


def test_tsv_has_one_line_a_row() -> None:
    table = tables.Table(("a", "b"), (("x\ty\nz", None), ("w", 2)))
    assert tables.as_tsv(table) == "a\tb\nx y z\t\nw\t2\n"


HOSTILE = "<script>alert(1)</script>&\"'"


class Tags(HTMLParser):
    """Collects tags and checks that they close in order."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("footprint", FOOTPRINTS.values(), ids=FOOTPRINTS)
def test_html_is_well_formed_and_loads_nothing(footprint: values.Footprint) -> None:
    tags = Tags()
    document = formats.html(footprint)
    tags.feed(document)
    assert tags.open == []
    assert not re.search(r"<(link|img|iframe)|src=|@import|url\(", document)


def test_html_escapes_every_name_and_source() -> None:
    footprint = replace(
        handmade.footprint(name=HOSTILE, third_party=True),
        ledger=(Assumption(HOSTILE, HOSTILE, "given", HOSTILE, HOSTILE),),
        notes=(HOSTILE,),
        parts=(handmade.footprint(name=HOSTILE),),
    )
    tags = Tags()
    tags.feed(formats.html(footprint))
    assert tags.seen.count("script") == 1
    assert "<script>alert" not in formats.html(footprint)
    assert "<script>" not in page.fragment(footprint)


def test_html_carries_its_own_data() -> None:
    document = formats.html(handmade.footprint(name=HOSTILE))
    found = re.search(r'<script type="application/json" id="footprint">(.*?)</script>', document, re.DOTALL)
    assert found is not None
    assert json.loads(found.group(1)) == json.loads(formats.json(handmade.footprint(name=HOSTILE)))


def test_latex_escapes_what_latex_would_act_on() -> None:
    out = formats.latex(handmade.footprint(name=r"\input{x} 50% a_b & #1 ~ ^ $"))
    assert r"\textbackslash{}input\{x\} 50\% a\_b \& \#1 \textasciitilde{} \textasciicircum{} \$" in out
    assert out.count(r"\begin") == out.count(r"\end") == 2
    assert all(rule in out for rule in (r"\toprule", r"\midrule", r"\bottomrule"))


def test_markdown_keeps_its_columns_whatever_the_name() -> None:
    footprint = replace(handmade.footprint(), ledger=(Assumption("a|b", "x\ny", "given", "<b>[z](http://q)"),))
    line = next(row for row in formats.markdown(footprint).splitlines() if r"a\|b" in row)
    assert len(re.findall(r"(?<!\\)\|", line)) == 5
    assert "<b>" not in line
    assert "[z]" not in line.replace(r"\[", "")


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("footprint", FOOTPRINTS.values(), ids=FOOTPRINTS)
def test_text_is_one_screen_without_colour(footprint: values.Footprint, width: int) -> None:
    lines = text.text(footprint, width).splitlines()
    assert len(lines) <= SCREEN_LINES
    assert max(map(len, lines)) <= width
    assert "\x1b" not in "".join(lines)


def test_text_says_the_answer_before_what_was_assumed() -> None:
    out = text.text(handmade.footprint(), 80)
    order = ["31 M h (26 – 36)", "35 GWh (29 – 42)", "23 GWh (20 – 28)", "CO2e total", "120 million USD", "assumed"]
    places = [out.index(words) for words in order]
    assert places == sorted(places)
    assert re.search(r"CO2e market +not known +not known", out)
    assert "30.84 M h" in out


def test_text_in_colour_says_the_same() -> None:
    colored = text.text(handmade.footprint(), 80, color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored).split() == text.text(handmade.footprint(), 80).split()


def test_a_name_cannot_steer_the_terminal() -> None:
    out = text.text(handmade.footprint(name="\x1b]0;owned\x07[bold red]x"), 80)
    assert "\x1b" not in out
    assert "[bold red]x" in out


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_marks_a_third_party_estimate(name: str) -> None:
    marked = formats.FORMATS[name](handmade.footprint(third_party=True))
    plain = formats.FORMATS[name](handmade.footprint())
    mark = '"third_party": true' if name == "json" else "third-party estimate"
    assert mark in marked
    assert mark not in plain


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_names_each_model_of_a_family(name: str) -> None:
    out = formats.FORMATS[name](handmade.family())
    assert all(model in out for model in ("llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"))


def test_sensitivities_become_bars_the_longest_first() -> None:
    lines = text.text(handmade.with_sensitivities(), 80).splitlines()
    shown = [line.split()[0] for line in lines if "█" in line]
    assert shown == ["mfu", "location_intensity_g_per_kwh", "pue"]


def test_alike_assumptions_of_stages_stand_once() -> None:
    ledger = tuple(Assumption(f"{stage}.network_w", 45.0, "default", "s") for stage in ("pretrain", "anneal"))
    footprint = replace(handmade.footprint(), ledger=ledger)
    assert text.text(footprint, 80).count("network_w") == 1
    assert "of pretrain, anneal" in explain.explain(footprint)


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("accelerator_hours", Range(26.1e6, 30.6e6, 36.2e6), "31 M h (26 – 36)"),
        ("accelerator_hours", Range.exactly(30.84e6), "30.84 M h"),
        ("training_flop", Range.exactly(4.14e25), "4.14e25 FLOP"),
        ("training_flop", Range(8.2e24, 2.1e25, 4.4e25), "2.1e25 FLOP (8.2e24 – 4.4e25)"),
        ("pue", Range(1.05, 1.09, 1.2), "1.09 (1.05 – 1.20)"),
        ("tokens", Range.exactly(15.6e12), "15.6T"),
        ("operational_market_kgco2e", Range.exactly(0.0), "0 kgCO2e"),
        ("facility_energy_kwh", None, "not known"),
        ("onsite_water_l", Range(3.4, 12e3, 86e3), "12 thousand L (< 0.1 – 86)"),
        ("onsite_water_l", Range(1e-11, 2.7e-6, 1.7e-5), "2.7e-6 L (< 3e-8 – 1.7e-5)"),
    ],
)
def test_numbers_have_one_unit_and_the_digits_that_their_range_supports(
    field: str, value: Range | None, shown: str
) -> None:
    assert show_range(field, value) == shown


@pytest.mark.parametrize(
    ("hours", "shown"), [(Range.exactly(12.0), "12 h"), (Range(1593.0, 1868.0, 2209.0), "77.8 days (66.4 – 92.0)")]
)
def test_durations_are_days_unless_short(hours: Range, shown: str) -> None:
    assert show_days(hours) == shown


@pytest.mark.parametrize("value", [0.0, 1.0, 0.856279, 30_600_000.0, 1.56e13, 4.14e25, 2.98613e-19, -0.25])
def test_exact_numbers_read_back(value: float) -> None:
    assert float(exact(value).replace(",", "")) == pytest.approx(value, rel=1e-5, abs=0)


def test_explain_puts_numbers_with_units_into_equations() -> None:
    out = explain.explain(handmade.footprint(), (handmade.NEIGHBOUR,))
    assert "= 30,600,000 h * 1,050 W / 1,000" in out
    assert "= 32,130,000 kWh  (32.13 GWh)" in out
    assert "[ISO/IEC 30134-2 (the IT boundary of PUE).]" in out
    assert "MFU 0.410 over the 16-bit peak  Llama 3.1 405B, 16,384 x h100-sxm at length 8,192 bf16" in out
    assert "no operator tells" in out


def test_the_bridge_multiplies_up_from_model_card_to_facility() -> None:
    lines = explain.bridge(handmade.footprint())
    ratio = float(lines[-1].split("x")[-1])
    footprint = handmade.footprint()
    whole = footprint.facility.facility_energy_kwh.mid / footprint.model_card.facility_energy_kwh.mid
    assert ratio == pytest.approx(whole, abs=5e-4)
    assert "700 W" in lines[0]


def test_result_shows_itself_and_equals_its_footprint() -> None:
    footprint = handmade.footprint()
    result = Result.of(footprint)
    assert isinstance(result, values.Footprint)
    assert all(getattr(result, f.name) == getattr(footprint, f.name) for f in fields(values.Footprint))
    assert str(result) == formats.text(footprint).rstrip("\n")
    assert repr(result) == "<Result llama-3.1-405b (Meta): 31 M h (26 – 36), 13,100 tCO2e (10,900 – 15,900)>"
    assert result.to("csv") == formats.csv(footprint)
    assert "<h1>llama-3.1-405b</h1>" in result._repr_html_()
    assert json.loads(result.to_json()) == result.to_dict()


def test_frame_has_a_row_a_quantity_with_numbers() -> None:
    frame = Result.of(handmade.family()).to_frame()
    row = frame[(frame.part == "llama-3.1-8b") & (frame.quantity == "accelerator_hours")].iloc[0]
    assert (row.low, row.mid, row.high, row.unit) == (26.1e6, 30.6e6, 36.2e6, "h")
    assert set(frame.part) == {"total", "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b"}
    assert frame.mid.dtype == float
    assert frame[frame.quantity == "rental_spot_usd"].mid.isna().all()


def test_an_unknown_format_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean json"):
        Result.of(handmade.footprint()).to("jsn")


def test_the_extension_names_the_format() -> None:
    names = {formats.format_for(Path(f"x{ending}")) for ending in formats.EXTENSIONS}
    assert names == set(formats.FORMATS)
    with pytest.raises(InputError, match=r"end it in one of \.txt \.json"):
        formats.format_for(Path("x.doc"))


SCORES = {"llama-3.1-405b": (Score("Llama 3.1 405B", "MMLU", "0-shot CoT", 0.886, "card"),)}


def test_comparison_sets_quality_beside_cost() -> None:
    pair = (handmade.footprint(), handmade.footprint("gpt-4", third_party=True))
    readable = comparison.comparison(pair, SCORES)
    assert [row[readable.columns.index("MMLU")] for row in readable.rows] == ["88.6% 0-shot CoT", "not known"]
    assert [row[-1] for row in readable.rows] == ["", "third-party estimate"]
    numbers = json.loads(tables.as_json(comparison.comparison_numbers(pair, SCORES)))["rows"]
    assert numbers[0]["mmlu_share"] == 0.886
    assert numbers[1]["mmlu_share"] is None
    assert numbers[1]["is_third_party"] is True
    assert numbers[0]["accelerator_hours_low"] == 26.1e6


def test_comparison_fits_a_narrow_screen() -> None:
    pair = (handmade.footprint(), handmade.footprint("claude-3.5-sonnet", third_party=True))
    out = terminal.as_text(comparison.costs(pair), 80)
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_backtest_tables_count_groups_and_skipped() -> None:
    result = handmade.backtest()
    assert comparison.backtest_rows(result).rows[2][4:6] == ("1.90", "no")
    assert comparison.backtest_groups(result).rows == (("all", 4, "1.18 x", "1.90 x", "0.960", "75%"),)
    assert comparison.backtest_skipped(result).rows == (("run-8", "tokens unknown"), ("run-9", "tokens unknown"))
    numbers = comparison.backtest_numbers(result)
    assert all(len(row) == len(numbers.columns) for row in numbers.rows)


def test_backtest_chart_states_its_finding_and_its_units() -> None:
    figure = charts.backtest(handmade.backtest())
    assert figure.layout.title.text.startswith("4 published runs: half are estimated within a factor of 1.18")
    assert "75% lie inside" in figure.layout.title.text
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert "accelerator-hours" in figure.layout.xaxis.title.text
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in points) == 4
    assert len({trace.marker.color for trace in points}) == len({trace.marker.symbol for trace in points}) == 4
    hopper = next(trace for trace in points if trace.name == "NVIDIA Hopper")
    assert hopper.y[0] - hopper.error_y.arrayminus[0] == pytest.approx(30.84e6 * 1.02 * 0.7, rel=1e-12)


def test_chart_hover_escapes_names() -> None:
    result = handmade.backtest()
    hostile = replace(result, rows=(replace(result.rows[0], model=HOSTILE),))
    texts = [t for trace in charts.backtest(hostile).data if trace.text for t in trace.text]
    assert "&lt;script&gt;" in texts[0]
    assert "<script" not in texts[0]


def test_an_empty_backtest_still_draws() -> None:
    empty = studies.Backtest((), (), ())
    assert charts.backtest(empty).layout.title.text == "No published run could be estimated"


def test_charts_are_written_by_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = charts.backtest(handmade.backtest())
    charts.write(figure, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["layout"]["xaxis"]["type"] == "log"
    charts.write(figure, tmp_path / "x.html")
    document = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert not re.search(r'<script[^>]+src="http', document)
    with pytest.raises(InputError, match=r"end it in one of \.html"):
        charts.write(figure, tmp_path / "x.doc")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'footprint\[images\]'"):
        charts.write(figure, tmp_path / "x.png")


def test_zone_listings_show_the_newest_year_of_each() -> None:
    rows = [
        {"zone": "FRA", "name": "France", "year": year, "intensity_g_per_kwh": 44.0, "basis": "lifecycle", "scope": "p"}
        for year in (2022, 2024, 2023)
    ]
    shown = listing.brief("zones", rows)
    assert [row[shown.columns.index("year")] for row in shown.rows] == ["2024"]
    assert len(listing.full(rows).rows) == 3


def test_an_assumption_without_a_source_is_told_by_its_note_alone() -> None:
    told = (Assumption("market_intensity_g_per_kwh", None, "default", "", "not known: no market-based figure"),)
    (row,) = quantities.ledger(replace(handmade.footprint(), ledger=told)).rows
    assert row[-1] == "not known: no market-based figure"


def test_units_are_those_of_the_fields() -> None:
    for entry in quantities.quantities(handmade.footprint()).rows:
        assert entry[7] or units.unit_of(str(entry[2])) == ""
