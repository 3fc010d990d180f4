"""Where tools that measure GPUs are held against the truth: hosts of emulated GPUs, children at work, their errors.

An error is that of one GPU over one window: nothing is averaged away. The truth is the energy between the two
moments, by the monotonic clock, between which a tool was asked to measure.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # for the emulator, where this is no test

import compare
from emulator import Constant, Emulator, Square, build, compiler, uuid_of

CHILD = Path(__file__).with_name("tracking_child.py")
OURS = "footprint"
J_PER_KWH = 3.6e6

PERIODS_S = (0.05, 0.1, 0.2, 0.3, 0.7, 1.0, 3.0, 7.0)
"""Of square waves between 100 W and the GPU's limit."""

BEATING_S = (0.05, 0.1, 0.3, 0.7)
"""A sensor that looks for 25 ms of each 100 meets these at the same few phases for ever: nobody can know them."""

COUNTERS = ("counter, each 20 ms", "counter, each 50 ms", "counter, each 100 ms")
MEAN, SAMPLED = "power, mean of 1 s", "power, 25 of 100 ms"
KINDS = (*COUNTERS, COUNTERS[-1], MEAN, MEAN, SAMPLED, SAMPLED)
"""Of sensors: one GPU of each under each wave, at phases of chance."""

IDLE_W, FULL_W, GA100_FULL_W = 100.0, 700.0, 400.0
RANKS = 8
INTERVAL_S = 1.0


@dataclass(frozen=True)
class Error:
    """What a tool said of one GPU over one window, against the truth."""

    kind: str
    period_s: float  # of the wave
    seconds: float  # of the window
    share: float  # of the truth
    is_inside: bool | None  # the band that the tool states; None: it states none
    is_inside_narrow: bool | None  # the same without the sensor's own error
    unsure_share: float = 0.0  # of the truth: what power may have done while a busy host had not read yet, or no more


@dataclass
class Running:
    """A child at work; its output lies in files."""

    process: subprocess.Popen[bytes]
    out: Path

    def has_started(self) -> bool:
        """Whether its first window is open, or it has ended."""
        return b"started" in self.out.with_suffix(".err").read_bytes() or self.process.poll() is not None

    def found(self, timeout_s: float = 300.0) -> dict[str, Any]:
        """What it printed, once it is done."""
        try:
            code = self.process.wait(timeout_s)
        finally:
            self.process.kill()
        if code:
            raise RuntimeError(self.out.with_suffix(".err").read_text(encoding="utf-8")[-2000:])
        found: dict[str, Any] = json.loads(self.out.read_text(encoding="utf-8").splitlines()[-1])
        return found


@dataclass
class Lab:
    """A folder, the compiled library, and an interpreter for each tool that has one of its own."""

    folder: Path
    library: Path
    pythons: Mapping[str, str] = field(default_factory=dict)
    _count: int = 0

    @classmethod
    def made(cls, folder: Path, pythons: Mapping[str, str]) -> Lab:
        """In a folder, with a library compiled there."""
        (folder / "library").mkdir()
        return cls(folder, build(folder / "library"), pythons)

    def host(self, name: str, **settings: Any) -> Emulator:
        """Emulated GPUs."""
        return Emulator(self.folder / name, self.library, **settings)

    def launch(self, host: Emulator, tool: str, *words: object, **more: str) -> Running:
        """A tool over a host's GPUs. Claims and runs are its own unless they are given: no other tool's count."""
        self._count += 1
        out = self.folder / f"{self._count}-{tool}.out"
        own = {
            "FOOTPRINT_CLAIMS": str(self.folder / f"claims-{self._count}"),
            "FOOTPRINT_FOLDER": str(self.folder / f"runs-{self._count}"),
        }
        env = {**host.env, **own, **more}
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # as for anybody: modules are compiled once
        Path(env["FOOTPRINT_FOLDER"]).mkdir(exist_ok=True)
        command = [self.pythons.get(tool, sys.executable), str(CHILD), tool, *map(str, words)]
        with out.open("wb") as told, out.with_suffix(".err").open("wb") as errors:
            process = subprocess.Popen(
                command, cwd=compare.ROOT, env=env, stdin=subprocess.DEVNULL, stdout=told, stderr=errors
            )
        return Running(process, out)


def quiet_host(lab: Lab, name: str) -> Emulator:
    """Eight GPUs under a steady load: to start over, or to sit beside."""
    return lab.host(name, gpus=8, wave=Constant(400.0))


def has_compiler() -> bool:
    """Whether there can be emulated GPUs."""
    return compiler() is not None


# ----------------------------------------------------------------------------------------------------- accuracy


def mixed_host(lab: Lab, seed: int = 0) -> Emulator:
    """64 GPUs: each kind of sensor under each wave."""
    chance = random.Random(seed)
    places = [(kind, period_s) for kind in KINDS for period_s in PERIODS_S]
    waves = [
        Square(IDLE_W, GA100_FULL_W if kind == SAMPLED else FULL_W, period_s, phase_s=chance.random() * period_s)
        for kind, period_s in places
    ]
    presets = ["a100" if kind == SAMPLED else "h100" for kind, _ in places]
    host = lab.host("mixed", gpus=len(places), preset=presets, wave=waves, seed=seed)
    for gpu, (kind, _) in enumerate(places):
        phases = {f"{sensor}_phase_ms": chance.random() * 100 for sensor in ("counter", "average", "usage", "instant")}
        host.set(gpu, **phases)
        if kind in COUNTERS:
            host.set(gpu, counter_period_ms=float(kind.split()[2]))
        else:
            host.set(gpu, counter=False, total_energy_field=False, energy_field=False)
    return host


def said_of(joules: Mapping[str, Any], gpu: int) -> list[float] | None:
    """What a tool said of a GPU: low, middle, high and the two ends of the arithmetic, or the number that it has."""
    found = joules.get(uuid_of(gpu), joules.get(str(gpu)))
    return None if found is None else found if isinstance(found, list) else [found]


def middle_of(said: Sequence[float]) -> float:
    """Of a band, or the number itself."""
    return said[1] if len(said) > 1 else said[0]


def errors_of(host: Emulator, windows: Iterable[Mapping[str, Any]]) -> list[Error]:
    """Each GPU of the mixed host over each window, where the tool said anything of it."""
    errors = []
    for window in windows:
        for gpu, kind in enumerate(kind for kind in KINDS for _ in PERIODS_S):
            said = said_of(window["joules"], gpu)
            if said is None:
                continue
            true_j = host.true_energy_j(gpu, window["from_s"], window["to_s"])
            inside = (said[0] <= true_j <= said[2], said[3] <= true_j <= said[4]) if len(said) > 1 else (None, None)
            period_s, share = PERIODS_S[gpu % len(PERIODS_S)], middle_of(said) / true_j - 1
            cut_s = window["joules"].get("cut_s", {}).get(uuid_of(gpu), 0.0)
            unsure_share = cut_s * (FULL_W - IDLE_W) / true_j
            errors.append(Error(kind, period_s, window["seconds"], share, *inside, unsure_share))
    return errors


def picked(
    errors: Iterable[Error], kinds: Sequence[str], seconds: float | None = None, beats: bool | None = None
) -> list[Error]:
    """Those of some kinds of sensor, of windows so long, and of waves that do or do not beat with a sensor's period."""
    return [
        one
        for one in errors
        if one.kind in kinds and seconds in (None, one.seconds) and beats in (None, one.period_s in BEATING_S)
    ]


def worst(errors: Iterable[Error]) -> float | None:
    """The largest, whatever its sign."""
    return max((abs(error.share) for error in errors), default=None)


# ------------------------------------------------------------------------------------------------------- faults

RESET, LOST, BACK, RELOADED, LOST_MEAN = range(1, 6)
FAULTS = {
    RESET: "counter reset",
    LOST: "lost for good",
    BACK: "lost for a while",
    RELOADED: "lost, back with a new counter",
    LOST_MEAN: "lost for good, no counter",
}
"""What happens to GPUs of one host; to GPU 0 nothing."""


def faulty_host(lab: Lab) -> Emulator:
    """Eight GPUs under waves of 0.7 s."""
    waves = [Square(IDLE_W, FULL_W, 0.7, phase_s=0.1 * gpu) for gpu in range(8)]
    host = lab.host("faulty", gpus=8, wave=waves)
    host.set(LOST_MEAN, counter=False, total_energy_field=False, energy_field=False)
    return host


def break_things(host: Emulator, from_s: float, seconds: float) -> dict[str, float]:
    """Tell the emulator what is to happen; the moments of it."""
    moments_s = {name: from_s + share * seconds for name, share in (("third", 0.35), ("half", 0.5), ("late", 0.75))}
    host.reset_counter(RESET, moments_s["third"])
    host.lose(LOST, moments_s["late"])
    host.lose(LOST_MEAN, moments_s["late"])
    host.lose(BACK, moments_s["third"], moments_s["half"])
    host.lose(RELOADED, moments_s["third"], moments_s["half"])
    host.reset_counter(RELOADED, moments_s["half"])
    return moments_s


def fault_errors(host: Emulator, moments_s: Mapping[str, float], window: Mapping[str, Any]) -> dict[int, float | None]:
    """GPU -> how far what a tool said is off what could be measured.

    Until a loss the last interval may lack. Of the time in which a counter was lost for good, whatever the GPU may
    have drawn is as good as nothing: it cannot be known.
    """
    found: dict[int, float | None] = {}
    for gpu in FAULTS:
        said = said_of(window["joules"], gpu)
        if said is None:
            found[gpu] = None
            continue
        from_s, to_s = window["from_s"], window["to_s"]
        lost_s, back_s = (moments_s["late"], to_s) if gpu in (LOST, LOST_MEAN) else (to_s, to_s)
        if gpu == RELOADED:
            lost_s, back_s = moments_s["third"], moments_s["half"]
        known_j = host.true_energy_j(gpu, from_s, lost_s) + host.true_energy_j(gpu, back_s, to_s)
        unseen_j = host.true_energy_j(gpu, lost_s - INTERVAL_S, lost_s) if lost_s < to_s else 0.0
        guessed_j = FULL_W * (back_s - lost_s) if gpu == RELOADED else 0.0
        said_j = middle_of(said)
        lacking_j, spare_j = min(said_j - (known_j - unseen_j), 0.0), max(said_j - (known_j + guessed_j), 0.0)
        found[gpu] = (lacking_j + spare_j) / known_j
    return found


# -------------------------------------------------------------------------------------------------------- ranks


def ranks_host(lab: Lab) -> Emulator:
    """Eight GPUs under different waves."""
    return lab.host("ranks", gpus=RANKS, wave=[Square(IDLE_W, FULL_W, period_s) for period_s in PERIODS_S])


def launch_ranks(lab: Lab, host: Emulator, tool: str, seconds: float, *, apart: bool) -> list[Running]:
    """Eight processes as torchrun starts them; each sees all GPUs, or one of its own (`apart`)."""
    name = f"{tool}-{'apart' if apart else 'together'}"
    shared = {
        "FOOTPRINT_CLAIMS": str(lab.folder / f"claims-{name}"),
        "FOOTPRINT_FOLDER": str(lab.folder / name),
        "TORCHELASTIC_RUN_ID": name,
        "TORCHELASTIC_RESTART_COUNT": "0",
        "WORLD_SIZE": str(RANKS),
        "LOCAL_WORLD_SIZE": str(RANKS),
    }
    own = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(RANKS)]
    seen: list[dict[str, str]] = [{"CUDA_VISIBLE_DEVICES": str(rank)} if apart else {} for rank in range(RANKS)]
    return [lab.launch(host, tool, seconds, **shared, **own[rank], **seen[rank]) for rank in range(RANKS)]


def times_counted(host: Emulator, tool: str, ranks: Sequence[Running], *, apart: bool) -> float:
    """What all ranks together say, over the truth: footprint in its folder of runs, peers added up."""
    found = [rank.found() for rank in ranks]
    windows = {one["pid"]: one["windows"][0] for one in found}
    if tool == OURS:
        return _read_from_folder(host, Path(found[0]["folder"]), windows)
    said_j = true_j = 0.0
    for rank, window in enumerate(windows.values()):
        said_j += window["joules"].get("total") or sum(window["joules"].values())
        own_j = host.true_energy_j(rank if apart else None, window["from_s"], window["to_s"])
        true_j += own_j if apart else own_j / RANKS
    return said_j / true_j


def _read_from_folder(host: Emulator, folder: Path, windows: Mapping[int, Mapping[str, Any]]) -> float:
    """The truth of a GPU is that between the moments of the process that counts it."""
    from footprint.measurement import journal
    from footprint.measurement.tracker.reading import read_run

    (run,) = journal.run_folders(folder)
    gpus = {uuid_of(gpu): gpu for gpu in range(host.gpus)}
    true_j = 0.0
    for path in journal.files_of(run):
        header = journal.read(path).header
        window = windows[header.pid]
        mine = (gpus[meter.id] for meter in header.meters if meter.id in gpus)
        true_j += sum(host.true_energy_j(gpu, window["from_s"], window["to_s"]) for gpu in mine)
    measured = (meter for meter in read_run(run).meters if meter.meter.id in gpus)
    return sum(meter.it_energy_kwh.mid for meter in measured) * J_PER_KWH / true_j
