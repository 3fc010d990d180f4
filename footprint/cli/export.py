"""`footprint export`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from footprint.cli import output
from footprint.cli.ledger import Folder
from footprint.cli.tracked import say
from footprint.cli.words import Data
from footprint.units import S_PER_MINUTE

if TYPE_CHECKING:
    from footprint.export.exporter import Exporter
    from footprint.export.outputs import Output
    from footprint.measurement.tracker.active import ActiveRun

_LEAST_INTERVAL_S = 1.0
_ENDING = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}


def export(
    prometheus: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help=":9400 serves /metrics on loopback, 0.0.0.0:9400 for everybody."),
    ] = None,
    pushgateway: Annotated[
        str | None, typer.Option(metavar="URL", help="Push each run as a group; deleted after its end.")
    ] = None,
    textfile: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write footprint.prom for node_exporter's textfile collector.")
    ] = None,
    otlp: Annotated[
        str | None, typer.Option(metavar="URL", help="Send to an OpenTelemetry collector, such as http://host:4318.")
    ] = None,
    run: Annotated[str | None, typer.Option(metavar="NAME|ID", help="Only this run; else all that go on.")] = None,
    folder: Folder = None,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="Between pushes, files and OTLP.")] = 15.0,
    keep: Annotated[float, typer.Option(metavar="MINUTES", min=0, help="A run stays so long after its end.")] = 5.0,
    keep_pushed: Annotated[
        bool, typer.Option("--keep-pushed", help="Leave pushed groups and the text file at the end.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Feed the outputs once, leave it there, and end.")] = False,
    data: Data = None,
) -> None:
    """Export live runs' metrics: Prometheus, Pushgateway, node_exporter, OTLP.

    It follows the journals of the runs folder; no training process is touched. Runs appear when
    they begin and leave some minutes after their end, so that their last values are seen.
    Ctrl-C or SIGTERM ends it.

    Credentials come from the environment, such as FOOTPRINT_PUSHGATEWAY_TOKEN_FILE or
    FOOTPRINT_OTLP_USER and FOOTPRINT_OTLP_PASSWORD_FILE; see README.

    \b
    Examples:
      footprint export --prometheus :9400
      footprint export --textfile /var/lib/node_exporter
      footprint export --pushgateway http://pushgateway:9091 --run sft-7b
      footprint export --otlp http://collector:4318 --interval 60
    """
    if not (prometheus or pushgateway or textfile or otlp):
        raise typer.BadParameter("name where to: --prometheus, --pushgateway, --textfile or --otlp", param_hint="TO")
    if not _LEAST_INTERVAL_S <= interval < float("inf"):
        raise typer.BadParameter(f"{interval} is not at least {_LEAST_INTERVAL_S:g} seconds", param_hint="--interval")
    if once and prometheus:
        raise typer.BadParameter("a page is served on and on: leave one of them out", param_hint="--once")
    from footprint.export.exporter import Exporter
    from footprint.export.runs import LiveRuns
    from footprint.export.serving import Served, address_of
    from footprint.measurement import journal

    is_kept = keep_pushed or once
    runs = LiveRuns(
        journal.runs_folder(os.environ, folder), wanted=run, keep_s=keep * S_PER_MINUTE, tell=_tell, data=data
    )
    outputs = _outputs(pushgateway, textfile, otlp, is_kept, os.environ)
    served = None if prometheus is None else Served(address_of(prometheus), runs.now)
    exporter = Exporter(runs, served, outputs, interval, _tell)
    if once:
        is_fed = exporter.once()
        exporter.stop()
        raise typer.Exit(0 if is_fed else 1)
    if served is not None:
        for_whom = "whoever reaches this machine" if served.is_open else "this machine"
        _tell(f"metrics are at {served.link}, for {for_whom}; Ctrl-C ends it")
    _run(exporter)


class TrackedPage:
    """The page of a run, served by the command that tracks it, as long as that lasts.

    Parameters
    ----------
    address : as for `footprint export --prometheus`
    quiet : do not say where it is
    """

    def __init__(self, address: str, quiet: bool) -> None:
        from footprint.export.runs import OneRun
        from footprint.export.serving import Served, address_of

        self._run: ActiveRun | None = None
        self._served = Served(address_of(address), OneRun(self._folder).now)
        self._quiet = quiet

    def __enter__(self) -> TrackedPage:
        return self

    def __exit__(self, *_: object) -> None:
        self._served.stop()

    def start(self, run: ActiveRun) -> None:
        """From now on it is this run's."""
        self._run = run
        self._served.start()
        if not self._quiet:
            say(f"metrics are at {self._served.link}")

    def _folder(self) -> Path | None:
        place = self._run.journal if self._run is not None else None
        return None if place is None else place.parent


def _run(exporter: Exporter) -> None:
    """Until a signal comes."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        exporter.start()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        exporter.stop()
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # in all threads that are started from here on
    try:
        exporter.start()
        signal.sigwait(_ENDING)
    finally:
        exporter.stop()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _outputs(
    pushgateway: str | None, textfile: Path | None, otlp: str | None, is_kept: bool, environment: Mapping[str, str]
) -> list[Output]:
    from footprint.export.outputs import Pushgateway, Textfile
    from footprint.fleet.access import access

    made: list[Output] = []
    if pushgateway is not None:
        made.append(Pushgateway(access(pushgateway, environment, "pushgateway"), keeps=is_kept))
    if textfile is not None:
        made.append(Textfile(textfile, keeps=is_kept))
    if otlp is not None:
        from footprint.export.otlp import Otlp

        made.append(Otlp(access(otlp, environment, "otlp")))
    return made


def _tell(line: str) -> None:
    output.notes([line])
