"""The app without a browser: its callbacks as functions, who may come in, and many clients at once."""

from __future__ import annotations

import http.client
import json
import random
import re
import shlex
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import homes
import plotly.utils
import pytest
import yaml

pytest.importorskip("dash")

from flask.testing import FlaskClient
from typer.testing import CliRunner

from footprint import app as room
from footprint.app import building, calculator, fields, lists, pictures, plans, runs, serving, tables
from footprint.app.answers import Answers
from footprint.app.books import Books
from footprint.app.guard import Guard, checked_token
from footprint.app.settings import Settings
from footprint.catalog import open_catalog
from footprint.cli import main
from footprint.errors import InputError, MissingExtra
from footprint.estimation import doors
from footprint.estimation.words import Words
from footprint.report.wording import show_range
from footprint.store.entries import Filter

OWN = (("params", "7B"), ("tokens", "2T"), ("accelerator", "h100-sxm"), ("count", "512"), ("region", "aws/us-east-1"))
TOKEN = "a-token-of-some-length"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("app")
    homes.many(made / "runs", 6)
    homes.hostile(made / "runs")
    return made


@pytest.fixture(scope="module")
def built(home: Path) -> Iterator[tuple[building.App, Books]]:
    app, books = building.build(Settings(environment={"FOOTPRINT_HOME": str(home)}))
    books.settle()
    yield app, books
    books.close()


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers()


def layout(components: Any) -> str:
    """What the browser is sent."""
    return json.dumps(components, cls=plotly.utils.PlotlyJSONEncoder)


def texts(components: Any) -> str:
    """All text of a piece of layout."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, str):
            found.append(node)
        elif isinstance(node, list):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            walk(node.get("props", {}).get("children"))

    walk(json.loads(layout(components)))
    return " ".join(found)


def told(plan: plans.Pairs, answers: Answers, how: str = "") -> dict[str, Any]:
    values = [dict(plan).get(field.word, "") for field in fields.FIELDS]
    *_, found = calculator.answer_of("a", answers)(*values, how or plans.how_of(plan), "")
    return found


# inputs and words


def test_every_word_of_an_estimate_is_an_input() -> None:
    words = set(Words.__annotations__) - {"settings", "name", "stages", "reported"}
    assert {field.word for field in fields.FIELDS if not field.is_setting} == words


def test_every_list_that_an_input_offers_has_names() -> None:
    offered = lists.offered(open_catalog())
    assert {field.names for field in fields.FIELDS if field.names} == set(offered)
    assert all(names for names in offered.values())


def test_every_rung_of_every_slider_can_be_read() -> None:
    from footprint.app.answers import RUNGS

    for word, rungs in RUNGS.items():
        assert list(rungs) == sorted(rungs), word
        assert len(set(rungs)) == len(rungs), word


def test_an_address_becomes_words_and_what_it_does_not_know_is_left_out() -> None:
    given = [("count", " 512 "), ("pue", "1.1"), ("stages", "x"), ("name", "x"), ("data", "/etc"), ("model", "")]
    assert plans.words(plans.pairs(given)) == {"count": "512", "settings": {"pue": "1.1"}}


@pytest.mark.parametrize("name", ["/etc/passwd.yaml", "plan.yaml", "../x.json", "secret.yml"])
def test_no_text_of_an_address_opens_a_file(answers: Answers, name: str) -> None:
    assert "is not a known name" in answers.of((("model", name),)).error
    config = answers.of((("config", name), ("tokens", "1T"), ("accelerator", "h100-sxm")))
    assert (config.word, "is not JSON" in config.error) == ("config", True)


def test_the_second_plan_stands_behind_a_prefix() -> None:
    first, second = calculator.split([("model", "llama-3.1-8b"), ("b.model", "gpt-4"), ("b.count", "8")])
    assert (first, second) == ((("model", "llama-3.1-8b"),), (("model", "gpt-4"), ("count", "8")))
    assert calculator.split([]) == (plans.DEFAULT, None)


def test_what_is_copied_comes_to_the_same_answer() -> None:
    plan = (*OWN, ("pue", "1.1"))
    wanted = doors.estimate(**plans.words(plan)).usage.accelerator_hours
    assert doors.estimate(yaml.safe_load(plans.yaml(plan))).usage.accelerator_hours == wanted
    code = plans.python(plan).replace("print(", "found = (")
    scope: dict[str, Any] = {}
    exec(code, scope)
    assert scope["found"].usage.accelerator_hours == wanted
    ran = CliRunner().invoke(main.app, [*shlex.split(plans.command(plan))[1:], "-f", "json"])
    assert json.loads(ran.stdout)["usage"]["accelerator_hours"]["mid"] == wanted.mid


def test_a_name_that_would_do_something_in_a_shell_is_quoted() -> None:
    plan = (("model", "$(touch x); `y` 'z'"),)
    assert shlex.split(plans.command(plan)) == ["footprint", "estimate", "$(touch x); `y` 'z'"]


# the calculator


def test_the_answer_has_the_digits_of_the_command_line(answers: Answers) -> None:
    values = [dict(OWN).get(field.word, "") for field in fields.FIELDS]
    shown = calculator.answer_of("a", answers)(*values, fields.SIZE, "")[:2]
    result = doors.estimate(**plans.words(OWN))
    said = texts(list(shown)).replace("  (", " (")
    for field, value in (
        ("facility_energy_kwh", result.facility.facility_energy_kwh),
        ("operational_location_kgco2e", result.model_card.operational_location_kgco2e),
        ("rental_on_demand_usd", result.rental_on_demand_usd),
    ):
        assert show_range(field, value) in said, field


def test_every_input_says_where_its_value_comes_from(answers: Answers) -> None:
    found = told(OWN, answers)["fields"]
    assert found["pue"][1:] == ["catalog", found["pue"][2]]
    assert "gsf_real_time_cloud" in found["pue"][2]
    assert found["mfu"][1] == "modelled"
    assert found["lifetime_h"][1] == "default"
    assert found["zone"] == ["US-MIDA-PJM", "catalog", "of aws/us-east-1"]
    given = dict(OWN)
    assert [f.word for f in fields.FIELDS if f.word not in given and not any(found[f.word])] == []


def test_a_slider_stands_where_its_value_is(answers: Answers) -> None:
    places = told((*OWN, ("pue", "1.2")), answers)["sliders"]
    assert fields.PUES[places["pue"]] == "1.20"
    assert fields.COUNTS[places["count"]] == "512"
    assert fields.TOKENS[places["tokens"]] == "2T"


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        ("accelerator", "h100-sxn", "did you mean h100-sxm"),
        ("region", "us-east", "did you mean"),
        ("pue", "0.3", "must be at least 1"),
        ("params", "7X", "is not a number"),
        ("count", "1.5", "must be a whole number"),
        ("precision", "fp9", "choose one of"),
        ("year", "1", "is outside"),
        ("layout", "tp=banana", "is not a number"),
        ("layout", "xx=1", "is not a known name"),
        ("zone", "ZZ", "is not a known name"),
        ("country", "ZZ", "is not a known name"),
    ],
)
def test_an_error_is_shown_at_its_input(answers: Answers, word: str, value: str, said: str) -> None:
    found = told(tuple(dict(OWN, **{word: value}).items()), answers)
    assert found["word"] == word
    assert said in found["error"]


def test_an_error_keeps_the_last_answer(answers: Answers) -> None:
    values = [dict(OWN, count="x").get(field.word, "") for field in fields.FIELDS]
    shown, *_ = calculator.answer_of("a", answers)(*values, fields.SIZE, "")
    assert type(shown).__name__ == "NoUpdate"


def test_words_of_another_way_of_saying_it_do_not_count(answers: Answers) -> None:
    both = (("model", "llama-3.1-8b"), *OWN)
    assert ["model", "llama-3.1-8b"] not in told(both, answers, fields.SIZE)["pairs"]
    assert ["params", "7B"] not in told(both, answers, fields.PRESET)["pairs"]


def test_a_fresh_page_has_its_answer_in_it(answers: Answers) -> None:
    page = calculator.page([("model", "llama-3.1-8b"), ("b.model", "llama-3.1-70b")], answers)
    sent = layout(page)
    for side in "ab":
        assert f'"id": "{side}-value-facility_energy_kwh"' in sent
    assert sent.count('"fresh": true') == 2


@pytest.mark.parametrize("kind", pictures.known(pictures.SIDE_BY_SIDE))
def test_every_picture_of_a_plan_is_drawn_on_light_and_dark(answers: Answers, kind: str) -> None:
    one = told(OWN, answers)
    draw = calculator.picture_of(answers, None)
    light, dark = draw(one, one, kind, {"dark": False}), draw(one, one, kind, {"dark": True})
    assert light.figure["data"], kind
    assert light.finding
    assert "footprint" in light.assumed
    assert layout(light.figure) != layout(dark.figure)


def test_a_graph_is_kept_from_one_picture_to_the_next_of_its_kind(answers: Answers) -> None:
    drawn = calculator.picture_of(answers, None)(told(OWN, answers), None, "tornado")
    first = pictures.show("picture-graph", drawn, "")
    again = pictures.show("picture-graph", drawn, first[4])
    other = pictures.show("picture-graph", drawn, "answer 500")
    assert [type(one).__name__ for one in first[1:3]] == ["Graph", "NoUpdate"]
    assert [type(one).__name__ for one in again[1:3]] == ["NoUpdate", "dict"]
    assert [type(one).__name__ for one in other[1:3]] == ["Graph", "NoUpdate"]


def test_no_answer_is_no_picture(answers: Answers) -> None:
    drawn = calculator.picture_of(answers, None)(told((("model", "no"),), answers), None, "scaling")
    assert (drawn.figure, "No picture" in drawn.finding) == (None, True)


# runs


def test_the_ledger_is_listed_with_its_sum_and_filtered(built: tuple[building.App, Books]) -> None:
    _, books = built
    assert "12 runs" in texts(runs.listing({}, books))
    assert "2 runs" in texts(runs.listing({"project": "llm"}, books))
    assert "vision" in texts(runs.listing({"by": "project"}, books))
    assert "write 2026-11-03" in texts(runs.listing({"since": "soon"}, books))


def test_a_run_has_a_page_with_its_tables(built: tuple[building.App, Books]) -> None:
    shown = texts(runs.run_page("run-001", built[1]))
    assert "What it cost" in shown
    assert "Where the energy went" in shown
    assert "did you mean run-001" in texts(runs.run_page("run-00x1", built[1]))


def test_hostile_names_are_text_and_nothing_else(built: tuple[building.App, Books]) -> None:
    _, books = built
    for place in range(len(homes.HOSTILE)):
        sent = layout(runs.run_page(f"evil-{place}", books))
        assert "dangerously" not in sent
        assert "\u202e" not in texts(runs.run_page(f"evil-{place}", books))
    assert runs.link('a"><img>&run=b') == "/runs?run=a%22%3E%3Cimg%3E%26run%3Db"


def test_what_runs_tells_how_long_it_will_go_on_and_what_it_will_have_used(tmp_path: Path) -> None:
    homes.running(tmp_path / "runs", "told", steps=100.0, done=25.0)
    homes.running(tmp_path / "runs", "untold")
    books = Books(Settings(environment={"FOOTPRINT_HOME": str(tmp_path)}))
    books.settle()
    shown = {one.children[0].children: texts(one) for one in runs.live(books)}
    books.close()
    assert "Done 25% Time left" in " ".join(shown["told"].split())
    assert "In the end" in shown["told"]
    assert "Time left" not in shown["untold"]


def test_what_cannot_be_read_hides_no_other_run(tmp_path: Path) -> None:
    homes.measured(tmp_path / "runs", "good")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "x.jsonl").write_text("nonsense\n", encoding="utf-8")
    books = Books(Settings(environment={"FOOTPRINT_HOME": str(tmp_path)}))
    books.settle()
    shown = texts(runs.listing({}, books))
    books.close()
    assert "good" in shown
    assert "bad cannot be read" in shown


def test_a_ledger_that_cannot_be_opened_is_told_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    books = Books(Settings(environment={"FOOTPRINT_HOME": str(tmp_path)}))
    books.settle()
    assert "is no ledger" in texts(runs.page({}, books))


# models and data


@pytest.mark.parametrize("table", [*tables.MODELS, *tables.DATA])
def test_every_table_is_shown_with_source_and_date(table: str) -> None:
    shown = tables.rows(table, "", "1", open_catalog())
    assert re.search(r"1 to \d+ of [\d,]+", texts(shown))
    assert "source" in texts(shown) or table == "sources"
    assert "as of" in texts(shown)


def test_thousands_of_rows_are_paged() -> None:
    assert len(layout(tables.rows("prices", "", "1", open_catalog()))) < 150_000
    last = texts(tables.rows("prices", "", "9999", open_catalog()))
    assert re.search(r"1,501 to 1,5\d\d of 1,5\d\d", last)
    assert "No row" in texts(tables.rows("prices", "no such thing", "1", open_catalog()))
    assert "no table" in texts(tables.rows("secrets", "", "1", open_catalog()))


# who may come in


def client(token: str | None = None, host: str = "127.0.0.1") -> FlaskClient:
    app, _ = building.build(Settings(environment={"FOOTPRINT_HOME": "/nowhere"}))
    Guard(host, 8050, token, app.csp_hashes()).protect(app.server)
    return app.server.test_client()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8050", 200), ("localhost:9999", 200), ("[::1]:8050", 200),
        ("evil.example:8050", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil.example", 421), ("10.0.0.1", 421),
    ],
)  # fmt: skip
def test_a_foreign_name_that_leads_here_is_refused(host: str, status: int) -> None:
    assert client().get("/", headers={"Host": host}).status_code == status


def test_other_sites_may_link_here_but_ask_nothing() -> None:
    browser, own = client(), {"Host": "127.0.0.1:8050"}
    post = {"json": {}, "headers": own | {"Origin": "http://evil.example"}}
    assert browser.post("/_dash-update-component", **post).status_code == 403
    foreign = own | {"Sec-Fetch-Site": "cross-site"}
    assert browser.get("/lists.json", headers=foreign | {"Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert browser.get("/", headers=foreign | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_a_page_may_load_from_its_own_address_alone() -> None:
    answer = client().get("/", headers={"Host": "127.0.0.1"})
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy
    assert re.findall(r'(?:src|href)="(?!/|data:,)', answer.text) == []


def test_the_token_is_asked_for_taken_once_and_kept_in_a_cookie() -> None:
    browser, own = client(TOKEN, "0.0.0.0"), {"Host": "10.1.2.3:8050"}
    for path in ("/", "/_dash-layout", "/lists.json", "/assets/app.js"):
        assert browser.get(path, headers=own).status_code == 401, path
    assert browser.get("/?token=wrong", headers=own).status_code == 401
    welcome = browser.get(f"/runs?token={TOKEN}&name=a%22b", headers=own)
    cookie = welcome.headers["Set-Cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "footprint-8050="))
    assert "url=/runs?name=a%22b" in welcome.text
    assert TOKEN not in welcome.text
    assert browser.get("/", headers=own).status_code == 200
    away = {"PATH_INFO": "//evil.example/"}
    assert "url=/evil.example/" in browser.get(f"/?token={TOKEN}", headers=own, environ_overrides=away).text


def test_the_token_may_be_typed() -> None:
    browser, own = client(TOKEN, "0.0.0.0"), {"Host": "10.1.2.3:8050"}
    assert browser.post("/open", data={"token": "no"}, headers=own).status_code == 401
    assert browser.post("/open", data={"token": TOKEN}, headers=own).status_code == 200
    assert browser.get("/_dash-layout", headers=own).status_code == 200


@pytest.mark.parametrize("token", ["short", "with spaces in it and long", "ümlaut-ümlaut-ümlaut"])
def test_a_token_that_is_none_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(InputError, match="16 or more letters") as refused:
        checked_token(token)
    assert token not in str(refused.value)


def test_bound_elsewhere_a_token_is_made_and_here_none_is_needed(tmp_path: Path) -> None:
    environment = {"FOOTPRINT_HOME": str(tmp_path)}
    there = room.open_app(Settings("0.0.0.0", 0, environment=environment))
    here = room.open_app(Settings(port=0, environment=environment))
    with pytest.raises(InputError, match="another program has it"):
        room.open_app(Settings(port=here.server.port, environment=environment))
    for one in (there, here):
        one.server.server_close()
    assert there.is_made
    assert len(there.token or "") >= 32
    assert (here.token, here.link) == (None, here.address)
    with pytest.raises(InputError, match="is no port"):
        room.open_app(Settings(port=70_000))
    with pytest.raises(InputError, match="cannot be bound"):
        room.open_app(Settings("203.0.113.7", 0, TOKEN))


def test_without_dash_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'footprint\[app\]'"):
        room.open_app(Settings())


# many at once


def ask(address: str, count: int, values: dict[str, str]) -> tuple[str, str]:
    """One client: the answer to a change, over the wire as a browser asks for it."""
    given = [{"id": f"a-{f.word}", "property": "value", "value": values.get(f.word, "")} for f in fields.FIELDS]
    given += [{"id": "a-how", "property": "data", "value": "size"}, {"id": "a-reported", "property": "data"}]
    outputs = [{"id": f"a-{part}", "property": "children"} for part in ("answer", "more")]
    outputs.append({"id": "a-told", "property": "data"})
    body = {
        "output": "..a-answer.children...a-more.children...a-told.data..", "outputs": outputs, "inputs": given,
        "changedPropIds": ["a-count.value"], "parsedChangedPropsIds": ["a-count.value"],
    }  # fmt: skip
    connection = http.client.HTTPConnection(address.removeprefix("http://").rstrip("/"), timeout=60)
    connection.request("POST", "/_dash-update-component", json.dumps(body), {"Content-Type": "application/json"})
    found = json.loads(connection.getresponse().read())["response"]
    connection.close()
    return texts(found["a-answer"]["children"]).replace("  (", " ("), found["a-told"]["data"]["error"]


def test_fifty_clients_at_once_get_right_answers(home: Path) -> None:
    served = serving.open_app(Settings(port=0, environment={"FOOTPRINT_HOME": str(home)}))
    thread = threading.Thread(target=served.run)
    thread.start()
    counts = [64 * (1 + i % 25) for i in range(50)]
    random.Random(1).shuffle(counts)
    try:
        with ThreadPoolExecutor(50) as clients:
            asked = [clients.submit(ask, served.address, n, dict(OWN, count=str(n))) for n in counts]
            found = [one.result() for one in asked]
    finally:
        served.stop()
        thread.join()
    for count, (said, error) in zip(counts, found, strict=True):
        assert error == ""
        wanted = doors.estimate(**plans.words(tuple(dict(OWN, count=str(count)).items())))
        assert show_range("facility_energy_kwh", wanted.facility.facility_energy_kwh) in said, count
        assert f"{count:,} × h100-sxm" in said


def test_many_look_at_the_ledger_at_once(built: tuple[building.App, Books]) -> None:
    _, books = built
    with ThreadPoolExecutor(20) as clients:
        found = [one.result() for one in [clients.submit(books.list, Filter()) for _ in range(60)]]
    assert {len(entries) for entries in found} == {12}


def test_the_command_line_says_what_it_does() -> None:
    ran = CliRunner().invoke(main.app, ["app", "--help"])
    assert "footprint app" in ran.stdout.split("Examples:")[1]
