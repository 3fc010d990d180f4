"""A run while it goes on: windows, progress, live numbers, forecast and budget. Nothing here raises or blocks."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from footprint.measurement.tracker.companions import Companions
from footprint.measurement.tracker.progress import BEGUN, STOP_STEP, begun, joined, since_start
from footprint.measurement.tracker.windows import Window, WindowClock
from footprint.measurement.tracker.words import TrackWords
from footprint.units import J_PER_KWH, S_PER_H
from footprint.values import Forecast

if TYPE_CHECKING:
    from footprint.measurement.metering import HostIntegral, MeterIntegral
    from footprint.report.run_result import RunResult

__all__ = ["ActiveRun", "Live"]

MOST_NOTES = 200
MOST_MARKS = 256


@dataclass(frozen=True, slots=True)
class Live:
    """A run's numbers so far, without ranges: for logs and displays.

    The first process of a run tells of all whose journals lie in its folder, any other of what it counts itself.
    """

    duration_s: float
    it_energy_kwh: float
    accelerator_it_energy_kwh: float
    power_w: float | None
    facility_energy_kwh: float
    operational_location_kgco2e: float
    electricity_usd: float | None
    tokens: float
    tokens_per_s: float | None
    mfu: float | None
    joules_per_token: float | None
    done_share: float | None


class ActiveRun:
    """What the training holds while it is tracked."""

    def __init__(self, run_id: str, words: TrackWords, clock: Callable[[], float] = time.monotonic) -> None:
        self.id, self.words = run_id, words
        self._clock = clock
        self._windows = WindowClock(clock)
        self._lock = RLock()  # a signal's handler may speak while the training does
        self._progress: dict[str, float] = {}
        self._has_progressed = False
        self._notes: list[str] = []
        self._new_notes: list[str] = []
        self._marks: deque[tuple[float, float, float]] = deque(maxlen=MOST_MARKS)  # (moment, done share, joules)
        self.started_s = clock()
        self.ended_s: float | None = None
        self.host: HostIntegral | None = None
        self.settle: Callable[[], None] = lambda: None  # adds up what was read but not added up yet
        self._begun_share = 0.0  # done before this start
        self.budget_reached = False
        self._factors: tuple[float, float, float | None] | None = None
        self._peaks: dict[tuple[str, float | None], float] = {}
        self.read_result: Callable[[], RunResult] | None = None
        self.rejoin: Callable[[str], None] | None = None
        self.companions: Companions | None = None
        self.rank, self.world_count = 0, 1
        self.is_resumed = False
        self.journal: Path | None = None
        self.earlier_it_energy_kwh: float | None = None  # of earlier starts; None until somebody asks for it

    @property
    def name(self) -> str:
        """As given, or the script's."""
        return self.words.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What went wrong, or had to be assumed, so far."""
        return tuple(self._notes)

    @property
    def should_stop(self) -> bool:
        """Whether the budget asks for a clean stop (`on_budget="stop"`).

        Where several processes train together, all are told of one step to stop at, so that none waits for another.
        """
        if self.words.on_budget != "stop":
            return False
        if self.world_count == 1:
            return self.budget_reached
        last = self._progress.get(STOP_STEP)
        return last is not None and self._progress.get("steps_count", 0.0) >= last

    @property
    def result(self) -> RunResult:
        """The run as its journals tell it: whole after the block, so far inside it.

        Raises
        ------
        FootprintError
            When nothing of it can be read.
        """
        assert self.read_result is not None
        return self.read_result()

    # what the training tells

    def window(self, name: str) -> Window:
        """Time and energy inside a `with` block, by name; nested ones stand below the windows around them."""
        return self._windows.window(str(name).replace("/", "-")[:100] or "window")

    def step(self, count: float = 1, *, tokens: float = 0, of: str = "rank") -> None:
        """A training step is done.

        Parameters
        ----------
        count : steps
        tokens : in them
        of : "rank" when tokens are this process's own, "run" when they are those of all
        """
        steps, counted = _number(count) or 0.0, _number(tokens) or 0.0
        with self._lock:
            told = self._progress
            told["steps_count"] = told.get("steps_count", 0.0) + steps
            if counted:
                name = "run_tokens" if of == "run" else "tokens"
                told[name] = told.get(name, 0.0) + counted
            self._has_progressed = True

    def epoch(self, count: float = 1) -> None:
        """An epoch is done."""
        epochs = _number(count) or 0.0
        with self._lock:
            self._progress["epochs_count"] = self._progress.get("epochs_count", 0.0) + epochs
            self._has_progressed = True

    def progress(
        self, *, steps: float | None = None, tokens: float | None = None, epochs: float | None = None,
        total_steps: float | None = None, total_tokens: float | None = None, total_epochs: float | None = None,
        flop: float | None = None,
    ) -> None:  # fmt: skip
        """How far the whole training is, in a framework's own absolute counts."""
        told = {
            "steps_count": steps, "run_tokens": tokens, "epochs_count": epochs, "total_steps_count": total_steps,
            "total_tokens": total_tokens, "total_epochs_count": total_epochs, "training_flop": flop,
        }  # fmt: skip
        known = {name: number for name, value in told.items() if (number := _number(value)) is not None}
        with self._lock:
            if self.is_resumed or self._clock() - self.started_s < self.words.interval_s:
                self._progress = {**begun(known), **self._progress}  # not done in this start, or hardly
            self._progress.update(known)
            self._has_progressed = True

    def note(self, text: str) -> None:
        """Keep a remark with the run."""
        with self._lock:
            line = " ".join(str(text).split())[:500]
            if line and line not in self._notes and len(self._notes) < MOST_NOTES:
                self._notes.append(line)
                self._new_notes.append(line)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, so that the training goes on as the same run."""
        with self._lock:
            return {"run_id": self.id, "progress": dict(self._progress)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the run of a checkpoint: this start becomes a further segment of it."""
        told = state.get("progress") if isinstance(state, Mapping) else None
        if not isinstance(told, Mapping):
            return  # no checkpoint of ours
        names = ("steps_count", "epochs_count", "run_tokens", "training_flop")
        known = {name: number for name in names if (number := _number(told.get(name))) is not None}
        with self._lock:
            self._progress = {**self._progress, **begun(known), **known}
            self.is_resumed = True
            self._has_progressed = True
        self._begun_share = self.done_share() or 0.0
        run_id = state.get("run_id")
        if isinstance(run_id, str) and run_id and run_id != self.id and self.rejoin is not None:
            self.rejoin(run_id)

    def forget(self) -> None:
        """In a forked child: what is told here goes nowhere, and waits for nobody."""
        self._lock = RLock()
        self._windows.forget()
        self.rejoin = None

    # what the tracker takes

    def has_news(self) -> bool:
        """Whether there is anything to take."""
        return self._has_progressed or bool(self._new_notes) or self._windows.has_any()

    def taken_windows(self, now_s: float) -> dict[str, tuple[int, float]]:
        """Windows since the last call: closed ones, and seconds inside."""
        return self._windows.take(now_s)

    def taken_words(self) -> tuple[dict[str, float], tuple[str, ...]]:
        """Progress and notes since the last call."""
        with self._lock:
            progress = dict(self._progress) if self._has_progressed else {}
            self._has_progressed = False
            notes, self._new_notes = tuple(self._new_notes), []
        return progress, notes

    def mark(self, now_s: float) -> None:
        """Remember how far it is, for the forecast; fewer marks the longer it runs."""
        share = self.done_share() if self._progress or self.companions else None
        if share is None or self.host is None:
            return
        if self._marks and now_s - self._marks[-1][0] < (now_s - self.started_s) / MOST_MARKS:
            return
        self._marks.append((now_s, share, self.joules()))

    def agree_to_stop(self, within_s: float) -> None:
        """In the run's first process: name a step that all will have heard of before they reach it."""
        with self._lock:
            steps = self._progress.get("steps_count", 0.0)
            pace_per_s = steps / max(self._clock() - self.started_s, 1.0)
            self._progress.setdefault(STOP_STEP, steps + math.ceil(pace_per_s * within_s) + 1)
            self._has_progressed = True

    def hear_of_stop(self) -> None:
        """In any other process: take over the step that the first one named."""
        for told in self.companions.progress() if self.companions else ():
            if STOP_STEP in told:
                with self._lock:
                    self._progress.setdefault(STOP_STEP, told[STOP_STEP])

    # what it tells

    def done_share(self) -> float | None:
        """Steps, tokens or epochs done over their total; None where no total is known."""
        told, said = self._progress, self.words.quantities
        tokens = self._tokens() / self._seen_share() + told.get(BEGUN + "run_tokens", 0.0)
        for done, total in (
            (told.get("steps_count"), told.get("total_steps_count") or said.get("steps")),
            (tokens, told.get("total_tokens") or said.get("tokens")),
            (told.get("epochs_count"), told.get("total_epochs_count") or said.get("epochs")),
        ):
            if done and total:
                return min(done / total, 1.0)
        return None

    def meters(self) -> list[MeterIntegral]:
        """What this process counts and, in the run's first one, what the others do."""
        self.settle()
        own = list(self.host.by_meter.values()) if self.host else []
        return own + (self.companions.meters() if self.companions and self.rank == 0 else [])

    def joules(self) -> float:
        """So far."""
        return sum(meter.live_j() for meter in self.meters())

    def _tokens(self) -> float:
        """In this start, of all ranks that are seen: their own added up, or those of the whole run."""
        others = self.companions.progress() if self.companions and self.rank == 0 else []
        told = joined([dict(self._progress), *others])
        return told.get("tokens", 0.0) + since_start(told, "run_tokens") * self._seen_share()

    def _seen_share(self) -> float:
        """Of the run's processes: counts of the whole run are set against what these draw."""
        seen = 1 + (self.companions.count if self.companions and self.rank == 0 else 0)
        return min(seen / self.world_count, 1.0)

    def live(self) -> Live:
        """The numbers so far."""
        now_s = self.ended_s if self.ended_s is not None else self._clock()
        duration_s = max(now_s - self.started_s, 0.0)
        meters = self.meters()
        joules = sum(meter.live_j() for meter in meters)
        accelerator_j = sum(m.live_j() for m in meters if m.meter.component == "accelerator")
        powers = [p for p in (m.power_w() for m in meters) if p is not None]
        tokens = self._tokens()
        kwh = joules / J_PER_KWH
        facility, carbon, dollars = self._per_kwh()
        tells_all = self.rank == 0 or self.world_count == 1
        flop = self._flop(tokens) if tells_all else None
        peak = self._peak_flop_per_s(meters) if flop else None
        return Live(
            duration_s=duration_s,
            it_energy_kwh=kwh,
            accelerator_it_energy_kwh=accelerator_j / J_PER_KWH,
            power_w=sum(powers) if powers else None,
            facility_energy_kwh=kwh * facility,
            operational_location_kgco2e=kwh * carbon,
            electricity_usd=None if dollars is None else kwh * dollars,
            tokens=tokens,
            tokens_per_s=tokens / duration_s if tokens and duration_s else None,
            mfu=flop / (duration_s * peak) if flop and peak and duration_s else None,
            joules_per_token=joules / tokens if tokens and tells_all else None,
            done_share=self.done_share(),
        )

    def metrics(self) -> dict[str, float]:
        """Flat keys for the logs that a training has already; only what is known."""
        live = self.live()
        forecast = self.forecast()
        keys = {
            "footprint/energy_kwh": live.facility_energy_kwh,
            "footprint/it_energy_kwh": live.it_energy_kwh,
            "footprint/power_w": live.power_w,
            "footprint/kgco2e": live.operational_location_kgco2e,
            "footprint/usd": live.electricity_usd,
            "footprint/tokens_per_s": live.tokens_per_s,
            "footprint/mfu": live.mfu,
            "footprint/j_per_token": live.joules_per_token,
        }
        if forecast is not None:
            keys["footprint/forecast_kwh"] = forecast.facility_energy_kwh.mid
            keys["footprint/forecast_kgco2e"] = forecast.operational_location_kgco2e.mid
            keys["footprint/forecast_h"] = (forecast.ended_utc_s.mid - time.time()) / S_PER_H
        return {key: float(value) for key, value in keys.items() if value is not None}

    def forecast(self) -> Forecast | None:
        """What it will have cost when it is done; None before it has begun or where no total is known."""
        from footprint.measurement.tracker.forecasting import forecast  # here, not above: few runs ask

        share, begun_share = self.done_share(), self._begun_share
        if not share or share <= begun_share or self.host is None:
            return None
        now_s = self._clock()
        marks = [mark for mark in self._marks if mark[1] > begun_share] + [(now_s, share, self.joules())]
        return forecast(marks, self.started_s, now_s, time.time(), self._per_kwh(), begun_share)

    def _flop(self, tokens: float) -> float | None:
        from footprint.accounting.metered import training_flop
        from footprint.values import Progress

        counted = since_start(self._progress, "training_flop") * self._seen_share()
        told = Progress(tokens=tokens, training_flop=counted or None)
        return training_flop(told, self.words.quantities)[0]

    def priced(self, it_energy_kwh: float) -> tuple[float, float, float | None]:
        """Facility kWh, operational location-based kg CO2e and dollars of so much IT energy."""
        facility, carbon, dollars = self._per_kwh()
        return it_energy_kwh * facility, it_energy_kwh * carbon, None if dollars is None else it_energy_kwh * dollars

    def _per_kwh(self) -> tuple[float, float, float | None]:
        """Read once: what a kWh of IT energy carries at this place."""
        if self._factors is None:
            from footprint.accounting.metered import live_site, per_kwh
            from footprint.catalog import open_catalog

            self._factors = per_kwh(live_site(self.words.plain(), open_catalog(self.words.data)))
        return self._factors

    def _peak_flop_per_s(self, meters: list[MeterIntegral]) -> float | None:
        """Dense peak of the metered accelerators together, each kind looked up once."""
        from footprint.accounting.metered import device_of, device_peak
        from footprint.catalog import open_catalog

        catalog, whole = open_catalog(self.words.data), 0.0
        for meter in (m.meter for m in meters if m.meter.component == "accelerator"):
            key = (meter.name, meter.memory_gb)
            if key not in self._peaks:
                self._peaks[key] = device_peak(device_of(meter, catalog)[0], self.words.plain()) or 0.0
            whole += self._peaks[key] * meter.share
        return whole or None


def _number(value: Any) -> float | None:
    """A number, or a tensor of one; None for whatever cannot be one."""
    try:
        number = float(value)
    except Exception:  # noqa: BLE001 - the training's own object; nothing that it holds may end the training
        return None
    return number if math.isfinite(number) else None
