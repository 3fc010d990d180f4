"""A headless Chromium for tests of pages; absent ones are told with the package that brings them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

WAIT_S = 60.0  # a browser shares its machine


def why_not() -> str:
    """Why no browser can be had here; empty where one can."""
    if importlib.util.find_spec("selenium") is None:
        return "selenium is not installed: pip install -e '.[dev]'"
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"{program} is not installed: apt-get install chromium chromium-driver"
    return ""


class Browser:
    """A page in Chromium: what tests do with it, and what it complained of."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--no-first-run", f"--window-size={width},{height}"):  # fmt: skip
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver: Any = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.execute_cdp_cmd("Network.enable", {})

    def open(self, address: str) -> None:
        self.driver.get(address)

    def js(self, code: str, *given: Any) -> Any:
        return self.driver.execute_script(code, *given)

    def text(self, css: str) -> str:
        """The text of an element with its spaces, '' where there is none."""
        return str(self.js("const n = document.querySelector(arguments[0]); return n ? n.textContent : ''", css))

    def wait(self, told: str, check: Callable[[], Any], wait_s: float = WAIT_S) -> Any:
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            found = check()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{told}: not within {wait_s:g} s; {self.text('main')[:500]}")

    def find(self, css: str) -> Any:
        return self.driver.find_element("css selector", css)

    def press(self, key: str) -> None:
        """A key, for whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(key).perform()

    def type(self, css: str, text: str) -> None:
        """Put text in the place of what is there, by keyboard."""
        from selenium.webdriver.common.keys import Keys

        self.find(css).send_keys(Keys.CONTROL, "a")
        self.find(css).send_keys(text or Keys.DELETE)

    def size(self, width: int, height: int, is_dark: bool = False) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        feature = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def complaints(self) -> list[str]:
        """What the console was told since it was asked last."""
        return [f"{one['level']}: {one['message']}" for one in self.driver.get_log("browser")]

    def requested(self) -> list[str]:
        """Addresses that were asked for since this was asked last."""
        events = [json.loads(one["message"])["message"] for one in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def serious(self, rules: Sequence[str] = ()) -> list[str]:
        """What axe-core finds serious or critical, by all of its rules or by some."""
        found = [importlib.util.find_spec(package) for package in ("axe_playwright_python", "axe_core_python")]
        newest = next((spec.origin for spec in found if spec is not None and spec.origin is not None), None)
        if newest is None:
            pytest.skip("axe-core-python is not installed: pip install -e '.[dev]'")
        (script,) = Path(newest).parent.rglob("axe.min.js")
        if not self.js("return Boolean(window.axe)"):
            self.js(script.read_text(encoding="utf-8"))
        options: dict[str, Any] = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
        found = self.driver.execute_async_script(
            "const [options, done] = arguments; axe.run(document, options).then("
            "r => done(r.violations.map(v => [v.impact, v.id, v.nodes.slice(0, 3).map(n => n.html).join(' | ')])))",
            options,
        )
        return [f"{name}: {where}" for impact, name, where in found if impact in ("serious", "critical")]

    def close(self) -> None:
        self.driver.quit()


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser, or the test is skipped with the reason."""
    if reason := why_not():
        pytest.skip(reason)
    opened = Browser()
    try:
        yield opened
    finally:
        opened.close()
