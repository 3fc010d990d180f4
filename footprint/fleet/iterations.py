"""Lines that training programs print as they go: Megatron-LM's and its kin's, nanotron's and torchtitan's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from footprint.fleet.row_files import number_of
from footprint.units import FLOP_PER_TFLOP, MILLISECONDS_PER_S

__all__ = ["LONGEST_LINE", "Facts", "Iteration", "facts_of", "iteration_of", "lines_of"]

LONGEST_LINE = 2**16
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6}))?")
_US_MOMENT = re.compile(r"\b(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)")
_ITERATION = re.compile(r"\biteration:?\s+(\d{1,12})\s*/\s*(\d{1,12})\s*\|", re.IGNORECASE)
_STEP = re.compile(r"\bstep:\s*(\d{1,12})\s+loss:")
_STEP_FIELD = re.compile(r"\b(tps|tflops):\s*([\d.,]+)%?")
_HUMAN = re.compile(r"^([\d.]+(?:[eE][+-]?\d+)?)\s*([KMGBT]?)$")
_SCALES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}

_ELAPSED_MS = ("elapsed time per iteration (ms)", "elapsed_time_per_iteration_ms")
_ELAPSED_S = ("elapsed time per iteration (s)",)
_ENERGY = ("energy per gpu (j/iter/gpu)",)
_POWER = ("power per gpu (w/gpu)",)
_TFLOPS = ("throughput per gpu (tflop/s/gpu)", "model_tflops_per_gpu", "flop throughput (tflop/sec/gpu)", "tflops")
_BATCH = ("global batch size", "global_batch_size")
_KNOWN = frozenset((*_ELAPSED_MS, *_ELAPSED_S, *_ENERGY, *_POWER, *_TFLOPS, *_BATCH))

_WORLD = re.compile(
    r"using world size: (\d{1,7})|\bworld_size \.+ (\d{1,7})\b|\bworld size: (\d{1,7})\b", re.IGNORECASE
)
_MESH = re.compile(r"Building \d-D device mesh with .*?\], \[([\d, ]{1,60})\]")
_PARALLELISM = re.compile(r"Building device mesh with parallelism: ([a-z_=\d, ]{1,200})")
_DEGREE = re.compile(r"\b(?:pp|dp_replicate|dp_shard|cp|tp)=(\d{1,7})\b")
"""Of them the world is made; experts are spread over devices that these count already."""
_SEQUENCE = re.compile(r"\bseq_length \.+ (\d{1,9})\b")
_LOADED = re.compile(r"loaded checkpoint .{0,1000}? at iteration (\d{1,12})", re.IGNORECASE)
_BEGUN = re.compile(r"-{5,} arguments -{5,}|using world size: |Starting job: ")
_DEVICE = re.compile(r"CUDA capacity: (.{3,60}?) with [\d.]+ ?GiB")


@dataclass(frozen=True, slots=True)
class Iteration:
    """What a line says of the iterations since the line before; per iteration and per accelerator."""

    number: int
    at_s: float | None  # on the clock of who wrote it, read as this machine's
    elapsed_s: float | None
    energy_j: float | None
    flop_per_s: float | None
    tokens_per_s: float | None = None  # of one accelerator
    batch_samples: float | None = None


@dataclass(slots=True)
class Facts:
    """What a log says of the run before it begins, and at each start."""

    world_size: int | None = None
    seq_len: int | None = None
    model: str = ""
    loaded: int | None = None  # the iteration of the checkpoint that it started from
    starts_count: int = 0


def lines_of(raw: Iterable[str]) -> Iterator[str]:
    """Without colours; of very long lines the beginning."""
    for line in raw:
        line = line[:LONGEST_LINE]
        yield _ESCAPES.sub("", line) if "\x1b" in line else line


def facts_of(line: str, facts: Facts) -> None:
    """Take what a line says of the run, if it says anything."""
    if "world" in line or "World" in line:
        match = _WORLD.search(line)
        facts.world_size = int(next(filter(None, match.groups()))) if match else facts.world_size
    if "mesh" in line:
        facts.world_size = _mesh_size(line) or facts.world_size
    if "seq_length" in line and (match := _SEQUENCE.search(line)):
        facts.seq_len = int(match[1]) or facts.seq_len
    if "checkpoint" in line and (match := _LOADED.search(line)):
        facts.loaded = int(match[1])
    if "CUDA capacity" in line and (match := _DEVICE.search(line)):
        facts.model = match[1]
    if _BEGUN.search(line):
        facts.starts_count += 1


def _mesh_size(line: str) -> int | None:
    """How many devices torchtitan's mesh has."""
    if match := _PARALLELISM.search(line):
        return math.prod(int(part) for part in _DEGREE.findall(match[1]))
    match = _MESH.search(line)
    return None if match is None else math.prod(int(part) for part in re.findall(r"\d{1,7}", match[1]))


def iteration_of(line: str) -> Iteration | None:
    """What a line says, if it is one of an iteration or step."""
    if "iteration" in line:
        match = _ITERATION.search(line)
        return None if match is None else _iteration(line, match)
    if "step:" in line:
        match = _STEP.search(line)
        return None if match is None else _step(line, match)
    return None


def _iteration(line: str, match: re.Match[str]) -> Iteration | None:
    told: dict[str, float] = {}
    for part in line[match.end() :].split("|"):
        name, colon, cell = part.partition(":")
        name = name.strip().lower()
        if colon and name in _KNOWN and (value := _human(cell)) is not None:
            told.setdefault(name, value)

    def of(names: tuple[str, ...]) -> float | None:
        return next((told[name] for name in names if name in told), None)

    elapsed_ms, elapsed_s = of(_ELAPSED_MS), of(_ELAPSED_S)
    if elapsed_ms is not None:
        elapsed_s = elapsed_ms / MILLISECONDS_PER_S
    if not elapsed_s:
        return None
    energy_j, power_w, tflops = of(_ENERGY), of(_POWER), of(_TFLOPS)
    if energy_j is None and power_w is not None:
        energy_j = power_w * elapsed_s
    return Iteration(
        number=int(match[1]),
        at_s=_moment(line[: match.start()]),
        elapsed_s=elapsed_s,
        energy_j=energy_j,
        flop_per_s=None if tflops is None else tflops * FLOP_PER_TFLOP,
        batch_samples=of(_BATCH),
    )


def _step(line: str, match: re.Match[str]) -> Iteration:
    told = {name: number_of(cell.replace(",", "")) for name, cell in _STEP_FIELD.findall(line[match.start() :])}
    tflops = told.get("tflops")
    return Iteration(
        number=int(match[1]),
        at_s=_moment(line[: match.start()]),
        elapsed_s=None,
        energy_j=None,
        flop_per_s=None if tflops is None else tflops * FLOP_PER_TFLOP,
        tokens_per_s=told.get("tps"),
    )


def _human(cell: str) -> float | None:
    """'12345', '1.04M' or '8.36K'; None for whatever is no number that can be."""
    match = _HUMAN.match(cell.strip())
    value = number_of(match[1]) if match else None
    return None if match is None or value is None else value * _SCALES[match[2]]


def _moment(text: str) -> float | None:
    """The last moment in a text."""
    found = list(_MOMENT.finditer(text))
    if found:
        year, month, day, hour, minute, second = (int(part) for part in found[-1].groups()[:6])
        fraction = int((found[-1][7] or "0").ljust(6, "0"))
    else:
        match = _US_MOMENT.search(text)
        if match is None:
            return None
        month, day, year, hour, minute, second = (int(part) for part in match.groups())
        fraction = 0
    try:
        return datetime(year, month, day, hour, minute, second, fraction).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
