"""Everything that an export is: runs that are followed, a page that is scraped, outputs that are fed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from footprint.errors import FootprintError
from footprint.export.outputs import Output
from footprint.export.runs import LiveRuns
from footprint.export.serving import Served

__all__ = ["Exporter"]

_LAST_S = 12.0
"""An output that hangs at the end is left after so long."""


class Exporter:
    """Runs from `start` to `stop`.

    Parameters
    ----------
    runs : the ones that are followed
    served : the page for Prometheus
    outputs : fed each interval, each on a thread of its own so that none waits for another
    every_s : seconds
    tell : takes remarks
    """

    def __init__(
        self,
        runs: LiveRuns,
        served: Served | None,
        outputs: Sequence[Output],
        every_s: float,
        tell: Callable[[str], object],
    ) -> None:
        self._runs, self._served, self._outputs = runs, served, tuple(outputs)
        self._every_s, self._tell = every_s, tell
        self._stopping = threading.Event()
        self._problems: dict[str, str] = {}
        self._threads = [
            threading.Thread(target=self._feed, args=(one,), name=f"footprint-export-{one.name}", daemon=True)
            for one in self._outputs
        ]

    def start(self) -> None:
        """Follow, serve and feed."""
        self._runs.start()
        if self._served is not None:
            self._served.start()
        for thread in self._threads:
            thread.start()

    def once(self) -> bool:
        """Look round, feed every output once, and say whether all took it."""
        self._runs.look(is_patient=True)
        for one in self._outputs:
            self._send(one)
        return not any(self._problems.values())

    def stop(self) -> None:
        """End all of it; what would be taken for live numbers is taken away."""
        self._stopping.set()
        if self._served is not None:
            self._served.stop()
        self._runs.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=_LAST_S)
        for one in self._outputs:
            one.close()

    def _feed(self, output: Output) -> None:
        while not self._stopping.is_set():
            if self._runs.has_looked:
                self._send(output)
            self._stopping.wait(self._every_s if self._runs.has_looked else min(self._every_s, 1.0))

    def _send(self, output: Output) -> None:
        """A failure is told once, and again when it is another; the next interval tries anew."""
        try:
            output.send(self._runs.now())
            problem = ""
        except FootprintError as error:
            problem = str(error)
        before = self._problems.get(output.name, "")
        if problem and problem != before:
            self._tell(problem)
        elif before and not problem:
            self._tell(f"{output.name} takes numbers again")
        self._problems[output.name] = problem
