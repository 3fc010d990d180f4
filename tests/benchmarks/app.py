"""How fast the app is: first paint, an answer after a change, the pages of runs, fifty clients at once.

    .venv/bin/python tests/benchmarks/app.py [--runs 200] [--samples 1000000]

Each time stands beside a yardstick: the same Chromium showing one line, a bare estimate, and how much slower than at
its fastest a fixed loop ran in the page between the changes: on a machine that does other work, divide by it.
Limits: 1.5 s to the first paint and 150 ms to an answer, on two cores that do nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import browsing
import homes

from footprint.app import open_app
from footprint.app.serving import Served
from footprint.app.settings import Settings
from footprint.estimation import doors

FIRST_PAINT_MS, ANSWER_MS = 1500.0, 150.0
DEVICES = 8
SHOWN = {
    "": "dd[id='a-value-facility_energy_kwh']",
    "runs": "#runs-list tbody tr",
    "runs?run=long": "#run-shown table",
    "models": "#rows-shown tbody tr",
    "data?table=prices": "#rows-shown tbody tr",
}
SETTLED_S = 1.2
"""After a change, for the picture that follows it."""

_LOOP = """
const begun = performance.now();
let x = 0;
for (let i = 0; i < 2e7; i++) { x += i % 7; }
return performance.now() - begun + 0 * x;
"""
_CHANGE = """
const [id, value, watched, done] = arguments;
const begun = performance.now(), node = document.querySelector(watched), before = node.textContent;
const look = () => {
  const now = document.querySelector(watched);
  if (now && now.textContent !== before) { done(performance.now() - begun); } else { requestAnimationFrame(look); }
};
dash_clientside.set_props(id, {value: value});
look();
"""


def paints(page: browsing.Browser, address: str, css: str) -> tuple[float, float]:
    """Milliseconds from the start of the navigation to the first paint, and to the content."""
    page.open("about:blank")
    page.open(address)
    page.wait(address, lambda: page.js("return document.querySelector(arguments[0])", css), 60)
    ready = page.js("return performance.now()")
    first = page.js("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return float(first), float(ready)


def answers(page: browsing.Browser, address: str, times: int) -> tuple[list[float], float]:
    """Milliseconds from a change of an input to the number that it moves, and how much slower a loop ran meanwhile."""
    page.open(address + "?params=7B&tokens=2T&accelerator=h100-sxm&count=512&region=aws/us-east-1")
    watched = "dd[id='a-value-total_location_kgco2e']"
    page.wait("the page", lambda: page.text(watched), 60)
    time.sleep(2)
    found, loops = [], []
    for i in range(times):
        given = ("a-tokens", f"{3 + i}T", watched)
        found.append(float(page.driver.execute_async_script(_CHANGE, *given)))
        loops.append(float(page.js(_LOOP)))
        time.sleep(SETTLED_S)
    return found, statistics.median(loops) / min(loops)


def timed(call: Callable[[], Any], times: int) -> float:
    """Least of several, in milliseconds."""
    least = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - begun)
    return 1e3 * least


def clients(served: Served, count: int) -> tuple[float, float]:
    """Of so many clients that ask at once: median and longest wait, in milliseconds."""
    from test_app import OWN, ask

    def one(i: int) -> float:
        begun = time.perf_counter()
        _, error = ask(served.address, i, dict(OWN, count=str(64 * (i + 1))))
        assert error == "", error
        return 1e3 * (time.perf_counter() - begun)

    with ThreadPoolExecutor(count) as pool:
        waits = list(pool.map(one, range(count)))
    return statistics.median(waits), max(waits)


def measure(runs: int, samples: int) -> bool:
    """Print all of it; whether every limit was kept."""
    kept = True
    with tempfile.TemporaryDirectory() as folder, browsing.browser() as page:
        home = Path(folder)
        homes.many(home / "runs", runs)
        homes.long(home / "runs", ticks=samples // DEVICES)
        served = open_app(Settings(port=0, environment={"FOOTPRINT_HOME": str(home)}))
        thread = threading.Thread(target=served.run)
        thread.start()
        try:
            begun = time.perf_counter()
            served.books.settle(600)
            print(f"reading {runs} runs and {samples:,} samples once: {time.perf_counter() - begun:.1f} s")
            bare, _ = paints(page, "data:text/html,<p>one line</p>", "p")
            print(f"yardstick: first paint of one line {bare:.0f} ms")
            for place, css in SHOWN.items():
                found = [paints(page, served.address + place, css) for _ in range(3)]
                first, ready = (min(times) for times in zip(*found, strict=True))
                told = "" if first <= FIRST_PAINT_MS else "  OVER"
                kept = kept and not told
                print(f"/{place:<20} first paint {first:6.0f} ms, content {ready:6.0f} ms{told}")
            waits, slower = answers(page, served.address, 15)
            own = timed(lambda: doors.estimate("llama-3.1-8b"), 5)
            middle = statistics.median(waits)
            told = "" if middle <= ANSWER_MS else "  OVER"
            kept = kept and not told
            print(f"an answer: median {middle:.0f} ms, least {min(waits):.0f}, most {max(waits):.0f}{told}")
            print(f"yardstick: a loop in the page ran {slower:.2f} times as long as at its fastest")
            print(f"yardstick: a bare estimate {own:.0f} ms")
            print("fifty clients at once: median {:.0f} ms, longest {:.0f} ms".format(*clients(served, 50)))
        finally:
            served.stop()
            thread.join()
    return kept


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1_000_000)
    options = parser.parse_args()
    if reason := browsing.why_not():
        sys.exit(reason)
    sys.exit(0 if measure(options.runs, options.samples) else 1)


if __name__ == "__main__":
    main()
