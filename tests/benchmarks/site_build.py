"""Builds the site's metrics once, as Prometheus would hold them, into a folder that is kept by its parameters."""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from site_blocks import Block, Labels
from site_world import BEGUN_S, DAY_S, INSTANCES, PER_HOST, STEP_S, Day, Drawn, Plan, Planned, host_name, planned

from footprint.units import MILLIJOULES_PER_J, MILLISECONDS_PER_S

ENERGY, POWER, USE = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_UTIL"
MODEL = "NVIDIA H100 80GB HBM3"
_VERSION = 1
_STEP_MS = int(STEP_S * MILLISECONDS_PER_S)


def built(devices_count: int, days: int, pace: float = 1.0, home: Path | None = None) -> tuple[Plan, Path]:
    """The plan with its truths, and the folder with the blocks; made where it is not there yet."""
    home = home or Path(tempfile.gettempdir()) / "footprint-site"
    folder = home / f"{_VERSION}-{devices_count}-{days}-{pace:g}"
    if (folder / "plan.pickle").exists():
        return pickle.loads((folder / "plan.pickle").read_bytes()), folder / "data"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    plan = planned(devices_count, days, pace)
    drawn = [Drawn(plan, device) for device in range(devices_count)]
    samples = 0
    for number in range(days):
        samples += _write_day(plan, drawn, number, folder / "data")
    (folder / "about.json").write_text(json.dumps({"samples": samples, "jobs": len(plan.jobs)}), encoding="utf-8")
    (folder / "plan.pickle").write_bytes(pickle.dumps(plan))
    return plan, folder / "data"


def _write_day(plan: Plan, drawn: Sequence[Drawn], number: int, folder: Path) -> int:
    begun_ms = int((BEGUN_S + number * DAY_S) * MILLISECONDS_PER_S)
    block = Block(begun_ms, begun_ms + int(DAY_S * MILLISECONDS_PER_S), _STEP_MS)
    for one in drawn:
        day = one.day(number)
        is_there = _scraped(plan, one.device, day)
        for labels, span in _series(plan, one, day):
            for name, values in (
                (ENERGY, np.round(day.energy_j * MILLIJOULES_PER_J)), (POWER, day.power_w), (USE, day.utilization),
            ):  # fmt: skip
                runs = list(_runs(day, is_there & span, values))
                if runs:
                    block.add(tuple(sorted({**labels, "__name__": name}.items())), runs)
    block.write(folder)
    return block.samples_count


def _scraped(plan: Plan, device: int, day: Day) -> npt.NDArray[np.bool_]:
    begun_s, ended_s = plan.gaps.get(device // PER_HOST, (0.0, 0.0))
    return (day.at_s <= begun_s) | (day.at_s >= ended_s)


def _series(plan: Plan, one: Drawn, day: Day) -> Iterator[tuple[dict[str, str], npt.NDArray[np.bool_]]]:
    """Label sets of a device, and when its series bear them: a job's while it runs, none in between."""
    host, place = divmod(one.device, PER_HOST)
    name = host_name(host)
    base = {
        "UUID": f"GPU-{one.device:08x}-5eed-4000-8000-{one.device * 2654435761 % 2**48:012x}", "Hostname": name,
        "gpu": str(place), "device": f"nvidia{place}", "modelName": MODEL, "job": "dcgm", "instance": f"{name}:9400",
        "DCGM_FI_DRIVER_VERSION": "570.86.15",
    }  # fmt: skip
    parts: list[tuple[str, dict[str, str]]] = [("", {})]
    if one.device in plan.parted:
        parts = [(i, {"GPU_I_ID": i, "GPU_I_PROFILE": profile}) for i, profile, _ in INSTANCES]
    for instance, more in parts:
        free = np.ones(day.at_s.size, bool)
        by_id: dict[str, npt.NDArray[np.bool_]] = {}
        for job in [] if host in plan.bare else one.jobs:
            if job.instance == instance and (inside := _inside(job, day)).any():
                free &= ~inside
                by_id[job.job.id] = by_id.get(job.job.id, False) | inside  # starts of one job are one series
        for number, inside in by_id.items():
            yield {**base, **more, "hpc_job": number}, inside
        yield {**base, **more}, free


def _inside(one: Planned, day: Day) -> npt.NDArray[np.bool_]:
    return (day.at_s >= (one.job.started_utc_s or 0.0)) & (day.at_s <= (one.job.ended_utc_s or 0.0))


def _runs(
    day: Day, chosen: npt.NDArray[np.bool_], values: npt.NDArray[np.float64]
) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Readings in a row, by the moment of the first."""
    places = np.flatnonzero(chosen)
    if not places.size:
        return
    for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
        yield round(float(day.at_s[run[0]]) * MILLISECONDS_PER_S), values[run]


__all__ = ["ENERGY", "MODEL", "POWER", "USE", "Labels", "built"]
