"""Charts of the throughput model: what they show is what is measured and what an estimate says."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import footprint
from footprint.catalog import open_catalog
from footprint.cli import chart as command
from footprint.cli import main
from footprint.errors import InputError, UnknownName
from footprint.estimation import doors
from footprint.report import charts
from footprint.report.charts.narrow import narrow
from footprint.report.charts.style import KINDS, kind_of
from footprint.studies import (
    LayoutCell,
    LayoutSearch,
    MeasuredPoint,
    MeasuredSeries,
    Measurements,
    Scaling,
    ScalingPoint,
)
from footprint.values import Layout, Range

PLAN: dict[str, Any] = {"params": "7B", "tokens": "2T", "accelerator": "h100-sxm", "count": 512, "batch_tokens": "4M"}
WORDS = ["--params", "7B", "--tokens", "2T", "--accelerator", "h100-sxm", "--count", "512", "--batch-tokens", "4M"]
HOSTILE = "<script>alert(1)</script>"

POINT = MeasuredPoint(
    id="a-1", source_id="a", model="Llama 7B", accelerator="h100-sxm5-80gb", generation="Hopper",
    accelerator_count=64, seq_len=4096, batch_tokens=2**22, precision="bf16", is_moe=False, kind="dense",
    active_params=7e9, measured_mfu=0.4, stated_mfu=0.42, searched_mfu=0.44, own_peak_mfu=0.4, source="a table",
)  # fmt: skip
LAYOUT = Layout(
    tensor=2, pipeline=4, context=1, expert=1, data=8, zero_stage=1, micro_batch=1, micro_batches=16, chunks=4,
    recomputed_share=0.0, memory_gb=60.0, fits=True, step_s=2.5, time_shares=(("matmul", 0.8), ("attention", 0.2)),
)  # fmt: skip
MEASUREMENTS = Measurements(
    points=(
        POINT,
        replace(POINT, id="a-2", accelerator="a100-sxm4-80gb", measured_mfu=0.5, searched_mfu=0.5),
        replace(POINT, id="b-1", source_id="b", accelerator="tpu-v5e", kind="moe", is_moe=True, measured_mfu=0.3),
    ),
    median_error_ratio=1.1,
    p90_error_ratio=1.4,
    interval_ratio=(("dense", Range(0.8, 1.0, 1.6)), ("moe", Range(0.5, 1.0, 1.6)), ("early", Range(0.2, 1.0, 1.2))),
    catalog_digest="d" * 16,
    version="0.1.0",
)


def scaled(count: int, mid: float) -> ScalingPoint:
    return ScalingPoint(
        accelerator_count=count, batch_tokens=2**22, mfu=Range(mid / 2, mid * 0.9, mid * 1.3),
        steady_mfu=Range(mid * 0.8, mid, mid * 1.2), goodput=Range(0.9, 0.95, 0.99), layout=LAYOUT,
    )  # fmt: skip


SCALING = Scaling(
    name="ours", stage="pretrain", accelerator="h100-sxm5-80gb", precision="bf16", seq_len=4096, accelerator_count=64,
    batch_tokens=2**22, batch_follows=False, points=(scaled(32, 0.5), scaled(64, 0.48), scaled(128, 0.4)),
    measured=(MeasuredSeries((POINT,)),), catalog_digest="d" * 16, version="0.1.0",
)  # fmt: skip
SEARCH = LayoutSearch(
    name="ours", stage="pretrain", accelerator="h100-sxm5-80gb", precision="bf16", seq_len=4096, accelerator_count=64,
    batch_tokens=2**22, found=LAYOUT, steady_mfu=Range(0.4, 0.5, 0.6), catalog_digest="d" * 16, version="0.1.0",
    cells=(
        LayoutCell(1, 1, None, None, "does not fit"), LayoutCell(2, 1, Range(0.3, 0.4, 0.5), LAYOUT),
        LayoutCell(1, 4, Range(0.2, 0.3, 0.4), LAYOUT), LayoutCell(2, 4, Range(0.4, 0.5, 0.6), LAYOUT),
    ),
)  # fmt: skip
DRAWN = {"throughput": MEASUREMENTS, "scaling": SCALING, "layout": SEARCH}


def markers(figure: Any) -> list[Any]:
    return [trace for trace in figure.data if trace.mode == "markers"]


def named(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


# every chart


@pytest.mark.parametrize("kind", DRAWN)
def test_below_every_chart_stand_the_version_and_the_catalogs_digest(kind: str) -> None:
    figure = charts.CHARTS[kind](DRAWN[kind])
    below = [note.text for note in figure.layout.annotations if note.yref == "paper" and note.yanchor == "top"]
    assert any("footprint 0.1.0, catalog " + "d" * 16 in " ".join(text.split("<br>")) for text in below)


@pytest.mark.parametrize("kind", DRAWN)
def test_every_axis_says_what_it_counts_or_over_what_its_mfu_is(kind: str) -> None:
    layout = charts.CHARTS[kind](DRAWN[kind]).to_dict()["layout"]
    axes = [axis for name, axis in layout.items() if name.startswith(("xaxis", "yaxis")) and axis.get("visible", True)]
    titles = [axis["title"]["text"] for axis in axes]
    assert len(titles) >= 2
    assert all("MFU" in title or "(" in title for title in titles), titles


def test_names_from_tables_and_users_are_shown_without_markup() -> None:
    hostile = replace(POINT, model=HOSTILE, source=HOSTILE)
    drawn = [
        charts.throughput(replace(MEASUREMENTS, points=(hostile,))),
        charts.scaling(replace(SCALING, name=HOSTILE, stage=HOSTILE, measured=(MeasuredSeries((hostile,)),))),
        charts.layout(replace(SEARCH, name=HOSTILE, stage=HOSTILE, cells=(LayoutCell(1, 1, None, None, HOSTILE),))),
    ]
    for figure in drawn:
        text = figure.to_json()
        assert "script" in text
        assert "<script" not in text
        assert "\\u003cscript" not in text.lower()


def test_what_has_nothing_to_show_still_draws() -> None:
    assert charts.throughput(replace(MEASUREMENTS, points=())).layout.title.text.startswith("No measured")
    assert "fits on none" in charts.scaling(replace(SCALING, points=(), measured=())).layout.title.text
    unfit = replace(SEARCH, found=replace(LAYOUT, fits=False), cells=(SEARCH.cells[0],))
    assert "fits in memory" in charts.layout(unfit).layout.title.text


# predicted against measured


def test_points_on_the_line_of_equality_are_those_predicted_exactly() -> None:
    figure = charts.throughput(MEASUREMENTS)
    exact = {(x, y) for trace in markers(figure) for x, y in zip(trace.x, trace.y, strict=True) if x == y}
    assert exact == {(0.5, 0.5)}
    line = named(figure, "equal")
    assert list(line.x) == list(line.y)


def test_a_point_at_either_end_of_its_interval_lies_on_the_edge_of_the_band() -> None:
    figure = charts.throughput(MEASUREMENTS)
    band = named(figure, "90 % interval")
    ratios = sorted({round(x / y, 9) for x, y in zip(band.x, band.y, strict=True)})
    assert ratios == [0.8, 1.6]  # measured over predicted


def test_every_kind_of_interval_has_its_own_panel_and_an_empty_one_has_none() -> None:
    figure = charts.throughput(MEASUREMENTS)
    assert {trace.xaxis for trace in markers(figure)} == {"x", "x2"}
    titles = [note.text for note in figure.layout.annotations]
    assert any(title.startswith("dense (2)") for title in titles)
    assert not any("software before" in title for title in titles if "(" in title and "interval" not in title)


def test_on_a_phone_the_panels_stand_below_each_other_with_their_titles() -> None:
    layout = narrow(charts.bare(charts.throughput(MEASUREMENTS)))
    assert [layout[name]["domain"] for name in ("xaxis", "xaxis2")] == [(0.0, 1.0)] * 2
    first, second = (layout[name]["domain"] for name in ("yaxis", "yaxis2"))
    assert second[1] < first[0]
    titles = [(note["x"], note["y"]) for note in layout["annotations"] if "(" in note["text"]]
    assert titles == [(0.5, first[1]), (0.5, second[1])]


def test_hovering_over_a_point_tells_where_to_find_it_again() -> None:
    (text,) = [
        text for trace in markers(charts.throughput(replace(MEASUREMENTS, points=(POINT,)))) for text in trace.text
    ]
    for told in ("Llama 7B", "64 x h100-sxm5-80gb", "bf16", "length 4,096", "0.400", "0.440", "0.420", "a table"):
        assert told in text


def test_colour_and_marker_each_tell_the_accelerators_apart() -> None:
    assert len({kind.color for kind in KINDS}) == len({kind.symbol for kind in KINDS}) == len(KINDS)
    assert kind_of("gb200").name == "NVIDIA Blackwell"
    assert kind_of("gaudi2").name == "other"


def test_every_unseen_prediction_of_the_table_is_a_point_of_the_chart() -> None:
    result = doors.measurements()
    table = {str(row["id"]): row for row in open_catalog(None).rows("throughput_unseen")}
    assert len(table) > 700
    assert {point.id for point in result.points} == set(table)
    for point in result.points[::50]:
        assert point.searched_mfu == table[point.id]["searched_mfu"]
        assert point.measured_mfu == table[point.id]["measured_mfu"]
    figure = charts.throughput(result)
    assert sum(len(trace.x) for trace in markers(figure)) == len(table)
    assert f"{len(table)} configurations" in figure.layout.title.subtitle.text


def test_the_stated_errors_are_those_of_the_points() -> None:
    result = doors.measurements()
    rows = [point.source_id for point in result.points]
    logs = [abs(math.log(point.measured_mfu / point.searched_mfu)) for point in result.points]
    weight = [rows.count(name) ** -0.5 for name in rows]
    below = sum(w for log, w in zip(logs, weight, strict=True) if log <= math.log(result.median_error_ratio))
    assert below / sum(weight) == pytest.approx(0.5, abs=0.01)
    far = sum(w for log, w in zip(logs, weight, strict=True) if log <= math.log(result.p90_error_ratio))
    assert far / sum(weight) == pytest.approx(0.9, abs=0.01)


def test_nine_in_ten_points_of_a_kind_lie_in_its_band() -> None:
    result = doors.measurements()
    for kind, band in result.interval_ratio:
        own = [p for p in result.points if p.kind == kind]
        weight = {p.id: sum(q.source_id == p.source_id for q in result.points) ** -0.5 for p in own}
        inside = sum(weight[p.id] for p in own if band.low <= p.measured_mfu / p.searched_mfu <= band.high)
        assert inside / sum(weight.values()) >= 0.85, kind


def test_an_fp8_point_over_its_own_peak_is_half_of_that_over_the_16_bit_peak() -> None:
    fp8 = [p for p in doors.measurements().points if p.precision == "fp8" and p.accelerator.startswith("h100")]
    assert fp8
    assert all(p.own_peak_mfu == pytest.approx(p.measured_mfu / 2, rel=1e-3) for p in fp8)


# scaling


def test_the_curve_at_the_plans_count_is_what_the_estimate_says() -> None:
    found = doors.scaling(**PLAN)
    stage = footprint.estimate(**PLAN).plan.stages[0]
    (own,) = [point for point in found.points if point.accelerator_count == 512]
    assert (own.mfu, own.steady_mfu, own.layout) == (stage.mfu, stage.steady_mfu, stage.layout)


@pytest.mark.parametrize("batch_follows", [False, True])
def test_the_curve_at_another_count_is_what_an_estimate_on_that_count_says(batch_follows: bool) -> None:
    found = doors.scaling(batch_follows=batch_follows, **PLAN)
    (other,) = [point for point in found.points if point.accelerator_count == 2048]
    batch = 16e6 if batch_follows else 4e6
    assert other.batch_tokens == batch
    stage = footprint.estimate(**PLAN | {"count": 2048, "batch_tokens": batch}).plan.stages[0]
    assert (other.mfu, other.steady_mfu) == (stage.mfu, stage.steady_mfu)


def test_mfu_falls_faster_with_the_count_when_the_batch_stays() -> None:
    fixed, grown = (doors.scaling(batch_follows=follows, **PLAN).points for follows in (False, True))
    assert fixed[-1].accelerator_count == grown[-1].accelerator_count > 512
    assert fixed[-1].steady_mfu.mid < 0.8 * grown[-1].steady_mfu.mid
    mids = [point.steady_mfu.mid for point in fixed if point.accelerator_count >= 512]
    assert mids == sorted(mids, reverse=True)


def test_a_framework_that_is_given_for_the_plan_moves_the_curve_as_it_moves_the_estimate() -> None:
    words = PLAN | {"framework": "our-own-loop"}
    found = doors.scaling(**words)
    stage = footprint.estimate(**words).plan.stages[0]
    (own,) = [point for point in found.points if point.accelerator_count == 512]
    assert own.steady_mfu == stage.steady_mfu
    assert own.steady_mfu.mid < doors.scaling(**PLAN | {"framework": "megatron-lm"}).points[0].steady_mfu.mid


def test_counts_that_hold_no_layout_are_left_out_and_said() -> None:
    found = doors.scaling("llama-3.1-405b")
    assert all(point.layout.fits for point in found.points)
    least = min(point.accelerator_count for point in found.points)
    assert least * 80 > 16 * 405 / 1.074  # GiB of devices against Adam's 16 bytes a parameter


def test_measured_models_beside_a_plan_are_of_its_size_and_over_a_comparable_peak() -> None:
    found = doors.scaling(**PLAN)
    points = [point for series in found.measured for point in series.points]
    assert len(found.measured) >= 2
    assert all(7e9 / 4 <= point.active_params <= 7e9 * 4 for point in points)
    assert {point.precision for point in points} == {"bf16"}
    assert all(len({(p.source_id, p.accelerator, p.seq_len) for p in series.points}) == 1 for series in found.measured)


def test_the_scaling_chart_draws_both_lines_with_their_intervals() -> None:
    figure = charts.scaling(SCALING)
    assert figure.layout.xaxis.type == "log"
    assert list(named(figure, "steady, well tuned").y) == [0.5, 0.48, 0.4]
    assert list(named(figure, "over a whole run").y) == pytest.approx([0.45, 0.432, 0.36], rel=1e-12)
    band = named(figure, "90 % steady")
    assert list(band.y) == pytest.approx([0.6, 0.576, 0.48, 0.32, 0.384, 0.4], rel=1e-12)
    assert figure.layout.title.text == "ours: steady MFU of 0.48 on 64 accelerators, 0.40 on 128"
    (measured,) = markers(figure)
    assert (list(measured.x), list(measured.y)) == ([64], [0.4])


# layouts


def test_the_best_cell_is_the_layout_that_the_estimate_found() -> None:
    found = doors.layout_search(**PLAN)
    stage = footprint.estimate(**PLAN).plan.stages[0]
    best = max((cell for cell in found.cells if cell.steady_mfu), key=lambda cell: cell.steady_mfu.mid)
    assert (best.layout, best.steady_mfu) == (stage.layout, stage.steady_mfu)
    assert (best.tensor, best.pipeline) == (found.found.tensor, found.found.pipeline)


def test_a_cell_is_what_an_estimate_with_that_layout_fixed_says() -> None:
    found = doors.layout_search(**PLAN)
    (cell,) = [cell for cell in found.cells if (cell.tensor, cell.pipeline) == (4, 2)]
    fixed = footprint.estimate(**PLAN, layout="tp=4,pp=2").plan.stages[0]
    assert cell.steady_mfu == fixed.steady_mfu


def test_a_large_model_does_not_fit_on_one_device_of_tensor_and_two_of_pipeline() -> None:
    cells = {(cell.tensor, cell.pipeline): cell for cell in doors.layout_search("llama-3.1-405b").cells}
    assert cells[1, 2].steady_mfu is None
    assert cells[1, 2].reason == "does not fit"
    assert cells[8, 8].steady_mfu is not None


def test_a_fixed_part_leaves_one_column() -> None:
    found = doors.layout_search(**PLAN, layout="tp=2")
    assert {cell.tensor for cell in found.cells} == {2}
    assert len({cell.pipeline for cell in found.cells}) > 2


def test_too_few_accelerators_are_told_from_too_little_memory() -> None:
    cells = {(c.tensor, c.pipeline): c.reason for c in doors.layout_search(**PLAN | {"count": 16}).cells}
    assert cells[8, 16] == "too few accelerators"
    assert cells[1, 1] == ""


def test_cells_without_a_number_are_hatched_and_the_found_one_is_framed() -> None:
    figure = charts.layout(SEARCH)
    (heatmap,) = [trace for trace in figure.data if trace.type == "heatmap"]
    assert [list(row) for row in heatmap.z] == [[None, 0.4], [0.3, 0.5]]
    assert [list(row) for row in heatmap.text] == [["", "0.40"], ["0.30", "0.50"]]
    hatched = [trace for trace in figure.data if trace.type == "scatter"]
    assert len(hatched) == 1
    assert hatched[0].fillpattern.shape == "/"
    assert [note.text for note in figure.layout.annotations if note.yref != "paper"] == ["does not fit"]
    frame = figure.layout.shapes[-1]
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (0.5, 1.5, 0.5, 1.5)
    assert list(figure.layout.xaxis.ticktext) == ["1", "2"]
    assert list(figure.layout.yaxis.ticktext) == ["1", "4"]


# what cannot be drawn


def test_a_stage_is_chosen_by_name() -> None:
    long = doors.scaling("llama-3.1-405b", stage="long-context")
    assert (long.stage, long.seq_len) == ("long-context", 65_536)
    with pytest.raises(UnknownName, match=r"did you mean long-context\?"):
        doors.scaling("llama-3.1-405b", stage="long-contxt")


def test_a_given_mfu_leaves_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="is given or implied"):
        doors.layout_search(**PLAN, settings={"mfu": "0.4"})


def test_a_family_must_be_narrowed_to_one_model() -> None:
    with pytest.raises(InputError, match=r"is a family of models; name one: .*llama-3\.1-405b"):
        doors.scaling("llama-3.1")


# the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main.run(arguments)
    printed = capsys.readouterr()
    return int(left.value.code or 0), printed.out, printed.err


def test_kinds_known_to_the_command_line_are_those_of_the_report() -> None:
    assert set(command.KINDS) == set(charts.CHARTS) == set(footprint.charts.KINDS)


@pytest.mark.parametrize(
    ("words", "axis"),
    [
        (["throughput"], "measured MFU (share of the dense 16-bit peak)"),
        (["scaling", *WORDS], "accelerators (count)"),
        (["scaling", *WORDS, "--batch-follows"], "accelerators (count)"),
        (["layout", "llama-3.1-405b", "--stage", "pretrain"], "tensor parallelism (devices that share a layer)"),
        (["backtest"], "reported (accelerator-hours)"),
    ],
)
def test_chart_writes_the_figure(
    words: list[str], axis: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    code, out, _ = run(capsys, "chart", *words, "--out", str(file))
    assert (code, out) == (0, "")
    assert json.loads(file.read_text(encoding="utf-8"))["layout"]["xaxis"]["title"]["text"] == axis


def test_chart_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "chart", "--help")
    assert code == 0
    assert "  footprint chart" in out.split("Examples:")[1]


def test_a_chart_as_html_needs_no_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "chart", "layout", *WORDS, "--out", str(tmp_path / "x.html"))[0] == 0
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert '<script src="http' not in page
    assert "does not fit" in page or "too few" in page or "steady MFU" in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["scalling", "--out", "x.html"], "did you mean scaling?"),
        (["scaling", *WORDS], "give a file, such as --out scaling.html"),
        (["throughput", "llama-3.1-405b", "--out", "x.html"], "takes no llama-3.1-405b"),
        (["backtest", "--params", "7B", "--out", "x.html"], "takes no params"),
        (["layout", *WORDS, "--batch-follows", "--out", "x.html"], "leave out --batch-follows"),
        (["layout", *WORDS, "--out", "x.doc"], "end it in one of .html"),
        (["layout", *WORDS, "--out", "no/such/folder/x.html"], "name a file in a folder that exists"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_writes_nothing(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "chart", *words)
    assert (code, out) == (1, "")
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_image_without_kaleido_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capsys, "chart", "layout", *WORDS, "--out", str(tmp_path / "x.png"))
    assert code == 1
    assert "pip install 'footprint[images]'" in err


def test_the_command_line_starts_without_plotly() -> None:
    code = "import footprint.cli.main, sys; print('plotly' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_records_of_charts_name_what_mfu_is_over() -> None:
    assert [f.name for f in fields(MeasuredPoint) if f.name.endswith("_mfu")] == [
        "measured_mfu", "stated_mfu", "searched_mfu", "own_peak_mfu",
    ]  # fmt: skip
