"""`footprint.track`: a context manager, a decorator, or start and stop."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from footprint.errors import InputError, UnknownName
from footprint.measurement.sensors import SENSORS
from footprint.measurement.tracker.active import ActiveRun
from footprint.measurement.tracker.recorder import Options, Recorder
from footprint.measurement.tracker.words import label, track_words

__all__ = ["Tracker", "track"]

Function = TypeVar("Function", bound=Callable[..., Any])


class Tracker:
    """Tracks one run; `with` it, decorate with it, or start and stop it.

    Everything that can be wrong with what was said is told when it is made or started; from then on a failure is a
    note on the run.
    """

    def __init__(self, name: str | None, given: Mapping[str, Any]) -> None:
        self._name, self._given = name, dict(given)
        self.words = track_words(name, self._given)
        self.options = _options(self._given)
        self._recorder: Recorder | None = None

    def start(self) -> ActiveRun:
        """Begin to measure.

        Raises
        ------
        InputError
            When it runs already, or its folder cannot be written.
        """
        if self._recorder is not None and self._recorder.is_active:
            raise InputError("track", self.words.name, "has been started already", "stop it first, or make another")
        self._recorder = Recorder(self.words, self.options)
        return self._recorder.start()

    def stop(self, status: str = "finished", error: BaseException | None = None) -> None:
        """Take the last reading and close the journal; harmless twice. Never raises."""
        if self._recorder is not None:
            self._recorder.stop(status, error)

    def __enter__(self) -> ActiveRun:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        ended_well = kind is None or (kind is SystemExit and getattr(error, "code", 0) in (None, 0))
        self.stop("finished" if ended_well else "failed", None if ended_well else error)

    def __call__(self, function: Function) -> Function:
        """A function each of whose calls is a run of its own."""
        given, name = self._given, self._name or function.__name__

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with Tracker(name, given):
                    return await function(*args, **kwargs)

            return coroutine  # type: ignore[return-value]

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with Tracker(name, given):
                return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]


def track(
    name: str | Callable[..., Any] | None = None,
    *,
    region: str | None = None,
    country: str | None = None,
    zone: str | None = None,
    operator: str | None = None,
    provider: str | None = None,
    year: int | None = None,
    grid: str | None = None,
    settings: Mapping[str, Any] | None = None,
    node: str | None = None,
    data: str | Path | None = None,
    params: str | float | None = None,
    active_params: str | float | None = None,
    tokens: str | float | None = None,
    steps: str | float | None = None,
    epochs: str | float | None = None,
    flop_per_token: str | float | None = None,
    precision: str | None = None,
    project: str | None = None,
    tags: str | Iterable[str] = (),
    plan: Any = None,
    budget_kwh: str | float | None = None,
    budget_kgco2e: str | float | None = None,
    budget_usd: str | float | None = None,
    on_budget: str | Callable[..., object] = "warn",
    interval_s: str | float = 1.0,
    folder: str | os.PathLike[str] | None = None,
    run_id: str | None = None,
    pids: Callable[[], Iterable[int]] | None = None,
    environment: Mapping[str, str] | None = None,
    sensors: Collection[str] | None = None,
) -> Tracker:
    """Measure what a training uses, from here to the end of the block.

    Parameters
    ----------
    name : str, optional
        Of the run; the script's own unless given. A function makes it a decorator.
    region, country, zone, operator, provider, year, grid, settings, data
        Where it runs, as for `footprint.estimate`; applied when the run is read, so they can be changed later.
        Without a place, carbon is by the world's mean with a wide range, and a note says so.
    node : str, optional
        The server, where it is in the catalog.
    params, active_params, flop_per_token, precision
        Of the model: for MFU and FLOP from tokens (6 N D without `flop_per_token`).
    tokens, steps, epochs
        In all: for the forecast.
    project, tags
        For the ledger.
    plan : Footprint, path or name, optional
        An estimate that the run is compared with: itself, its JSON file, or the name it was saved under.
    budget_kwh, budget_kgco2e, budget_usd
        Of facility energy, operational location-based carbon, electricity: `on_budget` when they are spent or the
        forecast goes beyond.
    on_budget : "warn", "signal", "stop" or a function of (ActiveRun, reason)
        A note; SIGTERM to this process; `run.should_stop` for the loop to see; a call. The note is made always.
    interval_s : float
        Seconds between readings; the most that a sudden end can lose.
    folder : path, optional
        Of runs; one that all nodes share joins them. FOOTPRINT_FOLDER, else FOOTPRINT_HOME, else the user's data.
    run_id : str, optional
        Goes on with that run, as a further segment; FOOTPRINT_RUN_ID, else what the launcher says.
    pids : function, optional
        The processes that count as this run on a device that others use too; this one and its children unless given.
    environment : mapping, optional
        Variables that tell devices and launcher; this process's unless given.
    sensors : names, optional
        Only these; all that can be read unless given.

    Returns
    -------
    Tracker
        A context manager that yields an `ActiveRun`, a decorator, and an object with `start` and `stop`.

    Raises
    ------
    InputError, UnknownName
        For words that cannot be, naming the field, the value, the bound and the fix.
    """
    given = {k: v for k, v in locals().items() if k != "name"}
    if callable(name):
        return Tracker(None, given)(name)  # type: ignore[return-value]
    return Tracker(name, given)


def _options(given: Mapping[str, Any]) -> Options:
    run_id, pids = given.get("run_id"), given.get("pids")
    environment = given.get("environment")
    if pids is not None and not callable(pids):
        raise InputError("pids", str(pids), "must be a function", "write pids=lambda: (4242,)")
    if environment is not None and not isinstance(environment, Mapping):
        raise InputError("environment", str(environment), "must be a mapping", "give os.environ, or a copy of it")
    return Options(
        folder=_folder(given.get("folder")),
        run_id=label("run_id", run_id) if run_id is not None else None,
        pids=pids,
        environment=dict(os.environ if environment is None else environment),
        sensors=_sensors(given.get("sensors")),
    )


def _folder(given: Any) -> Path | None:
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise InputError("folder", str(given), "must be a path", "leave it out for the usual one")
    return Path(given)


def _sensors(given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Collection) else (str(given),)
    for name in names:
        if name not in SENSORS:
            raise UnknownName("sensor", name, SENSORS, f"the sensors are {', '.join(SENSORS)}")
    return names
