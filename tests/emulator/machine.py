"""A host of emulated NVIDIA GPUs: its configuration, the truth about its energy, and what its sensors should show."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from emulator.control import Counts
from emulator.presets import DEFAULTS, PRESETS, Settings
from emulator.waves import Constant, Wave

SOURCES = Path(__file__).resolve().parent
NAME = "libnvidia-ml.so.1"  # what nvidia-ml-py asks the loader for
VARIABLE = "NVML_EMULATOR"
VISIBILITY = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES")
LEAD_S = 0.02  # a change of load is told before it holds, so that every process knows it in time
MOST_GPUS = 64
SCOPES = {"gpu": 0, "module": 1, "memory": 2, "base": 3}
ERRORS = {
    "uninitialized": 1,
    "invalid argument": 2,
    "not supported": 3,
    "no permission": 4,
    "not found": 6,
    "driver not loaded": 9,
    "timeout": 10,
    "function not found": 13,
    "gpu is lost": 15,
    "version mismatch": 18,
    "unknown": 999,
}


def compiler() -> str | None:
    """A C compiler's path, or None: tests that need the emulator are then skipped."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def build(folder: Path) -> Path:
    """Compile the library into a folder of its own, which LD_LIBRARY_PATH and PATH can name."""
    library = folder / NAME
    flags = ("-std=c11", "-shared", "-fPIC", "-O2", "-ffp-contract=off", "-fvisibility=hidden", "-pthread")
    sources = (str(SOURCES / "emulator.c"), str(SOURCES / "nvml.c"))
    subprocess.run(
        [str(compiler()), *flags, "-Wall", "-Wextra", "-Werror", "-o", str(library), *sources, "-lm"], check=True
    )
    beside = folder / "nvidia-smi"  # codecarbon takes a host for NVIDIA's if this can be run
    beside.write_text("#!/bin/sh\necho 'NVIDIA System Management Interface (emulated: it tells nothing)'\n", "utf-8")
    beside.chmod(0o755)
    return library


def uuid_of(gpu: int) -> str:
    """Each begins differently, as real ones do."""
    text = hashlib.md5(f"gpu {gpu}".encode()).hexdigest()
    return f"GPU-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Emulator:
    """GPUs whose power is known. `wave`: one for all, one each, or a function of the GPU's index. Settings are those
    of presets.DEFAULTS; `set` changes them while processes run. `began_s`: time 0 of the waves, now if not told."""

    def __init__(
        self,
        folder: Path,
        library: Path,
        *,
        gpus: int = 1,
        preset: str | Sequence[str] = "h100",
        wave: Wave | Sequence[Wave] | Callable[[int], Wave] | None = None,
        seed: int = 0,
        driver: str = "580.95.05",
        nvml: str = "13.580.95.05",
        cuda: int = 13000,
        realtime_skew_s: float = 0.0,
        began_s: float | None = None,
        **settings: float | int | str | bool,
    ) -> None:
        if not 0 <= gpus <= MOST_GPUS:
            raise ValueError(f"the emulator has 0 to {MOST_GPUS} GPUs, not {gpus}")
        folder.mkdir(parents=True, exist_ok=True)
        self.library = library
        self.config = folder / "nvml.conf"
        self.began_s = time.monotonic() if began_s is None else began_s
        self.gpus = gpus
        self.left_open = 0  # inits without a shutdown, at the end of the last `in_process`
        self.host: dict[str, Any] = {
            "gpus": gpus,
            "driver": driver,
            "nvml": nvml,
            "cuda": cuda,
            "seed": seed,
            "realtime_skew_s": realtime_skew_s,
        }
        presets = [preset] * gpus if isinstance(preset, str) else list(preset)
        self._settings: list[Settings] = [
            {
                **DEFAULTS,
                **PRESETS[presets[gpu]],
                "uuid": uuid_of(gpu),
                "serial": f"13200000{gpu:05d}",
                "pci_bus": gpu + 1,
                "minor": gpu,
                "loaded_at_s": self.began_s - 1000.0,
            }
            for gpu in range(gpus)
        ]
        self._waves: list[list[tuple[float, Wave]]] = [[(self.began_s, self._wave(wave, gpu))] for gpu in range(gpus)]
        self._sums: list[list[float]] = [[0.0] for _ in range(gpus)]
        self._faults: list[str] = []
        self.counts = Counts(self.config.with_name(self.config.name + ".control"))
        self.set(**settings)

    @staticmethod
    def _wave(wave: Wave | Sequence[Wave] | Callable[[int], Wave] | None, gpu: int) -> Wave:
        if wave is None:
            return Constant(300.0)
        if isinstance(wave, Sequence):
            return wave[gpu]
        return wave(gpu) if callable(wave) else wave

    # ------------------------------------------------------------------------------------------- configuration, live

    def set(self, gpu: int | None = None, **settings: float | int | str | bool) -> None:
        """Change settings of one GPU, or of all; every process follows at its next call."""
        unknown = settings.keys() - DEFAULTS.keys()
        if unknown:
            raise KeyError(f"the emulator knows no {', '.join(sorted(unknown))}")
        for one in self._which(gpu):
            self._settings[one].update(settings)
        self._write()

    def setting(self, gpu: int, key: str) -> Any:
        return self._settings[gpu][key]

    def change(self, wave: Wave, gpu: int | None = None, at_s: float | None = None) -> float:
        """Another load from a moment on (a fiftieth of a second from now); its time 0 is that moment, which returns."""
        at_s = time.monotonic() + LEAD_S if at_s is None else at_s
        for one in self._which(gpu):
            before_s, before = self._waves[one][-1]
            if at_s <= before_s:
                raise ValueError(f"GPU {one}'s load changes at {before_s} already: {at_s} is not after it")
            self._sums[one].append(self._sums[one][-1] + before.energy_j(at_s - before_s))
            self._waves[one].append((at_s, wave))
        self._write()
        return at_s

    def lose(self, gpu: int, at_s: float | None = None, back_at_s: float = math.inf) -> float:
        """The GPU falls off the bus, now or then: GPU_IS_LOST from there on, or until it is back."""
        at_s = time.monotonic() if at_s is None else at_s
        self.set(gpu, lost_at_s=at_s, back_at_s=back_at_s)
        return at_s

    def reset_counter(self, gpu: int | None = None, at_s: float | None = None) -> float:
        """The driver is loaded again, now or then: energy counters start at 0."""
        at_s = time.monotonic() if at_s is None else at_s
        for one in self._which(gpu):
            before = self._settings[one]["reset_at_s"]
            self._settings[one]["reset_at_s"] = f"{before},{at_s!r}" if before else repr(at_s)
        self._write()
        return at_s

    def fault(
        self,
        function: str,
        *,
        gpu: int | None = None,
        error: int | str = 0,
        hang: bool = False,
        delay_us: float = 0.0,
        probability: float = 1.0,
        from_s: float = -math.inf,
        until_s: float = math.inf,
        skip: int = 0,
        times: int | None = None,
    ) -> None:
        """Calls of a function (its versions too; "nvmlDeviceGet*" for many) fail, wait or hang. `skip`, `times`: the
        first calls of each process since the last change of the configuration. A hang ends with `clear_faults`."""
        code = ERRORS[error] if isinstance(error, str) else error
        words = [f"error:{code}", f"hang:{int(hang)}", f"delay_us:{delay_us!r}", f"probability:{probability!r}"]
        words += [f"from:{from_s!r}", f"until:{until_s!r}", f"skip:{skip}"]
        words += [f"times:{times}"] if times is not None else []
        prefix = "" if gpu is None else f"gpu.{gpu}."
        self._faults.append(f"{prefix}fault={function} {' '.join(words)}")
        self._write()

    def clear_faults(self) -> None:
        self._faults.clear()
        self._write()

    def mig(self, gpu: int, slices: Sequence[int] = (3, 2, 1), memory_mb_per_slice: float = 9984.0) -> list[str]:
        """Cut a GPU into instances of so many slices; their UUIDs."""
        uuids = [f"MIG-{uuid_of(1000 + 10 * gpu + i).removeprefix('GPU-')}" for i in range(len(slices))]
        devices = (
            f"{uuid}:{i + 1}:0:{count}:{count}:{memory_mb_per_slice * count!r}:{14 * count}"
            for i, (uuid, count) in enumerate(zip(uuids, slices, strict=True))
        )
        self.set(gpu, mig=True, mig_devices=",".join(devices))
        return uuids

    def _which(self, gpu: int | None) -> Sequence[int]:
        return range(self.gpus) if gpu is None else (gpu,)

    def _write(self) -> None:
        lines = [f"{key}={value}" for key, value in self.host.items()]
        for gpu in range(self.gpus):
            for key, value in self._settings[gpu].items():
                text = value if isinstance(value, str) else repr(float(value))
                lines.append(f"gpu.{gpu}.{key}={text}")
            lines += [f"gpu.{gpu}.wave@{at_s!r}={wave.line()}" for at_s, wave in self._waves[gpu]]
        beside = self.config.with_name(self.config.name + ".new")
        beside.write_text("\n".join((*lines, *self._faults, "")), encoding="utf-8")
        os.replace(beside, self.config)
        self.counts.changed()

    # --------------------------------------------------------------------------------------------------- the truth

    def true_power_w(self, gpu: int, at_s: float, scope: str = "gpu") -> float:
        start_s, wave, _ = self._at(gpu, at_s)
        return self._scaled(gpu, scope, wave.power_w(at_s - start_s), 1.0)

    def true_energy_j(self, gpu: int | None, from_s: float, to_s: float, scope: str = "gpu") -> float:
        """Between two moments of time.monotonic(), of one GPU or of all."""
        return sum(
            self._since_start_j(g, to_s, scope) - self._since_start_j(g, from_s, scope) for g in self._which(gpu)
        )

    def _since_start_j(self, gpu: int, at_s: float, scope: str) -> float:
        start_s, wave, before_j = self._at(gpu, at_s)
        energy = before_j + wave.energy_j(at_s - start_s)
        return self._scaled(gpu, scope, energy, at_s - self._waves[gpu][0][0])

    def _at(self, gpu: int, at_s: float) -> tuple[float, Wave, float]:
        waves = self._waves[gpu]
        place = next((i for i in range(len(waves) - 1, 0, -1) if waves[i][0] <= at_s), 0)
        return *waves[place], self._sums[gpu][place]

    def _scaled(self, gpu: int, scope: str, value: float, extra: float) -> float:
        if scope == "gpu":
            return value
        gain, more_w = self._settings[gpu][f"{scope}_gain"], self._settings[gpu][f"{scope}_extra_w"]
        return float(gain) * value + float(more_w) * extra

    # ----------------------------------------------------------------------------------- what the sensors should show

    def updated_s(self, gpu: int, sensor: str, at_s: float) -> float:
        """When a sensor (usage, average, instant, samples, load, counter) was last made anew. Without jitter."""
        period_s, phase_s = self._part_s(gpu, sensor, "period_ms"), self._part_s(gpu, sensor, "phase_ms")
        if not period_s:
            return at_s
        index = math.floor((at_s - phase_s) / period_s)
        around = (phase_s + i * period_s for i in (index + 1, index, index - 1))
        return next(updated_s for updated_s in around if updated_s <= at_s)

    def shown_w(self, gpu: int, sensor: str, at_s: float, scope: str = "gpu") -> float:
        """Without noise and jitter."""
        updated_s, window_s = self.updated_s(gpu, sensor, at_s), self._part_s(gpu, sensor, "window_ms")
        if window_s:
            mean_w = self.true_energy_j(gpu, updated_s - window_s, updated_s, scope) / window_s
        else:
            mean_w = self.true_power_w(gpu, updated_s, scope)
        return float(self._settings[gpu][f"{sensor}_gain"]) * mean_w + float(self._settings[gpu][f"{sensor}_offset_w"])

    def shown_counter_j(self, gpu: int, at_s: float, scope: str = "gpu") -> float:
        """Without jitter, wrap or a window."""
        own = self._settings[gpu]
        updated_s = self.updated_s(gpu, "counter", min(at_s, float(own["counter_stuck_at_s"])))
        from_s, start_j = float(own["loaded_at_s"]), float(own["counter_start_mj"]) / 1e3
        for reset_s in (float(text) for text in str(own["reset_at_s"]).split(",") if text):
            if from_s <= reset_s <= at_s:
                from_s, start_j = reset_s, 0.0
        seen_j = self.true_energy_j(gpu, from_s, updated_s, scope) if updated_s > from_s else 0.0
        return start_j + float(own["counter_gain"]) * seen_j

    def _part_s(self, gpu: int, sensor: str, part: str) -> float:
        return float(self._settings[gpu][f"{sensor}_{part}"]) * 1e-3

    # ---------------------------------------------------------------------------------------------- running under it

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process that is to see these GPUs and no others."""
        inherited = {key: value for key, value in os.environ.items() if key not in VISIBILITY}
        own = str(self.library.parent)
        paths = {
            name: os.pathsep.join(filter(None, (own, os.environ.get(name)))) for name in ("LD_LIBRARY_PATH", "PATH")
        }
        return {**inherited, **paths, VARIABLE: str(self.config)}

    def python(self, code: str, *arguments: str, timeout_s: float = 30.0, **env: str) -> str:
        """Run code in a fresh Python under these GPUs; what it printed. An error of it is raised here."""
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        if done.returncode:
            raise AssertionError(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @contextlib.contextmanager
    def in_process(self) -> Iterator[None]:
        """This very process sees these GPUs through pynvml; afterwards it is as if NVML had never been loaded.
        What the caller left initialised is shut down, and told by `left_open`."""
        import pynvml

        names = ("nvmlLib", "_nvmlLib_refcount")
        before = {name: getattr(pynvml, name) for name in names}
        cache = dict(pynvml._nvmlGetFunctionPointer_cache)
        environment = os.environ.get(VARIABLE)
        library = ctypes.CDLL(str(self.library))
        os.environ[VARIABLE] = str(self.config)
        pynvml._nvmlGetFunctionPointer_cache.clear()
        pynvml.nvmlLib, pynvml._nvmlLib_refcount = library, 0
        try:
            yield
        finally:
            self._faults.clear()
            self._write()
            self.left_open = library.nvmlEmulator_references()
            for _ in range(self.left_open):
                library.nvmlShutdown()
            os.environ.pop(VARIABLE)
            if environment is not None:
                os.environ[VARIABLE] = environment
            pynvml._nvmlGetFunctionPointer_cache.clear()
            pynvml._nvmlGetFunctionPointer_cache.update(cache)
            for name in names:
                setattr(pynvml, name, before[name])
