"""What a measured run looks like: every format says the same, nothing that a user named can act."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import fields, replace
from html.parser import HTMLParser

import handmade_runs as handmade
import pytest

from footprint import records
from footprint.errors import UnknownName
from footprint.report import run_formats, run_listing, run_short, run_tables, run_text, run_wording, terminal
from footprint.report.run_result import RunResult
from footprint.store import open_ledger
from footprint.values import Gap, Meter, MeterUsage, Progress, Range, Run, WindowUsage

RUNS = {"plain": handmade.run(), "eventful": handmade.eventful(), "bare": replace(handmade.run(), meters=(), tags=())}
BIDI, CSI = "\u202e", "\x9b"


def hostile() -> Run:
    """A run whose every name tries to do something."""
    bad = handmade.HOSTILE
    meter = Meter(bad, "accelerator", bad, bad, "gpu", "measured", counted_in=bad, note=bad)
    one = MeterUsage(
        bad, meter, handmade.around(1.0), 60.0, 1.0, resets_count=2, gaps=(Gap(1.0, 2.0, bad),),
        counter_over_power_ratio=1.0, attributed_it_energy_kwh=handmade.around(0.5),
    )  # fmt: skip
    run = handmade.eventful()
    return replace(
        handmade.renamed(run, bad), id=bad, project=bad, tags=(bad, "=2+3"), hosts=(bad,), meters=(one, one),
        notes=(bad,),
        windows=(WindowUsage(bad, 1, 1.0, handmade.around(1.0)),),
        segments=tuple(replace(s, host=bad) for s in run.segments), status=bad, version=bad,
        evidence=bad,
    )  # fmt: skip


class Tags(HTMLParser):
    """Collects tags and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


# the terminal


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_text_fits_the_width_without_colour(run: Run, width: int) -> None:
    lines = run_text.text(run, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert "\x1b" not in "".join(lines)


def test_the_first_screen_answers() -> None:
    screen = "\n".join(run_text.text(handmade.run(), width=80).splitlines()[:24])
    for words in (
        "sft-7b · finished", "8 × h100-sxm5-80gb on gpu01", "2026-11-03T08:00:00Z to 2026-11-03T12:30:00Z",
        "36 h", "4 h 30 min", "29.0 kWh (27.5 – 30.5)", "85% measured", "33.3 kWh (30.0 – 36.7)", "PUE 1.15",
        "12.3 kgCO2e (11.1 – 13.5)", "13.5 kgCO2e (11.5 – 15.5)", "5.2 L", "57 L", "2.83 USD", "250 USD", "0.412", "2B",
        "123,000 tokens/s", "0.0522 J/token",
    ):  # fmt: skip
        assert words in screen, words
    assert re.search(r"CO2e market +not known", screen)


@pytest.mark.parametrize("name", ["text", "markdown", "html", "latex"])
def test_the_grade_of_evidence_is_said_in_words_and_a_run_without_one_says_nothing(name: str) -> None:
    told = run_formats.named(name)(handmade.run())
    assert "Evidence A: energy counters or a node meter" in " ".join(told.split())
    assert "Evidence" not in run_formats.named(name)(handmade.run(evidence=""))


def test_a_run_that_was_saved_before_there_were_grades_is_read_and_has_none() -> None:
    old = records.to_plain(handmade.run())
    del old["evidence"]
    assert records.from_plain(Run, old) == handmade.run(evidence="")


def test_every_part_says_how_it_is_known_and_parts_add_up_to_the_whole() -> None:
    run = handmade.run()
    table = run_tables.parts(run)
    assert [(row[0], row[1]) for row in table.rows] == [
        ("8 × H100 80GB HBM3", "measured"),
        ("2 × CPU, rapl", "measured"),
        ("RAM, ram-size", "modelled"),
        ("fans, network, power supply", "assumed"),
    ]
    shares = [float(str(row[3]).rstrip("%")) for row in table.rows]
    assert sum(shares) == pytest.approx(100, abs=0.6)
    unsaid = replace(run, usage=replace(run.usage, coverage_share=None))
    read = 8 * 2.9 * 0.98 + 2.1 * 0.99
    assert run_wording.measured_share(unsaid) == pytest.approx(read / (8 * 2.9 + 2.1 + 0.9 + 2.8), rel=1e-12)


def test_planned_stands_beside_measured_with_ratio_and_verdict() -> None:
    rows = {row[0]: row[1:] for row in run_tables.against_plan(handmade.eventful()).rows}
    assert rows["IT energy"] == ("24.0 kWh (22.8 – 25.2)", "29.0 kWh (27.5 – 30.5)", "x 1.21", "above")
    assert rows["CO2e total"][2:] == ("x 1.19", "inside")
    assert rows["Tokens"][2:] == ("x 1.00", "inside")
    small = handmade.run(planned=handmade.footprint(it_kwh=60.0, hours=9.0))
    assert run_tables.against_plan(small).rows[0][3:] == ("x 0.50", "below")
    assert "so far" in run_tables.against_plan(replace(small, status="running")).columns
    assert run_tables.against_plan(handmade.run()).rows == ()


def test_windows_stand_below_the_windows_around_them_the_most_energy_first() -> None:
    names = [row[0] for row in run_tables.windows(handmade.eventful()).rows]
    assert names == ["epoch", "· step", "· checkpoint", "evaluation"]
    each = [row[-1] for row in run_tables.windows(handmade.eventful()).rows]
    assert each == ["9.00 kWh", "6.37 Wh", "100 Wh", "433 Wh"]
    tiny = handmade.run(windows=(WindowUsage("step", 1000, 10.0, Range.exactly(1e-4)),))
    assert run_tables.windows(tiny).rows[0][-1] == "0.360 J"


def test_a_window_whose_parent_is_not_there_is_shown_all_the_same() -> None:
    run = handmade.run(windows=(WindowUsage("lost/child", 1, 1.0, handmade.around(1.0)),))
    assert run_tables.windows(run).rows[0][0] == "· child"


def test_starts_tell_what_was_done_again() -> None:
    table = run_tables.starts(handmade.eventful())
    assert [(row[0], row[1], row[4], row[-1]) for row in table.rows] == [
        ("0", "gpu01", "interrupted", "900 Wh"),
        ("0", "gpu02", "interrupted", ""),
        ("1", "gpu01", "failed", ""),
    ]
    assert run_tables.starts(handmade.run()).rows == ()
    out = run_text.text(handmade.eventful(), width=80)
    assert "in 2 starts" in out
    assert re.search(r"Done again +900 Wh \(860 – 940\) +3\.1%  repeated by a later start", out)
    assert re.search(r"Stalled +880 Wh +3\.0%", out)
    assert re.search(r"Ours on GPU-00000002 +1\.40 kWh", out)


def test_remarks_tell_gaps_resets_audit_and_what_others_count_each_once() -> None:
    told = run_wording.remarks(handmade.eventful())
    assert told == [
        "gap: gpu01 GPU-00000000 for 3 min from 2026-11-03T08:10:00Z: the driver did not answer",
        "reset: the counter of gpu01 GPU-00000001 began anew once; integrated power stands in for what it lost",
        "audit: counted over integrated energy is 1.012 to 1.090 on 4 meters",
        "counted by run other-20261103T075900Z-aaaaaa already, so in no total twice: GPU-00000003",
        "no price of electricity is known for Atlantis",
    ]


def test_a_short_run_tells_no_audit_that_a_few_readings_of_power_make() -> None:
    meters = tuple(replace(one, duration_s=900.0) for one in handmade.eventful().meters)
    assert not any("audit" in line for line in run_wording.remarks(replace(handmade.eventful(), meters=meters)))


def test_many_gaps_and_many_devices_do_not_flood_the_screen() -> None:
    gaps = tuple(Gap(i * 10.0, i * 10.0 + 5, "no reading") for i in range(100))
    run = handmade.run(meters=tuple(handmade.gpu(i, gaps=gaps) for i in range(64)))
    out = run_text.text(run, width=80)
    assert len(out.splitlines()) < 70
    assert "and 56 more: --format json has them" in out
    assert "and 6394 gaps more: --format json has them" in out


def test_a_long_run_has_a_bar_for_several_hours() -> None:
    hours = tuple((int(handmade.START_S) + 3600 * i, 6.0 if i < 100 else 3.0) for i in range(200))
    out = run_text.text(handmade.run(hourly_it_energy_kwh=hours), width=80)
    assert "Every 5 h: " + "█" * 20 + "▅" * 20 + " at most 30.0 kWh in 5 h" in out


def test_hours_between_two_starts_are_empty_bars() -> None:
    hours = ((0, 2.0), (3600, 2.0), (4 * 3600, 1.0))
    assert run_wording.by_hours(handmade.run(hourly_it_energy_kwh=hours), 60) == (1, [2.0, 2.0, 0.0, 0.0, 1.0])
    assert run_wording.by_hours(handmade.run(hourly_it_energy_kwh=hours), 3) == (2, [4.0, 0.0, 1.0])
    assert run_wording.by_hours(handmade.run(hourly_it_energy_kwh=()), 3) == (1, [])


def test_a_run_of_a_host_without_accelerators_is_shown() -> None:
    bare = handmade.run(
        meters=handmade.host_meters(), stalled_it_energy_kwh=None, mfu=None, progress=Progress(),
        usage=replace(handmade.footprint().usage, lines=(), accelerator_hours=Range.exactly(0.0), tokens=None),
    )  # fmt: skip
    out = run_text.text(bare, width=80)
    assert re.search(r"Accelerator-hours +0 h", out)
    assert "× H100" not in out
    assert "Stalled" not in out


def test_a_moment_of_no_calendar_is_shown_as_its_number() -> None:
    assert run_wording.utc(1e300) == "1e+300 s"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3 * 3600 + 300, "3 h 05 min"), (54 * 86400 + 7200, "54 d 2 h")],
)
def test_durations_are_said_as_people_say_them(seconds: float, shown: str) -> None:
    assert run_wording.duration(seconds) == shown


def test_text_in_colour_says_the_same() -> None:
    colored = run_text.text(handmade.eventful(), color=True, width=80)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored).split() == run_text.text(handmade.eventful(), width=80).split()


# names that try to act


@pytest.mark.parametrize("name", run_formats.FORMATS)
def test_no_name_steers_the_terminal_in_any_format(name: str) -> None:
    out = run_formats.FORMATS[name](hostile())
    assert not [c for c in out if not c.isprintable() and c != "\n"]


def test_a_name_is_text_and_no_markup_on_the_terminal() -> None:
    out = run_text.text(hostile(), width=140)
    assert "[red]d[/red]" in out
    assert out.count("alert(1)") >= 3


def test_a_name_opens_no_tag_in_html() -> None:
    tags = Tags()
    tags.feed(run_formats.html(hostile()))
    assert tags.open == []
    assert tags.seen.count("script") == 1
    assert "<script>" not in run_formats.html(hostile())
    assert "script" not in _seen(RunResult.of(hostile())._repr_html_())


def _seen(text: str) -> list[str]:
    tags = Tags()
    tags.feed(text)
    return tags.seen


def test_a_name_breaks_no_markdown_table() -> None:
    for line in run_formats.markdown(hostile()).splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) >= 4
        assert "<script" not in line
    columns = {
        len(re.findall(r"(?<!\\)\|", line))
        for line in run_formats.markdown(hostile()).split("### Windows")[1].split("###")[0].splitlines()
        if line.startswith("|")
    }
    assert columns == {7}


@pytest.mark.parametrize("start", ["=1+2", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_a_name_starts_no_formula(start: str) -> None:
    run = handmade.run(name=start, id=start, windows=(WindowUsage(start, 1, 1.0, handmade.around(1.0)),))
    with open_ledger("sqlite://") as ledger:
        ledger.save(replace(run, project=start, tags=(start,)))
        tables = [run_listing.entry_numbers(ledger.list()), run_listing.total_numbers(ledger.totals("tag"), "tag")]
    from footprint.report.tables import as_csv

    for text in (run_formats.csv(run), *map(as_csv, tables)):
        for row in csv.reader(io.StringIO(text)):
            assert not [cell for cell in row if cell.strip().startswith(("=", "+", "-", "@")) and not _is_number(cell)]


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", cell) is not None


def test_json_keeps_names_exactly_and_steers_nothing() -> None:
    out = run_formats.json(hostile())
    assert records.from_plain(Run, json.loads(out)) == hostile()
    assert BIDI not in out
    assert CSI not in out
    assert json.loads(run_formats.printable('"\U000e0001 \ud800 é\n"'.replace("\n", ""))) == "\U000e0001 \ud800 é"


# machines


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_json_comes_back_as_the_run(run: Run) -> None:
    data = json.loads(run_formats.json(run))
    assert data["schema_version"] == records.SCHEMA_VERSION
    assert records.from_plain(Run, data) == run


def test_csv_numbers_are_unrounded_and_say_how_they_are_known() -> None:
    run = handmade.eventful()
    rows = list(csv.DictReader(io.StringIO(run_formats.csv(run))))
    mids = {(r["part"], r["quantity"], r["convention"]): r["mid"] for r in rows}
    assert float(mids["total", "facility_energy_kwh", "facility"]) == run.footprint.facility.facility_energy_kwh.mid
    assert float(mids["planned", "it_energy_kwh", "facility"]) == 24.0
    assert float(mids["window epoch/step", "window_count", ""]) == 4000
    assert float(mids["start 0 gpu01", "wasted_it_energy_kwh", ""]) == 0.9
    node = next(r for r in rows if r["part"] == "meter gpu01 node" and r["quantity"] == "it_energy_kwh")
    assert (node["known_by"], float(node["mid"]), node["unit"]) == ("assumed", 2.8, "kWh")
    assert {r["run"] for r in rows} == {run.id}
    assert {r["evidence"] for r in rows} == {"A"}


def test_html_is_whole_and_carries_its_data() -> None:
    document = run_formats.html(handmade.eventful())
    tags = Tags()
    tags.feed(document)
    assert tags.open == []
    assert tags.seen.count("rect") == 5
    assert not re.search(r"<(link|img|iframe)|src=|@import|url\(", document)
    found = re.search(r'<script type="application/json" id="footprint">(.*?)</script>', document, re.DOTALL)
    assert found is not None
    assert records.from_plain(Run, json.loads(found.group(1))) == handmade.eventful()


def test_long_runs_have_a_bar_for_several_hours() -> None:
    hours = tuple((int(handmade.START_S) + 3600 * i, 6.0) for i in range(1000))
    document = run_formats.html(handmade.run(hourly_it_energy_kwh=hours))
    assert document.count("<rect") == 91
    assert "IT energy every 11 hours, at most 66" in document


def test_hours_of_the_accelerators_alone_are_said_to_be_theirs() -> None:
    whole = handmade.run()
    own = sum(one.it_energy_kwh.mid for one in whole.meters if one.meter.component == "accelerator")
    hours = tuple((int(handmade.START_S) + 3600 * i, own / 5) for i in range(5))
    found = handmade.run(hourly_it_energy_kwh=hours)
    assert "IT energy of the accelerators every hour, at most" in run_formats.html(found)
    assert "by accelerators in an hour" in run_text.text(found, width=80)
    assert "IT energy every hour, at most" in run_formats.html(whole)
    assert "by accelerators" not in run_text.text(whole, width=80)


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_every_reading_format_tells_the_same(name: str) -> None:
    out = run_formats.FORMATS[name](handmade.eventful())
    for words in ("29.0 kWh (27.5 – 30.5)", "assumed", "x 1.21", "checkpoint", "6.37 Wh", "began anew", "Atlantis"):
        assert words in out, words


def test_latex_has_the_answer() -> None:
    out = run_formats.latex(handmade.run())
    assert r"\toprule" in out
    assert "33.3 kWh (30.0 -- 36.7)" in out


# the result that users hold


def test_a_result_shows_itself_and_equals_its_run() -> None:
    run = handmade.eventful()
    result = RunResult.of(run)
    assert {f.name: getattr(result, f.name) for f in fields(Run)} == {f.name: getattr(run, f.name) for f in fields(Run)}
    assert str(result).startswith("sft-7b · failed\n")
    assert repr(result) == "<RunResult sft-7b · failed: 29.0 kWh (27.5 – 30.5), 13.5 kgCO2e (11.5 – 15.5)>"
    assert result.to("json") == result.to_json()
    assert result.to_dict() == json.loads(result.to_json())
    assert result._repr_html_().startswith("<style>")
    frame = result.to_frame()
    assert frame["mid"].dtype == float
    assert set(frame["part"]) >= {"total", "planned", "window epoch/step", "meter gpu01 node", "start 1 gpu01"}


def test_an_unknown_format_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="the formats are text, json, csv, markdown, latex, html"):
        RunResult.of(handmade.run()).to("pdf")


def test_a_result_loads_nothing_heavy_until_it_is_shown() -> None:
    heavy = ("numpy", "pandas", "rich", "sqlalchemy", "typer")
    code = f"import footprint.report.run_result, sys; print(*[m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# many runs


def test_remarks_at_the_end_of_a_command_wrap_under_themselves_as_in_the_whole() -> None:
    run = replace(handmade.run(), notes=(" ".join(["a remark of many words"] * 5),))
    for shown in (run_short.text(run, width=60), run_text.text(run, width=60)):
        lines = shown.splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("- a remark of"))
        assert lines[first + 1].startswith("  ")
        assert lines[first + 1].strip()


def test_a_run_of_a_long_name_leaves_units_whole_in_80_columns_and_is_found_by_what_is_shown() -> None:
    long_id = "mlflow-63e0d475566346669d06f614de2bf060"
    with open_ledger("sqlite://") as ledger:
        ledger.save(handmade.run(id=long_id, name="second"))
        table = run_listing.entries(ledger.list(), ledger.handles(), wide=False)
        shown = str(table.rows[0][0])
        assert ledger.find(shown.rstrip("…")).id == long_id
    line = terminal.as_text(table, width=80, cut="name").splitlines()[-1]
    assert line.startswith("mlflow-63e0d475…  second")
    assert line.endswith("33.3 kWh  13.5 kgCO2e")


def test_a_listing_has_a_handle_a_run_and_a_line_for_all() -> None:
    with open_ledger("sqlite://") as ledger:
        for i in range(3):
            ledger.save(handmade.run(id=f"sft-7b-2026110{i}T080000Z-3f9c2{i}", started_utc_s=handmade.START_S + i))
        ledger.save(
            handmade.run(id="priceless", footprint=handmade.footprint(price=None), started_utc_s=handmade.START_S - 9)
        )
        ledger.save_plan(handmade.footprint(), "next")
        table = run_listing.entries(ledger.list(), ledger.handles(), wide=False)
        wide, numbers = run_listing.entries(ledger.list(), {}, wide=True), run_listing.entry_numbers(ledger.list())
        whole, by_tag = ledger.totals(), run_listing.totals(ledger.totals("tag"), "tag", wide=True)
    assert [row[0] for row in table.rows][1:] == ["3f9c22", "3f9c21", "3f9c20", "priceless"]
    assert table.rows[1][2:] == ("finished", "2026-11-03T08:00Z", "33.3 kWh", "13.5 kgCO2e")
    assert table.rows[0][2] == "planned"
    assert [row[wide.columns.index("grade")] for row in wide.rows] == ["", "A", "A", "A", "A"]
    assert [row[numbers.columns.index("evidence")] for row in numbers.rows] == ["", "A", "A", "A", "A"]
    assert run_listing.summary(whole) == (
        "4 runs · 144 accelerator-hours · 133 kWh (120 – 147) · 54 kgCO2e (46 – 62) · 8.5 USD (3 of 4)"
    )
    assert run_listing.summary(()) == ""
    assert run_listing.remarks(whole, None) == ["electricity is not known for 1 of 4 runs"]
    assert [row[:3] for row in by_tag.rows] == [
        ("night", "4", "133 kWh (120 – 147)"),
        ("sft", "4", "133 kWh (120 – 147)"),
    ]
