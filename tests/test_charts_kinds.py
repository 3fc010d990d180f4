"""Every chart: what it draws is what its value says, with units, intervals, and names that do nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import handmade
import handmade_runs
import live_runs
import pytest

import footprint
from footprint import charts as door
from footprint.errors import InputError, MissingExtra, UnknownName
from footprint.estimation import many, parting
from footprint.report import charts
from footprint.report.charts.narrow import narrow
from footprint.report.charts.style import DARK, LOOKS
from footprint.report.charts.sweeps import front_of
from footprint.studies import (
    Answer,
    ByCount,
    ByPlace,
    CountPoint,
    History,
    HourCell,
    MeterSeries,
    Part,
    PlaceFootprint,
    Profile,
    ProjectMonth,
    RunSeries,
    Scenario,
    Scenarios,
    Score,
    WindowSeries,
)
from footprint.values import Footprint, Meter, Range

HOSTILE = '<img src=x onerror="alert(1)">"; drop \u202e' + "long" * 2500
DIGEST, VERSION = "d" * 16, "0.1.0"


def around(mid: float, share: float = 0.1) -> Range:
    return Range(mid * (1 - share), mid, mid * (1 + share))


def parts() -> tuple[Part, ...]:
    names = ("accelerators", "host", "network", "cooling")
    return tuple(
        Part(name, around(kwh), around(kwh * 0.4), around(kwh * 0.01) if kwh > 8e6 else None, around(kwh * 0.41))
        for name, kwh in zip(names, (16e6, 12e6, 4e6, 3e6), strict=True)
    )


def place(name: str, iso3: str, kg: float, provider: str = "", region: str = "") -> PlaceFootprint:
    return PlaceFootprint(
        zone=iso3 or "X-1", iso3=iso3, name=name, provider=provider, region=region,
        location_intensity_g_per_kwh=around(kg / 100), pue=around(1.1, 0.01), operational_location_kgco2e=around(kg),
        total_location_kgco2e=around(kg * 1.1, 0.2), electricity_usd=around(5e4), rental_on_demand_usd=around(2e6),
    )  # fmt: skip


def scenario(device: str, count: float, usd: float, kg: float, hours: float, fits: bool = True) -> Scenario:
    return Scenario(
        (("accelerator", device), ("count", count)), around(1e5), around(hours), around(6e5), around(kg),
        around(usd), fits,
    )  # fmt: skip


def meter(number: int = 0, name: str = "NVIDIA H100 80GB HBM3") -> Meter:
    return Meter(
        f"GPU-{number:08x}-5f2c-4e1a-9d0b-aabbccddeeff", "accelerator", name, "nvml", "gpu", "measured", max_w=700.0
    )


ANSWER = Answer(handmade.footprint(), parts(), "by rating")
COUNTS = ByCount(
    "ours", "h100-sxm", 64,
    tuple(
        CountPoint(n, around(1e5 * (1 + n / 1e3)), around(1e5 / n), around(1e5), around(4e4), around(2e5))
        for n in (32, 64, 128)
    ),
    catalog_digest=DIGEST, version=VERSION,
)  # fmt: skip
PLACES = ByPlace(
    "ours", "FRA", "aws/eu-west-3", around(6e5), around(44e3),
    (
        place("France", "FRA", 3e4, "aws", "aws/eu-west-3"), place("Spain", "ESP", 9e4, "gcp", "gcp/europe-southwest1"),
        place("Poland", "POL", 4e5, "aws", "aws/eu-x"),
    ),
    catalog_digest=DIGEST, version=VERSION,
)  # fmt: skip
PROFILE = Profile(
    "US-X", 2022, 400.0,
    tuple(HourCell(m, h, 400.0 * (0.8 if h < 12 else 1.2)) for m in range(1, 13) for h in range(24)),
    "a source", DIGEST, VERSION,
)  # fmt: skip
GRID = Scenarios(
    "ours", ("tokens", "count"),
    tuple(
        Scenario(
            (("tokens", t), ("count", n)), Range.exactly(t / 1e7), Range.exactly(t / 1e7 / n), Range.exactly(t / 1e6),
            Range.exactly(t / 1e7), Range.exactly(t / 1e5), n > 64,
        )
        for n in (64.0, 128.0) for t in (1e12, 2e12)
    ),
    catalog_digest=DIGEST, version=VERSION,
)  # fmt: skip
CHOICES = Scenarios(
    "ours", ("accelerator", "count"),
    (
        scenario("h100", 64, 2e5, 3e4, 900), scenario("h100", 128, 3e5, 2e4, 450), scenario("a100", 64, 4e5, 5e4, 2000),
        scenario("b200", 64, 35e4, 4e4, 300),
    ),
    catalog_digest=DIGEST, version=VERSION,
)  # fmt: skip
SERIES = RunSeries(
    "sft-1", "sft-7b", handmade_runs.START_S, 60.0, 1200,
    tuple(
        MeterSeries("gpu01", meter(i), (100.0, 400.0, None), (90.0, 350.0, None), (120.0, 690.0, None)) for i in (0, 1)
    ),
    (WindowSeries("epoch", (1.0, 0.5, 0.0)),), (0.1, 0.2, 0.3), VERSION,
)  # fmt: skip
HISTORY = History(
    tuple(
        ProjectMonth(month, project, 3, around(300.0), around(100.0), around(kg, 0.2), around(30.0))
        for month, project, kg in (("2026-10", "llm", 120.0), ("2026-11", "llm", 60.0), ("2026-11", "", 20.0))
    ),
    9, DIGEST, VERSION,
)  # fmt: skip
SCORES = {"llama-3.1-405b": [Score("x", b, "0-shot", 0.88, "a paper") for b in ("MMLU", "HumanEval", "GSM8K")]}


def closed() -> Footprint:
    return replace(handmade.footprint("gpt-4", third_party=True), total_location_kgco2e=Range(3e6, 12e6, 40e6))


DRAWN: dict[str, tuple[Any, ...]] = {
    "answer": (ANSWER,),
    "bridge": (ANSWER,),
    "tornado": (handmade.with_sensitivities(),),
    "hours": (COUNTS,),
    "compare": ([handmade.footprint(), closed()],),
    "quality": ([handmade.footprint(), closed()], {**SCORES, "gpt-4": SCORES["llama-3.1-405b"]}),
    "world": (PLACES,),
    "regions": (PLACES,),
    "profile": (PROFILE, handmade_runs.run()),
    "heatmap": (GRID,),
    "pareto": (CHOICES,),
    "power": (SERIES,),
    "components": (handmade_runs.run(),),
    "cumulative": (handmade_runs.run(status="running"), live_runs.FORECAST),
    "planned": (handmade_runs.eventful(),),
    "idle": (handmade_runs.run(),),
    "history": (HISTORY,),
}


@lru_cache
def drawn(kind: str) -> Any:
    return charts.CHARTS[kind](*DRAWN[kind])


def named(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def footnote(figure: Any) -> str:
    (note,) = [note for note in figure.layout.annotations if note.name == "footnote"]
    return str(note.text).replace("<br>", " ")


# every chart


def test_every_chart_is_drawn_here_or_in_the_tests_of_throughput() -> None:
    assert set(charts.CHARTS) == set(DRAWN) | {"throughput", "scaling", "layout", "backtest"} == set(door.KINDS)


@pytest.mark.parametrize("kind", DRAWN)
def test_below_every_chart_stands_its_version_and_above_it_its_finding(kind: str) -> None:
    figure = drawn(kind)
    assert f"footprint {VERSION}" in footnote(figure)
    finding = figure.layout.meta["finding"]
    assert len(finding) > 15
    assert figure.layout.title.text.replace("<br>", " ") == finding
    assert re.search(r"\d", finding), "a finding has a number"


@pytest.mark.parametrize("kind", DRAWN)
def test_every_axis_that_is_seen_says_its_unit_or_has_names_along_it(kind: str) -> None:
    figure = drawn(kind)
    layout = figure.to_dict()["layout"]
    axes = {n: a for n, a in layout.items() if n.startswith(("xaxis", "yaxis")) and a.get("visible", True)}
    with_title = [axis["title"]["text"] for axis in axes.values() if axis.get("title", {}).get("text")]
    assert all(re.search(r"\(.+\)", title) for title in with_title), with_title
    for name, axis in axes.items():
        if axis.get("title", {}).get("text") or axis.get("matches"):
            continue
        values = [v for t in figure.data for v in (getattr(t, name[0], None) or ()) if _on(t, name)]
        assert all(isinstance(v, str) for v in values), (name, values[:3])
    assert with_title or kind == "world"


def _on(trace: Any, axis: str) -> bool:
    own = getattr(trace, axis[0] + "axis", None) or axis[0]
    return own == axis.replace("axis", "")


@pytest.mark.parametrize("kind", DRAWN)
def test_intervals_reach_down_to_the_low_end_and_up_to_the_high_one(kind: str) -> None:
    seen = 0
    for trace in drawn(kind).data:
        for name in ("error_x", "error_y"):
            error = getattr(trace, name, None)
            if error is None or error.array is None:
                continue
            for up, down in zip(error.array, error.arrayminus, strict=True):
                assert (up is None) == (down is None)
                assert up is None or (up >= 0 and down >= 0)
                seen += 1
    bands = [t for t in drawn(kind).data if t.type == "scatter" and t.fill == "toself"]
    is_plain = kind in ("tornado", "world", "profile", "heatmap", "power", "idle")
    assert seen or bands or is_plain, "no interval is drawn"


@pytest.mark.parametrize("kind", DRAWN)
def test_a_hostile_name_is_text_alone(kind: str) -> None:
    figure = charts.CHARTS[kind](*_hostile(DRAWN[kind]))
    text = figure.to_json() + json.dumps(figure.layout.meta)
    assert "<img" not in text
    assert "\\u003cimg" not in text.lower()
    assert "\u202e" not in json.loads(figure.to_json())["layout"]["title"]["text"]
    assert "long" * 200 not in text, "long names are cut"
    page = charts.page(figure)
    assert "<img" not in page.split("<script>")[0].lower()


def _hostile(value: Any) -> Any:
    """The same value with every name of the user's in it hostile."""
    if isinstance(value, (tuple, list)):
        return type(value)(_hostile(one) for one in value)
    if isinstance(value, dict):
        return value
    if isinstance(value, Answer):
        return replace(value, footprint=_hostile(value.footprint))
    names = {n: HOSTILE for n in ("name", "project", "host", "region", "own_region") if getattr(value, n, None)}
    if isinstance(value, Footprint):
        return replace(value, name=HOSTILE, site=replace(value.site, region=HOSTILE))
    if isinstance(value, Part):
        return value
    for field in ("meters", "windows", "places", "months"):
        if getattr(value, field, None):
            names[field] = tuple(_hostile(one) for one in getattr(value, field))
    if hasattr(value, "footprint"):
        names |= {"footprint": _hostile(value.footprint), "hosts": (HOSTILE,)}
    return replace(value, **names) if names else value


@pytest.mark.parametrize("kind", DRAWN)
def test_on_a_dark_ground_only_colours_change(kind: str) -> None:
    light, dark = drawn(kind).to_json(), charts.themed(drawn(kind), "dark").to_json()
    assert light != dark
    color = re.compile(r'"(#[0-9A-Fa-f]{6}|rgba\([0-9.,]+\))"')
    assert color.sub("C", json.dumps(json.loads(light), sort_keys=True)) == color.sub(
        "C", json.dumps(json.loads(dark), sort_keys=True)
    )
    assert charts.themed(drawn(kind), "light") is drawn(kind)


def test_no_other_theme_is_known() -> None:
    with pytest.raises(UnknownName, match=r"did you mean dark\?"):
        charts.themed(drawn("answer"), "drak")


def test_series_are_told_apart_without_colour() -> None:
    assert len({one.symbol for one in LOOKS}) == len({one.pattern for one in LOOKS}) == len(LOOKS)
    assert len({one.color for one in LOOKS}) == len(LOOKS)


@pytest.mark.parametrize("kind", DRAWN)
def test_on_a_phone_panels_stand_below_each_other_as_wide_as_the_picture(kind: str) -> None:
    figure = charts.bare(drawn(kind))
    wide, layout = figure.to_plotly_json()["layout"], narrow(figure)
    assert layout["legend"]["orientation"] == "h"
    across = [axis for name, axis in layout.items() if name.startswith("xaxis") and axis.get("visible") is not False]
    assert {tuple(axis.get("domain", (0, 1))) for axis in across} <= {(0, 1)}
    up = sorted({tuple(a["domain"]) for n, a in layout.items() if n.startswith("yaxis") and a.get("domain")})
    shown = [axis for axis in across if axis.get("anchor")]
    assert len(up) >= len(shown)
    assert all(below[1] < above[0] for below, above in pairwise(up))
    assert set(wide) - set(layout) == set()


def test_a_page_brings_the_layout_of_a_phone_along() -> None:
    told = re.search(r'<script type="application/json" id="figure">(.*?)</script>', charts.page(drawn("power")))
    assert told
    figure = json.loads(told.group(1))
    assert figure["narrow"] == json.loads(json.dumps(narrow(charts.bare(drawn("power")))))
    assert figure["layout"] != figure["narrow"]


def test_devices_in_a_legend_have_the_shortest_names_that_tell_them_apart() -> None:
    def named(*ids: tuple[str, str]) -> list[str]:
        whole = [(host, replace(meter(0), id=f"GPU-{start}-5f2c-4e1a-9d0b-aabbccddeeff")) for host, start in ids]
        own = tuple(MeterSeries(host, one, (1.0,), (1.0,), (1.0,)) for host, one in whole)
        figure = charts.power(replace(SERIES, meters=own))
        return [one.name for one in figure.data if one.type == "scatter" and one.showlegend is not False]

    assert named(("a", "5f2c4e1a"), ("a", "5f2d4e1a")) == ["GPU-5f2c", "GPU-5f2d"]
    assert named(("a", "5f2c4e1a"), ("a", "5f2c4f1a")) == ["GPU-5f2c4e", "GPU-5f2c4f"]
    assert named(("a", "5f2c4e1a"), ("b", "5f2c4e1a")) == ["a 5f2c", "b 5f2c"]


def luminance(color: str) -> float:
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(color[i : i + 2]) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["#FFFFFF", "#16191D"])
def test_text_is_read_on_either_ground(ground: str) -> None:
    inks = ("#222222", "#555555") if ground == "#FFFFFF" else (DARK["#222222"], DARK["#555555"])
    for ink in inks:
        high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, contrast (minimum)


# golden figures


GOLDEN = Path(__file__).parent / "golden_charts.json"


def golden(figure: Any) -> dict[str, Any]:
    """A figure's data and layout, without the template that all share and the shapes of countries."""
    plain = json.loads(figure.to_json())
    plain["layout"].pop("template")
    data = [trace for trace in plain["data"] if trace.get("hoveron") != "fills"]
    return {"data": data, "layout": plain["layout"]}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_chart_is_what_it_was(kind: str) -> None:
    """What is meant to change is written anew by: python tests/test_charts_kinds.py."""
    was = json.loads(GOLDEN.read_text(encoding="utf-8"))[kind]
    assert _differences(golden(drawn(kind)), was, kind) == []


def _differences(now: Any, was: Any, where: str) -> list[str]:
    if isinstance(now, dict) and isinstance(was, dict):
        names = sorted({*now, *was})
        return [d for name in names for d in _differences(now.get(name), was.get(name), f"{where}.{name}")]
    if isinstance(now, list) and isinstance(was, list) and len(now) == len(was):
        return [d for i, pair in enumerate(zip(now, was, strict=True)) for d in _differences(*pair, f"{where}[{i}]")]
    if isinstance(now, float) and isinstance(was, (int, float)):
        return [] if now == pytest.approx(was, rel=1e-9, abs=1e-12) else [f"{where}: {now} was {was}"]
    return [] if now == was else [f"{where}: {now!r} was {was!r}"]


# files


def test_a_page_is_whole_offline_and_follows_the_readers_screen(tmp_path: Path) -> None:
    charts.write(drawn("world"), tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)\s*=\s*["\']?https?:', page.split("<script>")[0])
    assert "default-src 'none'" in page
    assert 'data-theme="auto"' in page
    assert f'<h1 id="finding">{drawn("world").layout.meta["finding"]}</h1>' in page
    charts.write(drawn("world"), tmp_path / "dark.html", theme="dark")
    assert 'data-theme="dark"' in (tmp_path / "dark.html").read_text(encoding="utf-8")
    figure = json.loads(re.search(r'id="figure">(.*?)</script>', page, re.S)[1])  # type: ignore[index]
    assert "text" not in figure["layout"].get("title", {})
    assert {trace["type"] for trace in figure["data"]} == {"scatter"}, "a geo trace would fetch its shapes"


def test_an_image_needs_kaleido(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"footprint\[images\]"):
        charts.write(drawn("answer"), tmp_path / "x.svg")


# an answer


def test_parts_of_an_estimate_add_up_to_its_energy_and_carbon() -> None:
    for found in (footprint.estimate("llama-3.1-8b"), footprint.estimate("llama-3.1-8b", development="olmo")):
        result = parting.answer(found)
        energy = sum(p.facility_energy_kwh.mid for p in result.parts if p.facility_energy_kwh)
        assert energy == pytest.approx(found.facility.facility_energy_kwh.mid, rel=1e-9)
        total = sum(p.total_location_kgco2e.mid for p in result.parts)
        assert total == pytest.approx(found.total_location_kgco2e.mid, rel=1e-9)
        embodied = sum(p.embodied_kgco2e.mid for p in result.parts if p.embodied_kgco2e)
        assert embodied == pytest.approx(found.embodied_kgco2e.mid, rel=1e-9)


def test_parts_of_a_family_add_up_too() -> None:
    found = footprint.estimate("llama-3.1")
    total = sum(part.total_location_kgco2e.mid for part in parting.answer(found).parts)
    assert total == pytest.approx(found.total_location_kgco2e.mid, rel=1e-9)


def test_a_pue_of_one_needs_no_cooling() -> None:
    found = footprint.estimate("llama-3.1-8b", settings={"pue": 1.0})
    cooling = parting.answer(found).parts[-1]
    assert (cooling.name, cooling.facility_energy_kwh) == ("cooling", Range.exactly(0.0))


def test_no_part_is_negative_however_large_a_tdp_is_given() -> None:
    found = footprint.estimate("llama-3.1-8b", settings={"tdp_w": 5000})
    host = parting.answer(found).parts[1]
    assert host.facility_energy_kwh == Range.exactly(0.0)


def test_parts_of_a_run_are_those_of_its_meters() -> None:
    run = handmade_runs.run()
    by_name = {part.name: part for part in parting.answer_of_run(run).parts}
    gpus = sum(m.it_energy_kwh.mid for m in run.meters if m.meter.component == "accelerator")
    assert by_name["accelerators"].facility_energy_kwh.mid == pytest.approx(gpus, rel=1e-12)  # type: ignore[union-attr]


def test_a_footprint_without_its_plan_cannot_be_taken_apart() -> None:
    with pytest.raises(InputError, match="is not kept with the footprint"):
        parting.answer(replace(handmade.footprint(), plan=None))


def test_bars_of_the_answer_stack_up_to_its_total() -> None:
    figure = drawn("answer")
    stacked = [a + b for a, b in zip(named(figure, "operational").x, named(figure, "embodied").x, strict=True)]
    whole = handmade.footprint()
    assert stacked[0] == pytest.approx(
        (whole.facility.operational_location_kgco2e.mid + whole.embodied_kgco2e.mid) / 1e3, rel=1e-12
    )
    interval = named(figure, "both, with interval")
    total = whole.total_location_kgco2e
    assert interval.x[0] - interval.error_x.arrayminus[0] == pytest.approx(total.low / 1e3, rel=1e-12)
    assert interval.x[0] + interval.error_x.array[0] == pytest.approx(total.high / 1e3, rel=1e-12)


def test_the_bridge_ends_at_the_facilitys_energy() -> None:
    result = parting.answer(footprint.estimate("llama-3.1-405b"))
    steps = named(charts.bridge(result), "energy")
    assert steps.measure[0] == "absolute"
    assert steps.measure[-1] == "total"
    assert sum(steps.x[:-1]) == pytest.approx(steps.x[-1], rel=1e-9)
    assert steps.x[0] * 1e6 == pytest.approx(result.footprint.model_card.facility_energy_kwh.mid, rel=1e-9)


def test_the_tornado_is_ordered_and_begins_at_the_middle() -> None:
    figure = drawn("tornado")
    low, high = (named(figure, f"input at its {end} end") for end in ("low", "high"))
    assert list(low.y) == ["MFU", "location intensity (g/kWh)", "PUE"]
    whole = handmade.footprint().total_location_kgco2e.mid
    assert low.base * 1e3 == pytest.approx(whole, rel=1e-12)
    assert (low.base + low.x[0]) * 1e3 == pytest.approx(whole * 1.14, rel=1e-12)
    assert (high.base + high.x[0]) * 1e3 == pytest.approx(whole * 0.89, rel=1e-12)


def test_sensitivities_found_later_are_those_of_the_estimate() -> None:
    words = {"params": "7B", "tokens": "2T", "accelerator": "h100-sxm", "count": 512}
    asked = footprint.estimate(**words, sensitivity=True)
    assert many.with_sensitivities(footprint.estimate(**words)).sensitivities == asked.sensitivities


def test_each_count_is_what_an_estimate_on_it_says() -> None:
    figure = door.hours("llama-3.1-405b", counts=[8192, 16384])
    days = figure.data[1]
    for count, drawn_days in zip(days.x, days.y, strict=True):
        found = footprint.estimate("llama-3.1-405b", count=count).usage.wall_clock_h
        assert drawn_days * 24 == pytest.approx(found.mid, rel=1e-12)  # type: ignore[union-attr]
    assert "days on 8,192" in figure.layout.meta["finding"]


def test_counts_that_hold_no_model_are_told() -> None:
    figure = door.hours("llama-3.1-405b", counts=[8, 16384])
    assert "not possible on 8 accelerators" in figure.layout.meta["assumed"]
    with pytest.raises(InputError, match="cannot hold"):
        door.hours("llama-3.1-405b", counts=[8])


# several


def test_models_side_by_side_keep_their_numbers_and_closed_ones_are_marked() -> None:
    figure = drawn("compare")
    open_, third = (
        [t for t in figure.data if t.name == name] for name in ("from stated facts", "third-party estimate")
    )
    assert len(open_) == len(third) == 4
    assert third[2].x[0] == pytest.approx(12e6 / 1e3, rel=1e-12)
    assert open_[0].marker.symbol != third[0].marker.symbol
    assert "their intervals overlap" in figure.layout.meta["finding"]


def test_quality_is_drawn_once_a_benchmark_and_closed_models_are_hollow() -> None:
    figure = drawn("quality")
    assert len(figure.data) == 2 * 3
    hollow = [trace for trace in figure.data if str(trace.marker.symbol).endswith("-open")]
    assert {trace.name for trace in hollow} == {"gpt-4 · third-party estimate"}
    assert {trace.y[0] for trace in figure.data} == {88.0}
    titles = [figure.layout[name].title.text for name in ("yaxis", "yaxis2", "yaxis3")]
    assert titles == ["MMLU (%)", "HumanEval (%)", "GSM8K (%)"]


# where and when


def test_the_map_has_every_country_once_and_frames_the_plans_own() -> None:
    figure = drawn("world")
    shapes = [trace for trace in figure.data if trace.hoveron == "fills"]
    assert len(shapes) > 170
    assert sum(trace.line.width > 1 for trace in shapes) == 1
    framed = next(trace for trace in shapes if trace.line.width > 1)
    assert "France" in framed.text
    classes = [trace.name for trace in figure.data if trace.mode == "markers"]
    assert classes == ["20 – 50", "50 – 100", "100 – 200", "200 – 500"]
    greys = [luminance(trace.marker.color) for trace in figure.data if trace.mode == "markers"]
    assert greys == sorted(greys, reverse=True), "darker is more, in greyscale too"


def test_no_shape_crosses_the_map() -> None:
    for trace in drawn("world").data:
        if trace.hoveron == "fills":
            pairs = zip(trace.x, trace.x[1:], strict=False)
            assert all(abs(a - b) < 400 for a, b in pairs if a is not None and b is not None), trace.text


def test_a_plan_in_its_own_country_is_the_estimate() -> None:
    words = {"params": "7B", "tokens": "2T", "accelerator": "h100-sxm", "country": "FR"}
    from footprint.catalog import open_catalog
    from footprint.estimation import placing

    result = placing.by_zone(None, ["FRA", "POL"], words, open_catalog(None))
    own = footprint.estimate(**words)
    assert [one.iso3 for one in result.places] == ["FRA", "POL"]
    assert result.places[0].total_location_kgco2e == own.total_location_kgco2e
    assert result.total_location_kgco2e == own.total_location_kgco2e


def test_a_region_is_the_estimate_in_it() -> None:
    from footprint.catalog import open_catalog
    from footprint.estimation import placing

    result = placing.by_region("llama-3.1-8b", ["gcp"], {}, open_catalog(None))
    least = result.places[0]
    own = footprint.estimate("llama-3.1-8b", region=least.region)
    assert least.total_location_kgco2e.mid == pytest.approx(own.total_location_kgco2e.mid, rel=1e-9)
    assert {one.provider for one in result.places} == {"gcp"}
    with pytest.raises(UnknownName, match=r"did you mean gcp\?"):
        placing.by_region("llama-3.1-8b", ["gpc"], {}, open_catalog(None))


def test_a_run_lies_on_the_hours_that_it_ran_in() -> None:
    figure = drawn("profile")
    (run,) = [trace for trace in figure.data if trace.name == "the run"]
    assert list(run.x) == [8, 9, 10, 11, 12]
    assert set(run.y) == {"2026-11-03"}
    assert run.marker.size[-1] < run.marker.size[0]
    assert "16% below" in figure.layout.meta["finding"]  # (4 x 0.8 + 0.5 x 1.2) / 4.5


def test_a_zone_alone_is_shown_by_month() -> None:
    figure = door.profile("US-MIDA-PJM")
    (heat,) = figure.data
    assert (len(heat.z), len(heat.z[0])) == (12, 24)
    with pytest.raises(UnknownName, match="hourly profiles are known of"):
        door.profile(handmade_runs.run(footprint=replace(
            handmade_runs.footprint(), site=replace(handmade_runs.site(), zone="FRA"))))  # fmt: skip


# sweeps


def test_what_does_not_fit_is_blank() -> None:
    (heat,) = drawn("heatmap").data
    assert [list(row) for row in heat.z] == [[None, None], [100.0, 200.0]]
    assert list(heat.x) == ["1T", "2T"]
    assert list(heat.y) == ["64", "128"]
    with pytest.raises(UnknownName, match="known: total_location_kgco2e"):
        charts.heatmap(GRID, "colour")


def test_a_swept_cell_is_the_plain_estimate_of_it() -> None:
    words = {"params": "7B", "accelerator": "h100-sxm"}
    figure = door.heatmap(None, tokens=["1T", "2T"], count=[64, 256], **words)
    own = footprint.estimate(tokens="2T", count=256, **words).total_location_kgco2e
    assert figure.data[0].z[1][1] * 1e3 == pytest.approx(own.mid, rel=1e-9)
    with pytest.raises(InputError, match="is not two words with several values"):
        door.heatmap(None, tokens=["1T", "2T"], **words)


def test_nothing_on_the_front_is_beaten_and_everything_off_it_is() -> None:
    front = front_of(CHOICES.scenarios)
    assert [one.inputs for one in front] == [CHOICES.scenarios[0].inputs, CHOICES.scenarios[1].inputs]
    with_days = front_of(CHOICES.scenarios, by_days=True)
    assert CHOICES.scenarios[3] in with_days
    assert CHOICES.scenarios[2] not in with_days
    line = named(drawn("pareto"), "none is cheaper and cleaner")
    assert list(line.x) == sorted(line.x)
    assert list(line.y) == sorted(line.y, reverse=True)


def test_choices_are_estimates_and_those_that_cannot_be_are_told() -> None:
    figure = door.pareto("llama-3.1-405b", accelerators=["h100-sxm"], counts=[8, 8192])
    assert "not possible: h100-sxm 8" in figure.layout.meta["assumed"]
    own = footprint.estimate("llama-3.1-405b", accelerator="h100-sxm", count=8192)
    (point,) = [trace for trace in figure.data if trace.mode == "markers+text"]
    assert point.x[0] * 1e6 == pytest.approx(own.rental_on_demand_usd.mid, rel=1e-9)  # type: ignore[union-attr]
    with pytest.raises(InputError, match="has nothing to choose between"):
        door.pareto("llama-3.1-405b")


# runs


def test_power_is_drawn_in_watts_where_it_was_read() -> None:
    figure = drawn("power")
    line = named(figure, "GPU-00000000")
    assert list(line.y) == [100.0, 400.0, None]
    assert line.x[0] == "2026-11-03T08:00:30"
    assert figure.layout.yaxis.title.text == "power (W)"
    windows = named(figure, "windows")
    assert [list(row) for row in windows.z] == [[1.0, 0.5, 0.0]]
    assert "drew 250 W each on average, 690 W of 700 W at most" in figure.layout.meta["finding"]


def test_hundreds_of_devices_are_one_line_a_host() -> None:
    many_ = replace(SERIES, meters=tuple(
        MeterSeries(f"node{i % 2}", meter(i), (100.0, None, 300.0), (90.0, None, 250.0), (110.0, None, 350.0))
        for i in range(64)
    ))  # fmt: skip
    lines = [t for t in charts.power(many_).data if t.type == "scatter" and t.showlegend is not False]
    assert [trace.name for trace in lines] == ["node0, 32 devices", "node1, 32 devices"]
    assert list(lines[0].y) == [3.2, None, 9.6]  # kW


def test_components_add_up_to_the_runs_energy_and_tell_how_they_are_known() -> None:
    figure = drawn("components")
    shown = sum(value for name in ("measured", "modelled", "assumed") for value in named(figure, name).x)
    assert shown == pytest.approx(sum(m.it_energy_kwh.mid for m in handmade_runs.run().meters), rel=1e-12)
    assert "85% of it measured" in figure.layout.meta["finding"]


def test_emissions_rise_to_the_runs_own_and_on_to_the_forecast() -> None:
    figure = drawn("cumulative")
    line, ahead = named(figure, "so far"), named(figure, "forecast")
    own = handmade_runs.run().footprint.facility.operational_location_kgco2e
    assert list(line.y) == sorted(line.y)
    assert line.y[0] == 0
    assert line.y[-1] == pytest.approx(own.mid, rel=1e-12)
    assert ahead.y[-1] == pytest.approx(live_runs.FORECAST.operational_location_kgco2e.mid, rel=1e-12)
    band = named(figure, "forecast's interval")
    assert set(band.y) >= {7.4, 8.6}


def test_planned_is_one_and_actual_is_over_it() -> None:
    run = handmade_runs.eventful()
    figure = drawn("planned")
    assert set(named(figure, "planned").x) == {1.0}
    ratio = run.footprint.facility.facility_energy_kwh.mid / run.planned.facility.facility_energy_kwh.mid  # type: ignore[union-attr]
    assert named(figure, "actual").x[2] == pytest.approx(ratio, rel=1e-12)
    with pytest.raises(InputError, match="has no plan"):
        door.planned(handmade_runs.run())


def test_idle_and_busy_are_all_of_a_device() -> None:
    figure = drawn("idle")
    pairs = zip(named(figure, "idle").x, named(figure, "busy").x, strict=True)
    assert all(a + b == pytest.approx(2.9, rel=1e-12) for a, b in pairs)
    assert "4% of the accelerators' energy was drawn idle" in figure.layout.meta["finding"]


def test_months_stack_up_by_project() -> None:
    figure = drawn("history")
    assert list(named(figure, "llm").y) == [120.0, 60.0]
    assert list(named(figure, "no project").y) == [0.0, 20.0]
    assert list(named(figure, "interval").y) == [120.0, 80.0]
    assert figure.layout.meta["finding"].startswith("9 runs over 2 months: 200 kgCO2e")
    assert charts.history(History((), 0)).layout.meta["finding"] == "No run is known"


if __name__ == "__main__":
    figures = {kind: golden(drawn(kind)) for kind in DRAWN}
    GOLDEN.write_text(json.dumps(figures, indent=0, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
