"""Power as a function of time, with its energy in closed form: the shapes that an emulated GPU's load can take."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Protocol


class Wave(Protocol):
    """A load that starts at its own time 0. Energy is counted from there."""

    def power_w(self, x_s: float) -> float: ...
    def energy_j(self, x_s: float) -> float: ...
    def line(self) -> str: ...


def _line(kind: str, wave: Constant | Square | Sine | Trapezoid) -> str:
    return " ".join((kind, *(f"{field.name}={float(getattr(wave, field.name))!r}" for field in fields(wave))))


@dataclass(frozen=True)
class Constant:
    w: float

    def power_w(self, x_s: float) -> float:
        return self.w

    def energy_j(self, x_s: float) -> float:
        return self.w * x_s

    def line(self) -> str:
        return _line("constant", self)


class _Periodic:
    """What repeats: whole periods, and a part of one."""

    period_s: float
    phase_s: float

    def _in_period_w(self, x_s: float) -> float:
        raise NotImplementedError

    def _in_period_j(self, x_s: float) -> float:
        raise NotImplementedError

    def power_w(self, x_s: float) -> float:
        x_s += self.phase_s
        return self._in_period_w(x_s - math.floor(x_s / self.period_s) * self.period_s)

    def _from_zero_phase_j(self, x_s: float) -> float:
        whole = math.floor(x_s / self.period_s)
        return whole * self._in_period_j(self.period_s) + self._in_period_j(x_s - whole * self.period_s)

    def energy_j(self, x_s: float) -> float:
        return self._from_zero_phase_j(x_s + self.phase_s) - self._from_zero_phase_j(self.phase_s)


@dataclass(frozen=True)
class Square(_Periodic):
    """High for the first `duty` of each period, then low."""

    low_w: float
    high_w: float
    period_s: float
    duty: float = 0.5
    phase_s: float = 0.0

    def _in_period_w(self, x_s: float) -> float:
        return self.high_w if x_s < self.duty * self.period_s else self.low_w

    def _in_period_j(self, x_s: float) -> float:
        on_s = min(x_s, self.duty * self.period_s)
        return self.high_w * on_s + self.low_w * (x_s - on_s)

    def line(self) -> str:
        return _line("square", self)


@dataclass(frozen=True)
class Sine(_Periodic):
    mean_w: float
    amplitude_w: float
    period_s: float
    phase_s: float = 0.0

    def _in_period_w(self, x_s: float) -> float:
        return self.mean_w + self.amplitude_w * math.sin(math.tau * x_s / self.period_s)

    def _in_period_j(self, x_s: float) -> float:
        turned = 1.0 - math.cos(math.tau * x_s / self.period_s)
        return self.mean_w * x_s + self.amplitude_w * self.period_s / math.tau * turned

    def line(self) -> str:
        return _line("sine", self)


@dataclass(frozen=True)
class Trapezoid(_Periodic):
    """Low to high in `rise_s`, high for `top_s`, back in `fall_s`, low for the rest. rise_s = period_s is a ramp."""

    low_w: float
    high_w: float
    period_s: float
    rise_s: float
    top_s: float = 0.0
    fall_s: float = 0.0
    phase_s: float = 0.0

    def _in_period_w(self, x_s: float) -> float:
        if x_s < self.rise_s:
            return self.low_w + (self.high_w - self.low_w) * x_s / self.rise_s
        x_s -= self.rise_s
        if x_s < self.top_s:
            return self.high_w
        x_s -= self.top_s
        return self.high_w + (self.low_w - self.high_w) * x_s / self.fall_s if x_s < self.fall_s else self.low_w

    def _in_period_j(self, x_s: float) -> float:
        above_w, energy = self.high_w - self.low_w, self.low_w * x_s
        rising = min(x_s, self.rise_s)
        if self.rise_s:
            energy += above_w * rising * rising / self.rise_s / 2
        energy += above_w * min(max(x_s - self.rise_s, 0.0), self.top_s)
        falling = min(max(x_s - self.rise_s - self.top_s, 0.0), self.fall_s)
        if self.fall_s:
            energy += above_w * (falling - falling * falling / self.fall_s / 2)
        return energy

    def line(self) -> str:
        return _line("trapezoid", self)


class Trace(_Periodic):
    """A recorded load: (seconds, watts) in a file, from 0 on. Steps that hold, or straight lines between the points;
    at its end it starts again (`repeat`) or keeps the last value."""

    def __init__(self, file: Path, *, linear: bool = False, repeat: bool = False, phase_s: float = 0.0) -> None:
        self.file, self.linear, self.repeat, self.phase_s = file, linear, repeat, phase_s
        rows = [line.replace(",", " ").split() for line in file.read_text(encoding="utf-8").splitlines()]
        points = [(float(row[0]), float(row[1])) for row in rows if row and row[0][0] in "-.0123456789"]
        self.point_s, self.point_w = zip(*points, strict=True)
        self.period_s = self.point_s[-1]
        sums = [0.0]
        for (start_s, start_w), (end_s, end_w) in pairwise(points):
            sums.append(sums[-1] + (end_s - start_s) * ((start_w + end_w) / 2 if linear else start_w))
        self.point_j = sums

    @classmethod
    def write(
        cls,
        file: Path,
        points: Sequence[tuple[float, float]],
        *,
        linear: bool = False,
        repeat: bool = False,
        phase_s: float = 0.0,
    ) -> Trace:
        file.write_text("".join(f"{s!r} {w!r}\n" for s, w in points), encoding="utf-8")
        return cls(file, linear=linear, repeat=repeat, phase_s=phase_s)

    def _in_period_w(self, x_s: float) -> float:
        if x_s <= 0.0:
            return self.point_w[0]
        i = bisect_right(self.point_s, x_s) - 1
        if i == len(self.point_s) - 1 or not self.linear:
            return self.point_w[i]
        share = (x_s - self.point_s[i]) / (self.point_s[i + 1] - self.point_s[i])
        return self.point_w[i] + share * (self.point_w[i + 1] - self.point_w[i])

    def _in_period_j(self, x_s: float) -> float:
        if x_s <= 0.0:
            return self.point_w[0] * x_s
        i = bisect_right(self.point_s, x_s) - 1
        mean_w = (self.point_w[i] + self._in_period_w(x_s)) / 2 if self.linear else self.point_w[i]
        return self.point_j[i] + (x_s - self.point_s[i]) * mean_w

    def power_w(self, x_s: float) -> float:
        return super().power_w(x_s) if self.repeat else self._in_period_w(x_s + self.phase_s)

    def _from_zero_phase_j(self, x_s: float) -> float:
        return super()._from_zero_phase_j(x_s) if self.repeat else self._in_period_j(x_s)

    def line(self) -> str:
        options = f"linear={int(self.linear)} repeat={int(self.repeat)} phase_s={self.phase_s!r}"
        return f"trace {options} file={self.file}"
