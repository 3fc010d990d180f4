"""The report page as text: what stands in it, what may run in it, and how it is started again."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import handmade_runs
import homes
import pytest
import typer
import yaml

from footprint import records
from footprint.catalog import open_catalog
from footprint.cli import main
from footprint.errors import InputError
from footprint.estimation import doors, parting
from footprint.report import charts, methods, page, page_data, page_pictures, page_tables, run_page
from footprint.report.result import Result
from footprint.store import open_ledger
from footprint.values import Assumption, Footprint, Gap, Range, Run

WORDS: dict[str, Any] = {
    "params": "7B", "tokens": "2T", "accelerator": "h100-sxm", "count": 512, "region": "aws/us-east-1",
    "settings": {"pue": 1.09, "mfu": "0.35:0.45"},
}  # fmt: skip
ASKED = ["--params", "7B", "--tokens", "2T", "--accelerator", "h100-sxm", "--count", "512", "--country", "FRA"]


class Seen(HTMLParser):
    """Tags in their order, with their attributes; text by the tag around it."""

    VOID = ("meta", "br", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in tags]


@pytest.fixture(scope="module")
def plan() -> Footprint:
    return doors.estimate(sensitivity=True, **WORDS)


@pytest.fixture(scope="module")
def pictures(plan: Footprint) -> tuple[page_pictures.Picture, ...]:
    answer = parting.answer(plan)
    figures = {"answer": charts.answer(answer), "bridge": charts.bridge(answer), "tornado": charts.tornado(plan)}
    return page_pictures.of_plan(plan, figures, answer)


@pytest.fixture(scope="module")
def texts(plan: Footprint, pictures: tuple[page_pictures.Picture, ...]) -> dict[str, str]:
    run = replace(handmade_runs.eventful(), footprint=replace(plan, sensitivities=()))
    return {
        "plan": page.page(plan, pictures),
        "plan without pictures": page.page(plan),
        "run": run_page.document(run, pictures[:1]),
        "run without pictures": run_page.document(run),
    }


PAGES = ("plan", "plan without pictures", "run", "run without pictures")


@pytest.fixture(params=PAGES)
def text(request: pytest.FixtureRequest, texts: dict[str, str]) -> str:
    return texts[str(request.param)]


def without_scripts(text: str) -> str:
    return re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


# what it is made of


def test_it_is_whole_with_landmarks_one_title_and_headings_in_order(text: str) -> None:
    seen = Seen(text)
    assert seen.open == []
    tags = [tag for tag, _ in seen.tags]
    assert [tags.count(name) for name in ("header", "main", "nav", "footer", "h1")] == [1] * 5
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    names = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(names) == len(set(names))
    assert {a["href"].removeprefix("#") for a in seen.all("a")} <= set(names)
    assert {a["aria-labelledby"] for a in seen.all("section") if "aria-labelledby" in a} <= set(names)


def test_every_table_has_a_caption_and_scopes(text: str) -> None:
    seen = Seen(without_scripts(text))
    assert len(seen.all("table")) == len(seen.all("caption")) > 3
    assert {a.get("scope") for a in seen.all("th")} <= {"col", "row"}
    assert all(seen.text["caption"])


def test_every_picture_has_a_text_and_a_table_beside_it(texts: dict[str, str]) -> None:
    for figure in re.findall(r"<figure.*?</figure>", texts["plan"], re.DOTALL):
        seen = Seen(figure)
        (chart,) = [a for a in seen.all("div") if a.get("role") == "img"]
        assert chart["aria-label"].startswith("Chart: ")
        assert len(seen.all("table")) == 1
        assert seen.text["h3"]
    assert texts["plan"].count("<figure") == 3


def test_it_names_no_address_and_loads_nothing(text: str) -> None:
    seen = Seen(without_scripts(text))
    for _, attributes in seen.tags:
        for name in ("src", "href", "action", "srcset", "poster", "data", "background"):
            assert attributes.get(name, "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|url\(|<link|<base|http-equiv=\"refresh", without_scripts(text))


def test_the_policy_lets_only_its_own_scripts_run(text: str) -> None:
    (policy,) = [a["content"] for a in Seen(text).all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert not {"connect-src", "font-src", "frame-src"} & set(rules)
    running = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in running]
    assert rules["script-src"] == ([f"'sha256-{one}'" for one in hashes] or ["'none'"])


def test_the_library_stands_in_it_once_whatever_the_number_of_pictures(texts: dict[str, str]) -> None:
    count = {name: len(re.findall(r"<script>[^<]{0,80}plotly\.js v", text)) for name, text in texts.items()}
    assert count == {"plan": 1, "plan without pictures": 0, "run": 1, "run without pictures": 0}
    assert len(texts["plan"]) - len(texts["run"]) < 300_000
    assert len(texts["plan without pictures"]) < 200_000


def test_data_inside_hold_no_character_that_html_acts_on() -> None:
    bad = "</script><!--<script>&amp;\u2028\u2029\ud800é"
    script = page_data.script({"a": bad})
    inner = script.removeprefix('<script type="application/json" id="footprint">').removesuffix("</script>")
    assert not set(inner) & set("<>&\u2028\u2029")
    assert inner.isascii()
    assert json.loads(inner) == {"a": bad}


# what it says


def test_the_answer_stands_first_with_ranges(texts: dict[str, str], plan: Footprint) -> None:
    answer = texts["plan"].split('<section id="answer"')[1].split("</section>")[0]
    for name in ("Accelerator-hours", "Duration", "Energy", "CO2e", "Water", "Rental on demand"):
        assert f"<dt>{name}</dt>" in answer
    assert answer.count('class="interval"') == 6
    assert texts["plan"].index('id="answer"') < texts["plan"].index("<nav")


def test_it_holds_every_step_with_numbers_every_assumption_with_its_source_and_both_conventions(
    texts: dict[str, str], plan: Footprint
) -> None:
    told = html.unescape(without_scripts(texts["plan"]))
    for step in plan.steps:
        assert step.equation in told
        assert step.reference.rstrip(".")[:50] in told
    for assumption in plan.ledger:
        assert assumption.field.rsplit(".", 1)[-1] in told
        assert assumption.source in told
    assert "by a measured" not in told
    for word in ("facility", "model-card", plan.catalog_digest, plan.version, "footprint estimate page.html"):
        assert word in told


def test_a_runs_page_tells_coverage_gaps_segments_windows_and_the_plan(texts: dict[str, str]) -> None:
    told = html.unescape(without_scripts(texts["run"]))
    for words in (
        "Coverage and gaps", "the driver did not answer", "3 min", "checkpoint", "Planned, and measured", "Starts",
        "interrupted", "assumed", "85% of IT energy measured", "began anew", "Done again", "the planned interval",
    ):  # fmt: skip
        assert words in told, words


def test_long_lists_of_gaps_are_cut_and_the_longest_told() -> None:
    gaps = tuple(Gap(1e9 + i, 1e9 + i + (500 if i == 250 else 0.5), f"reason {i}") for i in range(300))
    table = page_tables.gaps(handmade_runs.run(meters=(handmade_runs.gpu(0, gaps=gaps),)))
    assert table.rows[0][3] == "reason 250"
    assert table.rows[-1][0] == "and 200 more"


def test_names_are_cut_where_they_would_hide_the_answer_and_whole_in_the_data() -> None:
    name = "x" * 10_000
    run = handmade_runs.renamed(handmade_runs.eventful(), name)
    text = run_page.document(run)
    assert "x" * 121 not in without_scripts(text)
    assert name in text


# for a paper


def test_the_methods_paragraph_says_what_a_reviewer_asks(plan: Footprint) -> None:
    told = methods.of_plan(plan)
    for words in ("512 × h100-sxm5-80gb", "accelerator-hours (90% interval", "a PUE of 1.09", "grid zone US-MIDA-PJM",
                  plan.version, plan.catalog_digest, "By the convention of model cards", "Making the hardware adds",
                  "a model of 7B parameters", "an MFU of 0.40"):  # fmt: skip
        assert words in told, words
    assert "  " not in told
    assert told.count("(") == told.count(")")


def test_the_methods_paragraph_of_a_run_says_what_was_measured_and_what_was_not() -> None:
    told = methods.of_run(handmade_runs.eventful())
    for words in ("We measured sft-7b from 2026-11-03T08:00:00Z", "in 2 starts", "status: failed", "85% is measured",
                  "(nvml, rapl)", "modelled", "assumed", "work done again"):  # fmt: skip
        assert words in told, words


def test_known_hours_are_not_called_predicted() -> None:
    known = doors.estimate(accelerator_hours="39.3M", accelerator="h100-sxm", country="USA")
    assert "It takes 39.3 million accelerator-hours on h100-sxm5-80gb; the hours are taken as known" in (
        methods.of_plan(known)
    )


def test_bibtex_names_each_source_once_and_only_those_that_were_used(plan: Footprint) -> None:
    told = methods.bibtex(plan, methods.known_sources())
    keys = re.findall(r"^@\w+\{([A-Za-z0-9_]+),$", told, re.MULTILINE)
    assert len(keys) == len(set(keys)) > 8
    assert keys[0] == "footprint"
    assert {"electricitymaps_yearly", "arxiv_2405_21015", "iso_iec_21031"} <= set(keys)
    assert "ember_co2js" not in keys
    assert "author = {Cottier and others}" in told
    assert told.replace(r"\{", "").replace(r"\}", "").count("{") == told.replace(r"\{", "").replace(r"\}", "").count(
        "}"
    )


def test_a_hostile_source_breaks_no_bibtex(plan: Footprint) -> None:
    bad = "}\\input{x} 2024 100% #1 _ ~ ^ $ & \n@misc{evil,"
    told = methods.bibtex(replace(plan, ledger=(Assumption("pue", 1.0, "given", bad),)), {})
    assert r"\textbackslash{}input\{x\} 2024 100\% \#1 \_ \textasciitilde{} \textasciicircum{} \$ \&" in told
    assert "\n@misc{evil," not in told


# start again


def same(one: Footprint, other: Footprint) -> bool:
    return records.to_plain(replace(one, sensitivities=())) == records.to_plain(replace(other, sensitivities=()))


@pytest.mark.parametrize("ending", ["page.html", "PAGE.HTM", "result.json"])
def test_a_page_and_its_json_start_the_same_estimate_again_to_the_digit(
    tmp_path: Path, texts: dict[str, str], plan: Footprint, ending: str
) -> None:
    path = tmp_path / ending
    path.write_text(texts["plan"] if "json" not in ending else records.to_json(plan), encoding="utf-8")
    assert same(doors.estimate(path), plan)
    assert same(doors.estimate(str(path), sensitivity=True), plan)
    assert Result.of(records.from_plain(Footprint, page_data.read(path))) == plan


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("llama-3.1-8b", {"country": "SWE"}),
        ("llama-3.1", {}),
        ("examples/own_plan.yaml", {}),
        (None, {"config": "tests/configs/qwen3-8b.json", "tokens": "2T", "accelerator": "a100-80gb", "country": "FRA"}),
        (None, {"flop": 2.1e25, "accelerator": "a100-80gb", "settings": {"pue": Range(1.0, 1.1, 1.2)}}),
        ({"name": "mine", "params": 7e9, "tokens": 2e12, "accelerator": "h100-sxm"}, {"count": 64}),
    ],
    ids=["preset", "family", "yaml", "config", "range", "mapping"],
)
def test_words_of_every_kind_stand_in_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: Any, words: dict[str, Any]
) -> None:
    first = doors.estimate(subject, **words)
    path = tmp_path / "x.html"
    path.write_text(page.page(first), encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # no other file is needed
    again = doors.estimate(path)
    assert again.name == first.name
    assert same(again, first)


def test_words_beside_a_page_hold_and_a_place_takes_the_place_of_the_place(tmp_path: Path, plan: Footprint) -> None:
    path = tmp_path / "x.html"
    path.write_text(page.page(plan), encoding="utf-8")
    other = doors.estimate(path, country="SWE", settings={"goodput": 0.9})
    assert other.site.zone == "SWE"
    assert other.site.region is None
    assert other.site.pue.mid == 1.09
    assert other.usage.lines[0].goodput == Range.exactly(0.9)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.html", None, "cannot be read"),
        ("other.html", "<html><body>hello</body></html>", "holds no footprint"),
        ("broken.html", '<script type="application/json" id="footprint">{</script>', "are not JSON"),
        ("list.html", '<script type="application/json" id="footprint">[1]</script>', "no record"),
        ("deep.html", f'<script type="application/json" id="footprint">{"[" * 100_000}</script>', "are not JSON"),
        ("old.html", '<script type="application/json" id="footprint">{"schema_version":1}</script>', "does not hold"),
        (
            "evil.html",
            '<script type="application/json" id="footprint">{"schema_version":1,"words":"[1]"}</script>',
            "no mapping",
        ),
        (
            "text.html",
            '<script type="application/json" id="footprint">{"schema_version":1,"words":"{"}</script>',
            "cannot be read",
        ),
        ("bytes.html", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_page_that_is_none_is_an_input_error(tmp_path: Path, name: str, content: Any, told: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=told):
        doors.estimate(path)


def test_a_runs_page_starts_its_plan_and_without_one_is_an_input_error(tmp_path: Path, plan: Footprint) -> None:
    path = tmp_path / "run.html"
    path.write_text(run_page.document(handmade_runs.run()), encoding="utf-8")
    with pytest.raises(InputError, match="the page of a measured run"):
        doors.estimate(path)
    path.write_text(run_page.document(handmade_runs.run(planned=plan)), encoding="utf-8")
    assert same(doors.estimate(path), plan)


def test_a_plan_in_words_may_still_be_json(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**WORDS, "set": WORDS["settings"]} | {"settings": {}}), encoding="utf-8")
    yaml_path = tmp_path / "plan.yaml"
    yaml_path.write_text(yaml.safe_dump({k: v for k, v in WORDS.items() if k != "settings"}), encoding="utf-8")
    assert doors.estimate(path).usage.lines[0].accelerator_count == 512
    assert doors.estimate(yaml_path).usage.lines[0].accelerator_count == 512


# the command


@pytest.fixture(scope="module")
def built() -> Any:
    return typer.main.get_command(main.app)


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    homes.measured(made, "sft-7b-20261103T080000Z-aaaaaa", gpus=(0, 1), name="sft-7b", project="llm")
    return made


@pytest.fixture
def call(
    tmp_path: Path, built: Any, journals: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    monkeypatch.setattr(main, "app", built)
    monkeypatch.setenv("FOOTPRINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOOTPRINT_FOLDER", str(journals))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main.run(arguments)
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return run  # type: ignore[return-value]


def read(path: str) -> dict[str, Any]:
    return page_data.read(Path(path))


def test_a_plan_by_its_words_round_trips_on_the_command_line(call: Any) -> None:
    code, out, err = call("report", *ASKED, "--out", "page.html")
    assert (code, out) == (0, "")
    assert re.search(r"written to page\.html, \d\.\d MB", err)
    assert call("estimate", *ASKED, "--format", "json", "--out", "direct.json")[0] == 0
    assert call("estimate", "page.html", "--format", "json", "--out", "again.json")[0] == 0
    direct, again = (json.loads(Path(name).read_text("utf-8")) for name in ("direct.json", "again.json"))
    words = [json.loads(found.pop("words")) for found in (direct, again)]
    assert words[0] == words[1]
    assert direct == again


def test_a_page_of_other_data_says_so(call: Any) -> None:
    assert call("report", *ASKED, "--out", "page.html")[0] == 0
    text = Path("page.html").read_text("utf-8").replace(open_catalog(None).digest(), "0123456789abcdef")
    Path("page.html").write_text(text, encoding="utf-8")
    code, _, err = call("estimate", "page.html")
    assert code == 0
    assert "with data 0123456789abcdef, estimated again by" in err


@pytest.mark.parametrize("word", ["sft-7b", "sft-7b-20261103T080000Z-aaaaaa", "aaaaaa", None])
def test_a_run_by_name_or_id_and_the_newest_by_default(call: Any, word: str | None) -> None:
    code, _, err = call("report", *([word] if word else []))
    assert code == 0
    assert "written to sft-7b-report.html" in err
    assert read("sft-7b-report.html")["id"] == "sft-7b-20261103T080000Z-aaaaaa"


def test_a_run_by_its_folder_and_again_from_its_page_and_elsewhere(call: Any, journals: Path) -> None:
    assert call("report", str(journals / "sft-7b-20261103T080000Z-aaaaaa"), "--out", "a.html")[0] == 0
    assert call("report", "a.html", "--out", "b.html")[0] == 0
    assert read("a.html") == read("b.html")
    assert call("report", "sft-7b", "--region", "gcp/europe-north1", "--out", "c.html")[0] == 0
    assert read("a.html")["footprint"]["site"]["region"] == "aws/us-east-1"
    assert read("c.html")["footprint"]["site"]["region"] == "gcp/europe-north1"
    assert read("c.html")["usage"] == read("a.html")["usage"]


def test_a_model_a_kept_plan_and_a_plan_for_elsewhere(call: Any) -> None:
    assert call("report", "llama-3.1-8b")[0] == 0
    assert read("llama-3.1-8b-report.html")["name"] == "llama-3.1-8b"
    assert call("estimate", *ASKED, "--save", "mine")[0] == 0
    assert call("report", "mine", "--out", "mine.html")[0] == 0
    assert call("report", "mine", "--country", "SWE", "--out", "there.html")[0] == 0
    assert [read(name)["site"]["zone"] for name in ("mine.html", "there.html")] == ["FRA", "SWE"]
    with open_ledger() as ledger:
        assert isinstance(ledger.get("mine"), Footprint)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "is no run, plan or model"),
        (["llama-3.1-8"], "did you mean llama-3.1-8b"),
        (["stf-7b"], "did you mean sft-7b"),
        (["llama-3.1-8b", "--out", "x.pdf"], "end it in .html"),
        (["llama-3.1-8b", "--out", "no/such/x.html"], "name a file in a folder that exists"),
        (["gone.html"], "cannot be read"),
        (["llama-3.1-8b", "--country", "XXX"], "is not a known name"),
    ],
)
def test_what_cannot_be_reported_is_told_in_one_line(call: Any, arguments: list[str], told: str) -> None:
    code, _, err = call("report", *arguments)
    assert code == 1
    assert told in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 2


def test_a_name_becomes_a_harmless_file_name(call: Any, tmp_path: Path) -> None:
    from footprint.cli.report import _file_name

    assert _file_name("../../etc/passwd\x00<img>") == "etc-passwd-img"
    assert _file_name("x" * 10_000) == "x" * 60
    assert _file_name("///") == "footprint"


def test_an_estimates_html_is_the_same_page_without_pictures(call: Any) -> None:
    assert call("estimate", *ASKED, "--out", "small.html")[0] == 0
    assert Path("small.html").stat().st_size < 200_000
    assert Run.__name__ not in Path("small.html").read_text("utf-8")[:200]
    assert read("small.html")["words"]
