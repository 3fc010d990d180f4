"""The report page in a real Chromium, from disk and offline: nothing fails, no name acts, all can be reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import browsing
import handmade_runs
import pytest

from footprint.estimation import doors, parting
from footprint.report import charts, page, page_pictures, run_page
from footprint.values import Assumption, Footprint, Range, Run, WindowUsage

pytestmark = pytest.mark.slow

PHONE, DESK = (390, 844), (1280, 800)
HOSTILE = {
    "image": '<img src=x onerror="window.hurt=1;alert(1)">',
    "quote": '"; drop table runs; --" onfocus="window.hurt=1" autofocus x="',
    "long": "A" * 10_000,
    "right-to-left": "\u202eexe.gnp\u200f\u2067 שלום",
    "script": "</script><script>window.hurt=1;alert(1)</script>",
    "comment": "<!--<script>",
    "line": "a\u2028b\u2029c\r\nwindow.hurt=1",
    "template": "{{7*7}}${window.hurt=1}%{hurt}<br><a href='javascript:window.hurt=1'>x</a>",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[browsing.Browser]:
    with browsing.browser() as opened:
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        opened.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        yield opened


@pytest.fixture(scope="module")
def plan() -> Footprint:
    return doors.estimate("llama-3.1-8b", sensitivity=True)


def figures(found: Footprint) -> dict[str, Any]:
    answer = parting.answer(found)
    return {"answer": charts.answer(answer), "bridge": charts.bridge(answer), "tornado": charts.tornado(found)}


@pytest.fixture(scope="module")
def pages(plan: Footprint, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A plan's and a run's page on disk. Any figures do for the run: what is tested is the page around them."""
    folder = tmp_path_factory.mktemp("pages")
    run, drawn = replace(handmade_runs.eventful(), planned=plan), figures(plan)
    run_figures = {"components": drawn["answer"], "planned": drawn["bridge"]}
    texts = {
        "plan": page.page(plan, page_pictures.of_plan(plan, drawn, parting.answer(plan))),
        "run": run_page.document(run, page_pictures.of_run(run, run_figures)),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


def opened(browser: browsing.Browser, path: Path, size: tuple[int, int] = DESK, is_dark: bool = False) -> None:
    browser.size(*size, is_dark=is_dark)
    browser.complaints()
    browser.requested()
    browser.open(path.as_uri())


@pytest.mark.parametrize("name", ["plan", "run"])
def test_a_page_from_disk_without_a_network_asks_for_nothing_and_complains_of_nothing(
    browser: browsing.Browser, pages: dict[str, Path], name: str
) -> None:
    opened(browser, pages[name])
    assert browser.js("return document.querySelectorAll('.chart .main-svg').length") >= 2
    assert browser.requested() == [pages[name].as_uri()]
    assert browser.complaints() == []


@pytest.mark.parametrize("name", ["plan", "run"])
def test_axe_finds_nothing_serious(browser: browsing.Browser, pages: dict[str, Path], name: str) -> None:
    opened(browser, pages[name])
    browser.js("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert browser.serious() == []
    browser.size(*DESK, is_dark=True)
    found = browser.driver.execute_async_script(
        "const done = arguments[0]; axe.run(document, {runOnly: ['color-contrast'], resultTypes: ['violations']}).then("
        "r => done(r.violations.map(v => v.id)))"
    )
    assert found == []


@pytest.mark.parametrize("name", ["plan", "run"])
def test_a_phone_shows_the_answer_first_and_never_scrolls_sideways(
    browser: browsing.Browser, pages: dict[str, Path], name: str
) -> None:
    opened(browser, pages[name], PHONE)
    assert browser.js("return document.documentElement.scrollWidth") <= PHONE[0]
    assert browser.js("return document.querySelector('.answer').getBoundingClientRect().bottom") < PHONE[1]
    widths = browser.js("return [...document.querySelectorAll('.chart .main-svg')].map(s => s.clientWidth)")
    assert widths
    assert max(widths) <= PHONE[0]


def test_pictures_take_the_colours_of_screen_and_paper(browser: browsing.Browser, pages: dict[str, Path]) -> None:
    ink = "return getComputedStyle(document.querySelector('#chart-answer .xtick text')).fill"
    opened(browser, pages["plan"])
    light = browser.js(ink)
    browser.size(*DESK, is_dark=True)
    dark = browser.wait("dark ink", lambda: (found := browser.js(ink)) != light and found)
    browser.js("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.js(ink) == light
    assert browser.js("return document.querySelectorAll('details:not([open])').length") == 0
    browser.js("window.dispatchEvent(new Event('afterprint'))")
    assert browser.js(ink) == dark
    assert browser.js("return document.querySelectorAll('details:not([open])').length") > 0


def test_it_prints_with_its_pictures_within_the_paper(browser: browsing.Browser, pages: dict[str, Path]) -> None:
    import base64

    opened(browser, pages["plan"], is_dark=True)
    browser.js("window.printed = []; window.addEventListener('beforeprint', () => window.printed.push("
               "...[...document.querySelectorAll('.chart .main-svg')].map(s => s.clientWidth)))")  # fmt: skip
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
    widths = browser.js("return window.printed")
    assert widths
    assert max(widths) < 690


def test_the_keyboard_reaches_all_that_can_be_used(browser: browsing.Browser, pages: dict[str, Path]) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    opened(browser, pages["run"], PHONE)
    browser.js("window.reached = new Set(); document.addEventListener('focusin', e => window.reached.add(e.target))")
    kinds = "a[href], button, summary, pre, .scroll[tabindex]"
    wanted = f"[...document.querySelectorAll('{kinds}')].filter(e => e.checkVisibility())"
    count = browser.js(f"return {wanted}.length")
    assert count > 20
    tabs = ActionChains(browser.driver)
    for _ in range(count + 5):
        tabs.send_keys(Keys.TAB)
    tabs.perform()
    missed = f"return {wanted}.filter(e => !window.reached.has(e)).map(e => e.outerHTML.slice(0, 90))"
    browser.wait("all reached", lambda: browser.js(missed) == [])
    # the last of the keys may still be under way
    skip = "const e = document.querySelector('.skip'); e.focus(); return e.getBoundingClientRect().left"
    browser.wait("a link to skip to what is said", lambda: browser.js(skip) >= 0)
    styled = "document.querySelector('nav a').focus(); return getComputedStyle(document.activeElement).outlineStyle"
    browser.wait("an outline", lambda: browser.js(styled) == "solid")


def test_copying_puts_the_paragraph_on_the_clipboard_or_selects_it(
    browser: browsing.Browser, pages: dict[str, Path]
) -> None:
    opened(browser, pages["plan"])
    button = browser.find("#methods blockquote .copy")
    button.send_keys(" ")
    assert button.text in ("Copied", "Selected: press Ctrl+C")
    assert browser.js("return String(window.getSelection())").startswith("We estimated the training of llama-3.1-8b")


def hostile_plan(plan: Footprint, bad: str) -> Footprint:
    """Every text of it is hostile."""
    every = tuple(HOSTILE.values())
    steps = zip(plan.steps, every, strict=False)
    return replace(
        plan,
        name=bad,
        notes=(bad, *every),
        words=json.dumps({"name": bad}),
        steps=tuple(replace(step, part=one, reference=one) for step, one in steps),
        ledger=tuple(Assumption(one, one, "given", one, one) for one in every),
        site=replace(plan.site, region=bad),
        usage=replace(plan.usage, lines=tuple(replace(line, name=bad) for line in plan.usage.lines)),
        plan=replace(plan.plan, organization=bad) if plan.plan else None,
        sensitivities=tuple(replace(s, field=one) for s, one in zip(plan.sensitivities, every, strict=False)),
    )


def hostile_run(plan: Footprint, bad: str) -> Run:
    run = handmade_runs.eventful()
    return replace(
        run, name=bad, id=bad, project=bad, tags=(bad,), hosts=(bad,), status=bad, notes=tuple(HOSTILE.values()),
        footprint=hostile_plan(plan, bad), planned=hostile_plan(plan, bad),
        windows=tuple(WindowUsage(one, 1, 1.0, Range(1, 1, 1)) for one in HOSTILE.values()),
        meters=tuple(replace(m, host=bad, meter=replace(m.meter, id=bad, name=bad, sensor=bad)) for m in run.meters),
    )  # fmt: skip


def does_nothing(browser: browsing.Browser, path: Path, text: str, name: str) -> None:
    path.write_text(text, encoding="utf-8")
    opened(browser, path, PHONE)
    browser.js("document.querySelectorAll('[tabindex], a, summary').forEach(e => { e.focus(); })")
    found = browser.js(
        "const count = css => document.querySelectorAll(css).length; return [window.hurt === undefined,"
        "count('img, iframe, form, input, object, svg script'), count('a:not([href^=\"#\"])'), count('h1'),"
        "document.documentElement.scrollWidth,"
        "window.scrollY + document.querySelector('.answer').getBoundingClientRect().top,"
        "JSON.parse(document.getElementById('footprint').textContent).name]"
    )
    assert found[:4] == [True, 0, 0, 1]
    assert found[4] <= PHONE[0]
    assert found[5] < PHONE[1]
    assert found[6] == name
    assert browser.requested() == [path.as_uri()]
    assert browser.complaints() == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_does_nothing(browser: browsing.Browser, plan: Footprint, tmp_path: Path, name: str) -> None:
    bad = HOSTILE[name]
    does_nothing(browser, tmp_path / "run.html", run_page.document(hostile_run(plan, bad)), bad)


def test_hostile_names_do_nothing_in_pictures(browser: browsing.Browser, plan: Footprint, tmp_path: Path) -> None:
    evil = hostile_plan(plan, HOSTILE["template"])
    drawn = page_pictures.of_plan(evil, {"tornado": charts.tornado(evil)})
    does_nothing(browser, tmp_path / "plan.html", page.page(evil, drawn), evil.name)


def test_a_script_put_into_a_page_does_not_run(
    browser: browsing.Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    """The policy holds even where an escape would fail."""
    text = pages["plan"].read_text(encoding="utf-8")
    broken = text.replace("</main>", "<script>window.hurt=1</script><img src=x onerror='window.hurt=1'></main>")
    path = tmp_path / "broken.html"
    path.write_text(broken, encoding="utf-8")
    opened(browser, path)
    assert browser.js("return window.hurt === undefined")
    assert any("Content Security Policy" in told for told in browser.complaints())
