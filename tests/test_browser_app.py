"""The app in a real Chromium, by mouse and keyboard: its numbers are the command line's, hostile names do nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import browsing
import homes
import pytest

pytest.importorskip("dash")

from footprint.app import open_app
from footprint.app.serving import Served
from footprint.app.settings import Settings
from footprint.estimation import doors
from footprint.report.wording import entries, show_entry

pytestmark = [pytest.mark.slow, pytest.mark.clock]

CHILD = """
import time, footprint
with footprint.track("moves", country="FRA", interval_s=0.1) as run:
    while True:
        sum(i * i for i in range(100_000))
        run.step(tokens=1000)
"""


@pytest.fixture(scope="module")
def page() -> Iterator[browsing.Browser]:
    with browsing.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("app")
    homes.many(made / "runs", 12)
    homes.hostile(made / "runs")
    return made


@pytest.fixture(scope="module")
def served(home: Path, page: browsing.Browser) -> Iterator[Served]:
    environment = {"FOOTPRINT_HOME": str(home), "FOOTPRINT_CLAIMS": str(home / "claims")}
    opened = open_app(Settings(port=0, environment=environment, refresh_s=0.3))
    thread = threading.Thread(target=opened.run)
    thread.start()
    yield opened
    opened.stop()
    thread.join()


@pytest.fixture(autouse=True)
def quiet(page: browsing.Browser, served: Served) -> Iterator[None]:
    """No test leaves a complaint in the console or a request to elsewhere."""
    page.size(1280, 900)
    page.complaints(), page.requested()
    yield
    assert page.complaints() == []
    assert [url for url in page.requested() if not url.startswith((served.address, "data:", "blob:"))] == []


def expected(**words: Any) -> dict[str, str]:
    """What the command line prints, by quantity; the same functions with the same words."""
    result = doors.estimate(**words)
    return {e.field: show_entry(e) for e in entries(result) if e.convention in ("", "facility")}


def shown(page: browsing.Browser, side: str = "a") -> dict[str, str]:
    found: dict[str, str] = page.js(
        "const side = arguments[0]; return Object.fromEntries(Array.from(document.querySelectorAll("
        "`dd[id^='${side}-value-']`)).map(n => [n.id.slice(8), n.textContent]))",
        side,
    )
    return found


def agrees(page: browsing.Browser, side: str = "a", **words: Any) -> None:
    wanted = expected(**words)
    page.wait(
        f"{words} is answered with {wanted['facility_energy_kwh']}, not {shown(page, side)}",
        lambda: (s := shown(page, side)) and all(wanted[field] == told for field, told in s.items()),
    )


def test_typed_and_dragged_inputs_give_the_numbers_of_the_command_line(page: browsing.Browser, served: Served) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open(served.address)
    agrees(page, model="llama-3.1-405b")
    page.find("button[data-store='a-how'][data-value='size']").click()
    agrees(page, params="7B", tokens="2T", accelerator="h100-sxm", count="512")
    page.type("#a-count", "1024")
    page.find("#a-count").send_keys(Keys.TAB)
    page.type("#a-region", "aws/us-east-1")
    agrees(page, params="7B", tokens="2T", accelerator="h100-sxm", count="1024", region="aws/us-east-1")
    page.find("#a-pue-slide").send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.wait("the slider writes its input", lambda: page.find("#a-pue").get_property("value") == "1.04")
    words = {"params": "7B", "tokens": "2T", "accelerator": "h100-sxm", "count": "1024", "region": "aws/us-east-1"}
    agrees(page, **words, settings={"pue": "1.04"})
    command = page.text("#a-copy-cli")
    printed = subprocess.run([sys.executable, "-m", *command.split()], capture_output=True, text=True, check=True)
    told = shown(page)
    assert command.endswith("--set pue=1.04")
    for field in ("accelerator_hours", "facility_energy_kwh", "total_location_kgco2e"):
        assert told[field] in printed.stdout, (field, told[field], printed.stdout)


def test_a_link_reproduces_the_page_and_back_goes_back(page: browsing.Browser, served: Served) -> None:
    page.open(served.address + "?model=llama-3.1-8b&count=2048")
    agrees(page, model="llama-3.1-8b", count="2048")
    page.type("#a-country", "FRA")
    agrees(page, model="llama-3.1-8b", count="2048", country="FRA")
    page.wait("the address follows", lambda: "country=FRA" in page.driver.current_url)
    link, told = page.driver.current_url, shown(page)
    page.driver.back()
    agrees(page, model="llama-3.1-8b", count="2048")
    assert page.find("#a-country").get_property("value") == ""
    page.open("about:blank")
    page.open(link)
    page.wait("the link shows the same", lambda: shown(page) == told)
    assert page.find("#a-country").get_property("value") == "FRA"


def test_an_error_stands_at_its_input_with_the_names_that_were_meant(page: browsing.Browser, served: Served) -> None:
    page.open(served.address + "?params=7B&tokens=2T&accelerator=h100-sxm&count=512")
    agrees(page, params="7B", tokens="2T", accelerator="h100-sxm", count="512")
    page.type("#a-accelerator", "h100-sxn")
    page.wait("the error is told", lambda: "did you mean h100-sxm" in page.text("#a-accelerator-told"))
    assert page.find("#a-accelerator").get_attribute("aria-invalid") == "true"
    page.find("#a-accelerator-told button").click()
    agrees(page, params="7B", tokens="2T", accelerator=page.find("#a-accelerator").get_property("value"), count="512")
    assert page.find("#a-accelerator").get_attribute("aria-invalid") is None


def test_two_plans_stand_side_by_side(page: browsing.Browser, served: Served) -> None:
    page.open(served.address + "?model=llama-3.1-8b")
    agrees(page, model="llama-3.1-8b")
    page.find("#beside").click()
    agrees(page, "b", model="llama-3.1-8b")
    page.type("#b-count", "96")
    agrees(page, "b", model="llama-3.1-8b", count="96")
    agrees(page, "a", model="llama-3.1-8b")
    page.wait("the address has both", lambda: "b.count=96" in page.driver.current_url)
    page.find("#alone").click()
    page.wait("one is left", lambda: not page.js("return document.querySelector('#b-count')"))


def test_a_picture_is_drawn_and_another_one_chosen(page: browsing.Browser, served: Served) -> None:
    page.open(served.address + "?model=llama-3.1-8b")
    first = page.wait("a picture", lambda: page.text("#picture-graph h3"))
    page.find("button[data-store='picture'][aria-pressed='false']").click()
    page.wait("another picture", lambda: page.text("#picture-graph h3") not in ("", first))


def test_a_live_run_appears_and_moves(page: browsing.Browser, served: Served, home: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open(served.address + "runs")
    page.wait("runs are listed", lambda: "12" in page.text("#runs-sum") or "18 runs" in page.text("#runs-sum"))
    environment = os.environ | {"FOOTPRINT_HOME": str(home), "FOOTPRINT_CLAIMS": str(home / "claims")}
    child = subprocess.Popen([sys.executable, "-c", CHILD], env=environment)
    try:
        first = page.wait("the run appears by itself", lambda: page.text("#runs-live .live"), 180)
        assert "moves" in first
        link = "#runs-live a"
        page.js("document.querySelector(arguments[0]).focus()", link)
        page.wait("and moves", lambda: page.text("#runs-live .live") not in ("", first))
        page.wait(
            "what had the focus keeps it", lambda: page.js("return document.activeElement.matches(arguments[0])", link)
        )

        def is_open() -> bool:
            """A key may fall between an old link and the new one that takes its place."""
            page.press(Keys.ENTER)
            return page.text("#run-shown h1") == "moves · running"

        page.wait("its page opens", is_open)
        before = page.text("#run-shown")
        page.wait("and moves too", lambda: page.text("#run-shown") not in ("", before))
    finally:
        child.kill()
        child.wait()


def test_hostile_names_do_nothing(page: browsing.Browser, served: Served) -> None:
    page.open(served.address + "runs?name=*")
    page.wait("runs are listed", lambda: page.js("return document.querySelectorAll('#runs-list tbody tr').length") > 12)
    links = page.js("return Array.from(document.querySelectorAll('#runs-list tbody a')).map(a => a.href)")
    evil = [link for link in links if "evil" in link]
    assert len(evil) == len(homes.HOSTILE)
    for link in evil:
        page.open(link)
        page.wait("its page", lambda: page.text("#run-shown h1"))
        assert page.js("return document.documentElement.scrollWidth <= innerWidth")
        assert page.js("return [window.hurt, document.querySelectorAll('main img, main script').length]") == [None, 0]
    page.open(served.address + "?model=%3Cimg%20src%3Dx%20onerror%3Dwindow.hurt%3D1%3E")
    page.wait("it is told", lambda: "is not a known name" in page.text("#a-problem"))
    assert page.js("return [window.hurt, document.querySelectorAll('main img').length]") == [None, 0]


def test_the_catalog_is_searched_and_paged(page: browsing.Browser, served: Served) -> None:
    page.open(served.address + "data?table=prices")
    page.wait("prices", lambda: "1 to 50 of 1,5" in page.text(".pager"))
    page.find("button[aria-label='next page']").click()
    page.wait("the next page", lambda: "51 to 100 of" in page.text(".pager"))
    page.type("#rows-words", "h100 crusoe")
    page.wait("found", lambda: page.text(".pager").count("1 to ") and "crusoe" in page.text("#rows-shown tbody"))
    assert "words=h100+crusoe" in page.driver.current_url
    page.find("a[href='/models']").click()
    page.wait("models", lambda: "llama-1-7b" in page.text("#rows-shown"))
    page.find("#rows-shown tbody a").click()
    agrees(page, model="llama-1-7b")


PLACES = {
    "": "dd[id^=a-value-]",
    "runs?run=run-003": "#run-shown table",
    "models?words=llama-3.1-8b": "#rows-shown tbody",
}
"""A page of each kind, with what is there once it is whole; one row of a table stands for all of them."""


def test_no_page_has_a_serious_fault_of_access_and_none_scrolls_sideways_on_a_phone(
    page: browsing.Browser, served: Served
) -> None:
    for place, whole in PLACES.items():
        page.size(390, 844)
        page.open(served.address + place)
        page.wait("the page", partial(page.text, whole))
        time.sleep(0.4)  # notes and pictures
        assert page.js("return document.documentElement.scrollWidth") <= 390, place
        assert page.serious() == [], place
        page.size(1280, 900, is_dark=True)
        assert page.serious(["color-contrast"]) == [], place


def test_every_input_has_a_label_and_shows_its_focus(page: browsing.Browser, served: Served) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open(served.address)
    page.wait("the page", lambda: shown(page))
    page.js("document.body.focus()")
    seen = set()
    for _ in range(12):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        at = page.js(
            "const n = document.activeElement; return [n.id || n.textContent, getComputedStyle(n).outlineStyle]"
        )
        assert at[1] != "none", at
        seen.add(at[0])
    assert len(seen) == 12
